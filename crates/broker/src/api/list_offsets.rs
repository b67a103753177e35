//! ListOffsets (2), versions 1 to 10, and OffsetForLeaderEpoch (23), versions 2 to 4.
//!
//! By timestamp, or by one of the special timestamps below. There is one leader epoch, 0, because there was never another
//! leader. Not done: tiered storage.

use std::collections::HashMap;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsTopic;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{
    ApiKey, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

use super::{CallContext, Disconnect};
use crate::blocking::MAX_INLINE_ELEMENTS;
use crate::code;
use crate::node::Node;
use postern_log::{FetchError, Partition};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

pub(super) async fn handle(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, Disconnect> {
    let mut faults = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        faults.push(context.injected_fault(node, ApiKey::ListOffsets, Some(&topic.name)).await?);
    }
    let mut timestamps = request.topics.iter().flat_map(|topic| &topic.partitions).map(|part| part.timestamp);
    let has_search = timestamps.any(|timestamp| timestamp >= 0 || timestamp == MAX_TIMESTAMP);
    let partitions: usize = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let is_heavy = has_search || partitions > MAX_INLINE_ELEMENTS;
    let version = context.version;
    let answers = async {
        let topics = request.topics.into_iter().zip(faults);
        topics.map(|(topic, fault)| list_topic(node, version, topic, fault)).collect::<Vec<_>>()
    };
    // A search reads from disk and may have to decompress batches.
    let topics = if is_heavy { node.heavy_work.run(answers).await } else { answers.await };
    Ok(ListOffsetsResponse::default().with_topics(topics))
}

/// The offsets of one topic; `fault` is an error code for all its partitions.
fn list_topic(node: &Node, version: i16, requested: ListOffsetsTopic, fault: Option<i16>) -> ListOffsetsTopicResponse {
    let topic = node.topics.find(&requested.name);
    let mut partitions = Vec::with_capacity(requested.partitions.len());
    let mut named: HashMap<i32, usize> = HashMap::new();
    requested.partitions.iter().for_each(|part| *named.entry(part.partition_index).or_default() += 1);
    for part in requested.partitions {
        // A partition that is named twice gets one result.
        let Some(times) = named.remove(&part.partition_index) else { continue };
        let response = ListOffsetsPartitionResponse::default()
            .with_partition_index(part.partition_index)
            .with_timestamp(-1)
            .with_offset(-1)
            .with_leader_epoch(-1);
        let partition = topic.as_ref().and_then(|topic| topic.partition(part.partition_index));
        partitions.push(match (fault, partition) {
            (Some(error), _) => response.with_error_code(error),
            (None, _) if times > 1 => response.with_error_code(code(ResponseError::InvalidRequest)),
            (None, None) => response.with_error_code(code(ResponseError::UnknownTopicOrPartition)),
            (None, Some(_)) if part.current_leader_epoch > 0 => {
                response.with_error_code(code(ResponseError::UnknownLeaderEpoch))
            }
            (None, Some(_)) if part.timestamp < min_special_timestamp(version) => {
                response.with_error_code(code(ResponseError::UnsupportedVersion))
            }
            (None, Some(partition)) => match find(&partition, part.timestamp) {
                Ok(Some((offset, timestamp))) => {
                    let leader_epoch = if version >= 4 { 0 } else { -1 };
                    response.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(leader_epoch)
                }
                Ok(None) => response,
                // Logged when it went offline.
                Err(FetchError::Offline) => response.with_error_code(code(ResponseError::KafkaStorageError)),
                Err(error) => {
                    let topic = requested.name.as_str();
                    tracing::error!(topic, partition = partition.index, %error, "records could not be read");
                    response.with_error_code(code(ResponseError::KafkaStorageError))
                }
            },
        });
    }
    ListOffsetsTopicResponse::default().with_name(requested.name).with_partitions(partitions)
}

/// The lowest special timestamp that this version defines.
fn min_special_timestamp(version: i16) -> i64 {
    match version {
        ..=6 => EARLIEST,
        7 => MAX_TIMESTAMP,
        8 => EARLIEST_LOCAL,
        9.. => LATEST_TIERED,
    }
}

/// Offset and timestamp; special timestamps have none (-1).
fn find(partition: &Partition, timestamp: i64) -> Result<Option<(i64, i64)>, FetchError> {
    let bounds = partition.offset_range();
    match timestamp {
        LATEST => Ok(Some((bounds.end, -1))),
        EARLIEST | EARLIEST_LOCAL => Ok(Some((bounds.start, -1))),
        MAX_TIMESTAMP => partition.find_max_time(),
        LATEST_TIERED => Ok(None),
        timestamp => partition.find_time(timestamp),
    }
}

pub(super) async fn for_leader_epoch(
    node: &Arc<Node>,
    _: &CallContext<'_>,
    request: OffsetForLeaderEpochRequest,
) -> Result<OffsetForLeaderEpochResponse, Disconnect> {
    let topics = request.topics.into_iter().map(|requested| {
        let topic = node.topics.find(&requested.topic);
        let partitions = requested.partitions.iter().map(|part| {
            let response =
                EpochEndOffset::default().with_partition(part.partition).with_leader_epoch(-1).with_end_offset(-1);
            match topic.as_ref().and_then(|topic| topic.partition(part.partition)) {
                None => response.with_error_code(code(ResponseError::UnknownTopicOrPartition)),
                Some(_) if part.current_leader_epoch > 0 => {
                    response.with_error_code(code(ResponseError::UnknownLeaderEpoch))
                }
                Some(partition) if part.leader_epoch == 0 => {
                    response.with_leader_epoch(0).with_end_offset(partition.offset_range().end)
                }
                Some(_) => response,
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(requested.topic).with_partitions(partitions)
    });
    Ok(OffsetForLeaderEpochResponse::default().with_topics(topics.collect()))
}
