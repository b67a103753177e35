//! Reads the assigned partitions: one connection and one resting fetch per broker that leads any of them.
//!
//! Everything happens while the consumer waits for records; only connecting and looking up run as tasks of their own, so that a
//! wait that is given up loses nothing. The next fetch is sent when an answer was read, before its records are taken. An answer
//! is read only when all records of the last were taken and the budget has memory for it; until then it stays at the broker and
//! in the kernel. What a compressed batch becomes counts from when it is opened: where there is no memory for it, all of it is given back, and the
//! answer that brings it again takes the memory for both.

mod epochs;
mod outcomes;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    future::{pending, poll_fn},
    io,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::{
    sync::OwnedSemaphorePermit,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    ConsumerRecord,
    fetch_connection::{Arrived, FetchConnection, MAX_BATCH_BYTES, WantedPartition},
    positions::{Found, Positions},
    settings::FetchBudget,
};
use crate::{
    Error, ErrorKind, NodeId, TopicName, TopicPartition,
    connection::{Backoff, far_future, reason},
    group::assignment::{Assignment, Owned, Position},
    in_place::in_place,
    log_position::{EpochEnd, NO_EPOCH},
    wire::partition_records::PartitionRecords,
};

/// A partition with an error is asked for again after this.
const ERROR_PAUSE: Duration = Duration::from_millis(100);
/// A look-up takes no longer; then it is made again.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Fetcher {
    positions: Positions,
    assignment: Arc<Assignment>,
    /// The last change of the assignment that was followed.
    followed: u64,
    partitions: HashMap<TopicPartition, Reading>,
    brokers: BTreeMap<NodeId, Broker>,
    /// Records to be taken, in the order in which they came: of partitions that are read, under their stamps.
    ready: VecDeque<FetchedRecords>,
    errors: VecDeque<Error>,
    /// Why it has to try again, until a broker answers a fetch.
    failing: Option<Error>,
    jobs: JoinSet<Done>,
    finding: Attempts,
    leaders: Attempts,
    /// The last wait has ended while an answer waited for memory.
    lacks_memory: bool,
    /// Memory that came with the last answer, for a batch for which there was none when it was decompressed before.
    reserve: Option<OwnedSemaphorePermit>,
    /// Records were given back for want of memory, and are to be asked for again.
    gave_back: bool,
    /// Counts fetches, so that those that have waited the longest come first.
    turn: u64,
}

/// A partition that is read.
struct Reading {
    stamp: u64,
    /// Where the next fetch begins; records before may still have to be taken.
    position: Position,
    /// The epoch of the leader that was found to have what was read, where its Fetch does not say so; whether one is being asked.
    checked_epoch: i32,
    is_checking: bool,
    /// What the next batch takes when it is decompressed, where there was no memory for it.
    unpacked: usize,
    max_bytes: i32,
    not_before: Instant,
    leader_changed: bool,
    turn: u64,
}

/// Records of a partition that were not taken yet.
struct FetchedRecords {
    partition: TopicPartition,
    stamp: u64,
    records: PartitionRecords,
    next: Option<ConsumerRecord>,
    /// The memory of the answer that they came with, and of the batch that is open, where it was compressed.
    permit: Arc<OwnedSemaphorePermit>,
    unpacked: Option<OwnedSemaphorePermit>,
}

/// A broker that leads some of the partitions.
struct Broker {
    connection: Connection,
    attempts: Attempts,
}

enum Connection {
    None,
    Opening,
    Open(Box<FetchConnection>),
}

/// Something that is tried again with growing pauses.
struct Attempts {
    under_way: bool,
    not_before: Instant,
    backoff: Backoff,
}

impl Attempts {
    fn new() -> Attempts {
        Attempts { under_way: false, not_before: Instant::now(), backoff: Backoff::RETRY }
    }

    fn failed(&mut self) {
        self.not_before = Instant::now() + self.backoff.next();
    }

    /// Whether it may be tried now; if not yet, `next` is brought forward.
    fn may_begin(&self, now: Instant, next: &mut Instant) -> bool {
        if !self.under_way && self.not_before > now {
            *next = (*next).min(self.not_before);
        }
        !self.under_way && self.not_before <= now
    }
}

/// What a task has done.
enum Done {
    Connected(NodeId, Result<Box<FetchConnection>, Error>),
    Found(HashMap<TopicPartition, u64>, Result<HashMap<TopicPartition, Result<Found, Error>>, Error>),
    /// Those of the topics that the cluster does not know.
    Leaders(Result<Vec<TopicName>, Error>),
    Checked(Vec<WantedPartition>, HashMap<TopicPartition, Result<Option<EpochEnd>, Error>>),
}

impl Fetcher {
    pub(super) fn new(positions: Positions, assignment: Arc<Assignment>) -> Fetcher {
        Fetcher {
            positions,
            assignment,
            followed: 0,
            partitions: HashMap::new(),
            brokers: BTreeMap::new(),
            ready: VecDeque::new(),
            errors: VecDeque::new(),
            failing: None,
            jobs: JoinSet::new(),
            finding: Attempts::new(),
            leaders: Attempts::new(),
            lacks_memory: false,
            reserve: None,
            gave_back: false,
            turn: 0,
        }
    }

    /// Waits until a record can be taken (true) or `deadline` has come (false).
    pub(super) async fn wait(&mut self, deadline: Instant) -> Result<bool, Error> {
        let budget = self.positions.settings.budget.clone();
        // Waits for memory only while the consumer waits for records: it would hold up those behind it else.
        let mut memory = None;
        self.lacks_memory = false;
        loop {
            self.follow_assignment();
            let next_attempt = self.begin_work();
            if self.front().is_some() {
                return Ok(true);
            }
            if std::mem::take(&mut self.gave_back) {
                continue;
            }
            if let Some(error) = self.errors.pop_front().or_else(|| self.assignment.take_failure()) {
                return Err(error);
            }
            let waiting_for_memory = memory.as_ref().map(|(node, _)| *node);
            self.reserve = None; // there was nothing to open
            let (brokers, jobs) = (&mut self.brokers, &mut self.jobs);
            tokio::select! {
                biased;
                () = self.assignment.changed.notified() => {}
                Some(done) = jobs.join_next(), if !jobs.is_empty() => {
                    if let Ok(done) = done {
                        self.done(done);
                    }
                }
                (node, permit) = async {
                    match &mut memory {
                        Some((node, permit)) => (*node, permit.await),
                        None => pending().await,
                    }
                } => {
                    memory = None;
                    self.set_permit(node, permit);
                }
                (node, arrived) = poll_brokers(brokers, waiting_for_memory) => match arrived {
                    Ok(Arrived::Announced(length)) => {
                        let length = length.saturating_add(self.unpacked_by(node));
                        let bytes = u32::try_from(length.clamp(1, budget.capacity().0.max(1))).unwrap_or(u32::MAX);
                        match budget.available.clone().try_acquire_many_owned(bytes) {
                            Ok(permit) => self.set_permit(node, permit),
                            Err(_) => memory = Some((node, Box::pin(budget.take(bytes)))),
                        }
                    }
                    Ok(Arrived::Answer(frame, in_flight)) => self.answered(node, &frame, in_flight),
                    Err(error) => {
                        let error = reason(&error);
                        tracing::debug!(broker = %node, error, "the connection of a consumer ended");
                        self.failing = Some(Error::unavailable(format!("the connection to broker {node} has ended: {error}")));
                        self.disconnect(node);
                    }
                },
                () = sleep_until(next_attempt) => {}
                () = sleep_until(deadline) => {
                    self.lacks_memory = memory.is_some();
                    return Ok(false);
                }
            }
        }
    }

    pub(super) fn lacks_memory(&self) -> bool {
        self.lacks_memory
    }

    pub(super) fn failing(&self) -> Option<&Error> {
        self.failing.as_ref()
    }

    // === Records ===

    /// The next record to be taken, if it has been fetched.
    pub(super) fn peek(&mut self) -> Option<&ConsumerRecord> {
        self.follow_assignment();
        self.front()
    }

    fn front(&mut self) -> Option<&ConsumerRecord> {
        while let Some(fetched) = self.ready.front_mut().filter(|fetched| fetched.next.is_none()) {
            let before = fetched.records.position();
            match in_place(fetched.records.opens_large(), || fetched.records.next()) {
                Some(Ok(record)) if fetched.admit(&self.positions.settings.budget, &mut self.reserve) => {
                    let TopicPartition { topic, partition } = fetched.partition.clone();
                    fetched.next = Some(ConsumerRecord { topic, partition, record });
                    break;
                }
                Some(Ok(_)) => {
                    // Nothing is held while it waits for memory: the batch comes again when there is enough for it.
                    self.gave_back = true;
                    self.assignment.advance(&fetched.partition, fetched.stamp, before);
                    if let Some(reading) = self.partitions.get_mut(&fetched.partition) {
                        reading.unpacked = fetched.records.unpacked();
                        reading.position = Position::At(before);
                    }
                }
                Some(Err(bad)) => {
                    // It stays there: reading goes on when the caller has moved past it.
                    let (at, position) = (&fetched.partition, fetched.records.position());
                    self.assignment.advance(at, fetched.stamp, position);
                    if let Some(reading) = self.partitions.get_mut(at) {
                        reading.position = Position::At(position);
                        reading.not_before = Instant::now() + ERROR_PAUSE;
                    }
                    let offset = position.offset;
                    let message = format!("{at} cannot be read at offset {offset}: {bad}");
                    self.errors.push_back(Error::new(ErrorKind::Other, "CORRUPT_MESSAGE", message));
                }
                // What was left out at the end is passed as well.
                None => {
                    self.assignment.advance(&fetched.partition, fetched.stamp, fetched.records.position());
                }
            }
            self.ready.pop_front();
        }
        self.ready.front()?.next.as_ref()
    }

    /// Takes what [`Fetcher::peek`] has shown, and never another record: `None` where that was given up or sought meanwhile.
    pub(super) fn take(&mut self) -> Option<ConsumerRecord> {
        self.front()?;
        let fetched = self.ready.front_mut()?;
        let (record, next) = (fetched.next.take()?, fetched.records.position());
        if self.assignment.advance(&fetched.partition, fetched.stamp, next) {
            return Some(record);
        }
        self.partitions.remove(&fetched.partition);
        self.ready.pop_front();
        self.followed = 0;
        None
    }

    /// Forgets what was fetched, and closes the connections.
    pub(super) fn discard(&mut self) {
        self.ready.clear();
        self.brokers.clear();
        self.partitions.clear();
        self.reserve = None;
        self.followed = 0;
    }

    // === Following the assignment ===

    fn follow_assignment(&mut self) {
        let Some((followed, owned)) = self.assignment.since(self.followed) else { return };
        self.followed = followed;
        let mut before = std::mem::take(&mut self.partitions);
        let settings = &self.positions.settings;
        let max_bytes = i32::try_from(settings.max_partition_fetch_bytes.0).unwrap_or(MAX_BATCH_BYTES);
        for (partition, owned) in owned {
            let Owned { stamp, position, .. } = owned;
            let reading = before.remove(&partition).filter(|reading| reading.stamp == stamp);
            let reading = reading.unwrap_or_else(|| Reading {
                stamp,
                position,
                checked_epoch: NO_EPOCH,
                is_checking: false,
                unpacked: 0,
                max_bytes: max_bytes.clamp(1, MAX_BATCH_BYTES),
                not_before: Instant::now(),
                leader_changed: false,
                turn: 0,
            });
            self.partitions.insert(partition, reading);
        }
        self.ready.retain(|fetched| {
            self.partitions.get(&fetched.partition).is_some_and(|reading| reading.stamp == fetched.stamp)
        });
    }

    /// What the answer of this broker takes besides itself, once it is decompressed.
    fn unpacked_by(&mut self, node: NodeId) -> usize {
        let Some(Broker { connection: Connection::Open(connection), .. }) = self.brokers.get_mut(&node) else {
            return 0;
        };
        let wanted = connection.in_flight().map_or(&[][..], |in_flight| &in_flight.wanted);
        let reading = wanted.iter().filter_map(|wanted| self.partitions.get(&wanted.partition));
        reading.map(|reading| reading.unpacked).max().unwrap_or(0)
    }

    // === Beginning work ===

    /// Begins whatever can be done now. Returns when to look again.
    fn begin_work(&mut self) -> Instant {
        let now = Instant::now();
        let mut next = far_future();
        self.find_positions(now, &mut next);
        let mut wanted: BTreeMap<NodeId, Vec<WantedPartition>> = BTreeMap::new();
        let (mut leading, mut unknown) = (HashSet::new(), HashSet::new());
        let in_flight = in_flight(&mut self.brokers);
        for (partition, reading) in &self.partitions {
            let topic = self.positions.metadata.topic(&partition.topic);
            let at = usize::try_from(partition.partition.0).unwrap_or(usize::MAX);
            let leader = topic.as_ref().and_then(|topic| topic.partitions.get(at));
            let node = leader.and_then(|leader| leader.node).filter(|_| !reading.leader_changed);
            let (Some(leader), Some(node)) = (leader, node) else {
                unknown.insert(partition.topic.clone());
                continue;
            };
            leading.insert(node);
            let Position::At(from) = reading.position else { continue };
            if reading.not_before > now {
                next = next.min(reading.not_before);
            } else if !reading.is_checking && !in_flight.contains(&(node, partition.clone(), reading.stamp)) {
                wanted.entry(node).or_default().push(WantedPartition {
                    partition: partition.clone(),
                    stamp: reading.stamp,
                    from,
                    leader_epoch: leader.epoch,
                    max_bytes: reading.max_bytes,
                });
            }
        }
        self.brokers.retain(|node, _| leading.contains(node));
        for (node, mut wanted) in wanted {
            wanted.sort_by_key(|wanted| self.partitions.get(&wanted.partition).map(|reading| reading.turn));
            self.fetch(node, wanted, now, &mut next, &mut unknown);
        }
        for broker in self.brokers.values_mut() {
            if let Connection::Open(connection) = &broker.connection
                && let Some(deadline) = connection.deadline()
            {
                if deadline <= now {
                    broker.connection = Connection::None;
                    broker.attempts.failed();
                    next = next.min(broker.attempts.not_before);
                } else {
                    next = next.min(deadline);
                }
            }
        }
        if !unknown.is_empty() && self.leaders.may_begin(now, &mut next) {
            self.leaders.under_way = true;
            let (metadata, topics) = (self.positions.metadata.clone(), unknown.into_iter().collect::<Vec<TopicName>>());
            self.jobs.spawn(async move {
                let known = metadata.asked(&topics).await;
                let is_missing = |known: &HashMap<TopicName, _>, topic: &TopicName| !known.contains_key(topic);
                Done::Leaders(known.map(|known| topics.into_iter().filter(|topic| is_missing(&known, topic)).collect()))
            });
        }
        next
    }

    fn find_positions(&mut self, now: Instant, next: &mut Instant) {
        let mut wanted = Vec::new();
        for (partition, reading) in &self.partitions {
            match reading.position {
                Position::At(_) => {}
                _ if reading.not_before > now => *next = (*next).min(reading.not_before),
                position => wanted.push((partition.clone(), position)),
            }
        }
        if wanted.is_empty() || !self.finding.may_begin(now, next) {
            return;
        }
        self.finding.under_way = true;
        let stamp = |(partition, _): &(TopicPartition, Position)| {
            (partition.clone(), self.partitions.get(partition).map_or(0, |reading| reading.stamp))
        };
        let stamps: HashMap<_, _> = wanted.iter().map(stamp).collect();
        let positions = self.positions.clone();
        self.jobs.spawn(async move {
            let found = positions.find(wanted, Instant::now() + LOOK_UP_TIMEOUT).await;
            Done::Found(stamps, found)
        });
    }

    /// Sends a fetch to a broker if none rests there, and connects first where that is needed.
    fn fetch(
        &mut self,
        node: NodeId,
        mut wanted: Vec<WantedPartition>,
        now: Instant,
        next: &mut Instant,
        unknown: &mut HashSet<TopicName>,
    ) {
        let broker = self.brokers.entry(node).or_insert_with(Broker::new);
        if let Connection::Open(connection) = &mut broker.connection {
            let is_current = |wanted: &WantedPartition| {
                self.partitions.get(&wanted.partition).is_some_and(|reading| reading.stamp == wanted.stamp)
            };
            match connection.in_flight() {
                Some(in_flight) if in_flight.wanted.iter().any(is_current) => return,
                // Nobody waits for that answer any more; another connection is quicker than the broker.
                Some(_) => broker.connection = Connection::None,
                None => {
                    if !connection.checks_epochs() {
                        let unchecked = epochs::take_unchecked(&mut self.partitions, &mut wanted);
                        if !unchecked.is_empty() {
                            self.jobs.spawn(epochs::check(self.positions.network.clone(), node, unchecked));
                        }
                        if wanted.is_empty() {
                            return;
                        }
                    }
                    self.turn += 1;
                    for wanted in &wanted {
                        if let Some(reading) = self.partitions.get_mut(&wanted.partition) {
                            reading.turn = self.turn;
                        }
                    }
                    if let Err(error) = connection.ask(wanted, &self.positions.settings) {
                        self.errors.push_back(Error::new(ErrorKind::Other, "INVALID_REQUEST", error));
                        broker.connection = Connection::None;
                        broker.attempts.failed();
                    }
                    return;
                }
            }
        }
        if matches!(broker.connection, Connection::Opening) || !broker.attempts.may_begin(now, next) {
            return;
        }
        let Some(address) = self.positions.network.address(node) else {
            unknown.extend(wanted.into_iter().map(|wanted| wanted.partition.topic));
            return;
        };
        broker.connection = Connection::Opening;
        let network = self.positions.network.clone();
        self.jobs.spawn(async move {
            let opened = FetchConnection::open(&network, &address).await;
            Done::Connected(node, opened.map(Box::new))
        });
    }
}

impl FetchedRecords {
    /// Whether there is memory for the batch that is open, which may have been compressed: of the reserve, else of the budget. It is not waited
    /// for here, as others may wait for what this consumer holds.
    fn admit(&mut self, budget: &FetchBudget, reserve: &mut Option<OwnedSemaphorePermit>) -> bool {
        // A batch that takes more than all there is counts as the rest.
        let most = budget.capacity().0.saturating_sub(self.permit.num_permits());
        let needed = self.records.unpacked().min(most);
        let held = self.unpacked.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if held == needed {
            return true;
        }
        // Of the batch before: it has been read.
        self.unpacked = None;
        let reserved = reserve.take().and_then(|mut reserve| reserve.split(needed));
        let more = || budget.available.clone().try_acquire_many_owned(u32::try_from(needed).unwrap_or(u32::MAX)).ok();
        self.unpacked = reserved.or_else(more);
        self.unpacked.is_some()
    }
}

impl Broker {
    fn new() -> Broker {
        Broker { connection: Connection::None, attempts: Attempts::new() }
    }
}

/// What is asked for by fetches that rest at brokers. One that rests at a broker which leads the partition no longer keeps nobody from
/// asking the new leader.
fn in_flight(brokers: &mut BTreeMap<NodeId, Broker>) -> HashSet<(NodeId, TopicPartition, u64)> {
    let mut asked = HashSet::new();
    for (node, broker) in brokers {
        if let Connection::Open(connection) = &mut broker.connection
            && let Some(in_flight) = connection.in_flight()
        {
            asked.extend(in_flight.wanted.iter().map(|wanted| (*node, wanted.partition.clone(), wanted.stamp)));
        }
    }
    asked
}

/// Waits for the first of the brokers to answer; `without`: the one for whose answer there is no memory yet.
async fn poll_brokers(
    brokers: &mut BTreeMap<NodeId, Broker>,
    without: Option<NodeId>,
) -> (NodeId, io::Result<Arrived>) {
    poll_fn(|context| {
        for (node, broker) in brokers.iter_mut().filter(|(node, _)| Some(**node) != without) {
            if let Connection::Open(connection) = &mut broker.connection
                && let Poll::Ready(arrived) = connection.poll(context)
            {
                return Poll::Ready((*node, arrived));
            }
        }
        Poll::Pending
    })
    .await
}
