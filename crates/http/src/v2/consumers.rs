//! `/consumers/…` — consumer instances (docs/reference/rest-v2.md §7): their paths and methods exist, what they do is not built yet.

use postern_proxy::Proxy;

use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

pub(super) async fn not_built(_: Proxy, _: Call) -> Result<Reply, Problem> {
    Err(Problem::not_built("Reading through consumer instances"))
}
