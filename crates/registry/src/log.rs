//! The records of the `_schemas` topic: one file per kind of key, key and value side by side.
//!
//! Written byte for byte as Confluent's registry writes them, because a key's bytes are its identity in compaction; read
//! tolerantly, in all variants that are known to exist. Source: docs/reference/schema-registry.md §12.2.

pub(crate) mod clear_subject;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod delete_subject;
mod fields;
pub(crate) mod mode;
pub(crate) mod record;
pub(crate) mod schema;

use postern_kafka::{PartitionId, Record};

use crate::log::fields::{RecordFields, Unreadable};
use crate::log::record::LogRecord;
use crate::model::names::Subject;

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

/// Understands a record. What cannot be understood changes nothing; the caller logs it and goes on.
pub(crate) fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<LogRecord, Unreadable> {
    let key = RecordFields::parse(key.ok_or(Unreadable("a record without a key".to_owned()))?)?;
    let value = value.map(RecordFields::parse).transpose()?;
    match key.text("keytype")?.as_deref() {
        Some("SCHEMA") => schema::decode(key, value),
        Some("CONFIG") => config::decode(key, value),
        Some("MODE") => mode::decode(key, value),
        Some("DELETE_SUBJECT") => delete_subject::decode(key, value),
        Some("CLEAR_SUBJECT") => clear_subject::decode(key, value),
        Some("CONTEXT") => context::decode(key, value),
        // Associations are not kept here; a topic may be full of them.
        Some("NOOP" | "ASSOC") => Ok(LogRecord::Ignored),
        Some(other) => Err(Unreadable(format!("keytype {other} is not known here"))),
        None => Err(Unreadable("a key without keytype".to_owned())),
    }
}

/// The header of repairs: records that must not change the state, whatever was written between the decision and the append.
/// Confluent's registry does not look at headers.
const REPAIR_HEADER: &str = "postern-repair";

/// Marks a record as a repair.
pub(crate) fn repair(record: Record) -> Record {
    Record { headers: vec![(REPAIR_HEADER.to_owned(), None)], ..record }
}

/// Whether a record with these headers is a repair.
pub(crate) fn is_repair<V>(headers: &[(String, V)]) -> bool {
    headers.iter().any(|(name, _)| name == REPAIR_HEADER)
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
