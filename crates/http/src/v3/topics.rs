//! `…/topics`, `…/topics/{topic}` — topics listed, described, created, widened, deleted (docs/reference/rest-v3.md §6).

pub(crate) mod create;

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use postern_access::Right;
use postern_proxy::{Proxy, TopicDescription, TopicName};
use schemars::JsonSchema;
use serde::Serialize;

use self::create::Creation;
use super::bodies::{AddPartitionsRequest, CreateTopicRequest};
use super::links::{ClusterPath, Links};
use super::page::{PAGE_SIZE, PAGE_TOKEN, Page};
use super::resource::{Collection, Metadata, Related};
use super::topic_list::TopicList;
use super::{described, problem, topic_name};
use crate::lenient_object::{BODY_MAX, LenientObject};
use crate::operation::{Operation, flag, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaTopic")]
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

pub(super) const LIST: Operation = operation("listTopics", "All topics but the internal ones, by name")
    .with_query(&[flag("includeAuthorizedOperations", "Also what the proxy may do with each"), PAGE_SIZE, PAGE_TOKEN])
    .returns::<Collection<Topic>>();
pub(super) const SHOW: Operation = operation("getTopic", "A topic")
    .with_query(&[flag("include_authorized_operations", "Also what the proxy may do with it")])
    .returns::<Topic>();
pub(super) const CREATE: Operation = operation("createTopic", "Creates a topic, or checks whether it could be")
    .takes::<CreateTopicRequest>(&[
        r#"{"topic_name":"lamps","partitions_count":3,"configs":[{"name":"retention.ms","value":"86400000"}]}"#,
    ])
    .answers_with::<Topic>(201)
    .or::<Topic>(200);
pub(super) const ADD_PARTITIONS: Operation = operation("updatePartitionCount", "Adds partitions to a topic")
    .takes::<AddPartitionsRequest>(&[r#"{"partitions_count":6}"#])
    .returns::<Topic>();
pub(super) const DELETE: Operation = operation("deleteTopic", "Deletes a topic");

/// Sorted by name, without internal topics. The query parameter has another spelling than that of one topic.
pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let page = Page::of(&request)?;
    let links = Links::of(&proxy, &request).await?;
    let authorized_operations = request.flag("includeAuthorizedOperations");
    let permissions = request.params.permissions();
    let is_shown = |topic: &TopicDescription| {
        !topic.is_internal && page.is_behind(&topic.name) && permissions.may(Right::Describe, &topic.name)
    };
    let (mut topics, mut list) = (Vec::new(), TopicList::of(&page, &proxy, authorized_operations));
    while page.wants_more(topics.len())
        && let Some(some) = list.next().await?
    {
        topics.extend(some.into_iter().filter(is_shown));
    }
    let on_page = page.cut(topics.iter(), |topic| topic.name.as_str().into());
    Ok(page.reply(&links, ("KafkaTopicList", "topics"), on_page, |topic| topic_of(&links, topic)).await)
}

pub(super) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let name = topic_name(&request.params)?;
    let authorized_operations = request.flag("include_authorized_operations");
    let topic = proxy.topic(&name, authorized_operations).await.map_err(problem)?;
    Ok(Reply::ok(&topic_of(&links, &topic)))
}

pub(super) async fn create(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let cluster_path = ClusterPath::of(&request);
    let (params, body) = request.read_document(BODY_MAX).await?;
    let creation = Creation::read(&body)?;
    let links = cluster_path.links(&proxy).await?;
    let new = creation.within(params.permissions())?.into_topic()?;
    let created = proxy.create_topic(&new).await.map_err(problem)?;
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
        // No link if the `Host` of the request cannot stand in one.
        Err(_) => reply,
    })
}

/// Adds partitions; the body names the total afterwards.
pub(super) async fn add_partitions(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let cluster_path = ClusterPath::of(&request);
    let (params, body) = request.read_document(BODY_MAX).await?;
    let mut object = LenientObject::read(&body, "an object with partitions_count")?;
    let total = object.int32("partitions_count")?;
    let total = object.required("partitions_count", total)?;
    object.end()?;
    let links = cluster_path.links(&proxy).await?;
    let name = existing(params.get("topic"))?;
    params.check_alteration(name.as_str(), &[], Some(total))?;
    proxy.add_partitions(&name, total).await.map_err(problem)?;
    Ok(Reply::ok(&topic_of(&links, &described(&proxy, &name).await?)))
}

pub(super) async fn delete(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    Links::of(&proxy, &request).await?;
    let name = existing(request.params.get("topic"))?;
    proxy.delete_topic(&name).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// For changes an illegal name is an unknown topic (docs/reference/rest-v3.md §6.1).
fn existing(name: &str) -> Result<TopicName, Problem> {
    TopicName::parse(name).map_err(|error| Problem::no_such_topic(format!("There is no topic '{name}': {error}.")))
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

/// A topic of which only the name is known.
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
