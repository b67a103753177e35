//! `GET /`, `POST /` — a probe, answered at once even when Kafka is unavailable (docs/reference/rest-v2.md §4.1).

use std::collections::BTreeMap;

use postern_proxy::Proxy;
use serde_json::{Map, Value};

use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) const SHOW: Operation =
    operation("getRoot", "An empty object: a probe").returns::<BTreeMap<String, Value>>();
pub(super) const ACCEPT: Operation = operation("postRoot", "An empty object: a probe")
    .may_take::<BTreeMap<String, String>>(&["{}"])
    .returns::<BTreeMap<String, Value>>();

pub(super) async fn show(_: Proxy, _: RequestContext) -> Result<Reply, Problem> {
    Ok(Reply::ok(&BTreeMap::<(), ()>::new()))
}

/// Bytes of a body that is only validated.
const BODY_MAX: usize = 1 << 20;

/// The body must be an object of strings or other scalars; it may also be missing.
pub(super) async fn accept(_: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (_, body) = request.read_document(BODY_MAX).await?;
    if !body.iter().all(u8::is_ascii_whitespace) {
        let members = serde_json::from_slice::<Option<Map<String, Value>>>(&body)
            .map_err(|error| Problem::bad_request(format!("The request body: expected a JSON object: {error}.")))?;
        if let Some((name, _)) =
            members.iter().flatten().find(|(_, member)| matches!(member, Value::Array(_) | Value::Object(_)))
        {
            return Err(Problem::bad_request(format!("{name}: expected a text, found a list or an object.")));
        }
    }
    Ok(Reply::ok(&BTreeMap::<(), ()>::new()))
}
