//! `GET …/topics/{topic}/partitions`, `…/{partition}`, `…/{partition}/offset` — partitions and their offsets
//! (docs/reference/rest-v3.md §7.1, §7.2).

use postern_proxy::{PartitionDescription, PartitionId, Proxy, TopicDescription};
use schemars::JsonSchema;
use serde::Serialize;

use super::links::Links;
use super::page::{PAGE_SIZE, PAGE_TOKEN, Page, in_key};
use super::resource::{Collection, Metadata, Related};
use super::{described, problem, topic_name};
use crate::operation::{Operation, one_of, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// The only value of `offset_type`, and its default.
const OFFSET_TYPE: &str = "earliest_and_latest";

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaPartition")]
struct Partition<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    topic_name: &'a str,
    partition_id: i32,
    leader: Option<Related>,
    replicas: Related,
    reassignment: Related,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaPartitionWithOffsets")]
struct PartitionWithOffsets<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    topic_name: &'a str,
    partition_id: i32,
    earliest_offset: i64,
    latest_offset: i64,
}

pub(super) const LIST: Operation = operation("listPartitions", "The partitions of a topic")
    .with_query(&[PAGE_SIZE, PAGE_TOKEN])
    .returns::<Collection<Partition>>();
pub(super) const SHOW: Operation = operation("getPartition", "A partition").returns::<Partition>();
pub(super) const OFFSETS: Operation = operation("getPartitionOffsets", "Where a partition begins and ends")
    .with_query(&[one_of("offset_type", "The only value", &[OFFSET_TYPE])])
    .returns::<PartitionWithOffsets>();

pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let page = Page::of(&request)?;
    let links = Links::of(&proxy, &request).await?;
    let topic = described(&proxy, &topic_name(&request.params)?).await?;
    let on_page = page.cut(topic.partitions.iter(), |partition| in_key(partition.id.0).into());
    let kind = ("KafkaPartitionList", format!("topics/{}/partitions", topic.name));
    Ok(page.reply(&links, kind, on_page, |partition| partition_of(&links, &topic.name, partition)).await)
}

pub(super) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let id = PartitionId(request.params.number("partition")?);
    let links = Links::of(&proxy, &request).await?;
    let topic = described(&proxy, &topic_name(&request.params)?).await?;
    let partition = find(&topic, id).ok_or_else(|| Problem::missing(no_such_partition(&topic, id)))?;
    Ok(Reply::ok(&partition_of(&links, &topic.name, partition)))
}

pub(super) async fn offsets(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let id = PartitionId(request.params.number("partition")?);
    match request.query("offset_type").as_deref() {
        None | Some(OFFSET_TYPE) => {}
        Some(other) => {
            return Err(Problem::bad_request(format!("offset_type: expected {OFFSET_TYPE}, found '{other}'.")));
        }
    }
    let links = Links::of(&proxy, &request).await?;
    let name = topic_name(&request.params)?;
    let topic = described(&proxy, &name).await?;
    if find(&topic, id).is_none() {
        return Err(Problem::no_such_partition(no_such_partition(&topic, id)));
    }
    let range = proxy.offsets(&name, id).await.map_err(problem)?;
    let resource_name = format!("topic={name}/partition={id}/offset_type={OFFSET_TYPE}");
    Ok(Reply::ok(&PartitionWithOffsets {
        kind: "KafkaPartitionWithOffsets",
        metadata: links.metadata(format_args!("topics/{name}/partitions/{id}/offset"), resource_name),
        cluster_id: links.cluster_id(),
        topic_name: name.as_str(),
        partition_id: id.0,
        earliest_offset: range.earliest.0,
        latest_offset: range.latest.0,
    }))
}

pub(super) fn find(topic: &TopicDescription, id: PartitionId) -> Option<&PartitionDescription> {
    topic.partitions.iter().find(|partition| partition.id == id)
}

/// The message; its error code depends on the operation.
pub(super) fn no_such_partition(topic: &TopicDescription, id: PartitionId) -> String {
    let count = topic.partitions.len();
    format!(
        "Partition {id} of topic {} cannot be found: the topic has {count} partition(s), numbered from 0.",
        topic.name
    )
}

fn partition_of<'a>(links: &'a Links, topic: &'a str, partition: &PartitionDescription) -> Partition<'a> {
    let id = partition.id;
    let path = format!("topics/{topic}/partitions/{id}");
    Partition {
        kind: "KafkaPartition",
        metadata: links.metadata(&path, format_args!("topic={topic}/partition={id}")),
        cluster_id: links.cluster_id(),
        topic_name: topic,
        partition_id: id.0,
        leader: partition.leader.map(|leader| links.related(format_args!("{path}/replicas/{leader}"))),
        replicas: links.related(format_args!("{path}/replicas")),
        reassignment: links.related(format_args!("{path}/reassignment")),
    }
}
