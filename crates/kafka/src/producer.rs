//! Appending records: into the batch of their partition at once, and from there to the partition's leader.
//!
//! [`Producer::append`] chooses partitions and copies records into open batches; it never waits. One sender per broker
//! ([`sender`]) takes what is ready. A partition ([`partition`]) keeps its own order and sequence numbers, so that every record is
//! written once and in the order of the calls, whatever happens to connections and leaders; what cannot be known is said to be
//! unknown ([`attempt`]). Acknowledged means: by all in-sync replicas. Memory is bounded by the budget that records were admitted
//! to ([`Inflight`](crate::Inflight)).
//!
//! Not here: transactions, consumer groups.

mod attempt;
mod identity;
mod partition;
mod partitioner;
mod sender;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::{Mutex, RwLock};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};

use self::{
    identity::ProducerIdentity,
    partition::{Appender, BatchLimit, Partition, Step, not_delivered},
    partitioner::StickyPartition,
    sender::ReadyList,
};
use crate::{
    Admitted, AppendError, Deliveries, Error, ErrorKind, Fate, NodeId, PartitionId, Record, Settings, TopicName,
    connection::Backoff,
    deliveries::{DeliveryHandle, Outstanding, Slots},
    metadata::{Metadata, TopicMetadata},
    network::Network,
    statistics::{ClientStatistics, SendCounters},
    wire::murmur2,
};

/// Topics whose partitions are kept.
const MAX_TOPICS: usize = 50_000;
/// How often deadlines are looked at while records are under way.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(200);
/// A partition that the cluster does not know is believed to be gone after this: a broker may forget a topic for a moment.
const GONE_AFTER: Duration = Duration::from_secs(5);

/// The producer of a cluster. Dropping it gives up what is under way, and says so to the callers.
pub(crate) struct Producer(Arc<Shared>);

/// What senders and tasks share.
struct Shared {
    network: Arc<Network>,
    metadata: Arc<Metadata>,
    identity: ProducerIdentity,
    settings: Settings,
    runtime: Handle,
    topics: RwLock<HashMap<TopicName, Arc<Topic>>>,
    /// Appends to topics that nobody has looked up yet. Taken before `topics` is written.
    unresolved: Mutex<HashMap<TopicName, Vec<Unresolved>>>,
    senders: Mutex<HashMap<NodeId, Arc<ReadyList>>>,
    outstanding: Arc<Outstanding>,
    counters: SendCounters,
    /// Whether a task looks at deadlines.
    expiring: AtomicBool,
    closed: AtomicBool,
}

/// An append that waits for its topic to be known.
struct Unresolved {
    records: Vec<Record>,
    slots: Slots,
    now_ms: i64,
    deadline: Instant,
}

/// A topic and its partitions.
struct Topic {
    name: TopicName,
    /// Never fewer than before: the state of a partition outlives the topic.
    partitions: RwLock<Arc<Vec<Arc<Partition>>>>,
    count: RwLock<i32>,
    sticky: StickyPartition,
    limit: Arc<BatchLimit>,
    last_use: Mutex<Instant>,
}

impl Producer {
    pub(crate) fn start(
        settings: &Settings,
        network: &Arc<Network>,
        metadata: &Arc<Metadata>,
        runtime: Handle,
    ) -> Producer {
        let shared = Arc::new(Shared {
            network: network.clone(),
            metadata: metadata.clone(),
            identity: ProducerIdentity::new(network.clone(), settings.call_timeout),
            settings: settings.clone(),
            runtime: runtime.clone(),
            topics: RwLock::default(),
            unresolved: Mutex::default(),
            senders: Mutex::default(),
            outstanding: Arc::default(),
            counters: SendCounters::default(),
            expiring: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let learning = Arc::downgrade(&shared);
        metadata.listen(move |name, topic| {
            if let Some(shared) = learning.upgrade() {
                shared.learn(name, topic);
            }
        });
        Producer(shared)
    }

    /// Appends in the order given. What cannot be appended is answered at once.
    pub(crate) fn append(&self, name: &TopicName, admitted: Admitted) -> Deliveries {
        let shared = &self.0;
        let Admitted { records, permit, since } = admitted;
        let now_ms = now_ms();
        let timestamps_ms = records.iter().map(|record| record.timestamp_ms.unwrap_or(now_ms));
        let (deliveries, slots) = Deliveries::new(timestamps_ms, permit, &shared.outstanding);
        let deadline = since + shared.settings.delivery_timeout;
        shared.watch_deadlines();
        let known = shared.topics.read().get(name).cloned();
        match known {
            Some(topic) => shared.append(&topic, &records, slots, now_ms, deadline),
            None => shared.append_unresolved(name, Unresolved { records, slots, now_ms, deadline }),
        }
        if shared.is_closed() {
            shared.give_up();
        }
        deliveries
    }

    /// Waits until everything appended is answered, at most for `limit`. True: nothing is left.
    pub(crate) async fn flush(&self, limit: Duration) -> bool {
        timeout(limit, self.0.outstanding.none_left()).await.is_ok()
    }

    /// What was counted so far.
    pub(crate) fn statistics(&self, into: &mut ClientStatistics) {
        let shared = &self.0;
        shared.outstanding.counters.read(into);
        shared.counters.read(into);
        let senders = shared.senders.lock();
        into.produce_latency = senders.iter().map(|(node, list)| (*node, list.latency.read())).collect();
        drop(senders);
        into.produce_latency.sort_by_key(|(node, _)| node.0);
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Shared {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// After this long without progress a connection is given up: well before records have failed, so that one that hangs does not
    /// take along those that wait behind it.
    fn request_timeout(&self) -> Duration {
        self.settings.request_timeout.min(self.settings.delivery_timeout / 3)
    }

    /// How long a broker may wait for its replicas: less than we wait for the broker, so that its answer comes before our end.
    fn broker_timeout_ms(&self) -> i32 {
        i32::try_from((self.request_timeout() * 5 / 6).as_millis()).unwrap_or(i32::MAX).max(1)
    }

    // === Appending ===

    fn append(self: &Arc<Self>, topic: &Topic, records: &[Record], mut slots: Slots, now_ms: i64, deadline: Instant) {
        *topic.last_use.lock() = Instant::now();
        let partitions = topic.partitions.read().clone();
        let count = *topic.count.read();
        let mut refused: Vec<(DeliveryHandle, AppendError)> = Vec::new();
        // The lock on a partition is held over the records that follow each other into it.
        let mut open: Option<(i32, Appender<'_>)> = None;
        for record in records {
            let handle = slots.next();
            let size = record.serialized_size();
            let target = if size > self.settings.max_request_size {
                Err(too_large(size.0, self.settings.max_request_size.0))
            } else {
                topic.choose_partition(record, size.0, count, &partitions)
            };
            let (index, partition) = match target {
                Ok(target) => target,
                Err(error) => {
                    refused.push((handle, AppendError::not_written(error)));
                    continue;
                }
            };
            if open.as_ref().is_none_or(|(at, _)| *at != index) {
                if let Some((at, appender)) = open.take() {
                    self.finish(&partitions, at, appender);
                }
                open = Some((index, partition.appender()));
            }
            if let Some((_, appender)) = &mut open {
                appender.push(record, record.timestamp_ms.unwrap_or(now_ms), size.0, handle, deadline);
            }
        }
        if let Some((at, appender)) = open.take() {
            self.finish(&partitions, at, appender);
        }
        for (handle, error) in refused {
            handle.failed(&error);
        }
    }

    fn finish(self: &Arc<Self>, partitions: &[Arc<Partition>], index: i32, appender: Appender<'_>) {
        let step = appender.finish();
        if let Some(partition) = usize::try_from(index).ok().and_then(|at| partitions.get(at)) {
            self.follow(partition, step);
        }
    }

    /// Appends once the topic is known, in the order of the calls.
    fn append_unresolved(self: &Arc<Self>, name: &TopicName, append: Unresolved) {
        let mut unresolved = self.unresolved.lock();
        if let Some(topic) = self.topics.read().get(name).cloned() {
            drop(unresolved);
            return self.append(&topic, &append.records, append.slots, append.now_ms, append.deadline);
        }
        if let Some(waiting) = unresolved.get_mut(name) {
            waiting.push(append);
            return;
        }
        if let Some(known) = self.metadata.topic(name) {
            let topic = self.add_topic(name, &known);
            drop(unresolved);
            return self.append(&topic, &append.records, append.slots, append.now_ms, append.deadline);
        }
        unresolved.insert(name.clone(), vec![append]);
        drop(unresolved);
        self.runtime.spawn(self.clone().resolve(name.clone()));
    }

    async fn resolve(self: Arc<Self>, name: TopicName) {
        let mut backoff = Backoff::RETRY;
        while !self.settle_unresolved(&name, self.metadata.refreshed(&name).await) {
            sleep(backoff.next()).await;
        }
    }

    /// What waits for a topic is appended, or fails for good or because its time is over. True: nothing waits any more.
    fn settle_unresolved(self: &Arc<Self>, name: &TopicName, answer: Result<Arc<TopicMetadata>, Error>) -> bool {
        let mut unresolved = self.unresolved.lock();
        let Some(mut waiting) = unresolved.remove(name) else { return true };
        let error = match answer {
            Ok(known) => {
                // Under the lock, so that no later append comes first.
                let topic = self.add_topic(name, &known);
                for append in waiting {
                    self.append(&topic, &append.records, append.slots, append.now_ms, append.deadline);
                }
                return true;
            }
            Err(error) => error,
        };
        let now = Instant::now();
        let is_over = |append: &mut Unresolved| !error.is_transient() || append.deadline <= now || self.is_closed();
        let over: Vec<_> = waiting.extract_if(.., is_over).collect();
        let is_done = waiting.is_empty();
        if !is_done {
            unresolved.insert(name.clone(), waiting);
        }
        drop(unresolved);
        let error = match error.is_transient() {
            true => not_delivered(self.settings.delivery_timeout, Some(&error), Fate::NotWritten),
            false => error,
        };
        over.into_iter().for_each(|append| append.failed(&error));
        is_done
    }

    // === Topics ===

    /// Called with `unresolved` locked.
    fn add_topic(self: &Arc<Self>, name: &TopicName, known: &TopicMetadata) -> Arc<Topic> {
        let topic = Arc::new(Topic {
            name: name.clone(),
            partitions: RwLock::default(),
            count: RwLock::new(0),
            sticky: StickyPartition::default(),
            limit: Arc::default(),
            last_use: Mutex::new(Instant::now()),
        });
        topic.learn(known, |partition, step| self.follow(partition, step));
        let mut topics = self.topics.write();
        if topics.len() >= MAX_TOPICS {
            self.forget_idle(&mut topics);
        }
        topics.insert(name.clone(), topic.clone());
        topic
    }

    fn learn(self: &Arc<Self>, name: &TopicName, known: &TopicMetadata) {
        let topic = self.topics.read().get(name).cloned();
        if let Some(topic) = topic {
            topic.learn(known, |partition, step| self.follow(partition, step));
        }
    }

    /// Forgets the half of the topics that were not used for the longest time, as far as they are idle.
    fn forget_idle(&self, topics: &mut HashMap<TopicName, Arc<Topic>>) {
        let mut uses: Vec<_> = topics.values().map(|topic| *topic.last_use.lock()).collect();
        let middle = uses.len() / 2;
        let (_, median, _) = uses.select_nth_unstable(middle);
        let median = *median;
        topics.retain(|_, topic| {
            let partitions = topic.partitions.read();
            let idle = *topic.last_use.lock() <= median
                && Arc::strong_count(topic) == 1
                && partitions.iter().all(|partition| partition.is_idle());
            if idle {
                partitions
                    .iter()
                    .filter_map(|partition| partition.next_epoch())
                    .for_each(|epoch| self.identity.forgotten(epoch));
            }
            !idle
        });
    }

    // === Partitions ===

    /// Does what a partition needs next.
    fn follow(self: &Arc<Self>, partition: &Arc<Partition>, step: Step) {
        match step {
            Step::Nothing => {}
            Step::Ready(node) => self.sender(node).push(partition.clone()),
            Step::Recover { ask_leader, failures } => self.spawn_recovery(partition, ask_leader, failures),
            Step::NewProducer => {
                if let Some(identity) = self.identity.known() {
                    self.identity.retire(identity.producer_id);
                }
                self.spawn_recovery(partition, false, 1);
            }
        }
    }

    fn spawn_recovery(self: &Arc<Self>, partition: &Arc<Partition>, ask_leader: bool, failures: u32) {
        let (shared, partition) = (self.clone(), partition.clone());
        self.runtime.spawn(async move { shared.recover(&partition, ask_leader, failures).await });
    }

    /// Asks for the leader and pauses, unless another leader is known by now.
    async fn recover(self: &Arc<Self>, partition: &Arc<Partition>, ask_leader: bool, failures: u32) {
        let before = partition.leader();
        let mut known = true;
        if ask_leader {
            match self.metadata.asked_once(&partition.topic).await {
                Ok(topic) => known = partition.index < topic.count(),
                Err(error) => known = error.kind != ErrorKind::UnknownTopic,
            }
        }
        if !ask_leader || failures > 1 || partition.leader().is_none() || partition.leader() == before {
            sleep(Backoff::RETRY.after(failures.saturating_sub(1))).await;
        }
        let step = partition.recovered(known);
        if partition.missing_for() > GONE_AFTER {
            let message = format!("Partition {} of topic {} is no longer there", partition.index, partition.topic);
            partition.fail_waiting(&Error::unknown_topic(message)).send();
        }
        if self.is_closed() {
            self.give_up();
        } else {
            self.follow(partition, step);
        }
    }

    fn sender(self: &Arc<Self>, node: NodeId) -> Arc<ReadyList> {
        let mut senders = self.senders.lock();
        let list = senders.entry(node).or_insert_with(|| {
            let list = Arc::new(ReadyList::new(node));
            self.runtime.spawn(sender::run(self.clone(), list.clone()));
            list
        });
        list.clone()
    }

    // === The end of records ===

    /// Looks at deadlines while records are under way, so that a client without any costs nothing.
    fn watch_deadlines(self: &Arc<Self>) {
        if self.expiring.swap(true, Ordering::AcqRel) {
            return;
        }
        let expiring = Arc::downgrade(self);
        self.runtime.spawn(async move {
            loop {
                sleep(EXPIRY_INTERVAL).await;
                let Some(shared) = expiring.upgrade() else { return };
                if shared.outstanding.count() > 0 {
                    shared.expire().await;
                    continue;
                }
                shared.expiring.swap(false, Ordering::AcqRel);
                // Who looked before that relies on this task, and has been counted; who looks after it starts another one.
                if shared.outstanding.count() == 0 || shared.expiring.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        });
    }

    /// Answers what was not acknowledged by its deadline.
    async fn expire(&self) {
        let topics: Vec<_> = self.topics.read().values().cloned().collect();
        for topic in topics {
            let now = Instant::now();
            let partitions = topic.partitions.read().clone();
            for partition in partitions.iter().filter(|partition| partition.queued_bytes() > 0) {
                partition.expire(now, self.settings.delivery_timeout).send();
            }
            tokio::task::yield_now().await;
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.network.health().close();
        self.give_up();
        for sender in self.senders.lock().values() {
            sender.wake();
        }
    }

    /// Answers everything that is left.
    fn give_up(&self) {
        let error =
            Error::new(ErrorKind::Retriable, "REQUEST_TIMED_OUT", "the client was closed before the broker answered");
        let unresolved = std::mem::take(&mut *self.unresolved.lock());
        unresolved.into_values().flatten().for_each(|append| append.failed(&error));
        let topics: Vec<_> = self.topics.read().values().cloned().collect();
        for partition in topics.iter().flat_map(|topic| topic.partitions.read().to_vec()) {
            partition.fail_waiting(&error).send();
        }
    }
}

impl Unresolved {
    fn failed(mut self, error: &Error) {
        let error = AppendError::not_written(error.clone());
        for _ in 0..self.records.len() {
            self.slots.next().failed(&error);
        }
    }
}

impl Topic {
    /// Takes over partitions and leaders.
    fn learn(&self, known: &TopicMetadata, mut follow: impl FnMut(&Arc<Partition>, Step)) {
        let mut partitions = self.partitions.read().clone();
        if partitions.len() < known.partitions.len() {
            let mut all = self.partitions.write();
            let more = (all.len()..known.partitions.len()).map(|index| {
                let index = i32::try_from(index).unwrap_or(i32::MAX);
                Arc::new(Partition::new(self.name.clone(), index, self.limit.clone()))
            });
            *all = Arc::new(all.iter().cloned().chain(more).collect());
            partitions = all.clone();
        }
        *self.count.write() = known.count();
        for partition in partitions.iter() {
            follow(partition, partition.set_leader(known.leader(partition.index)));
        }
    }

    fn choose_partition<'a>(
        &self,
        record: &Record,
        size: usize,
        count: i32,
        partitions: &'a [Arc<Partition>],
    ) -> Result<(i32, &'a Arc<Partition>), Error> {
        let index = match (record.partition, &record.key) {
            (Some(PartitionId(asked)), _) => asked,
            (None, _) if count < 1 => {
                return Err(Error::unknown_topic(format!("Topic {} has no partitions", self.name)));
            }
            (None, Some(key)) => murmur2::partition_of(key, count),
            (None, None) => self.sticky.choose(size, partitions, count),
        };
        let partition = usize::try_from(index).ok().filter(|_| index < count).and_then(|at| partitions.get(at));
        partition.map(|partition| (index, partition)).ok_or_else(|| no_such_partition(&self.name, index, count))
    }
}

fn too_large(size: usize, max: usize) -> Error {
    let message = format!(
        "The message is {size} bytes when serialized which is larger than {max}, \
         which is the value of the max.request.size configuration."
    );
    Error::new(ErrorKind::RecordTooLarge, "RECORD_TOO_LARGE", message)
}

fn no_such_partition(topic: &TopicName, asked: i32, count: i32) -> Error {
    let message =
        format!("Partition {asked} of topic {topic} with partition count {count} is not present in metadata.");
    Error::new(ErrorKind::UnknownPartition, "UNKNOWN_TOPIC_OR_PARTITION", message)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
