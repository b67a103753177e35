//! `/compatibility` — would a schema fit? (docs/reference/schema-registry.md §9.4)

use postern_registry::{Registry, VersionRef};
use serde::Serialize;

use super::shapes::told;
use super::{body, names, problem};
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
    let draft = members.draft();
    if let (Some(version), Err(Problem { code: problem::INVALID_SCHEMA, .. })) = (version, &draft) {
        // A version that is not there is told first.
        told(registry.compared(&subject, Some(version)))?;
    }
    let checked = draft.and_then(|draft| told(registry.check_compatibility(&subject, version, &draft, normalize)));
    let answer = match checked {
        Ok(answer) => Verdict { is_compatible: answer.is_compatible, messages: verbose.then_some(answer.messages) },
        // What is no schema is told as what keeps it from being compatible, to those who ask for reasons.
        Err(problem) if verbose && problem.code == problem::INVALID_SCHEMA => {
            Verdict { is_compatible: false, messages: Some(vec![problem.message]) }
        }
        Err(problem) => return Err(problem),
    };
    Ok(Reply::ok(&answer))
}
