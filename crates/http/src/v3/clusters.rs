//! `GET /v3/clusters`, `GET /v3/clusters/{cluster}` — the one cluster, and the ways from there (docs/reference/rest-v3.md §3).

use postern_proxy::{ClusterDescription, Proxy};
use serde::Serialize;

use super::links::Links;
use super::resource::{Collection, Metadata, Related};
use super::{may_describe, problem};
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

#[derive(Serialize)]
struct Cluster<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    controller: Option<Related>,
    acls: Related,
    brokers: Related,
    broker_configs: Related,
    consumer_groups: Related,
    topics: Related,
    partition_reassignments: Related,
}

pub(super) async fn list(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    let base_url = call.base_url();
    let cluster = proxy.describe_cluster(may_describe()?).await.map_err(problem)?;
    let links = Links::new(&base_url, &cluster.cluster_id);
    Ok(Reply::ok(&Collection::new(
        "KafkaClusterList",
        format!("{base_url}/v3/clusters"),
        [cluster_of(&links, &cluster)],
    )))
}

pub(super) async fn show(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &call).await?;
    let cluster = proxy.describe_cluster(may_describe()?).await.map_err(problem)?;
    Ok(Reply::ok(&cluster_of(&links, &cluster)))
}

fn cluster_of<'a>(links: &'a Links, cluster: &ClusterDescription) -> Cluster<'a> {
    Cluster {
        kind: "KafkaCluster",
        metadata: links.cluster(),
        cluster_id: links.cluster_id(),
        controller: cluster.controller.map(|controller| links.related(format_args!("brokers/{controller}"))),
        acls: links.related("acls"),
        brokers: links.related("brokers"),
        broker_configs: links.related("broker-configs"),
        consumer_groups: links.related("consumer-groups"),
        topics: links.related("topics"),
        partition_reassignments: links.related("topics/-/partitions/-/reassignment"),
    }
}
