//! `/compatibility` — would a schema fit? (schema-registry.md §9.4)

use postern_registry::{Error, Registry, VersionRef};
use serde::Serialize;

use super::problem::problem;
use super::{body, names};
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

#[derive(Serialize)]
struct Verdict {
    is_compatible: bool,
    /// Only where the client asked for them; then also an empty list is printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<String>>,
}

/// `POST /compatibility/subjects/{subject}/versions` — with the versions that the level in force asks for.
pub(super) async fn with_subject(registry: Registry, call: Call) -> Result<Reply, Problem> {
    check(registry, call, None).await
}

/// `POST /compatibility/subjects/{subject}/versions/{version}`
pub(super) async fn with_version(registry: Registry, call: Call) -> Result<Reply, Problem> {
    let version = names::version(&call)?;
    check(registry, call, Some(version)).await
}

async fn check(registry: Registry, call: Call, version: Option<VersionRef>) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &call)?;
    let (normalize, verbose) = (call.flag("normalize"), call.flag("verbose"));
    let (_, mut members) = body::read(call).await?;
    let answer = match registry.check_compatibility(&subject, version, &members.draft()?, normalize) {
        Ok(answer) => Verdict { is_compatible: answer.is_compatible, messages: verbose.then_some(answer.messages) },
        Err(
            error @ (Error::InvalidSchema { .. }
            | Error::EmptySchema
            | Error::InvalidReference(_)
            | Error::ReferenceNotFound { .. }),
        ) if verbose => Verdict { is_compatible: false, messages: Some(vec![error.to_string()]) },
        Err(error) => return Err(problem(&error)),
    };
    Ok(Reply::ok(&answer))
}
