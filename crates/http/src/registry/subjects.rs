//! `/subjects` — list them, look a schema up in one, delete one (docs/reference/schema-registry.md §3, rows 9 to 11).

use postern_registry::{Registry, Subject, Visible};

use super::shapes::{Asked, Version, told};
use super::{body, names};
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

/// All contexts.
const EVERYWHERE: &str = ":*:";

/// Which versions a query wants to see.
pub(super) fn visible(call: &Call) -> Visible {
    match (call.flag("deletedOnly"), call.flag("deleted")) {
        (true, _) => Visible::Deleted,
        (false, true) => Visible::All,
        (false, false) => Visible::Live,
    }
}

/// `GET /subjects`
pub(super) async fn list(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let (prefix, page) = (names::prefix(&call, EVERYWHERE)?, names::page(&call, usize::MAX)?);
    let found = told(registry.subjects(&prefix, visible(&call), page))?;
    Ok(Reply::ok(&found.iter().map(Subject::as_str).collect::<Vec<_>>()))
}

/// `POST /subjects/{subject}`
pub(super) async fn look_up(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &call)?;
    let (normalize, deleted, format) = (call.flag("normalize"), call.flag("deleted"), call.query("format"));
    let (_, mut members) = body::read(call).await?;
    let found = told(registry.lookup(&subject, &members.draft()?, normalize, deleted))?;
    let asked = Asked::in_format(&registry, found.stored, format.as_deref())?;
    let shown = Version::of(&asked);
    Ok(Reply::ok(&if found.is_identical { shown.without_record() } else { shown }))
}

/// `DELETE /subjects/{subject}`
pub(super) async fn delete(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &call)?;
    Ok(Reply::ok(&told(registry.delete_subject(&subject, call.flag("permanent")).await)?))
}
