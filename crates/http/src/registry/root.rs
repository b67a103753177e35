//! `GET /`, `POST /` — an empty object: clients probe the server with it.

use postern_registry::Registry;
use serde_json::json;

use super::bodies::Object;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) const EMPTY: Operation = operation("getRoot", "An empty object: a probe").returns::<Object>();

pub(super) async fn empty(_: Registry, _: RequestContext) -> Result<Reply, Problem> {
    Ok(Reply::ok(&json!({})))
}
