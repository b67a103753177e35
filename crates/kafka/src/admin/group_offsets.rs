//! The offsets that a group has committed, and the ends of the partitions that it reads.

use std::{collections::BTreeMap, sync::Arc};

use kafka_protocol::messages::{
    BrokerId, GroupId, ListOffsetsRequest, OffsetFetchRequest, OffsetFetchResponse,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Admin, checked, not_answered,
    offsets::{EARLIEST, LATEST, LEADER_WITHIN, RETRY_PAUSE},
    parsed, text, topic_name,
};
use crate::{
    Error, ErrorKind, NodeId, Offset, PartitionId, TopicName, coordinator, error::ErrorCode, network::Destination,
};

/// An offset that a group has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the record that is to be read next.
    pub offset: Offset,
}

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OffsetTime {
    /// Of the first record that is there.
    Earliest,
    /// Of the record that comes next; open transactions, and what is behind them, left out.
    Latest,
    /// Of the first record of this time (milliseconds since 1970) or later; -1 where there is none.
    Timestamp(i64),
}

/// Records of open transactions, and behind them, do not count.
const READ_COMMITTED: i8 = 1;

/// Offsets by topic and partition.
type Offsets = BTreeMap<(TopicName, PartitionId), Offset>;

impl Admin {
    /// Sorted by topic and partition.
    pub(crate) async fn committed_offsets(&self, group: &str) -> Result<Vec<CommittedOffset>, Error> {
        let id = GroupId(text(group));
        let build = move |_| OffsetFetchRequest::default().with_group_id(id.clone()).with_topics(None);
        let code = |response: &OffsetFetchResponse| response.error_code;
        let asked = coordinator::ask(&self.network, group, true, self.deadline(), build, code).await;
        let response = asked.map_err(|failed| failed.error)?;
        checked(response.error_code, None)?;
        let mut offsets = Vec::new();
        for topic in &response.topics {
            let Some(name) = parsed(&topic.name) else { continue };
            for partition in &topic.partitions {
                checked(partition.error_code, None)?;
                let (topic, offset) = (name.clone(), Offset(partition.committed_offset));
                // -1: nothing is committed.
                if offset.0 >= 0 {
                    offsets.push(CommittedOffset { topic, partition: PartitionId(partition.partition_index), offset });
                }
            }
        }
        offsets.sort_unstable_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(offsets)
    }

    /// An offset of each of `partitions` (sorted), of those among them that exist.
    pub(crate) async fn list_offsets(
        &self,
        partitions: &[(TopicName, PartitionId)],
        time: OffsetTime,
    ) -> Result<Offsets, Error> {
        let deadline = self.deadline();
        let leader_deadline = deadline.min(Instant::now() + LEADER_WITHIN);
        loop {
            match self.ask_leaders(partitions, time, deadline).await {
                Err(error) if error.kind == ErrorKind::Retriable && Instant::now() < leader_deadline => {
                    sleep(RETRY_PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    async fn ask_leaders(
        &self,
        partitions: &[(TopicName, PartitionId)],
        time: OffsetTime,
        deadline: Instant,
    ) -> Result<Offsets, Error> {
        let mut names: Vec<_> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
        names.dedup();
        let mut leaders = BTreeMap::new();
        for described in self.described(Some(&names), false).await? {
            match described {
                Ok(topic) => leaders.extend(topic.partitions.iter().map(|p| ((topic.name.clone(), p.id), p.leader))),
                Err(error) if error.kind == ErrorKind::UnknownTopic => {} // deleted since
                Err(error) => return Err(error),
            }
        }
        let mut by_leader: BTreeMap<NodeId, BTreeMap<TopicName, Vec<PartitionId>>> = BTreeMap::new();
        for (topic, partition) in partitions {
            match leaders.get(&(topic.to_string(), *partition)) {
                None => {}
                Some(Some(leader)) => {
                    by_leader.entry(*leader).or_default().entry(topic.clone()).or_default().push(*partition);
                }
                Some(None) => {
                    let message = format!("partition {partition} of topic {topic} has no leader at the moment");
                    return Err(Error::new(ErrorKind::Retriable, "LEADER_NOT_AVAILABLE", message));
                }
            }
        }
        let mut asked = JoinSet::new();
        for (leader, topics) in by_leader {
            let network = Arc::clone(&self.network);
            let topics: Vec<_> = topics.iter().map(|(topic, partitions)| wanted(topic, partitions, time)).collect();
            asked.spawn(async move {
                let build = move |_| {
                    ListOffsetsRequest::default()
                        .with_replica_id(BrokerId(-1))
                        .with_isolation_level(READ_COMMITTED)
                        .with_topics(topics.clone())
                };
                network.ask(Destination::Broker(leader), true, deadline, build).await
            });
        }
        let mut ends = Offsets::new();
        while let Some(answered) = asked.join_next().await {
            let response = answered.map_err(|_| not_answered())?.map_err(|failed| failed.error)?;
            for topic in &response.topics {
                let Some(name) = parsed(&topic.name) else { continue };
                for partition in &topic.partitions {
                    match ErrorCode(partition.error_code) {
                        ErrorCode::NONE => {}
                        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => continue, // deleted since
                        code => return Err(code.error(None)),
                    }
                    ends.insert((name.clone(), PartitionId(partition.partition_index)), Offset(partition.offset));
                }
            }
        }
        Ok(ends)
    }
}

fn wanted(topic: &TopicName, partitions: &[PartitionId], time: OffsetTime) -> ListOffsetsTopic {
    let time = match time {
        OffsetTime::Earliest => EARLIEST,
        OffsetTime::Latest => LATEST,
        OffsetTime::Timestamp(ms) => ms,
    };
    let partition = |id: &PartitionId| ListOffsetsPartition::default().with_partition_index(id.0).with_timestamp(time);
    ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(partitions.iter().map(partition).collect())
}
