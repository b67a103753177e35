//! Metadata (3), versions 0 to 13, and DescribeCluster (60), versions 0 to 2: the one broker, the topics.
//!
//! Topics are requested by name or (from version 10 on) by id; null, or an empty list in version 0, means all topics. A
//! topic that does not exist is created if the settings and the request allow it. There is no authorizer, so all
//! operations are reported as authorized.

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

use super::{CallContext, ConnectionInfo, Disconnect};
use crate::blocking::run_blocking;
use crate::code;
use crate::configs::ConfigOverrides;
use crate::node::{NODE_ID, Node};
use crate::topics::{self, CreateError, Topic};

/// The operations on the cluster, as for topics: create, alter, describe, act as a broker, describe configs, alter configs,
/// write idempotently.
const ALL_CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// The operations on a topic, a bit for each code of Kafka's `AclOperation`: read, write, create, delete, alter, describe,
/// describe configs, alter configs.
pub(super) const ALL_TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

pub(super) async fn handle(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: MetadataRequest,
) -> Result<MetadataResponse, Disconnect> {
    // Where topics are named, `by_name` looks for each.
    let names_topics = request.topics.iter().flatten().any(|topic| topic.name.is_some());
    let fault = match names_topics {
        true => None,
        false => context.injected_fault(node, ApiKey::Metadata, None).await?,
    };
    let (host, port) = endpoint(node, context.connection);
    let broker = MetadataResponseBroker::default().with_node_id(NODE_ID).with_host(host).with_port(port);
    let mut topics: Vec<_> = match request.topics {
        None => node.topics.all().iter().map(|topic| described(topic)).collect(),
        Some(requested) if requested.is_empty() && context.version == 0 => {
            node.topics.all().iter().map(|topic| described(topic)).collect()
        }
        Some(requested) => {
            let mut topics = Vec::with_capacity(requested.len());
            let mut seen = HashSet::new();
            for requested in requested {
                if !seen.insert((requested.name.clone(), requested.topic_id)) {
                    continue;
                }
                topics.push(match requested.name {
                    Some(name) => by_name(node, context, name, request.allow_auto_topic_creation).await?,
                    None => match node.topics.find_id(requested.topic_id) {
                        Some(topic) => described(&topic),
                        None => {
                            failed(context, None, code(ResponseError::UnknownTopicId)).with_topic_id(requested.topic_id)
                        }
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
    if let Some(error) = fault {
        topics.iter_mut().for_each(|topic| topic.error_code = error);
        // Older versions have no place for an error but those of topics.
        response.error_code = if context.version >= 13 { error } else { 0 };
    }
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
    context: &CallContext<'_>,
    name: TopicName,
    may_create: bool,
) -> Result<MetadataResponseTopic, Disconnect> {
    if let Some(error) = context.injected_fault(node, ApiKey::Metadata, Some(&name)).await? {
        return Ok(failed(context, Some(name), error));
    }
    if let Some(topic) = node.topics.find(&name) {
        return Ok(described(&topic));
    }
    if topics::check_name(&name).is_err() {
        return Ok(failed(context, Some(name), code(ResponseError::InvalidTopicException)));
    }
    if !(may_create && node.settings.auto_create_topics) {
        if may_create {
            node.notices.unknown_topic(&name);
        }
        return Ok(failed(context, Some(name), code(ResponseError::UnknownTopicOrPartition)));
    }
    let (creator, wanted) = (node.clone(), name.clone());
    let partitions = node.settings.default_partitions.max(1) as usize;
    let made = run_blocking(move || creator.topics.create(&wanted, partitions, ConfigOverrides::new())).await;
    Ok(match made {
        Ok(topic) => {
            tracing::info!(
                topic = name.as_str(),
                partitions,
                "topic created automatically: a client requested its metadata"
            );
            described(&topic)
        }
        Err(CreateError::Exists) => match node.topics.find(&name) {
            Some(topic) => described(&topic),
            None => failed(context, Some(name), code(ResponseError::UnknownTopicOrPartition)),
        },
        Err(CreateError::Collides(_)) => failed(context, Some(name), code(ResponseError::InvalidTopicException)),
        Err(CreateError::Storage(error)) => {
            tracing::error!(topic = name.as_str(), %error, "a topic could not be created");
            failed(context, Some(name), code(ResponseError::KafkaStorageError))
        }
    })
}

fn failed(context: &CallContext<'_>, name: Option<TopicName>, error: i16) -> MetadataResponseTopic {
    // Until version 11 the name is not nullable.
    let name = name.or_else(|| (context.version <= 11).then(TopicName::default));
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

/// Where this client finds the broker, host and port: the address that it connected to, which is right for loopback, containers and
/// wildcard listeners, or the one that is advertised to clients on other machines.
pub(super) fn endpoint(node: &Node, connection: &ConnectionInfo) -> (StrBytes, i32) {
    let ip = connection.local.ip().to_canonical();
    match &node.settings.advertise {
        Some((host, port)) if !ip.is_loopback() => (StrBytes::from_string(host.clone()), i32::from(*port)),
        _ => (StrBytes::from_string(ip.to_string()), i32::from(connection.local.port())),
    }
}

pub(super) async fn describe_cluster(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: DescribeClusterRequest,
) -> Result<DescribeClusterResponse, Disconnect> {
    let response = DescribeClusterResponse::default().with_endpoint_type(1);
    if let Some(error) = context.injected_fault(node, ApiKey::DescribeCluster, None).await? {
        return Ok(response.with_error_code(error).with_error_message(None));
    }
    // 1: brokers. Controllers (2) have no listener of their own.
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
    let (host, port) = endpoint(node, context.connection);
    let broker = DescribeClusterBroker::default().with_broker_id(NODE_ID).with_host(host).with_port(port);
    let operations = if request.include_cluster_authorized_operations { ALL_CLUSTER_OPERATIONS } else { i32::MIN };
    Ok(response
        .with_cluster_authorized_operations(operations)
        .with_cluster_id(StrBytes::from_string(node.cluster_id.clone()))
        .with_controller_id(NODE_ID)
        .with_brokers(vec![broker]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn clients_on_other_machines_are_told_what_is_advertised() {
        let dir = tempfile::tempdir().unwrap();
        let advertise = Some(("kafka.example.org".to_owned(), 19092));
        let settings = Settings { advertise, ..Settings::for_test(dir.path()) };
        let node = Node::open(settings, ([0, 0, 0, 0], 9092).into()).unwrap();
        let told = |local: &str| {
            let local: std::net::SocketAddr = local.parse().unwrap();
            let (host, port) = endpoint(&node, &ConnectionInfo { host: local.ip(), local });
            format!("{host}:{port}")
        };
        assert_eq!(told("10.0.0.7:9092"), "kafka.example.org:19092");
        assert_eq!(told("127.0.0.1:9092"), "127.0.0.1:9092");
        assert_eq!(told("[::ffff:127.0.0.1]:9092"), "127.0.0.1:9092");
    }
}
