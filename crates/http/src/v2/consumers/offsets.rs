//! `POST`, `GET /consumers/{group}/instances/{instance}/offsets` — commit, and what is committed (docs/reference/rest-v2.md §7.7, §7.8).

use hyper::StatusCode;
use postern_access::Right;
use postern_proxy::{CommittedOffset, Proxy};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::bodies::{CommitRequest, PartitionsRequest};
use super::super::problem;
use super::request::{
    BODY_MAX, Refused, instance_name, objects, optional_object, partition, partitions, required, said,
};
use crate::lenient_object::LenientObject;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CommittedOffsets")]
struct Offsets {
    offsets: Vec<Committed>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CommittedOffset")]
struct Committed {
    topic: String,
    partition: i32,
    offset: i64,
    metadata: String,
}

pub(in crate::v2) const COMMIT: Operation =
    operation("commitOffsets", "Commits the offsets of the body, or all that was read")
        .may_take::<CommitRequest>(&[r#"{"offsets":[{"topic":"lab","partition":0,"offset":0}]}"#])
        .returns::<Vec<String>>();
/// A body with GET: clients that cannot send one read what is committed of a group in API v3.
pub(in crate::v2) const COMMITTED: Operation =
    operation("getCommittedOffsets", "What is committed of the partitions that the body names")
        .takes::<PartitionsRequest>(&[r#"{"partitions":[{"topic":"lab","partition":0}]}"#])
        .returns::<Offsets>();

/// Without a body what the client has read is committed. The parameter `async` has no effect, as in Confluent.
pub(in crate::v2) async fn commit(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let at = instance_name(&params);
    let read = optional_object(&body, "an object with offsets, or no body")?.map(offsets).transpose();
    let offsets = said(&proxy, &at, read).await?;
    let topics = offsets.iter().flatten().map(|offset| offset.partition.topic.as_str());
    params.check_all(Right::Consume, topics)?;
    proxy.commit(&at, offsets).await.map_err(problem)?;
    Ok(Reply::bytes(StatusCode::OK, "[]"))
}

/// A GET with a body.
pub(in crate::v2) async fn committed(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let Some(object) = optional_object(&body, "an object with partitions")? else {
        return Err(Problem::no_such_partition(
            "Partition not found: the request has no body. Name the partitions in it: {\"partitions\":[{\"topic\":\"…\",\"partition\":0}]}.",
        ));
    };
    let at = instance_name(&params);
    let partitions = said(&proxy, &at, partitions(object)).await?;
    params.check_all(Right::Consume, partitions.iter().map(|partition| partition.topic.as_str()))?;
    let committed = proxy.committed(&at, partitions).await.map_err(problem)?;
    let offset = |CommittedOffset { partition, offset, metadata }| Committed {
        topic: partition.topic,
        partition: partition.partition,
        offset,
        metadata,
    };
    Ok(Reply::ok(&Offsets { offsets: committed.into_iter().map(offset).collect() }))
}

/// The offsets of records that were read: what is committed are those of the next ones.
fn offsets(mut body: LenientObject<'_>) -> Result<Vec<CommittedOffset>, Refused> {
    let list = objects(&mut body, "offsets")?;
    if list.is_none() && body.unknown().is_some() {
        body.end()?;
        return Ok(Vec::new());
    }
    let list = required(&body, "offsets", list)?;
    body.end()?;
    let item = |mut item: LenientObject<'_>| {
        let (partition, offset) = (partition(&mut item)?, item.int64("offset")?);
        let (offset, metadata) = (required(&item, "offset", offset)?, item.text("metadata")?);
        if !(-1..i64::MAX).contains(&offset) {
            let message = format!("{}: expected the offset of a record, or -1, found {offset}.", item.path("offset"));
            return Err(Refused::meaningless(message));
        }
        item.end()?;
        Ok(CommittedOffset { partition, offset: offset + 1, metadata: metadata.unwrap_or_default() })
    };
    list.into_iter().map(item).collect()
}
