//! What can be asked of an instance, each with the place for its answer.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{CommittedOffset, PartitionName, ReadAnswer, RecordLayout, SeekTarget, SubscriptionRequest};
use crate::Error;

/// How long a read lasts and how much it returns.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadLimits {
    /// The longest wait. It can only shorten the instance's own, unless the read is one of a stream.
    pub wait: Option<Duration>,
    /// The read is one of a stream of reads: it ends with the first records that are there, whatever the instance was made with.
    pub streams: bool,
    /// The read ends before the record with which it would have so many bytes or more, but has one record at least. It can only lower the
    /// proxy's own bound.
    pub max_bytes: Option<usize>,
}

/// Where an answer goes. Whoever wanted it may have gone.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// One operation.
pub(super) enum Operation {
    Subscribe(SubscriptionRequest, Reply<()>),
    Subscription(Reply<Vec<String>>),
    Unsubscribe(Reply<()>),
    Assign(Vec<PartitionName>, Reply<()>),
    Assignment(Reply<Vec<PartitionName>>),
    Read(ReadLimits, Box<dyn RecordLayout>, Reply<ReadAnswer>),
    CheckReadable(Reply<()>),
    Commit(Option<Vec<CommittedOffset>>, Reply<()>),
    Committed(Vec<PartitionName>, Reply<Vec<CommittedOffset>>),
    Seek(SeekTarget, Reply<()>),
}
