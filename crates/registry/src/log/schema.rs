//! `SCHEMA`: a version of a subject, with its id and its content. The tombstone removes the version for good.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use postern_schema::SchemaKind;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::log::fields::{RecordFields, Unreadable, json};
use crate::log::record::{LogRecord, SchemaValue};
use crate::model::content::{SchemaContent, SchemaReference, kind_name, kind_of};
use crate::model::metadata::Metadata;
use crate::model::names::{Guid, SchemaId, Subject};

#[derive(Serialize)]
struct SchemaKey<'a> {
    keytype: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    version: u32,
    magic: u8,
}

pub(crate) fn key(subject: &Subject, version: u32) -> Vec<u8> {
    json(&SchemaKey { keytype: "SCHEMA", subject: subject.as_str(), version, magic: 1 })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SchemaFields<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    version: u32,
    id: i32,
    /// Only of encoded contents, whose identity cannot be made from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    schema_type: &'static str,
    #[serde(skip_serializing_if = "<[SchemaReference]>::is_empty")]
    references: &'a [SchemaReference],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<&'a Value>,
    schema: &'a str,
    deleted: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    unknown: Option<&'a Map<String, Value>>,
}

pub(crate) fn value(
    subject: &Subject,
    version: u32,
    id: SchemaId,
    content: &SchemaContent,
    deleted: bool,
    unknown: Option<&Map<String, Value>>,
) -> Vec<u8> {
    json(&SchemaFields {
        subject: subject.as_str(),
        version,
        id: id.0,
        md5: content.is_encoded().then(|| BASE64_STANDARD.encode(content.guid().0)),
        schema_type: kind_name(content.kind()),
        references: content.references(),
        metadata: content.metadata(),
        rule_set: content.rule_set(),
        schema: content.text(),
        deleted,
        unknown,
    })
}

pub(super) fn decode(mut key: RecordFields, value: Option<RecordFields>) -> Result<LogRecord, Unreadable> {
    let subject = key.subject()?;
    let magic = key.take_integer("magic")?.unwrap_or(0);
    if !(0..=1).contains(&magic) {
        return Err(Unreadable(format!("magic {magic} of a SCHEMA key is not known here")));
    }
    let version =
        key.take_integer("version")?.and_then(|version| u32::try_from(version).ok()).filter(|version| *version > 0);
    let version = version.ok_or_else(|| Unreadable("a SCHEMA key without a version of 1 or more".to_owned()))?;
    let value = value.map(decode_value).transpose()?.map(Box::new);
    Ok(LogRecord::Schema { subject, version, value })
}

fn decode_value(mut members: RecordFields) -> Result<SchemaValue, Unreadable> {
    // Subject and version are the key's. Offset and time are the record's.
    for name in ["subject", "version", "offset", "ts"] {
        members.take(name);
    }
    let md5 = members.take_text("md5")?.and_then(|md5| BASE64_STANDARD.decode(md5).ok());
    let id = members
        .take_integer("id")?
        .filter(|id| *id >= 0)
        .ok_or_else(|| Unreadable("a schema without an id".to_owned()))?;
    let kind = match members.take_text("schemaType")?.as_deref() {
        None => SchemaKind::Avro,
        Some(name) => kind_of(name).ok_or_else(|| Unreadable(format!("schemaType {name} is not known here")))?,
    };
    let references = members.take("references").map(references).transpose()?.unwrap_or_default();
    let metadata = members.take("metadata").map(|value| Metadata::from_json(&value)).transpose().map_err(Unreadable)?;
    let rule_set = members.take("ruleSet");
    let text = members.take_text("schema")?.unwrap_or_default();
    let deleted = members.take_bool("deleted")?.unwrap_or(false);
    let unknown = members.rest();
    let content = SchemaContent::new(kind, &text, references, metadata, rule_set);
    // Made anew from the content, unless that is encoded: then only the writer knew the clear text.
    let content = match md5.and_then(|md5| <[u8; 16]>::try_from(md5).ok()).filter(|_| content.is_encoded()) {
        Some(md5) => content.with_guid(Guid(md5)),
        None => content,
    };
    Ok(SchemaValue { id: SchemaId(id), content, deleted, unknown: (!unknown.is_empty()).then(|| Box::new(unknown)) })
}

fn references(value: Value) -> Result<Vec<SchemaReference>, Unreadable> {
    let Value::Array(items) = value else {
        return Err(Unreadable("references: expected an array".to_owned()));
    };
    items.into_iter().map(reference).collect()
}

fn reference(item: Value) -> Result<SchemaReference, Unreadable> {
    let Value::Object(members) = item else {
        return Err(Unreadable("references: expected objects".to_owned()));
    };
    let mut members = RecordFields(members);
    Ok(SchemaReference {
        name: members.take_text("name")?.unwrap_or_default(),
        subject: members.take_text("subject")?.unwrap_or_default(),
        version: members.take_integer("version")?.unwrap_or(-1),
    })
}
