//! The listener on which other replicas send calls for the consumer instances that this one has.

use std::time::{Duration, SystemTime};

use hyper::body::Incoming;
use hyper::{Request, StatusCode};

use crate::api::Api;
use crate::body::Bounds;
use crate::front::FrontSettings;
use crate::listener::Listener;
use crate::negotiate::JSON;
use crate::problem::Problem;
use crate::replicas::{ForwardedCaller, ReplicaSecret};
use crate::serve::serve_with;

/// Serves the calls that other replicas send on, until `stop` resolves; what is not signed with `secret` is refused with 403. `api` is that for
/// clients. `address` is what replicas know this one by.
///
/// Returns whether every open request was answered within `drain_timeout`. Dropping the future ends accepting and closes idle connections.
pub async fn serve_replicas(
    listener: Listener,
    api: Api,
    secret: ReplicaSecret,
    address: String,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
    drain_timeout: Duration,
) -> bool {
    // What stands in front of it has looked at the request where it came in.
    let api = api.with_front(FrontSettings::default());
    let answer = move |mut request: Request<Incoming>| {
        let (api, secret, address) = (api.clone(), secret.clone(), address.clone());
        async move {
            match secret.verify(&mut request, &address, SystemTime::now()) {
                Some(caller) => {
                    request.extensions_mut().insert(ForwardedCaller(caller));
                    api.answer(request).await
                }
                None => {
                    let message = "HTTP 403 Forbidden: here replicas of this server send each other calls, signed with replica-secret. \
                                   Nothing was done.";
                    Problem::generic(StatusCode::FORBIDDEN, message).into_reply().into_response(JSON)
                }
            }
        }
    };
    serve_with(listener, answer, bounds, stop, drain_timeout).await
}
