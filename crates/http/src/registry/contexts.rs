//! `/contexts` — list them, forget one (docs/reference/schema-registry.md §3, rows 34 and 35).

use hyper::StatusCode;
use postern_registry::{DEFAULT_CONTEXT, Registry};

use super::names;
use super::shapes::told;
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

/// `GET /contexts`
pub(super) async fn list(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let page = names::page(&call, usize::MAX)?;
    Ok(Reply::ok(&told(registry.contexts(&call.query("contextPrefix").unwrap_or_default(), page))?))
}

/// `DELETE /contexts/{context}`
pub(super) async fn delete(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let context = names::context(&call)?.unwrap_or_else(|| DEFAULT_CONTEXT.to_owned());
    told(registry.delete_context(&context).await)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
