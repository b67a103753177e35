//! `GET …/brokers`, `GET …/brokers/{broker}` — the brokers of the cluster (docs/reference/rest-v3.md §4).

use postern_proxy::{Broker as Described, NodeId, Proxy};
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
#[schemars(rename = "KafkaBroker")]
struct Broker<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    broker_id: i32,
    host: &'a str,
    port: u16,
    rack: Option<&'a str>,
    configs: Related,
    partition_replicas: Related,
}

pub(super) const LIST: Operation =
    operation("listBrokers", "The brokers of the cluster").returns::<Collection<Broker>>();
pub(super) const SHOW: Operation = operation("getBroker", "A broker").returns::<Broker>();

pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let cluster = proxy.describe_cluster().await.map_err(problem)?;
    let brokers = cluster.brokers.iter().map(|broker| broker_of(&links, broker));
    Ok(Reply::ok(&links.list("KafkaBrokerList", "brokers", brokers)))
}

pub(super) async fn show(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let id = NodeId(request.params.number("broker")?);
    let links = Links::of(&proxy, &request).await?;
    let cluster = proxy.describe_cluster().await.map_err(problem)?;
    let broker = cluster.brokers.iter().find(|broker| broker.id == id).ok_or_else(|| no_such_broker(id))?;
    Ok(Reply::ok(&broker_of(&links, broker)))
}

pub(super) fn no_such_broker(id: NodeId) -> Problem {
    Problem::missing(format!("Broker {id} cannot be found: no broker of this id is up."))
}

fn broker_of<'a>(links: &'a Links, broker: &'a Described) -> Broker<'a> {
    let path = format!("brokers/{}", broker.id);
    Broker {
        kind: "KafkaBroker",
        metadata: links.metadata(&path, format_args!("broker={}", broker.id)),
        cluster_id: links.cluster_id(),
        broker_id: broker.id.0,
        host: &broker.host,
        port: broker.port,
        rack: broker.rack.as_deref(),
        configs: links.related(format_args!("{path}/configs")),
        partition_replicas: links.related(format_args!("{path}/partition-replicas")),
    }
}
