//! Metadata (3), versions 0 to 13, and DescribeCluster (60), versions 0 to 2: the one broker, the topics.
//!
//! Topics are asked for by name or (version 10 on) by id; none at all means every topic (null, or an empty list in
//! version 0). An unknown name is made into a topic if the settings and the request allow it. There is no authorizer, so
//! everybody may do everything, and is told so when asking.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, DescribeClusterRequest, DescribeClusterResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{Call, Caller, Cut, blocking};
use crate::code;
use crate::node::{NODE_ID, Node};
use crate::topics::{self, CreateError, Own, Topic};

/// What can be done to the cluster, as for topics: create, alter, describe, act as a broker, describe configs, alter configs,
/// write idempotently.
const ALL_CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// What can be done to a topic, a bit for each code of Kafka's `AclOperation`: read, write, create, delete, alter, describe,
/// describe configs, alter configs.
pub(super) const ALL_TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

pub(super) async fn answer(
    node: &Arc<Node>,
    call: &Call<'_>,
    request: MetadataRequest,
) -> Result<MetadataResponse, Cut> {
    let broker = MetadataResponseBroker::default()
        .with_node_id(NODE_ID)
        .with_host(host(call.caller))
        .with_port(i32::from(call.caller.local.port()));
    let mut topics: Vec<_> = match request.topics {
        None => node.topics.all().iter().map(|topic| described(topic)).collect(),
        Some(asked) if asked.is_empty() && call.version == 0 => {
            node.topics.all().iter().map(|topic| described(topic)).collect()
        }
        Some(asked) => {
            let mut topics = Vec::with_capacity(asked.len());
            let mut seen = HashSet::new();
            for asked in asked {
                if !seen.insert((asked.name.clone(), asked.topic_id)) {
                    continue;
                }
                topics.push(match asked.name {
                    Some(name) => by_name(node, call, name, request.allow_auto_topic_creation).await?,
                    None => match node.topics.find_id(asked.topic_id) {
                        Some(topic) => described(&topic),
                        None => failed(call, None, code(ResponseError::UnknownTopicId)).with_topic_id(asked.topic_id),
                    },
                });
            }
            topics
        }
    };
    if request.include_topic_authorized_operations {
        topics.iter_mut().for_each(|topic| topic.topic_authorized_operations = ALL_TOPIC_OPERATIONS);
    }
    let mut response = MetadataResponse::default();
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = ALL_CLUSTER_OPERATIONS;
    }
    Ok(response
        .with_brokers(vec![broker])
        .with_cluster_id(Some(StrBytes::from_string(node.cluster_id.clone())))
        .with_controller_id(NODE_ID)
        .with_topics(topics))
}

async fn by_name(
    node: &Arc<Node>,
    call: &Call<'_>,
    name: TopicName,
    may_create: bool,
) -> Result<MetadataResponseTopic, Cut> {
    if let Some(error) = call.fault(node, ApiKey::Metadata, Some(&name)).await? {
        return Ok(failed(call, Some(name), error));
    }
    if let Some(topic) = node.topics.find(&name) {
        return Ok(described(&topic));
    }
    if topics::check_name(&name).is_err() {
        return Ok(failed(call, Some(name), code(ResponseError::InvalidTopicException)));
    }
    if !(may_create && node.settings.auto_create_topics) {
        return Ok(failed(call, Some(name), code(ResponseError::UnknownTopicOrPartition)));
    }
    let (creator, wanted) = (node.clone(), name.clone());
    let partitions = node.settings.default_partitions.max(1) as usize;
    let made = blocking(move || creator.topics.create(&wanted, partitions, Own::new())).await;
    Ok(match made {
        Ok(topic) => {
            tracing::info!(topic = name.as_str(), partitions, "topic created: a client asked for it");
            described(&topic)
        }
        Err(CreateError::Exists) => match node.topics.find(&name) {
            Some(topic) => described(&topic),
            None => failed(call, Some(name), code(ResponseError::UnknownTopicOrPartition)),
        },
        Err(CreateError::Collides(_)) => failed(call, Some(name), code(ResponseError::InvalidTopicException)),
        Err(CreateError::Storage(error)) => {
            tracing::error!(topic = name.as_str(), %error, "a topic could not be created");
            failed(call, Some(name), code(ResponseError::KafkaStorageError))
        }
    })
}

fn failed(call: &Call<'_>, name: Option<TopicName>, error: i16) -> MetadataResponseTopic {
    // Until version 11 an absent name is an empty one.
    let name = name.or_else(|| (call.version <= 11).then(TopicName::default));
    MetadataResponseTopic::default().with_error_code(error).with_name(name)
}

fn described(topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions();
    let partitions = partitions.iter().map(|partition| {
        MetadataResponsePartition::default()
            .with_partition_index(partition.index)
            .with_leader_id(NODE_ID)
            .with_leader_epoch(0)
            .with_replica_nodes(vec![NODE_ID])
            .with_isr_nodes(vec![NODE_ID])
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(topic.name.clone())))
        .with_topic_id(topic.id)
        .with_is_internal(topic.is_internal())
        .with_partitions(partitions.collect())
}

/// Where this client reached us: right for loopback, containers and wildcard listeners alike.
pub(super) fn host(caller: &Caller) -> StrBytes {
    StrBytes::from_string(caller.local.ip().to_canonical().to_string())
}

pub(super) async fn describe_cluster(
    node: &Arc<Node>,
    call: &Call<'_>,
    request: DescribeClusterRequest,
) -> Result<DescribeClusterResponse, Cut> {
    let response = DescribeClusterResponse::default().with_endpoint_type(1);
    if let Some(error) = call.fault(node, ApiKey::DescribeCluster, None).await? {
        return Ok(response.with_error_code(error).with_error_message(None));
    }
    // 1: brokers. Controllers (2) have no listener of their own here.
    let refusal = match request.endpoint_type {
        1 => None,
        2 => Some((
            ResponseError::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                .to_owned(),
        )),
        other => Some((ResponseError::UnsupportedEndpointType, format!("Unsupported endpoint type {other}"))),
    };
    if let Some((error, message)) = refusal {
        let message = Some(StrBytes::from_string(message));
        return Ok(response.with_error_code(code(error)).with_error_message(message));
    }
    let broker = DescribeClusterBroker::default()
        .with_broker_id(NODE_ID)
        .with_host(host(call.caller))
        .with_port(i32::from(call.caller.local.port()));
    let operations = if request.include_cluster_authorized_operations { ALL_CLUSTER_OPERATIONS } else { i32::MIN };
    Ok(response
        .with_cluster_authorized_operations(operations)
        .with_cluster_id(StrBytes::from_string(node.cluster_id.clone()))
        .with_controller_id(NODE_ID)
        .with_brokers(vec![broker]))
}
