//! The records of the topic, decoded.

use serde_json::{Map, Value};

use crate::model::config::Config;
use crate::model::content::SchemaContent;
use crate::model::mode::Mode;
use crate::model::names::{SchemaId, Subject};

/// A decoded record. `None` as value: a tombstone.
#[derive(Debug)]
pub(crate) enum LogRecord {
    Schema {
        subject: Subject,
        version: u32,
        value: Option<Box<SchemaValue>>,
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
    /// Has no effect: a NOOP, an association, or the tombstone of a kind whose tombstones have none.
    Ignored,
}

/// What stands in the value beside subject and version, which the key has, too.
#[derive(Debug)]
pub(crate) struct SchemaValue {
    pub(crate) id: SchemaId,
    pub(crate) content: SchemaContent,
    pub(crate) deleted: bool,
    /// Members of newer writers, kept for the next rewrite.
    pub(crate) unknown: Option<Box<Map<String, Value>>>,
}
