//! The options `confluent.file_meta`, `message_meta`, `field_meta`, `enum_meta` and `enum_value_meta`, as they stand in
//! descriptors: documentation, parameters, tags and rules, which serializers read for encryption by field. Of all custom
//! options these alone are kept, as Confluent keeps them: their declaration is known without looking it up.
//!
//! Source: `confluent/meta.proto`.

use crate::model::{OptionValue, ProtoOption, StringLiteral};
use crate::wire::{self, Raw};

/// Number of the extension, the same in all messages that hold options.
pub(super) const NUMBER: u32 = 1088;

const RULE_MEMBERS: [&str; 4] = ["name", "doc", "expr", "sql"];

/// The option `name` from the bytes of its message; `None` in the inner option when it is empty.
pub(super) fn read(name: &str, bytes: &[u8]) -> Option<Option<ProtoOption>> {
    let (mut doc, mut params, mut tags, mut rules) = (String::new(), Vec::new(), Vec::new(), Vec::new());
    for field in wire::fields(bytes) {
        match field? {
            (1, Raw::Bytes(bytes)) => doc = string(bytes)?,
            (2, Raw::Bytes(bytes)) => params.push(param(bytes)?),
            (3, Raw::Bytes(bytes)) => tags.push(literal(&string(bytes)?)),
            (4, Raw::Bytes(bytes)) => rules.extend(rule(bytes)?),
            _ => {}
        }
    }
    let mut members = Vec::new();
    if !doc.is_empty() {
        members.push(("doc".to_owned(), literal(&doc)));
    }
    for (member, items) in [("params", params), ("tags", tags), ("rules", rules)] {
        if !items.is_empty() {
            members.push((member.to_owned(), OptionValue::List(items)));
        }
    }
    let value = OptionValue::Map(members);
    let is_empty = value == OptionValue::Map(Vec::new());
    Some((!is_empty).then(|| ProtoOption { name: format!("({name})"), value }))
}

fn param(bytes: &[u8]) -> Option<OptionValue> {
    let [key, value] = strings(bytes)?;
    // Kafka Connect's decimals came to be printed this way round.
    let value_first = matches!(key.as_str(), "precision" | "scale");
    let mut members = vec![("key".to_owned(), literal(&key)), ("value".to_owned(), literal(&value))];
    if value_first {
        members.reverse();
    }
    Some(OptionValue::Map(members))
}

/// `None` in the inner option when all its members are empty.
fn rule(bytes: &[u8]) -> Option<Option<OptionValue>> {
    let values: [String; 4] = strings(bytes)?;
    let members = RULE_MEMBERS.iter().zip(&values).filter(|(_, value)| !value.is_empty());
    let members = members.map(|(name, value)| ((*name).to_owned(), literal(value))).collect::<Vec<_>>();
    Some((!members.is_empty()).then_some(OptionValue::Map(members)))
}

/// The string fields 1 to `N` of a message.
fn strings<const N: usize>(bytes: &[u8]) -> Option<[String; N]> {
    let mut values = std::array::from_fn(|_| String::new());
    for field in wire::fields(bytes) {
        if let (number, Raw::Bytes(bytes)) = field?
            && let Some(value) = values.get_mut(number as usize - 1)
        {
            *value = string(bytes)?;
        }
    }
    Some(values)
}

fn string(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn literal(text: &str) -> OptionValue {
    OptionValue::Text(StringLiteral::new(text))
}

/// The message of the option `name`, gathered from all the ways to write it: one literal, or a path for each member.
/// `None` when it is not among `options`, or empty.
pub(super) fn write(name: &str, options: &[ProtoOption]) -> Option<Vec<u8>> {
    let (mut doc, mut params, mut tags, mut rules) = ("", Vec::<(&str, &str)>::new(), Vec::new(), Vec::new());
    for (member, value) in options.iter().flat_map(|option| members(name, option)) {
        match (member, value) {
            ("doc", OptionValue::Text(text)) => doc = &text.plain,
            ("params", value) => {
                for param in items(value) {
                    let (key, value) = (text_of(param, "key"), text_of(param, "value"));
                    match params.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, known)) => *known = value,
                        None => params.push((key, value)),
                    }
                }
            }
            ("tags", value) => {
                for tag in items(value) {
                    if let OptionValue::Text(tag) = tag
                        && !tags.contains(&tag.plain.as_str())
                    {
                        tags.push(tag.plain.as_str());
                    }
                }
            }
            ("rules", value) => rules.extend(items(value)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    if !doc.is_empty() {
        wire::string_field(1, doc, &mut out);
    }
    for (key, value) in params {
        wire::message_field(2, &mut out, |out| {
            wire::string_field(1, key, out);
            wire::string_field(2, value, out);
        });
    }
    tags.iter().for_each(|tag| wire::string_field(3, tag, &mut out));
    for rule in rules {
        let members = RULE_MEMBERS.map(|member| text_of(rule, member));
        if members.iter().all(|member| member.is_empty()) {
            continue;
        }
        wire::message_field(4, &mut out, |out| {
            for (number, member) in (1..).zip(members) {
                if !member.is_empty() {
                    wire::string_field(number, member, out);
                }
            }
        });
    }
    (!out.is_empty()).then_some(out)
}

/// What `option` says of the members of the message called `name`: `(name) = {…}` or `(name).member = …`.
fn members<'o>(name: &str, option: &'o ProtoOption) -> Vec<(&'o str, &'o OptionValue)> {
    let written = option.name.strip_prefix('(').map(|rest| rest.strip_prefix('.').unwrap_or(rest));
    let after = written.and_then(|rest| rest.strip_prefix(name)).and_then(|rest| rest.strip_prefix(')'));
    match (after, &option.value) {
        (Some(""), OptionValue::Map(members)) => {
            members.iter().map(|(member, value)| (member.as_str(), value)).collect()
        }
        (Some(path), value) => path.strip_prefix('.').map(|member| (member, value)).into_iter().collect(),
        (None, _) => Vec::new(),
    }
}

/// The values of a repeated member; one of them needs no list.
fn items(value: &OptionValue) -> &[OptionValue] {
    match value {
        OptionValue::List(items) => items,
        single => std::slice::from_ref(single),
    }
}

fn text_of<'v>(value: &'v OptionValue, member: &str) -> &'v str {
    let OptionValue::Map(members) = value else { return "" };
    let found = members.iter().find(|(name, _)| name == member);
    match found {
        Some((_, OptionValue::Text(text))) => &text.plain,
        Some(_) | None => "",
    }
}
