//! DescribeTopicPartitions (75), version 0: topics with their partitions, in pages.
//!
//! Topics come in the order of their names; the response to a page that is full has a cursor for the next. An empty list
//! means all topics. Not done: eligible leader replicas (each partition has one replica).

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::metadata::ALL_TOPIC_OPERATIONS;
use super::{CallContext, Disconnect};
use crate::code;
use crate::node::{NODE_ID, Node};
use crate::topics::{self, Topic};

/// Kafka's `max.request.partition.size.limit`.
const MAX_PARTITIONS: i32 = 2000;

pub(super) async fn describe(
    node: &Arc<Node>,
    _: &CallContext<'_>,
    request: DescribeTopicPartitionsRequest,
) -> Result<DescribeTopicPartitionsResponse, Disconnect> {
    let requested: Vec<StrBytes> = request.topics.into_iter().map(|topic| topic.name.0).collect();
    let (first, first_index) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.0.clone(), cursor.partition_index),
        None => (StrBytes::new(), 0),
    };
    let wants_all = requested.is_empty();
    let is_elsewhere = request.cursor.is_some() && !wants_all && !requested.contains(&first);
    if is_elsewhere || first_index < 0 {
        let refused = requested.into_iter().map(|name| missing(name, ResponseError::InvalidRequest));
        return Ok(DescribeTopicPartitionsResponse::default().with_topics(refused.collect()).with_next_cursor(None));
    }
    let mut names: BTreeSet<StrBytes> = match wants_all {
        true => node.topics.all().iter().map(|topic| topic.name.clone()).collect(),
        false => requested.into_iter().collect(),
    };
    let names = names.split_off(&first);

    let mut response = DescribeTopicPartitionsResponse::default().with_next_cursor(None);
    let mut left = request.response_partition_limit.clamp(1, MAX_PARTITIONS) as usize;
    for name in names {
        let go_on_at = |index: usize| {
            Some(Cursor::default().with_topic_name(TopicName(name.clone())).with_partition_index(index as i32))
        };
        if left == 0 {
            response.next_cursor = go_on_at(0);
            break;
        }
        let Some(topic) = node.topics.find(&name) else {
            if !wants_all {
                let error = match topics::check_name(&name) {
                    Ok(()) => ResponseError::UnknownTopicOrPartition,
                    Err(_) => ResponseError::InvalidTopicException,
                };
                response.topics.push(described(missing(name, error)));
            }
            continue;
        };
        let start = if name == first { first_index as usize } else { 0 };
        let partitions: Vec<_> = partitions(&topic).skip(start).take(left).collect();
        let end = start + partitions.len();
        left -= partitions.len();
        response.topics.push(described(
            DescribeTopicPartitionsResponseTopic::default()
                .with_name(Some(TopicName(name.clone())))
                .with_topic_id(topic.id)
                .with_is_internal(topic.is_internal())
                .with_partitions(partitions),
        ));
        if end < topic.partitions().len() {
            response.next_cursor = go_on_at(end);
            break;
        }
    }
    Ok(response)
}

fn missing(name: StrBytes, error: ResponseError) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default().with_name(Some(TopicName(name))).with_error_code(code(error))
}

fn described(topic: DescribeTopicPartitionsResponseTopic) -> DescribeTopicPartitionsResponseTopic {
    topic.with_topic_authorized_operations(ALL_TOPIC_OPERATIONS)
}

fn partitions(topic: &Topic) -> impl Iterator<Item = DescribeTopicPartitionsResponsePartition> {
    let count = topic.partitions().len() as i32;
    (0..count).map(|index| {
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(NODE_ID)
            .with_leader_epoch(0)
            .with_replica_nodes(vec![NODE_ID])
            .with_isr_nodes(vec![NODE_ID])
            .with_eligible_leader_replicas(Some(vec![]))
            .with_last_known_elr(Some(vec![]))
    })
}
