//! Which topics the producer knows, and how many partitions they have.
//!
//! An answer is fresh for a few seconds and is renewed in the background before that, so a topic in use is never waited for.
//! Whoever misses one waits for a look-up; one look-up per topic is under way, whatever the number of those waiting. A topic
//! that is missing is asked for again for half a second, because a cluster that creates topics needs a moment; that it is
//! missing is remembered just long enough to spare the cluster a stampede.
//!
//! When no broker answers, a count that has gone stale is better than none: the record then waits in the producer's queue for
//! the cluster to come back.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
};

use crate::{
    Error, ErrorKind, TopicName,
    error::Code,
    native::{Client, Partitions, Topic},
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
/// Topics that are known, missing or just created, each at most so many.
const MAX_TOPICS: usize = 10_000;
/// Look-ups occupy a thread each.
const MAX_LOOKUPS: usize = 16;

/// What the producer knows of topics.
pub(crate) struct Topics {
    client: Arc<Client>,
    timeout: Duration,
    runtime: Handle,
    known: RwLock<HashMap<TopicName, Known>>,
    rest: Mutex<Rest>,
    lookups: Semaphore,
}

/// A topic that exists.
struct Known {
    topic: Arc<Topic>,
    partitions: i32,
    asked: Instant,
    renewing: AtomicBool,
}

/// What is seldom needed.
#[derive(Default)]
struct Rest {
    missing: HashMap<TopicName, Instant>,
    created: HashMap<TopicName, Instant>,
    under_way: HashMap<TopicName, Answer>,
}

/// The answer that a look-up will give.
type Answer = watch::Receiver<Option<Result<i32, Error>>>;

impl Topics {
    pub(crate) fn new(client: Arc<Client>, timeout: Duration, runtime: Handle) -> Topics {
        Topics {
            client,
            timeout,
            runtime,
            known: RwLock::default(),
            rest: Mutex::default(),
            lookups: Semaphore::new(MAX_LOOKUPS),
        }
    }

    /// The number of partitions, if the answer is fresh.
    pub(crate) fn fresh(self: &Arc<Self>, name: &TopicName) -> Option<i32> {
        let known = self.known.read();
        let topic = known.get(name)?;
        let age = topic.asked.elapsed();
        if age >= FRESH {
            return None;
        }
        let partitions = topic.partitions;
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
        let stale = self.known.read().get(name).map(|known| known.partitions);
        let answer = wait(self.look_up(name));
        let Some(stale) = stale else { return answer.await };
        match tokio::time::timeout(STALE_FALLBACK_AFTER, answer).await {
            Ok(Err(error)) if is_transient(&error) => Ok(stale),
            Ok(answer) => answer,
            Err(_) => Ok(stale),
        }
    }

    /// The topic to append to, and its partitions as far as known. One that nobody looked up is taken as it is.
    pub(crate) fn topic(&self, name: &TopicName) -> Result<(Arc<Topic>, Option<i32>), Error> {
        if let Some(known) = self.known.read().get(name) {
            return Ok((known.topic.clone(), Some(known.partitions)));
        }
        Ok((Arc::new(Topic::new(&self.client, name)?), None))
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
                Ok(known) if known < partitions => tokio::time::sleep(Duration::from_millis(25)).await,
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Joins the look-up under way for this topic, or starts one. It goes on when nobody waits any more.
    fn look_up(self: &Arc<Self>, name: &TopicName) -> Answer {
        let mut rest = self.rest.lock();
        if let Some(answer) = rest.under_way.get(name) {
            return answer.clone();
        }
        let (answered, answer) = watch::channel(None);
        rest.under_way.insert(name.clone(), answer.clone());
        drop(rest);
        let (topics, name) = (self.clone(), name.clone());
        self.runtime.spawn(async move {
            let answer = topics.ask(&name).await;
            topics.learn(&name, &answer);
            answered.send_replace(Some(answer.map(|(_, partitions)| partitions)));
        });
        answer
    }

    async fn ask(&self, name: &TopicName) -> Result<(Arc<Topic>, i32), Error> {
        const MAX_PAUSE: Duration = Duration::from_millis(100);
        let end = Instant::now() + self.timeout;
        let mut pause = Duration::from_millis(10);
        let mut missing_until = None;
        let topic = self.topic(name)?.0;
        loop {
            match self.ask_once(topic.clone(), end).await {
                Ok(Partitions::Known(partitions)) => return Ok((topic, partitions)),
                Ok(Partitions::Missing) => {
                    let until = *missing_until.get_or_insert_with(|| Instant::now() + self.appears_within(name));
                    if Instant::now() >= until {
                        return Err(missing(name));
                    }
                }
                Err(error) if !is_transient(&error) || Instant::now() + pause >= end => return Err(error),
                Err(_) => {} // asked again
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    async fn ask_once(&self, topic: Arc<Topic>, end: Instant) -> Result<Partitions, Error> {
        let _turn = self.lookups.acquire().await.expect("the semaphore is never closed");
        let patience = end.saturating_duration_since(Instant::now());
        if patience.is_zero() {
            return Err(Code::TIMED_OUT.error(None));
        }
        tokio::task::spawn_blocking(move || topic.partitions(patience))
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Other, "_DESTROY", "the runtime is shutting down")))
    }

    fn appears_within(&self, name: &TopicName) -> Duration {
        let created = self.rest.lock().created.get(name).copied();
        if created.is_some_and(|at| at.elapsed() < CREATED_APPEARS_WITHIN) {
            CREATED_APPEARS_WITHIN
        } else {
            APPEARS_WITHIN
        }
    }

    fn learn(&self, name: &TopicName, answer: &Result<(Arc<Topic>, i32), Error>) {
        let mut known = self.known.write();
        let mut rest = self.rest.lock();
        rest.under_way.remove(name);
        match answer {
            Ok((topic, partitions)) => {
                rest.missing.remove(name);
                // It has appeared: missing later means deleted, and is believed as soon as of any other topic.
                rest.created.remove(name);
                if known.len() >= MAX_TOPICS && !known.contains_key(name) {
                    make_room(&mut known);
                }
                let (topic, asked) = (topic.clone(), Instant::now());
                known.insert(
                    name.clone(),
                    Known { topic, partitions: *partitions, asked, renewing: AtomicBool::new(false) },
                );
            }
            Err(error) if is_transient(error) => {
                if let Some(known) = known.get(name) {
                    known.renewing.store(false, Ordering::Relaxed);
                }
            }
            Err(_) => {
                known.remove(name);
                remember(&mut rest.missing, name, MISSING_FOR);
            }
        }
    }
}

async fn wait(mut answer: Answer) -> Result<i32, Error> {
    match answer.wait_for(Option::is_some).await {
        Ok(answer) => answer.clone().unwrap_or_else(|| Err(Code::TIMED_OUT.error(None))),
        Err(_) => Err(Error::new(ErrorKind::Other, "_DESTROY", "the runtime is shutting down")),
    }
}

fn missing(name: &TopicName) -> Error {
    Error::unknown_topic(format!("Topic {name} not present in metadata after {} ms.", APPEARS_WITHIN.as_millis()))
}

/// Whether the error says something about the way to the cluster, and nothing about the topic.
fn is_transient(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Retriable | ErrorKind::BrokerUnavailable)
}

/// Notes `name` with the time, and forgets what is older than `worth`. Full all the same: everything goes, which costs a few
/// look-ups and nothing else.
fn remember(times: &mut HashMap<TopicName, Instant>, name: &TopicName, worth: Duration) {
    if times.len() >= MAX_TOPICS {
        times.retain(|_, at| at.elapsed() < worth);
        if times.len() >= MAX_TOPICS {
            times.clear();
        }
    }
    times.insert(name.clone(), Instant::now());
}

/// Forgets what is stale, and if that is nothing, the one asked for the longest time ago.
fn make_room(known: &mut HashMap<TopicName, Known>) {
    known.retain(|_, topic| topic.asked.elapsed() < FRESH);
    if known.len() >= MAX_TOPICS {
        let oldest = known.iter().min_by_key(|(_, topic)| topic.asked).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest {
            known.remove(&oldest);
        }
    }
}
