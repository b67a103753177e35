//! `…/consumer-groups`, `…/{group}`, `…/{group}/consumers` and below — groups of consumers, their members and what those read
//! (docs/reference/rest-v3.md §10.1–10.3).

use std::fmt::Display;

use postern_access::Right;
use postern_proxy::{GroupDescription, GroupMember, Proxy};
use schemars::JsonSchema;
use serde::Serialize;

use super::links::{Links, segment};
use super::page::{PAGE_SIZE, PAGE_TOKEN, Page};
use super::problem;
use super::resource::{Collection, Metadata, Related};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaConsumerGroup")]
struct Group<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    consumer_group_id: &'a str,
    is_simple: bool,
    partition_assignor: &'a str,
    state: &'static str,
    #[serde(rename = "type")]
    group_type: &'static str,
    is_mixed_consumer_group: bool,
    coordinator: Related,
    consumers: Related,
    lag_summary: Related,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaConsumer")]
struct Consumer<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    consumer_group_id: &'a str,
    consumer_id: &'a str,
    instance_id: Option<&'a str>,
    client_id: &'a str,
    assignments: Related,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaConsumerAssignment")]
struct Assignment<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    consumer_group_id: &'a str,
    consumer_id: &'a str,
    topic_name: &'a str,
    partition_id: i32,
    partition: Related,
    lag: Related,
}

pub(super) const LIST: Operation = operation("listConsumerGroups", "All consumer groups")
    .with_query(&[PAGE_SIZE, PAGE_TOKEN])
    .returns::<Collection<Group>>();
pub(super) const SHOW: Operation = operation("getConsumerGroup", "A consumer group").returns::<Group>();
pub(super) const CONSUMERS: Operation =
    operation("listConsumers", "The members of a group").returns::<Collection<Consumer>>();
pub(super) const CONSUMER: Operation = operation("getConsumer", "A member of a group").returns::<Consumer>();
pub(super) const ASSIGNMENTS: Operation =
    operation("listConsumerAssignments", "The partitions that a member reads").returns::<Collection<Assignment>>();
pub(super) const ASSIGNMENT: Operation =
    operation("getConsumerAssignment", "A partition that a member reads").returns::<Assignment>();

pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let page = Page::of(&request)?;
    let links = Links::of(&proxy, &request).await?;
    let listed = proxy.consumer_groups().await.map_err(problem)?;
    let permissions = request.params.permissions();
    let seen = listed.iter().filter(|group| permissions.may(Right::Watch, &group.id));
    // Describing a group costs more than its name: only those of the page are described.
    let on_page = page.cut(seen, |group| group.id.as_str().into());
    let described = proxy.describe_groups(&on_page.items).await.map_err(problem)?;
    let on_page = on_page.with_items(described.iter().collect());
    Ok(page
        .reply(&links, ("KafkaConsumerGroupList", "consumer-groups"), on_page, |group| group_of(&links, group))
        .await)
}

pub(super) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let group = group(&proxy, &request).await?;
    Ok(Reply::ok(&group_of(&links, &group)))
}

pub(super) async fn consumers(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let group = group(&proxy, &request).await?;
    let consumers = group.members.iter().map(|member| consumer_of(&links, &group.id, member));
    Ok(Reply::ok(&links.list("KafkaConsumerList", format_args!("{}/consumers", path_of(&group.id)), consumers)))
}

pub(super) async fn consumer(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let group = group(&proxy, &request).await?;
    Ok(Reply::ok(&consumer_of(&links, &group.id, member(&group, &request)?)))
}

pub(super) async fn assignments(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let group = group(&proxy, &request).await?;
    let member = member(&group, &request)?;
    let partitions = member.assignment.iter().flat_map(|(topic, partitions)| {
        let mut partitions = partitions.clone();
        partitions.sort_unstable();
        partitions.into_iter().map(move |partition| (topic.as_str(), partition))
    });
    let partitions = partitions.filter(|(topic, _)| request.params.permissions().may(Right::Describe, topic));
    let assignments = partitions.map(|(topic, partition)| assignment_of(&links, &group.id, member, topic, partition));
    let path = format_args!("{}/assignments", consumer_path(&group.id, member)).to_string();
    Ok(Reply::ok(&links.list("KafkaConsumerAssignmentList", path, assignments)))
}

pub(super) async fn assignment(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let partition: i32 = request.params.number("partition")?;
    let topic = request.params.get("topic");
    let links = Links::of(&proxy, &request).await?;
    let group = group(&proxy, &request).await?;
    let member = member(&group, &request)?;
    match member.assignment.get_key_value(topic).filter(|(_, partitions)| partitions.contains(&partition)) {
        Some((topic, _)) => Ok(Reply::ok(&assignment_of(&links, &group.id, member, topic, partition))),
        None => Err(Problem::missing(format!(
            "Assignment cannot be found: consumer {} does not read partition {partition} of topic '{topic}'.",
            member.id
        ))),
    }
}

async fn group(proxy: &Proxy, request: &RequestContext) -> Result<GroupDescription, Problem> {
    proxy.consumer_group(request.params.get("group")).await.map_err(problem)
}

fn member<'a>(group: &'a GroupDescription, request: &RequestContext) -> Result<&'a GroupMember, Problem> {
    let id = request.params.get("consumer");
    let missing = || {
        let count = group.members.len();
        Problem::missing(format!(
            "Consumer {id} does not exist: group {} has {count} member(s), not this one.",
            group.id
        ))
    };
    group.members.iter().find(|member| member.id == id).ok_or_else(missing)
}

/// Where a group lies, below the cluster.
pub(super) fn path_of(group: &str) -> impl Display {
    format!("consumer-groups/{}", segment(group))
}

fn consumer_path(group: &str, member: &GroupMember) -> String {
    format!("{}/consumers/{}", path_of(group), segment(&member.id))
}

fn group_of<'a>(links: &'a Links, group: &'a GroupDescription) -> Group<'a> {
    let path = path_of(&group.id);
    Group {
        kind: "KafkaConsumerGroup",
        metadata: links.metadata(&path, format_args!("consumer-group={}", group.id)),
        cluster_id: links.cluster_id(),
        consumer_group_id: &group.id,
        is_simple: group.is_simple(),
        partition_assignor: &group.assignor,
        state: group.state.name(),
        group_type: group.group_type.name(),
        is_mixed_consumer_group: group.is_mixed(),
        coordinator: links.related(format_args!("brokers/{}", group.coordinator)),
        consumers: links.related(format_args!("{path}/consumers")),
        lag_summary: links.related(format_args!("{path}/lag-summary")),
    }
}

fn consumer_of<'a>(links: &'a Links, group: &'a str, member: &'a GroupMember) -> Consumer<'a> {
    let path = consumer_path(group, member);
    Consumer {
        kind: "KafkaConsumer",
        metadata: links.metadata(&path, format_args!("consumer-group={group}/consumer={}", member.id)),
        cluster_id: links.cluster_id(),
        consumer_group_id: group,
        consumer_id: &member.id,
        instance_id: member.instance_id.as_deref(),
        client_id: &member.client_id,
        assignments: links.related(format_args!("{path}/assignments")),
    }
}

fn assignment_of<'a>(
    links: &'a Links,
    group: &'a str,
    member: &'a GroupMember,
    topic: &'a str,
    partition: i32,
) -> Assignment<'a> {
    let path = format!("{}/assignments/{}/partitions/{partition}", consumer_path(group, member), segment(topic));
    let name = format!("consumer-group={group}/consumer={}/assignment={topic}/partition={partition}", member.id);
    Assignment {
        kind: "KafkaConsumerAssignment",
        metadata: links.metadata(path, name),
        cluster_id: links.cluster_id(),
        consumer_group_id: group,
        consumer_id: &member.id,
        topic_name: topic,
        partition_id: partition,
        partition: links.related(format_args!("topics/{}/partitions/{partition}", segment(topic))),
        lag: links.related(format_args!("{}/lags/{}/partitions/{partition}", path_of(group), segment(topic))),
    }
}
