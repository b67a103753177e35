//! `/config` — of all, of a context, of a subject (docs/reference/schema-registry.md §4.8, §9.3).

use postern_registry::{Config, ConfigChange, Error, Level, Metadata, Policy, Registry};
use serde::Serialize;
use serde_json::Value;

use super::body::{self, Members};
use super::names;
use super::problem::problem;
use super::shapes::told;
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

/// A configuration as it is printed. The level has one name in what is read and another in what is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
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
    compatibility: Option<&'static str>,
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
}

impl<'a> Shown<'a> {
    /// What a change made of it.
    fn changed(config: &'a Config) -> Shown<'a> {
        Shown {
            alias: config.alias.as_deref(),
            alias_for_deks: config.alias_for_deks.as_deref(),
            normalize: config.normalize,
            validate_fields: config.validate_fields,
            validate_new_schemas: config.validate_new_schemas,
            validate_rules: config.validate_rules,
            compatibility_level: None,
            compatibility: config.compatibility_level.map(Level::name),
            compatibility_policy: config.compatibility_policy.map(Policy::name),
            compatibility_group: config.compatibility_group.as_deref(),
            default_metadata: config.default_metadata.as_ref(),
            override_metadata: config.override_metadata.as_ref(),
            default_rule_set: config.default_rule_set.as_ref(),
            override_rule_set: config.override_rule_set.as_ref(),
        }
    }

    /// What is stored, the level filled in.
    fn stored(config: &'a Config) -> Shown<'a> {
        Shown {
            // Only answers to a change print what is empty.
            alias: config.alias.as_deref().filter(|alias| !alias.is_empty()),
            alias_for_deks: config.alias_for_deks.as_deref().filter(|alias| !alias.is_empty()),
            compatibility_level: Some(config.level().name()),
            compatibility: None,
            compatibility_group: config.compatibility_group.as_deref().filter(|group| !group.is_empty()),
            ..Shown::changed(config)
        }
    }
}

/// `GET /config`, `GET /config/{subject}`
pub(super) async fn show(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let inherited = call.flag("defaultToGlobal");
    let config = match names::scope(&call)? {
        Some(subject) => told(registry.config(&subject, inherited))?,
        None => told(registry.global_config(inherited))?,
    };
    Ok(Reply::ok(&Shown::stored(&config)))
}

/// `PUT /config`, `PUT /config/{subject}`
pub(super) async fn change(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let scope = names::scope(&call)?;
    let (_, members) = body::read(call).await?;
    let config = told(registry.change_config(scope.as_ref(), asked(members)?).await)?;
    Ok(Reply::ok(&Shown::changed(&config)))
}

/// `DELETE /config`, `DELETE /config/{subject}`
pub(super) async fn delete(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let scope = names::scope(&call)?;
    let old = told(registry.delete_config(scope.as_ref()).await)?;
    Ok(Reply::ok(&Shown::stored(&old)))
}

/// Rule sets are not kept; what is none is refused all the same.
fn asked(mut members: Members) -> Result<ConfigChange, Problem> {
    for name in ["defaultRuleSet", "overrideRuleSet"] {
        members.rule_set(name)?;
    }
    let level = |members: &mut Members, name: &str| match members.text(name)? {
        None => Ok(None),
        Some(text) => Level::parse(&text).map(Some).ok_or_else(|| problem(&Error::InvalidLevel(text))),
    };
    // A policy that does not exist counts as none.
    let policy = |members: &mut Members, name: &str| Ok(members.text(name)?.as_deref().and_then(Policy::parse));
    Ok(ConfigChange {
        alias: members.change("alias", Members::text)?,
        alias_for_deks: members.change("aliasForDeks", Members::text)?,
        normalize: members.change("normalize", Members::flag)?,
        validate_fields: members.change("validateFields", Members::flag)?,
        validate_new_schemas: members.change("validateNewSchemas", Members::flag)?,
        validate_rules: members.change("validateRules", Members::flag)?,
        compatibility_level: members.change("compatibility", level)?,
        compatibility_policy: members.change("compatibilityPolicy", policy)?,
        compatibility_group: members.change("compatibilityGroup", Members::text)?,
        default_metadata: members.change("defaultMetadata", Members::metadata)?,
        override_metadata: members.change("overrideMetadata", Members::metadata)?,
    })
}
