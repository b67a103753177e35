//! `GET /v3/clusters`, `GET /v3/clusters/{cluster}` — the one cluster, and links to its resources (docs/reference/rest-v3.md §3).

use postern_proxy::{ClusterDescription, Proxy};
use schemars::JsonSchema;
use serde::Serialize;

use super::links::Links;
use super::problem;
use super::resource::{Collection, Metadata, Related};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaCluster")]
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

pub(super) const LIST: Operation = operation("listClusters", "The one cluster").returns::<Collection<Cluster>>();
pub(super) const SHOW: Operation = operation("getCluster", "The cluster").returns::<Cluster>();

pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let base_url = request.base_url();
    let cluster = proxy.describe_cluster().await.map_err(problem)?;
    let links = Links::new(&base_url, &cluster.cluster_id);
    Ok(Reply::ok(&Collection::new(
        "KafkaClusterList",
        format!("{base_url}/v3/clusters"),
        [cluster_of(&links, &cluster)],
    )))
}

pub(super) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let cluster = proxy.describe_cluster().await.map_err(problem)?;
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
