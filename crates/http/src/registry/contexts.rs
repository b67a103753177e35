//! `/contexts` — list them, delete one (docs/reference/schema-registry.md §3, rows 34 and 35).

use std::collections::BTreeSet;

use hyper::StatusCode;
use postern_registry::{DEFAULT_CONTEXT, Page, Registry, Subject, Visible};

use super::names;
use super::schema_responses::into_problem;
use crate::operation::{Operation, number, operation, text};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) const LIST: Operation = operation("listContexts", "The names of all contexts")
    .with_query(&[
        text("contextPrefix", "How their names begin"),
        number("offset", "How many are left out"),
        number("limit", "How many are answered; all unless it is at least 1"),
    ])
    .returns::<Vec<String>>();
pub(super) const DELETE: Operation = operation("deleteContext", "Deletes a context without subjects");

/// `GET /contexts`
pub(super) async fn list(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let page = names::page(&request, usize::MAX)?;
    if !request.params.permissions().is_unlimited() {
        // Those with a subject that the caller may read.
        let all = into_problem(registry.subjects(&Subject::parse(":*:"), Visible::All, Page::ALL))?;
        let prefix = request.query("contextPrefix").unwrap_or_default();
        let seen = all.iter().filter(|subject| names::may_read(&request.params, subject)).map(Subject::context);
        let seen: BTreeSet<&str> = seen.filter(|context| context.starts_with(&prefix)).collect();
        return Ok(Reply::ok(&seen.into_iter().skip(page.offset).take(page.limit).collect::<Vec<_>>()));
    }
    Ok(Reply::ok(&into_problem(registry.contexts(&request.query("contextPrefix").unwrap_or_default(), page))?))
}

/// `DELETE /contexts/{context}`
pub(super) async fn delete(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let context = names::context(&request)?.unwrap_or_else(|| DEFAULT_CONTEXT.to_owned());
    into_problem(registry.delete_context(&context).await)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
