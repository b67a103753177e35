//! `…/consumer-groups/{group}/lags`, `…/lags/{topic}/partitions/{partition}`, `…/lag-summary` — how far groups of consumers are
//! behind (docs/reference/rest-v3.md §10.4, §10.5).

use postern_access::Right;
use postern_proxy::{GroupLags, PartitionLag, Proxy};
use schemars::JsonSchema;
use serde::Serialize;

use super::groups::path_of;
use super::links::{Links, segment};
use super::page::whole_list;
use super::problem;
use super::resource::{Collection, Metadata, Related};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// Without a member that reads the partition the ids are empty.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaConsumerLag")]
struct Lag<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    consumer_group_id: &'a str,
    topic_name: &'a str,
    partition_id: i32,
    consumer_id: &'a str,
    instance_id: Option<&'a str>,
    client_id: &'a str,
    current_offset: i64,
    log_end_offset: i64,
    lag: i64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaConsumerGroupLagSummary")]
struct LagSummary<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    consumer_group_id: &'a str,
    max_lag: i64,
    total_lag: i64,
    max_lag_consumer_id: &'a str,
    max_lag_consumer: Related,
    max_lag_client_id: &'a str,
    max_lag_instance_id: Option<&'a str>,
    max_lag_topic_name: &'a str,
    max_lag_partition_id: i32,
    max_lag_partition: Related,
}

pub(super) const LIST: Operation =
    operation("listConsumerLags", "How far a group is behind, by partition; the greatest lag first")
        .returns::<Collection<Lag>>();
pub(super) const SHOW: Operation =
    operation("getConsumerLag", "How far a group is behind in one partition").returns::<Lag>();
pub(super) const SUMMARY: Operation =
    operation("getConsumerGroupLagSummary", "The greatest lag of a group, and the sum of all").returns::<LagSummary>();

pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let group = request.params.get("group");
    let lags = visible(proxy.consumer_group_lags(group).await.map_err(problem)?, &request);
    let kind = ("KafkaConsumerLagList", format!("{}/lags", path_of(group)));
    Ok(whole_list(&links, kind, lags.partitions.iter(), |lag| lag_of(&links, group, &lags, lag)).await)
}

pub(super) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let partition: i32 = request.params.number("partition")?;
    let links = Links::of(&proxy, &request).await?;
    let (group, topic) = (request.params.get("group"), request.params.get("topic"));
    let lags = proxy.consumer_group_lags(group).await.map_err(problem)?;
    let wanted = |lag: &&PartitionLag| lag.topic.as_str() == topic && lag.partition.0 == partition;
    match lags.partitions.iter().find(wanted) {
        Some(lag) => Ok(Reply::ok(&lag_of(&links, group, &lags, lag))),
        None => Err(Problem::missing(format!(
            "Lag cannot be found: group {group} has committed no offset of partition {partition} of topic '{topic}', or there is no such partition."
        ))),
    }
}

pub(super) async fn summary(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let group = request.params.get("group");
    let lags = visible(proxy.consumer_group_lags(group).await.map_err(problem)?, &request);
    let Some(greatest) = lags.partitions.first() else {
        return Err(Problem::missing(format!("Consumer lags not found: group {group} has committed no offset.")));
    };
    let (topic, partition) = (greatest.topic.as_str(), greatest.partition);
    let member = lags.member(greatest);
    let path = path_of(group);
    // The segment of a member that is not there is dropped.
    let consumer = member.map_or(String::new(), |member| format!("/{}", segment(&member.id)));
    Ok(Reply::ok(&LagSummary {
        kind: "KafkaConsumerGroupLagSummary",
        metadata: links
            .metadata(format_args!("{path}/lag-summary"), format_args!("consumer-group={group}/lag-summary")),
        cluster_id: links.cluster_id(),
        consumer_group_id: group,
        max_lag: greatest.lag(),
        total_lag: lags.partitions.iter().map(PartitionLag::lag).sum(),
        max_lag_consumer_id: member.map_or("", |member| &member.id),
        max_lag_consumer: links.related(format_args!("{path}/consumers{consumer}")),
        max_lag_client_id: member.map_or("", |member| &member.client_id),
        max_lag_instance_id: member.and_then(|member| member.instance_id.as_deref()),
        max_lag_topic_name: topic,
        max_lag_partition_id: partition.0,
        max_lag_partition: links.related(format_args!("topics/{topic}/partitions/{partition}")),
    }))
}

/// Those of topics that the caller may describe.
fn visible(mut lags: GroupLags, request: &RequestContext) -> GroupLags {
    lags.partitions.retain(|lag| request.params.permissions().may(Right::Describe, lag.topic.as_str()));
    lags
}

fn lag_of<'a>(links: &'a Links, group: &'a str, lags: &'a GroupLags, lag: &'a PartitionLag) -> Lag<'a> {
    let (topic, partition) = (lag.topic.as_str(), lag.partition);
    let member = lags.member(lag);
    Lag {
        kind: "KafkaConsumerLag",
        metadata: links.metadata(
            format_args!("{}/lags/{topic}/partitions/{partition}", path_of(group)),
            format_args!("consumer-group={group}/lag={topic}/partition={partition}"),
        ),
        cluster_id: links.cluster_id(),
        consumer_group_id: group,
        topic_name: topic,
        partition_id: partition.0,
        consumer_id: member.map_or("", |member| &member.id),
        instance_id: member.and_then(|member| member.instance_id.as_deref()),
        client_id: member.map_or("", |member| &member.client_id),
        current_offset: lag.committed.0,
        log_end_offset: lag.end.0,
        lag: lag.lag(),
    }
}
