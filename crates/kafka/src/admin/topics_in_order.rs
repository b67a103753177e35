//! Topics in the order of their names, some at a time, so that a page of a long list costs no more than the page. Source: KIP-966.
//!
//! Only brokers that run with KRaft, from Kafka 3.8 on, know this call. Others tell all topics at once.

use kafka_protocol::messages::{
    DescribeTopicPartitionsRequest,
    describe_topic_partitions_request::Cursor,
    describe_topic_partitions_response::{
        DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
    },
};

use super::{
    Admin, PartitionDescription, TopicDescription, not_answered, text,
    topics::{leader, nodes, operation_names},
};
use crate::{Error, PartitionId, error::ErrorCode, network::Destination};

/// Some topics in the order of their names, with all their partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SomeTopics {
    /// The topics, internal ones included.
    pub topics: Vec<TopicDescription>,
    /// The name from which there are others; `None`: these were the last.
    pub next: Option<String>,
}

impl Admin {
    /// The first topics whose names are not less than `from`, as many as have `max_partitions` together, one at least; all of them where
    /// the broker knows no parts.
    pub(crate) async fn topics_from(
        &self,
        from: &str,
        max_partitions: i32,
        authorized_operations: bool,
    ) -> Result<SomeTopics, Error> {
        match self.some_topics(from, max_partitions, authorized_operations).await {
            Err(error) if error.name == "UNSUPPORTED_VERSION" => {
                let mut topics = self.topics(authorized_operations).await?;
                topics.retain(|topic| topic.name.as_str() >= from);
                topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
                Ok(SomeTopics { topics, next: None })
            }
            answer => answer,
        }
    }

    async fn some_topics(
        &self,
        from: &str,
        max_partitions: i32,
        authorized_operations: bool,
    ) -> Result<SomeTopics, Error> {
        let deadline = self.deadline();
        let (mut topics, mut at): (Vec<TopicDescription>, _) = (Vec::new(), (from.to_owned(), 0));
        loop {
            let topic_name = kafka_protocol::messages::TopicName(text(&at.0));
            let cursor = Cursor::default().with_topic_name(topic_name).with_partition_index(at.1);
            let build = move |_| {
                DescribeTopicPartitionsRequest::default()
                    .with_response_partition_limit(max_partitions)
                    .with_cursor(Some(cursor.clone()))
            };
            let response = self.read(Destination::Any, deadline, build).await?;
            for topic in &response.topics {
                match (topic_description(topic, authorized_operations), topics.last_mut()) {
                    // The rest of one that was too long for an answer.
                    (Ok(rest), Some(last)) if last.name == rest.name => last.partitions.extend(rest.partitions),
                    (Ok(topic), _) => topics.push(topic),
                    // It is being deleted.
                    (Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), _) => {}
                    (Err(code), _) => return Err(code.error(None)),
                }
            }
            let Some(next) = response.next_cursor else { return Ok(SomeTopics { topics, next: None }) };
            let next = (next.topic_name.to_string(), next.partition_index);
            if next <= at {
                return Err(not_answered()); // it would go on for ever
            }
            at = next;
            let has_rest = at.1 > 0 && topics.last().is_some_and(|last| last.name == at.0);
            if has_rest && topics.len() > 1 {
                topics.pop(); // it comes whole with the next
            } else if has_rest || topics.is_empty() {
                continue;
            }
            return Ok(SomeTopics { topics, next: Some(at.0) });
        }
    }
}

fn topic_description(
    topic: &DescribeTopicPartitionsResponseTopic,
    authorized_operations: bool,
) -> Result<TopicDescription, ErrorCode> {
    match ErrorCode(topic.error_code) {
        ErrorCode::NONE => {}
        code => return Err(code),
    }
    let mut partitions: Vec<_> = topic.partitions.iter().map(partition_description).collect();
    partitions.sort_unstable_by_key(|partition| partition.id);
    let operations = if authorized_operations { topic.topic_authorized_operations } else { 0 };
    Ok(TopicDescription {
        name: topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default(),
        is_internal: topic.is_internal,
        partitions,
        authorized_operations: operation_names(operations),
    })
}

fn partition_description(partition: &DescribeTopicPartitionsResponsePartition) -> PartitionDescription {
    PartitionDescription {
        id: PartitionId(partition.partition_index),
        leader: leader(partition.leader_id),
        replicas: nodes(&partition.replica_nodes),
        in_sync: nodes(&partition.isr_nodes),
    }
}
