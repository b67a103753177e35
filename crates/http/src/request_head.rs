//! What is refused of a request by its head alone, whatever it asks for: a head that is too long, without a valid `Host`, or with a transfer
//! coding that is not decoded. What hyper cannot read it refuses by itself.

use hyper::header::{CONNECTION, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts as Head;
use hyper::{StatusCode, Version};

use crate::authority;
use crate::problem::Problem;
use crate::reply::Reply;

/// Bytes of the request line: method, path with query, version.
const REQUEST_LINE_MAX: usize = 8 << 10;
/// Bytes of all headers: the tokens of some authentication schemes are long.
const HEADERS_MAX: usize = 32 << 10;

/// The response to a request that is refused whatever it wants.
pub(crate) fn malformed(head: &Head) -> Option<Reply> {
    if let Some(problem) = too_long(head).or_else(|| bad_host(head)) {
        return Some(problem.into_reply());
    }
    // The connection is closed, because what follows the head cannot be told apart from the next request (RFC 9112 §6.1).
    bad_coding(head).map(|problem| problem.into_reply().header(CONNECTION, HeaderValue::from_static("close")))
}

/// The bounds are those of Confluent and of most reverse proxies. Beyond its own bounds hyper responds by itself, with the same status and
/// without a body.
fn too_long(head: &Head) -> Option<Problem> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = head.method.as_str().len() + target + "  HTTP/1.1".len();
    if line > REQUEST_LINE_MAX {
        let message = format!(
            "HTTP 414 URI Too Long: the request line has {line} bytes, more than the {REQUEST_LINE_MAX} that are taken."
        );
        return Some(Problem::generic(StatusCode::URI_TOO_LONG, message));
    }
    let headers: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > HEADERS_MAX {
        let message = format!(
            "HTTP 431 Request Header Fields Too Large: they have {headers} bytes, more than the {HEADERS_MAX} that are taken."
        );
        return Some(Problem::generic(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message));
    }
    None
}

/// HTTP/1.1 requires exactly one valid `Host` (RFC 9112 §3.2), which names the host of what is asked for: one that is empty names none.
fn bad_host(head: &Head) -> Option<Problem> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.count());
    let problem = |found: String| {
        let message = format!(
            "HTTP 400 Bad Request: expected one Host header with a host name and perhaps a port, found {found}."
        );
        Some(Problem::generic(StatusCode::BAD_REQUEST, message))
    };
    match host {
        None if head.version == Version::HTTP_11 => problem("none".to_owned()),
        None => None,
        Some(_) if more > 0 => problem(format!("{}", more + 1)),
        Some(host) if authority::parse(host.as_bytes()).is_some() => None,
        Some(host) => problem(format!("{host:?}")),
    }
}

/// The only transfer coding is `chunked`, which hyper decodes (RFC 9112 §6.1, §7). Where there is a `Content-Length` beside it hyper drops that,
/// whichever comes first, and closes the connection behind the response, so that nobody in front can be made to see another request there
/// than we do (RFC 9112 §6.3).
fn bad_coding(head: &Head) -> Option<Problem> {
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let (coding, more) = (codings.next()?, codings.next());
    let known = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if known(coding) && more.is_none() {
        return None;
    }
    let message = format!("HTTP 501 Not Implemented: Transfer-Encoding is {coding:?}; only chunked is supported.");
    Some(Problem::generic(StatusCode::NOT_IMPLEMENTED, message))
}
