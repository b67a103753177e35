//! One partition, read in order from its beginning, without a group.
//!
//! A reader has one connection to the leader, on which one fetch rests at the broker until there is something to read: no polling,
//! no task, no thread. The next fetch is sent before the records of the last one are handed out. Only committed records are read
//! (`isolation.level=read_committed`); control records are left out. What the position is after a batch is decided by the batch,
//! not by the records that compaction has left in it.
//!
//! Source: KIP-98 (aborted transactions), KIP-320 (leader epochs).

use std::{collections::HashSet, future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ApiKey, BrokerId, FetchRequest,
        fetch_request::{FetchPartition, FetchTopic},
    },
    protocol::StrBytes,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Error, ErrorKind, NodeId, PartitionId, StoredRecord, TopicName, TopicPartition,
    admin::Admin,
    connection::{Backoff, Transport, reason},
    error::ErrorCode,
    in_place::{LARGE_COMPRESSED, in_place},
    leader_epochs::{self, CHECKED_BY_FETCH, EpochQuestion},
    log_position::{EpochEnd, LogPosition, NO_EPOCH},
    metadata::Metadata,
    network::Network,
    wire::{
        fetch,
        records::{BadBatch, Batch},
    },
};

/// How long a fetch rests at the broker while nothing is appended.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// A broker that does not answer a fetch within this is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// What a fetch asks for. One batch comes whole, even if it is larger.
const INITIAL_BYTES: i32 = 1 << 20;
/// A batch larger than this is not read.
const MAX_BYTES: i32 = 64 << 20;
/// Frames hold a little more than the records.
const MAX_FRAME: usize = (MAX_BYTES as usize) + (1 << 20);
/// Records handed out together.
const MAX_RECORDS: usize = 10_000;

/// One partition, read in order. It goes on for ever: what is appended later is read as well, and a broker that goes away is
/// waited for.
pub struct Reader {
    network: Arc<Network>,
    metadata: Arc<Metadata>,
    admin: Arc<Admin>,
    topic: TopicName,
    partition: PartitionId,
    position: LogPosition,
    max_bytes: i32,
    connection: Option<Connection>,
    backoff: Backoff,
    /// For how long the broker does not read the connection.
    muted: Duration,
    /// Records that were read and not handed out yet, and the error that came after them.
    ready: Vec<StoredRecord>,
    failed: Option<Error>,
}

/// The connection to the leader.
struct Connection {
    transport: Transport,
    version: i16,
    leader_epoch: i32,
    /// The fetch that rests at the broker.
    correlation_id: i32,
    asked: Instant,
}

/// What an answer says besides records.
enum FetchOutcome {
    GoOn,
    /// The position is not in the log: it begins later.
    OutOfRange,
    /// Another broker leads the partition, or none does, or this one cannot answer.
    AskForLeader,
    /// The batch is larger than what was asked for.
    TooSmall,
    Failed(Error),
}

impl Reader {
    pub(crate) fn new(
        network: Arc<Network>,
        metadata: Arc<Metadata>,
        admin: Arc<Admin>,
        topic: &TopicName,
        partition: PartitionId,
    ) -> Reader {
        Reader {
            network,
            metadata,
            admin,
            topic: topic.clone(),
            partition,
            position: LogPosition::new(0, NO_EPOCH),
            max_bytes: INITIAL_BYTES,
            connection: None,
            backoff: Backoff::RETRY,
            muted: Duration::ZERO,
            ready: Vec::new(),
            failed: None,
        }
    }

    /// Waits for the next records (at least one). Cancel safe: records not returned come with the next call.
    ///
    /// # Errors
    /// What the cluster says of the partition, such as that it may not be read. Reading may be tried again.
    pub async fn next(&mut self) -> Result<Vec<StoredRecord>, Error> {
        loop {
            if !self.ready.is_empty() {
                let rest = self.ready.split_off(self.ready.len().min(MAX_RECORDS));
                return Ok(std::mem::replace(&mut self.ready, rest));
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.connection.is_none() {
                match self.connect().await {
                    Ok(connection) => self.connection = Some(connection),
                    Err(error) if error.is_transient() || error.kind == ErrorKind::UnknownTopic => {
                        tracing::debug!(topic = %self.topic, partition = %self.partition, %error, "the leader cannot be read from");
                        sleep(self.backoff.next()).await;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            self.read().await?;
        }
    }

    /// One answer of the leader.
    async fn read(&mut self) -> Result<(), Error> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let Some(left) = (connection.asked + ANSWER_TIMEOUT + self.muted).checked_duration_since(Instant::now()) else {
            self.connection = None;
            return Ok(());
        };
        let frame = match timeout(left, poll_fn(|context| connection.transport.poll_frame(context))).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(error)) => {
                tracing::debug!(topic = %self.topic, partition = %self.partition, error = reason(&error), "the connection of a reader ended");
                self.connection = None;
                sleep(self.backoff.next()).await;
                return Ok(());
            }
            Err(_) => {
                self.connection = None;
                return Ok(());
            }
        };
        let (version, correlation_id) = (connection.version, connection.correlation_id);
        match in_place(frame.len() > LARGE_COMPRESSED, || self.take(&frame, version, correlation_id)) {
            FetchOutcome::GoOn => {
                self.backoff.reset();
                self.max_bytes = INITIAL_BYTES;
                self.ask();
            }
            FetchOutcome::TooSmall if self.max_bytes < MAX_BYTES => {
                self.max_bytes = self.max_bytes.saturating_mul(4).min(MAX_BYTES);
                self.ask();
            }
            FetchOutcome::TooSmall => {
                let message = format!("the batch at offset {} is larger than {MAX_BYTES} bytes", self.position.offset);
                self.failed = Some(Error::new(ErrorKind::RecordTooLarge, "MESSAGE_TOO_LARGE", message));
                self.connection = None;
            }
            FetchOutcome::OutOfRange => {
                // Not kept while waiting: a caller that gives up would leave a connection without a fetch.
                let connection = self.connection.take();
                if let Ok(range) = self.admin.offsets(&self.topic, self.partition).await {
                    let (from, to) = (self.position.offset, range.earliest.0);
                    tracing::debug!(topic = %self.topic, partition = %self.partition, from, to, "the log begins later");
                    self.position = LogPosition::new(to, NO_EPOCH);
                    self.connection = connection;
                    self.ask();
                }
            }
            FetchOutcome::AskForLeader => {
                self.connection = None;
                sleep(self.backoff.next()).await;
            }
            FetchOutcome::Failed(error) => {
                self.failed = Some(error);
                self.connection = None;
            }
        }
        Ok(())
    }

    /// Finds the leader, connects and sends the first fetch.
    async fn connect(&mut self) -> Result<Connection, Error> {
        let topic = self.metadata.asked_once(&self.topic).await?;
        let at = usize::try_from(self.partition.0).ok();
        let Some(leader) = at.and_then(|at| topic.partitions.get(at)) else {
            let message = format!("topic {} has {} partitions, but no {}", self.topic, topic.count(), self.partition);
            return Err(Error::new(ErrorKind::UnknownPartition, "UNKNOWN_TOPIC_OR_PARTITION", message));
        };
        let address = leader.node.and_then(|node| self.network.address(node));
        let Some(address) = address else { return Err(ErrorCode::LEADER_NOT_AVAILABLE.error(None)) };
        let transport = self.network.open(&address, MAX_FRAME).await?;
        let version = transport.version(ApiKey::Fetch)?;
        if let Some(node) = leader.node.filter(|_| version < CHECKED_BY_FETCH) {
            self.check(node, leader.epoch).await?;
        }
        let mut connection =
            Connection { transport, version, leader_epoch: leader.epoch, correlation_id: 0, asked: Instant::now() };
        connection.ask(&self.topic, self.partition, self.position, self.max_bytes)?;
        Ok(connection)
    }

    /// Asks a leader whose Fetch does not say it whether its log has what was read.
    async fn check(&mut self, leader: NodeId, current_epoch: i32) -> Result<(), Error> {
        if !self.position.can_be_checked(current_epoch) {
            return Ok(());
        }
        let partition = TopicPartition { topic: self.topic.clone(), partition: self.partition };
        let asked = EpochQuestion { partition, current_epoch, epoch: self.position.leader_epoch };
        let answers = leader_epochs::ask(&self.network, leader, &[asked], Instant::now() + ANSWER_TIMEOUT).await;
        match answers.into_values().next() {
            Some(Ok(Some(end))) => self.epoch_ends(end),
            // It knows nothing of the epoch, or cannot be asked: what the offset means is for its Fetch to say.
            Some(Ok(None)) | None => {}
            Some(Err(error)) if error.name == ErrorCode::UNSUPPORTED_VERSION.name() => {}
            Some(Err(error)) => return Err(error),
        }
        Ok(())
    }

    /// A leader has said where the epoch of what was read ends in its log: what was read beyond is lost.
    fn epoch_ends(&mut self, end: EpochEnd) {
        let Some(back) = self.position.truncated_to(end) else {
            self.position = self.position.as_known_by_leader(end);
            return;
        };
        let (topic, partition, from, to) = (&self.topic, self.partition, self.position.offset, back.offset);
        tracing::warn!(%topic, %partition, from, to, "the log was truncated: a leader without all records was elected");
        self.ready.retain(|record| record.offset.0 < to);
        self.position = back;
    }

    /// Sends the next fetch, so that it rests at the broker while the caller works on what was read.
    fn ask(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        if connection.ask(&self.topic, self.partition, self.position, self.max_bytes).is_err() {
            self.connection = None;
        }
    }

    /// Takes the records of an answer. What came before something unreadable is kept.
    fn take(&mut self, frame: &Bytes, version: i16, correlation_id: i32) -> FetchOutcome {
        if frame.first_chunk() != Some(&correlation_id.to_be_bytes()) {
            return FetchOutcome::AskForLeader;
        }
        let Ok(answer) = fetch::answer(&frame[4..], version) else { return FetchOutcome::AskForLeader };
        self.throttle(answer.throttle_ms);
        let partition = answer.partitions.iter().find(|partition| partition.partition == self.partition.0);
        let (code, partition) = match (ErrorCode(answer.code), partition) {
            (ErrorCode::NONE, Some(partition)) => (ErrorCode(partition.code), partition),
            (ErrorCode::NONE, None) => return FetchOutcome::AskForLeader,
            (code, _) => {
                return if code.error(None).is_transient() {
                    FetchOutcome::AskForLeader
                } else {
                    FetchOutcome::Failed(code.error(None))
                };
            }
        };
        match code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => return FetchOutcome::OutOfRange,
            // Deleted, perhaps to come back.
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID | ErrorCode::INCONSISTENT_TOPIC_ID => {
                return FetchOutcome::AskForLeader;
            }
            code if code.error(None).is_transient() => return FetchOutcome::AskForLeader,
            code => return FetchOutcome::Failed(code.error(None)),
        }
        if let Some(end) = partition.diverging {
            let before = self.position;
            self.epoch_ends(end);
            return if self.position == before { FetchOutcome::AskForLeader } else { FetchOutcome::GoOn };
        }
        match self.take_batches(partition) {
            Ok(0) if !partition.records.is_empty() => FetchOutcome::TooSmall,
            Ok(_) => FetchOutcome::GoOn,
            Err(bad) => {
                let message = format!(
                    "partition {} of topic {} cannot be read at offset {}: {bad}",
                    self.partition, self.topic, self.position.offset
                );
                FetchOutcome::Failed(Error::new(ErrorKind::Other, "CORRUPT_MESSAGE", message))
            }
        }
    }

    /// The broker does not read this connection for so long (KIP-219): an answer may take that much longer.
    fn throttle(&mut self, throttle_ms: i32) {
        self.muted = Duration::from_millis(u64::try_from(throttle_ms).unwrap_or(0));
    }

    /// How many whole batches there were.
    fn take_batches(&mut self, answer: &fetch::PartitionAnswer<'_>) -> Result<usize, BadBatch> {
        let mut aborted = answer.aborted.clone();
        aborted.sort_by_key(|(_, first_offset)| *first_offset);
        let mut aborted = aborted.into_iter().peekable();
        let mut aborting = HashSet::new();
        let (mut rest, mut batches) = (answer.records, 0);
        while let Some(read) = Batch::read(rest) {
            let (batch, after) = read?;
            rest = after;
            batches += 1;
            let last_offset = batch.last_offset();
            while let Some((producer_id, _)) = aborted.next_if(|(_, first_offset)| *first_offset <= last_offset) {
                aborting.insert(producer_id);
            }
            if batch.is_control() {
                if batch.is_abort_marker() {
                    aborting.remove(&batch.producer_id);
                }
            } else if !(batch.is_transactional() && aborting.contains(&batch.producer_id))
                && last_offset >= self.position.offset
            {
                batch.records(self.position.offset, |record| self.ready.push(record))?;
            }
            self.position.advance(batch.base_offset, batch.leader_epoch, last_offset.saturating_add(1));
        }
        Ok(batches)
    }
}

impl Connection {
    fn ask(
        &mut self,
        topic: &TopicName,
        partition: PartitionId,
        position: LogPosition,
        max_bytes: i32,
    ) -> Result<(), Error> {
        let mut wanted = FetchPartition::default()
            .with_partition(partition.0)
            .with_fetch_offset(position.offset)
            .with_partition_max_bytes(max_bytes);
        if self.version >= 9 {
            wanted = wanted.with_current_leader_epoch(self.leader_epoch);
        }
        // A leader that has not got what was read says so.
        if self.version >= CHECKED_BY_FETCH && position.can_be_checked(self.leader_epoch) {
            wanted = wanted.with_last_fetched_epoch(position.leader_epoch);
        }
        let name = kafka_protocol::messages::TopicName(StrBytes::from_string(topic.as_str().to_owned()));
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(i32::try_from(MAX_WAIT.as_millis()).unwrap_or(500))
            .with_min_bytes(1)
            .with_max_bytes(max_bytes)
            .with_isolation_level(1)
            .with_session_epoch(-1)
            .with_topics(vec![FetchTopic::default().with_topic(name).with_partitions(vec![wanted])]);
        self.correlation_id = self.transport.queue_request(&request, self.version).map_err(Error::unavailable)?;
        self.asked = Instant::now();
        self.transport.try_send();
        Ok(())
    }
}
