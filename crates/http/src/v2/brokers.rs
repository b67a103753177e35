//! `GET /brokers` — the ids of the cluster's brokers (docs/reference/rest-v2.md §4.2).

use postern_proxy::{Caller, Proxy};
use serde::Serialize;

use super::problem;
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

#[derive(Serialize)]
struct Brokers {
    brokers: Vec<i32>,
}

pub(super) async fn list(proxy: Proxy, _: Call) -> Result<Reply, Problem> {
    let grant = Caller::anonymous().may_describe().map_err(problem)?;
    let cluster = proxy.describe_cluster(grant).await.map_err(problem)?;
    Ok(Reply::ok(&Brokers { brokers: cluster.brokers.iter().map(|broker| broker.id.0).collect() }))
}
