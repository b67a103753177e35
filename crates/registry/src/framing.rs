//! What stands before a payload: a magic byte and the schema's id, or its guid.
//!
//! Source: docs/reference/serialization.md §1.1.

use postern_schema::{EncodeError, Encoded, Schema, SchemaKind};

use crate::{Guid, SchemaId, Side};

const WITH_ID: u8 = 0;
const WITH_GUID: u8 = 1;

/// What a record is written with.
#[derive(Debug)]
pub struct Writer {
    /// Stands before every payload.
    pub id: SchemaId,
    /// How values are spelt in JSON.
    pub kind: SchemaKind,
    /// Makes payloads of values.
    pub schema: Schema,
}

impl Writer {
    /// Encodes the JSON text of one value and appends magic byte, id and payload to `out`. For `Encoded::Null`, and on
    /// errors, `out` is as before.
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

/// What a framed record says about its schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// By id, in the context of the reader.
    Id(SchemaId),
    /// By guid.
    Guid(Guid),
}

/// The header that may name the schema of a side instead of a prefix. The last of that name counts.
pub fn header_name(side: Side) -> &'static str {
    match side {
        Side::Key => "__key_schema_id",
        Side::Value => "__value_schema_id",
    }
}

/// Splits a framed key, value or header into the name of its schema and what follows. `None`: it is not framed.
pub fn unframe(bytes: &[u8]) -> Option<(Named, &[u8])> {
    match bytes.split_first()? {
        (&WITH_ID, rest) => {
            let (id, payload) = rest.split_first_chunk::<4>()?;
            Some((Named::Id(SchemaId(i32::from_be_bytes(*id))), payload))
        }
        (&WITH_GUID, rest) => {
            let (guid, payload) = rest.split_first_chunk::<16>()?;
            Some((Named::Guid(Guid(*guid)), payload))
        }
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_in_both_forms() {
        assert_eq!(unframe(&[0, 0, 0, 1, 2, 9]), Some((Named::Id(SchemaId(258)), &[9][..])));
        let mut with_guid = vec![1];
        with_guid.extend([7; 16]);
        assert_eq!(unframe(&with_guid), Some((Named::Guid(Guid([7; 16])), &[][..])));
        for bad in [&[][..], &[0, 0, 0, 1], &[2, 0, 0, 0, 0, 0], &[1, 2, 3]] {
            assert_eq!(unframe(bad), None);
        }
    }
}
