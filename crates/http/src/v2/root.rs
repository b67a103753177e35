//! `GET /`, `POST /` — is somebody there? Answered at once, also while Kafka is away (rest-v2.md §4.1).

use std::collections::BTreeMap;

use postern_proxy::Proxy;

use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

pub(super) async fn show(_: Proxy, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::ok(&BTreeMap::<(), ()>::new()))
}

/// The body must be an object, whatever is in it; none at all will do.
pub(super) async fn accept(_: Proxy, call: Call) -> Result<Reply, Problem> {
    let (_, body) = call.read().await?;
    if !body.iter().all(u8::is_ascii_whitespace) {
        serde_json::from_slice::<Option<serde_json::Map<String, serde_json::Value>>>(&body)
            .map_err(|error| Problem::bad_request(format!("The request body: expected a JSON object: {error}.")))?;
    }
    Ok(Reply::ok(&BTreeMap::<(), ()>::new()))
}
