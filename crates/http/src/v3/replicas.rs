//! `GET …/partitions/{partition}/replicas`, `…/replicas/{broker}`, `GET …/brokers/{broker}/partition-replicas` — replicas
//! of partitions (docs/reference/rest-v3.md §4, §7.3).

use postern_access::Right;
use postern_proxy::{NodeId, PartitionDescription, PartitionId, Proxy};
use schemars::JsonSchema;
use serde::Serialize;

use super::brokers::no_such_broker;
use super::links::Links;
use super::page::{PAGE_SIZE, PAGE_TOKEN, Page, in_key};
use super::partitions::{find, no_such_partition};
use super::resource::{Collection, Metadata, Related};
use super::topic_list::TopicList;
use super::{described, problem, topic_name};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaReplica")]
struct Replica<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    topic_name: &'a str,
    partition_id: i32,
    broker_id: i32,
    is_leader: bool,
    is_in_sync: bool,
    broker: Related,
}

pub(super) const LIST: Operation =
    operation("listReplicas", "The replicas of a partition").returns::<Collection<Replica>>();
pub(super) const SHOW: Operation = operation("getReplica", "A replica").returns::<Replica>();
pub(super) const OF_BROKER: Operation = operation("listReplicasOfBroker", "All replicas on a broker")
    .with_query(&[PAGE_SIZE, PAGE_TOKEN])
    .returns::<Collection<Replica>>();

pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let id = PartitionId(request.params.number("partition")?);
    let links = Links::of(&proxy, &request).await?;
    let topic = described(&proxy, &topic_name(&request.params)?).await?;
    let partition = find(&topic, id).ok_or_else(|| Problem::missing(no_such_partition(&topic, id)))?;
    let replicas = partition.replicas.iter().map(|broker| replica_of(&links, &topic.name, partition, *broker));
    Ok(Reply::ok(&links.list(
        "KafkaReplicaList",
        format_args!("topics/{}/partitions/{id}/replicas", topic.name),
        replicas,
    )))
}

pub(super) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let id = PartitionId(request.params.number("partition")?);
    let broker = NodeId(request.params.number("broker")?);
    let links = Links::of(&proxy, &request).await?;
    let topic = described(&proxy, &topic_name(&request.params)?).await?;
    let partition = find(&topic, id).ok_or_else(|| Problem::missing(no_such_partition(&topic, id)))?;
    if !partition.replicas.contains(&broker) {
        let message = format!(
            "Replica {broker} cannot be found: broker {broker} does not keep partition {id} of topic {}.",
            topic.name
        );
        return Err(Problem::missing(message));
    }
    Ok(Reply::ok(&replica_of(&links, &topic.name, partition, broker)))
}

/// All replicas on one broker, those of internal topics included, sorted by topic and partition.
pub(super) async fn of_broker(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let broker = NodeId(request.params.number("broker")?);
    let page = Page::of(&request)?;
    let links = Links::of(&proxy, &request).await?;
    let cluster = proxy.describe_cluster().await.map_err(problem)?;
    if !cluster.brokers.iter().any(|known| known.id == broker) {
        return Err(no_such_broker(broker));
    }
    let permissions = request.params.permissions();
    // No name of a topic has a NUL: topics stay in their order.
    let key = |topic: &str, partition: &PartitionDescription| format!("{topic}\0{}", in_key(partition.id.0));
    let (mut topics, mut count, mut list) = (Vec::new(), 0, TopicList::of(&page, &proxy, false));
    while page.wants_more(count)
        && let Some(some) = list.next().await?
    {
        for mut topic in some.into_iter().filter(|topic| permissions.may(Right::Describe, &topic.name)) {
            let is_kept = |partition: &PartitionDescription| {
                partition.replicas.contains(&broker) && page.is_behind(&key(&topic.name, partition))
            };
            topic.partitions.retain(is_kept);
            count += topic.partitions.len();
            topics.push(topic);
        }
    }
    let kept =
        topics.iter().flat_map(|topic| topic.partitions.iter().map(|partition| (topic.name.as_str(), partition)));
    let on_page = page.cut(kept, |(topic, partition)| key(topic, partition).into());
    let kind = ("KafkaReplicaList", format!("brokers/{broker}/partition-replicas"));
    let resource = |(topic, partition)| replica_of(&links, topic, partition, broker);
    Ok(page.reply(&links, kind, on_page, resource).await)
}

fn replica_of<'a>(links: &'a Links, topic: &'a str, partition: &PartitionDescription, broker: NodeId) -> Replica<'a> {
    let id = partition.id;
    Replica {
        kind: "KafkaReplica",
        metadata: links.metadata(
            format_args!("topics/{topic}/partitions/{id}/replicas/{broker}"),
            format_args!("topic={topic}/partition={id}/replica={broker}"),
        ),
        cluster_id: links.cluster_id(),
        topic_name: topic,
        partition_id: id.0,
        broker_id: broker.0,
        is_leader: partition.leader == Some(broker),
        is_in_sync: partition.in_sync.contains(&broker),
        broker: links.related(format_args!("brokers/{broker}")),
    }
}
