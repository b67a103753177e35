//! `/compatibility` — checks a schema without registering it (docs/reference/schema-registry.md §9.4)

use postern_proxy::run_large;
use postern_registry::{Registry, VersionRef};
use schemars::JsonSchema;
use serde::Serialize;

use super::bodies::SchemaRequest;
use super::schema_responses::into_problem;
use super::{body, names, problem};
use crate::operation::{Operation, Query, flag, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
struct CompatibilityResponse {
    is_compatible: bool,
    /// Only with `verbose=true`, and then even if empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<String>>,
}

pub(super) const WITH_SUBJECT: Operation = operation(
    "checkCompatibility",
    "Whether a schema could be registered: against the versions that the compatibility level requires",
)
.takes::<SchemaRequest>(&[
    r#"{"schema":"{\"type\":\"record\",\"name\":\"Lamp\",\"fields\":[{\"name\":\"lumens\",\"type\":\"int\"}]}"}"#,
])
.with_query(QUERY)
.returns::<CompatibilityResponse>();
pub(super) const WITH_VERSION: Operation = operation(
    "checkCompatibilityWithVersion",
    "Whether a schema is compatible with one version",
)
.takes::<SchemaRequest>(&[
    r#"{"schema":"{\"type\":\"record\",\"name\":\"Lamp\",\"fields\":[{\"name\":\"lumens\",\"type\":\"int\"}]}"}"#,
])
.with_query(QUERY)
.returns::<CompatibilityResponse>();
const QUERY: &[Query] =
    &[flag("normalize", "Compares in the normal form"), flag("verbose", "Also says what is not compatible")];

/// `POST /compatibility/subjects/{subject}/versions` — against the versions that the compatibility level requires.
pub(super) async fn with_subject(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    check(registry, request, None).await
}

/// `POST /compatibility/subjects/{subject}/versions/{version}`
pub(super) async fn with_version(registry: Registry, request: RequestContext) -> Result<Reply, Problem> {
    let version = names::version(&request)?;
    check(registry, request, Some(version)).await
}

async fn check(registry: Registry, request: RequestContext, version: Option<VersionRef>) -> Result<Reply, Problem> {
    let subject = names::subject(&registry, &request)?;
    let (normalize, verbose) = (request.flag("normalize"), request.flag("verbose"));
    let (params, body) = body::read_with_params(request).await?;
    let draft = run_large(body.len(), || body::draft(&mut body::parse(&body)?)).await;
    if let (Some(version), Err(Problem { code: problem::INVALID_SCHEMA, .. })) = (version, &draft) {
        // A missing version is reported before a bad schema.
        into_problem(registry.versions_to_compare(&subject, Some(version)))?;
    }
    if let Ok(draft) = &draft {
        names::check_references(&params, &subject, draft)?;
    }
    let checked =
        draft.and_then(|draft| into_problem(registry.check_compatibility(&subject, version, &draft, normalize)));
    let response = match checked {
        Ok(result) => {
            CompatibilityResponse { is_compatible: result.is_compatible, messages: verbose.then_some(result.messages) }
        }
        // With `verbose=true` a bad schema is reported as the reason of an incompatibility.
        Err(problem) if verbose && problem.code == problem::INVALID_SCHEMA => {
            CompatibilityResponse { is_compatible: false, messages: Some(vec![problem.message]) }
        }
        Err(problem) => return Err(problem),
    };
    Ok(Reply::ok(&response))
}
