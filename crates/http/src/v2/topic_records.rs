//! `GET /topics/{topic}/records`, `…/partitions/{partition}/records` — read a topic, or one partition, without a consumer instance.
//!
//! Confluent has no such operations. What there is comes as a list, in the format that `Accept` names; as server-sent events or lines it goes
//! on, in the format of the parameter `format`, since an `EventSource` chooses its own `Accept`. `key_format` names another one of keys.

use hyper::StatusCode;
use postern_proxy::{Format, PartitionId, Proxy, ReadFormats, SchemaKind};

use super::bodies::Record;
use super::record_object::{JsonObject, finish};
use super::topics::{described, no_such_partition, topic_name};
use super::{AVRO, JSON_RECORDS, JSON_SCHEMA, PROTOBUF};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reading::{Framing, Include, QUERY, RecordStreams, TopicRead, key_format, partitions};
use crate::reply::Reply;
use crate::request_context::RequestContext;
use crate::router::Answer;

pub(super) const OF_TOPIC: Operation =
    operation("readTopic", "Reads records of a topic, without a consumer instance; as events or lines, goes on")
        .with_query(QUERY)
        .returns::<Vec<Record>>();
pub(super) const OF_PARTITION: Operation = operation(
    "readPartition",
    "Reads records of a partition, without a consumer instance; as events or lines, goes on",
)
.with_query(QUERY)
.returns::<Vec<Record>>();

/// All partitions, or those of the parameter `partitions`.
pub(super) fn of_topic(streams: &RecordStreams) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static {
    let streams = streams.clone();
    move |proxy, request| {
        let streams = streams.clone();
        Box::pin(async move {
            let topic = described(&proxy, &topic_name(&request.params)?).await?;
            let chosen = partitions(&request, &topic, no_such_partition)?;
            let is_whole = request.query("partitions").is_none();
            read(proxy, request, &streams, &chosen, is_whole).await
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
            let name = topic_name(&request.params)?;
            let partition = PartitionId(request.params.number("partition")?);
            let topic = described(&proxy, &name).await?;
            if !topic.partitions.iter().any(|known| known.id == partition) {
                return Err(no_such_partition(&topic, partition));
            }
            read(proxy, request, &streams, &[partition], false).await
        })
    }
}

async fn read(
    proxy: Proxy,
    request: RequestContext,
    streams: &RecordStreams,
    partitions: &[PartitionId],
    is_whole: bool,
) -> Result<Reply, Problem> {
    let topic = &topic_name(&request.params)?;
    let object = JsonObject { include: Include::of(&request)? };
    if Framing::of(request.media_type) == Framing::List {
        let read = TopicRead { topic, partitions, is_whole, formats: formats(&request)? };
        let (mut text, _) = read.list(&proxy, &request, object).await?;
        finish(&mut text);
        return Ok(Reply::bytes(StatusCode::OK, text));
    }
    let read = TopicRead { topic, partitions, is_whole, formats: crate::reading::formats(&request)? };
    read.stream(&proxy, &request, streams, object).await
}

/// What is acceptable without more is binary, as for consumer instances.
fn formats(request: &RequestContext) -> Result<ReadFormats, Problem> {
    if let Some(format) = request.query("format") {
        let found = crate::reading::shown(&format);
        return Err(Problem::bad_request(format!(
            "format: Accept names the format of a list, such as application/vnd.kafka.json.v2+json; found format '{found}'."
        )));
    }
    let value = match request.media_type {
        JSON_RECORDS => Format::Json,
        AVRO => Format::Schema(SchemaKind::Avro),
        JSON_SCHEMA => Format::Schema(SchemaKind::Json),
        PROTOBUF => Format::Schema(SchemaKind::Protobuf),
        _ => Format::Binary,
    };
    let key = key_format(request.query("key_format").as_deref(), value)?;
    Ok(ReadFormats { key, value })
}
