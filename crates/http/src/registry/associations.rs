//! `/associations` — which subjects belong to which topic (docs/reference/schema-registry.md §13). There are none yet, and none can be created.
//!
//! Clients that ask where a topic's schemas are take a 404 for "by the topic's name", and any other refusal for a failure. So reading is
//! a 404 like that of an unknown path, and only changes say what is missing.

use postern_registry::Registry;

use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) async fn read(_: Registry, _: RequestContext) -> Result<Reply, Problem> {
    Err(Problem::not_found())
}

pub(super) async fn change(_: Registry, _: RequestContext) -> Result<Reply, Problem> {
    Err(Problem::not_built("Associating subjects with topics"))
}
