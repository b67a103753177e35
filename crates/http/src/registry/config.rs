//! `/config` — global, of a context, of a subject (docs/reference/schema-registry.md §4.8, §9.3).

use postern_access::Right;
use postern_proxy::run_large;
use postern_registry::{
    CompatibilityLevel, CompatibilityPolicy, Config, ConfigChange, Error, Metadata, Registry, Subject,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::bodies::{ConfigRequest, Metadata as MetadataShape, RuleSet};
use super::body;
use super::names;
use super::problem::problem;
use super::schema_responses::into_problem;
use crate::lenient_object::LenientObject;
use crate::operation::{Operation, flag, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// A configuration in a response. `GET` and `PUT` name the level differently.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ConfigResponse<'a> {
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
    #[schemars(with = "Option<MetadataShape>")]
    default_metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<MetadataShape>")]
    override_metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RuleSet>")]
    default_rule_set: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RuleSet>")]
    override_rule_set: Option<&'a Value>,
}

impl<'a> ConfigResponse<'a> {
    /// The response to `PUT`.
    fn changed(config: &'a Config) -> ConfigResponse<'a> {
        ConfigResponse {
            alias: config.alias.as_deref(),
            alias_for_deks: config.alias_for_deks.as_deref(),
            normalize: config.normalize,
            validate_fields: config.validate_fields,
            validate_new_schemas: config.validate_new_schemas,
            validate_rules: config.validate_rules,
            compatibility_level: None,
            compatibility: config.compatibility_level.map(CompatibilityLevel::name),
            compatibility_policy: config.compatibility_policy.map(CompatibilityPolicy::name),
            compatibility_group: config.compatibility_group.as_deref(),
            default_metadata: config.default_metadata.as_ref(),
            override_metadata: config.override_metadata.as_ref(),
            default_rule_set: config.default_rule_set.as_ref(),
            override_rule_set: config.override_rule_set.as_ref(),
        }
    }

    /// The response to `GET` and `DELETE`, the level filled in.
    fn stored(config: &'a Config) -> ConfigResponse<'a> {
        ConfigResponse {
            // Empty strings appear only in the response to `PUT`.
            alias: config.alias.as_deref().filter(|alias| !alias.is_empty()),
            alias_for_deks: config.alias_for_deks.as_deref().filter(|alias| !alias.is_empty()),
            compatibility_level: Some(config.level().name()),
            compatibility: None,
            compatibility_group: config.compatibility_group.as_deref().filter(|group| !group.is_empty()),
            ..ConfigResponse::changed(config)
        }
    }
}

pub(super) const SHOW: Operation = operation("getConfig", "The global configuration")
    .with_query(&[flag("defaultToGlobal", "For a subject without one the configuration that applies to it")])
    .returns::<ConfigResponse>();
pub(super) const CHANGE: Operation = operation("changeConfig", "Changes the configuration")
    .takes::<ConfigRequest>(&[r#"{"compatibility":"FULL"}"#])
    .returns::<ConfigResponse>();
pub(super) const DELETE: Operation =
    operation("deleteConfig", "Deletes the configuration, and answers what it was").returns::<ConfigResponse>();

/// `GET /config`, `GET /config/{subject}`
pub(super) async fn show(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let inherited = request.flag("defaultToGlobal");
    let config = match names::scope(&request)? {
        Some(subject) => into_problem(registry.config(&subject, inherited))?,
        None => into_problem(registry.global_config(inherited))?,
    };
    Ok(Reply::ok(&ConfigResponse::stored(&config)))
}

/// `PUT /config`, `PUT /config/{subject}`
pub(super) async fn change(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let scope = names::scope(&request)?;
    let (params, body) = body::read_with_params(request).await?;
    let change = run_large(body.len(), || config_change(body::parse(&body)?)).await?;
    if let Some(Some(alias)) = &change.alias
        && !alias.is_empty()
    {
        params.check(Right::Read, Subject::parse(alias).as_str())?;
    }
    let config = into_problem(registry.change_config(scope.as_ref(), change).await)?;
    Ok(Reply::ok(&ConfigResponse::changed(&config)))
}

/// `DELETE /config`, `DELETE /config/{subject}`
pub(super) async fn delete(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let scope = names::scope(&request)?;
    let old = into_problem(registry.delete_config(scope.as_ref()).await)?;
    Ok(Reply::ok(&ConfigResponse::stored(&old)))
}

/// Rule sets are not stored, but malformed ones are refused.
fn config_change(mut object: LenientObject<'_>) -> Result<ConfigChange, Problem> {
    for name in ["defaultRuleSet", "overrideRuleSet"] {
        body::rule_set(&mut object, name)?;
    }
    let level = |object: &mut LenientObject<'_>, name| match object.text(name)? {
        None => Ok(None),
        Some(text) => CompatibilityLevel::parse(&text).map(Some).ok_or_else(|| problem(&Error::InvalidLevel(text))),
    };
    // An unknown policy is ignored.
    let policy =
        |object: &mut LenientObject<'_>, name| Ok(object.text(name)?.as_deref().and_then(CompatibilityPolicy::parse));
    Ok(ConfigChange {
        alias: body::change(&mut object, "alias", LenientObject::text)?,
        alias_for_deks: body::change(&mut object, "aliasForDeks", LenientObject::text)?,
        normalize: body::change(&mut object, "normalize", LenientObject::flag)?,
        validate_fields: body::change(&mut object, "validateFields", LenientObject::flag)?,
        validate_new_schemas: body::change(&mut object, "validateNewSchemas", LenientObject::flag)?,
        validate_rules: body::change(&mut object, "validateRules", LenientObject::flag)?,
        compatibility_level: body::change(&mut object, "compatibility", level)?,
        compatibility_policy: body::change(&mut object, "compatibilityPolicy", policy)?,
        compatibility_group: body::change(&mut object, "compatibilityGroup", LenientObject::text)?,
        default_metadata: body::change(&mut object, "defaultMetadata", body::metadata)?,
        override_metadata: body::change(&mut object, "overrideMetadata", body::metadata)?,
    })
}
