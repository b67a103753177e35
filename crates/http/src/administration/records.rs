//! The records at the beginning of partitions, deleted.

use std::collections::BTreeMap;

use postern_proxy::{Offset, PartitionId, Proxy, TopicName};
use schemars::JsonSchema;
use serde::Serialize;

use super::bodies::DeleteRecordsRequest;
use super::{Refusal, check_cluster, problem, status_of};
use crate::lenient_object::{BODY_MAX, LenientObject};
use crate::observe::name_in_audit;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeletedRecords")]
struct Deleted {
    topic_name: String,
    data: Vec<DeletedFrom>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeletedRecordsOfPartition")]
struct DeletedFrom {
    partition_id: i32,
    /// The first offset that is left; null where nothing was deleted, or that is not known.
    earliest_offset: Option<i64>,
    #[serde(flatten)]
    refusal: Refusal,
}

pub(super) const DELETE: Operation = operation("deleteRecords", "Deletes the records at the beginning of partitions")
    .takes::<DeleteRecordsRequest>(&[r#"{"partitions":[{"partition_id":0,"before_offset":0}]}"#])
    .returns::<Deleted>()
    .or::<Deleted>(207);

pub(super) async fn delete(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let before = read(&body)?;
    before.iter().for_each(|(partition, offset)| name_in_audit(format_args!("partition {partition} before {offset}")));
    check_cluster(&proxy, &params).await?;
    let name = params.get("topic");
    let topic = TopicName::parse(name)
        .map_err(|error| Problem::no_such_topic(format!("There is no topic '{name}': {error}.")))?;
    let results = proxy.delete_records(&topic, &before).await.map_err(problem)?;
    let status = status_of(results.values().map(Result::is_ok));
    let data = results.into_iter().map(|(partition, result)| DeletedFrom {
        partition_id: partition.0,
        earliest_offset: result.as_ref().ok().map(|offset| offset.0),
        refusal: Refusal::of(result.err()),
    });
    Ok(Reply::json(status, &Deleted { topic_name: topic.to_string(), data: data.collect() }))
}

/// `{"partitions":[{"partition_id":0,"before_offset":7}]}`; -1 for all records that are there now.
fn read(body: &[u8]) -> Result<BTreeMap<PartitionId, Offset>, Problem> {
    let mut object = LenientObject::read(body, "an object with partitions")?;
    let partitions = object.objects("partitions")?;
    let partitions = object.required("partitions", partitions)?;
    object.end()?;
    let mut before = BTreeMap::new();
    for mut object in partitions {
        let (id, offset) = (object.int32("partition_id")?, object.int64("before_offset")?);
        let (id, offset) = (object.required("partition_id", id)?, object.required("before_offset", offset)?);
        if offset < -1 {
            let place = object.path("before_offset");
            return Err(Problem::bad_request(format!("{place}: expected an offset, or -1 for all, found {offset}.")));
        }
        object.end()?;
        before.insert(PartitionId(id), Offset(offset));
    }
    Ok(before)
}
