//! Who serves a call for an instance: this process, the replica that has the instance, or this process after all, because that one is gone.

use std::sync::Arc;

use hyper::StatusCode;
use postern_proxy::{Error, InstanceName, Location, Proxy};

use super::forward::{Call, Forwarded, Forwarder};
use super::{ForwardedCaller, NOT_HERE, YES};
use crate::problem::{Dialect, Problem, problem};
use crate::reply::Reply;
use crate::request_context::{Params, RequestContext};
use crate::router::Answer;

/// Bytes of a body of a call for an instance.
const BODY_MAX: usize = 1 << 20;
/// How often a call is sent on, while the instance moves.
const ATTEMPTS: usize = 4;

/// `handler`, which answers calls for the instance of `name`, where the instance is here. Without a forwarder it always is.
pub(crate) fn anywhere<F, A>(
    forwarder: Option<&Forwarder>,
    name: fn(&Params) -> InstanceName,
    handler: F,
) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static
where
    F: Fn(Proxy, RequestContext) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Reply, Problem>> + Send + 'static,
{
    let (forwarder, handler) = (forwarder.cloned(), Arc::new(handler));
    move |proxy: Proxy, request: RequestContext| -> Answer {
        match forwarder.clone() {
            None => Box::pin(handler(proxy, request)),
            Some(forwarder) => {
                let handler = Arc::clone(&handler);
                Box::pin(async move {
                    match serve(&forwarder, name, &proxy, request).await? {
                        Served::Here(request) => handler(proxy, *request).await,
                        Served::Elsewhere(reply) => Ok(reply),
                    }
                })
            }
        }
    }
}

enum Served {
    /// It is to be served here.
    Here(Box<RequestContext>),
    /// It was.
    Elsewhere(Reply),
}

async fn serve(
    forwarder: &Forwarder,
    name: fn(&Params) -> InstanceName,
    proxy: &Proxy,
    mut request: RequestContext,
) -> Result<Served, Problem> {
    let at = name(&request.params);
    let is_forwarded = request.head.extensions.get::<ForwardedCaller>().is_some();
    for _ in 0..ATTEMPTS {
        let holder = match proxy.locate(&at, is_forwarded).await.map_err(refused)? {
            Location::Here => return Ok(Served::Here(Box::new(request))),
            Location::NotHere => {
                let reply = Reply::empty(StatusCode::MISDIRECTED_REQUEST).header(NOT_HERE, YES);
                return Ok(Served::Elsewhere(reply));
            }
            Location::Elsewhere(holder) => holder,
        };
        let (kept, body) = request.with_body_kept(BODY_MAX).await?;
        request = kept;
        let RequestContext { head, media_type, params: Params(_, permissions), .. } = &request;
        let caller = permissions.caller();
        let call = Call { head, caller, media_type, body, client: request.client() };
        match forwarder.forward(call, &holder).await {
            Forwarded::Answered(answer) => return answer.map(Served::Elsewhere),
            Forwarded::TimedOut if proxy.is_there(&holder) => {
                let message = format!(
                    "The replica of this server that has the consumer instance has not answered within {} s. Whether it was done is not known.",
                    holder.patience.as_secs()
                );
                return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, 50302, message));
            }
            Forwarded::TimedOut | Forwarded::NotThere => proxy.take_over(&at, &holder).await.map_err(refused)?,
        }
    }
    let message = "The consumer instance is being opened by other replicas of this server again and again. Nothing was done; try again later.";
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, 50302, message))
}

fn refused(error: Error) -> Problem {
    problem(Dialect::V2, &error)
}
