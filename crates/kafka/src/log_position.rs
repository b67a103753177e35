//! Where a partition is read next, and of which leader the records before are: by that a log is recognised that has lost what was
//! read, because a leader without all records was elected. Source: KIP-101, KIP-320.

/// The epoch where nobody has said one: brokers before 0.11, offsets that a caller names.
pub(crate) const NO_EPOCH: i32 = -1;

/// Where a partition is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogPosition {
    pub(crate) offset: i64,
    /// Of the leader that has appended the batch before `offset`; [`NO_EPOCH`] where that is not known.
    pub(crate) leader_epoch: i32,
    /// The first offset from which on everything up to `offset` is known to be of this epoch.
    epoch_start: i64,
}

/// What a leader says of an epoch: its log has records of it, or of the last epoch before it, up to this offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochEnd {
    pub(crate) epoch: i32,
    pub(crate) offset: i64,
}

impl LogPosition {
    pub(crate) fn new(offset: i64, leader_epoch: i32) -> LogPosition {
        LogPosition { offset, leader_epoch, epoch_start: offset }
    }

    /// Moves past records of `batch_epoch` that begin at `base` and end before `offset`. It never moves back.
    pub(crate) fn advance(&mut self, base: i64, batch_epoch: i32, offset: i64) {
        if offset <= self.offset {
            return;
        }
        if batch_epoch != self.leader_epoch {
            (self.leader_epoch, self.epoch_start) = (batch_epoch, base.max(self.offset));
        }
        self.offset = offset;
    }

    /// Whether a leader in `current_epoch` can say if its log has what was read.
    pub(crate) fn can_be_checked(&self, current_epoch: i32) -> bool {
        (0..=current_epoch).contains(&self.leader_epoch)
    }

    /// Where to go back to, if a leader that says `end` of [`LogPosition::leader_epoch`] has not got what was read.
    pub(crate) fn truncated_to(&self, end: EpochEnd) -> Option<LogPosition> {
        // A leader that knows nothing of the epoch has other records where those of the epoch were read.
        let shared = if end.epoch < self.leader_epoch { self.epoch_start } else { self.offset };
        let offset = end.offset.min(shared);
        (offset < self.offset).then(|| LogPosition::new(offset, end.epoch))
    }

    /// The same place in the log of a leader that has what was read, and knows it under the epoch of `end`.
    pub(crate) fn as_known_by_leader(self, end: EpochEnd) -> LogPosition {
        if end.epoch < self.leader_epoch { LogPosition::new(self.offset, end.epoch) } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read from 10 to 20 in epoch 3, then to 30 in epoch 5.
    fn read() -> LogPosition {
        let mut read = LogPosition::new(10, NO_EPOCH);
        read.advance(8, 3, 15);
        read.advance(15, 3, 20);
        read.advance(20, 5, 25);
        read.advance(25, 5, 30);
        read
    }

    #[test]
    fn a_log_that_has_lost_what_was_read_is_gone_back_in() {
        for (epoch, offset, expected) in [
            (5, 30, None),          // all of it is there
            (5, 99, None),          // and more
            (5, 27, Some((27, 5))), // the last records are lost
            (3, 20, Some((20, 3))), // the whole epoch is
            (3, 12, Some((12, 3))), // and more than that
            (4, 40, Some((20, 4))), // others stand where those of the epoch were read
            (0, 0, Some((0, 0))),
        ] {
            let to = read().truncated_to(EpochEnd { epoch, offset });
            assert_eq!(to.map(|to| (to.offset, to.leader_epoch)), expected, "{epoch}, {offset}");
        }
        // The epoch of a record that comes next, or of a commit: what is before is not known.
        let sought = LogPosition::new(30, 5);
        assert_eq!(sought.truncated_to(EpochEnd { epoch: 4, offset: 30 }), None);
        assert_eq!(sought.as_known_by_leader(EpochEnd { epoch: 4, offset: 30 }), LogPosition::new(30, 4));
        assert_eq!(read().as_known_by_leader(EpochEnd { epoch: 5, offset: 30 }), read());
        assert_eq!(sought.truncated_to(EpochEnd { epoch: 4, offset: 29 }), Some(LogPosition::new(29, 4)));
    }

    #[test]
    fn a_position_never_moves_back_and_can_be_checked_in_its_epoch_or_a_later_one() {
        let mut read = read();
        read.advance(0, 9, 30);
        assert_eq!((read.offset, read.leader_epoch), (30, 5));
        assert!(read.can_be_checked(5) && read.can_be_checked(7));
        assert!(!read.can_be_checked(4), "another topic of this name");
        assert!(!read.can_be_checked(NO_EPOCH) && !LogPosition::new(1, NO_EPOCH).can_be_checked(5));
    }
}
