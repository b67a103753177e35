//! Where a partition begins and ends.

use std::time::{Duration, Instant};

use super::Admin;
use crate::{Error, ErrorKind, Offset, PartitionId, TopicName, native::Request};

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    /// The first record that is still there.
    pub earliest: Offset,
    /// The place of the record that will come next.
    pub latest: Offset,
}

/// For how long a partition that exists may have no leader to ask; so it is just after the topic was created.
const LEADER_WITHIN: Duration = Duration::from_secs(3);
/// The pause between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(25);

impl Admin {
    pub(crate) async fn offsets(&self, topic: &TopicName, partition: PartitionId) -> Result<OffsetRange, Error> {
        let end = Instant::now() + LEADER_WITHIN.min(self.timeout);
        loop {
            match self.ask(topic, partition).await {
                Err(error) if error.kind == ErrorKind::Retriable && Instant::now() < end => {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                answer => return answer,
            }
        }
    }

    async fn ask(&self, topic: &TopicName, partition: PartitionId) -> Result<OffsetRange, Error> {
        let (earliest, latest) = tokio::join!(
            self.call(Request::EarliestOffset(topic, partition)),
            self.call(Request::LatestOffset(topic, partition)),
        );
        match (earliest.and_then(|e| e.offset()), latest.and_then(|l| l.offset())) {
            (Ok(earliest), Ok(latest)) => Ok(OffsetRange { earliest, latest }),
            (Err(error), _) | (_, Err(error)) => Err(self.which_is_unknown(topic, partition, error).await),
        }
    }

    /// There is one error for an unknown topic, an unknown partition and a leader not yet known; whoever asks wants to know
    /// which it was.
    async fn which_is_unknown(&self, topic: &TopicName, partition: PartitionId, error: Error) -> Error {
        if !matches!(error.kind, ErrorKind::UnknownTopic | ErrorKind::UnknownPartition) {
            return error;
        }
        match self.topic(topic, false).await {
            Ok(found) if found.partitions.iter().any(|p| p.id == partition) => {
                let message = format!("the leader of partition {partition} of topic {topic} is not known yet");
                Error::new(ErrorKind::Retriable, "LEADER_NOT_AVAILABLE", message)
            }
            Ok(found) => {
                let message = format!("topic {topic} has {} partitions, but no {partition}", found.partitions.len());
                Error::new(ErrorKind::UnknownPartition, "UNKNOWN_TOPIC_OR_PARTITION", message)
            }
            Err(error) => error,
        }
    }
}
