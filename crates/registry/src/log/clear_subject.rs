//! `CLEAR_SUBJECT`: the softly deleted versions of a subject, of a context, or of all are forgotten. Written before a
//! subject is imported anew.

use serde::Serialize;

use super::{Entry, Members, Unreadable, json};
use crate::Subject;

#[derive(Serialize)]
struct Key<'a> {
    keytype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    magic: u8,
}

pub(crate) fn key(subject: Option<&Subject>) -> Vec<u8> {
    json(&Key { keytype: "CLEAR_SUBJECT", subject: subject.map(Subject::as_str), magic: 0 })
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

pub(crate) fn value(subject: Option<&Subject>) -> Vec<u8> {
    json(&Written { subject: subject.map(Subject::as_str) })
}

pub(super) fn decode(key: Members, value: Option<Members>) -> Result<Entry, Unreadable> {
    match value {
        None => Ok(Entry::Nothing),
        Some(_) => Ok(Entry::ClearSubject { subject: key.scope()? }),
    }
}
