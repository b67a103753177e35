//! `…/topics`, `…/topics/{topic}` — topics listed, shown, created, widened, deleted (docs/reference/rest-v3.md §6).

mod create;

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use postern_proxy::{Caller, ManageTopic, Proxy, TopicDescription, TopicName};
use serde::Serialize;

use self::create::Creation;
use super::links::{Asked, Links};
use super::resource::{Metadata, Related};
use super::{described, may_describe, problem, topic_name};
use crate::call::Call;
use crate::document::Document;
use crate::problem::Problem;
use crate::reply::Reply;

#[derive(Serialize)]
struct Topic<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    topic_name: &'a str,
    is_internal: bool,
    replication_factor: usize,
    partitions_count: usize,
    partitions: Related,
    configs: Related,
    partition_reassignments: Related,
    authorized_operations: &'a [&'static str],
}

/// Sorted by name, without internal topics. Its query parameter is spelt in another way than that of one topic.
pub(super) async fn list(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &call).await?;
    let authorized_operations = call.flag("includeAuthorizedOperations");
    let topics = proxy.topics(may_describe()?, authorized_operations).await.map_err(problem)?;
    let topics = topics.iter().filter(|topic| !topic.is_internal).map(|topic| topic_of(&links, topic));
    Ok(Reply::ok(&links.list("KafkaTopicList", "topics", topics)))
}

pub(super) async fn show(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &call).await?;
    let name = topic_name(&call.params)?;
    let authorized_operations = call.flag("include_authorized_operations");
    let topic = proxy.topic(may_describe()?, &name, authorized_operations).await.map_err(problem)?;
    Ok(Reply::ok(&topic_of(&links, &topic)))
}

pub(super) async fn create(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    let asked = Asked::of(&call);
    let (_, body) = call.read().await?;
    let creation = Creation::read(&body)?;
    let links = asked.links(&proxy).await?;
    let new = creation.into_topic()?;
    let grant = Caller::anonymous().may_manage(new.name.clone()).map_err(problem)?;
    let created = proxy.create_topic(grant, &new).await.map_err(problem)?;
    let count = |count: i32| usize::try_from(count).unwrap_or(0);
    let topic = Topic {
        replication_factor: count(created.replication_factor),
        partitions_count: count(created.partitions),
        ..topic_named(&links, new.name.as_str())
    };
    let status = if new.validate_only { StatusCode::OK } else { StatusCode::CREATED };
    let reply = Reply::json(status, &topic);
    Ok(match HeaderValue::try_from(topic.metadata.url) {
        Ok(url) => reply.header(LOCATION, url),
        // A client that sent no clean `Host` gets no link that would be none.
        Err(_) => reply,
    })
}

/// Adds partitions; the number is that of all partitions afterwards.
pub(super) async fn widen(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    let asked = Asked::of(&call);
    let (params, body) = call.read().await?;
    let mut document = Document::read(&body, "an object with partitions_count")?;
    let total = document.int32("partitions_count")?;
    let total = document.required("partitions_count", total)?;
    document.end()?;
    let links = asked.links(&proxy).await?;
    let name = existing(params.get("topic"))?;
    proxy.add_partitions(may_manage(&name)?, total).await.map_err(problem)?;
    Ok(Reply::ok(&topic_of(&links, &described(&proxy, &name).await?)))
}

pub(super) async fn delete(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    Links::of(&proxy, &call).await?;
    let name = existing(call.params.get("topic"))?;
    proxy.delete_topic(may_manage(&name)?).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Where something is done to a topic, an illegal name is one that no topic has.
fn existing(name: &str) -> Result<TopicName, Problem> {
    TopicName::parse(name).map_err(|error| Problem::no_such_topic(format!("There is no topic '{name}': {error}.")))
}

fn may_manage(name: &TopicName) -> Result<ManageTopic, Problem> {
    Caller::anonymous().may_manage(name.clone()).map_err(problem)
}

fn topic_of<'a>(links: &'a Links, topic: &'a TopicDescription) -> Topic<'a> {
    Topic {
        is_internal: topic.is_internal,
        replication_factor: topic.partitions.first().map_or(0, |partition| partition.replicas.len()),
        partitions_count: topic.partitions.len(),
        authorized_operations: &topic.authorized_operations,
        ..topic_named(links, &topic.name)
    }
}

/// What follows from the name alone.
fn topic_named<'a>(links: &'a Links, name: &'a str) -> Topic<'a> {
    let path = format!("topics/{name}");
    Topic {
        kind: "KafkaTopic",
        metadata: links.metadata(&path, format_args!("topic={name}")),
        cluster_id: links.cluster_id(),
        topic_name: name,
        is_internal: false,
        replication_factor: 0,
        partitions_count: 0,
        partitions: links.related(format_args!("{path}/partitions")),
        configs: links.related(format_args!("{path}/configs")),
        partition_reassignments: links.related(format_args!("{path}/partitions/-/reassignment")),
        authorized_operations: &[],
    }
}
