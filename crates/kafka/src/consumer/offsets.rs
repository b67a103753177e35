//! Offsets as a caller names them.

use crate::{Offset, TopicPartition};

/// Where [`Consumer::seek`](crate::Consumer::seek) goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekTo {
    /// Exactly there; beyond the ends of the log the reset policy decides when it is read.
    Offset(Offset),
    /// To the first record that is still there, looked up when it is needed ([`Consumer::poll`](crate::Consumer::poll),
    /// [`Consumer::position`](crate::Consumer::position)).
    Beginning,
    /// To the record that will come next, looked up when it is needed.
    End,
    /// To the first record of this time (milliseconds since 1970) or later, looked up when it is needed; to the end where there
    /// is none.
    Timestamp(i64),
}

/// An offset that is committed: that of the record to be read next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOffset {
    /// The partition.
    pub partition: TopicPartition,
    /// The offset of the record to be read next.
    pub offset: Offset,
    /// A text that is kept with it, at most 4,096 bytes on brokers with default configs.
    pub metadata: String,
}
