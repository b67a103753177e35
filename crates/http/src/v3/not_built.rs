//! Operations that are listed and not built yet.

use postern_proxy::Proxy;

use super::links::ClusterPath;
use crate::problem::Problem;
use crate::request_context::RequestContext;
use crate::router::Answer;

/// 501 if the cluster of the path exists. `what` is the subject of the sentence.
pub(super) fn not_built(what: &'static str) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static {
    move |proxy, request| {
        Box::pin(async move {
            let cluster_path = ClusterPath::of(&request);
            drop(request);
            cluster_path.links(&proxy).await?;
            Err(Problem::not_built(what))
        })
    }
}

/// 501 for any cluster id: produce does not check it (docs/reference/rest-v3.md §2.6).
pub(super) fn not_built_for_any_cluster(
    what: &'static str,
) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static {
    move |_, _| Box::pin(async move { Err(Problem::not_built(what)) })
}
