//! Topics: listed, described, created, given more partitions, deleted.

use std::{collections::HashMap, time::Duration};

use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest,
    create_partitions_request::CreatePartitionsTopic,
    create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
    create_topics_response::CreatableTopicResult,
    metadata_response::{MetadataResponsePartition, MetadataResponseTopic},
};
use tokio::time::{Instant, sleep};

use super::{Admin, ConfigResource, changed, not_answered, text, topic_name};
use crate::{Error, ErrorKind, NodeId, PartitionId, TopicName, error::ErrorCode, metadata, network::Destination};

/// For how long what the cluster says of a topic may lag behind its creation or deletion.
const APPEARS_WITHIN: Duration = Duration::from_secs(5);
/// The pause between two attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(25);

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
        let described = self.described(None, authorized_operations).await?;
        // One that is being deleted is no longer part of the answer.
        let is_gone = |described: &Result<TopicDescription, Error>| {
            matches!(described, Err(Error { kind: ErrorKind::UnknownTopic, .. }))
        };
        described.into_iter().filter(|described| !is_gone(described)).collect()
    }

    pub(crate) async fn topic(
        &self,
        topic: &TopicName,
        authorized_operations: bool,
    ) -> Result<TopicDescription, Error> {
        let described = self.described(Some(std::slice::from_ref(topic)), authorized_operations).await?;
        let missing = || Err(Error::unknown_topic(String::new()));
        described.into_iter().next().unwrap_or_else(missing).map_err(|error| error.about(topic))
    }

    /// Some topics, or all.
    pub(super) async fn described(
        &self,
        topics: Option<&[TopicName]>,
        authorized_operations: bool,
    ) -> Result<Vec<Result<TopicDescription, Error>>, Error> {
        let wanted = topics.map(|topics| topics.iter().map(metadata::request_topic).collect::<Vec<_>>());
        let build = move |version| {
            MetadataRequest::default()
                .with_topics(wanted.clone())
                .with_allow_auto_topic_creation(false)
                .with_include_topic_authorized_operations(authorized_operations && version >= 8)
        };
        let response = self.read(Destination::Any, self.deadline(), build).await?;
        self.network.learn(&metadata::brokers(&response), metadata::controller(&response));
        Ok(response.topics.iter().map(|topic| topic_description(topic, authorized_operations)).collect())
    }

    pub(crate) async fn create_topic(&self, topic: &NewTopic) -> Result<CreatedTopic, Error> {
        let created = self.create_topics(std::slice::from_ref(topic), topic.validate_only).await?;
        created.into_iter().next().ok_or_else(not_answered)?
    }

    /// Creates several topics with one request, or only says whether they could be created; the result of each, in their order.
    pub(crate) async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Vec<Result<CreatedTopic, Error>>, Error> {
        let creatables: Vec<_> = topics.iter().map(creatable).collect();
        let timeout_ms = self.broker_timeout_ms();
        let build = move |_| {
            CreateTopicsRequest::default()
                .with_topics(creatables.clone())
                .with_timeout_ms(timeout_ms)
                .with_validate_only(validate_only)
        };
        let response = self.change(build, |response| response.topics.first().map(|topic| topic.error_code)).await?;
        let answers: HashMap<&str, &CreatableTopicResult> =
            response.topics.iter().map(|answer| (&**answer.name, answer)).collect();
        let mut results = Vec::with_capacity(topics.len());
        for topic in topics {
            results.push(match answers.get(topic.name.as_str()) {
                Some(answer) => self.created(topic, answer, validate_only).await,
                None => Err(not_answered()),
            });
        }
        if !validate_only {
            self.await_appearance(topics, &mut results).await;
        }
        Ok(results)
    }

    async fn created(
        &self,
        topic: &NewTopic,
        created: &CreatableTopicResult,
        validate_only: bool,
    ) -> Result<CreatedTopic, Error> {
        changed(created.error_code, created.error_message.as_ref())?;
        Ok(match (created.num_partitions, i32::from(created.replication_factor)) {
            (partitions @ 1.., replication_factor @ 1..) => CreatedTopic { partitions, replication_factor },
            // Brokers before 2.4 do not say, nor does one that hides the configs of topics.
            _ if validate_only => self.expected_counts(topic).await,
            _ => requested_counts(topic),
        })
    }

    pub(crate) async fn delete_topic(&self, topic: &TopicName) -> Result<(), Error> {
        let (name, timeout_ms) = (topic_name(topic), self.broker_timeout_ms());
        let build =
            move |_| DeleteTopicsRequest::default().with_topic_names(vec![name.clone()]).with_timeout_ms(timeout_ms);
        let response = self.change(build, |response| response.responses.first().map(|topic| topic.error_code)).await?;
        let deleted = response.responses.into_iter().next().ok_or_else(not_answered)?;
        changed(deleted.error_code, deleted.error_message.as_ref()).map_err(|error| error.about(topic))?;
        // A broker may list it for a moment longer; a look-up in that moment would believe it.
        let end = self.deadline().min(Instant::now() + APPEARS_WITHIN);
        while self.topic(topic, false).await.is_ok() && Instant::now() < end {
            sleep(RETRY_PAUSE).await;
        }
        Ok(())
    }

    pub(crate) async fn add_partitions(&self, topic: &TopicName, total: i32) -> Result<(), Error> {
        let (name, timeout_ms) = (topic_name(topic), self.broker_timeout_ms());
        let build = move |_| {
            let topic =
                CreatePartitionsTopic::default().with_name(name.clone()).with_count(total).with_assignments(None);
            CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(timeout_ms)
        };
        let response = self.change(build, |response| response.results.first().map(|topic| topic.error_code)).await?;
        let answer = response.results.into_iter().next().ok_or_else(not_answered)?;
        changed(answer.error_code, answer.error_message.as_ref()).map_err(|error| error.about(topic))
    }

    /// The counts that a topic would have: those asked for, else the defaults among the configs of a broker.
    async fn expected_counts(&self, topic: &NewTopic) -> CreatedTopic {
        let mut counts = requested_counts(topic);
        let configs = async {
            let cluster = self.describe_cluster().await?;
            let broker = cluster.brokers.first().ok_or_else(not_answered)?;
            self.configs(&ConfigResource::Broker(broker.id)).await
        };
        match configs.await {
            Ok(configs) => {
                let default = |name: &str| {
                    let config = configs.iter().find(|config| config.name == name)?;
                    config.value.as_ref()?.parse().ok()
                };
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

    /// Waits for those of `topics` that were created. A broker may not know for a moment what another has created. They were created in
    /// any case, so of what cannot be seen in time the cluster's first answer stands.
    async fn await_appearance(&self, topics: &[NewTopic], results: &mut [Result<CreatedTopic, Error>]) {
        let end = self.deadline().min(Instant::now() + APPEARS_WITHIN);
        let created =
            topics.iter().zip(results).filter_map(|(topic, result)| Some((&topic.name, result.as_mut().ok()?)));
        let mut unseen: HashMap<&str, &mut CreatedTopic> =
            created.map(|(name, counts)| (name.as_str(), counts)).collect();
        while !unseen.is_empty() {
            let names: Vec<_> = topics
                .iter()
                .map(|topic| &topic.name)
                .filter(|name| unseen.contains_key(name.as_str()))
                .cloned()
                .collect();
            let described = self.described(Some(&names), false).await;
            let mut may_appear = false;
            for one in described.unwrap_or_else(|error| vec![Err(error)]) {
                match one {
                    Ok(topic) if !topic.partitions.is_empty() => {
                        if let Some(counts) = unseen.remove(topic.name.as_str()) {
                            *counts = CreatedTopic {
                                partitions: count(topic.partitions.len()),
                                replication_factor: count(topic.partitions[0].replicas.len()),
                            };
                        }
                    }
                    Ok(_) | Err(Error { kind: ErrorKind::UnknownTopic | ErrorKind::Retriable, .. }) => {
                        may_appear = true
                    }
                    Err(error) => tracing::warn!(%error, "a topic was created, but it cannot be described"),
                }
            }
            if !may_appear || Instant::now() >= end {
                break;
            }
            sleep(RETRY_PAUSE).await;
        }
        if !unseen.is_empty() {
            tracing::warn!(topics = unseen.len(), "created, but not seen in time");
        }
    }
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let assignments: Vec<_> = topic
        .assignments
        .iter()
        .flatten()
        .enumerate()
        .map(|(index, replicas)| {
            CreatableReplicaAssignment::default()
                .with_partition_index(count(index))
                .with_broker_ids(replicas.iter().map(|node| BrokerId(*node)).collect())
        })
        .collect();
    let configs: Vec<_> = topic
        .configs
        .iter()
        .map(|(name, value)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(value.as_deref().map(text))
        })
        .collect();
    // -1: the broker's default, or what the assignments say.
    let (partitions, replication_factor) = match topic.assignments {
        Some(_) => (-1, -1),
        None => (topic.partitions.unwrap_or(-1), topic.replication_factor.unwrap_or(-1)),
    };
    CreatableTopic::default()
        .with_name(topic_name(&topic.name))
        .with_num_partitions(partitions)
        .with_replication_factor(replication_factor)
        .with_assignments(assignments)
        .with_configs(configs)
}

fn topic_description(topic: &MetadataResponseTopic, authorized_operations: bool) -> Result<TopicDescription, Error> {
    match ErrorCode(topic.error_code) {
        ErrorCode::NONE => {}
        code => return Err(code.error(None)),
    }
    let mut partitions: Vec<_> = topic.partitions.iter().map(partition_description).collect();
    partitions.sort_by_key(|partition| partition.id);
    let operations = if authorized_operations { topic.topic_authorized_operations } else { 0 };
    Ok(TopicDescription {
        name: topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default(),
        is_internal: topic.is_internal,
        partitions,
        authorized_operations: operation_names(operations),
    })
}

fn partition_description(partition: &MetadataResponsePartition) -> PartitionDescription {
    PartitionDescription {
        id: PartitionId(partition.partition_index),
        leader: leader(partition.leader_id),
        replicas: nodes(&partition.replica_nodes),
        in_sync: nodes(&partition.isr_nodes),
    }
}

pub(super) fn leader(id: BrokerId) -> Option<NodeId> {
    Some(NodeId(id.0)).filter(|node| node.0 >= 0)
}

pub(super) fn nodes(ids: &[BrokerId]) -> Vec<NodeId> {
    ids.iter().map(|id| NodeId(id.0)).collect()
}

/// Kafka's names of the operations in a bit field; a broker that was not asked answers with the lowest number. Source: KIP-430.
pub(super) fn operation_names(operations: i32) -> Vec<&'static str> {
    const NAMES: [(u32, &str); 10] = [
        (3, "READ"),
        (4, "WRITE"),
        (5, "CREATE"),
        (6, "DELETE"),
        (7, "ALTER"),
        (8, "DESCRIBE"),
        (9, "CLUSTER_ACTION"),
        (10, "DESCRIBE_CONFIGS"),
        (11, "ALTER_CONFIGS"),
        (12, "IDEMPOTENT_WRITE"),
    ];
    if operations == i32::MIN {
        return Vec::new();
    }
    NAMES.iter().filter(|(bit, _)| operations & (1 << bit) != 0).map(|(_, name)| *name).collect()
}

fn requested_counts(topic: &NewTopic) -> CreatedTopic {
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
