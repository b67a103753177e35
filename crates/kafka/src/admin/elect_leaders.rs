//! Leaders of partitions elected on demand. Source: KIP-183, KIP-460.

use std::collections::BTreeMap;

use kafka_protocol::messages::{ElectLeadersRequest, elect_leaders_request::TopicPartitions};

use super::{Admin, changed, not_answered, topic_name};
use crate::{Error, PartitionId, TopicName, error::ErrorCode};

/// Who is to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Election {
    /// The first of the replicas.
    Preferred,
    /// Any replica, where none that has caught up is left: records may be lost.
    Unclean,
}

impl Admin {
    /// Elects leaders of `partitions`; the result of each, in their order. One that has its leader already is a success.
    pub(crate) async fn elect_leaders(
        &self,
        election: Election,
        partitions: &[(TopicName, PartitionId)],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let timeout_ms = self.broker_timeout_ms();
        let mut by_topic: BTreeMap<&TopicName, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in partitions {
            by_topic.entry(topic).or_default().push(partition.0);
        }
        let topics: Vec<_> = by_topic
            .into_iter()
            .map(|(topic, ids)| TopicPartitions::default().with_topic(topic_name(topic)).with_partitions(ids))
            .collect();
        let build = move |_| {
            ElectLeadersRequest::default()
                .with_election_type(match election {
                    Election::Preferred => 0,
                    Election::Unclean => 1,
                })
                .with_topic_partitions(Some(topics.clone()))
                .with_timeout_ms(timeout_ms)
        };
        let response = self.change(build, |response| Some(response.error_code)).await?;
        changed(response.error_code, None)?;
        let mut answers = BTreeMap::new();
        for topic in &response.replica_election_results {
            for partition in &topic.partition_result {
                answers.insert((topic.topic.to_string(), partition.partition_id), partition);
            }
        }
        let result = |(topic, partition): &(TopicName, PartitionId)| {
            let answer = answers.get(&(topic.to_string(), partition.0)).ok_or_else(not_answered)?;
            match ErrorCode(answer.error_code) {
                ErrorCode::ELECTION_NOT_NEEDED => Ok(()),
                ErrorCode(code) => changed(code, answer.error_message.as_ref()),
            }
        };
        Ok(partitions.iter().map(result).collect())
    }
}
