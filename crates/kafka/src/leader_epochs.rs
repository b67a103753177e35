//! Asks leaders where epochs end in their logs (OffsetForLeaderEpoch, 23). Needed for brokers whose Fetch does not say it: those
//! before Kafka 2.7. Source: KIP-101, KIP-320.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::{
    messages::{
        BrokerId, OffsetForLeaderEpochRequest,
        offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    },
    protocol::StrBytes,
};
use tokio::time::Instant;

use crate::{
    Error, NodeId, PartitionId, TopicName, TopicPartition,
    error::ErrorCode,
    log_position::EpochEnd,
    network::{Destination, Network},
};

/// The first version of Fetch that carries the epoch of the last record, and whose answer says where the log parts from it.
pub(crate) const CHECKED_BY_FETCH: i16 = 12;

/// What is asked about a partition.
#[derive(Clone, Debug)]
pub(crate) struct EpochQuestion {
    pub(crate) partition: TopicPartition,
    /// The epoch of the leader that is asked, as far as known here.
    pub(crate) current_epoch: i32,
    /// The epoch whose end is asked for.
    pub(crate) epoch: i32,
}

/// What `leader` says of each partition; `None`: its log has nothing of the epoch, or of any before it.
pub(crate) async fn ask(
    network: &Network,
    leader: NodeId,
    questions: &[EpochQuestion],
    deadline: Instant,
) -> HashMap<TopicPartition, Result<Option<EpochEnd>, Error>> {
    let mut topics: BTreeMap<&TopicName, Vec<OffsetForLeaderPartition>> = BTreeMap::new();
    for EpochQuestion { partition, current_epoch, epoch } in questions {
        let asked = OffsetForLeaderPartition::default()
            .with_partition(partition.partition.0)
            .with_current_leader_epoch(*current_epoch)
            .with_leader_epoch(*epoch);
        topics.entry(&partition.topic).or_default().push(asked);
    }
    let topics: Vec<_> = topics
        .into_iter()
        .map(|(topic, partitions)| {
            let name = kafka_protocol::messages::TopicName(StrBytes::from_string(topic.as_str().to_owned()));
            OffsetForLeaderTopic::default().with_topic(name).with_partitions(partitions)
        })
        .collect();
    let build =
        move |_| OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics.clone());
    let to_all = |answer: Result<Option<EpochEnd>, Error>| {
        questions.iter().map(|asked| (asked.partition.clone(), answer.clone())).collect()
    };
    let response = match network.ask(Destination::Broker(leader), true, deadline, build).await {
        Ok(response) => response,
        Err(failed) => return to_all(Err(failed.error)),
    };
    let mut answers: HashMap<TopicPartition, Result<Option<EpochEnd>, Error>> =
        to_all(Err(ErrorCode::LEADER_NOT_AVAILABLE.error(None)));
    for topic in response.topics {
        let Ok(name) = TopicName::parse(&topic.topic.0) else { continue };
        for found in topic.partitions {
            let answer = match ErrorCode(found.error_code) {
                ErrorCode::NONE if found.end_offset < 0 || found.leader_epoch < 0 => Ok(None),
                ErrorCode::NONE => Ok(Some(EpochEnd { epoch: found.leader_epoch, offset: found.end_offset })),
                // The cluster knows the partition, its leader does not yet.
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(ErrorCode::LEADER_NOT_AVAILABLE.error(None)),
                code => Err(code.error(None)),
            };
            let partition = TopicPartition { topic: name.clone(), partition: PartitionId(found.partition) };
            answers.entry(partition).and_modify(|known| *known = answer);
        }
    }
    answers
}
