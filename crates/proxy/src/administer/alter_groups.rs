//! Groups of consumers changed from outside, and records deleted.

use std::collections::BTreeMap;

use postern_kafka::{CommittedOffset, Error as ClusterError, Offset, OffsetTime, PartitionId, TopicName};

use crate::{Error, Proxy};

/// Where offsets are reset to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetTo {
    /// The first record that is there.
    Earliest,
    /// Behind the last one.
    Latest,
    /// This offset, or the nearest end of the partition.
    Offset(i64),
    /// The first record of this time (milliseconds since 1970) or later; behind the last one where there is none.
    Timestamp(i64),
}

/// The offset of one partition, before and after a reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetReset {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionId,
    /// What was committed; `None`: nothing.
    pub from: Option<Offset>,
    /// What is committed afterwards.
    pub to: Offset,
    /// Whether it was; success where it was only asked for.
    pub result: Result<(), ClusterError>,
}

impl Proxy {
    /// Resets what a group has committed: of all partitions of `topics`, or of those of which it has committed something. With
    /// `dry_run` nothing is changed. Sorted by topic and partition; those that do not exist are missing.
    ///
    /// # Errors
    /// [`Error::NoOffsets`] where nothing is committed and no topics are named; [`Error::Cluster`].
    pub async fn reset_group_offsets(
        &self,
        group: &str,
        to: ResetTo,
        topics: Option<&[TopicName]>,
        dry_run: bool,
    ) -> Result<Vec<OffsetReset>, Error> {
        let cluster = self.cluster();
        let committed: BTreeMap<_, _> = cluster
            .committed_offsets(group)
            .await?
            .into_iter()
            .map(|offset| ((offset.topic, offset.partition), offset.offset))
            .collect();
        let mut partitions = Vec::new();
        match topics {
            Some(topics) => {
                for topic in topics {
                    let described = cluster.topic(topic, false).await?;
                    partitions.extend(described.partitions.iter().map(|partition| (topic.clone(), partition.id)));
                }
                partitions.sort_unstable();
                partitions.dedup();
            }
            None if committed.is_empty() => return Err(Error::NoOffsets(group.to_owned())),
            None => partitions.extend(committed.keys().cloned()),
        }
        let earliest = cluster.list_offsets(&partitions, OffsetTime::Earliest).await?;
        let latest = cluster.list_offsets(&partitions, OffsetTime::Latest).await?;
        let at = match to {
            ResetTo::Timestamp(ms) => cluster.list_offsets(&partitions, OffsetTime::Timestamp(ms)).await?,
            ResetTo::Earliest | ResetTo::Latest | ResetTo::Offset(_) => BTreeMap::new(),
        };
        let mut resets = Vec::with_capacity(partitions.len());
        for key in partitions {
            let (Some(earliest), Some(latest)) = (earliest.get(&key), latest.get(&key)) else { continue };
            let to = match to {
                ResetTo::Earliest => *earliest,
                ResetTo::Latest => *latest,
                ResetTo::Offset(offset) => Offset(offset.min(latest.0).max(earliest.0)),
                ResetTo::Timestamp(_) => at.get(&key).copied().filter(|found| found.0 >= 0).unwrap_or(*latest),
            };
            let from = committed.get(&key).copied();
            let (topic, partition) = key;
            resets.push(OffsetReset { topic, partition, from, to, result: Ok(()) });
        }
        if !dry_run && !resets.is_empty() {
            let wanted: Vec<_> = resets
                .iter()
                .map(|reset| CommittedOffset {
                    topic: reset.topic.clone(),
                    partition: reset.partition,
                    offset: reset.to,
                })
                .collect();
            let mut results: BTreeMap<_, _> = cluster.set_group_offsets(group, &wanted).await?.into_iter().collect();
            for reset in &mut resets {
                reset.result = results.remove(&(reset.topic.clone(), reset.partition)).unwrap_or(Ok(()));
            }
        }
        Ok(resets)
    }

    /// Forgets what a group has committed of `partitions`; the result of each.
    ///
    /// # Errors
    /// [`Error::Cluster`], of kind `UnknownGroup` where there is none.
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[(TopicName, PartitionId)],
    ) -> Result<Vec<((TopicName, PartitionId), Result<(), ClusterError>)>, Error> {
        Ok(self.cluster().delete_group_offsets(group, partitions).await?)
    }

    /// Deletes a group without members, and what it has committed.
    ///
    /// # Errors
    /// [`Error::Cluster`], of kind `UnknownGroup` where there is none, `InvalidRequest` where it has members.
    pub async fn delete_group(&self, group: &str) -> Result<(), Error> {
        Ok(self.cluster().delete_group(group).await?)
    }

    /// Deletes the records of `topic` before the given offsets, -1 for all; where each partition begins afterwards.
    ///
    /// # Errors
    /// [`Error::RegistryTopic`], [`Error::InternalTopic`]; [`Error::Cluster`], of kind `UnknownTopic` where there is none.
    pub async fn delete_records(
        &self,
        topic: &TopicName,
        before: &BTreeMap<PartitionId, Offset>,
    ) -> Result<BTreeMap<PartitionId, Result<Offset, ClusterError>>, Error> {
        self.check_not_internal(topic)?;
        Ok(self.cluster().delete_records(topic, before).await?)
    }
}
