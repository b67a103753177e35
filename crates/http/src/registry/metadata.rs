//! `/v1/metadata` — about this server (docs/reference/schema-registry.md §3, rows 36 to 38).

use postern_registry::Registry;
use serde_json::json;

use super::bodies::{Deployment, ServerId, ServerVersion};
use super::schema_responses::into_problem;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// The Confluent release that this API corresponds to; clients decide by it which features they use.
const SPOKEN_VERSION: &str = "8.5.0";

pub(super) const ID: Operation =
    operation("getServerId", "The Kafka cluster and the group of this registry").returns::<ServerId>();
pub(super) const VERSION: Operation =
    operation("getServerVersion", "The release that this API corresponds to").returns::<ServerVersion>();
pub(super) const DEPLOYMENT: Operation =
    operation("getDeployment", "Attributes of the deployment: none").returns::<Deployment>();

/// `GET /v1/metadata/id`
pub(super) async fn id(registry: Registry, _: RequestContext) -> Result<Reply, Problem> {
    let cluster = into_problem(registry.cluster_id().await)?;
    Ok(Reply::ok(
        &json!({"scope": {"path": [], "clusters": {"kafka-cluster": cluster, "schema-registry-cluster": registry.group()}}}),
    ))
}

/// `GET /v1/metadata/version`
pub(super) async fn version(_: Registry, _: RequestContext) -> Result<Reply, Problem> {
    Ok(Reply::ok(&json!({"version": SPOKEN_VERSION, "commitId": concat!("postern-", env!("CARGO_PKG_VERSION"))})))
}

/// `GET /v1/metadata/deployment`
pub(super) async fn deployment(_: Registry, _: RequestContext) -> Result<Reply, Problem> {
    Ok(Reply::ok(&json!({"attributes": []})))
}
