//! Topics: listed, described, created, widened, deleted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::Admin;
use crate::{
    Error, ErrorKind, NodeId, PartitionId, TopicName,
    native::{Client, Request},
};

/// For how long what the cluster says of a topic may lag behind its creation or deletion.
const APPEARS_WITHIN: Duration = Duration::from_secs(5);
/// The pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Whether the cluster keeps it for itself.
    pub is_internal: bool,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionDescription>,
    /// What the asker may do with it: Kafka's names, upper case (`READ`, `WRITE` …); empty unless asked for.
    pub authorized_operations: Vec<&'static str>,
}

/// A partition and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Its number.
    pub id: PartitionId,
    /// The broker that takes its records, where there is one.
    pub leader: Option<NodeId>,
    /// All brokers that keep it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Those of them that have caught up.
    pub in_sync: Vec<NodeId>,
}

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: TopicName,
    /// How many partitions; `None`: the broker's default.
    pub partitions: Option<i32>,
    /// How many replicas of each; `None`: the broker's default.
    pub replication_factor: Option<i16>,
    /// The replicas of each partition, index = partition. `Some`: the two counts are not sent.
    pub assignments: Option<Vec<Vec<i32>>>,
    /// Configs that differ from the broker's.
    pub configs: Vec<(String, Option<String>)>,
    /// Only say whether it could be created.
    pub validate_only: bool,
}

/// A topic that was created, as it is; 0 where that cannot be known (defaults that a broker does not tell, when only validating).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas of each.
    pub replication_factor: i32,
}

impl Admin {
    pub(crate) async fn topics(&self, authorized_operations: bool) -> Result<Vec<TopicDescription>, Error> {
        let names = names(self.client.clone(), self.timeout).await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let reply = self.call(Request::DescribeTopics { names: &names, authorized_operations }).await?;
        // One that was deleted between the two questions is no longer part of the answer.
        let gone = |described: &Result<TopicDescription, Error>| {
            matches!(described, Err(Error { kind: ErrorKind::UnknownTopic, .. }))
        };
        reply.topics().into_iter().filter(|described| !gone(described)).collect()
    }

    pub(crate) async fn topic(
        &self,
        topic: &TopicName,
        authorized_operations: bool,
    ) -> Result<TopicDescription, Error> {
        let names = [topic.as_str().to_owned()];
        let reply = self.call(Request::DescribeTopics { names: &names, authorized_operations }).await?;
        let missing = || Err(Error::unknown_topic(String::new()));
        reply.topics().pop().unwrap_or_else(missing).map_err(|error| error.about(topic))
    }

    pub(crate) async fn create_topic(&self, topic: &NewTopic) -> Result<CreatedTopic, Error> {
        check_counts(topic)?;
        self.call(Request::CreateTopic(topic)).await?.topic_result()?;
        Ok(if topic.validate_only { self.expected_counts(topic).await } else { self.read_back(topic).await })
    }

    pub(crate) async fn delete_topic(&self, topic: &TopicName) -> Result<(), Error> {
        self.call(Request::DeleteTopic(topic)).await?.topic_result().map_err(|error| error.about(topic))?;
        // A broker may list it for a moment longer; a look-up in that moment would believe it.
        let end = Instant::now() + APPEARS_WITHIN;
        while self.topic(topic, false).await.is_ok() && Instant::now() < end {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    pub(crate) async fn add_partitions(&self, topic: &TopicName, total: i32) -> Result<(), Error> {
        if total < 1 {
            return Err(invalid_partitions(total));
        }
        self.call(Request::AddPartitions { topic, total }).await?.topic_result().map_err(|error| error.about(topic))
    }

    /// The counts that a topic would have: those asked for, else the defaults among the configs of a broker.
    async fn expected_counts(&self, topic: &NewTopic) -> CreatedTopic {
        let mut counts = asked_for(topic);
        if counts.partitions > 0 && counts.replication_factor > 0 {
            return counts;
        }
        let defaults = async {
            let brokers = self.describe_cluster().await?.brokers;
            let missing = || Error::new(ErrorKind::Other, "_STATE", "the cluster names no broker");
            self.broker_configs(brokers.first().ok_or_else(missing)?.id).await
        };
        match defaults.await {
            Ok(configs) => {
                let default = |name| configs.iter().find(|entry| entry.name == name)?.value.as_ref()?.parse().ok();
                if counts.partitions == 0 {
                    counts.partitions = default("num.partitions").unwrap_or(0);
                }
                if counts.replication_factor == 0 {
                    counts.replication_factor = default("default.replication.factor").unwrap_or(0);
                }
            }
            Err(error) => tracing::warn!(%error, "the cluster does not tell its defaults for new topics"),
        }
        counts
    }

    /// librdkafka drops the counts from the cluster's answer, so the topic is described, once it can be. It was created in any
    /// case: where it cannot be described, what was asked for is the best that is known.
    async fn read_back(&self, topic: &NewTopic) -> CreatedTopic {
        let end = Instant::now() + APPEARS_WITHIN;
        loop {
            match self.topic(&topic.name, false).await {
                Ok(described) if !described.partitions.is_empty() => {
                    return CreatedTopic {
                        partitions: count(described.partitions.len()),
                        replication_factor: count(described.partitions[0].replicas.len()),
                    };
                }
                Ok(_) | Err(Error { kind: ErrorKind::UnknownTopic | ErrorKind::Retriable, .. })
                    if Instant::now() < end =>
                {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                unseen => {
                    tracing::warn!(topic = %topic.name, error = ?unseen.err(), "created, but it cannot be described");
                    return asked_for(topic);
                }
            }
        }
    }
}

/// The list of all topics comes from a call that blocks.
async fn names(client: Arc<Client>, timeout: Duration) -> Result<Vec<String>, Error> {
    tokio::task::spawn_blocking(move || client.topic_names(timeout))
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Other, "_DESTROY", "the runtime is shutting down")))
}

/// librdkafka refuses some counts in its own words, and takes -1 as "the default"; what Kafka refuses is refused here.
fn check_counts(topic: &NewTopic) -> Result<(), Error> {
    if topic.assignments.is_some() {
        return Ok(());
    }
    match (topic.partitions, topic.replication_factor) {
        (Some(partitions), _) if partitions < 1 && partitions != -1 => Err(invalid_partitions(partitions)),
        (_, Some(factor)) if factor < 1 && factor != -1 => Err(Error::new(
            ErrorKind::InvalidRequest,
            "INVALID_REPLICATION_FACTOR",
            format!("a topic has 1 or more replicas, not {factor}"),
        )),
        _ => Ok(()), // in range, or left to the broker
    }
}

fn invalid_partitions(partitions: i32) -> Error {
    let message = format!("a topic has 1 or more partitions, not {partitions}");
    Error::new(ErrorKind::InvalidRequest, "INVALID_PARTITIONS", message)
}

fn asked_for(topic: &NewTopic) -> CreatedTopic {
    match &topic.assignments {
        Some(assignments) => CreatedTopic {
            partitions: count(assignments.len()),
            replication_factor: count(assignments.first().map_or(0, Vec::len)),
        },
        None => CreatedTopic {
            partitions: topic.partitions.map_or(0, |p| p.max(0)),
            replication_factor: topic.replication_factor.map_or(0, |f| i32::from(f.max(0))),
        },
    }
}

fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}
