//! Offsets as a caller names them.

use crate::{
    Offset, TopicPartition,
    log_position::{LogPosition, NO_EPOCH},
};

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
    /// The epoch of the leader that has appended the record before, by which whoever reads on from here notices that a leader without it
    /// was elected (KIP-320). `None`: not known; a commit of what was confirmed has it all the same.
    pub leader_epoch: Option<i32>,
    /// A text that is kept with it, at most 4,096 bytes on brokers with default configs.
    pub metadata: String,
}

impl CommitOffset {
    pub(crate) fn of((partition, position): &(TopicPartition, LogPosition)) -> CommitOffset {
        CommitOffset {
            partition: partition.clone(),
            offset: Offset(position.offset),
            leader_epoch: Some(position.leader_epoch).filter(|epoch| *epoch >= 0),
            metadata: String::new(),
        }
    }

    /// Where reading goes on from it.
    pub(crate) fn position(&self) -> LogPosition {
        LogPosition::new(self.offset.0, self.leader_epoch.unwrap_or(NO_EPOCH))
    }
}
