//! `GET /consumers/{group}/instances/{instance}/records` — read (docs/reference/rest-v2.md §7.5, §7.6), once or as a stream.

use hyper::{Method, StatusCode};
use postern_access::Right;
use postern_proxy::{Format, InstanceName, Proxy, ReadFormats};

use super::super::bodies::Record;
use super::super::record_object::{JsonObject, finish};
use super::super::{AVRO, BINARY, JSON_RECORDS, JSON_SCHEMA, PROTOBUF, V2, problem};
use super::request::instance_name;
use crate::operation::{Operation, number, operation, text};
use crate::problem::Problem;
use crate::reading::{
    Framing, Include, Positions, RecordStreams, begin_stream, framed, hung_up, last_event_id, limits, went_away,
    wrong_event_id,
};
use crate::reply::Reply;
use crate::request_context::RequestContext;
use crate::router::Answer;

pub(in crate::v2) const READ: Operation = operation("readRecords", "Reads the next records of an instance")
    .with_query(&[
        number("timeout", "Milliseconds to wait for records"),
        number("max_bytes", "How much is read, in bytes"),
        text("include", "timestamp, headers, schema_id, divided by commas"),
    ])
    .returns::<Vec<Record>>();

pub(in crate::v2) fn read(streams: &RecordStreams) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static {
    let streams = streams.clone();
    move |proxy, request| {
        let streams = streams.clone();
        Box::pin(async move {
            match Framing::of(request.media_type) {
                Framing::List => once(proxy, request).await,
                Framing::Events | Framing::Lines => stream(proxy, request, &streams).await,
            }
        })
    }
}

/// 403 unless the caller may read what is subscribed and assigned: the rules may have changed since the instance was told.
async fn check_assigned(proxy: &Proxy, request: &RequestContext, at: &InstanceName) -> Result<(), Problem> {
    if request.params.permissions().is_unlimited() {
        return Ok(());
    }
    let subscribed = proxy.subscription(at).await.map_err(problem)?;
    request.params.check_all(Right::Consume, subscribed.iter().map(String::as_str))?;
    let assigned = proxy.assignment(at).await.map_err(problem)?;
    request.params.check_all(Right::Consume, assigned.iter().map(|partition| partition.topic.as_str()))
}

async fn once(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (limits, object) = (limits(&request)?, JsonObject { include: Include::of(&request)? });
    let at = instance_name(&request.params);
    check_assigned(&proxy, &request, &at).await?;
    let (layout, _) = framed(Framing::List, object, true, Positions::default());
    let answer = tokio::select! {
        biased;
        () = hung_up(request.client()) => return Err(went_away()),
        answer = proxy.read(&at, limits, accepts(request.media_type), Box::new(layout)) => answer,
    };
    let answer = answer.map_err(problem)?;
    // The answer to HEAD has no body: the records are for the next read.
    let mut text = if request.head.method == Method::HEAD { Vec::new() } else { answer.accept() };
    finish(&mut text);
    Ok(Reply::bytes(StatusCode::OK, text))
}

/// In the formats that the instance was made with. The stream goes on where the instance is, or behind the last event that the client has.
async fn stream(proxy: Proxy, request: RequestContext, streams: &RecordStreams) -> Result<Reply, Problem> {
    let object = JsonObject { include: Include::of(&request)? };
    let at = instance_name(&request.params);
    check_assigned(&proxy, &request, &at).await?;
    let permit = streams.permit()?;
    let resumed = match last_event_id(&request)? {
        Some(read) => Some(read.of_topics().ok_or_else(|| wrong_event_id(&read.text()))?),
        None => None,
    };
    // An instance that is not there, or has nothing to read, is an answer with a status.
    if request.head.method == Method::HEAD {
        proxy.check_readable(&at).await.map_err(problem)?;
        return Ok(streams.head(&request));
    }
    let begun = begin_stream(proxy, at, Framing::of(request.media_type), resumed).await;
    let (source, positions) = begun.map_err(problem)?;
    Ok(streams.open(permit, &request, source, object, positions))
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
