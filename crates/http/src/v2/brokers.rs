//! `GET /brokers` — the ids of the cluster's brokers (docs/reference/rest-v2.md §4.2).

use postern_proxy::Proxy;
use schemars::JsonSchema;
use serde::Serialize;

use super::problem;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
struct Brokers {
    brokers: Vec<i32>,
}

pub(super) const LIST: Operation = operation("listBrokerIds", "The ids of the cluster's brokers").returns::<Brokers>();

pub(super) async fn list(proxy: Proxy, _: RequestContext) -> Result<Reply, Problem> {
    let cluster = proxy.describe_cluster().await.map_err(problem)?;
    Ok(Reply::ok(&Brokers { brokers: cluster.brokers.iter().map(|broker| broker.id.0).collect() }))
}
