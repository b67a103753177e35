//! The framing of records: a magic byte and the schema's id (or its guid), then the payload.
//!
//! Source: docs/reference/serialization.md §1.1.

use std::fmt;
use std::sync::Arc;

use postern_schema::{EncodeError, Encoded, Schema, SchemaKind};

use crate::model::names::{Guid, SchemaId, Side};

const WITH_ID: u8 = 0;
const WITH_GUID: u8 = 1;

/// Serializes keys or values by one registered schema.
#[derive(Debug)]
pub struct RecordSerializer {
    /// The id written before every payload.
    pub id: SchemaId,
    /// Under which version of its subject it was found; `None` where it was looked up without one, or the other registry does not say.
    pub version: Option<u32>,
    /// Its type, which decides how values look in JSON.
    pub kind: SchemaKind,
    /// Encodes the values.
    pub schema: Schema,
}

impl RecordSerializer {
    /// Encodes the JSON text of one value and appends magic byte, id and payload to `out`. For `Encoded::Null`, and on
    /// errors, `out` is as before.
    ///
    /// # Errors
    /// The first place where the value does not fit the schema.
    pub fn frame(&self, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        let start = out.len();
        out.push(WITH_ID);
        out.extend_from_slice(&self.id.0.to_be_bytes());
        let encoded = self.schema.encode(json, out);
        match encoded {
            Ok(Encoded::Payload) => {}
            Ok(Encoded::Null) | Err(_) => out.truncate(start),
        }
        encoded
    }
}

/// What records are to be written with, before anything is registered.
#[derive(Clone, Debug)]
pub struct PreparedSchema {
    /// Encodes the records. If the schema is not registered, its id is a placeholder: what it encodes tells whether the values fit,
    /// and must not be written.
    pub serializer: Arc<RecordSerializer>,
    /// Whether the schema is registered under the subject.
    pub is_registered: bool,
}

impl PreparedSchema {
    /// One that is registered.
    pub fn registered(serializer: Arc<RecordSerializer>) -> PreparedSchema {
        PreparedSchema { serializer, is_registered: true }
    }

    /// One that has no id yet.
    pub fn unregistered(kind: SchemaKind, schema: Schema) -> PreparedSchema {
        let serializer = Arc::new(RecordSerializer { id: SchemaId(0), version: None, kind, schema });
        PreparedSchema { serializer, is_registered: false }
    }
}

/// How a framed record names its schema.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SchemaIdentifier {
    /// By id, in the context of the reader.
    Id(SchemaId),
    /// By guid.
    Guid(Guid),
}

impl fmt::Display for SchemaIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaIdentifier::Id(id) => write!(f, "id {id}"),
            SchemaIdentifier::Guid(guid) => write!(f, "guid {guid}"),
        }
    }
}

/// The name of the record header that names the schema of one side, where the producer did not put it before the payload. Of several
/// headers of this name the last one counts. Its value is framed as payloads are; only the message indexes of Protobuf follow in it.
pub fn header_name(side: Side) -> &'static str {
    match side {
        Side::Key => "__key_schema_id",
        Side::Value => "__value_schema_id",
    }
}

/// Splits a framed key, value or header into the name of its schema and what follows. `None`: it is not framed.
pub fn unframe(bytes: &[u8]) -> Option<(SchemaIdentifier, &[u8])> {
    match bytes.split_first()? {
        (&WITH_ID, rest) => {
            let (id, payload) = rest.split_first_chunk::<4>()?;
            Some((SchemaIdentifier::Id(SchemaId(i32::from_be_bytes(*id))), payload))
        }
        (&WITH_GUID, rest) => {
            let (guid, payload) = rest.split_first_chunk::<16>()?;
            Some((SchemaIdentifier::Guid(Guid(*guid)), payload))
        }
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_in_both_forms() {
        assert_eq!(unframe(&[0, 0, 0, 1, 2, 9]), Some((SchemaIdentifier::Id(SchemaId(258)), &[9][..])));
        let mut with_guid = vec![1];
        with_guid.extend([7; 16]);
        assert_eq!(unframe(&with_guid), Some((SchemaIdentifier::Guid(Guid([7; 16])), &[][..])));
        for bad in [&[][..], &[0, 0, 0, 1], &[2, 0, 0, 0, 0, 0], &[1, 2, 3]] {
            assert_eq!(unframe(bad), None);
        }
    }
}
