//! `/subjects` — list them, look up a schema in one, delete one (docs/reference/schema-registry.md §3, rows 9 to 11).

use postern_proxy::run_large;
use postern_registry::{Registry, Subject, Visible};

use super::bodies::SchemaRequest;
use super::schema_responses::{RenderedSchema, Version, into_problem};
use super::{body, names};
use crate::operation::{Operation, flag, number, operation, text};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// All contexts.
const ALL_CONTEXTS: &str = ":*:";

pub(super) const LIST: Operation = operation("listSubjects", "The names of all subjects")
    .with_query(&[
        text("subjectPrefix", "How their names begin; :*: for all contexts"),
        flag("deleted", "Also those that are deleted"),
        flag("deletedOnly", "Only those that are deleted"),
        number("offset", "How many are left out"),
        number("limit", "How many are answered; as many as possible unless it is at least 1"),
    ])
    .returns::<Vec<String>>();
pub(super) const LOOK_UP: Operation = operation("lookUpSchema", "The version of a subject that has this schema")
    .takes::<SchemaRequest>(&[
        r#"{"schema":"{\"type\":\"record\",\"name\":\"Lamp\",\"fields\":[{\"name\":\"lumens\",\"type\":\"int\"}]}"}"#,
    ])
    .with_query(&[
        flag("normalize", "Compares in the normal form"),
        flag("deleted", "Also versions that are deleted"),
        text("format", "How the text is to be written, such as resolved (Avro) or serialized (Protobuf)"),
    ])
    .returns::<Version>();
pub(super) const DELETE: Operation = operation("deleteSubject", "Deletes a subject, and answers its versions")
    .with_query(&[flag("permanent", "For good, where it is deleted already")])
    .returns::<Vec<u32>>();

/// Which versions a query includes.
pub(super) fn visible(request: &RequestContext) -> Visible {
    match (request.flag("deletedOnly"), request.flag("deleted")) {
        (true, _) => Visible::Deleted,
        (false, true) => Visible::All,
        (false, false) => Visible::Live,
    }
}

/// `GET /subjects`
pub(super) async fn list(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let (prefix, page) = (names::prefix(&request, ALL_CONTEXTS)?, names::page(&request, usize::MAX)?);
    let list = |page| registry.subjects(&prefix, visible(&request), page);
    let found = names::readable(&request.params, page, list, |subject| subject)?;
    Ok(Reply::ok(&found.iter().map(Subject::as_str).collect::<Vec<_>>()))
}

/// `POST /subjects/{subject}`
pub(super) async fn look_up(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &request)?;
    let (normalize, deleted, format) = (request.flag("normalize"), request.flag("deleted"), request.query("format"));
    let (params, body) = body::read_with_params(request).await?;
    let draft = run_large(body.len(), || body::draft(&mut body::parse(&body)?)).await?;
    names::check_references(&params, &subject, &draft)?;
    let found = into_problem(registry.lookup(&subject, &draft, normalize, deleted))?;
    let rendered = RenderedSchema::in_format(&registry, found.stored, format.as_deref())?;
    let response = Version::of(&rendered);
    Ok(Reply::ok(&if found.is_identical { response.without_record() } else { response }))
}

/// `DELETE /subjects/{subject}`
pub(super) async fn delete(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &request)?;
    Ok(Reply::ok(&into_problem(registry.delete_subject(&subject, request.flag("permanent")).await)?))
}
