//! What became of a record, as JSON (docs/reference/rest-v3.md §11.5, §11.6).

use postern_proxy::{AppendError, Format, Receipt, SchemaKind, WrittenData, WrittenRecord};

use super::timestamp;
use crate::problem::failed_record;
use crate::reply::to_json;

/// What is the same in all receipts of a request: the cluster and the topic as the path names them.
pub(super) struct Receipts {
    /// `"cluster_id":"…","topic_name":"…"`
    place: String,
}

/// A record that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: u32,
    pub(super) message: String,
    /// Every record of the topic would fail in the same way now.
    pub(super) is_for_topic: bool,
}

impl Failure {
    pub(super) fn new(code: u32, message: &str) -> Failure {
        Failure { code, message: message.to_owned(), is_for_topic: false }
    }
}

impl From<(u32, String)> for Failure {
    fn from((code, message): (u32, String)) -> Failure {
        Failure { code, message, is_for_topic: false }
    }
}

impl Receipts {
    pub(super) fn new(cluster: &str, topic: &str) -> Receipts {
        let text = |text: &str| String::from_utf8(to_json(&text)).expect("JSON is UTF-8");
        Receipts { place: format!("\"cluster_id\":{},\"topic_name\":{}", text(cluster), text(topic)) }
    }

    /// Appends the members of a receipt, the part after `error_code` or `id`.
    pub(super) fn write(&self, record: &WrittenRecord, receipt: &Receipt, out: &mut String) {
        let mut digits = itoa::Buffer::new();
        out.push_str(&self.place);
        out.push_str(",\"partition_id\":");
        out.push_str(digits.format(receipt.partition.0));
        out.push_str(",\"offset\":");
        out.push_str(digits.format(receipt.offset.0));
        if let Some(ms) = receipt.timestamp_ms {
            out.push_str(",\"timestamp\":\"");
            timestamp::write(ms, out);
            out.push('"');
        }
        for (name, data) in [("key", &record.key), ("value", &record.value)] {
            if let Some(data) = data {
                out.push_str(",\"");
                out.push_str(name);
                out.push_str("\":");
                write_data(data, out);
            }
        }
    }
}

fn write_data(data: &WrittenData, out: &mut String) {
    let mut digits = itoa::Buffer::new();
    out.push_str("{\"type\":\"");
    out.push_str(match data.format {
        Format::Binary => "BINARY",
        Format::Json => "JSON",
        Format::Text => "STRING",
        Format::Schema(SchemaKind::Avro) => "AVRO",
        Format::Schema(SchemaKind::Json) => "JSONSCHEMA",
        Format::Schema(SchemaKind::Protobuf) => "PROTOBUF",
    });
    out.push('"');
    if let Some(schema) = &data.schema {
        out.push_str(",\"subject\":");
        out.push_str(std::str::from_utf8(&to_json(&schema.subject.as_str())).expect("JSON is UTF-8"));
        out.push_str(",\"schema_id\":");
        out.push_str(digits.format(schema.id.0));
        if let Some(version) = schema.version {
            out.push_str(",\"schema_version\":");
            out.push_str(digits.format(version));
        }
    }
    out.push_str(",\"size\":");
    match data.size {
        Some(size) => out.push_str(digits.format(size)),
        None => out.push_str("-1"),
    }
    out.push('}');
}

/// Appends the members of an error.
pub(super) fn write_failure(failure: &Failure, out: &mut String) {
    out.push_str("\"error_code\":");
    out.push_str(itoa::Buffer::new().format(failure.code));
    out.push_str(",\"message\":");
    out.push_str(std::str::from_utf8(&to_json(&failure.message)).expect("JSON is UTF-8"));
}

/// The same of a record that the cluster refused.
pub(super) fn failure_of(failed: &AppendError) -> Failure {
    failed_record(failed).into()
}
