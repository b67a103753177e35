//! `/subjects/{subject}/versions` — list, register, get, delete; and the schemas that reference one (docs/reference/schema-registry.md §3, rows 12 to 19).

use hyper::StatusCode;
use postern_access::Right;
use postern_proxy::run_large;
use postern_registry::{
    DerivedVersion, Error, RegisterOptions, Registered, Registry, StoredSchema, TagChanges, Visible, check_rule_set,
};
use serde_json::Value;

use super::bodies::{SchemaRequest, TagRequest};
use super::problem::problem;
use super::schema_responses::{Registration, RenderedSchema, Version, into_problem};
use super::{body, names, subjects};
use crate::operation::{Operation, Query, flag, number, operation, text as name, texts};
use crate::problem::{Problem, SCHEMA_MAX};
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// Ids in one answer of `referencedby`.
const REFERRERS_MAX: usize = 1000;

pub(super) const LIST: Operation = operation("listVersions", "The numbers of the versions of a subject")
    .with_query(&[
        flag("deleted", "Also those that are deleted"),
        flag("deletedOnly", "Only those that are deleted"),
        flag("deletedAsNegative", "Those that are deleted as negative numbers"),
        number("offset", "How many are left out"),
        number("limit", "How many are answered; as many as possible unless it is at least 1"),
    ])
    .returns::<Vec<i64>>();
pub(super) const REGISTER: Operation = operation(
    "registerSchema",
    "Registers a schema as a new version of a subject, unless it is one already",
)
.takes::<SchemaRequest>(&[
    r#"{"schema":"{\"type\":\"record\",\"name\":\"Lamp\",\"fields\":[{\"name\":\"lumens\",\"type\":\"int\"}]}"}"#,
])
.with_query(&[
    flag("normalize", "Registers the normal form"),
    flag("force", "Without asking whether it is compatible"),
    name("format", "How the text is to be written, such as resolved (Avro) or serialized (Protobuf)"),
])
.returns::<Registration>();
pub(super) const SHOW: Operation =
    operation("getVersion", "A version of a subject").with_query(VERSION_QUERY).returns::<Version>();
pub(super) const TEXT: Operation =
    operation("getVersionText", "The text of a version of a subject: JSON, or Protobuf as it is written")
        .with_query(VERSION_QUERY)
        .returns::<Value>();
pub(super) const DELETE: Operation = operation("deleteVersion", "Deletes a version, and answers its number")
    .with_query(&[flag("permanent", "For good, where it is deleted already")])
    .returns::<u32>();
pub(super) const REFERENCED_BY: Operation =
    operation("listReferencingIds", "The ids of the schemas that refer to a version")
        .with_query(&[
            flag("deleted", "Also those that are deleted"),
            number("offset", "How many are left out"),
            number("limit", "How many are answered; as many as possible unless it is at least 1"),
        ])
        .returns::<Vec<i32>>();
pub(super) const WITH_METADATA: Operation =
    operation("getVersionWithMetadata", "The latest version with these properties")
        .with_query(&[
            texts("key", "Names of properties"),
            texts("value", "Their values, in the same order"),
            flag("deleted", "Also those that are deleted"),
            name("format", "How the text is to be written, such as resolved (Avro) or serialized (Protobuf)"),
        ])
        .returns::<Version>();
pub(super) const TAG: Operation = operation("tagVersion", "A new version, with other tags or metadata")
    .takes::<TagRequest>(&[r#"{"metadata":{"properties":{"owner":"ana"}}}"#])
    .returns::<Registration>();

const VERSION_QUERY: &[Query] = &[
    flag("deleted", "Also where it is deleted"),
    name("format", "How the text is to be written, such as resolved (Avro) or serialized (Protobuf)"),
    name("referenceFormat", "qualified: references with their contexts"),
    texts("findTags", "Which tags are answered; * for all"),
];

/// `GET /subjects/{subject}/versions`
pub(super) async fn list(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let (subject, page) = (names::subject(&registry, &request)?, names::page(&request, usize::MAX)?);
    let marks_deleted = request.flag("deletedAsNegative");
    let visible = if marks_deleted { Visible::All } else { subjects::visible(&request) };
    let found = into_problem(registry.versions(&subject, visible, page))?;
    if let Some(elsewhere) = found.first().map(|stored| &stored.subject).filter(|found| **found != subject) {
        request.params.check(Right::Read, elsewhere.as_str())?;
    }
    let number = |stored: &StoredSchema| {
        if marks_deleted && stored.deleted { -i64::from(stored.version) } else { i64::from(stored.version) }
    };
    Ok(Reply::ok(&found.iter().map(number).collect::<Vec<_>>()))
}

/// `POST /subjects/{subject}/versions`
pub(super) async fn register(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &request)?;
    let options = RegisterOptions { normalize: request.flag("normalize"), force: request.flag("force") };
    let format = request.query("format");
    let (params, body) = body::read_with_params(request).await?;
    let (draft, changes) = run_large(body.len(), || {
        let mut object = body::parse(&body)?;
        let draft = body::draft(&mut object)?;
        if draft.text.len() > SCHEMA_MAX {
            let message = format!("it has {} bytes, and at most {SCHEMA_MAX} can be stored.", draft.text.len());
            return Err(problem(&Error::TooLarge(message)));
        }
        let changes = TagChanges {
            add: body::tagged(&mut object, "schemaTagsToAdd")?,
            remove: body::tagged(&mut object, "schemaTagsToRemove")?,
            propagate: object.flag("propagateSchemaTags")?.unwrap_or(false),
        };
        Ok((draft, changes))
    })
    .await?;
    names::check_references(&params, &subject, &draft)?;
    if draft.id.is_some() || draft.version > 0 {
        params.check(Right::Import, "")?;
    }
    if options.force {
        params.check(Right::Configure, subject.as_str())?;
    }
    let registered = match changes == TagChanges::default() {
        true => registry.register(&subject, draft, options).await,
        false => registry.register_tagged(&subject, draft, changes, options).await,
    };
    registration(&registry, into_problem(registered)?, format.as_deref())
}

/// The response to a registration.
fn registration(registry: &Registry, registered: Registered, format: Option<&str>) -> Result<Reply, Problem> {
    let rendered = RenderedSchema::in_format(registry, registered.stored, format)?;
    Ok(Reply::ok(&Registration::of(&rendered, !registered.looked_up)))
}

/// `GET /subjects/{subject}/versions/{version}`
pub(super) async fn show(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let rendered = RenderedSchema::by(&registry, &request, version(&registry, &request)?)?;
    Ok(Reply::ok(&Version::of(&rendered)))
}

/// `GET /subjects/{subject}/versions/{version}/schema`
pub(super) async fn text(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let rendered = RenderedSchema::by(&registry, &request, version(&registry, &request)?)?;
    Ok(Reply::bytes(StatusCode::OK, rendered.text().to_owned()))
}

/// `DELETE /subjects/{subject}/versions/{version}`
pub(super) async fn delete(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let version = names::version(&request)?;
    let subject = names::subject(&registry, &request)?;
    Ok(Reply::ok(&into_problem(registry.delete_version(&subject, version, request.flag("permanent")).await)?))
}

/// `GET /subjects/{subject}/versions/{version}/referencedby`
pub(super) async fn referenced_by(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let (version, page) = (names::version(&request)?, names::page(&request, REFERRERS_MAX)?);
    let subject = names::subject(&registry, &request)?;
    let referrers = into_problem(registry.referrers(&subject, version, request.flag("deleted")))?;
    let mut ids: Vec<i32> = referrers.iter().map(|stored| stored.id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(Reply::ok(&ids.into_iter().skip(page.offset).take(page.limit).collect::<Vec<_>>()))
}

/// `GET /subjects/{subject}/metadata` — the newest version whose metadata has all the pairs of `key` and `value`.
pub(super) async fn with_metadata(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &request)?;
    let pairs: Vec<_> = request.queries("key").zip(request.queries("value")).collect();
    let found = into_problem(registry.version_with(&subject, &pairs, request.flag("deleted")))?;
    request.params.check(Right::Read, found.subject.as_str())?;
    let rendered = RenderedSchema::in_format(&registry, found, request.query("format").as_deref())?;
    Ok(Reply::ok(&Version::of(&rendered)))
}

/// `POST /subjects/{subject}/versions/{version}/tags` — a new version, with other tags or metadata. Rules are checked and not kept.
pub(super) async fn tag(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let version = names::version(&request)?;
    let subject = names::subject(&registry, &request)?;
    let body = body::read(request).await?;
    let mut object = body::parse(&body)?;
    let merges = body::rule_set(&mut object, "rulesToMerge")?;
    let removes = !object.texts("rulesToRemove")?.is_empty();
    if body::rule_set(&mut object, "ruleSet")?.is_some() && (merges.is_some() || removes) {
        let both = "ruleSet should be omitted if specifying rulesToMerge or rulesToRemove.";
        return into_problem(Err(Error::InvalidRules(both.to_owned())));
    }
    if let Some(rules) = merges {
        into_problem(check_rule_set(&rules).map_err(|fault| Error::InvalidRules(fault.to_string())))?;
    }
    let derived = DerivedVersion {
        version: object.int32("newVersion")?.filter(|version| *version > 0),
        tags: TagChanges {
            add: body::tagged(&mut object, "tagsToAdd")?,
            remove: body::tagged(&mut object, "tagsToRemove")?,
            propagate: false,
        },
        metadata: body::metadata(&mut object, "metadata")?,
    };
    let registered = into_problem(registry.derive(&subject, version, derived, RegisterOptions::default()).await)?;
    registration(&registry, registered, None)
}

fn version(registry: &Registry, request: &RequestContext) -> Result<StoredSchema, Problem> {
    let version = names::version(request)?;
    let subject = names::subject(registry, request)?;
    let stored = into_problem(registry.version(&subject, version, request.flag("deleted")))?;
    // An unqualified subject may be found in another context.
    request.params.check(Right::Read, stored.subject.as_str())?;
    Ok(stored)
}
