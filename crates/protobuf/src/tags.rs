//! Tags of messages and fields: the options `(confluent.message_meta)` and `(confluent.field_meta)`, whose member `tags` lists them.
//!
//! They are read in all the forms that stand for the same (`(…).tags = "A"`, once or several times, or one option with a map), and written
//! in one: the map. Groups are skipped: an option of one may belong to the field or to the message.

use std::mem;

use super::model::{File, Message, OptionValue, ProtoOption, StringLiteral};

const OF_MESSAGE: &str = "(confluent.message_meta)";
const OF_FIELD: &str = "(confluent.field_meta)";
const TAGS: &str = "tags";

/// Visits every message and every field with its path (the message without the package, then the field), whether it is a field, and its
/// tags, which the visitor may change.
pub(super) fn visit(file: &mut File, visitor: &mut dyn FnMut(&str, bool, &mut Vec<String>)) {
    let mut messages = mem::take(&mut file.messages);
    for message in messages.iter_mut().filter(|message| !message.is_map_entry) {
        let path = file.unqualified(&message.full_name).to_owned();
        at(&mut message.options, OF_MESSAGE, |tags| visitor(&path, false, tags));
        let Message { fields, oneofs, .. } = message;
        for field in fields.iter_mut().chain(oneofs.iter_mut().flat_map(|oneof| &mut oneof.fields)) {
            let path = format!("{path}.{}", field.name);
            at(&mut field.options, OF_FIELD, |tags| visitor(&path, true, tags));
        }
    }
    file.messages = messages;
}

/// Options whose tags were not changed stay as they were written.
fn at(options: &mut Vec<ProtoOption>, name: &str, visit: impl FnOnce(&mut Vec<String>)) {
    let before = read(options, name);
    let mut tags = before.clone();
    visit(&mut tags);
    if tags != before {
        write(options, name, &tags);
    }
}

fn read(options: &[ProtoOption], name: &str) -> Vec<String> {
    let mut tags = Vec::new();
    for ProtoOption { name: written, value } in options {
        match (written.strip_prefix(name), value) {
            (Some(""), OptionValue::Map(members)) => {
                members.iter().filter(|(member, _)| member == TAGS).for_each(|(_, value)| texts(value, &mut tags));
            }
            (Some(".tags"), value) => texts(value, &mut tags),
            _ => {} // another option, or another member of this one
        }
    }
    tags
}

fn texts(value: &OptionValue, tags: &mut Vec<String>) {
    match value {
        OptionValue::Text(text) => tags.push(text.plain.clone()),
        OptionValue::List(items) => items.iter().for_each(|item| texts(item, tags)),
        OptionValue::Word(_) | OptionValue::Map(_) => {}
    }
}

/// One map holds the tags afterwards, that which is there already or a new one; without tags and other members there is none.
fn write(options: &mut Vec<ProtoOption>, name: &str, tags: &[String]) {
    options.retain(|option| option.name.strip_prefix(name) != Some(".tags"));
    for option in options.iter_mut().filter(|option| option.name == name) {
        if let OptionValue::Map(members) = &mut option.value {
            members.retain(|(member, _)| member != TAGS);
        }
    }
    if !tags.is_empty() {
        let tags = (
            TAGS.to_owned(),
            OptionValue::List(tags.iter().map(|tag| OptionValue::Text(StringLiteral::new(tag))).collect()),
        );
        let own = options.iter_mut().filter(|option| option.name == name).find_map(|option| match &mut option.value {
            OptionValue::Map(members) => Some(members),
            OptionValue::Text(_) | OptionValue::Word(_) | OptionValue::List(_) => None,
        });
        match own {
            Some(members) => members.push(tags),
            None => options.push(ProtoOption { name: name.to_owned(), value: OptionValue::Map(vec![tags]) }),
        }
    }
    options.retain(|option| option.name != name || option.value != OptionValue::Map(Vec::new()));
}
