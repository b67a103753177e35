//! The log directories of brokers, and how large what they hold is.

use postern_access::{Permissions, Right};
use postern_proxy::{LogDir, LogDirReplica, Proxy, run_large};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Refusal, check_cluster, problem};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
struct LogDirs {
    data: Vec<Directory>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogDir")]
struct Directory {
    broker_id: i32,
    path: String,
    /// Of the volume; null where the broker does not say.
    total_bytes: Option<i64>,
    usable_bytes: Option<i64>,
    /// Of all replicas together.
    size_bytes: i64,
    replicas: Vec<Replica>,
    #[serde(flatten)]
    refusal: Refusal,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogDirReplica")]
struct Replica {
    topic_name: String,
    partition_id: i32,
    size_bytes: i64,
    /// In records.
    offset_lag: i64,
    /// It moves here from another directory of its broker.
    is_future: bool,
}

/// What a replica is in the answer, roughly.
const REPLICA_BYTES: usize = 120;

pub(super) const LIST: Operation =
    operation("listLogDirs", "The log directories of all brokers, and the sizes of what they hold")
        .returns::<LogDirs>();

pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    check_cluster(&proxy, &request.params).await?;
    let found = proxy.log_dirs().await.map_err(problem)?;
    let count: usize = found.iter().map(|dir| dir.replicas.len()).sum();
    let permissions = request.params.permissions();
    let write = || Reply::ok(&LogDirs { data: found.into_iter().map(|found| directory(found, permissions)).collect() });
    Ok(run_large(count * REPLICA_BYTES, write).await)
}

/// With the replicas of topics that the caller may see; what all hold together is no secret.
fn directory(found: LogDir, permissions: &Permissions) -> Directory {
    let replica = |replica: &LogDirReplica| Replica {
        topic_name: replica.topic.to_string(),
        partition_id: replica.partition.0,
        size_bytes: replica.size_bytes,
        offset_lag: replica.offset_lag,
        is_future: replica.is_future,
    };
    Directory {
        broker_id: found.broker.0,
        path: found.path,
        total_bytes: found.total_bytes,
        usable_bytes: found.usable_bytes,
        size_bytes: found.replicas.iter().map(|replica| replica.size_bytes).sum(),
        replicas: found
            .replicas
            .iter()
            .filter(|replica| permissions.may(Right::Describe, replica.topic.as_str()))
            .map(replica)
            .collect(),
        refusal: Refusal::of(found.error),
    }
}
