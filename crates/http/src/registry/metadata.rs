//! `/v1/metadata` — what this server is (docs/reference/schema-registry.md §3, rows 36 to 38).

use postern_registry::Registry;
use serde_json::json;

use super::shapes::told;
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

/// The release of the registry we replace whose answers these are; clients decide by it what they may send.
const SPOKEN_VERSION: &str = "8.5.0";

/// `GET /v1/metadata/id`
pub(super) async fn id(registry: Registry, _: Call) -> Result<Reply, Problem> {
    let cluster = told(registry.cluster_id().await)?;
    Ok(Reply::ok(
        &json!({"scope": {"path": [], "clusters": {"kafka-cluster": cluster, "schema-registry-cluster": registry.group()}}}),
    ))
}

/// `GET /v1/metadata/version`
pub(super) async fn version(_: Registry, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::ok(&json!({"version": SPOKEN_VERSION, "commitId": concat!("postern-", env!("CARGO_PKG_VERSION"))})))
}

/// `GET /v1/metadata/deployment`
pub(super) async fn deployment(_: Registry, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::ok(&json!({"attributes": []})))
}
