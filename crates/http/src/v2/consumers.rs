//! `POST /consumers/{group}`, `DELETE /consumers/{group}/instances/{instance}` — make and delete consumer instances
//! (docs/reference/rest-v2.md §7.1, §7.2). What instances do is in the files below.

pub(super) mod assignments;
pub(super) mod offsets;
pub(super) mod positions;
pub(super) mod records;
mod request;
pub(super) mod subscription;

use hyper::StatusCode;
use postern_proxy::{Format, INSTANCE_NAME_MAX, InstanceSettings, Proxy, ReadFormats};
use schemars::JsonSchema;
use serde::Serialize;

use self::request::BODY_MAX;
pub(super) use self::request::instance_name;
use super::bodies::ConsumerSettings;
use super::problem;
use crate::operation::{Operation, operation};
use crate::path::segment;
use crate::problem::Problem;
use crate::reading::key_format;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
struct Created<'a> {
    instance_id: &'a str,
    base_uri: String,
}

/// Confluent's bounds (docs/reference/rest-v2.md §7.1).
const MIN_BYTES: std::ops::RangeInclusive<i32> = -1..=10_000_000;

pub(super) const CREATE: Operation = operation("createConsumer", "Makes a consumer instance in a group")
    .may_take::<ConsumerSettings>(&[r#"{"name":"reader-1","format":"binary","auto.offset.reset":"earliest"}"#])
    .returns::<Created>();
pub(super) const DELETE: Operation = operation("deleteConsumer", "Deletes a consumer instance");

pub(super) async fn create(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let base_url = request.base_url();
    let (params, body) = request.read_document(BODY_MAX).await?;
    let settings = settings(&body)?;
    let group = params.get("group");
    let instance_id = proxy.create_consumer(group, params.owner(), settings).await.map_err(problem)?;
    let base_uri = format!("{base_url}/consumers/{}/instances/{}", segment(group), segment(&instance_id));
    Ok(Reply::ok(&Created { instance_id: &instance_id, base_uri }))
}

pub(super) async fn delete(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    proxy.delete_consumer(&instance_name(&request.params)).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// The settings in a body, which may be missing; every member may be null.
fn settings(body: &[u8]) -> Result<InstanceSettings, Problem> {
    let Some(mut object) = request::optional_object(body, "an object with name, format and so on")? else {
        return Ok(InstanceSettings {
            name: None,
            formats: formats(None, None)?,
            auto_offset_reset: None,
            auto_commit: None,
            min_bytes: None,
            wait_ms: None,
        });
    };
    let (id, name) = (object.text("id")?, object.text("name")?);
    let (format, key_format) = (object.text("format")?, object.text("key_format")?);
    let auto_offset_reset = object.text("auto.offset.reset")?;
    let auto_commit = object.text("auto.commit.enable")?;
    let min_bytes = either(object.int32("fetch.min.bytes")?, object.int32("responseMinBytes")?);
    let wait_ms = either(object.int32("consumer.request.timeout.ms")?, object.int32("requestWaitMs")?);
    object.end()?;
    let formats = formats(format.as_deref(), key_format.as_deref())?;
    if let Some(bytes) = min_bytes.filter(|bytes| !MIN_BYTES.contains(bytes)) {
        let (from, to) = (MIN_BYTES.start(), MIN_BYTES.end());
        let message = format!(
            "Invalid consumer configuration. It does not abide by the constraints: Invalid value {bytes} for configuration fetch.min.bytes: \
             expected {from} to {to}."
        );
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, 40001, message));
    }
    // The old name of the member comes first.
    let name = either(id, name);
    if let Some(name) = &name {
        if name.trim().is_empty() {
            return Err(Problem::unprocessable(
                "name: expected a name that is not blank, or none, found an empty one.",
            ));
        }
        if matches!(name.as_str(), "." | "..") {
            return Err(Problem::unprocessable(format!(
                "name: expected a name that can stand in a path, found '{name}', which clients and proxies take out of it."
            )));
        }
        if name.len() > INSTANCE_NAME_MAX {
            let message = format!("name: expected at most {INSTANCE_NAME_MAX} bytes, found {}.", name.len());
            return Err(Problem::unprocessable(message));
        }
    }
    Ok(InstanceSettings { name, formats, auto_offset_reset, auto_commit, min_bytes, wait_ms })
}

fn either<T>(one: Option<T>, other: Option<T>) -> Option<T> {
    one.or(other)
}

/// The formats of these names. `string` is one of keys only: as a format of values Confluent knows it, and fails.
fn formats(value: Option<&str>, key: Option<&str>) -> Result<ReadFormats, Problem> {
    let value = match value {
        None => Format::Binary,
        Some(name) => match Format::named(name) {
            Some(format) if format != Format::Text => format,
            Some(_) | None => {
                let message = format!(
                    "Invalid format type: format: expected binary, json, avro, jsonschema or protobuf, found '{}'.",
                    crate::reading::shown(name)
                );
                return Err(Problem::unprocessable(message));
            }
        },
    };
    Ok(ReadFormats { key: key_format(key, value)?, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (u16, u32) {
        let problem = settings(body.as_bytes()).expect_err(body);
        (problem.status.as_u16(), problem.code)
    }

    #[test]
    fn every_member_may_be_missing_null_or_another_scalar() {
        for body in ["", " ", "null", "{}", r#"{"name":null,"format":null,"fetch.min.bytes":null}"#] {
            let read = settings(body.as_bytes()).expect(body);
            assert_eq!((read.name, read.formats.value, read.min_bytes), (None, Format::Binary, None), "{body}");
        }
        let read = settings(br#"{"id":7,"name":"c","format":"JSON","key_format":"String","auto.commit.enable":false,"fetch.min.bytes":"1","requestWaitMs":-5}"#);
        let read = read.expect("settings");
        assert_eq!((read.name.as_deref(), read.auto_commit.as_deref()), (Some("7"), Some("false")));
        assert_eq!(read.formats, ReadFormats { key: Format::Text, value: Format::Json });
        assert_eq!((read.min_bytes, read.wait_ms), (Some(1), Some(-5)));
    }

    #[test]
    fn what_is_wrong_has_its_number() {
        for (body, refusal) in [
            ("{", (400, 400)),
            ("[]", (400, 400)),
            ("\"x\"", (400, 400)),
            (r#"{"group.id":"x"}"#, (422, 422)),
            (r#"{"format":"xml"}"#, (422, 422)),
            (r#"{"format":"string"}"#, (422, 422)),
            (r#"{"format":""}"#, (422, 422)),
            (r#"{"key_format":"xml"}"#, (422, 422)),
            (r#"{"name":""}"#, (422, 422)),
            (r#"{"name":" "}"#, (422, 422)),
            (r#"{"name":"."}"#, (422, 422)),
            (r#"{"id":".."}"#, (422, 422)),
            (r#"{"fetch.min.bytes":-2}"#, (422, 40001)),
            (r#"{"fetch.min.bytes":10000001}"#, (422, 40001)),
            (r#"{"fetch.min.bytes":"x"}"#, (400, 400)),
            (r#"{"name":[]}"#, (400, 400)),
        ] {
            assert_eq!(refused(body), refusal, "{body}");
        }
        assert_eq!(refused(&format!(r#"{{"name":"{}"}}"#, "x".repeat(INSTANCE_NAME_MAX + 1))), (422, 422));
    }
}
