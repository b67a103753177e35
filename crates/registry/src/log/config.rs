//! `CONFIG`: the configuration of a subject, of a context (`:.ctx:`), or of all (no subject).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::log::fields::{RecordFields, Unreadable, json};
use crate::log::record::LogRecord;
use crate::model::config::{CompatibilityLevel, CompatibilityPolicy, Config};
use crate::model::metadata::Metadata;
use crate::model::names::Subject;

#[derive(Serialize)]
struct ConfigKey<'a> {
    keytype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    magic: u8,
}

pub(crate) fn key(subject: Option<&Subject>) -> Vec<u8> {
    json(&ConfigKey { keytype: "CONFIG", subject: subject.map(Subject::as_str), magic: 0 })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_for_deks: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalize: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_fields: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_new_schemas: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_rules: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_rule_set: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_rule_set: Option<&'a Value>,
    #[serde(flatten)]
    unknown: &'a Map<String, Value>,
}

pub(crate) fn value(subject: Option<&Subject>, config: &Config) -> Vec<u8> {
    json(&ConfigFields {
        subject: subject.map(Subject::as_str),
        alias: filled(&config.alias),
        alias_for_deks: filled(&config.alias_for_deks),
        normalize: config.normalize,
        validate_fields: config.validate_fields,
        validate_new_schemas: config.validate_new_schemas,
        validate_rules: config.validate_rules,
        compatibility_level: config.compatibility_level.map(CompatibilityLevel::name),
        compatibility_policy: config.compatibility_policy.map(CompatibilityPolicy::name),
        compatibility_group: filled(&config.compatibility_group),
        default_metadata: config.default_metadata.as_ref(),
        override_metadata: config.override_metadata.as_ref(),
        default_rule_set: config.default_rule_set.as_ref(),
        override_rule_set: config.override_rule_set.as_ref(),
        unknown: &config.unknown,
    })
}

/// An empty text is not written.
fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

pub(super) fn decode(key: RecordFields, value: Option<RecordFields>) -> Result<LogRecord, Unreadable> {
    let value = value.map(decode_value).transpose()?.map(Box::new);
    Ok(LogRecord::Config { subject: key.scope()?, value })
}

fn decode_value(mut members: RecordFields) -> Result<Config, Unreadable> {
    members.take("subject");
    let level = members.take_text("compatibilityLevel")?;
    let compatibility_level = match level {
        None => None,
        Some(name) => Some(
            CompatibilityLevel::parse(&name)
                .ok_or_else(|| Unreadable(format!("compatibilityLevel {name} is not known here")))?,
        ),
    };
    let metadata = |members: &mut RecordFields, name| {
        members.take(name).map(|value| Metadata::from_json(&value)).transpose().map_err(Unreadable)
    };
    Ok(Config {
        alias: members.take_text("alias")?,
        alias_for_deks: members.take_text("aliasForDeks")?,
        normalize: members.take_bool("normalize")?,
        validate_fields: members.take_bool("validateFields")?,
        validate_new_schemas: members.take_bool("validateNewSchemas")?,
        validate_rules: members.take_bool("validateRules")?,
        compatibility_level,
        compatibility_policy: members.take_text("compatibilityPolicy")?.as_deref().and_then(CompatibilityPolicy::parse),
        compatibility_group: members.take_text("compatibilityGroup")?,
        default_metadata: metadata(&mut members, "defaultMetadata")?,
        override_metadata: metadata(&mut members, "overrideMetadata")?,
        default_rule_set: members.take("defaultRuleSet"),
        override_rule_set: members.take("overrideRuleSet"),
        unknown: members.rest(),
    })
}
