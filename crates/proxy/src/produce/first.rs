//! Topics that are made when the first record comes for them, where the caller may have that.
//!
//! Only a request that is good in everything else gets as far, so that what is refused leaves no topic behind. One request makes a topic,
//! others of the same topic wait for its answer. How many are made is bounded by caller and in all, and a refusal is remembered for a while,
//! because whoever sends records does not stop after the first.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use postern_kafka::{Error as ClusterError, ErrorKind, NewTopic, TopicName};
use tokio::sync::watch;
use tokio::time::Instant;

use super::made::{Made, Tell};
use crate::{Error, Proxy};

/// Topics of one caller, and of all, within a [`WINDOW`].
const OF_CALLER_MAX: usize = 10;
const OF_ALL_MAX: usize = 1000;
const WINDOW: Duration = Duration::from_secs(60);
/// How long a refusal of the cluster holds, and how many are remembered.
const REFUSED_FOR: Duration = Duration::from_secs(10);
const REFUSALS_MAX: usize = 1000;

/// How a topic is made for its first record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicTemplate {
    /// For whom: what they have made is counted.
    pub caller: String,
    /// `None`: the cluster's default.
    pub partitions: Option<i32>,
    /// `None`: the cluster's default.
    pub replication_factor: Option<i16>,
    /// Configs that differ from the cluster's.
    pub configs: Vec<(String, String)>,
}

type Outcome = Option<Result<(), ClusterError>>;

/// What was made lately, and is being made.
#[derive(Debug, Default)]
pub(crate) struct FirstProduces(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    made: VecDeque<(Instant, String)>,
    refused: HashMap<Wanted, (Instant, ClusterError)>,
    under_way: HashMap<Wanted, watch::Receiver<Outcome>>,
}

/// A topic, and for which of the callers' own Kafka identities, if they have any: what Kafka answers one of them answers no other.
type Wanted = (TopicName, Option<String>);

/// Who makes the topic.
enum Begun {
    Ours(watch::Sender<Outcome>, watch::Receiver<Outcome>),
    UnderWay(watch::Receiver<Outcome>),
}

impl FirstProduces {
    fn begin(&self, wanted: &Wanted, caller: &str, now: Instant) -> Result<Begun, Error> {
        let (topic, _) = wanted;
        let mut state = self.0.lock();
        if let Some(under_way) = state.under_way.get(wanted) {
            return Ok(Begun::UnderWay(under_way.clone()));
        }
        state.refused.retain(|_, (at, _)| now.duration_since(*at) < REFUSED_FOR);
        if let Some((_, error)) = state.refused.get(wanted) {
            return Err(Error::TopicNotMade { topic: topic.clone(), error: error.clone() });
        }
        while state.made.front().is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            state.made.pop_front();
        }
        let of_caller = state.made.iter().filter(|(_, known)| known == caller).count();
        if of_caller >= OF_CALLER_MAX || state.made.len() >= OF_ALL_MAX {
            return Err(Error::TooManyNewTopics(topic.clone()));
        }
        state.made.push_back((now, caller.to_owned()));
        let (sender, receiver) = watch::channel(None);
        state.under_way.insert(wanted.clone(), receiver.clone());
        Ok(Begun::Ours(sender, receiver))
    }

    fn end(&self, wanted: &Wanted, outcome: &Result<(), ClusterError>, now: Instant) {
        let mut state = self.0.lock();
        state.under_way.remove(wanted);
        if let Err(error) = outcome
            && state.refused.len() < REFUSALS_MAX
        {
            state.refused.insert(wanted.clone(), (now, error.clone()));
        }
    }
}

impl Proxy {
    /// Makes `topic`, or waits for who is making it. Dropping the future does not end that.
    ///
    /// # Errors
    /// [`Error::TopicNotMade`], [`Error::TooManyNewTopics`].
    pub(super) async fn make_topic(&self, topic: &TopicName, template: TopicTemplate) -> Result<(), Error> {
        let wanted = (topic.clone(), self.identity().map(|identity| identity.name().to_owned()));
        let mut outcome = match self.0.first_produces.begin(&wanted, &template.caller, Instant::now())? {
            Begun::UnderWay(receiver) => receiver,
            Begun::Ours(sender, receiver) => {
                let (proxy, tell) = (self.clone(), self.tell());
                tokio::spawn(async move {
                    let made = proxy.make(&wanted.0, template, tell).await;
                    proxy.0.first_produces.end(&wanted, &made, Instant::now());
                    sender.send_replace(Some(made));
                });
                receiver
            }
        };
        // Without an answer the runtime is being stopped.
        let made = outcome.wait_for(Option::is_some).await.map(|made| made.clone().unwrap_or(Ok(())));
        let failed = |error| Error::TopicNotMade { topic: topic.clone(), error };
        made.map_or(Err(Error::Stopping), |made| made.map_err(failed))
    }

    async fn make(&self, topic: &TopicName, template: TopicTemplate, tell: Option<Tell>) -> Result<(), ClusterError> {
        let TopicTemplate { caller, partitions, replication_factor, configs } = template;
        let new = NewTopic {
            name: topic.clone(),
            partitions,
            replication_factor,
            assignments: None,
            configs: configs.into_iter().map(|(name, value)| (name, Some(value))).collect(),
            validate_only: false,
        };
        match self.cluster().create_topic(&new).await {
            Ok(made) => {
                tracing::info!(
                    "topic {topic} was made for the first record of {caller}: {} partitions, {} replicas",
                    made.partitions,
                    made.replication_factor
                );
                if let Some(tell) = tell {
                    tell(&Made::Topic(topic));
                }
                Ok(())
            }
            // Somebody else was faster.
            Err(error) if error.kind == ErrorKind::TopicExists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn topics_are_bounded_by_caller_and_refusals_are_remembered() {
        let made = FirstProduces::default();
        let topic = |n: usize| (TopicName::parse(&format!("t{n}")).expect("a name"), None);
        let refusal = ClusterError { kind: ErrorKind::Authorization, name: "X".to_owned(), message: "no".to_owned() };
        for n in 0..OF_CALLER_MAX {
            assert!(matches!(made.begin(&topic(n), "ana", Instant::now()), Ok(Begun::Ours(..))));
            assert!(matches!(made.begin(&topic(n), "ben", Instant::now()), Ok(Begun::UnderWay(_))));
            let outcome = if n == 0 { Err(refusal.clone()) } else { Ok(()) };
            made.end(&topic(n), &outcome, Instant::now());
        }
        let more = topic(OF_CALLER_MAX);
        assert!(matches!(made.begin(&more, "ana", Instant::now()), Err(Error::TooManyNewTopics(_))));
        assert!(matches!(made.begin(&more, "ben", Instant::now()), Ok(Begun::Ours(..))));
        let again = made.begin(&topic(0), "ben", Instant::now());
        assert!(matches!(again, Err(Error::TopicNotMade { error, .. }) if error == refusal));
        let (name, _) = topic(0);
        let of_another = made.begin(&(name, Some("eve".to_owned())), "eve", Instant::now());
        assert!(matches!(of_another, Ok(Begun::Ours(..))), "a refusal is that of one identity");
        tokio::time::advance(REFUSED_FOR).await;
        assert!(matches!(made.begin(&topic(0), "ben", Instant::now()), Ok(Begun::Ours(..))));
        tokio::time::advance(WINDOW).await;
        assert!(matches!(made.begin(&topic(99), "ana", Instant::now()), Ok(Begun::Ours(..))));
    }
}
