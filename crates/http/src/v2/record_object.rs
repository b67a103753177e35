//! How a record that is read stands in an answer (docs/reference/rest-v2.md §7.5), and what may be asked for besides.

use postern_proxy::{ReadRecord, ReadSide, SchemaIdentifier};

use crate::problem::Dialect;
use crate::reading::{Include, RecordObject, write_headers};

/// A record as API v2 has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonObject {
    pub(super) include: Include,
}

/// Ends the list in `out`, which is empty without records.
pub(super) fn finish(out: &mut Vec<u8>) {
    // A byte more would double what an answer reserves, which has no memory to spare.
    out.reserve_exact(2);
    if out.is_empty() {
        out.push(b'[');
    }
    out.push(b']');
}

impl RecordObject for JsonObject {
    const DIALECT: Dialect = Dialect::V2;

    fn before_key(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        // Names of topics need no escapes.
        out.extend_from_slice(b"{\"topic\":\"");
        out.extend_from_slice(record.topic.as_bytes());
        out.extend_from_slice(b"\",\"key\":");
    }

    fn before_value(&self, _: &ReadRecord<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"value\":");
    }

    fn after_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(b",\"partition\":");
        out.extend_from_slice(digits.format(record.partition).as_bytes());
        out.extend_from_slice(b",\"offset\":");
        out.extend_from_slice(digits.format(record.offset).as_bytes());
        if self.include.timestamp {
            out.extend_from_slice(b",\"timestamp\":");
            match record.timestamp_ms {
                Some(timestamp) => out.extend_from_slice(digits.format(timestamp).as_bytes()),
                None => out.extend_from_slice(b"null"),
            }
        }
        if self.include.headers {
            out.extend_from_slice(b",\"headers\":");
            write_headers(record, out);
        }
        if self.include.schema_id {
            write_schema("key", record.key, out);
            write_schema("value", record.value, out);
        }
        out.push(b'}');
    }
}

/// `key_schema_id`, or `key_schema_guid` where the record names its schema so; null where it names none.
fn write_schema(side: &str, ReadSide { schema, .. }: ReadSide, out: &mut Vec<u8>) {
    let text = match schema {
        None => format!(",\"{side}_schema_id\":null"),
        Some(SchemaIdentifier::Id(id)) => format!(",\"{side}_schema_id\":{id}"),
        Some(SchemaIdentifier::Guid(guid)) => format!(",\"{side}_schema_guid\":\"{guid}\""),
    };
    out.extend_from_slice(text.as_bytes());
}
