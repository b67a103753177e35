//! `/mode` — global, of a context, of a subject (docs/reference/schema-registry.md §10).

use postern_access::Right;
use postern_registry::{Error, Mode, Registry};
use serde_json::{Map, Value, json};

use super::bodies::{ModeRequest, ModeResponse};
use super::problem::problem;
use super::schema_responses::into_problem;
use super::{body, names};
use crate::lenient_object::LenientObject;
use crate::observe::name_in_audit;
use crate::operation::{Operation, flag, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) const SHOW: Operation = operation("getMode", "The mode: what may be done")
    .with_query(&[flag("defaultToGlobal", "For a subject without one the mode that applies to it")])
    .returns::<ModeResponse>();
pub(super) const CHANGE: Operation = operation("changeMode", "Changes the mode")
    .takes::<ModeRequest>(&[r#"{"mode":"READWRITE"}"#])
    .with_query(&[flag("force", "Also where there are schemas already")])
    .returns::<ModeResponse>();
pub(super) const DELETE: Operation = operation("deleteMode", "Deletes the mode, and answers what it was")
    .with_query(&[flag("recursive", "Also those of the subjects of a context")])
    .returns::<ModeResponse>();

/// `GET /mode`, `GET /mode/{subject}`
pub(super) async fn show(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let mode = into_problem(registry.mode(names::scope(&request)?.as_ref(), request.flag("defaultToGlobal")))?;
    Ok(Reply::ok(&json!({ "mode": mode.name() })))
}

/// `PUT /mode`, `PUT /mode/{subject}`: the response repeats the request; null clears.
pub(super) async fn change(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let (scope, force) = (names::scope(&request)?, request.flag("force"));
    let (params, body) = body::read_with_params(request).await?;
    let mut object = body::parse(&body)?;
    let invalid = |text: String| problem(&Error::InvalidMode(text));
    let requested = body::change(&mut object, "mode", LenientObject::text)?.ok_or_else(|| invalid(String::new()))?;
    let mode = match &requested {
        None => None,
        Some(text) => Some(Mode::parse(text).ok_or_else(|| invalid(text.clone()))?),
    };
    name_in_audit(format_args!("mode {}", mode.map_or("none", Mode::name)));
    if mode == Some(Mode::Import) {
        params.check(Right::Import, "")?;
    }
    into_problem(registry.set_mode(scope.as_ref(), mode, force).await)?;
    Ok(Reply::ok(&mode_response(requested)))
}

/// `DELETE /mode`, `DELETE /mode/{subject}`
pub(super) async fn delete(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let old = into_problem(registry.delete_mode(names::scope(&request)?.as_ref(), request.flag("recursive")).await)?;
    Ok(Reply::ok(&mode_response(old.map(|mode| mode.name().to_owned()))))
}

fn mode_response(mode: Option<String>) -> Map<String, Value> {
    mode.map(|mode| ("mode".to_owned(), Value::String(mode))).into_iter().collect()
}
