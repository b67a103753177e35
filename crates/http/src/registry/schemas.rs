//! `/schemas` — lists, and look-ups by id and guid (docs/reference/schema-registry.md §3, rows 1 to 8).

use postern_registry::{Error, Guid, Page, Registry, SchemaId, StoredSchema};
use serde_json::{Value, json};

use super::bodies::{ContextId, SubjectVersion};
use super::names;
use super::schema_responses::{ById, RenderedSchema, Version, into_problem};
use crate::operation::{Operation, flag, number, operation, text, texts};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// Schemas in one answer.
const PAGE_MAX: usize = 1000;

pub(super) const LIST: Operation = operation("listSchemas", "All schemas, by subject and version")
    .with_query(&[
        text("subjectPrefix", "How the names of the subjects begin; :*: for all contexts"),
        flag("aliases", "Also the aliases of the subjects"),
        flag("deleted", "Also those that are deleted"),
        flag("latestOnly", "Only the latest version of each subject"),
        text("ruleType", "Only those with rules of this type"),
        number("offset", "How many are left out"),
        number("limit", "How many are answered; as many as possible unless it is at least 1"),
    ])
    .returns::<Vec<Version>>();
pub(super) const TYPES: Operation = operation("listSchemaTypes", "The schema languages").returns::<Vec<String>>();
pub(super) const BY_ID: Operation = operation("getSchemaById", "The schema of an id")
    .with_query(&[
        text("subject", "The subject, in whose context the id is"),
        text("format", "How the text is to be written, such as resolved (Avro) or serialized (Protobuf)"),
        text("referenceFormat", "qualified: references with their contexts"),
        texts("findTags", "Which tags are answered; * for all"),
        flag("fetchMaxId", "Also the greatest id"),
    ])
    .returns::<ById>();
pub(super) const TEXT_BY_ID: Operation =
    operation("getSchemaTextById", "The text of the schema of an id: JSON, or Protobuf as it is written")
        .with_query(&[
            text("subject", "The subject, in whose context the id is"),
            text("format", "How the text is to be written, such as resolved (Avro) or serialized (Protobuf)"),
            text("referenceFormat", "qualified: references with their contexts"),
            texts("findTags", "Which tags are answered; * for all"),
        ])
        .returns::<Value>();
pub(super) const SUBJECTS: Operation = operation("listSubjectsOfId", "The subjects that an id is in")
    .with_query(&[
        text("subject", "A subject, in whose context the id is"),
        flag("deleted", "Also those that are deleted"),
        number("offset", "How many are left out"),
        number("limit", "How many are answered; as many as possible unless it is at least 1"),
    ])
    .returns::<Vec<String>>();
pub(super) const VERSIONS: Operation = operation("listVersionsOfId", "The versions that an id is in")
    .with_query(&[
        text("subject", "A subject, in whose context the id is"),
        flag("deleted", "Also those that are deleted"),
        number("offset", "How many are left out"),
        number("limit", "How many are answered; as many as possible unless it is at least 1"),
    ])
    .returns::<Vec<SubjectVersion>>();
pub(super) const BY_GUID: Operation = operation("getSchemaByGuid", "The schema of a guid")
    .with_query(&[text("format", "How the text is to be written, such as resolved (Avro) or serialized (Protobuf)")])
    .returns::<ById>();
pub(super) const IDS: Operation =
    operation("listIdsOfGuid", "The ids of a guid, by context").returns::<Vec<ContextId>>();

/// `GET /schemas`
pub(super) async fn list(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let rule_type = request.query("ruleType").filter(|kind| !kind.is_empty());
    let (prefix, page) = (names::prefix(&request, "")?, names::page(&request, PAGE_MAX)?);
    let (deleted, latest_only) = (request.flag("deleted"), request.flag("latestOnly"));
    let list = |page| registry.schemas(&prefix, deleted, latest_only, rule_type.as_deref(), page);
    let found = names::readable(&request.params, page, list, |stored| &stored.subject)?;
    let found: Vec<RenderedSchema> = found.into_iter().map(RenderedSchema::as_stored).collect();
    if !request.flag("aliases") {
        return Ok(Reply::ok(&found.iter().map(Version::of).collect::<Vec<_>>()));
    }
    let aliases: Vec<_> = found.iter().map(|rendered| registry.aliases(&rendered.stored.subject, &prefix)).collect();
    Ok(Reply::ok(
        &found
            .iter()
            .zip(&aliases)
            .map(|(rendered, aliases)| Version::of(rendered).with_aliases(aliases))
            .collect::<Vec<_>>(),
    ))
}

/// `GET /schemas/types`
pub(super) async fn types(_: Registry, _: RequestContext) -> Result<Reply, Problem> {
    Ok(Reply::ok(&["JSON", "PROTOBUF", "AVRO"]))
}

/// `GET /schemas/ids/{id}`
pub(super) async fn by_id(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let rendered = RenderedSchema::by(&registry, &request, named(&registry, &request)?)?;
    let mut response = ById::of(&rendered);
    if request.flag("fetchMaxId") {
        response.max_id = Some(into_problem(registry.max_id(rendered.stored.subject.context()))?);
    }
    Ok(Reply::ok(&response))
}

/// `GET /schemas/ids/{id}/schema`
pub(super) async fn text_by_id(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let rendered = RenderedSchema::by(&registry, &request, named(&registry, &request)?)?;
    Ok(Reply::bytes(hyper::StatusCode::OK, rendered.text().to_owned()))
}

/// `GET /schemas/ids/{id}/subjects`
pub(super) async fn subjects(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let page = names::page(&request, usize::MAX)?;
    let versions = versions_with_id(&registry, &request, Page::ALL)?;
    let mut subjects: Vec<&str> = versions.iter().map(|stored| stored.subject.as_str()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    Ok(Reply::ok(&subjects.into_iter().skip(page.offset).take(page.limit).collect::<Vec<_>>()))
}

/// `GET /schemas/ids/{id}/versions`
pub(super) async fn versions(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let versions = versions_with_id(&registry, &request, names::page(&request, usize::MAX)?)?;
    let entry = |stored: &StoredSchema| json!({"subject": stored.subject.as_str(), "version": stored.version});
    Ok(Reply::ok(&versions.iter().map(entry).collect::<Vec<_>>()))
}

/// `GET /schemas/guids/{guid}`
pub(super) async fn by_guid(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let text = request.params.get("guid");
    let guid = into_problem(Guid::parse(text).ok_or_else(|| Error::GuidNotFound(text.to_owned())))?;
    let stored = into_problem(registry.schema_by_guid(guid))?;
    if readable_ids(&registry, &request, guid)?.is_empty() {
        return into_problem(Err(Error::GuidNotFound(text.to_owned())));
    }
    let rendered = RenderedSchema::in_format(&registry, stored, request.query("format").as_deref())?;
    Ok(Reply::ok(&ById::of(&rendered).without_version()))
}

/// `GET /schemas/guids/{guid}/ids`
pub(super) async fn ids(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let found = match Guid::parse(request.params.get("guid")) {
        Some(guid) => readable_ids(&registry, &request, guid)?,
        None => Vec::new(),
    };
    Ok(Reply::ok(&found.iter().map(|(context, id)| json!({"context": context, "id": id.0})).collect::<Vec<_>>()))
}

fn named(registry: &Registry, request: &RequestContext) -> Result<StoredSchema, Problem> {
    let id = names::id(request)?;
    let subject = names::queried_subject(registry, request)?;
    let stored = into_problem(registry.schema(id, subject.as_ref()))?;
    if names::may_read(&request.params, &stored.subject) {
        return Ok(stored);
    }
    // An id may be read by whoever may read one of its subjects; to others it is unknown.
    let versions = into_problem(registry.versions_with_id(stored.subject.context(), id, true, Page::ALL))?;
    let readable = versions.into_iter().find(|version| names::may_read(&request.params, &version.subject));
    into_problem(readable.ok_or(Error::IdNotFound(id)))
}

/// The ids of a guid, those left out of which the caller may read no subject.
fn readable_ids(registry: &Registry, request: &RequestContext, guid: Guid) -> Result<Vec<(String, SchemaId)>, Problem> {
    let mut ids = into_problem(registry.ids_of(guid))?;
    if !request.params.permissions().is_unlimited() {
        ids.retain(|(context, id)| {
            let versions = registry.versions_with_id(context, *id, true, Page::ALL).unwrap_or_default();
            versions.iter().any(|version| names::may_read(&request.params, &version.subject))
        });
    }
    Ok(ids)
}

fn versions_with_id(registry: &Registry, request: &RequestContext, page: Page) -> Result<Vec<StoredSchema>, Problem> {
    let id = names::id(request)?;
    let context = names::queried_context(registry, request)?;
    let list = |page| registry.versions_with_id(&context, id, request.flag("deleted"), page);
    let found = names::readable(&request.params, page, list, |stored| &stored.subject)?;
    match found.is_empty() && !request.params.permissions().is_unlimited() {
        true => into_problem(Err(Error::IdNotFound(id))),
        false => Ok(found),
    }
}
