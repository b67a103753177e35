//! `/consumers/…` — consumer instances (docs/reference/rest-v2.md §7): their paths and methods exist, the operations are not built yet.

use postern_proxy::Proxy;

use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) async fn not_built(_: Proxy, _: RequestContext) -> Result<Reply, Problem> {
    let problem = Problem::not_built("Reading through consumer instances");
    let instead = "Read with a Kafka client, such as confluent-kafka: GET /v3/clusters lists the cluster, and its brokers' addresses are \
                   the bootstrap servers.";
    Err(Problem { message: format!("{} {instead}", problem.message), ..problem })
}
