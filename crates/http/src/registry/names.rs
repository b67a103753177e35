//! Which subject, scope or prefix a call speaks of: from its path, its query, and the context before both.
//!
//! Source: docs/reference/schema-registry.md §2.

use postern_registry::{DEFAULT_CONTEXT, Page, Registry, SchemaId, Subject, VersionRef};

use super::problem::problem;
use crate::call::Call;
use crate::path;
use crate::problem::Problem;

/// The subject in the path, by its alias if it has one.
pub(super) fn subject(registry: &Registry, call: &Call) -> Result<Subject, Problem> {
    let name = qualified(call, call.params.get("subject"))?;
    Ok(registry.real_name(Subject::parse(&name)))
}

/// The subject or context whose configuration or mode is meant; `None`: the one for all. Aliases are not followed here.
pub(super) fn scope(call: &Call) -> Result<Option<Subject>, Problem> {
    let scope = match (parameter(call, "subject"), context(call)?) {
        (Some(name), _) => Subject::parse(&qualified(call, name)?),
        (None, Some(context)) => Subject::of_context(&context),
        (None, None) => return Ok(None),
    };
    Ok(Some(scope).filter(|scope| !scope.as_str().is_empty()))
}

/// The subject in the query, by its alias; with a context before the path at least that context.
pub(super) fn queried_subject(registry: &Registry, call: &Call) -> Result<Option<Subject>, Problem> {
    let name = match (call.query("subject").filter(|name| !name.is_empty()), context(call)?) {
        (None, None) => return Ok(None),
        (name, _) => qualified(call, &name.unwrap_or_default())?,
    };
    Ok(Some(registry.real_name(Subject::parse(&name))))
}

/// The context in which ids are meant.
pub(super) fn queried_context(registry: &Registry, call: &Call) -> Result<String, Problem> {
    let subject = queried_subject(registry, call)?;
    Ok(subject.map_or(DEFAULT_CONTEXT.to_owned(), |subject| subject.context().to_owned()))
}

/// The beginning of the subjects that are meant.
pub(super) fn prefix(call: &Call, default: &str) -> Result<Subject, Problem> {
    let given = call.query("subjectPrefix");
    let prefix = match (given, context(call)?) {
        (None, None) => default.to_owned(),
        (given, _) => qualified(call, &given.unwrap_or_default())?,
    };
    Ok(Subject::parse(&prefix))
}

/// The version in the path.
pub(super) fn version(call: &Call) -> Result<VersionRef, Problem> {
    VersionRef::parse(call.params.get("version")).map_err(|error| problem(&error))
}

/// The id in the path.
pub(super) fn id(call: &Call) -> Result<SchemaId, Problem> {
    call.params.number("id").map(SchemaId)
}

/// `offset` and `limit`. A limit counts only from 1 to `max`, which else is taken itself.
pub(super) fn page(call: &Call, max: usize) -> Result<Page, Problem> {
    let number = |name| match call.query(name) {
        None => Ok(None),
        Some(text) => path::number::<i32>(&text).map(Some).ok_or_else(Problem::not_found),
    };
    let offset = number("offset")?.and_then(|offset| usize::try_from(offset).ok()).unwrap_or(0);
    let limit =
        number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| (1..=max).contains(limit));
    Ok(Page { offset, limit: limit.unwrap_or(max) })
}

/// The context before the path, without colons: `ctx`, `.ctx` and `:.ctx:` are one. The default one (`.`) is as none.
pub(super) fn context(call: &Call) -> Result<Option<String>, Problem> {
    let Some(given) = parameter(call, "context") else { return Ok(None) };
    let name = given.strip_prefix(':').unwrap_or(given);
    let name = name.strip_suffix(':').unwrap_or(name);
    if name.contains(':') {
        return Err(Problem::bad_request(format!("Context name '{given}' cannot contain a colon.")));
    }
    let name = if name.starts_with('.') { name.to_owned() } else { format!(".{name}") };
    Ok(Some(name).filter(|name| name != DEFAULT_CONTEXT))
}

/// `name` in the context before the path, unless it names one itself.
fn qualified(call: &Call, name: &str) -> Result<String, Problem> {
    match context(call)? {
        Some(context) if !name.starts_with(":.") && !name.starts_with(":*:") => Ok(format!(":{context}:{name}")),
        Some(_) | None => Ok(name.to_owned()),
    }
}

/// A parameter that only some of a handler's routes have.
fn parameter<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.params.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}
