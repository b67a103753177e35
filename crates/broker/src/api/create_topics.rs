//! CreateTopics (19), versions 2 to 7: checked as Apache Kafka's controller checks, then made.
//!
//! Where more replicas are wanted than there are brokers, strict replication refuses as Kafka does; otherwise one is
//! kept, and the log and (version 5 on) the answer say so. Not done: policies, quotas.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{ApiKey, CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Call, Cut, blocking, configs};
use crate::code;
use crate::configs as settings;
use crate::node::{NODE_ID, Node};
use crate::topics::{self, CreateError, Own};

/// More partitions than this one node should have to keep apart.
pub(super) const MOST_PARTITIONS: i32 = 10_000;

/// An error and the sentence for the client; an empty one where Apache Kafka leaves it to the code.
pub(super) type Refusal = (ResponseError, String);

pub(super) fn sentence(message: String) -> Option<StrBytes> {
    (!message.is_empty()).then(|| StrBytes::from_string(message))
}

/// What a topic is to be, checked.
struct Plan {
    partitions: usize,
    own: Own,
    /// Replicas wanted, where those cannot be had.
    wanted_replicas: Option<i16>,
}

pub(super) async fn answer(
    node: &Arc<Node>,
    call: &Call<'_>,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, Cut> {
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
            // Its other mention was answered for both.
            None => continue,
            Some(1) => match call.fault(node, ApiKey::CreateTopics, Some(&topic.name)).await? {
                Some(error) => {
                    results.push(result.with_error_code(error));
                    continue;
                }
                None => create(node, &topic, request.validate_only).await,
            },
            Some(_) => Err((ResponseError::InvalidRequest, "Duplicate topic name.".to_owned())),
        };
        results.push(match outcome {
            Ok((id, plan)) => result
                .with_topic_id(id)
                .with_num_partitions(plan.partitions as i32)
                .with_replication_factor(1)
                .with_configs(Some(shown(node, &plan.own))),
            Err((error, message)) => {
                let result = result.with_error_code(code(error)).with_error_message(sentence(message));
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
    let (partitions, own) = (plan.partitions, plan.own.clone());
    let made = blocking(move || creator.topics.create(&name, partitions, own)).await;
    let name = topic.name.as_str();
    let id = made.map_err(|error| refused(name, error))?.id;
    match plan.wanted_replicas {
        Some(wanted) => {
            tracing::warn!(topic = name, partitions, wanted, "topic created with one replica: there is one broker")
        }
        None => tracing::info!(topic = name, partitions, "topic created"),
    }
    Ok((id, plan))
}

fn plan(node: &Node, topic: &CreatableTopic) -> Result<Plan, Refusal> {
    let name = topic.name.as_str();
    topics::check_name(name).map_err(|message| (ResponseError::InvalidTopicException, message))?;
    node.topics.room_for(name).map_err(|error| refused(name, error))?;
    let own = own(topic)?;
    if !topic.assignments.is_empty() {
        let partitions = assigned(topic)?;
        return Ok(Plan { partitions, own, wanted_replicas: None });
    }
    let wanted_replicas = match topic.replication_factor {
        -1 | 1 => None,
        wanted @ 2.. if !node.settings.strict_replication => Some(wanted),
        wanted @ 2.. => {
            let message = format!(
                "Unable to replicate the partition {wanted} time(s): The target replication factor of {wanted} \
                 cannot be reached because only 1 broker(s) are registered."
            );
            return Err((ResponseError::InvalidReplicationFactor, message));
        }
        _ => {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err((ResponseError::InvalidReplicationFactor, message.to_owned()));
        }
    };
    let partitions = match topic.num_partitions {
        -1 => node.settings.default_partitions.max(1),
        1.. => topic.num_partitions,
        _ => {
            let message = "Number of partitions was set to an invalid non-positive value.";
            return Err((ResponseError::InvalidPartitions, message.to_owned()));
        }
    };
    if partitions > MOST_PARTITIONS {
        let message = "Excessively large number of partitions per request.";
        return Err((ResponseError::PolicyViolation, message.to_owned()));
    }
    Ok(Plan { partitions: partitions as usize, own, wanted_replicas })
}

fn own(topic: &CreatableTopic) -> Result<Own, Refusal> {
    let mut own = Own::new();
    for config in &topic.configs {
        let name = config.name.as_str();
        let Some(value) = &config.value else {
            return Err((ResponseError::InvalidConfig, format!("Null value not supported for topic configs: {name}")));
        };
        checked(name, value)?;
        own.insert(name.to_owned(), value.to_string());
    }
    Ok(own)
}

/// Whether a topic can have this setting with this value.
pub(super) fn checked(name: &str, value: &str) -> Result<(), Refusal> {
    let checked = match settings::find(name) {
        Some(setting) => setting.check(value).and_then(|()| match (name, value) {
            ("remote.storage.enable", "true") => Err("Tiered Storage functionality is disabled in the broker. \
                 Topic cannot be configured with remote log storage."
                .to_owned()),
            _ => Ok(()),
        }),
        None => Err(format!("Unknown topic config name: {name}")),
    };
    checked.map_err(|message| (ResponseError::InvalidConfig, message))
}

/// The number of partitions of an assignment by hand, which on one node can only be: each on node 1.
fn assigned(topic: &CreatableTopic) -> Result<usize, Refusal> {
    if topic.num_partitions != -1 {
        let message = "A manual partition assignment was specified, but numPartitions was not set to -1.";
        return Err((ResponseError::InvalidRequest, message.to_owned()));
    }
    if topic.replication_factor != -1 {
        let message = "A manual partition assignment was specified, but replication factor was not set to -1.";
        return Err((ResponseError::InvalidRequest, message.to_owned()));
    }
    let mut by_index: BTreeMap<i32, &CreatableReplicaAssignment> = BTreeMap::new();
    for assignment in &topic.assignments {
        let index = assignment.partition_index;
        if by_index.insert(index, assignment).is_some() {
            let message = format!("Found multiple manual partition assignments for partition {index}");
            return Err((ResponseError::InvalidReplicaAssignment, message));
        }
        let brokers: Vec<i32> = assignment.broker_ids.iter().map(|broker| broker.0).collect();
        check_replicas(&brokers)?;
    }
    if (0i32..).zip(by_index.keys()).any(|(expected, found)| expected != *found) {
        let message = "partitions should be a consecutive 0-based integer sequence";
        return Err((ResponseError::InvalidReplicaAssignment, message.to_owned()));
    }
    Ok(by_index.len())
}

/// Whether a partition can lie on these brokers.
pub(super) fn check_replicas(brokers: &[i32]) -> Result<(), Refusal> {
    let refuse = |message: String| Err((ResponseError::InvalidReplicaAssignment, message));
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
        CreateError::Exists => (ResponseError::TopicAlreadyExists, format!("Topic '{name}' already exists.")),
        CreateError::Collides(other) => {
            (ResponseError::InvalidTopicException, format!("Topic '{name}' collides with existing topic: {other}"))
        }
        CreateError::Storage(error) => {
            tracing::error!(topic = name, %error, "a topic could not be created");
            (ResponseError::KafkaStorageError, "The topic could not be written to disk.".to_owned())
        }
    }
}

fn shown(node: &Node, own: &Own) -> Vec<CreatableTopicConfigs> {
    let described = settings::SETTINGS.iter().map(|setting| {
        let (value, source) = configs::value_of(node, own, setting);
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(Some(StrBytes::from_string(value)))
            .with_config_source(source as i8)
    });
    described.collect()
}
