//! Partitions that are being moved to other brokers. Source: KIP-455.

use std::collections::BTreeMap;

use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, ListPartitionReassignmentsRequest,
    alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic},
};

use super::{Admin, changed, checked, not_answered, parsed, topic_name};
use crate::{Error, NodeId, PartitionId, TopicName};

/// A partition that is being moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    /// Its topic.
    pub topic: TopicName,
    /// Its number.
    pub partition: PartitionId,
    /// Brokers that get it and have not caught up.
    pub adding: Vec<NodeId>,
    /// Brokers that lose it as soon as those have.
    pub removing: Vec<NodeId>,
}

/// Where a partition is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReassignmentChange {
    /// Its topic.
    pub topic: TopicName,
    /// Its number.
    pub partition: PartitionId,
    /// The brokers that are to keep it, the preferred leader first; `None`: it stays where it was before it was moved.
    pub replicas: Option<Vec<NodeId>>,
}

impl Admin {
    /// Begins, changes or cancels moves of partitions, and does not wait for their end; the result of each, in the order of `changes`.
    pub(crate) async fn alter_reassignments(
        &self,
        changes: &[ReassignmentChange],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let timeout_ms = self.broker_timeout_ms();
        let mut by_topic: BTreeMap<&TopicName, Vec<ReassignablePartition>> = BTreeMap::new();
        for ReassignmentChange { topic, partition, replicas } in changes {
            let replicas = replicas.as_ref().map(|nodes| nodes.iter().map(|node| BrokerId(node.0)).collect());
            let partition = ReassignablePartition::default().with_partition_index(partition.0).with_replicas(replicas);
            by_topic.entry(topic).or_default().push(partition);
        }
        let topics: Vec<_> = by_topic
            .into_iter()
            .map(|(topic, of)| ReassignableTopic::default().with_name(topic_name(topic)).with_partitions(of))
            .collect();
        let build = move |_| {
            AlterPartitionReassignmentsRequest::default().with_timeout_ms(timeout_ms).with_topics(topics.clone())
        };
        let response = self.change(build, |response| Some(response.error_code)).await?;
        changed(response.error_code, response.error_message.as_ref())?;
        let mut answers = BTreeMap::new();
        for topic in &response.responses {
            for partition in &topic.partitions {
                answers.insert((topic.name.to_string(), partition.partition_index), partition);
            }
        }
        let result = |change: &ReassignmentChange| {
            let answer = answers.get(&(change.topic.to_string(), change.partition.0)).ok_or_else(not_answered)?;
            changed(answer.error_code, answer.error_message.as_ref())
        };
        Ok(changes.iter().map(result).collect())
    }

    /// All that are being moved, by topic and number. The controller answers; with KRaft every broker asks it for us.
    pub(crate) async fn reassignments(&self) -> Result<Vec<Reassignment>, Error> {
        let timeout_ms = self.broker_timeout_ms();
        let build = move |_| ListPartitionReassignmentsRequest::default().with_timeout_ms(timeout_ms).with_topics(None);
        let answered = self.ask_controller(true, build, |response| Some(response.error_code)).await;
        let response = answered.map_err(|failed| failed.error)?;
        checked(response.error_code, response.error_message.as_ref())?;
        let nodes = |ids: &[BrokerId]| ids.iter().map(|id| NodeId(id.0)).collect();
        let mut all = Vec::new();
        for topic in &response.topics {
            let Some(name) = parsed(&topic.name) else { continue };
            all.extend(topic.partitions.iter().map(|partition| Reassignment {
                topic: name.clone(),
                partition: PartitionId(partition.partition_index),
                adding: nodes(&partition.adding_replicas),
                removing: nodes(&partition.removing_replicas),
            }));
        }
        all.sort_unstable_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(all)
    }
}
