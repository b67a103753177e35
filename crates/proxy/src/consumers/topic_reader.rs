//! Reading partitions of one topic without a group: nothing is kept between two readers.

use std::collections::BTreeMap;
use std::time::Duration;

use postern_kafka::{
    AssignedPartition, ByteCount, Consumer, ConsumerSettings, Error as ClusterError, ErrorKind, Offset, OffsetReset,
    OffsetTime, PartitionId, SeekTo, TopicName, TopicPartition,
};
use tokio::time::Instant;

use super::memory::AnswerMemory;
use super::read::{Enough, Reading};
use super::record_decoders::Decoders;
use super::settings::reader;
use super::{ReadAnswer, ReadFormats, ReadLimits, RecordLayout};
use crate::{Error, Proxy};

/// The longest wait of a read.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// What is fetched ahead for a stream, whose client takes it in small parts.
const STREAM_FETCH: ByteCount = ByteCount(256 << 10);

/// Where reading begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadStart {
    /// With the first record of each partition.
    Beginning,
    /// With the next record.
    End,
    /// With this record of each partition, all of which must have it, or end before it.
    Offset(i64),
    /// The same with a record for each; partitions that are not named begin with their first.
    Offsets(BTreeMap<PartitionId, i64>),
    /// Where an earlier read has ended. A partition that does not have its record any more, or does not have it yet, begins with its first
    /// ([`TopicReader::take_resets`]), and so do those that are not named.
    Resumed(BTreeMap<PartitionId, i64>),
    /// With the first record at or after this time, in milliseconds since 1970.
    Timestamp(i64),
    /// So many offsets before the end of each partition.
    Last(u64),
}

/// A partition that does not have the record with which it should go on: it was deleted, or the topic was made again or has lost records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionReset {
    /// The partition.
    pub partition: PartitionId,
    /// The offset that it does not have.
    pub asked: i64,
    /// That of its first record, with which it goes on.
    pub earliest: i64,
    /// That of the record that comes next.
    pub latest: i64,
}

/// Where partitions are begun, where they end, and which do not begin where they should.
#[derive(Default)]
struct Range {
    starts: BTreeMap<PartitionId, i64>,
    ends: BTreeMap<PartitionId, i64>,
    resets: Vec<PositionReset>,
}

/// Reads partitions of one topic, each in order.
pub struct TopicReader {
    proxy: Proxy,
    topic: TopicName,
    consumer: Consumer,
    decoders: Decoders,
    /// Where each partition was begun.
    starts: BTreeMap<PartitionId, i64>,
    /// The ends that partitions had, of those with something to read.
    ends: BTreeMap<PartitionId, i64>,
    resets: Vec<PositionReset>,
    /// The last change of positions that was followed.
    followed: u64,
    /// The offset of each partition of which it was told last that it is not there.
    told: BTreeMap<PartitionId, i64>,
}

impl Proxy {
    /// A reader of `partitions`, at least one. `streams`: it will be read by a stream of reads.
    ///
    /// # Errors
    /// [`Error::Cluster`]: there is no such partition, or no such offset in one of them.
    pub async fn topic_reader(
        &self,
        topic: &TopicName,
        partitions: &[PartitionId],
        start: &ReadStart,
        formats: ReadFormats,
        streams: bool,
    ) -> Result<TopicReader, Error> {
        let Range { starts, ends, resets } = self.range(topic, partitions, start).await?;
        let directory = self.consumers();
        let settings = reader("", directory.limits(), directory.fetched().clone());
        let fetch_bytes = if streams { STREAM_FETCH.min(settings.fetch_max_bytes) } else { settings.fetch_max_bytes };
        let mut consumer = self.cluster().consumer(ConsumerSettings {
            auto_commit: None,
            auto_offset_reset: OffsetReset::Earliest,
            fetch_max_bytes: fetch_bytes,
            max_partition_fetch_bytes: fetch_bytes,
            missing_topic_is_error: true,
            ..settings
        })?;
        consumer.assign(starts.keys().map(|partition| place(topic, *partition)).collect());
        for (partition, offset) in &starts {
            consumer.seek(&place(topic, *partition), SeekTo::Offset(Offset(*offset)))?;
        }
        let ends = ends.into_iter().filter(|(partition, end)| starts.get(partition).is_some_and(|start| start < end));
        let (proxy, topic) = (self.clone(), topic.clone());
        let (ends, decoders, told) = (ends.collect(), Decoders::new(formats), BTreeMap::new());
        Ok(TopicReader { proxy, topic, consumer, decoders, starts, ends, resets, followed: 0, told })
    }

    /// An offset that somebody names must be one that the partition has, or its end, as Kafka's own consumers have it without a reset policy.
    async fn range(&self, topic: &TopicName, partitions: &[PartitionId], start: &ReadStart) -> Result<Range, Error> {
        let ends = self.look_up(topic, partitions, OffsetTime::Latest).await?;
        let end = |partition: &PartitionId| ends.get(partition).copied().unwrap_or_default();
        let mut starts = match start {
            ReadStart::End => return Ok(Range { starts: ends.clone(), ends, resets: Vec::new() }),
            ReadStart::Timestamp(time) => self.look_up(topic, partitions, OffsetTime::Timestamp(*time)).await?,
            ReadStart::Beginning
            | ReadStart::Offset(_)
            | ReadStart::Offsets(_)
            | ReadStart::Resumed(_)
            | ReadStart::Last(_) => self.look_up(topic, partitions, OffsetTime::Earliest).await?,
        };
        if let ReadStart::Offsets(wanted) = start
            && let Some(other) = wanted.keys().find(|partition| !partitions.contains(partition))
        {
            return Err(not_read(topic, *other));
        }
        let mut resets = Vec::new();
        for (partition, offset) in &mut starts {
            let (earliest, latest) = (*offset, end(partition).max(*offset));
            let is_there = |wanted: &i64| (earliest..=latest).contains(wanted);
            match start {
                ReadStart::Beginning | ReadStart::End => {}
                // Nothing is as young.
                ReadStart::Timestamp(_) if earliest < 0 => *offset = latest,
                ReadStart::Timestamp(_) => {}
                ReadStart::Offset(_) | ReadStart::Offsets(_) | ReadStart::Resumed(_) => {
                    let wanted = match start {
                        ReadStart::Offset(wanted) => Some(wanted),
                        ReadStart::Offsets(wanted) | ReadStart::Resumed(wanted) => wanted.get(partition),
                        _ => None,
                    };
                    match wanted {
                        None => {}
                        Some(wanted) if is_there(wanted) => *offset = *wanted,
                        Some(asked) if matches!(start, ReadStart::Resumed(_)) => {
                            resets.push(PositionReset { partition: *partition, asked: *asked, earliest, latest });
                        }
                        Some(wanted) => return Err(out_of_range(topic, *partition, *wanted, earliest, latest)),
                    }
                }
                ReadStart::Last(count) => *offset = latest.saturating_sub_unsigned(*count).max(earliest),
            }
        }
        Ok(Range { starts, ends, resets })
    }

    /// An offset of each partition.
    async fn look_up(
        &self,
        topic: &TopicName,
        partitions: &[PartitionId],
        time: OffsetTime,
    ) -> Result<BTreeMap<PartitionId, i64>, Error> {
        let places: Vec<_> = partitions.iter().map(|partition| (topic.clone(), *partition)).collect();
        let found = self.cluster().list_offsets(&places, time).await?;
        let found: BTreeMap<PartitionId, i64> =
            found.into_iter().map(|((_, partition), offset)| (partition, offset.0)).collect();
        match partitions.iter().find(|partition| !found.contains_key(partition)) {
            Some(missing) => Err(no_such_partition(topic, *missing)),
            None => Ok(found),
        }
    }
}

impl TopicReader {
    /// Whose reader it is.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Where each partition was begun.
    pub fn starts(&self) -> &BTreeMap<PartitionId, i64> {
        &self.starts
    }

    /// Those of the partitions that do not begin where they should, and in later calls those that could not go on where they were: what
    /// comes of them next was read from the first record that they have.
    pub async fn take_resets(&mut self) -> Vec<PositionReset> {
        let mut resets = std::mem::take(&mut self.resets);
        let Some((change, assigned)) = self.consumer.assigned_since(self.followed) else { return resets };
        self.followed = change;
        for AssignedPartition { partition: TopicPartition { partition, .. }, position, reset_from, .. } in assigned {
            let (Some(Offset(position)), Some(Offset(asked))) = (position, reset_from) else { continue };
            if self.told.insert(partition, asked) != Some(asked) {
                // Best known now; a cluster that cannot say leaves what the consumer has found.
                let found = async |time| self.proxy.look_up(&self.topic, &[partition], time).await.ok();
                let at = |found: Option<BTreeMap<PartitionId, i64>>| found?.get(&partition).copied();
                let earliest = at(found(OffsetTime::Earliest).await).unwrap_or(position);
                let latest = at(found(OffsetTime::Latest).await).unwrap_or(position);
                resets.push(PositionReset { partition, asked, earliest, latest });
            }
        }
        resets
    }

    /// Reads, written with `layout`: what there was when the reader was made, within `limits`, or as a stream what there is. Where there is
    /// nothing it waits for the next record. The next read goes on where this one ends; if the future is dropped, nothing was read.
    ///
    /// # Errors
    /// [`Error::Cluster`]; [`crate::ConsumerError::Undecodable`]. Only when nothing was read before it: else the read returns that.
    pub async fn read(&mut self, limits: ReadLimits, layout: &dyn RecordLayout) -> Result<ReadAnswer, Error> {
        let enough = if limits.stream.is_some() { Enough::Bytes(1) } else { Enough::Until(self.ends.clone()) };
        self.consumer.rewind();
        let reading = Reading {
            proxy: &self.proxy,
            consumer: &mut self.consumer,
            places: None,
            decoders: &mut self.decoders,
            layout,
            max_bytes: limits.max_bytes,
            memory: AnswerMemory::new(self.proxy.consumers().answers().clone(), limits.stream.is_some(), limits.share),
            has_group: false,
            enough,
            deadline: Instant::now() + limits.wait.unwrap_or(self.proxy.consumers().limits().wait).min(WAIT_MAX),
        };
        let collected = reading.collect(std::future::pending()).await?;
        collected.note_read(&self.proxy, self.decoders.value_format());
        self.consumer.confirm();
        // The memory is for those who read now.
        let fetched = self.proxy.consumers().fetched();
        if fetched.used().0 > fetched.capacity().0 / 2 {
            self.consumer.discard_fetched();
        }
        Ok(collected.into_answer())
    }

    /// Drops what was fetched ahead, for a reader whose client takes nothing at the moment.
    pub fn discard_fetched(&mut self) {
        self.consumer.discard_fetched();
    }

    /// Looks whether the topic is still there. Partitions that it has got since are read from their beginning if `is_whole`; returns them.
    ///
    /// # Errors
    /// [`Error::Cluster`]: the topic is gone.
    pub async fn follow_topic(&mut self, is_whole: bool) -> Result<Vec<PartitionId>, Error> {
        let described = match self.proxy.cluster().topic(&self.topic, false).await {
            Ok(described) => described,
            Err(error) if error.kind == ErrorKind::UnknownTopic => return Err(error.into()),
            // The cluster cannot say now.
            Err(_) => return Ok(Vec::new()),
        };
        let known = |partition: &PartitionId| !is_whole || self.starts.contains_key(partition);
        let new: Vec<PartitionId> =
            described.partitions.iter().map(|partition| partition.id).filter(|id| !known(id)).collect();
        if !new.is_empty() {
            self.starts.extend(new.iter().map(|partition| (*partition, 0)));
            self.consumer.assign(self.starts.keys().map(|partition| place(&self.topic, *partition)).collect());
            for partition in &new {
                self.consumer.seek(&place(&self.topic, *partition), SeekTo::Beginning)?;
            }
        }
        Ok(new)
    }
}

fn place(topic: &TopicName, partition: PartitionId) -> TopicPartition {
    TopicPartition { topic: topic.clone(), partition }
}

fn no_such_partition(topic: &TopicName, partition: PartitionId) -> Error {
    Error::Cluster(ClusterError {
        kind: ErrorKind::UnknownPartition,
        name: "UNKNOWN_TOPIC_OR_PARTITION".to_owned(),
        message: format!("topic {topic} has no partition {partition}"),
    })
}

fn not_read(topic: &TopicName, partition: PartitionId) -> Error {
    Error::Cluster(ClusterError {
        kind: ErrorKind::InvalidRequest,
        name: "INVALID_REQUEST".to_owned(),
        message: format!(
            "offset: names partition {partition} of topic {topic}, which is not one of those that are read"
        ),
    })
}

fn out_of_range(topic: &TopicName, partition: PartitionId, found: i64, earliest: i64, latest: i64) -> Error {
    Error::Cluster(ClusterError {
        kind: ErrorKind::InvalidRequest,
        name: "OFFSET_OUT_OF_RANGE".to_owned(),
        message: format!(
            "offset: expected {earliest} to {latest}, which partition {partition} of topic {topic} has now, found {found}"
        ),
    })
}
