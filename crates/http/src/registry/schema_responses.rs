//! Response objects: schemas as versions, and schemas by id (docs/reference/schema-registry.md §4.1, §4.2, §4.4).

use postern_registry::{
    EntityTags, Error, Metadata, Registry, SchemaContent, SchemaReference, StoredSchema, Subject, kind_name,
};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::bodies::{Metadata as MetadataShape, RuleSet, SchemaReference as ReferenceShape};
use super::problem::problem;
use crate::problem::Problem;
use crate::request_context::RequestContext;

/// A version of a subject.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SchemaVersion")]
pub(super) struct Version<'a> {
    subject: &'a str,
    version: u32,
    id: i32,
    guid: String,
    schema_type: &'static str,
    #[serde(skip_serializing_if = "<[SchemaReference]>::is_empty")]
    #[schemars(with = "Vec<ReferenceShape>")]
    references: &'a [SchemaReference],
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<MetadataShape>")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RuleSet>")]
    rule_set: Option<&'a Value>,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema: &'a str,
    #[serde(skip_serializing_if = "<[SchemaTags]>::is_empty")]
    schema_tags: &'a [SchemaTags],
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<&'a str>,
}

impl<'a> Version<'a> {
    pub(super) fn of(rendered: &'a RenderedSchema) -> Version<'a> {
        let (stored, content) = (&rendered.stored, &rendered.stored.content);
        Version {
            subject: stored.subject.as_str(),
            version: stored.version,
            id: stored.id.0,
            guid: content.guid().to_string(),
            schema_type: kind_name(content.kind()),
            references: content.references(),
            metadata: content.metadata(),
            rule_set: content.rule_set(),
            schema: rendered.text(),
            schema_tags: &rendered.tags,
            ts: stored.timestamp_ms,
            deleted: Some(stored.deleted),
            aliases: Vec::new(),
        }
    }

    /// Without the members that only a stored record has.
    pub(super) fn without_record(self) -> Version<'a> {
        Version { ts: None, deleted: None, ..self }
    }

    /// With the aliases of the subject.
    pub(super) fn with_aliases(self, aliases: &'a [Subject]) -> Version<'a> {
        Version { aliases: aliases.iter().map(Subject::as_str).collect(), ..self }
    }
}

/// The response to a registration: without the subject, and the id first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RegisteredSchema")]
pub(super) struct Registration<'a> {
    id: i32,
    version: u32,
    guid: String,
    schema_type: &'static str,
    #[serde(skip_serializing_if = "<[SchemaReference]>::is_empty")]
    #[schemars(with = "Vec<ReferenceShape>")]
    references: &'a [SchemaReference],
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<MetadataShape>")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RuleSet>")]
    rule_set: Option<&'a Value>,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
}

impl<'a> Registration<'a> {
    /// `is_new`: registered by this request, so timestamp and deletion are left out.
    pub(super) fn of(rendered: &'a RenderedSchema, is_new: bool) -> Registration<'a> {
        let (stored, content) = (&rendered.stored, &rendered.stored.content);
        Registration {
            id: stored.id.0,
            version: stored.version,
            guid: content.guid().to_string(),
            schema_type: kind_name(content.kind()),
            references: content.references(),
            metadata: content.metadata(),
            rule_set: content.rule_set(),
            schema: rendered.text(),
            ts: stored.timestamp_ms.filter(|_| !is_new),
            deleted: (!is_new).then_some(stored.deleted),
        }
    }
}

/// The schema of an id or a guid.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SchemaById")]
pub(super) struct ById<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    guid: String,
    schema_type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema: &'a str,
    #[serde(skip_serializing_if = "<[SchemaReference]>::is_empty")]
    #[schemars(with = "Vec<ReferenceShape>")]
    references: &'a [SchemaReference],
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<MetadataShape>")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RuleSet>")]
    rule_set: Option<&'a Value>,
    #[serde(skip_serializing_if = "<[SchemaTags]>::is_empty")]
    schema_tags: &'a [SchemaTags],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    deleted: bool,
}

impl<'a> ById<'a> {
    pub(super) fn of(rendered: &'a RenderedSchema) -> ById<'a> {
        let (stored, content) = (&rendered.stored, &rendered.stored.content);
        ById {
            subject: Some(stored.subject.as_str()),
            version: Some(stored.version),
            guid: content.guid().to_string(),
            schema_type: kind_name(content.kind()),
            schema: rendered.text(),
            references: content.references(),
            metadata: content.metadata(),
            rule_set: content.rule_set(),
            schema_tags: &rendered.tags,
            max_id: None,
            ts: stored.timestamp_ms,
            deleted: stored.deleted,
        }
    }

    /// A guid belongs to no subject.
    pub(super) fn without_version(self) -> ById<'a> {
        ById { subject: None, version: None, ..self }
    }
}

/// A stored version, rendered as the query requests.
pub(super) struct RenderedSchema {
    pub(super) stored: StoredSchema,
    /// In the requested format, where that is not the stored text.
    text: Option<String>,
    tags: Vec<SchemaTags>,
}

impl RenderedSchema {
    pub(super) fn as_stored(stored: StoredSchema) -> RenderedSchema {
        RenderedSchema { stored, text: None, tags: Vec::new() }
    }

    /// In a format; `None` keeps the stored text.
    pub(super) fn in_format(
        registry: &Registry,
        stored: StoredSchema,
        format: Option<&str>,
    ) -> Result<RenderedSchema, Problem> {
        let text = match format {
            None => None,
            Some(format) => into_problem(registry.formatted_text(&stored, format))?,
        };
        Ok(RenderedSchema { stored, text, tags: Vec::new() })
    }

    /// By `format`, `referenceFormat` and `findTags` of the query.
    pub(super) fn by(
        registry: &Registry,
        request: &RequestContext,
        stored: StoredSchema,
    ) -> Result<RenderedSchema, Problem> {
        let RenderedSchema { mut stored, text, .. } =
            RenderedSchema::in_format(registry, stored, request.query("format").as_deref())?;
        let wanted: Vec<String> = request.queries("findTags").collect();
        let tags = match wanted.is_empty() {
            true => Vec::new(),
            false => schema_tags(into_problem(registry.tags(&stored.content))?, &wanted),
        };
        let content = &stored.content;
        if request.query("referenceFormat").is_some_and(|format| format.eq_ignore_ascii_case("qualified"))
            && !content.references().is_empty()
        {
            let qualify = |reference: &SchemaReference| SchemaReference {
                subject: stored.subject.sibling(&reference.subject).as_str().to_owned(),
                ..reference.clone()
            };
            let references = content.references().iter().map(qualify).collect();
            let (metadata, rule_set) = (content.metadata().cloned(), content.rule_set().cloned());
            stored.content = SchemaContent::new(content.kind(), content.text(), references, metadata, rule_set).into();
        }
        Ok(RenderedSchema { stored, text, tags })
    }

    /// The schema text of the response.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or(self.stored.content.text())
    }
}

/// The tags of one part of a schema.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SchemaTags {
    schema_entity: SchemaEntity,
    tags: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SchemaEntity {
    entity_path: String,
    entity_type: &'static str,
}

/// Those that have any of the wanted tags; `*` matches all.
fn schema_tags(tagged: Vec<EntityTags>, wanted: &[String]) -> Vec<SchemaTags> {
    let is_wanted = |tagged: &EntityTags| wanted.iter().any(|tag| tag == "*" || tagged.tags.contains(tag));
    let response = |tagged: EntityTags| SchemaTags {
        schema_entity: SchemaEntity { entity_path: tagged.path, entity_type: tagged.part.name() },
        tags: tagged.tags,
    };
    tagged.into_iter().filter(is_wanted).map(response).collect()
}

/// Turns an error of the registry into its response.
pub(super) fn into_problem<T>(result: Result<T, Error>) -> Result<T, Problem> {
    result.map_err(|error| problem(&error))
}
