//! `/admin/v1/clusters/{cluster}/…` — administration for which Confluent has no paths: records and offsets deleted, offsets of groups
//! reset, groups deleted, several topics created at once, log directories, partitions moved, leaders elected, users of SCRAM. In `application/json`;
//! described in `docs/administration.md`.
//!
//! Names and error codes are those of API v3. What concerns several partitions is answered for each of them: 200 where all went
//! well, 207 where some did not, whose entries then have `error_code` and `message`.

mod bodies;
mod groups;
mod log_dirs;
mod placement;
mod records;
mod topics;
mod users;

use hyper::StatusCode;
use postern_proxy::{ClusterError, Error, Proxy};
use schemars::JsonSchema;
use serde::Serialize;

use crate::negotiate::{JSON, MediaType};
use crate::problem::{self, Dialect, Problem};
use crate::request_context::Params;
use crate::router::{Media, Route, Table};

const ANSWER: &[MediaType] = &[MediaType { name: JSON, weight: 1000 }];
const READ: Media = Media { consumes: None, produces: ANSWER };
const WRITE: Media = Media { consumes: Some(&[JSON]), produces: ANSWER };

#[rustfmt::skip]
pub(crate) fn routes(proxy: Proxy) -> Vec<Route> {
    Table::with(proxy, Proxy::with_one_deadline)
        .delete("/admin/v1/clusters/{cluster}/consumer-groups/{group}", READ, groups::delete, groups::DELETE)
        .post("/admin/v1/clusters/{cluster}/consumer-groups/{group}/offsets:reset", WRITE, groups::reset, groups::RESET)
        .post("/admin/v1/clusters/{cluster}/consumer-groups/{group}/offsets:delete", WRITE, groups::delete_offsets, groups::DELETE_OFFSETS)
        .post("/admin/v1/clusters/{cluster}/topics/{topic}/records:delete", WRITE, records::delete, records::DELETE)
        .post("/admin/v1/clusters/{cluster}/topics:create", WRITE, topics::create, topics::CREATE)
        .get("/admin/v1/clusters/{cluster}/log-dirs", READ, log_dirs::list, log_dirs::LIST)
        .post("/admin/v1/clusters/{cluster}/reassignments:alter", WRITE, placement::reassign, placement::REASSIGN)
        .post("/admin/v1/clusters/{cluster}/leaders:elect", WRITE, placement::elect, placement::ELECT)
        .get("/admin/v1/clusters/{cluster}/scram-users", READ, users::list, users::LIST)
        .put("/admin/v1/clusters/{cluster}/scram-users/{user}/credentials/{mechanism}", WRITE, users::set, users::SET)
        .delete("/admin/v1/clusters/{cluster}/scram-users/{user}/credentials/{mechanism}", READ, users::delete, users::DELETE)
        .routes
}

fn problem(error: Error) -> Problem {
    problem::problem(Dialect::V3, &error)
}

/// 404 unless the path names the cluster of this proxy.
async fn check_cluster(proxy: &Proxy, params: &Params) -> Result<(), Problem> {
    let (ours, asked) = (proxy.cluster_id().await.map_err(problem)?, params.get("cluster"));
    match ours == asked {
        true => Ok(()),
        false => {
            Err(Problem::missing(format!("Cluster {asked} cannot be found. The cluster of this proxy is {ours}.")))
        }
    }
}

/// 200 where all went well.
fn status_of(mut went_well: impl Iterator<Item = bool>) -> StatusCode {
    if went_well.all(|well| well) { StatusCode::OK } else { StatusCode::MULTI_STATUS }
}

/// Why one of several was refused; nothing where it was not.
#[derive(Default, Serialize, JsonSchema)]
struct Refusal {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Refusal {
    fn of(error: Option<ClusterError>) -> Refusal {
        let Some(error) = error else { return Refusal::default() };
        let Problem { code, message, .. } = problem(error.into());
        Refusal { error_code: Some(code), message: Some(message) }
    }
}
