//! `GET /`, `POST /` — an empty object, by which clients see that somebody is there.

use postern_registry::Registry;
use serde_json::json;

use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

pub(super) async fn empty(_: Registry, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::ok(&json!({})))
}
