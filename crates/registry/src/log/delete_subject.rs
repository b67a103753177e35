//! `DELETE_SUBJECT`: all versions of a subject up to one are deleted softly.

use serde::Serialize;

use crate::log::fields::{RecordFields, Unreadable, json};
use crate::log::record::LogRecord;
use crate::model::names::Subject;

#[derive(Serialize)]
struct DeleteSubjectKey<'a> {
    keytype: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    magic: u8,
}

pub(crate) fn key(subject: &Subject) -> Vec<u8> {
    json(&DeleteSubjectKey { keytype: "DELETE_SUBJECT", subject: subject.as_str(), magic: 0 })
}

#[derive(Serialize)]
struct DeleteSubjectFields<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    version: u32,
}

pub(crate) fn value(subject: &Subject, version: u32) -> Vec<u8> {
    json(&DeleteSubjectFields { subject: subject.as_str(), version })
}

pub(super) fn decode(key: RecordFields, value: Option<RecordFields>) -> Result<LogRecord, Unreadable> {
    let Some(mut value) = value else {
        return Ok(LogRecord::Ignored);
    };
    let version = value.take_integer("version")?.and_then(|version| u32::try_from(version).ok());
    let version = version.ok_or_else(|| Unreadable("DELETE_SUBJECT without a version".to_owned()))?;
    Ok(LogRecord::DeleteSubject { subject: key.subject()?, version })
}
