//! `/associations` — which subjects belong to which topic (docs/reference/schema-registry.md §13). There are none yet, and none can be created.
//!
//! Clients look up the subjects of a topic here, and use the topic's name when the list is empty. So lists are empty, and only changes are
//! not built.

use postern_registry::Registry;

use super::bodies::Object;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) const LIST: Operation =
    operation("listAssociations", "The subjects of a resource: none, since associations cannot be made yet")
        .returns::<Vec<Object>>();
pub(super) const CHANGE: Operation =
    operation("changeAssociations", "Not built yet: 501").may_take::<Object>(&["{}"]).returns::<Object>();

/// `GET /associations/…`
pub(super) async fn list(_: Registry, _: RequestContext) -> Result<Reply, Problem> {
    Ok(Reply::ok(&[(); 0]))
}

/// Everything else.
pub(super) async fn change(_: Registry, _: RequestContext) -> Result<Reply, Problem> {
    Err(Problem::not_built("Associating subjects with topics"))
}
