//! What can be asked of an instance, each with the place for its answer.

use std::time::Duration;

use tokio::sync::oneshot;

use super::memory::AnswerShare;
use super::{
    CommittedOffset, PartitionName, PartitionPosition, ReadAnswer, RecordLayout, SeekTarget, SubscriptionRequest,
};
use crate::Error;

/// How long a read lasts and how much it returns.
#[derive(Debug, Default)]
pub struct ReadLimits {
    /// The longest wait. It can only shorten the instance's own, unless the read is one of a stream.
    pub wait: Option<Duration>,
    /// The read is one of the stream of this number: it ends with the first records that are there, whatever the instance was made with. Of
    /// an instance as [`BegunStream`](super::BegunStream) has it; without a group any number.
    pub stream: Option<u64>,
    /// The read ends before the record with which it would have so many bytes or more, but has one record at least. It can only lower the
    /// proxy's own bound.
    pub max_bytes: Option<usize>,
    /// What a stream has waited for, with [`Proxy::stream_share`](crate::Proxy::stream_share).
    pub share: Option<AnswerShare>,
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
    BeginStream(Option<Vec<PartitionPosition>>, Reply<Vec<PartitionPosition>>),
    Commit(Option<Vec<CommittedOffset>>, Reply<()>),
    Committed(Vec<PartitionName>, Reply<Vec<CommittedOffset>>),
    Seek(SeekTarget, Reply<()>),
}
