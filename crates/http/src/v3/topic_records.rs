//! `GET …/topics/{topic}/records`, `…/partitions/{partition}/records` — read without a group.
//!
//! Confluent has no such operations. Key and value stand as in a request to produce, with their type or schema id, so that a record can be
//! sent again. The link `next` goes on behind the records of the answer.

use hyper::StatusCode;
use postern_proxy::{
    Format, PartitionId, Proxy, ReadFormats, ReadRecord, ReadSide, SchemaIdentifier, SchemaKind, TopicDescription,
};

use super::bodies::RecordList;
use super::links::{Links, segment};
use super::partitions::{find, no_such_partition};
use super::records::write_timestamp;
use super::{described, topic_name};
use crate::operation::{Operation, operation};
use crate::problem::{Dialect, Problem};
use crate::reading::{
    Framing, Include, QUERY, RecordObject, RecordStreams, TopicRead, formats, partitions, write_headers,
};
use crate::reply::{Reply, to_json};
use crate::request_context::RequestContext;
use crate::router::Answer;

/// Parameters of a read that say where it begins: the link to the next one has another.
const START: [&str; 3] = ["offset", "timestamp", "last"];

pub(super) const OF_TOPIC: Operation =
    operation("readRecordsOfTopic", "Reads records of a topic, without a group; as events or lines, goes on")
        .with_query(QUERY)
        .returns::<RecordList>();
pub(super) const OF_PARTITION: Operation =
    operation("readRecordsOfPartition", "Reads records of a partition, without a group; as events or lines, goes on")
        .with_query(QUERY)
        .returns::<RecordList>();

/// All partitions, or those of the parameter `partitions`.
pub(super) fn of_topic(streams: &RecordStreams) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static {
    let streams = streams.clone();
    move |proxy, request| {
        let streams = streams.clone();
        Box::pin(async move {
            let links = Links::of(&proxy, &request).await?;
            let topic = described(&proxy, &topic_name(&request.params)?).await?;
            let chosen = partitions(&request, &topic, missing)?;
            let is_whole = request.query("partitions").is_none();
            let url = links.url(format_args!("topics/{}/records", segment(&topic.name)));
            read(proxy, request, &streams, url, &chosen, is_whole).await
        })
    }
}

pub(super) fn of_partition(
    streams: &RecordStreams,
) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static {
    let streams = streams.clone();
    move |proxy, request| {
        let streams = streams.clone();
        Box::pin(async move {
            let id = PartitionId(request.params.number("partition")?);
            let links = Links::of(&proxy, &request).await?;
            let topic = described(&proxy, &topic_name(&request.params)?).await?;
            if find(&topic, id).is_none() {
                return Err(missing(&topic, id));
            }
            let url = links.url(format_args!("topics/{}/partitions/{id}/records", segment(&topic.name)));
            read(proxy, request, &streams, url, &[id], false).await
        })
    }
}

fn missing(topic: &TopicDescription, id: PartitionId) -> Problem {
    Problem::no_such_partition(no_such_partition(topic, id))
}

async fn read(
    proxy: Proxy,
    request: RequestContext,
    streams: &RecordStreams,
    url: String,
    partitions: &[PartitionId],
    is_whole: bool,
) -> Result<Reply, Problem> {
    let topic = &topic_name(&request.params)?;
    let formats = formats(&request)?;
    let object = TypedObject { formats, headers: Include::of(&request)?.headers };
    let read = TopicRead { topic, partitions, is_whole, formats };
    if Framing::of(request.media_type) != Framing::List {
        return read.stream(&proxy, &request, streams, object).await;
    }
    let (records, next) = read.list(&proxy, &request, object).await?;
    Ok(Reply::bytes(StatusCode::OK, list(&request, &url, &next.text(), &records)))
}

/// The resource around `records`, a list without its end.
fn list(request: &RequestContext, url: &str, next: &str, records: &[u8]) -> Vec<u8> {
    let query = request.head.uri.query().unwrap_or_default().split('&');
    let kept = query.filter(|pair| !pair.is_empty() && !START.contains(&pair.split('=').next().unwrap_or_default()));
    let query: Vec<&str> = kept.collect();
    let more = if query.is_empty() { String::new() } else { format!("&{}", query.join("&")) };
    let mut out = Vec::with_capacity(records.len() + 512);
    out.extend_from_slice(b"{\"kind\":\"KafkaRecordList\",\"metadata\":{\"self\":");
    out.extend_from_slice(&to_json(&url));
    out.extend_from_slice(b",\"next\":");
    out.extend_from_slice(&to_json(&format!("{url}?offset={next}{more}")));
    out.extend_from_slice(b"},\"data\":");
    out.extend_from_slice(if records.is_empty() { b"[" } else { records });
    out.extend_from_slice(b"]}");
    out
}

/// A record as API v3 has it, with the types or schema ids of key and value.
#[derive(Clone, Copy)]
struct TypedObject {
    formats: ReadFormats,
    headers: bool,
}

impl RecordObject for TypedObject {
    const DIALECT: Dialect = Dialect::V3;

    fn before_key(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        // Names of topics need no escapes.
        out.extend_from_slice(b"{\"topic_name\":\"");
        out.extend_from_slice(record.topic.as_bytes());
        out.extend_from_slice(b"\",\"partition_id\":");
        out.extend_from_slice(digits.format(record.partition).as_bytes());
        out.extend_from_slice(b",\"offset\":");
        out.extend_from_slice(digits.format(record.offset).as_bytes());
        if let Some(ms) = record.timestamp_ms {
            let mut text = String::new();
            write_timestamp(ms, &mut text);
            out.extend_from_slice(b",\"timestamp\":\"");
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        if self.headers {
            out.extend_from_slice(b",\"headers\":");
            write_headers(record, out);
        }
        out.extend_from_slice(b",\"key\":");
        begin_side(self.formats.key, record.key, out);
    }

    fn before_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        end_side(record.key, out);
        out.extend_from_slice(b",\"value\":");
        begin_side(self.formats.value, record.value, out);
    }

    fn after_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        end_side(record.value, out);
        out.push(b'}');
    }
}

/// What stands before the data of a key or value; nothing before Kafka's null. A request to produce has the type or the id, not both.
fn begin_side(format: Format, side: ReadSide, out: &mut Vec<u8>) {
    if side.is_null {
        return;
    }
    if let Some(SchemaIdentifier::Id(id)) = side.schema {
        out.extend_from_slice(format!("{{\"schema_id\":{id},\"data\":").as_bytes());
        return;
    }
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(match format {
        Format::Binary => b"BINARY",
        Format::Json => b"JSON",
        Format::Text => b"STRING",
        Format::Schema(SchemaKind::Avro) => b"AVRO",
        Format::Schema(SchemaKind::Json) => b"JSONSCHEMA",
        Format::Schema(SchemaKind::Protobuf) => b"PROTOBUF",
    });
    out.push(b'"');
    if let Some(SchemaIdentifier::Guid(guid)) = side.schema {
        out.extend_from_slice(format!(",\"schema_guid\":\"{guid}\"").as_bytes());
    }
    out.extend_from_slice(b",\"data\":");
}

fn end_side(side: ReadSide, out: &mut Vec<u8>) {
    if !side.is_null {
        out.push(b'}');
    }
}
