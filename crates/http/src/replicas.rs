//! Calls for consumer instances that another replica of this server has: how they get there, and how they come in from there.
//!
//! - `signature`: who the caller is, on the way between replicas, so that nobody else can say it.
//! - `forward`: a call that is sent on.
//! - `anywhere`: who serves a call.
//!
//! Which replica has an instance is known by `proxy`. What is promised stands in `docs/consumers.md`.

mod anywhere;
mod forward;
mod signature;

use hyper::header::{HeaderName, HeaderValue};
use postern_access::Caller;

pub use self::signature::ReplicaSecret;

pub(crate) use self::anywhere::anywhere;
pub(crate) use self::forward::Forwarder;

/// The answer of a replica that does not have the instance, with 421. Clients do not see it.
const NOT_HERE: HeaderName = HeaderName::from_static("x-postern-not-here");
const YES: HeaderValue = HeaderValue::from_static("true");

/// The caller of a call that another replica has sent on, as that one has found out. In the extensions of such a request, and of no other.
#[derive(Clone, Debug)]
pub(crate) struct ForwardedCaller(pub(crate) Caller);
