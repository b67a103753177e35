//! The queue of one partition: what waits, what is under way, and the sequence numbers.
//!
//! ```text
//! Idle ──append──► Ready(broker) ──sender takes the batch──► InFlight ──written──► Ready or Idle
//!                    ▲                                         │
//!                    └────────── Recovering ◄──────────────────┘ an error that may pass, no leader
//! ```
//!
//! One batch per partition is under way at a time. Records that arrive meanwhile gather in the next one, so no timer is needed: a
//! lone record leaves at once, and many leave together. A batch is sealed when a sender takes it; a retry sends the same bytes
//! with the same sequence numbers. A sequence number that was sent belongs to those records for good: whenever a batch is given
//! up or refused, what follows goes on under the next epoch, which is changed here and needs no broker (KIP-360).

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::attempt::{self, Next};
use crate::{
    AppendError, Error, ErrorKind, Fate, NodeId, PartitionId, Record, TopicName,
    deliveries::DeliveryHandle,
    error::ErrorCode,
    wire::{
        batch::{BatchBuilder, Sequence},
        produce::PartitionAnswer,
    },
};

/// A batch takes no further record beyond this; a larger record goes alone. Below the default of `max.message.bytes`.
const MAX_BATCH_BYTES: usize = 1_000_000;
/// A topic that refused a batch as too large gets smaller ones, but never smaller than this.
const MIN_BATCH_LIMIT: usize = 512;
/// A limit that was learned from a refusal is forgotten after this: the topic may have been changed.
const LIMIT_VALID_FOR: Duration = Duration::from_secs(300);

/// The producer id and the epoch from which partitions begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) first_epoch: i16,
}

/// The largest batch that a topic takes, as far as known.
#[derive(Debug, Default)]
pub(crate) struct BatchLimit(Mutex<Option<(usize, Instant)>>);

impl BatchLimit {
    fn bytes(&self) -> usize {
        match *self.0.lock() {
            Some((bytes, since)) if since.elapsed() < LIMIT_VALID_FOR => bytes,
            Some(_) | None => MAX_BATCH_BYTES,
        }
    }

    /// A batch of so many bytes was refused.
    fn refused(&self, bytes: usize) {
        let mut limit = self.0.lock();
        let lower = (bytes / 2).max(MIN_BATCH_LIMIT);
        let current = limit.map_or(MAX_BATCH_BYTES, |(bytes, _)| bytes);
        *limit = Some((lower.min(current), Instant::now()));
    }
}

/// A partition of a topic.
pub(crate) struct Partition {
    pub(crate) topic: TopicName,
    pub(crate) index: i32,
    queue: Mutex<Queue>,
    /// Bytes in the queue, for choosing the emptiest partition without a lock.
    queued_bytes: AtomicUsize,
    has_leader: AtomicBool,
    limit: Arc<BatchLimit>,
}

#[derive(Default)]
struct Queue {
    leader: Option<NodeId>,
    state: State,
    /// Sealed: under way, or to be sent again.
    current: Option<SealedBatch>,
    waiting: VecDeque<OpenBatch>,
    sequence: Option<Sequence>,
    /// The epoch of the sequence must be left behind before the next batch.
    epoch_is_spent: bool,
    /// Since when the cluster says that it does not know the partition.
    missing_since: Option<Instant>,
    /// Why the last attempt failed.
    obstacle: Option<Error>,
    failures: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing waits.
    #[default]
    Idle,
    /// In the list of the sender for this broker.
    Ready(NodeId),
    /// A sender has sent the current batch.
    InFlight,
    /// A task looks for the leader or waits for a pause to end.
    Recovering,
}

/// A batch that takes records.
struct OpenBatch {
    records: BatchBuilder,
    handles: Vec<DeliveryHandle>,
    /// Of the oldest record in it.
    deadline: Instant,
}

/// A batch whose bytes never change again.
struct SealedBatch {
    bytes: Bytes,
    count: usize,
    max_timestamp: i64,
    /// Empty once the callers have been answered, although the batch is still under way.
    handles: Vec<DeliveryHandle>,
    deadline: Instant,
    /// Whether an attempt may have been written.
    unsure: bool,
    attempts: u32,
}

/// What a partition needs next. `#[must_use]`: forgetting it leaves records where they are.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// To be put into the list of this broker's sender.
    Ready(NodeId),
    /// To be looked after by a task: the leader, and a pause after so many failures.
    Recover {
        ask_leader: bool,
        failures: u32,
    },
    /// The same, and a new producer id is needed.
    NewProducer,
}

/// What a sender gets from a partition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// This batch is now under way.
    Batch(Bytes),
    /// It is not this sender's turn, or nothing is left.
    Nothing,
    /// Its epochs are used up: the next batch needs another producer id.
    NewProducer,
}

/// Records and what became of them, to be answered when no lock is held.
#[derive(Default)]
#[must_use]
pub(crate) struct Answers {
    failed: Vec<(Vec<DeliveryHandle>, AppendError)>,
    written: Vec<(DeliveryHandle, i64, Option<i64>)>,
    partition: i32,
}

impl Answers {
    pub(crate) fn send(self) {
        for (handle, offset, append_time_ms) in self.written {
            handle.written(PartitionId(self.partition), offset, append_time_ms);
        }
        for (handles, error) in self.failed {
            for handle in handles {
                handle.failed(&error);
            }
        }
    }
}

/// A lock on the queue of a partition, for appending several records.
pub(crate) struct Appender<'a> {
    partition: &'a Partition,
    queue: MutexGuard<'a, Queue>,
    limit: usize,
    bytes: usize,
}

impl Appender<'_> {
    /// Takes a record of this serialized size (as a batch of its own).
    pub(crate) fn push(
        &mut self,
        record: &Record,
        timestamp_ms: i64,
        size: usize,
        handle: DeliveryHandle,
        deadline: Instant,
    ) {
        let fits = |open: &&mut OpenBatch| open.records.len() + size <= self.limit;
        if let Some(open) = self.queue.waiting.back_mut().filter(fits) {
            let before = open.records.len();
            open.records.push(record, timestamp_ms);
            self.bytes += open.records.len() - before;
            let left = match open.handles.last_mut() {
                Some(last) => last.join(handle),
                None => Some(handle),
            };
            open.handles.extend(left);
            return;
        }
        let mut records = BatchBuilder::with_capacity(size);
        records.push(record, timestamp_ms);
        self.bytes += records.len();
        self.queue.waiting.push_back(OpenBatch { records, handles: vec![handle], deadline });
    }

    pub(crate) fn finish(mut self) -> Step {
        self.partition.queued_bytes.fetch_add(self.bytes, Ordering::Relaxed);
        if self.queue.state == State::Idle { self.queue.proceed() } else { Step::Nothing }
    }
}

impl Partition {
    pub(crate) fn new(topic: TopicName, index: i32, limit: Arc<BatchLimit>) -> Partition {
        Partition {
            topic,
            index,
            queue: Mutex::default(),
            queued_bytes: AtomicUsize::new(0),
            has_leader: AtomicBool::new(false),
            limit,
        }
    }

    pub(crate) fn appender(&self) -> Appender<'_> {
        Appender { partition: self, limit: self.limit.bytes(), queue: self.queue.lock(), bytes: 0 }
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn has_leader(&self) -> bool {
        self.has_leader.load(Ordering::Relaxed)
    }

    /// Whether nothing waits or is under way.
    pub(crate) fn is_idle(&self) -> bool {
        let queue = self.queue.lock();
        queue.state == State::Idle && queue.current.is_none() && queue.waiting.is_empty()
    }

    /// The epoch after all that this partition has used.
    pub(crate) fn next_epoch(&self) -> Option<i16> {
        self.queue.lock().sequence.map(|sequence| sequence.epoch.saturating_add(1))
    }

    /// The cluster has named the leader.
    pub(crate) fn set_leader(&self, leader: Option<NodeId>) -> Step {
        let mut queue = self.queue.lock();
        self.has_leader.store(leader.is_some(), Ordering::Relaxed);
        queue.leader = leader;
        match (queue.state, leader) {
            (State::Ready(node), Some(leader)) if node != leader => queue.proceed(),
            _ => Step::Nothing, // a task or the sender looks at the leader when it is done
        }
    }

    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.queue.lock().leader
    }

    /// The batch to be sent to `node`, if it is this partition's turn there.
    pub(crate) fn take(&self, node: NodeId, identity: Identity) -> Taken {
        let mut queue = self.queue.lock();
        if queue.state != State::Ready(node) {
            return Taken::Nothing;
        }
        let batch = match queue.current.take() {
            Some(batch) => batch,
            None if queue.has_no_epoch_left(identity) => return Taken::NewProducer,
            None => {
                let Some(open) = queue.waiting.pop_front() else {
                    queue.state = State::Idle;
                    return Taken::Nothing;
                };
                queue.seal(open, identity)
            }
        };
        let bytes = batch.bytes.clone();
        queue.current = Some(batch);
        queue.state = State::InFlight;
        Taken::Batch(bytes)
    }

    /// The broker has answered for the batch under way.
    pub(crate) fn answered(&self, answer: &PartitionAnswer<'_>) -> (Step, Answers) {
        let code = ErrorCode(answer.code);
        let mut queue = self.queue.lock();
        let Some(mut batch) = queue.current.take() else { return (Step::Nothing, Answers::default()) };
        batch.attempts += 1;
        batch.unsure |= attempt::may_be_written(code, answer.base_offset);
        let mut answers = Answers { partition: self.index, ..Answers::default() };
        // Of a record that is alone brokers say more than of its batch.
        let of_record = answer.record_errors.first().and_then(|(_, text)| *text).filter(|_| batch.count == 1);
        let sentence = of_record.or(answer.message);
        let error = || code.error(sentence);
        let next = attempt::next(code, batch.unsure, batch.count, batch.attempts);
        if batch.handles.is_empty() && next != Next::Written {
            // The callers were told that nothing is known. What follows must not depend on it.
            self.release(batch.bytes.len());
            queue.epoch_is_spent = true;
            return (queue.proceed(), answers);
        }
        let step = match next {
            Next::Written => {
                self.release(batch.bytes.len());
                answers.written(batch, answer.base_offset, answer.log_append_time_ms);
                queue.succeeded();
                queue.proceed()
            }
            Next::Retry { ask_leader } => {
                queue.current = Some(batch);
                queue.recover(ask_leader, error())
            }
            Next::Split => {
                self.limit.refused(batch.bytes.len());
                let half = batch.count.div_ceil(2);
                queue.reopen(batch, 2, |index| Some(usize::from(index >= half)));
                queue.proceed()
            }
            Next::Separate => {
                self.separate(&mut queue, batch, answer, &mut answers);
                queue.proceed()
            }
            Next::NewEpoch | Next::NewProducer => {
                tracing::warn!(topic = %self.topic, partition = self.index, error = %error(), "the partition does not know what was written before; its records are sent under a new epoch");
                queue.reopen(batch, 1, |_| Some(0));
                let recover = queue.recover(false, error());
                if next == Next::NewProducer {
                    queue.sequence = None;
                    Step::NewProducer
                } else {
                    recover
                }
            }
            Next::Fail => {
                self.release(batch.bytes.len());
                let fate = batch.fate();
                answers.failed.push((batch.handles, AppendError { error: error(), fate }));
                queue.epoch_is_spent = true;
                queue.succeeded();
                queue.proceed()
            }
        };
        if matches!(next, Next::Split | Next::Separate | Next::NewEpoch | Next::NewProducer) {
            self.recount(&queue);
        }
        (step, answers)
    }

    /// The attempt under way has ended without an answer. `sent`: the broker may have carried it out.
    pub(crate) fn lost(&self, sent: bool, reason: &Error) -> (Step, Answers) {
        let mut queue = self.queue.lock();
        let Some(batch) = &mut queue.current else { return (Step::Nothing, Answers::default()) };
        batch.unsure |= sent;
        batch.attempts += u32::from(sent);
        if batch.handles.is_empty() {
            let length = batch.bytes.len();
            queue.current = None;
            queue.epoch_is_spent = true;
            self.release(length);
        }
        (queue.recover(true, reason.clone()), Answers::default())
    }

    /// The sender for `node` cannot reach its broker.
    pub(crate) fn unreachable(&self, node: NodeId, reason: &Error) -> Step {
        let mut queue = self.queue.lock();
        if queue.state != State::Ready(node) {
            return Step::Nothing;
        }
        queue.recover(true, reason.clone())
    }

    /// A task has looked after the partition: it goes on, if it has a leader. `known`: the cluster knows the partition.
    pub(crate) fn recovered(&self, known: bool) -> Step {
        let mut queue = self.queue.lock();
        if queue.state != State::Recovering {
            return Step::Nothing;
        }
        match known {
            true => queue.missing_since = None,
            false => drop(queue.missing_since.get_or_insert_with(Instant::now)),
        }
        queue.proceed()
    }

    /// Since when the cluster has not known the partition.
    pub(crate) fn missing_for(&self) -> Duration {
        self.queue.lock().missing_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Everything that waits has failed; what is under way goes on.
    pub(crate) fn fail_waiting(&self, error: &Error) -> Answers {
        self.give_up(|_| true, |_, _| error.clone())
    }

    /// What was not acknowledged by its deadline has failed.
    pub(crate) fn expire(&self, now: Instant, delivery_timeout: Duration) -> Answers {
        self.give_up(|deadline| deadline <= now, |obstacle, fate| not_delivered(delivery_timeout, obstacle, fate))
    }

    fn give_up(&self, is_over: impl Fn(Instant) -> bool, error: impl Fn(Option<&Error>, Fate) -> Error) -> Answers {
        let mut answers = Answers { partition: self.index, ..Answers::default() };
        let mut queue = self.queue.lock();
        let queue = &mut *queue;
        if let Some(batch) = queue.current.as_mut().filter(|batch| is_over(batch.deadline) && !batch.handles.is_empty())
        {
            let in_flight = queue.state == State::InFlight;
            batch.unsure |= in_flight;
            let fate = batch.fate();
            let error = error(queue.obstacle.as_ref(), fate);
            answers.failed.push((std::mem::take(&mut batch.handles), AppendError { error, fate }));
            // Under way: it stays until it is answered, and then leaves the epoch behind.
            if !in_flight {
                self.release(batch.bytes.len());
                queue.current = None;
                queue.epoch_is_spent = true;
            }
        }
        while queue.waiting.front().is_some_and(|open| is_over(open.deadline)) {
            let Some(open) = queue.waiting.pop_front() else { break };
            self.release(open.records.len());
            let error = error(queue.obstacle.as_ref(), Fate::NotWritten);
            answers.failed.push((open.handles, AppendError::not_written(error)));
        }
        answers
    }

    /// A batch was taken apart: what is queued has other sizes now.
    fn recount(&self, queue: &Queue) {
        let waiting: usize = queue.waiting.iter().map(|open| open.records.len()).sum();
        let current = queue.current.as_ref().map_or(0, |batch| batch.bytes.len());
        self.queued_bytes.store(waiting + current, Ordering::Relaxed);
    }

    fn release(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Some records are refused: by name where the broker names them, else they are found by halving the batch.
    fn separate(&self, queue: &mut Queue, batch: SealedBatch, answer: &PartitionAnswer<'_>, answers: &mut Answers) {
        let code = ErrorCode(answer.code);
        let culprit = |index: usize| {
            answer.record_errors.iter().find(|(at, _)| usize::try_from(*at) == Ok(index)).map(|(_, text)| *text)
        };
        if !(0..batch.count).any(|index| culprit(index).is_some()) {
            let half = batch.count.div_ceil(2);
            queue.reopen(batch, 2, |index| Some(usize::from(index >= half)));
            return;
        }
        for (handles, index) in queue.reopen(batch, 1, |index| culprit(index).is_none().then_some(0)) {
            let text = culprit(index).flatten().or(answer.message);
            answers.failed.push((vec![handles], AppendError::not_written(code.error(text))));
        }
    }
}

impl Queue {
    /// What the partition needs now that nothing of it is under way.
    fn proceed(&mut self) -> Step {
        if self.current.is_none() && self.waiting.is_empty() {
            self.state = State::Idle;
            return Step::Nothing;
        }
        match self.leader {
            Some(leader) => {
                self.state = State::Ready(leader);
                Step::Ready(leader)
            }
            None => {
                self.state = State::Recovering;
                self.failures += 1;
                Step::Recover { ask_leader: true, failures: self.failures }
            }
        }
    }

    fn recover(&mut self, ask_leader: bool, obstacle: Error) -> Step {
        self.obstacle = Some(obstacle);
        self.failures += 1;
        self.state = State::Recovering;
        Step::Recover { ask_leader, failures: self.failures }
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        self.obstacle = None;
        self.missing_since = None;
    }

    fn has_no_epoch_left(&self, identity: Identity) -> bool {
        self.epoch_is_spent
            && self.sequence.is_some_and(|known| known.epoch == i16::MAX && known.producer_id == identity.producer_id)
    }

    /// Gives the batch its sequence numbers and its final bytes.
    fn seal(&mut self, open: OpenBatch, identity: Identity) -> SealedBatch {
        let fresh = Sequence { producer_id: identity.producer_id, epoch: identity.first_epoch, first: 0 };
        let sequence = match self.sequence {
            Some(known) if self.epoch_is_spent => match known.epoch.checked_add(1) {
                Some(epoch) => Sequence { epoch, first: 0, ..known },
                None => fresh, // under another producer id: see `has_no_epoch_left`
            },
            Some(known) => known,
            None => fresh,
        };
        self.epoch_is_spent = false;
        let count = open.records.count();
        // From 2147483647 they go on with 0.
        let next = (i64::from(sequence.first) + i64::from(count)) & i64::from(i32::MAX);
        self.sequence = Some(Sequence { first: i32::try_from(next).unwrap_or(0), ..sequence });
        SealedBatch {
            count: usize::try_from(count).unwrap_or(0),
            max_timestamp: open.records.max_timestamp(),
            bytes: open.records.seal(sequence),
            handles: open.handles,
            deadline: open.deadline,
            unsure: false,
            attempts: 0,
        }
    }

    /// Puts the records of a batch that was certainly not written into `parts` new ones at the front of the queue, under the
    /// next epoch. Returns the records that `place` puts nowhere, with their index.
    fn reopen(
        &mut self,
        batch: SealedBatch,
        parts: usize,
        place: impl Fn(usize) -> Option<usize>,
    ) -> Vec<(DeliveryHandle, usize)> {
        self.epoch_is_spent = true;
        let records =
            BatchBuilder::rebuild(&batch.bytes, parts, &place).expect("a batch that was built here can be read");
        let mut handles: Vec<Vec<DeliveryHandle>> = (0..parts).map(|_| Vec::new()).collect();
        let mut left_out = Vec::new();
        for (index, handle) in batch.handles.into_iter().flat_map(DeliveryHandle::split).enumerate() {
            match place(index) {
                None => left_out.push((handle, index)),
                Some(part) => match handles[part].last_mut() {
                    Some(last) => {
                        let rest = last.join(handle);
                        handles[part].extend(rest);
                    }
                    None => handles[part].push(handle),
                },
            }
        }
        for (records, handles) in records.into_iter().zip(handles).rev() {
            if records.count() > 0 {
                self.waiting.push_front(OpenBatch { records, handles, deadline: batch.deadline });
            }
        }
        left_out
    }
}

impl SealedBatch {
    fn fate(&self) -> Fate {
        if self.unsure { Fate::Unknown } else { Fate::NotWritten }
    }
}

impl Answers {
    fn written(&mut self, batch: SealedBatch, base_offset: i64, log_append_time_ms: i64) {
        // A broker that recognises a repeated batch answers with the batch's own largest time, whatever the topic's kind of time.
        let append_time_ms =
            (log_append_time_ms >= 0 && log_append_time_ms != batch.max_timestamp).then_some(log_append_time_ms);
        let mut offset = base_offset;
        for handle in batch.handles {
            let count = i64::try_from(handle.count()).unwrap_or(0);
            self.written.push((handle, offset, append_time_ms));
            if base_offset >= 0 {
                offset = offset.saturating_add(count);
            }
        }
    }
}

/// The error of records that were not acknowledged in time. `obstacle`: why the last attempt failed.
pub(crate) fn not_delivered(delivery_timeout: Duration, obstacle: Option<&Error>, fate: Fate) -> Error {
    let within = format!("No acknowledgement within {} s", delivery_timeout.as_secs_f32());
    let timed_out = |message| Error::new(ErrorKind::Retriable, "REQUEST_TIMED_OUT", message);
    match (obstacle, fate) {
        (Some(Error { kind, name, message }), Fate::NotWritten) => {
            Error::new(*kind, name, format!("{within}: {message}"))
        }
        (Some(Error { message, .. }), Fate::Unknown) => timed_out(format!("{within}: {message}")),
        (None, _) => timed_out(within),
    }
}
