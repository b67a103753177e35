//! `POST /consumers/{group}/instances/{instance}/positions`, `…/positions/beginning`, `…/positions/end` — seek
//! (docs/reference/rest-v2.md §7.9).

use hyper::StatusCode;
use jiff::Timestamp;
use postern_access::Right;
use postern_proxy::{PartitionName, Position, Proxy, SeekTarget};

use super::super::bodies::{PartitionsRequest, SeekRequest};
use super::super::problem;
use super::request::{BODY_MAX, Refused, instance_name, object, objects, partition, partitions, required, said};
use crate::lenient_object::LenientObject;
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reading::shown;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(in crate::v2) const SEEK: Operation = operation("seek", "Sets the offsets of the next reads, by offset or by time")
    .takes::<SeekRequest>(&[r#"{"offsets":[{"topic":"lab","partition":0,"offset":0}]}"#]);
pub(in crate::v2) const BEGINNING: Operation =
    operation("seekToBeginning", "The next reads begin with the first records")
        .takes::<PartitionsRequest>(&[r#"{"partitions":[{"topic":"lab","partition":0}]}"#]);
pub(in crate::v2) const END: Operation =
    operation("seekToEnd", "The next reads begin with records that come")
        .takes::<PartitionsRequest>(&[r#"{"partitions":[{"topic":"lab","partition":0}]}"#]);

pub(in crate::v2) async fn seek(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let at = instance_name(&params);
    let positions = said(&proxy, &at, positions(&body)).await?;
    params.check_all(Right::Consume, positions.iter().map(|(partition, _)| partition.topic.as_str()))?;
    let target = SeekTarget::Partitions(positions);
    proxy.seek(&at, target).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

pub(in crate::v2) async fn beginning(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    seek_all(proxy, request, Position::Beginning).await
}

pub(in crate::v2) async fn end(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    seek_all(proxy, request, Position::End).await
}

/// An empty list means all assigned partitions.
async fn seek_all(proxy: Proxy, request: RequestContext, to: Position) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let at = instance_name(&params);
    let partitions = said(&proxy, &at, partitions(object(&body, "an object with partitions")?)).await?;
    params.check_all(Right::Consume, partitions.iter().map(|partition| partition.topic.as_str()))?;
    let target = match partitions.is_empty() {
        true => SeekTarget::AllAssigned(to),
        false => SeekTarget::Partitions(partitions.into_iter().map(|partition| (partition, to)).collect()),
    };
    proxy.seek(&at, target).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Offsets are taken exactly, times lead to the first record at or after them; either list may be missing.
fn positions(body: &[u8]) -> Result<Vec<(PartitionName, Position)>, Refused> {
    let mut body = object(body, "an object with offsets, timestamps, or both")?;
    let offsets = objects(&mut body, "offsets")?.unwrap_or_default();
    let timestamps = body.objects("timestamps")?.unwrap_or_default();
    body.end()?;
    let offset = |mut item: LenientObject<'_>| {
        let (partition, offset) = (partition(&mut item)?, item.int64("offset")?);
        let offset = required(&item, "offset", offset)?;
        item.text("metadata")?;
        if offset < 0 {
            let message = format!("{}: expected 0 or more, found {offset}.", item.path("offset"));
            return Err(Refused::meaningless(message));
        }
        item.end()?;
        Ok((partition, Position::Offset(offset)))
    };
    let timestamp = |mut item: LenientObject<'_>| {
        let (partition, time) = (partition(&mut item)?, item.text("timestamp")?);
        let time = required(&item, "timestamp", time)?;
        item.text("metadata")?;
        let milliseconds = milliseconds(&time).ok_or_else(|| {
            Problem::bad_request(format!(
                "{}: expected a time such as 2026-01-31T12:00:00Z, or seconds since 1970, found '{}'.",
                item.path("timestamp"),
                shown(&time)
            ))
        })?;
        item.end()?;
        Ok((partition, Position::Timestamp(milliseconds)))
    };
    let offsets = offsets.into_iter().map(offset);
    offsets.chain(timestamps.into_iter().map(timestamp)).collect()
}

/// Milliseconds since 1970, of an instant in ISO 8601 or of seconds. Before 1970 there are no records: it is the beginning of all times.
pub(super) fn milliseconds(time: &str) -> Option<i64> {
    /// Beyond it a double of milliseconds is no longer exact.
    const SECONDS_MAX: f64 = 9.0e12;
    let time = time.trim();
    let milliseconds = match time.parse::<f64>() {
        Ok(seconds) if seconds.abs() <= SECONDS_MAX => (seconds * 1000.0).floor() as i64,
        Ok(_) => return None,
        Err(_) if is_iso(time) => time.parse::<Timestamp>().ok()?.as_millisecond(),
        Err(_) => return None,
    };
    Some(milliseconds.max(0))
}

/// Whether a text is written as ISO 8601 has it at length, `2026-01-31T12:00…`, as in the original: the parser knows shorter and other forms, too.
fn is_iso(time: &str) -> bool {
    let time = time.as_bytes();
    matches!((time.get(10), time.get(13)), (Some(b'T' | b't'), Some(b':'))) && !time.contains(&b'[')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_instants_or_seconds() {
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", Some(1_769_860_800_000)),
            ("2026-01-31T14:00:00+02:00", Some(1_769_860_800_000)),
            ("2026-01-31T12:00:00.123456Z", Some(1_769_860_800_123)),
            ("1769860800", Some(1_769_860_800_000)),
            ("1.5", Some(1500)),
            ("-1", Some(0)),
            ("1960-01-01T00:00:00Z", Some(0)),
            ("yesterday", None),
            ("2026-01-31", None),
            ("2026-01-31T12:00:00", None),
            ("2026-01-31T12:00Z", Some(1_769_860_800_000)),
            ("2026-01-31t12:00:00z", Some(1_769_860_800_000)),
            ("2026-01-31 12:00:00Z", None),
            ("2026-01-31T12Z", None),
            ("20260131T120000Z", None),
            ("2026-01-31T12:00:00Z[UTC]", None),
            ("inf", None),
            ("NaN", None),
            ("1e300", None),
            ("", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_has_its_status() {
        for (body, status) in [
            ("", 422),
            ("null", 422),
            ("{", 400),
            (r#"{"positions":[]}"#, 422),
            (r#"{"offsets":[null]}"#, 422),
            (r#"{"offsets":[{"topic":"t","partition":0}]}"#, 422),
            (r#"{"offsets":[{"topic":"t","partition":0,"offset":-1}]}"#, 422),
            (r#"{"offsets":[{"topic":"t","partition":0,"offset":"x"}]}"#, 400),
            (r#"{"timestamps":[null]}"#, 400),
            (r#"{"timestamps":[{"topic":"t","partition":0,"timestamp":"yesterday"}]}"#, 400),
            (r#"{"timestamps":[{"partition":0,"timestamp":1}]}"#, 422),
        ] {
            let (Refused::Unreadable(problem) | Refused::Meaningless(problem)) =
                positions(body.as_bytes()).expect_err(body);
            assert_eq!(problem.status.as_u16(), status, "{body}");
        }
        for body in ["{}", r#"{"offsets":null}"#, r#"{"offsets":[],"timestamps":[]}"#] {
            assert_eq!(positions(body.as_bytes()).expect(body), [], "{body}");
        }
    }
}
