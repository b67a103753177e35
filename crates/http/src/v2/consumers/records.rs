//! `GET /consumers/{group}/instances/{instance}/records` — read (docs/reference/rest-v2.md §7.5, §7.6).

use std::time::Duration;

use hyper::{Method, StatusCode};
use postern_proxy::{Format, Proxy, ReadFormats, ReadLimits};

use super::super::record_layout::{Include, JsonList};
use super::super::{AVRO, BINARY, JSON_RECORDS, JSON_SCHEMA, PROTOBUF, V2, problem};
use super::request::instance_name;
use crate::client_connection::ClientConnection;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(in crate::v2) async fn read(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (limits, include) = (limits(&request)?, Include::of(&request)?);
    let at = instance_name(&request.params);
    let answer = tokio::select! {
        biased;
        () = hung_up(request.client()) => return Err(went_away()),
        answer = proxy.read(&at, limits, accepts(request.media_type), Box::new(JsonList { include })) => answer,
    };
    let answer = answer.map_err(problem)?;
    // The answer to HEAD has no body: the records are for the next read.
    let mut text = if request.head.method == Method::HEAD { Vec::new() } else { answer.accept() };
    JsonList::finish(&mut text);
    Ok(Reply::bytes(StatusCode::OK, text))
}

/// What no client will see.
pub(in crate::v2) fn went_away() -> Problem {
    Problem::bad_request("The client has closed its side of the connection: nothing was read for it.")
}

/// The parameters `timeout`, in milliseconds, and `max_bytes`.
pub(in crate::v2) fn limits(request: &RequestContext) -> Result<ReadLimits, Problem> {
    Ok(ReadLimits {
        wait: positive(request, "timeout")?.map(Duration::from_millis),
        max_bytes: positive(request, "max_bytes")?.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
    })
}

/// Waits until the client has gone.
pub(in crate::v2) async fn hung_up(client: Option<ClientConnection>) {
    match client {
        Some(client) => client.closed().await,
        None => std::future::pending().await,
    }
}

/// A number of the query, where it is more than 0; anything else counts as not given (§7.5).
fn positive(request: &RequestContext, name: &'static str) -> Result<Option<u64>, Problem> {
    let Some(text) = request.query(name) else { return Ok(None) };
    match text.trim().parse::<i64>() {
        Ok(number) => Ok(u64::try_from(number).ok().filter(|number| *number > 0)),
        Err(_) => Err(Problem::missing(format!(
            "HTTP 404 Not Found: {name} in the query must be a whole number, found '{}'.",
            super::request::shown(&text)
        ))),
    }
}

/// Which formats a media type stands for. Those with schemas are not told apart (§7.5).
fn accepts(media_type: &'static str) -> fn(ReadFormats) -> bool {
    match media_type {
        BINARY | V2 => |formats| formats.value == Format::Binary,
        JSON_RECORDS => |formats| formats.value == Format::Json,
        AVRO | JSON_SCHEMA | PROTOBUF => |formats| matches!(formats.value, Format::Schema(_)),
        _ => |_| false,
    }
}
