//! `GET /`, `POST /` — an empty object: clients probe the server with it.

use postern_registry::Registry;
use serde_json::json;

use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) async fn empty(_: Registry, _: RequestContext) -> Result<Reply, Problem> {
    Ok(Reply::ok(&json!({})))
}
