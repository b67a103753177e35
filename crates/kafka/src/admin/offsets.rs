//! Where a partition begins and ends.

use std::time::Duration;

use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
};
use tokio::time::{Instant, sleep};

use super::{Admin, not_answered, topic_name};
use crate::{Error, ErrorKind, NodeId, Offset, PartitionId, TopicName, error::ErrorCode, network::Destination};

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    /// The first record that is still there.
    pub earliest: Offset,
    /// The offset of the record that will come next.
    pub latest: Offset,
}

/// For how long a partition that exists may have no leader to ask; so it is just after the topic was created.
pub(super) const LEADER_WITHIN: Duration = Duration::from_secs(3);
/// The pause between two attempts.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(25);

/// Times that stand for an end of the log.
pub(super) const LATEST: i64 = -1;
pub(super) const EARLIEST: i64 = -2;

impl Admin {
    pub(crate) async fn offsets(&self, topic: &TopicName, partition: PartitionId) -> Result<OffsetRange, Error> {
        let deadline = self.deadline();
        let leader_deadline = deadline.min(Instant::now() + LEADER_WITHIN);
        loop {
            match self.ask_leader(topic, partition, deadline).await {
                Err(error) if error.kind == ErrorKind::Retriable && Instant::now() < leader_deadline => {
                    sleep(RETRY_PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    async fn ask_leader(
        &self,
        topic: &TopicName,
        partition: PartitionId,
        deadline: Instant,
    ) -> Result<OffsetRange, Error> {
        let known = self.metadata.asked_once(topic).await.map_err(|error| error.about(topic))?;
        if !(0..known.count()).contains(&partition.0) {
            let message = format!("topic {topic} has {} partitions, but no {partition}", known.count());
            return Err(Error::new(ErrorKind::UnknownPartition, "UNKNOWN_TOPIC_OR_PARTITION", message));
        }
        let Some(leader) = known.leader(partition.0) else {
            let message = format!("the leader of partition {partition} of topic {topic} is not known yet");
            return Err(Error::new(ErrorKind::Retriable, "LEADER_NOT_AVAILABLE", message));
        };
        let (earliest, latest) = tokio::join!(
            self.offset_at(leader, topic, partition, EARLIEST, deadline),
            self.offset_at(leader, topic, partition, LATEST, deadline),
        );
        Ok(OffsetRange { earliest: earliest?, latest: latest? })
    }

    async fn offset_at(
        &self,
        leader: NodeId,
        topic: &TopicName,
        partition: PartitionId,
        time: i64,
        deadline: Instant,
    ) -> Result<Offset, Error> {
        let name = topic_name(topic);
        let build = move |_| {
            let wanted = ListOffsetsPartition::default().with_partition_index(partition.0).with_timestamp(time);
            let topic = ListOffsetsTopic::default().with_name(name.clone()).with_partitions(vec![wanted]);
            ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
        };
        let response = self.read(Destination::Broker(leader), deadline, build).await?;
        let answer = response.topics.into_iter().flat_map(|topic| topic.partitions).next().ok_or_else(not_answered)?;
        match ErrorCode(answer.error_code) {
            ErrorCode::NONE => Ok(Offset(answer.offset)),
            // The cluster knows the partition, its leader does not yet.
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(ErrorCode::LEADER_NOT_AVAILABLE.error(None)),
            code => Err(code.error(None)),
        }
    }
}
