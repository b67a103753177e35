//! Partitions moved to other brokers, and their leaders elected.

use std::collections::HashSet;

use postern_proxy::{ClusterError, Election, NodeId, PartitionId, Proxy, ReassignmentChange, TopicName};
use schemars::JsonSchema;
use serde::Serialize;

use super::bodies::{AlterReassignmentsRequest, ElectLeadersRequest};
use super::groups::topic;
use super::{Refusal, check_cluster, problem, status_of};
use crate::lenient_object::{BODY_MAX, LenientObject};
use crate::observe::name_in_audit;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// What became of each partition.
#[derive(Serialize, JsonSchema)]
struct PartitionResults {
    data: Vec<PartitionResult>,
}

#[derive(Serialize, JsonSchema)]
struct PartitionResult {
    topic_name: String,
    partition_id: i32,
    #[serde(flatten)]
    refusal: Refusal,
}

pub(super) const REASSIGN: Operation =
    operation("alterReassignments", "Begins, changes or (replicas: null) cancels moves of partitions")
        .takes::<AlterReassignmentsRequest>(&[
            r#"{"reassignments":[{"topic_name":"lab","partition_id":0,"replicas":[1]}]}"#,
        ])
        .returns::<PartitionResults>()
        .or::<PartitionResults>(207);
pub(super) const ELECT: Operation = operation("electLeaders", "Elects leaders of partitions")
    .takes::<ElectLeadersRequest>(&[r#"{"election":"PREFERRED","partitions":[{"topic_name":"lab","partition_id":0}]}"#])
    .returns::<PartitionResults>()
    .or::<PartitionResults>(207);

/// Does not wait until the partitions have moved: API v3 lists those that are being moved.
pub(super) async fn reassign(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let mut object = LenientObject::read(&body, "an object with reassignments")?;
    let changes = object.objects("reassignments")?;
    let changes = object.required("reassignments", changes)?;
    object.end()?;
    let changes = changes.into_iter().map(change).collect::<Result<Vec<_>, _>>()?;
    changes.iter().for_each(|change| name_in_audit(format_args!("{}-{}", change.topic, change.partition)));
    let mut seen = HashSet::new();
    if let Some(change) = changes.iter().find(|change| !seen.insert((&change.topic, change.partition))) {
        let ReassignmentChange { topic, partition, .. } = change;
        let message = format!("reassignments: partition {partition} of {topic} stands there twice.");
        return Err(Problem::bad_request(message));
    }
    check_cluster(&proxy, &params).await?;
    let results = proxy.alter_reassignments(&changes).await.map_err(problem)?;
    let partitions = changes.into_iter().map(|change| (change.topic, change.partition));
    Ok(answer(partitions, results))
}

pub(super) async fn elect(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let mut object = LenientObject::read(&body, "an object with election and partitions")?;
    let election = object.choice("election", &[("PREFERRED", Election::Preferred), ("UNCLEAN", Election::Unclean)])?;
    let partitions = object.objects("partitions")?;
    let election = object.required("election", election)?;
    let partitions = object.required("partitions", partitions)?;
    object.end()?;
    let partition = |mut object: LenientObject<'_>| {
        let partition = partition(&mut object)?;
        object.end()?;
        Ok(partition)
    };
    let partitions = partitions.into_iter().map(partition).collect::<Result<Vec<_>, Problem>>()?;
    partitions.iter().for_each(|(topic, partition)| name_in_audit(format_args!("{topic}-{partition}")));
    check_cluster(&proxy, &params).await?;
    let results = proxy.elect_leaders(election, &partitions).await.map_err(problem)?;
    Ok(answer(partitions.into_iter(), results))
}

/// `{"topic_name":"t","partition_id":0,"replicas":[1,2]}`, with null for a move that is cancelled.
fn change(mut object: LenientObject<'_>) -> Result<ReassignmentChange, Problem> {
    let (topic, partition) = partition(&mut object)?;
    const IDS: &str = "a list of the ids of brokers";
    let replicas = object.required_or_null("replicas", IDS)?;
    let ids = replicas.map(|replicas| {
        let ids: Result<Vec<i32>, _> = serde_json::from_str(replicas.get());
        ids.map_err(|_| object.wrong("replicas", &format!("{IDS}, or null"), replicas))
    });
    let replicas = ids.transpose()?.map(|ids| ids.into_iter().map(NodeId).collect());
    object.end()?;
    Ok(ReassignmentChange { topic, partition, replicas })
}

fn partition(object: &mut LenientObject<'_>) -> Result<(TopicName, PartitionId), Problem> {
    let (name, id) = (object.text("topic_name")?, object.int32("partition_id")?);
    let (name, id) = (object.required("topic_name", name)?, object.required("partition_id", id)?);
    Ok((topic(&name)?, PartitionId(id)))
}

fn answer(partitions: impl Iterator<Item = (TopicName, PartitionId)>, results: Vec<Result<(), ClusterError>>) -> Reply {
    let status = status_of(results.iter().map(Result::is_ok));
    let data = partitions.zip(results).map(|((topic, partition), result)| PartitionResult {
        topic_name: topic.to_string(),
        partition_id: partition.0,
        refusal: Refusal::of(result.err()),
    });
    Reply::json(status, &PartitionResults { data: data.collect() })
}
