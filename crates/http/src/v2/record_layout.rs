//! How records that are read stand in an answer (docs/reference/rest-v2.md §7.5), and what may be asked for besides.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use postern_proxy::{ReadRecord, RecordLayout};

use crate::problem::Problem;
use crate::reply::to_json;
use crate::request_context::RequestContext;

/// Members that are written only where they are asked for, with `?include=timestamp,headers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Include {
    timestamp: bool,
    headers: bool,
}

impl Include {
    pub(super) fn of(request: &RequestContext) -> Result<Include, Problem> {
        let mut include = Include::default();
        for list in request.queries("include") {
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                match name {
                    "timestamp" => include.timestamp = true,
                    "headers" => include.headers = true,
                    other => {
                        let message = format!("include: expected timestamp, headers or both, found '{other}'.");
                        return Err(Problem::bad_request(message));
                    }
                }
            }
        }
        Ok(include)
    }
}

/// A list of records.
pub(super) struct JsonList {
    pub(super) include: Include,
}

impl JsonList {
    /// Ends the list in `out`, which is empty without records.
    pub(super) fn finish(out: &mut Vec<u8>) {
        if out.is_empty() {
            out.push(b'[');
        }
        out.push(b']');
    }
}

impl RecordLayout for JsonList {
    fn before_key(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        out.push(if out.is_empty() { b'[' } else { b',' });
        // Names of topics need no escapes.
        out.extend_from_slice(b"{\"topic\":\"");
        out.extend_from_slice(record.topic.as_bytes());
        out.extend_from_slice(b"\",\"key\":");
    }

    fn before_value(&self, out: &mut Vec<u8>) {
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
            out.extend_from_slice(b",\"headers\":[");
            for (n, (name, value)) in record.headers.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(b"{\"name\":");
                out.extend_from_slice(&to_json(name));
                out.extend_from_slice(b",\"value\":");
                match value {
                    Some(value) => {
                        out.push(b'"');
                        out.extend_from_slice(BASE64_STANDARD.encode(value).as_bytes());
                        out.push(b'"');
                    }
                    None => out.extend_from_slice(b"null"),
                }
                out.push(b'}');
            }
            out.push(b']');
        }
        out.push(b'}');
    }
}
