//! `MODE`: whether a subject, a context or all may be written, and how.

use serde::Serialize;

use crate::log::fields::{RecordFields, Unreadable, json};
use crate::log::record::LogRecord;
use crate::model::mode::Mode;
use crate::model::names::Subject;

#[derive(Serialize)]
struct ModeKey<'a> {
    keytype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    magic: u8,
}

pub(crate) fn key(subject: Option<&Subject>) -> Vec<u8> {
    json(&ModeKey { keytype: "MODE", subject: subject.map(Subject::as_str), magic: 0 })
}

#[derive(Serialize)]
struct ModeFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    mode: &'static str,
}

pub(crate) fn value(subject: Option<&Subject>, mode: Mode) -> Vec<u8> {
    json(&ModeFields { subject: subject.map(Subject::as_str), mode: mode.name() })
}

pub(super) fn decode(key: RecordFields, value: Option<RecordFields>) -> Result<LogRecord, Unreadable> {
    let value = match value {
        None => None,
        Some(value) => {
            let name = value.text("mode")?.unwrap_or_default();
            Some(Mode::parse(&name).ok_or_else(|| Unreadable(format!("mode {name:?} is not known here")))?)
        }
    };
    Ok(LogRecord::Mode { subject: key.scope()?, value })
}
