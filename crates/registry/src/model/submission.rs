//! A schema as a client submits it.

use postern_schema::SchemaKind;
use serde_json::Value;

use super::content::SchemaReference;
use super::metadata::Metadata;
use super::names::SchemaId;

/// A submitted schema.
#[derive(Clone, PartialEq, Debug)]
pub struct SchemaSubmission {
    /// Avro, JSON Schema or Protobuf.
    pub kind: SchemaKind,
    /// The text; empty: that of the latest version.
    pub text: String,
    /// The schemas it uses.
    pub references: Vec<SchemaReference>,
    /// `None`: that of the latest version.
    pub metadata: Option<Metadata>,
    /// Part of its identity in a look-up; not stored.
    pub rule_set: Option<Value>,
    /// 0: any; -1: the latest or the next; any other number: the next version, which must have it.
    pub version: i32,
    /// An id chosen by the client, for imports.
    pub id: Option<SchemaId>,
}

impl SchemaSubmission {
    /// A text alone.
    pub fn new(kind: SchemaKind, text: impl Into<String>) -> SchemaSubmission {
        SchemaSubmission {
            kind,
            text: text.into(),
            references: Vec::new(),
            metadata: None,
            rule_set: None,
            version: 0,
            id: None,
        }
    }
}
