//! Responses: a status, headers, and a body, which is complete or comes piece by piece.
//!
//! JSON is written as Confluent writes it: compact, UTF-8, and characters outside the basic plane as two escapes
//! (docs/reference/rest-v2.md §3.3).

use std::io;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use crate::answer_stream::AnswerStream;
use crate::negotiate::JSON;

/// The body of a response on its way to the server.
#[derive(Debug)]
pub enum ReplyBody {
    /// Complete.
    Bytes(Bytes),
    /// Piece by piece, while the request is worked on.
    Stream(AnswerStream),
}

impl From<Bytes> for ReplyBody {
    fn from(bytes: Bytes) -> ReplyBody {
        ReplyBody::Bytes(bytes)
    }
}

/// A response before its media type is added.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: ReplyBody,
    /// Of an error.
    error_code: Option<ErrorCode>,
}

/// The error code of a response, as an extension of it: for whoever counts and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorCode(pub(crate) u32);

impl Reply {
    /// `status` with `value` as JSON.
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
        Reply::bytes(status, to_json(value))
    }

    /// 200 with `value` as JSON.
    pub(crate) fn ok(value: &impl Serialize) -> Reply {
        Reply::json(StatusCode::OK, value)
    }

    /// `status` with an encoded body.
    pub(crate) fn bytes(status: StatusCode, body: impl Into<Bytes>) -> Reply {
        Reply { status, headers: Vec::new(), body: ReplyBody::Bytes(body.into()), error_code: None }
    }

    /// 200 with a body that comes piece by piece.
    pub(crate) fn stream(answers: AnswerStream) -> Reply {
        Reply { status: StatusCode::OK, headers: Vec::new(), body: ReplyBody::Stream(answers), error_code: None }
    }

    /// `status` without a body.
    pub(crate) fn empty(status: StatusCode) -> Reply {
        Reply::bytes(status, Bytes::new())
    }

    /// The response of a request that failed.
    pub(crate) fn error(status: StatusCode, code: u32, body: Vec<u8>) -> Reply {
        Reply { error_code: Some(ErrorCode(code)), ..Reply::bytes(status, body) }
    }

    /// The same with one more header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Reply {
        self.headers.push((name, value));
        self
    }

    /// The response for hyper, in `media_type`. Without a body there is no `Content-Type`; an error is JSON, whatever its request would have
    /// been answered in.
    pub(crate) fn into_response(self, media_type: &'static str) -> Response<ReplyBody> {
        let media_type = match self.error_code {
            Some(_) if media_type != JSON && !media_type.ends_with("+json") => JSON,
            Some(_) | None => media_type,
        };
        let has_body = match &self.body {
            ReplyBody::Bytes(bytes) => !bytes.is_empty(),
            ReplyBody::Stream(_) => true,
        };
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        if has_body {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if let Some(code) = self.error_code {
            response.extensions_mut().insert(code);
        }
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        add_retry_after(&mut response);
        response
    }
}

/// How many seconds a client should wait that was refused for now, unless it was told otherwise.
const RETRY_AFTER_SECONDS: &str = "1";

/// Every 429 and 503 says when to come again (RFC 9110 §10.2.3).
pub(crate) fn add_retry_after<B>(response: &mut Response<B>) {
    if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
}

/// Compact JSON.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    value
        .serialize(&mut Serializer::with_formatter(&mut out, EscapedPlanes))
        .expect("responses have string keys and infallible `Serialize` implementations");
    out
}

/// Writes characters outside the basic plane as a pair of escapes, everything else as serde_json does.
struct EscapedPlanes;

impl Formatter for EscapedPlanes {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|c| c > '\u{FFFF}') {
            CompactFormatter.write_string_fragment(writer, &rest[..at])?;
            let c = rest[at..].chars().next().expect("found there");
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04X}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_for_now_says_when_to_come_again() {
        let retry_after = |reply: Reply| {
            let response = reply.into_response("application/json");
            response.headers().get(RETRY_AFTER).map(|value| value.to_str().expect("ASCII").to_owned())
        };
        assert_eq!(retry_after(Reply::empty(StatusCode::SERVICE_UNAVAILABLE)).as_deref(), Some("1"));
        assert_eq!(retry_after(Reply::empty(StatusCode::TOO_MANY_REQUESTS)).as_deref(), Some("1"));
        let later = Reply::empty(StatusCode::TOO_MANY_REQUESTS).header(RETRY_AFTER, HeaderValue::from_static("30"));
        assert_eq!(retry_after(later).as_deref(), Some("30"));
        assert_eq!(retry_after(Reply::empty(StatusCode::OK)), None);
    }

    #[test]
    fn an_error_is_labelled_as_what_it_is() {
        let label = |reply: Reply, media_type| reply.into_response(media_type).headers()[CONTENT_TYPE].clone();
        let error = || Reply::error(StatusCode::FORBIDDEN, 403, b"{}".to_vec());
        for other in ["text/html", "text/event-stream", "application/x-ndjson"] {
            assert_eq!(label(error(), other), JSON, "{other}");
            assert_eq!(label(Reply::bytes(StatusCode::OK, "x"), other), other);
        }
        let v2 = "application/vnd.kafka.v2+json";
        assert_eq!(
            (label(error(), v2), label(error(), JSON)),
            (v2.parse().expect("ASCII"), JSON.parse().expect("ASCII"))
        );
    }

    #[test]
    fn characters_outside_the_basic_plane_are_two_escapes() {
        assert_eq!(to_json(&"grün 😀!"), "\"grün \\uD83D\\uDE00!\"".as_bytes());
    }
}
