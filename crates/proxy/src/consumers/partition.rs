//! Reading one partition without a group: nothing is kept between two reads.

use std::time::Duration;

use postern_kafka::{
    ConsumerSettings, Error as ClusterError, ErrorKind, Offset, OffsetReset, PartitionId, SeekTo, TopicName,
    TopicPartition,
};
use tokio::time::Instant;

use super::read::{Decoders, Enough, Reading};
use super::settings::reader;
use super::{ReadFormats, ReadLimits, RecordLayout};
use crate::{Error, Proxy};

/// The longest wait of a read.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStart {
    /// With the first record.
    Beginning,
    /// With this record, or the next one that is still there.
    Offset(i64),
    /// With the first record at or after this time, in milliseconds since 1970.
    Timestamp(i64),
    /// So many offsets before the end.
    Last(u64),
}

impl Proxy {
    /// Reads one partition, written with `layout`: what there is at the beginning of the read, within `limits`; where there is nothing, it
    /// waits for the next record.
    ///
    /// Dropping the future does nothing.
    ///
    /// # Errors
    /// [`Error::Cluster`]: there is no such partition, or no such offset in it; [`crate::ConsumerError::Undecodable`]. Only when nothing
    /// was read before it: else the read returns that.
    pub async fn read_partition(
        &self,
        topic: &TopicName,
        partition: PartitionId,
        start: ReadStart,
        limits: ReadLimits,
        formats: ReadFormats,
        layout: &dyn RecordLayout,
    ) -> Result<Vec<u8>, Error> {
        let range = self.cluster().offsets(topic, partition).await?;
        let (earliest, latest) = (range.earliest.0, range.latest.0);
        let to = match start {
            ReadStart::Beginning => SeekTo::Beginning,
            ReadStart::Timestamp(time) => SeekTo::Timestamp(time),
            ReadStart::Last(count) => SeekTo::Offset(Offset(latest.saturating_sub_unsigned(count).max(earliest))),
            ReadStart::Offset(offset) if (earliest..=latest).contains(&offset) => SeekTo::Offset(Offset(offset)),
            ReadStart::Offset(offset) => {
                return Err(Error::Cluster(ClusterError {
                    kind: ErrorKind::InvalidRequest,
                    name: "OFFSET_OUT_OF_RANGE".to_owned(),
                    message: format!(
                        "offset: expected {earliest} to {latest}, which partition {partition} of topic {topic} has now, found {offset}"
                    ),
                }));
            }
        };
        let directory = self.consumers();
        let settings = ConsumerSettings {
            auto_commit: None,
            auto_offset_reset: OffsetReset::Earliest,
            ..reader("", directory.limits(), directory.fetched().clone())
        };
        let mut consumer = self.cluster().consumer(settings)?;
        let at = TopicPartition { topic: topic.clone(), partition };
        consumer.assign(vec![at.clone()]);
        consumer.seek(&at, to)?;
        let reading = Reading {
            proxy: self,
            consumer: &mut consumer,
            decoders: &mut Decoders::new(formats),
            layout,
            max_bytes: limits.max_bytes,
            enough: Enough::Until(latest),
            deadline: Instant::now() + limits.wait.unwrap_or(directory.limits().wait).min(WAIT_MAX),
        };
        Ok(reading.collect(std::future::pending()).await?.text)
    }
}
