//! Reading the JSON objects in keys and values, strictly: unlike request bodies, records are written by registries only.

use std::fmt;

use serde_json::{Map, Value};

use crate::model::names::Subject;

/// Why a record was skipped, as a sentence for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Compact JSON of something that always has one.
pub(crate) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("maps here have text keys, and nothing else can fail")
}

/// The members of a JSON object, taken out one by one; what remains was not understood.
pub(crate) struct RecordFields(pub(super) Map<String, Value>);

impl RecordFields {
    pub(super) fn parse(bytes: &[u8]) -> Result<RecordFields, Unreadable> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(members)) => Ok(RecordFields(members)),
            Ok(_) => Err(Unreadable("not a JSON object".to_owned())),
            Err(error) => Err(Unreadable(format!("not JSON: {error}"))),
        }
    }

    /// A member that is there and not null.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Unreadable> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(Unreadable(format!("{name}: expected a string, found {other}"))),
        }
    }

    pub(super) fn take_text(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        let text = self.text(name)?;
        self.0.shift_remove(name);
        Ok(text)
    }

    pub(super) fn take_integer(&mut self, name: &str) -> Result<Option<i32>, Unreadable> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                let integer = value.as_i64().and_then(|integer| i32::try_from(integer).ok());
                integer.map(Some).ok_or_else(|| Unreadable(format!("{name}: expected a 32-bit integer, found {value}")))
            }
        }
    }

    pub(super) fn take_bool(&mut self, name: &str) -> Result<Option<bool>, Unreadable> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(bool)) => Ok(Some(bool)),
            Some(other) => Err(Unreadable(format!("{name}: expected a boolean, found {other}"))),
        }
    }

    /// The subject of a key: a missing one is the empty name.
    pub(super) fn subject(&self) -> Result<Subject, Unreadable> {
        Ok(Subject::parse(&self.text("subject")?.unwrap_or_default()))
    }

    /// The subject of a key where a missing one means all: null, absent and the empty default context are the same.
    pub(super) fn scope(&self) -> Result<Option<Subject>, Unreadable> {
        Ok(self.text("subject")?.map(|name| Subject::parse(&name)).filter(|subject| !subject.as_str().is_empty()))
    }

    pub(super) fn rest(self) -> Map<String, Value> {
        self.0
    }
}
