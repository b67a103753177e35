//! What has come of connecting, looking up and fetching.

use std::sync::Arc;

use bytes::Bytes;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{Broker, Connection, Done, ERROR_PAUSE, FetchedRecords, Fetcher};
use crate::{
    Error, ErrorKind, NodeId, TopicPartition,
    consumer::{
        fetch_connection::{Answered, InFlight, MAX_BATCH_BYTES, WantedPartition},
        positions::{Found, no_offset, reset},
    },
    error::ErrorCode,
    group::assignment::Position,
    wire::partition_records::PartitionRecords,
};

impl Fetcher {
    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Connected(node, opened) => {
                let Some(broker) = self.brokers.get_mut(&node) else { return };
                match opened {
                    Ok(connection) => broker.connection = Connection::Open(connection),
                    Err(error) => {
                        broker.connection = Connection::None;
                        broker.attempts.failed();
                        self.report(error);
                        self.leader_may_have_changed(node);
                    }
                }
            }
            Done::Leaders(looked_up) => {
                self.leaders.under_way = false;
                self.leaders.failed(); // until a fetch was answered
                match looked_up {
                    Ok(missing) => {
                        self.partitions.values_mut().for_each(|reading| reading.leader_changed = false);
                        if self.positions.settings.missing_topic_is_error {
                            let error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.error(None);
                            let missing = missing.into_iter().map(|topic| Error {
                                kind: ErrorKind::UnknownTopic,
                                message: format!("There is no topic '{topic}' any more."),
                                ..error.clone()
                            });
                            self.errors.extend(missing);
                        }
                    }
                    Err(error) => self.report(error),
                }
            }
            Done::Checked(asked, mut answers) => {
                for wanted in asked {
                    let answer = answers.remove(&wanted.partition);
                    self.checked(&wanted, answer.unwrap_or(Ok(None)));
                }
            }
            Done::Found(stamps, found) => {
                self.finding.under_way = false;
                match found {
                    Ok(found) => {
                        self.finding.backoff.reset();
                        for (partition, found) in found {
                            let stamp = stamps.get(&partition).copied().unwrap_or(0);
                            match found {
                                Ok(Found { position, is_committed }) => {
                                    self.assignment.found(&partition, stamp, position, is_committed);
                                }
                                Err(error) => self.report_of(&partition, error),
                            }
                        }
                    }
                    Err(error) => {
                        self.finding.failed();
                        self.report(error);
                    }
                }
            }
        }
    }

    pub(super) fn set_permit(&mut self, node: NodeId, permit: OwnedSemaphorePermit) {
        if let Some(Broker { connection: Connection::Open(connection), .. }) = self.brokers.get_mut(&node)
            && let Some(in_flight) = connection.in_flight()
        {
            in_flight.permit = Some(permit);
        }
    }

    pub(super) fn answered(&mut self, node: NodeId, frame: &Bytes, in_flight: InFlight) {
        let Some(Broker { connection: Connection::Open(connection), attempts }) = self.brokers.get_mut(&node) else {
            return;
        };
        let InFlight { wanted, permit, .. } = in_flight;
        let Some(mut permit) = permit else { return };
        let (code, partitions) = match connection.read(frame, &wanted) {
            Ok(read) => read,
            Err(_) => return self.disconnect(node),
        };
        if code != ErrorCode::NONE {
            self.report(code.error(None));
            return self.disconnect(node);
        }
        attempts.backoff.reset();
        self.failing = None;
        let beyond = permit.num_permits().saturating_sub(frame.len().max(1));
        self.reserve = if beyond > 0 { permit.split(beyond) } else { None };
        let permit = Arc::new(permit);
        for answered in partitions {
            self.partition_answered(answered, &permit);
        }
    }

    fn partition_answered(&mut self, answered: Answered<'_>, permit: &Arc<OwnedSemaphorePermit>) {
        let Answered { wanted, code, aborted, diverging, records } = answered;
        let WantedPartition { partition, stamp, from, .. } = wanted;
        let Some(reading) = self.partitions.get_mut(partition) else { return };
        if reading.stamp != *stamp || reading.position != Position::At(*from) {
            return; // sought or discarded meanwhile
        }
        if code == ErrorCode::NONE {
            self.leaders.backoff.reset();
        }
        if let (ErrorCode::NONE, Some(end)) = (code, diverging) {
            reading.not_before = Instant::now() + ERROR_PAUSE; // unless it is read from elsewhere
            return self.epoch_ends(wanted, end);
        }
        match code {
            ErrorCode::NONE if records.is_empty() => {}
            ErrorCode::NONE => {
                let records = PartitionRecords::new(records, &aborted, *from);
                match records.end() {
                    Some(end) => {
                        reading.position = Position::At(end);
                        // The memory that it has waited for is there.
                        reading.unpacked = 0;
                        self.ready.push_back(FetchedRecords {
                            partition: partition.clone(),
                            stamp: *stamp,
                            records,
                            next: None,
                            permit: permit.clone(),
                            unpacked: None,
                        });
                    }
                    None if reading.max_bytes < MAX_BATCH_BYTES => {
                        reading.max_bytes = reading.max_bytes.saturating_mul(4).min(MAX_BATCH_BYTES);
                    }
                    None => {
                        reading.not_before = Instant::now() + ERROR_PAUSE;
                        let message = format!(
                            "the batch at offset {} of {partition} is larger than {MAX_BATCH_BYTES} bytes",
                            from.offset
                        );
                        self.errors.push_back(Error::new(ErrorKind::RecordTooLarge, "MESSAGE_TOO_LARGE", message));
                    }
                }
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => self.out_of_range(partition, *stamp),
            // Deleted, perhaps to come back; or led by another broker.
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID | ErrorCode::INCONSISTENT_TOPIC_ID => {
                reading.leader_changed = true;
                reading.not_before = Instant::now() + ERROR_PAUSE;
            }
            ErrorCode::UNKNOWN_LEADER_EPOCH | ErrorCode::OFFSET_NOT_AVAILABLE => {
                reading.not_before = Instant::now() + ERROR_PAUSE;
            }
            code if code.error(None).is_transient() => reading.leader_changed = true,
            code => {
                let error = code.error(None);
                let message = format!("{partition} cannot be read: {}", error.message);
                self.report_of(&partition.clone(), Error { message, ..error });
            }
        }
    }

    /// The position is not in the log: the reset policy says where to go on.
    pub(super) fn out_of_range(&mut self, partition: &TopicPartition, stamp: u64) {
        match reset(self.positions.settings.auto_offset_reset) {
            Some(look_up) => self.assignment.reset(partition, stamp, look_up),
            None => {
                let partition = partition.clone();
                self.report_of(&partition, no_offset(&partition));
            }
        }
    }

    pub(super) fn disconnect(&mut self, node: NodeId) {
        if let Some(broker) = self.brokers.get_mut(&node) {
            broker.connection = Connection::None;
            broker.attempts.failed();
        }
        self.leader_may_have_changed(node);
    }

    /// Those that this broker led are looked up again.
    fn leader_may_have_changed(&mut self, node: NodeId) {
        let metadata = &self.positions.metadata;
        for (partition, reading) in &mut self.partitions {
            let leader = metadata.topic(&partition.topic).and_then(|topic| topic.leader(partition.partition.0));
            reading.leader_changed |= leader == Some(node);
        }
    }

    /// Keeps an error for the caller, unless it says only that it does not work now.
    fn report(&mut self, error: Error) {
        match error.is_transient() {
            true => {
                tracing::debug!(%error, "a consumer tries again");
                self.failing = Some(error);
            }
            false => self.errors.push_back(error),
        }
    }

    /// The same about one partition, which is left alone for a while.
    pub(super) fn report_of(&mut self, partition: &TopicPartition, error: Error) {
        if let Some(reading) = self.partitions.get_mut(partition) {
            reading.not_before = Instant::now() + ERROR_PAUSE;
        }
        self.report(error);
    }
}
