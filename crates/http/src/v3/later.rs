//! Operations that are in the table and not built yet.

use postern_proxy::Proxy;

use super::links::Asked;
use crate::call::Call;
use crate::problem::Problem;
use crate::router::Answer;

/// 501 where the cluster of the path is there. `what` is the beginning of a sentence.
pub(super) fn later(what: &'static str) -> impl Fn(Proxy, Call) -> Answer + Send + Sync + 'static {
    move |proxy, call| {
        Box::pin(async move {
            let asked = Asked::of(&call);
            drop(call);
            asked.links(&proxy).await?;
            Err(Problem::not_built(what))
        })
    }
}

/// 501, whatever stands in the place of the cluster's id: producing does not look at it (docs/reference/rest-v3.md §2.6).
pub(super) fn later_for_any_cluster(what: &'static str) -> impl Fn(Proxy, Call) -> Answer + Send + Sync + 'static {
    move |_, _| Box::pin(async move { Err(Problem::not_built(what)) })
}
