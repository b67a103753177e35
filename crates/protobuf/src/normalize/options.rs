//! Options in normal form: names of extensions in full, paths as message literals, members and options sorted, several
//! of one option that is not repeated merged, a list of one as its only element, numbers in one notation.
//!
//! Where an option's declaration is not found it stays as it was written, but for its place among the others and the
//! values in it.
//!
//! Two deviations from Confluent: paths that share a message become one message (`(o).a.b = 1, (o).a.c = 2` is
//! `(o) = {a: {b: 1, c: 2}}`), where it writes an invalid list for a type of another package; and numbers keep their
//! digits, where it rounds to three decimals.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::number;
use crate::model::{Field, FieldType, Label, Message, OptionValue, ProtoOption};
use crate::names::{Kind, Types, resolve};

/// The extensions within reach of a file.
pub(super) struct Extensions<'t> {
    types: &'t Types,
    /// By full name. Collected when the first custom option is met: most files have none.
    by_name: OnceCell<HashMap<String, Declared<'t>>>,
}

/// A field, and the scope that the name of its type is seen from.
#[derive(Clone, Copy)]
struct Declared<'t> {
    field: &'t Field,
    scope: &'t str,
}

impl<'t> Extensions<'t> {
    pub(super) fn new(types: &'t Types) -> Extensions<'t> {
        Extensions { types, by_name: OnceCell::new() }
    }

    fn by_name(&self) -> &HashMap<String, Declared<'t>> {
        self.by_name.get_or_init(|| {
            let mut by_name = HashMap::new();
            for file in self.types.all_files() {
                let package = file.package.as_deref().unwrap_or_default();
                let nested = file.messages.iter().map(|message| (message.full_name.as_str(), &message.extends));
                for (scope, extends) in std::iter::once((package, &file.extends)).chain(nested) {
                    for field in extends.iter().flat_map(|extend| &extend.fields) {
                        let dot = if scope.is_empty() { "" } else { "." };
                        let full_name = format!("{scope}{dot}{}", field.name);
                        by_name.entry(full_name).or_insert(Declared { field, scope });
                    }
                }
            }
            by_name
        })
    }

    fn resolve(&self, scope: &str, written: &str) -> Option<(&str, Declared<'t>)> {
        resolve(scope, written, |full_name| {
            self.by_name().get_key_value(full_name).map(|(name, declared)| (name.as_str(), *declared))
        })
    }

    /// The options of a declaration whose names are seen from `scope`.
    pub(super) fn normalize(&self, scope: &str, options: &[ProtoOption]) -> Vec<ProtoOption> {
        let mut normal: Vec<(ProtoOption, Option<Declared<'t>>)> = Vec::with_capacity(options.len());
        for option in options {
            normal.push(self.resolved(scope, option));
        }
        normal.sort_by(|(one, _), (other, _)| sort_key(one).cmp(sort_key(other)));
        let mut merged: Vec<(ProtoOption, Option<Declared<'t>>)> = Vec::with_capacity(normal.len());
        for (option, declared) in normal {
            match (merged.last_mut(), declared) {
                (Some((last, Some(_))), Some(declared))
                    if last.name == option.name && !is_repeated(self.types, declared) =>
                {
                    self.merge(Some(declared), &mut last.value, option.value);
                }
                _ => merged.push((option, declared)),
            }
        }
        let values = merged.into_iter().map(|(ProtoOption { name, value }, _)| {
            let value = match value {
                // The list itself stays: only inside of a message one element needs none.
                OptionValue::List(items) => {
                    OptionValue::List(items.into_iter().map(|item| self.value(scope, item)).collect())
                }
                value => self.value(scope, value),
            };
            ProtoOption { name, value }
        });
        values.collect()
    }

    fn resolved(&self, scope: &str, option: &ProtoOption) -> (ProtoOption, Option<Declared<'t>>) {
        let found = option.extension().and_then(|(name, path)| Some((self.resolve(scope, name)?, path)));
        let Some(((full_name, declared), path)) = found else { return (option.clone(), None) };
        let mut value = option.value.clone();
        for step in steps(path).into_iter().rev() {
            let key = match step.strip_prefix('(').and_then(|step| step.strip_suffix(')')) {
                Some(extension) => self.key(scope, format!("[{extension}]")),
                None => step.to_owned(),
            };
            value = OptionValue::Map(vec![(key, value)]);
        }
        (ProtoOption { name: format!("({full_name})"), value }, Some(declared))
    }

    /// Two values of an option or member: messages become one, of others the later one counts; a repeated member, and
    /// one whose declaration is not known, has both, equal values once.
    fn merge(&self, declared: Option<Declared<'t>>, known: &mut OptionValue, more: OptionValue) {
        match (known, more) {
            (OptionValue::Map(known), OptionValue::Map(more)) => {
                let message = declared.and_then(|declared| message(self.types, declared));
                for (key, value) in more {
                    match known.iter_mut().find(|(other, _)| *other == key) {
                        None => known.push((key, value)),
                        Some((_, known)) => {
                            let member = message.and_then(|message| self.member(message, &key));
                            match member.filter(|member| !is_repeated(self.types, *member)) {
                                Some(member) => self.merge(Some(member), known, value),
                                None => both(known, value),
                            }
                        }
                    }
                }
            }
            (known, more) => *known = more,
        }
    }

    fn member(&self, message: &'t Message, key: &str) -> Option<Declared<'t>> {
        if let Some(extension) = key.strip_prefix('[').and_then(|key| key.strip_suffix(']')) {
            return self.resolve(&message.full_name, extension).map(|(_, declared)| declared);
        }
        let (field, _) = message.all_fields().find(|(field, _)| field.name == key)?;
        Some(Declared { field, scope: &message.full_name })
    }

    fn value(&self, scope: &str, value: OptionValue) -> OptionValue {
        match value {
            OptionValue::Text(text) => OptionValue::Text(text),
            OptionValue::Word(word) => OptionValue::Word(number::normalized(word)),
            OptionValue::List(mut items) if items.len() == 1 => self.value(scope, items.remove(0)),
            OptionValue::List(items) => {
                OptionValue::List(items.into_iter().map(|item| self.value(scope, item)).collect())
            }
            OptionValue::Map(members) => {
                let mut normal: Vec<(String, OptionValue)> = Vec::with_capacity(members.len());
                for (key, value) in members {
                    if value != OptionValue::List(Vec::new()) {
                        normal.push((self.key(scope, key), self.value(scope, value)));
                    }
                }
                normal.sort_by(|(one, _), (other, _)| one.cmp(other));
                normal.dedup_by(|(later, _), (first, _)| later == first);
                OptionValue::Map(normal)
            }
        }
    }

    fn key(&self, scope: &str, key: String) -> String {
        let extension = key.strip_prefix('[').and_then(|key| key.strip_suffix(']'));
        match extension.and_then(|name| self.resolve(scope, name)) {
            Some((full_name, _)) => format!("[{full_name}]"),
            None => key,
        }
    }
}

/// What options are sorted by: the name of an extension without its parentheses.
fn sort_key(option: &ProtoOption) -> &str {
    option.extension().map_or(option.name.as_str(), |(name, _)| name)
}

/// `a.(b.c).d` as `a`, `(b.c)` and `d`.
fn steps(path: &str) -> Vec<&str> {
    let mut inside = false;
    let is_end = |character: char| {
        inside = match character {
            '(' => true,
            ')' => false,
            _ => inside,
        };
        character == '.' && !inside
    };
    path.split(is_end).filter(|step| !step.is_empty()).collect()
}

/// The message that a field holds, if it holds one.
fn message<'t>(types: &'t Types, Declared { field, scope }: Declared<'t>) -> Option<&'t Message> {
    match &field.kind {
        FieldType::Named(name) => match types.kind(scope, name) {
            Kind::Message(id) => Some(types.message(id)),
            Kind::Scalar(_) | Kind::Enum(_) | Kind::Unknown => None,
        },
        FieldType::Map(..) => None,
    }
}

/// Whether several values of a field are kept; a map is a list of its entries.
fn is_repeated(types: &Types, declared: Declared<'_>) -> bool {
    declared.field.label == Some(Label::Repeated)
        || matches!(declared.field.kind, FieldType::Map(..))
        || message(types, declared).is_some_and(|message| message.is_map_entry)
}

fn both(known: &mut OptionValue, more: OptionValue) {
    let items = |value: OptionValue| match value {
        OptionValue::List(items) => items,
        single => vec![single],
    };
    let mut all = Vec::new();
    let known_items = items(std::mem::replace(known, OptionValue::List(Vec::new())));
    for item in known_items.into_iter().chain(items(more)) {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    *known = OptionValue::List(all);
}
