//! Who asks for what, in a request that may make something on the way.

use std::net::IpAddr;

use hyper::http::request::Parts;
use hyper::{Method, Uri};
use postern_access::Permissions;

/// Who asks for what.
#[derive(Debug)]
pub(crate) struct AuditedRequest {
    pub(super) client: Option<IpAddr>,
    pub(super) permissions: Permissions,
    pub(super) method: Method,
    pub(super) uri: Uri,
}

impl AuditedRequest {
    pub(crate) fn new(client: Option<IpAddr>, head: &Parts, permissions: &Permissions) -> AuditedRequest {
        AuditedRequest { client, permissions: permissions.clone(), method: head.method.clone(), uri: head.uri.clone() }
    }
}
