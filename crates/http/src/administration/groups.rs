//! Groups of consumers: offsets reset and deleted, groups deleted.

use hyper::StatusCode;
use postern_access::Right;
use postern_proxy::{PartitionId, Proxy, ResetTo, TopicName};
use schemars::JsonSchema;
use serde::Serialize;

use super::bodies::{DeleteOffsetsRequest, ResetOffsetsRequest};
use super::{Refusal, check_cluster, problem, status_of};
use crate::lenient_object::{BODY_MAX, LenientObject};
use crate::observe::name_in_audit;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ResetOffsets")]
struct Reset {
    consumer_group_id: String,
    dry_run: bool,
    data: Vec<ResetOffset>,
}

#[derive(Serialize, JsonSchema)]
struct ResetOffset {
    topic_name: String,
    partition_id: i32,
    /// Null where nothing is committed.
    current_offset: Option<i64>,
    new_offset: i64,
    #[serde(flatten)]
    refusal: Refusal,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeletedOffsets")]
struct Deleted {
    consumer_group_id: String,
    data: Vec<DeletedOffset>,
}

#[derive(Serialize, JsonSchema)]
struct DeletedOffset {
    topic_name: String,
    partition_id: i32,
    #[serde(flatten)]
    refusal: Refusal,
}

pub(super) const DELETE: Operation =
    operation("deleteConsumerGroup", "Deletes a group without members, with all it has committed");
pub(super) const RESET: Operation =
    operation("resetOffsets", "Sets what a group has committed; a dry run unless dry_run is false")
        .takes::<ResetOffsetsRequest>(&[r#"{"to":"earliest","topics":["lab"],"dry_run":true}"#])
        .returns::<Reset>()
        .or::<Reset>(207);
pub(super) const DELETE_OFFSETS: Operation =
    operation("deleteOffsets", "Forgets what a group has committed of some partitions")
        .takes::<DeleteOffsetsRequest>(&[r#"{"partitions":[{"topic_name":"lab","partition_id":0}]}"#])
        .returns::<Deleted>()
        .or::<Deleted>(207);

/// The group must have no members.
pub(super) async fn delete(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    check_cluster(&proxy, &request.params).await?;
    proxy.delete_group(request.params.get("group")).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Changes nothing unless `dry_run` is false.
pub(super) async fn reset(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let ResetRequest { to, topics, dry_run } = ResetRequest::read(&body)?;
    if dry_run {
        name_in_audit(format_args!("dry run"));
    }
    topics.iter().flatten().for_each(|topic| name_in_audit(format_args!("topic {topic}")));
    check_cluster(&proxy, &params).await?;
    let group = params.get("group");
    if !params.permissions().is_unlimited() {
        // Which topics it is about the group itself may say.
        let tried = proxy.reset_group_offsets(group, to, topics.as_deref(), true).await.map_err(problem)?;
        params.check_all(Right::Consume, tried.iter().map(|reset| reset.topic.as_str()))?;
    }
    let resets = proxy.reset_group_offsets(group, to, topics.as_deref(), dry_run).await.map_err(problem)?;
    let status = status_of(resets.iter().map(|reset| reset.result.is_ok()));
    let data = resets.into_iter().map(|reset| ResetOffset {
        topic_name: reset.topic.to_string(),
        partition_id: reset.partition.0,
        current_offset: reset.from.map(|offset| offset.0),
        new_offset: reset.to.0,
        refusal: Refusal::of(reset.result.err()),
    });
    Ok(Reply::json(status, &Reset { consumer_group_id: group.to_owned(), dry_run, data: data.collect() }))
}

/// No member of the group may be subscribed to the topics.
pub(super) async fn delete_offsets(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let partitions = read_partitions(&body)?;
    partitions.iter().for_each(|(topic, partition)| name_in_audit(format_args!("{topic}-{partition}")));
    check_cluster(&proxy, &params).await?;
    let group = params.get("group");
    params.check_all(Right::Consume, partitions.iter().map(|(topic, _)| topic.as_str()))?;
    let results = proxy.delete_group_offsets(group, &partitions).await.map_err(problem)?;
    let status = status_of(results.iter().map(|(_, result)| result.is_ok()));
    let data = results.into_iter().map(|((topic, partition), result)| DeletedOffset {
        topic_name: topic.to_string(),
        partition_id: partition.0,
        refusal: Refusal::of(result.err()),
    });
    Ok(Reply::json(status, &Deleted { consumer_group_id: group.to_owned(), data: data.collect() }))
}

#[derive(Debug, PartialEq, Eq)]
struct ResetRequest {
    to: ResetTo,
    topics: Option<Vec<TopicName>>,
    dry_run: bool,
}

impl ResetRequest {
    /// `{"to":"earliest"}`, `{"to":"latest"}`, `{"offset":7}` or `{"timestamp_ms":1767225600000}`, with `topics` and `dry_run`.
    fn read(body: &[u8]) -> Result<ResetRequest, Problem> {
        const EXPECTED: &str = "an object with to (earliest or latest), offset or timestamp_ms";
        let mut object = LenientObject::read(body, EXPECTED)?;
        let end = object.choice("to", &[("earliest", ResetTo::Earliest), ("latest", ResetTo::Latest)])?;
        let offset = object.int64("offset")?.map(ResetTo::Offset);
        let time = object.int64("timestamp_ms")?.map(ResetTo::Timestamp);
        let topics = object.contains("topics").then(|| object.texts("topics")).transpose()?;
        let dry_run = object.flag("dry_run")?.unwrap_or(true);
        object.end()?;
        let mut wanted = [end, offset, time].into_iter().flatten();
        let (Some(to), None) = (wanted.next(), wanted.next()) else {
            return Err(Problem::bad_request(
                "Expected exactly one of to, offset and timestamp_ms, which say where to.",
            ));
        };
        let negative = match to {
            ResetTo::Offset(negative @ ..0) => Some(("offset", negative)),
            ResetTo::Timestamp(negative @ ..0) => Some(("timestamp_ms", negative)),
            ResetTo::Offset(_) | ResetTo::Timestamp(_) | ResetTo::Earliest | ResetTo::Latest => None,
        };
        if let Some((member, found)) = negative {
            return Err(Problem::bad_request(format!("{member}: expected 0 or more, found {found}.")));
        }
        let topics = topics.map(|names| names.iter().map(|name| topic(name)).collect()).transpose()?;
        Ok(ResetRequest { to, topics, dry_run })
    }
}

/// `{"partitions":[{"topic_name":"t","partition_id":0}]}`
fn read_partitions(body: &[u8]) -> Result<Vec<(TopicName, PartitionId)>, Problem> {
    let mut object = LenientObject::read(body, "an object with partitions")?;
    let partitions = object.objects("partitions")?;
    let partitions = object.required("partitions", partitions)?;
    object.end()?;
    let partition = |mut object: LenientObject| {
        let name = object.text("topic_name")?;
        let id = object.int32("partition_id")?;
        let (name, id) = (object.required("topic_name", name)?, object.required("partition_id", id)?);
        object.end()?;
        Ok((topic(&name)?, PartitionId(id)))
    };
    partitions.into_iter().map(partition).collect()
}

pub(super) fn topic(name: &str) -> Result<TopicName, Problem> {
    TopicName::parse(name)
        .map_err(|error| Problem::invalid_request(format!("'{name}' is no legal name of a topic: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_says_where_to_once_and_is_tried_first() {
        let read = |body: &str| ResetRequest::read(body.as_bytes()).map_err(|problem| problem.message);
        let expected = ResetRequest { to: ResetTo::Earliest, topics: None, dry_run: true };
        assert_eq!(read(r#"{"to":"earliest"}"#), Ok(expected));
        let topics = Some(vec![TopicName::parse("t").expect("legal")]);
        let expected = ResetRequest { to: ResetTo::Timestamp(5_000_000_000), topics, dry_run: false };
        assert_eq!(read(r#"{"timestamp_ms":5000000000,"topics":["t"],"dry_run":false}"#), Ok(expected));
        for body in [
            "{}",
            r#"{"to":"latest","offset":1}"#,
            r#"{"offset":-1}"#,
            r#"{"to":"now"}"#,
            r#"{"to":"latest","topic":"t"}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
