//! `CONTEXT`: a context exists. Written before the first schema in it; the tombstone forgets it.

use serde::Serialize;

use super::{Entry, Members, Unreadable, json};

/// There is one tenant, with this name.
const TENANT: &str = "default";

#[derive(Serialize)]
struct Key<'a> {
    keytype: &'static str,
    tenant: &'static str,
    context: &'a str,
    magic: u8,
}

pub(crate) fn key(context: &str) -> Vec<u8> {
    json(&Key { keytype: "CONTEXT", tenant: TENANT, context, magic: 0 })
}

#[derive(Serialize)]
struct Written<'a> {
    tenant: &'static str,
    context: &'a str,
}

pub(crate) fn value(context: &str) -> Vec<u8> {
    json(&Written { tenant: TENANT, context })
}

pub(super) fn decode(key: Members, value: Option<Members>) -> Result<Entry, Unreadable> {
    let context = key.text("context")?.ok_or_else(|| Unreadable("CONTEXT without a name".to_owned()))?;
    Ok(Entry::Context { context, known: value.is_some() })
}
