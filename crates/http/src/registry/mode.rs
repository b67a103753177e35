//! `/mode` — of all, of a context, of a subject (docs/reference/schema-registry.md §10).

use postern_registry::{Error, Mode, Registry};
use serde_json::{Map, Value, json};

use super::problem::problem;
use super::shapes::told;
use super::{body, names};
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

/// `GET /mode`, `GET /mode/{subject}`
pub(super) async fn show(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let mode = told(registry.mode(names::scope(&call)?.as_ref(), call.flag("defaultToGlobal")))?;
    Ok(Reply::ok(&json!({ "mode": mode.name() })))
}

/// `PUT /mode`, `PUT /mode/{subject}`: answered as it was written; null clears.
pub(super) async fn change(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let (scope, force) = (names::scope(&call)?, call.flag("force"));
    let (_, mut members) = body::read(call).await?;
    let invalid = |text: String| problem(&Error::InvalidMode(text));
    let written = members.change("mode", body::Members::text)?.ok_or_else(|| invalid(String::new()))?;
    let mode = match &written {
        None => None,
        Some(text) => Some(Mode::parse(text).ok_or_else(|| invalid(text.clone()))?),
    };
    told(registry.set_mode(scope.as_ref(), mode, force).await)?;
    Ok(Reply::ok(&shown(written)))
}

/// `DELETE /mode`, `DELETE /mode/{subject}`
pub(super) async fn delete(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let old = told(registry.delete_mode(names::scope(&call)?.as_ref(), call.flag("recursive")).await)?;
    Ok(Reply::ok(&shown(old.map(|mode| mode.name().to_owned()))))
}

fn shown(mode: Option<String>) -> Map<String, Value> {
    mode.map(|mode| ("mode".to_owned(), Value::String(mode))).into_iter().collect()
}
