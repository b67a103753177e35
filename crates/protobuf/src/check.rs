//! Checks for a file that is to be registered.
//!
//! Every type it names must be there, and the numbers of fields must be usable: those that no compiler takes and no
//! message can be written with are refused. What compilers refuse besides (an import that is not there and not used,
//! a proto3 enum that does not begin with 0, a number given to two constants) passes, as in Confluent.

use std::collections::HashSet;

use super::model::{Field, FieldType, File, MAX_FIELD_NUMBER, Message, Scalar};
use super::names::Types;
use super::normalize;
use postern_schema_core::CompileError;

/// The first thing wrong with the file that `types` is about.
pub(super) fn check(types: &Types) -> Result<(), CompileError> {
    let file = types.file(0);
    if let Some((place, digits)) = &file.octal {
        let decimal = digits.trim_start_matches('0');
        let remedy = format!("write {decimal}, or the decimal for what compilers read as octal");
        return Err(CompileError::new(place.clone(), "a number without a leading zero", digits).remedy(remedy));
    }
    let mut names = HashSet::new();
    let messages = file.messages.iter().map(|message| &message.full_name);
    for name in messages.chain(file.enums.iter().map(|kind| &kind.full_name)) {
        if !names.insert(name) {
            return Err(CompileError::new(name.clone(), "a type of every name", "a second type of this name"));
        }
    }
    file.messages.iter().try_for_each(message)?;
    extends(file)?;
    normalize::normalize(types).1.map_or(Ok(()), Err)
}

fn message(message: &Message) -> Result<(), CompileError> {
    let mut names = HashSet::new();
    let mut numbers = HashSet::new();
    let groups = message.all_groups().map(|(group, _)| (&group.name, group.number));
    let fields = message.all_fields().map(|(field, _)| (&field.name, field.number));
    for (name, number) in fields.chain(groups) {
        let fault = |expected: &str, found: String| {
            Err(CompileError::new(format!("{}.{name}", message.full_name), expected, found))
        };
        if !(1..=MAX_FIELD_NUMBER).contains(&number) {
            return fault("a field number from 1 to 536870911", number.to_string());
        }
        if !numbers.insert(number) {
            return fault("a number of its own", format!("{number}, which another field of the message has"));
        }
        if !names.insert(name) {
            return fault("a name of its own", format!("a second field called `{name}`"));
        }
    }
    for (group, _) in message.all_groups() {
        let inner = Message {
            full_name: format!("{}.{}", message.full_name, group.name),
            fields: group.fields.clone(),
            ..Message::default()
        };
        self::message(&inner)?;
    }
    message.all_fields().try_for_each(|(field, _)| key(message, field))
}

fn key(message: &Message, field: &Field) -> Result<(), CompileError> {
    match &field.kind {
        FieldType::Map(key, _) if !Scalar::named(key).is_some_and(Scalar::is_key) => Err(CompileError::new(
            format!("{}.{}", message.full_name, field.name),
            "a map whose keys are integers, booleans or strings",
            format!("keys of type {}", super::lex::cut(key)),
        )),
        FieldType::Map(..) | FieldType::Named(_) => Ok(()),
    }
}

fn extends(file: &File) -> Result<(), CompileError> {
    let nested = file.messages.iter().flat_map(|message| &message.extends);
    for extend in file.extends.iter().chain(nested) {
        for field in &extend.fields {
            if !(1..=MAX_FIELD_NUMBER).contains(&field.number) {
                let found = field.number.to_string();
                let path = format!("extend {}.{}", extend.target, field.name);
                return Err(CompileError::new(path, "a field number from 1 to 536870911", found));
            }
        }
    }
    Ok(())
}
