//! `CONTEXT`: a context exists. ContextFields before the first schema in it; the tombstone forgets it.

use serde::Serialize;

use crate::log::fields::{RecordFields, Unreadable, json};
use crate::log::record::LogRecord;

/// There is one tenant, with this name.
const TENANT: &str = "default";

#[derive(Serialize)]
struct ContextKey<'a> {
    keytype: &'static str,
    tenant: &'static str,
    context: &'a str,
    magic: u8,
}

pub(crate) fn key(context: &str) -> Vec<u8> {
    json(&ContextKey { keytype: "CONTEXT", tenant: TENANT, context, magic: 0 })
}

#[derive(Serialize)]
struct ContextFields<'a> {
    tenant: &'static str,
    context: &'a str,
}

pub(crate) fn value(context: &str) -> Vec<u8> {
    json(&ContextFields { tenant: TENANT, context })
}

pub(super) fn decode(key: RecordFields, value: Option<RecordFields>) -> Result<LogRecord, Unreadable> {
    let context = key.text("context")?.ok_or_else(|| Unreadable("CONTEXT without a name".to_owned()))?;
    Ok(LogRecord::Context { context, known: value.is_some() })
}
