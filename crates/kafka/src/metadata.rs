//! Which topics there are, how many partitions they have, and who leads them.
//!
//! An answer is fresh for a few seconds and is renewed in the background before that, so a topic in use is never waited for.
//! Whoever misses one waits for a look-up. One look-up per topic is under way, whatever the number of those waiting, and one
//! request carries all topics that are looked up at the same time. A topic that is missing is asked for again for half a second,
//! because a cluster that creates topics needs a moment; that it is missing is remembered just long enough to spare the cluster
//! a stampede.
//!
//! When no broker answers, an answer that has gone stale is better than none: the record then waits in the producer's queue for
//! the cluster to come back. A leader is taken only with an epoch that is not older than the one known (KIP-320), unless the topic
//! is another one by its id.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kafka_protocol::{
    messages::{MetadataRequest, MetadataResponse, metadata_request::MetadataRequestTopic},
    protocol::StrBytes,
};
use parking_lot::{Mutex, RwLock};
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    Error, ErrorKind, NodeId, TopicName,
    error::ErrorCode,
    network::{Broker, Destination, Network},
};

/// An answer is true for so long.
const FRESH: Duration = Duration::from_secs(5);
/// An answer older than this is renewed in the background when it is used.
const RENEW_AFTER: Duration = Duration::from_secs(2);
/// A stale answer is used when the cluster does not give a new one within this.
const STALE_FALLBACK_AFTER: Duration = Duration::from_secs(1);
/// A missing topic is asked for again for so long.
const APPEARS_WITHIN: Duration = Duration::from_millis(500);
/// The same for a topic that was created from here a moment ago: it exists, even if not every broker has heard of it.
const CREATED_APPEARS_WITHIN: Duration = Duration::from_secs(5);
/// That a topic is missing is remembered for so long.
const MISSING_FOR: Duration = Duration::from_millis(100);
/// A list of all topics is true for so long.
const LISTED_FOR: Duration = Duration::from_secs(1);
/// Topics that are known, missing or just created, each at most so many.
const MAX_TOPICS: usize = 50_000;
/// Topics asked for in one request.
const MAX_TOPICS_PER_REQUEST: usize = 2_000;

/// What the cluster said of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicMetadata {
    /// Zero where the broker is too old to have one.
    id: Uuid,
    /// By partition number.
    pub(crate) partitions: Vec<PartitionLeader>,
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartitionLeader {
    pub(crate) node: Option<NodeId>,
    /// -1 where the broker is too old to have one.
    pub(crate) epoch: i32,
}

impl TopicMetadata {
    /// The number of partitions.
    pub(crate) fn count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    /// The leader of a partition, where there is one.
    pub(crate) fn leader(&self, partition: i32) -> Option<NodeId> {
        usize::try_from(partition).ok().and_then(|at| self.partitions.get(at)).and_then(|partition| partition.node)
    }

    /// This answer, with the leaders of an older one where that had newer epochs.
    fn merged(mut self, older: &TopicMetadata) -> TopicMetadata {
        if self.id == older.id {
            for (new, old) in self.partitions.iter_mut().zip(&older.partitions) {
                if new.epoch >= 0 && new.epoch < old.epoch {
                    *new = *old;
                }
            }
        }
        self
    }
}

/// Called with every answer about a topic that exists.
type Listener = Box<dyn Fn(&TopicName, &TopicMetadata) + Send + Sync>;

/// What is known of topics.
pub(crate) struct Metadata {
    network: Arc<Network>,
    timeout: Duration,
    runtime: Handle,
    known: RwLock<HashMap<TopicName, Known>>,
    rest: Mutex<Rest>,
    /// Look-ups that may create the topic, and those that may not.
    queues: [Mutex<LookUpQueue>; 2],
    listed: tokio::sync::Mutex<Option<(Instant, Vec<TopicName>)>>,
    listener: OnceLock<Listener>,
}

/// A topic that exists.
struct Known {
    topic: Arc<TopicMetadata>,
    answered: Instant,
    renewing: AtomicBool,
}

/// What is seldom needed.
#[derive(Default)]
struct Rest {
    missing: HashMap<TopicName, Instant>,
    created: HashMap<TopicName, Instant>,
    under_way: HashMap<TopicName, LookUp>,
}

/// The answer that a look-up will give.
type LookUp = watch::Receiver<Option<Result<Arc<TopicMetadata>, Error>>>;

/// Topics that the next request asks for.
#[derive(Default)]
struct LookUpQueue {
    topics: HashMap<TopicName, Vec<oneshot::Sender<Result<TopicMetadata, Error>>>>,
    /// Whether a task is sending requests.
    running: bool,
}

impl Metadata {
    pub(crate) fn new(network: Arc<Network>, timeout: Duration, runtime: Handle) -> Metadata {
        Metadata {
            network,
            timeout,
            runtime,
            known: RwLock::default(),
            rest: Mutex::default(),
            queues: Default::default(),
            listed: tokio::sync::Mutex::default(),
            listener: OnceLock::new(),
        }
    }

    /// Has every answer about a topic that exists handed to `listener`. The first listener stays.
    pub(crate) fn listen(&self, listener: impl Fn(&TopicName, &TopicMetadata) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// The number of partitions, if the answer is fresh.
    pub(crate) fn fresh(self: &Arc<Self>, name: &TopicName) -> Option<i32> {
        let known = self.known.read();
        let topic = known.get(name)?;
        let age = topic.answered.elapsed();
        if age >= FRESH {
            return None;
        }
        let partitions = topic.topic.count();
        if age >= RENEW_AFTER && !topic.renewing.swap(true, Ordering::Relaxed) {
            drop(known);
            drop(self.look_up(name));
        }
        Some(partitions)
    }

    /// The number of partitions, waited for where it is not known.
    pub(crate) async fn partitions(self: &Arc<Self>, name: &TopicName) -> Result<i32, Error> {
        if let Some(partitions) = self.fresh(name) {
            return Ok(partitions);
        }
        if self.rest.lock().missing.get(name).is_some_and(|since| since.elapsed() < MISSING_FOR) {
            return Err(missing(name));
        }
        let stale = self.topic(name).map(|topic| topic.count());
        let answer = async { wait(self.look_up(name)).await.map(|topic| topic.count()) };
        let Some(stale) = stale else { return answer.await };
        match tokio::time::timeout(STALE_FALLBACK_AFTER, answer).await {
            Ok(Err(error)) if error.is_transient() => Ok(stale),
            Ok(answer) => answer,
            Err(_) => Ok(stale),
        }
    }

    /// What was last said of the topic, however old.
    pub(crate) fn topic(&self, name: &TopicName) -> Option<Arc<TopicMetadata>> {
        self.known.read().get(name).map(|known| known.topic.clone())
    }

    /// What the cluster says of the topic now.
    pub(crate) async fn refreshed(self: &Arc<Self>, name: &TopicName) -> Result<Arc<TopicMetadata>, Error> {
        wait(self.look_up(name)).await
    }

    /// One answer of the cluster about the topic, without waiting for it to appear and without creating it.
    pub(crate) async fn asked_once(self: &Arc<Self>, name: &TopicName) -> Result<Arc<TopicMetadata>, Error> {
        let answer = self.ask_once(name, false).await.map(Arc::new);
        self.learn(name, &answer, false);
        answer
    }

    /// One answer of the cluster about each of the topics, without creating any; those that do not exist are left out.
    ///
    /// # Errors
    /// No broker answers; or what the cluster has against a topic that may exist.
    pub(crate) async fn asked(&self, names: &[TopicName]) -> Result<HashMap<TopicName, Arc<TopicMetadata>>, Error> {
        let mut known = HashMap::with_capacity(names.len());
        for names in names.chunks(MAX_TOPICS_PER_REQUEST) {
            let mut answers = self.request(names, false).await?;
            for name in names {
                let answer = answers.remove(name.as_str()).unwrap_or_else(|| Err(missing(name))).map(Arc::new);
                self.learn(name, &answer, false);
                match answer {
                    Ok(topic) => drop(known.insert(name.clone(), topic)),
                    Err(error) if matches!(error.kind, ErrorKind::UnknownTopic | ErrorKind::InvalidTopic) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(known)
    }

    /// All topics but internal ones, in order, as they are or were a second ago.
    ///
    /// # Errors
    /// No broker answers.
    pub(crate) async fn listed(&self) -> Result<Vec<TopicName>, Error> {
        // Whoever asks meanwhile is given the same answer.
        let mut last = self.listed.lock().await;
        if let Some((at, topics)) = &*last
            && at.elapsed() < LISTED_FOR
        {
            return Ok(topics.clone());
        }
        let deadline = Instant::now() + self.timeout;
        let build = |_| MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false);
        let response =
            self.network.ask(Destination::Any, true, deadline, build).await.map_err(|failed| failed.error)?;
        self.network.learn(&brokers(&response), controller(&response));
        let listed = response.topics.iter().filter(|topic| topic.error_code == 0 && !topic.is_internal);
        let mut topics: Vec<TopicName> =
            listed.filter_map(|topic| TopicName::parse(topic.name.as_ref()?).ok()).collect();
        topics.sort();
        *last = Some((Instant::now(), topics.clone()));
        Ok(topics)
    }

    /// A broker has named the leader of a partition (KIP-951). Believed if it is newer than what is known.
    pub(crate) fn leader_named(&self, name: &TopicName, partition: i32, node: NodeId, epoch: i32) {
        let at = usize::try_from(partition).unwrap_or(usize::MAX);
        let mut known = self.known.write();
        let Some(topic) = known.get_mut(name) else { return };
        if topic.topic.partitions.get(at).is_none_or(|leader| leader.epoch >= epoch)
            || self.network.address(node).is_none()
        {
            return;
        }
        let mut changed = TopicMetadata::clone(&topic.topic);
        changed.partitions[at] = PartitionLeader { node: Some(node), epoch };
        let changed = Arc::new(changed);
        topic.topic = changed.clone();
        drop(known);
        if let Some(listener) = self.listener.get() {
            listener(name, &changed);
        }
    }

    /// The topic was created from here: it exists.
    pub(crate) fn created(&self, name: &TopicName) {
        let mut rest = self.rest.lock();
        rest.missing.remove(name);
        remember(&mut rest.created, name, CREATED_APPEARS_WITHIN);
    }

    /// The topic was deleted from here.
    pub(crate) fn deleted(&self, name: &TopicName) {
        self.known.write().remove(name);
        self.rest.lock().created.remove(name);
    }

    /// Asks anew, and waits until the topic has at least `partitions`, or for as long as that may take.
    pub(crate) async fn partitions_added(self: &Arc<Self>, name: &TopicName, partitions: i32) {
        let end = Instant::now() + CREATED_APPEARS_WITHIN;
        while Instant::now() < end {
            match wait(self.look_up(name)).await {
                Ok(known) if known.count() < partitions => tokio::time::sleep(Duration::from_millis(25)).await,
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Joins the look-up under way for this topic, or starts one. It goes on when nobody waits any more.
    fn look_up(self: &Arc<Self>, name: &TopicName) -> LookUp {
        let mut rest = self.rest.lock();
        if let Some(answer) = rest.under_way.get(name) {
            return answer.clone();
        }
        let (answered, answer) = watch::channel(None);
        rest.under_way.insert(name.clone(), answer.clone());
        drop(rest);
        let (metadata, name) = (self.clone(), name.clone());
        self.runtime.spawn(async move {
            let answer = metadata.ask(&name).await.map(Arc::new);
            metadata.learn(&name, &answer, true);
            answered.send_replace(Some(answer));
        });
        answer
    }

    async fn ask(self: &Arc<Self>, name: &TopicName) -> Result<TopicMetadata, Error> {
        const MAX_PAUSE: Duration = Duration::from_millis(100);
        let end = Instant::now() + self.timeout;
        let mut pause = Duration::from_millis(10);
        let mut missing_until = None;
        loop {
            match self.ask_once(name, true).await {
                Ok(topic) => return Ok(topic),
                Err(error) if error.kind == ErrorKind::UnknownTopic => {
                    let until = *missing_until.get_or_insert_with(|| Instant::now() + self.appears_within(name));
                    if Instant::now() >= until {
                        return Err(missing(name));
                    }
                }
                // The network has tried for as long as it should.
                Err(error) if error.kind != ErrorKind::Retriable || Instant::now() + pause >= end => return Err(error),
                Err(_) => {} // asked again
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Puts the topic into the next request.
    async fn ask_once(self: &Arc<Self>, name: &TopicName, create: bool) -> Result<TopicMetadata, Error> {
        let (answered, answer) = oneshot::channel();
        let start = {
            let mut queue = self.queues[usize::from(create)].lock();
            queue.topics.entry(name.clone()).or_default().push(answered);
            !std::mem::replace(&mut queue.running, true)
        };
        if start {
            self.runtime.spawn(self.clone().send_requests(create));
        }
        answer.await.unwrap_or_else(|_| Err(Error::unavailable("the client is shutting down")))
    }

    /// Asks for all topics that wait, again and again until none does.
    async fn send_requests(self: Arc<Self>, create: bool) {
        loop {
            let waiting: Vec<_> = {
                let mut queue = self.queues[usize::from(create)].lock();
                let topics: Vec<_> = queue.topics.keys().take(MAX_TOPICS_PER_REQUEST).cloned().collect();
                let waiting: Vec<_> = topics.into_iter().filter_map(|name| queue.topics.remove_entry(&name)).collect();
                queue.running = !waiting.is_empty();
                waiting
            };
            if waiting.is_empty() {
                return;
            }
            let names: Vec<TopicName> = waiting.iter().map(|(name, _)| name.clone()).collect();
            let mut answers = self.request(&names, create).await;
            for (name, waiting) in waiting {
                let answer = match &mut answers {
                    Ok(topics) => topics.remove(name.as_str()).unwrap_or_else(|| Err(missing(&name))),
                    Err(error) => Err(error.clone()),
                };
                for waiter in waiting {
                    let _ = waiter.send(answer.clone());
                }
            }
        }
    }

    async fn request(
        &self,
        names: &[TopicName],
        create: bool,
    ) -> Result<HashMap<String, Result<TopicMetadata, Error>>, Error> {
        let topics: Vec<MetadataRequestTopic> = names.iter().map(request_topic).collect();
        let build = move |_| {
            MetadataRequest::default().with_topics(Some(topics.clone())).with_allow_auto_topic_creation(create)
        };
        let deadline = Instant::now() + self.timeout;
        let response =
            self.network.ask(Destination::Any, true, deadline, build).await.map_err(|failed| failed.error)?;
        self.network.learn(&brokers(&response), controller(&response));
        let topics = response.topics.into_iter().filter_map(|topic| {
            let name = topic.name.as_ref()?.to_string();
            let described = match ErrorCode(topic.error_code) {
                ErrorCode::NONE => Ok(TopicMetadata { id: topic.topic_id, partitions: leaders(&topic.partitions) }),
                code => Err(code.error(None)),
            };
            Some((name, described))
        });
        Ok(topics.collect())
    }

    fn appears_within(&self, name: &TopicName) -> Duration {
        let created = self.rest.lock().created.get(name).copied();
        if created.is_some_and(|at| at.elapsed() < CREATED_APPEARS_WITHIN) {
            CREATED_APPEARS_WITHIN
        } else {
            APPEARS_WITHIN
        }
    }

    /// `settled`: a look-up has ended, and with it the waiting for a topic to appear.
    fn learn(&self, name: &TopicName, answer: &Result<Arc<TopicMetadata>, Error>, settled: bool) {
        let mut known = self.known.write();
        let mut rest = self.rest.lock();
        if settled {
            rest.under_way.remove(name);
        }
        match answer {
            Ok(topic) => {
                rest.missing.remove(name);
                // It has appeared: missing later means deleted, and is believed as soon as of any other topic.
                rest.created.remove(name);
                if known.len() >= MAX_TOPICS && !known.contains_key(name) {
                    forget_oldest(&mut known);
                }
                let topic = match known.get(name) {
                    Some(older) => Arc::new(TopicMetadata::clone(topic).merged(&older.topic)),
                    None => topic.clone(),
                };
                let (answered, renewing) = (Instant::now(), AtomicBool::new(false));
                known.insert(name.clone(), Known { topic: topic.clone(), answered, renewing });
                drop((known, rest));
                if let Some(listener) = self.listener.get() {
                    listener(name, &topic);
                }
            }
            // Neither a broker that is away nor one that refuses our credentials says anything of the topic.
            Err(error) if error.is_transient() || error.kind == ErrorKind::Authentication || !settled => {
                if let Some(known) = known.get(name) {
                    known.renewing.store(false, Ordering::Relaxed);
                }
            }
            Err(error) => {
                known.remove(name);
                if error.kind == ErrorKind::UnknownTopic {
                    remember(&mut rest.missing, name, MISSING_FOR);
                }
            }
        }
    }
}

/// A topic by its name, as a metadata request asks for it.
pub(crate) fn request_topic(name: &TopicName) -> MetadataRequestTopic {
    let name = kafka_protocol::messages::TopicName(StrBytes::from_string(name.as_str().to_owned()));
    MetadataRequestTopic::default().with_name(Some(name))
}

/// The brokers that an answer names.
pub(crate) fn brokers(response: &MetadataResponse) -> Vec<Broker> {
    response
        .brokers
        .iter()
        .map(|broker| Broker {
            id: NodeId(broker.node_id.0),
            host: broker.host.to_string(),
            port: u16::try_from(broker.port).unwrap_or(0),
            rack: broker.rack.as_ref().map(ToString::to_string),
        })
        .collect()
}

/// The broker that an answer calls the controller. In KRaft clusters it is any broker.
pub(crate) fn controller(response: &MetadataResponse) -> Option<NodeId> {
    Some(NodeId(response.controller_id.0)).filter(|node| node.0 >= 0)
}

fn leaders(
    partitions: &[kafka_protocol::messages::metadata_response::MetadataResponsePartition],
) -> Vec<PartitionLeader> {
    let mut leaders: Vec<_> = partitions
        .iter()
        .map(|partition| {
            let node = Some(NodeId(partition.leader_id.0)).filter(|node| node.0 >= 0);
            (partition.partition_index, PartitionLeader { node, epoch: partition.leader_epoch })
        })
        .collect();
    leaders.sort_by_key(|(index, _)| *index);
    leaders.into_iter().map(|(_, leader)| leader).collect()
}

async fn wait(mut answer: LookUp) -> Result<Arc<TopicMetadata>, Error> {
    match answer.wait_for(Option::is_some).await {
        Ok(answer) => answer.clone().unwrap_or_else(|| Err(Error::unavailable("no answer"))),
        Err(_) => Err(Error::unavailable("the client is shutting down")),
    }
}

fn missing(name: &TopicName) -> Error {
    Error::unknown_topic(format!("Topic {name} not present in metadata after {} ms.", APPEARS_WITHIN.as_millis()))
}

/// Notes `name` with the time, and forgets what is older than `valid_for`. Full all the same: everything goes, which costs a few
/// look-ups and nothing else.
fn remember(times: &mut HashMap<TopicName, Instant>, name: &TopicName, valid_for: Duration) {
    if times.len() >= MAX_TOPICS {
        times.retain(|_, at| at.elapsed() < valid_for);
        if times.len() >= MAX_TOPICS {
            times.clear();
        }
    }
    times.insert(name.clone(), Instant::now());
}

/// Forgets the half of the topics whose answers are the oldest: to look for one would take as long, for every topic that is new.
fn forget_oldest(known: &mut HashMap<TopicName, Known>) {
    let mut answered: Vec<Instant> = known.values().map(|topic| topic.answered).collect();
    let middle = answered.len() / 2;
    let (_, median, _) = answered.select_nth_unstable(middle);
    known.retain(|_, topic| topic.answered > *median);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_once_makes_room_for_many_new_topics_and_keeps_the_newest() {
        let start = Instant::now();
        let name = |at: u64| TopicName::parse(&format!("t{at}")).unwrap();
        let topic = Arc::new(TopicMetadata { id: Uuid::nil(), partitions: Vec::new() });
        let known = |at| Known {
            topic: topic.clone(),
            answered: start + Duration::from_millis(at),
            renewing: AtomicBool::new(false),
        };
        let mut topics: HashMap<_, _> = (0..1000).map(|at| (name(at), known(at))).collect();
        forget_oldest(&mut topics);
        assert_eq!(topics.len(), 499);
        assert!((501..1000).all(|at| topics.contains_key(&name(at))));
    }
}
