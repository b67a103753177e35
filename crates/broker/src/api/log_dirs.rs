//! DescribeLogDirs (35), versions 1 to 4: the size of partitions on disk; ListPartitionReassignments (46), version 0: an
//! empty list.
//!
//! There is one directory. Partitions that do not exist are left out, as Apache Kafka does. Not done: the size of the disk
//! (-1: unknown).

use std::sync::Arc;

use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{CallContext, Disconnect};
use crate::node::Node;

pub(super) async fn describe(
    node: &Arc<Node>,
    _: &CallContext<'_>,
    request: DescribeLogDirsRequest,
) -> Result<DescribeLogDirsResponse, Disconnect> {
    let requested = match request.topics {
        Some(topics) => topics
            .into_iter()
            .filter_map(|topic| Some((node.topics.find(&topic.topic)?, Some(topic.partitions))))
            .collect::<Vec<_>>(),
        None => node.topics.all().into_iter().map(|topic| (topic, None)).collect(),
    };
    let topics = requested.into_iter().map(|(topic, wanted)| {
        let partitions = topic.partitions();
        let partitions = partitions
            .iter()
            .filter(|partition| wanted.as_ref().is_none_or(|wanted| wanted.contains(&partition.index)))
            .map(|partition| {
                DescribeLogDirsPartition::default()
                    .with_partition_index(partition.index)
                    .with_partition_size(partition.bytes() as i64)
            });
        DescribeLogDirsTopic::default().with_name(TopicName(topic.name.clone())).with_partitions(partitions.collect())
    });
    let result = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_string(node.log_dir.clone()))
        .with_topics(topics.collect())
        .with_total_bytes(-1)
        .with_usable_bytes(-1);
    Ok(DescribeLogDirsResponse::default().with_results(vec![result]))
}

pub(super) async fn list_reassignments(
    _: &Arc<Node>,
    _: &CallContext<'_>,
    _: ListPartitionReassignmentsRequest,
) -> Result<ListPartitionReassignmentsResponse, Disconnect> {
    Ok(ListPartitionReassignmentsResponse::default().with_error_message(None))
}
