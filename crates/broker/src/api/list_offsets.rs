//! ListOffsets (2), versions 1 to 10, and OffsetForLeaderEpoch (23), versions 2 to 4.
//!
//! A time, or one of the marks below. There is one leader epoch, 0, for there was never another leader. Not done: tiers.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{
    ApiKey, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

use super::{Call, Cut};
use crate::code;
use crate::node::Node;
use postern_log::Partition;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LARGEST_TIME: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

pub(super) async fn answer(
    node: &Arc<Node>,
    call: &Call<'_>,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, Cut> {
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let fault = call.fault(node, ApiKey::ListOffsets, Some(&asked.name)).await?;
        let topic = node.topics.find(&asked.name);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        let mut named: HashMap<i32, usize> = HashMap::new();
        asked.partitions.iter().for_each(|part| *named.entry(part.partition_index).or_default() += 1);
        for part in asked.partitions {
            // What is named twice is answered once.
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
                (None, Some(_)) if part.timestamp < oldest_mark(call.version) => {
                    response.with_error_code(code(ResponseError::UnsupportedVersion))
                }
                (None, Some(partition)) => match find(&partition, part.timestamp) {
                    Ok(Some((offset, timestamp))) => {
                        let leader_epoch = if call.version >= 4 { 0 } else { -1 };
                        response.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(leader_epoch)
                    }
                    Ok(None) => response,
                    Err(error) => {
                        tracing::error!(topic = asked.name.as_str(), partition = partition.index, %error, "records could not be read");
                        response.with_error_code(code(ResponseError::KafkaStorageError))
                    }
                },
            });
        }
        topics.push(ListOffsetsTopicResponse::default().with_name(asked.name).with_partitions(partitions));
    }
    Ok(ListOffsetsResponse::default().with_topics(topics))
}

/// The lowest of the marks that clients of this version know.
fn oldest_mark(version: i16) -> i64 {
    match version {
        ..=6 => EARLIEST,
        7 => LARGEST_TIME,
        8 => EARLIEST_LOCAL,
        9.. => LATEST_TIERED,
    }
}

/// Offset and time; the marks have no time.
fn find(partition: &Partition, timestamp: i64) -> io::Result<Option<(i64, i64)>> {
    let bounds = partition.bounds();
    match timestamp {
        LATEST => Ok(Some((bounds.end, -1))),
        EARLIEST | EARLIEST_LOCAL => Ok(Some((bounds.start, -1))),
        LARGEST_TIME => partition.find_max_time(),
        LATEST_TIERED => Ok(None),
        timestamp => partition.find_time(timestamp),
    }
}

pub(super) async fn for_leader_epoch(
    node: &Arc<Node>,
    _: &Call<'_>,
    request: OffsetForLeaderEpochRequest,
) -> Result<OffsetForLeaderEpochResponse, Cut> {
    let topics = request.topics.into_iter().map(|asked| {
        let topic = node.topics.find(&asked.topic);
        let partitions = asked.partitions.iter().map(|part| {
            let response =
                EpochEndOffset::default().with_partition(part.partition).with_leader_epoch(-1).with_end_offset(-1);
            match topic.as_ref().and_then(|topic| topic.partition(part.partition)) {
                None => response.with_error_code(code(ResponseError::UnknownTopicOrPartition)),
                Some(_) if part.current_leader_epoch > 0 => {
                    response.with_error_code(code(ResponseError::UnknownLeaderEpoch))
                }
                Some(partition) if part.leader_epoch == 0 => {
                    response.with_leader_epoch(0).with_end_offset(partition.bounds().end)
                }
                Some(_) => response,
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(asked.topic).with_partitions(partitions)
    });
    Ok(OffsetForLeaderEpochResponse::default().with_topics(topics.collect()))
}
