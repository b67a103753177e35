//! `CLEAR_SUBJECT`: the softly deleted versions of a subject, of a context, or of all are forgotten. ClearSubjectFields before a
//! subject is imported anew.

use serde::Serialize;

use crate::log::fields::{RecordFields, Unreadable, json};
use crate::log::record::LogRecord;
use crate::model::names::Subject;

#[derive(Serialize)]
struct ClearSubjectKey<'a> {
    keytype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    magic: u8,
}

pub(crate) fn key(subject: Option<&Subject>) -> Vec<u8> {
    json(&ClearSubjectKey { keytype: "CLEAR_SUBJECT", subject: subject.map(Subject::as_str), magic: 0 })
}

#[derive(Serialize)]
struct ClearSubjectFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

pub(crate) fn value(subject: Option<&Subject>) -> Vec<u8> {
    json(&ClearSubjectFields { subject: subject.map(Subject::as_str) })
}

pub(super) fn decode(key: RecordFields, value: Option<RecordFields>) -> Result<LogRecord, Unreadable> {
    match value {
        None => Ok(LogRecord::Ignored),
        Some(_) => Ok(LogRecord::ClearSubject { subject: key.scope()? }),
    }
}
