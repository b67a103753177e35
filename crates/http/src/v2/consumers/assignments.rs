//! `POST`, `GET /consumers/{group}/instances/{instance}/assignments` — partitions that a client chooses
//! (docs/reference/rest-v2.md §7.4).

use hyper::StatusCode;
use postern_access::Right;
use postern_proxy::{PartitionName, Proxy};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::bodies::PartitionsRequest;
use super::super::problem;
use super::request::{BODY_MAX, Refused, instance_name, object, partitions, said};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
struct Assignments {
    partitions: Vec<Partition>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AssignedPartition")]
struct Partition {
    topic: String,
    partition: i32,
}

pub(in crate::v2) const SET: Operation = operation("assignPartitions", "Chooses the partitions that an instance reads")
    .takes::<PartitionsRequest>(&[r#"{"partitions":[{"topic":"lab","partition":0}]}"#]);
pub(in crate::v2) const SHOW: Operation =
    operation("getAssignments", "The partitions that were chosen").returns::<Assignments>();

pub(in crate::v2) async fn set(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let at = instance_name(&params);
    let partitions = said(&proxy, &at, assignment(&body)).await?;
    params.check_all(Right::Consume, partitions.iter().map(|partition| partition.topic.as_str()))?;
    proxy.assign(&at, partitions).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

pub(in crate::v2) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let partition = |PartitionName { topic, partition }| Partition { topic, partition };
    let assigned = proxy.assignment(&instance_name(&request.params)).await.map_err(problem)?;
    Ok(Reply::ok(&Assignments { partitions: assigned.into_iter().map(partition).collect() }))
}

/// The partitions of a body, which need not exist.
fn assignment(body: &[u8]) -> Result<Vec<PartitionName>, Refused> {
    let partitions = partitions(object(body, "an object with partitions")?)?;
    match partitions.iter().position(|partition| partition.topic.trim().is_empty()) {
        None => Ok(partitions),
        Some(n) => Err(Refused::meaningless(format!(
            "partitions[{n}].topic: expected the name of a topic, found a blank one."
        ))),
    }
}
