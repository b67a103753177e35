//! The records of the `_schemas` topic: one file per kind of key, key and value side by side.
//!
//! Written byte for byte as the registry we replace writes them, because a key's bytes are its identity in compaction; read
//! tolerantly, in all variants that are known to exist. Source: docs/reference/schema-registry.md §12.2.

pub(crate) mod clear_subject;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod delete_subject;
pub(crate) mod mode;
pub(crate) mod schema;

use std::fmt;

use postern_kafka::PartitionId;
use postern_kafka::Record;
use serde_json::{Map, Value};

use crate::{Config, Mode, Subject};

/// What a key stands for, whatever its spelling. Global configuration and mode have no subject.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum LogKey {
    Schema { subject: Subject, version: u32 },
    Config(Option<Subject>),
    Mode(Option<Subject>),
}

impl LogKey {
    /// The bytes that are written where the topic does not have the key in another spelling.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        match self {
            LogKey::Schema { subject, version } => schema::key(subject, *version),
            LogKey::Config(subject) => config::key(subject.as_ref()),
            LogKey::Mode(subject) => mode::key(subject.as_ref()),
        }
    }
}

/// A record, understood. `None` as value: a tombstone.
#[derive(Debug)]
pub(crate) enum Entry {
    Schema {
        subject: Subject,
        version: u32,
        value: Option<Box<schema::SchemaValue>>,
    },
    Config {
        subject: Option<Subject>,
        value: Option<Box<Config>>,
    },
    Mode {
        subject: Option<Subject>,
        value: Option<Mode>,
    },
    DeleteSubject {
        subject: Subject,
        version: u32,
    },
    ClearSubject {
        subject: Option<Subject>,
    },
    Context {
        context: String,
        known: bool,
    },
    /// Says nothing: a NOOP, an association, or the tombstone of a kind whose tombstones mean nothing.
    Nothing,
}

impl Entry {
    /// Understands a record. What cannot be understood changes nothing; the caller logs it and goes on.
    pub(crate) fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Entry, Unreadable> {
        let key = Members::parse(key.ok_or(Unreadable("a record without a key".to_owned()))?)?;
        let value = value.map(Members::parse).transpose()?;
        match key.text("keytype")?.as_deref() {
            Some("SCHEMA") => schema::decode(key, value),
            Some("CONFIG") => config::decode(key, value),
            Some("MODE") => mode::decode(key, value),
            Some("DELETE_SUBJECT") => delete_subject::decode(key, value),
            Some("CLEAR_SUBJECT") => clear_subject::decode(key, value),
            Some("CONTEXT") => context::decode(key, value),
            // Associations are not kept here; a topic may be full of them.
            Some("NOOP" | "ASSOC") => Ok(Entry::Nothing),
            Some(other) => Err(Unreadable(format!("keytype {other} is not known here"))),
            None => Err(Unreadable("a key without keytype".to_owned())),
        }
    }
}

/// Why a record was skipped, as a sentence for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record for the topic, to its only partition.
pub(crate) fn record(key: Vec<u8>, value: Option<Vec<u8>>) -> Record {
    Record {
        partition: Some(PartitionId(0)),
        key: Some(key.into()),
        value: value.map(Into::into),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// Compact JSON of something that always has one.
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("maps here have text keys, and nothing else can fail")
}

/// The members of a JSON object, taken out one by one; what remains was not understood.
pub(crate) struct Members(Map<String, Value>);

impl Members {
    fn parse(bytes: &[u8]) -> Result<Members, Unreadable> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(members)) => Ok(Members(members)),
            Ok(_) => Err(Unreadable("not a JSON object".to_owned())),
            Err(error) => Err(Unreadable(format!("not JSON: {error}"))),
        }
    }

    /// A member that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<String>, Unreadable> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(Unreadable(format!("{name}: expected a string, found {other}"))),
        }
    }

    fn take_text(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        let text = self.text(name)?;
        self.0.shift_remove(name);
        Ok(text)
    }

    fn take_integer(&mut self, name: &str) -> Result<Option<i32>, Unreadable> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                let integer = value.as_i64().and_then(|integer| i32::try_from(integer).ok());
                integer.map(Some).ok_or_else(|| Unreadable(format!("{name}: expected a 32-bit integer, found {value}")))
            }
        }
    }

    fn take_bool(&mut self, name: &str) -> Result<Option<bool>, Unreadable> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(bool)) => Ok(Some(bool)),
            Some(other) => Err(Unreadable(format!("{name}: expected a boolean, found {other}"))),
        }
    }

    /// The subject of a key: a missing one is the empty name.
    fn subject(&self) -> Result<Subject, Unreadable> {
        Ok(Subject::parse(&self.text("subject")?.unwrap_or_default()))
    }

    /// The subject of a key where a missing one means all: null, absent and the empty default context are the same.
    fn scope(&self) -> Result<Option<Subject>, Unreadable> {
        Ok(self.text("subject")?.map(|name| Subject::parse(&name)).filter(|subject| !subject.as_str().is_empty()))
    }

    fn rest(self) -> Map<String, Value> {
        self.0
    }
}
