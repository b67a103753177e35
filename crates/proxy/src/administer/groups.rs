//! Groups of consumers: who is in them, what they read, how far they are behind.

use std::collections::HashMap;

use postern_kafka::{GroupDescription, GroupMember, ListedGroup, Offset, OffsetTime, PartitionId, TopicName};

use crate::{Error, Proxy};

/// How far a group is behind on a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionId,
    /// Position of the member that reads it in [`GroupLags::group`], where one does.
    member: Option<usize>,
    /// The offset that the group has committed.
    pub committed: Offset,
    /// The end of the partition, open transactions left out.
    pub end: Offset,
}

impl PartitionLag {
    /// How many offsets there are between the two; none where the commit is beyond the end.
    pub fn lag(&self) -> i64 {
        (self.end.0 - self.committed.0).max(0)
    }
}

/// How far a group is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLags {
    group: GroupDescription,
    /// The greatest lag first, then by topic and partition. Never empty.
    pub partitions: Vec<PartitionLag>,
}

impl GroupLags {
    /// The member that reads a partition, where one does.
    pub fn member(&self, lag: &PartitionLag) -> Option<&GroupMember> {
        self.group.members.get(lag.member?)
    }
}

impl Proxy {
    /// All groups that may be those of consumers, sorted by id.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn consumer_groups(&self) -> Result<Vec<ListedGroup>, Error> {
        let mut groups = self.cluster().groups().await?;
        groups.retain(ListedGroup::is_of_consumers);
        groups.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(groups)
    }

    /// Some of [`Proxy::consumer_groups`] as they are now, sorted by id. Those that are gone by now, and those that may not be described, are missing.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn describe_groups(&self, groups: &[&ListedGroup]) -> Result<Vec<GroupDescription>, Error> {
        let mut groups = self.cluster().describe_groups(groups).await?;
        groups.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(groups)
    }

    /// A group of consumers, its members sorted by id.
    ///
    /// # Errors
    /// [`Error::UnknownGroup`]; [`Error::Cluster`].
    pub async fn consumer_group(&self, id: &str) -> Result<GroupDescription, Error> {
        let mut group = self.cluster().consumer_group(id).await?.ok_or_else(|| Error::UnknownGroup(id.to_owned()))?;
        group.members.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(group)
    }

    /// How far a group is behind on each partition of which it has committed an offset and that still exists.
    ///
    /// # Errors
    /// [`Error::UnknownGroup`], [`Error::NoOffsets`], [`Error::NoLags`]; [`Error::Cluster`].
    pub async fn consumer_group_lags(&self, id: &str) -> Result<GroupLags, Error> {
        let group = self.consumer_group(id).await?;
        let committed = self.cluster().committed_offsets(id).await?;
        if committed.is_empty() {
            return Err(Error::NoOffsets(id.to_owned()));
        }
        let wanted: Vec<_> = committed.iter().map(|offset| (offset.topic.clone(), offset.partition)).collect();
        let ends = self.cluster().list_offsets(&wanted, OffsetTime::Latest).await?;
        let mut readers = HashMap::new();
        for (at, member) in group.members.iter().enumerate() {
            for (topic, partitions) in &member.assignment {
                readers.extend(partitions.iter().map(|partition| ((topic.as_str(), *partition), at)));
            }
        }
        let mut partitions: Vec<_> = committed
            .into_iter()
            .filter_map(|offset| {
                let end = *ends.get(&(offset.topic.clone(), offset.partition))?;
                let member = readers.get(&(offset.topic.as_str(), offset.partition.0)).copied();
                let (topic, partition, committed) = (offset.topic, offset.partition, offset.offset);
                Some(PartitionLag { topic, partition, member, committed, end })
            })
            .collect();
        if partitions.is_empty() {
            return Err(Error::NoLags(id.to_owned()));
        }
        // They are sorted by topic and partition, and this sort is stable.
        partitions.sort_by_key(|lag| std::cmp::Reverse(lag.lag()));
        Ok(GroupLags { group, partitions })
    }
}
