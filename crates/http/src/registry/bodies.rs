//! Shapes of what is read and written by hand, for the description of the API only (docs/reference/schema-registry.md §4).
#![expect(dead_code, reason = "only their shapes are used")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// A schema that is registered, looked up or checked. Other members are ignored.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct SchemaRequest {
    /// As a text: JSON inside of a JSON string.
    schema: String,
    schema_type: Option<SchemaType>,
    references: Option<Vec<SchemaReference>>,
    metadata: Option<Metadata>,
    rule_set: Option<RuleSet>,
    /// Which version it is to become.
    version: Option<i32>,
    /// Which id it is to get, in mode IMPORT.
    id: Option<i32>,
    schema_tags_to_add: Option<Vec<SchemaTags>>,
    schema_tags_to_remove: Option<Vec<SchemaTags>>,
    propagate_schema_tags: Option<bool>,
}

/// AVRO unless it is named.
#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
enum SchemaType {
    Avro,
    Json,
    Protobuf,
}

/// A schema that another one uses, by the name it uses it under.
#[derive(JsonSchema)]
pub(super) struct SchemaReference {
    name: String,
    subject: String,
    /// -1 in a request: the latest.
    version: i32,
}

/// Members that are missing are empty.
pub(super) struct Metadata;

impl JsonSchema for Metadata {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Metadata".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Members that are missing are empty.",
            "type": "object",
            "properties": {
                "tags": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
                "properties": {"type": "object", "additionalProperties": {"type": "string"}},
                "sensitive": {"type": "array", "items": {"type": "string"}},
            },
        })
    }
}

/// Rules for data and for migrations: kept, not executed.
pub(super) struct RuleSet;

impl JsonSchema for RuleSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RuleSet".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let rules = json_schema!({"type": ["array", "null"], "items": {"type": "object"}});
        json_schema!({
            "description": "Rules for data and for migrations: kept, not executed.",
            "type": "object",
            "properties": {"migrationRules": rules, "domainRules": rules, "encodingRules": rules},
        })
    }
}

#[derive(JsonSchema)]
#[schemars(rename = "SchemaTagsRequest", rename_all = "camelCase")]
struct SchemaTags {
    schema_entity: SchemaEntity,
    tags: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename = "SchemaEntityRequest", rename_all = "camelCase")]
struct SchemaEntity {
    entity_path: String,
    entity_type: EntityType,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum EntityType {
    SrRecord,
    SrField,
}

/// What a new version has otherwise than the one it is made from.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct TagRequest {
    new_version: Option<i32>,
    tags_to_add: Option<Vec<SchemaTags>>,
    tags_to_remove: Option<Vec<SchemaTags>>,
    metadata: Option<Metadata>,
    rule_set: Option<RuleSet>,
    rules_to_merge: Option<RuleSet>,
    rules_to_remove: Option<Vec<String>>,
}

/// What is to be changed; null clears a member, and what is missing stays.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct ConfigRequest {
    alias: Option<String>,
    alias_for_deks: Option<String>,
    normalize: Option<bool>,
    validate_fields: Option<bool>,
    validate_new_schemas: Option<bool>,
    validate_rules: Option<bool>,
    compatibility: Option<CompatibilityLevel>,
    compatibility_policy: Option<String>,
    compatibility_group: Option<String>,
    default_metadata: Option<Metadata>,
    override_metadata: Option<Metadata>,
    default_rule_set: Option<RuleSet>,
    override_rule_set: Option<RuleSet>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "SCREAMING_SNAKE_CASE")]
enum CompatibilityLevel {
    None,
    Backward,
    BackwardTransitive,
    Forward,
    ForwardTransitive,
    Full,
    FullTransitive,
}

#[derive(JsonSchema)]
pub(super) struct ModeRequest {
    /// Null clears it.
    mode: Option<Mode>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
enum Mode {
    ReadWrite,
    ReadOnly,
    #[schemars(rename = "READONLY_OVERRIDE")]
    ReadOnlyOverride,
    Import,
    Forward,
}

/// Empty where nothing was set.
#[derive(JsonSchema)]
pub(super) struct ModeResponse {
    #[schemars(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
}

#[derive(JsonSchema)]
pub(super) struct SubjectVersion {
    subject: String,
    version: u32,
}

#[derive(JsonSchema)]
pub(super) struct ContextId {
    context: String,
    id: i32,
}

#[derive(JsonSchema)]
pub(super) struct ServerId {
    scope: Scope,
}

#[derive(JsonSchema)]
struct Scope {
    path: Vec<String>,
    clusters: BTreeMap<String, String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct ServerVersion {
    version: String,
    commit_id: String,
}

#[derive(JsonSchema)]
pub(super) struct Deployment {
    attributes: Vec<String>,
}

/// Any object.
pub(super) type Object = BTreeMap<String, Value>;
