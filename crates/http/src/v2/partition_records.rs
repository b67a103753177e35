//! `GET /topics/{topic}/partitions/{partition}/records` — read one partition, without a consumer instance.
//!
//! Confluent has no such operation. Names of parameters are those of Redpanda's proxy where it has them: `offset`, `max_bytes`, `timeout`.
//! `Accept` names the format of values, `key_format` another one of keys.

use hyper::StatusCode;
use jiff::Timestamp;
use postern_proxy::{Format, PartitionId, Proxy, ReadFormats, ReadStart, SchemaKind};

use super::consumers::key_format;
use super::consumers::records::{hung_up, limits, went_away};
use super::record_layout::{Include, JsonList};
use super::topics::{described, no_such_partition, topic_name};
use super::{AVRO, JSON_RECORDS, JSON_SCHEMA, PROTOBUF, problem};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) async fn read(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let topic = topic_name(&request.params)?;
    let partition = PartitionId(request.params.number("partition")?);
    let (start, limits, include) = (start(&request)?, limits(&request)?, Include::of(&request)?);
    let value = value_format(request.media_type);
    let formats = ReadFormats { key: key_format(request.query("key_format").as_deref(), value)?, value };
    let topic_now = described(&proxy, &topic).await?;
    if !topic_now.partitions.iter().any(|known| known.id == partition) {
        return Err(no_such_partition(&topic_now, partition));
    }
    let layout = JsonList { include };
    let text = tokio::select! {
        biased;
        () = hung_up(request.client()) => return Err(went_away()),
        text = proxy.read_partition(&topic, partition, start, limits, formats, &layout) => text,
    };
    let mut text = text.map_err(problem)?;
    JsonList::finish(&mut text);
    Ok(Reply::bytes(StatusCode::OK, text))
}

/// What is acceptable without more is binary, as for consumer instances.
fn value_format(media_type: &'static str) -> Format {
    match media_type {
        JSON_RECORDS => Format::Json,
        AVRO => Format::Schema(SchemaKind::Avro),
        JSON_SCHEMA => Format::Schema(SchemaKind::Json),
        PROTOBUF => Format::Schema(SchemaKind::Protobuf),
        _ => Format::Binary,
    }
}

/// Where to begin: one of three parameters, or the beginning.
fn start(request: &RequestContext) -> Result<ReadStart, Problem> {
    let (offset, timestamp, last) = (request.query("offset"), request.query("timestamp"), request.query("last"));
    let wrong = |name: &str, expected: &str, found: &str| {
        let found: String = found.chars().take(60).collect();
        Err(Problem::bad_request(format!("{name}: expected {expected}, found '{found}'.")))
    };
    match (offset, timestamp, last) {
        (None, None, None) => Ok(ReadStart::Beginning),
        (Some(offset), None, None) => match offset.trim().parse::<i64>() {
            Ok(number) if number >= 0 => Ok(ReadStart::Offset(number)),
            Ok(_) | Err(_) => wrong("offset", "a whole number from 0", &offset),
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

/// As records have it in answers, in milliseconds since 1970; or an instant.
fn milliseconds(time: &str) -> Option<i64> {
    let time = time.trim();
    let milliseconds = time.parse::<i64>().or_else(|_| time.parse::<Timestamp>().map(Timestamp::as_millisecond));
    milliseconds.ok().filter(|time| *time >= 0)
}
