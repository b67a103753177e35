//! The span of a request, where traces are on: named and described by OpenTelemetry's conventions for HTTP servers (docs/traces.md).
//!
//! The query is left out, and of headers all but the name of the client's program and `X-Request-Id`: they may hold secrets.

use std::net::IpAddr;

use hyper::header::USER_AGENT;
use hyper::http::request::Parts;
use hyper::{Method, Version};
use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_http::HeaderExtractor;
use postern_proxy::Traces;

use super::request_id::RequestId;
use super::shown::shown_path;

/// Characters of the name of a client's program.
const USER_AGENT_SHOWN: usize = 200;

/// The span of one request; it ends when it is dropped.
pub(crate) struct RequestSpan {
    context: Context,
    method: &'static str,
}

impl RequestSpan {
    pub(crate) fn begin(traces: &Traces, head: &Parts, client: Option<IpAddr>) -> RequestSpan {
        let method = known_method(&head.method);
        let path = shown_path(&head.uri);
        let id = Value::Array(Array::String(vec![StringValue::from(RequestId::current().as_str().to_owned())]));
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.path", path),
            KeyValue::new("network.protocol.version", version(head.version)),
            KeyValue::new("http.response.header.x-request-id", id),
        ];
        if let Some(client) = client {
            attributes.push(KeyValue::new("client.address", client.to_string()));
        }
        if let Some(agent) = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()) {
            let agent: String = agent.chars().take(USER_AGENT_SHOWN).collect();
            attributes.push(KeyValue::new("user_agent.original", agent));
        }
        let context = traces.request(&HeaderExtractor(&head.headers), method, attributes);
        RequestSpan { context, method }
    }

    /// What the request has to be worked on in, so that the spans of its parts are below this one.
    pub(crate) fn context(&self) -> Context {
        self.context.clone()
    }

    /// Ends it: the request was for this route, `None` for none, and was answered with `status`.
    pub(crate) fn end(&self, route: Option<&'static str>, status: u16, error_code: Option<u32>) {
        let span = self.context.span();
        if let Some(route) = route {
            span.update_name(format!("{} {route}", self.method));
            span.set_attribute(KeyValue::new("http.route", route));
        }
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if let Some(code) = error_code {
            span.set_attribute(KeyValue::new("postern.error_code", i64::from(code)));
        }
        if status >= 500 {
            span.set_attribute(KeyValue::new("error.type", status.to_string()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// Methods that nobody defines are one, so that names of spans are a bounded set.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}
