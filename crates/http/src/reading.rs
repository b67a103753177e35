//! Reading records, as far as API v2 and v3 have it in common: parameters, how records are framed, streams of them.
//!
//! Names of parameters are those of Redpanda's proxy where it has them: `offset`, `max_bytes`, `timeout`.

mod layout;
mod positions;
mod stream;
mod topic;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use postern_proxy::{Format, PartitionId, ReadFormats, ReadLimits, ReadRecord, ReadStart, TopicDescription};

use crate::client_connection::ClientConnection;
use crate::operation::{Query, number, text};
use crate::problem::Problem;
use crate::reply::to_json;
use crate::request_context::RequestContext;

pub(crate) use layout::{Framing, RecordObject, framed};
pub(crate) use positions::Positions;
pub(crate) use stream::{RecordStreams, Source, begin_stream};
pub(crate) use topic::TopicRead;

/// The parameters of reads without a consumer instance.
pub(crate) const QUERY: &[Query] = &[
    text("partitions", "Of a topic: which partitions, divided by commas; all without it"),
    text("offset", "Where to begin: an offset, earliest, latest, or one for each partition such as 0:17,1:4"),
    text("timestamp", "Or the time of the first record: ISO 8601, or milliseconds since 1970"),
    number("last", "Or how many records from the end"),
    number("timeout", "Milliseconds to wait for records"),
    number("max_bytes", "How much is read, in bytes"),
    text("include", "timestamp, headers, schema_id, divided by commas"),
    text("format", "The format of values, where the media type does not say it"),
    text("key_format", "The format of keys, where it is another than that of values"),
];

/// Partitions of one stream or list: the id of an event names the place in each.
const PARTITIONS_MAX: usize = 500;

/// Members that are written only where they are asked for, with `?include=timestamp,headers,schema_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Include {
    pub(crate) timestamp: bool,
    pub(crate) headers: bool,
    pub(crate) schema_id: bool,
}

impl Include {
    pub(crate) fn of(request: &RequestContext) -> Result<Include, Problem> {
        let mut include = Include::default();
        for list in request.queries("include") {
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                match name {
                    "timestamp" => include.timestamp = true,
                    "headers" => include.headers = true,
                    "schema_id" => include.schema_id = true,
                    other => {
                        let message = format!(
                            "include: expected timestamp, headers, schema_id or several with commas between, found '{}'.",
                            shown(other)
                        );
                        return Err(Problem::bad_request(message));
                    }
                }
            }
        }
        Ok(include)
    }
}

/// The parameters `timeout`, in milliseconds, and `max_bytes`.
pub(crate) fn limits(request: &RequestContext) -> Result<ReadLimits, Problem> {
    Ok(ReadLimits {
        wait: positive(request, "timeout")?.map(Duration::from_millis),
        max_bytes: positive(request, "max_bytes")?.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        stream: None,
        share: None,
    })
}

/// A number of the query, where it is more than 0; anything else counts as not given (docs/reference/rest-v2.md §7.5).
fn positive(request: &RequestContext, name: &'static str) -> Result<Option<u64>, Problem> {
    let Some(text) = request.query(name) else { return Ok(None) };
    match text.trim().parse::<i64>() {
        Ok(number) => Ok(u64::try_from(number).ok().filter(|number| *number > 0)),
        Err(_) => Err(Problem::missing(format!(
            "HTTP 404 Not Found: {name} in the query must be a whole number, found '{}'.",
            shown(&text)
        ))),
    }
}

/// Where to begin: one of three parameters, or `otherwise`.
pub(crate) fn start(request: &RequestContext, otherwise: ReadStart) -> Result<ReadStart, Problem> {
    let (offset, timestamp, last) = (request.query("offset"), request.query("timestamp"), request.query("last"));
    let wrong = |name: &str, expected: &str, found: &str| {
        Err(Problem::bad_request(format!("{name}: expected {expected}, found '{}'.", shown(found))))
    };
    match (offset, timestamp, last) {
        (None, None, None) => Ok(otherwise),
        (Some(offset), None, None) => match start_of(offset.trim()) {
            Some(start) => Ok(start),
            None => wrong(
                "offset",
                "a whole number from 0, earliest, latest, or a number for each partition, each of them once, such as 0:17,1:4",
                &offset,
            ),
        },
        (None, Some(time), None) => match milliseconds(&time) {
            Some(time) => Ok(ReadStart::Timestamp(time)),
            None => wrong("timestamp", "a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970", &time),
        },
        (None, None, Some(last)) => match last.trim().parse::<u64>() {
            Ok(number) if number > 0 => Ok(ReadStart::Last(number)),
            Ok(_) | Err(_) => wrong("last", "a whole number from 1", &last),
        },
        _ => Err(Problem::bad_request("offset, timestamp and last exclude each other: give one of them.")),
    }
}

fn start_of(offset: &str) -> Option<ReadStart> {
    match offset {
        "earliest" => Some(ReadStart::Beginning),
        "latest" => Some(ReadStart::End),
        places if places.contains(':') => {
            let places = Positions::parse(places)?.of_topic()?;
            Some(ReadStart::Offsets(places.into_iter().map(|(at, offset)| (PartitionId(at), offset)).collect()))
        }
        number => number.parse().ok().filter(|number| *number >= 0).map(ReadStart::Offset),
    }
}

/// As records have it in answers, in milliseconds since 1970; or an instant.
fn milliseconds(time: &str) -> Option<i64> {
    let time = time.trim();
    let milliseconds = time.parse::<i64>().or_else(|_| time.parse::<Timestamp>().map(Timestamp::as_millisecond));
    milliseconds.ok().filter(|time| *time >= 0)
}

/// What the client of a stream has read before it was connected anew: the id of its last event.
pub(crate) fn last_event_id(request: &RequestContext) -> Result<Option<Positions>, Problem> {
    let Some(id) = request.head.headers.get("last-event-id") else { return Ok(None) };
    let id = id.to_str().unwrap_or("?").trim();
    if id.is_empty() {
        return Ok(None);
    }
    Positions::parse(id).map(Some).ok_or_else(|| wrong_event_id(id))
}

/// The id is not one of this stream.
pub(crate) fn wrong_event_id(id: &str) -> Problem {
    let found = shown(id);
    Problem::bad_request(format!("Last-Event-ID: expected the id of an event of this stream, found '{found}'."))
}

/// The formats that are named by parameters: `format` of values, `key_format` of keys.
pub(crate) fn formats(request: &RequestContext) -> Result<ReadFormats, Problem> {
    let value = match request.query("format") {
        None => Format::Binary,
        Some(name) => Format::named(&name).ok_or_else(|| wrong_format("format", &name))?,
    };
    Ok(ReadFormats { key: key_format(request.query("key_format").as_deref(), value)?, value })
}

/// The format of keys, which is that of the values where it has no name.
pub(crate) fn key_format(name: Option<&str>, value: Format) -> Result<Format, Problem> {
    let Some(name) = name else { return Ok(value) };
    Format::named(name).ok_or_else(|| wrong_format("key_format", name))
}

fn wrong_format(member: &str, found: &str) -> Problem {
    Problem::unprocessable(format!(
        "Invalid format type: {member}: expected string, binary, json, avro, jsonschema or protobuf, found '{}'.",
        shown(found)
    ))
}

/// The partitions of a topic that are to be read: those of the parameter `partitions`, or all. `missing` says that there is no such one.
pub(crate) fn partitions(
    request: &RequestContext,
    topic: &TopicDescription,
    missing: fn(&TopicDescription, PartitionId) -> Problem,
) -> Result<Vec<PartitionId>, Problem> {
    let all: Vec<PartitionId> = topic.partitions.iter().map(|partition| partition.id).collect();
    let chosen = match request.query("partitions") {
        None => all,
        Some(list) => {
            let mut chosen = Vec::new();
            for text in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
                let id = text.parse().map(PartitionId).map_err(|_| {
                    let found = shown(text);
                    Problem::bad_request(format!("partitions: expected numbers with commas between, found '{found}'."))
                })?;
                match all.contains(&id) {
                    true => chosen.push(id),
                    false => return Err(missing(topic, id)),
                }
            }
            chosen.sort_unstable();
            chosen.dedup();
            chosen
        }
    };
    if chosen.is_empty() || chosen.len() > PARTITIONS_MAX {
        return Err(Problem::bad_request(format!(
            "partitions: expected 1 to {PARTITIONS_MAX} partitions of topic {}, found {}.",
            topic.name,
            chosen.len()
        )));
    }
    Ok(chosen)
}

/// Waits until the client has gone.
pub(crate) async fn hung_up(client: Option<ClientConnection>) {
    match client {
        Some(client) => client.closed().await,
        None => std::future::pending().await,
    }
}

/// What no client will see.
pub(crate) fn went_away() -> Problem {
    Problem::bad_request("The client has closed its side of the connection: nothing was read for it.")
}

/// Appends the headers of a record as a list of objects.
pub(crate) fn write_headers(record: &ReadRecord<'_>, out: &mut Vec<u8>) {
    out.push(b'[');
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

/// The beginning of a text, for messages.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The offsets at which a reader begins.
pub(crate) fn positions_of(starts: &BTreeMap<PartitionId, i64>) -> Positions {
    Positions::at(starts.iter().map(|(partition, offset)| (partition.0, *offset)))
}
