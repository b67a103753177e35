//! CreateTopics (19), versions 2 to 7: validated as Apache Kafka's controller validates.
//!
//! A topic with more replicas than there are brokers is refused under strict replication, as Kafka does; otherwise it gets
//! one, and the log and (from version 5 on) the response say so. Not done: policies, quotas.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{ApiKey, CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::StrBytes;

use super::refusal::Refusal;
use super::{CallContext, Disconnect};
use crate::blocking::run_blocking;
use crate::configs::{self, ConfigOverrides};
use crate::node::{NODE_ID, Node};
use crate::topics::{self, CreateError};

/// The partitions that one request may ask for, as in Apache Kafka.
pub(super) const MAX_PARTITIONS: i32 = 10_000;

/// A topic to create, validated.
struct Plan {
    partitions: usize,
    overrides: ConfigOverrides,
    /// The requested number of replicas, if there are too few brokers for it.
    requested_replicas: Option<i16>,
}

pub(super) async fn handle(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, Disconnect> {
    let mut named: HashMap<StrBytes, usize> = HashMap::new();
    for topic in &request.topics {
        *named.entry(topic.name.0.clone()).or_default() += 1;
    }
    let mut results = Vec::with_capacity(named.len());
    for topic in request.topics {
        let result = CreatableTopicResult::default()
            .with_name(topic.name.clone())
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_error_message(None)
            .with_configs(None);
        let outcome = match named.remove(&topic.name.0) {
            // A topic that is named twice gets one result.
            None => continue,
            Some(1) => match context.injected_fault(node, ApiKey::CreateTopics, Some(&topic.name)).await? {
                Some(error) => {
                    results.push(result.with_error_code(error));
                    continue;
                }
                None => create(node, &topic, request.validate_only).await,
            },
            Some(_) => Err(Refusal::new(ResponseError::InvalidRequest, "Duplicate topic name.".to_owned())),
        };
        results.push(match outcome {
            Ok((id, plan)) => result
                .with_topic_id(id)
                .with_num_partitions(plan.partitions as i32)
                .with_replication_factor(1)
                .with_configs(Some(described_configs(node, &plan.overrides))),
            Err(refusal) => {
                let result = result.with_error_code(refusal.code()).with_error_message(refusal.into_message());
                result.with_configs(Some(vec![]))
            }
        });
    }
    Ok(CreateTopicsResponse::default().with_topics(results))
}

async fn create(node: &Arc<Node>, topic: &CreatableTopic, validate_only: bool) -> Result<(uuid::Uuid, Plan), Refusal> {
    let plan = plan(node, topic)?;
    if validate_only {
        return Ok((uuid::Uuid::new_v4(), plan));
    }
    let (creator, name) = (node.clone(), topic.name.clone());
    let (partitions, overrides) = (plan.partitions, plan.overrides.clone());
    let made = run_blocking(move || creator.topics.create(&name, partitions, overrides)).await;
    let name = topic.name.as_str();
    let id = made.map_err(|error| refused(name, error))?.id;
    match plan.requested_replicas {
        Some(wanted) => {
            tracing::warn!(topic = name, partitions, wanted, "topic created with one replica: there is one broker")
        }
        None => tracing::info!(topic = name, partitions, "topic created"),
    }
    Ok((id, plan))
}

fn plan(node: &Node, topic: &CreatableTopic) -> Result<Plan, Refusal> {
    let name = topic.name.as_str();
    topics::check_name(name).map_err(|message| Refusal::new(ResponseError::InvalidTopicException, message))?;
    node.topics.room_for(name).map_err(|error| refused(name, error))?;
    let overrides = overrides(topic)?;
    if !topic.assignments.is_empty() {
        let partitions = assigned(topic)?;
        return Ok(Plan { partitions, overrides, requested_replicas: None });
    }
    let requested_replicas = match topic.replication_factor {
        -1 | 1 => None,
        wanted @ 2.. if !node.settings.strict_replication => Some(wanted),
        wanted @ 2.. => {
            let message = format!(
                "Unable to replicate the partition {wanted} time(s): The target replication factor of {wanted} \
                 cannot be reached because only 1 broker(s) are registered."
            );
            return Err(Refusal::new(ResponseError::InvalidReplicationFactor, message));
        }
        _ => {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(Refusal::new(ResponseError::InvalidReplicationFactor, message.to_owned()));
        }
    };
    let partitions = match topic.num_partitions {
        -1 => node.settings.default_partitions.max(1),
        1.. => topic.num_partitions,
        _ => {
            let message = "Number of partitions was set to an invalid non-positive value.";
            return Err(Refusal::new(ResponseError::InvalidPartitions, message.to_owned()));
        }
    };
    if partitions > MAX_PARTITIONS {
        let message = "Excessively large number of partitions per request.";
        return Err(Refusal::new(ResponseError::PolicyViolation, message.to_owned()));
    }
    Ok(Plan { partitions: partitions as usize, overrides, requested_replicas })
}

fn overrides(topic: &CreatableTopic) -> Result<ConfigOverrides, Refusal> {
    let mut overrides = ConfigOverrides::new();
    for config in &topic.configs {
        let name = config.name.as_str();
        let Some(value) = &config.value else {
            return Err(Refusal::new(
                ResponseError::InvalidConfig,
                format!("Null value not supported for topic configs: {name}"),
            ));
        };
        configs::check_topic_setting(name, value)
            .map_err(|message| Refusal::new(ResponseError::InvalidConfig, message))?;
        overrides.insert(name.to_owned(), value.to_string());
    }
    Ok(overrides)
}

/// The number of partitions of a manual assignment, which can only assign all of them to the one node.
fn assigned(topic: &CreatableTopic) -> Result<usize, Refusal> {
    if topic.num_partitions != -1 {
        let message = "A manual partition assignment was specified, but numPartitions was not set to -1.";
        return Err(Refusal::new(ResponseError::InvalidRequest, message.to_owned()));
    }
    if topic.replication_factor != -1 {
        let message = "A manual partition assignment was specified, but replication factor was not set to -1.";
        return Err(Refusal::new(ResponseError::InvalidRequest, message.to_owned()));
    }
    let mut by_index: BTreeMap<i32, &CreatableReplicaAssignment> = BTreeMap::new();
    for assignment in &topic.assignments {
        let index = assignment.partition_index;
        if by_index.insert(index, assignment).is_some() {
            let message = format!("Found multiple manual partition assignments for partition {index}");
            return Err(Refusal::new(ResponseError::InvalidReplicaAssignment, message));
        }
        let brokers: Vec<i32> = assignment.broker_ids.iter().map(|broker| broker.0).collect();
        check_replicas(&brokers)?;
    }
    if (0i32..).zip(by_index.keys()).any(|(expected, found)| expected != *found) {
        let message = "partitions should be a consecutive 0-based integer sequence";
        return Err(Refusal::new(ResponseError::InvalidReplicaAssignment, message.to_owned()));
    }
    Ok(by_index.len())
}

/// Checks that these brokers can be the replicas of a partition.
pub(super) fn check_replicas(brokers: &[i32]) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(ResponseError::InvalidReplicaAssignment, message));
    if brokers.is_empty() {
        return refuse("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return refuse(format!("The manual partition assignment includes the broker {} more than once.", pair[0]));
    }
    if let Some(unknown) = sorted.iter().find(|broker| **broker != NODE_ID.0) {
        return refuse(format!(
            "The manual partition assignment includes broker {unknown}, but no such broker is registered."
        ));
    }
    Ok(())
}

fn refused(name: &str, error: CreateError) -> Refusal {
    match error {
        CreateError::Exists => {
            Refusal::new(ResponseError::TopicAlreadyExists, format!("Topic '{name}' already exists."))
        }
        CreateError::Collides(other) => Refusal::new(
            ResponseError::InvalidTopicException,
            format!("Topic '{name}' collides with existing topic: {other}"),
        ),
        CreateError::Storage(error) => {
            tracing::error!(topic = name, %error, "a topic could not be created");
            Refusal::new(ResponseError::KafkaStorageError, "The topic could not be written to disk.".to_owned())
        }
    }
}

fn described_configs(node: &Node, overrides: &ConfigOverrides) -> Vec<CreatableTopicConfigs> {
    let described = configs::TOPIC_SETTINGS.iter().map(|setting| {
        let (value, source) = setting.effective_value(overrides, &node.topics.defaults);
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(Some(StrBytes::from_string(value)))
            .with_config_source(source as i8)
    });
    described.collect()
}
