//! `GET /topics`, `GET /topics/{topic}`, `…/partitions`, `…/partitions/{partition}`, `…/partitions/{partition}/offsets` — topics,
//! partitions and offsets (docs/reference/rest-v2.md §4.3–4.6).

use std::collections::BTreeMap;

use postern_access::Right;
use postern_proxy::{ConfigResource, NodeId, PartitionDescription, PartitionId, Proxy, TopicDescription, TopicName};
use schemars::JsonSchema;
use serde::Serialize;

use super::problem;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::{Params, RequestContext};

#[derive(Serialize, JsonSchema)]
struct Topic<'a> {
    name: &'a str,
    configs: BTreeMap<&'a str, Option<&'a str>>,
    partitions: Vec<Partition>,
}

#[derive(Serialize, JsonSchema)]
struct Partition {
    partition: i32,
    /// -1: none.
    leader: i32,
    replicas: Vec<Replica>,
}

#[derive(Serialize, JsonSchema)]
struct Replica {
    broker: i32,
    leader: bool,
    in_sync: bool,
}

#[derive(Serialize, JsonSchema)]
struct Offsets {
    beginning_offset: i64,
    end_offset: i64,
}

pub(super) const LIST: Operation = operation("listTopicNames", "The names of all topics").returns::<Vec<String>>();
pub(super) const SHOW: Operation =
    operation("getTopicWithConfigs", "A topic, with its configs and partitions").returns::<Topic>();
pub(super) const PARTITIONS: Operation =
    operation("listPartitionsOfTopic", "The partitions of a topic").returns::<Vec<Partition>>();
pub(super) const PARTITION: Operation = operation("getPartitionOfTopic", "A partition").returns::<Partition>();
pub(super) const OFFSETS: Operation = operation("getOffsets", "Where a partition begins and ends").returns::<Offsets>();

pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let topics = proxy.topics(false).await.map_err(problem)?;
    let permissions = request.params.permissions();
    let is_shown = |topic: &&TopicDescription| !topic.is_internal && permissions.may(Right::Describe, &topic.name);
    let names: Vec<&str> = topics.iter().filter(is_shown).map(|topic| topic.name.as_str()).collect();
    Ok(Reply::ok(&names))
}

pub(super) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let name = topic_name(&request.params)?;
    let topic = proxy.topic(&name, false).await.map_err(problem)?;
    let configs = proxy.configs(&ConfigResource::Topic(name.clone())).await.map_err(problem)?;
    let configs = configs.iter().map(|entry| (entry.name.as_str(), entry.value.as_deref())).collect();
    Ok(Reply::ok(&Topic {
        name: &topic.name,
        configs,
        partitions: topic.partitions.iter().map(partition_of).collect(),
    }))
}

pub(super) async fn partitions(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let topic = described(&proxy, &topic_name(&request.params)?).await?;
    Ok(Reply::ok(&topic.partitions.iter().map(partition_of).collect::<Vec<_>>()))
}

pub(super) async fn partition(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let id = PartitionId(request.params.number("partition")?);
    let topic = described(&proxy, &topic_name(&request.params)?).await?;
    let found =
        topic.partitions.iter().find(|partition| partition.id == id).ok_or_else(|| no_such_partition(&topic, id))?;
    Ok(Reply::ok(&partition_of(found)))
}

pub(super) async fn offsets(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let id = PartitionId(request.params.number("partition")?);
    let name = topic_name(&request.params)?;
    let topic = described(&proxy, &name).await?;
    if !topic.partitions.iter().any(|partition| partition.id == id) {
        return Err(no_such_partition(&topic, id));
    }
    let range = proxy.offsets(&name, id).await.map_err(problem)?;
    Ok(Reply::ok(&Offsets { beginning_offset: range.earliest.0, end_offset: range.latest.0 }))
}

/// The topic of the path. An illegal name is a 400, not a 404 (docs/reference/rest-v2.md §4.4).
pub(super) fn topic_name(params: &Params) -> Result<TopicName, Problem> {
    let name = params.get("topic");
    TopicName::parse(name)
        .map_err(|error| Problem::invalid_request(format!("'{name}' is no legal name of a topic: {error}.")))
}

pub(super) async fn described(proxy: &Proxy, name: &TopicName) -> Result<TopicDescription, Problem> {
    proxy.topic(name, false).await.map_err(problem)
}

pub(super) fn no_such_partition(topic: &TopicDescription, id: PartitionId) -> Problem {
    let message = format!(
        "Partition not found: topic '{}' has {} partition(s), no partition {}.",
        topic.name,
        topic.partitions.len(),
        id.0
    );
    Problem::no_such_partition(message)
}

fn partition_of(partition: &PartitionDescription) -> Partition {
    let replica = |broker: &NodeId| Replica {
        broker: broker.0,
        leader: partition.leader == Some(*broker),
        in_sync: partition.in_sync.contains(broker),
    };
    Partition {
        partition: partition.id.0,
        leader: partition.leader.map_or(-1, |leader| leader.0),
        replicas: partition.replicas.iter().map(replica).collect(),
    }
}
