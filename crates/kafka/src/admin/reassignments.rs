//! Partitions that are being moved to other brokers. Source: KIP-455.

use kafka_protocol::messages::{BrokerId, ListPartitionReassignmentsRequest};

use super::{Admin, checked, parsed};
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

impl Admin {
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
