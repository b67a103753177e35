//! The subject, scope or prefix of a request: from its path, its query, and the context that precedes both.
//!
//! Source: docs/reference/schema-registry.md §2.

use postern_access::Right;
use postern_registry::{
    DEFAULT_CONTEXT, Error, Page, Registry, SchemaId, SchemaReference, SchemaSubmission, Subject, VersionRef,
};

use super::problem::problem;
use crate::access::routes::Need;
use crate::path;
use crate::problem::Problem;
use crate::request_context::{Params, RequestContext};

/// The subject in the path, its alias resolved.
///
/// What the route needs of the written name it needs of the subject that an alias stands for, too.
pub(super) fn subject(registry: &Registry, request: &RequestContext) -> Result<Subject, Problem> {
    let written = written_subject(request)?;
    let subject = registry.resolve_alias(written.clone());
    match request.need {
        Need::Subject(right) if subject != written => request.params.check(right, subject.as_str())?,
        _ => {}
    }
    Ok(subject)
}

/// The subject as the path has it, with its context.
pub(crate) fn written_subject(request: &RequestContext) -> Result<Subject, Problem> {
    Ok(Subject::parse(&qualified(request, request.params.get("subject"))?))
}

/// The subject or context whose configuration or mode is addressed; `None`: the global one. Aliases are not resolved here.
pub(crate) fn scope(request: &RequestContext) -> Result<Option<Subject>, Problem> {
    let scope = match (parameter(request, "subject"), context(request)?) {
        (Some(name), _) => Subject::parse(&qualified(request, name)?),
        (None, Some(context)) => Subject::of_context(&context),
        (None, None) => return Ok(None),
    };
    Ok(Some(scope).filter(|scope| !scope.as_str().is_empty()))
}

/// The subject in the query, its alias resolved; below `/contexts/{context}` at least that context.
pub(super) fn queried_subject(registry: &Registry, request: &RequestContext) -> Result<Option<Subject>, Problem> {
    let name = match (request.query("subject").filter(|name| !name.is_empty()), context(request)?) {
        (None, None) => return Ok(None),
        (name, _) => qualified(request, &name.unwrap_or_default())?,
    };
    Ok(Some(registry.resolve_alias(Subject::parse(&name))))
}

/// The context of ids.
pub(super) fn queried_context(registry: &Registry, request: &RequestContext) -> Result<String, Problem> {
    let subject = queried_subject(registry, request)?;
    Ok(subject.map_or(DEFAULT_CONTEXT.to_owned(), |subject| subject.context().to_owned()))
}

/// The prefix of the subjects that a list contains.
pub(super) fn prefix(request: &RequestContext, default: &str) -> Result<Subject, Problem> {
    let given = request.query("subjectPrefix");
    let prefix = match (given, context(request)?) {
        (None, None) => default.to_owned(),
        (given, _) => qualified(request, &given.unwrap_or_default())?,
    };
    Ok(Subject::parse(&prefix))
}

/// The version in the path.
pub(super) fn version(request: &RequestContext) -> Result<VersionRef, Problem> {
    let text = request.params.get("version");
    VersionRef::parse(text).ok_or_else(|| problem(&Error::InvalidVersion(text.to_owned())))
}

/// The id in the path.
pub(super) fn id(request: &RequestContext) -> Result<SchemaId, Problem> {
    request.params.number("id").map(SchemaId)
}

/// 403 unless the caller may read what a submitted schema references.
pub(super) fn check_references(params: &Params, subject: &Subject, draft: &SchemaSubmission) -> Result<(), Problem> {
    let referenced = |reference: &SchemaReference| subject.sibling(&reference.subject);
    draft.references.iter().map(referenced).try_for_each(|one| params.check(Right::Read, one.as_str()))
}

/// Whether the caller may read a subject.
pub(super) fn may_read(params: &Params, subject: &Subject) -> bool {
    params.permissions().may(Right::Read, subject.as_str())
}

/// What of a list the caller may read, and of that the page. `list` gets the page that it has to take.
pub(super) fn readable<T>(
    params: &Params,
    page: Page,
    list: impl FnOnce(Page) -> Result<Vec<T>, Error>,
    subject: impl Fn(&T) -> &Subject,
) -> Result<Vec<T>, Problem> {
    if params.permissions().is_unlimited() {
        return list(page).map_err(|error| problem(&error));
    }
    let all = list(Page::ALL).map_err(|error| problem(&error))?;
    Ok(all.into_iter().filter(|one| may_read(params, subject(one))).skip(page.offset).take(page.limit).collect())
}

/// `offset` and `limit`. A limit outside of 1 to `max` is replaced by `max`.
pub(super) fn page(request: &RequestContext, max: usize) -> Result<Page, Problem> {
    let number = |name| match request.query(name) {
        None => Ok(None),
        Some(text) => path::number::<i32>(&text).map(Some).ok_or_else(Problem::not_found),
    };
    let offset = number("offset")?.and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0);
    let limit =
        number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| (1..=max).contains(limit));
    Ok(Page { offset, limit: limit.unwrap_or(max) })
}

/// The context that precedes the path, without colons: `ctx`, `.ctx` and `:.ctx:` are the same. The default one (`.`) is `None`.
pub(super) fn context(request: &RequestContext) -> Result<Option<String>, Problem> {
    let Some(given) = parameter(request, "context") else { return Ok(None) };
    let name = given.strip_prefix(':').unwrap_or(given);
    let name = name.strip_suffix(':').unwrap_or(name);
    if name.contains(':') {
        return Err(Problem::bad_request(format!("Context name '{given}' cannot contain a colon.")));
    }
    let name = if name.starts_with('.') { name.to_owned() } else { format!(".{name}") };
    Ok(Some(name).filter(|name| name != DEFAULT_CONTEXT))
}

/// `name` in the context that precedes the path, unless it is qualified itself.
fn qualified(request: &RequestContext, name: &str) -> Result<String, Problem> {
    match context(request)? {
        Some(context) if !name.starts_with(":.") && !name.starts_with(":*:") => Ok(format!(":{context}:{name}")),
        Some(_) | None => Ok(name.to_owned()),
    }
}

/// A parameter that not all routes of a handler have.
fn parameter<'a>(request: &'a RequestContext, name: &str) -> Option<&'a str> {
    request.params.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}
