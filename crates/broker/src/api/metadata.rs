//! Metadata (3), versions 0 to 13, and DescribeCluster (60), versions 0 to 2: the one broker, the topics.
//!
//! Topics are asked for by name or (version 10 on) by id; none at all means every topic (null, or an empty list in
//! version 0). An unknown name is made into a topic if the settings and the request allow it. There is no authorizer, so
//! everybody may do everything to a topic, and is told so when asking. Not done: authorised operations of the cluster (the
//! "not asked" value is answered).

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

/// What can be done to a topic, a bit for each code of Kafka's `AclOperation`: read, write, create, delete, alter, describe,
/// describe configs, alter configs.
const ALL_TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

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
            for asked in asked {
                topics.push(match asked.name {
                    Some(name) => by_name(node, call, name, request.allow_auto_topic_creation).await?,
                    None => match node.topics.find_id(asked.topic_id) {
                        Some(topic) => described(&topic),
                        None => failed(None, ResponseError::UnknownTopicId.code()).with_topic_id(asked.topic_id),
                    },
                });
            }
            topics
        }
    };
    if request.include_topic_authorized_operations {
        for topic in topics.iter_mut().filter(|topic| topic.error_code == 0) {
            topic.topic_authorized_operations = ALL_TOPIC_OPERATIONS;
        }
    }
    Ok(MetadataResponse::default()
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
        return Ok(failed(Some(name), error));
    }
    if let Some(topic) = node.topics.find(&name) {
        return Ok(described(&topic));
    }
    if topics::check_name(&name).is_err() {
        return Ok(failed(Some(name), code(ResponseError::InvalidTopicException)));
    }
    if !(may_create && node.settings.auto_create_topics) {
        return Ok(failed(Some(name), code(ResponseError::UnknownTopicOrPartition)));
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
            None => failed(Some(name), code(ResponseError::UnknownTopicOrPartition)),
        },
        Err(CreateError::Collides(_)) => failed(Some(name), code(ResponseError::InvalidTopicException)),
        Err(CreateError::Storage(error)) => {
            tracing::error!(topic = name.as_str(), %error, "a topic could not be created");
            failed(Some(name), code(ResponseError::KafkaStorageError))
        }
    })
}

fn failed(name: Option<TopicName>, error: i16) -> MetadataResponseTopic {
    MetadataResponseTopic::default().with_error_code(error).with_name(name.or_else(|| Some(TopicName::default())))
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
    if call.version >= 1 && request.endpoint_type != 1 {
        let message = "The request was sent to an endpoint of the wrong type.";
        return Ok(response
            .with_error_code(code(ResponseError::MismatchedEndpointType))
            .with_error_message(Some(StrBytes::from_static_str(message))));
    }
    let broker = DescribeClusterBroker::default()
        .with_broker_id(NODE_ID)
        .with_host(host(call.caller))
        .with_port(i32::from(call.caller.local.port()));
    Ok(response
        .with_cluster_id(StrBytes::from_string(node.cluster_id.clone()))
        .with_controller_id(NODE_ID)
        .with_brokers(vec![broker]))
}
