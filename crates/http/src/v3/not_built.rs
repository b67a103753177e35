//! Operations that are listed and not built yet.

use postern_proxy::Proxy;

use crate::problem::Problem;
use crate::request_context::RequestContext;
use crate::router::Answer;

/// 501 for any cluster id: produce does not check it (docs/reference/rest-v3.md §2.6).
pub(super) fn not_built_for_any_cluster(
    what: &'static str,
) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static {
    move |_, _| Box::pin(async move { Err(Problem::not_built(what)) })
}
