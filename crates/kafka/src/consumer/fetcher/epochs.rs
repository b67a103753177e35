//! Whether leaders have what was read (KIP-320): what their Fetch says of it, and what brokers that say nothing there are asked.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::{Done, ERROR_PAUSE, Fetcher, LOOK_UP_TIMEOUT, Reading};
use crate::{
    Error, ErrorKind, NodeId, TopicPartition,
    consumer::{fetch_connection::WantedPartition, settings::OffsetReset},
    error::ErrorCode,
    group::assignment::Position,
    leader_epochs::{self, EpochQuestion},
    log_position::EpochEnd,
    network::Network,
};

/// Takes those out of `wanted` about which the leader is to be asked first. They are not read meanwhile.
pub(super) fn take_unchecked(
    partitions: &mut HashMap<TopicPartition, Reading>,
    wanted: &mut Vec<WantedPartition>,
) -> Vec<WantedPartition> {
    let is_unchecked = |wanted: &mut WantedPartition| {
        let Some(reading) = partitions.get_mut(&wanted.partition) else { return false };
        let is_checked = reading.checked_epoch == wanted.leader_epoch;
        reading.is_checking = !is_checked && wanted.from.can_be_checked(wanted.leader_epoch);
        reading.is_checking
    };
    wanted.extract_if(.., is_unchecked).collect()
}

pub(super) async fn check(network: Arc<Network>, leader: NodeId, wanted: Vec<WantedPartition>) -> Done {
    let question = |wanted: &WantedPartition| EpochQuestion {
        partition: wanted.partition.clone(),
        current_epoch: wanted.leader_epoch,
        epoch: wanted.from.leader_epoch,
    };
    let questions: Vec<_> = wanted.iter().map(question).collect();
    let answers = leader_epochs::ask(&network, leader, &questions, Instant::now() + LOOK_UP_TIMEOUT).await;
    Done::Checked(wanted, answers)
}

impl Fetcher {
    /// A leader was asked about the epoch of what was read; `None`: it knows nothing of it, nor of any epoch before.
    pub(super) fn checked(&mut self, wanted: &WantedPartition, answer: Result<Option<EpochEnd>, Error>) {
        let WantedPartition { partition, stamp, leader_epoch, .. } = wanted;
        let Some(reading) = self.partitions.get_mut(partition).filter(|reading| reading.stamp == *stamp) else {
            return; // sought or discarded meanwhile
        };
        reading.is_checking = false;
        match answer {
            Ok(Some(end)) => {
                if wanted.from.truncated_to(end).is_none() {
                    reading.checked_epoch = *leader_epoch;
                }
                self.epoch_ends(wanted, end);
            }
            Ok(None) => self.out_of_range(partition, *stamp),
            // A broker that cannot be asked is believed.
            Err(error) if error.name == ErrorCode::UNSUPPORTED_VERSION.name() => reading.checked_epoch = *leader_epoch,
            Err(error) => {
                reading.leader_changed |= error.is_transient();
                self.report_of(partition, error);
            }
        }
    }

    /// A leader has said where the epoch of what was read ends in its log. If that is before what was read, a leader without all records
    /// was elected, and the rest is lost: reading goes back to there, or ends with an error where nothing says where to begin.
    pub(super) fn epoch_ends(&mut self, wanted: &WantedPartition, end: EpochEnd) {
        let WantedPartition { partition, stamp, from, .. } = wanted;
        let Some(reading) = self.partitions.get_mut(partition) else { return };
        let Some(to) = from.truncated_to(end) else {
            reading.position = Position::At(from.as_known_by_leader(end));
            return;
        };
        let (from, to_offset) = (from.offset, to.offset);
        if self.positions.settings.auto_offset_reset != OffsetReset::None {
            tracing::warn!(%partition, from, to = to_offset, "the log was truncated: a leader without all records was elected");
            self.assignment.truncated(partition, *stamp, to);
            return;
        }
        reading.not_before = Instant::now() + ERROR_PAUSE;
        let message = format!(
            "{partition} was truncated: a leader without all records was elected, and what was read from offset {to_offset} up to \
             {from} is no longer there; auto.offset.reset is none, so say where to go on"
        );
        self.errors.push_back(Error::new(ErrorKind::NoOffset, "LOG_TRUNCATED", message));
    }
}
