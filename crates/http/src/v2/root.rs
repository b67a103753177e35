//! `GET /`, `POST /` — is somebody there? Answered at once, also while Kafka is away (docs/reference/rest-v2.md §4.1).

use std::collections::BTreeMap;

use postern_proxy::Proxy;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

pub(super) async fn show(_: Proxy, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::ok(&BTreeMap::<(), ()>::new()))
}

/// The body must be an object of texts, or of what can stand for one; none at all will do.
pub(super) async fn accept(_: Proxy, call: Call) -> Result<Reply, Problem> {
    let (_, body) = call.read().await?;
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
