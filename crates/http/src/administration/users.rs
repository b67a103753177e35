//! Users that the cluster knows by SCRAM: listed, given a password, removed.

use std::num::NonZeroU32;

use hyper::StatusCode;
use postern_proxy::{Proxy, ScramHash};
use schemars::JsonSchema;
use serde::Serialize;

use super::bodies::SetPasswordRequest;
use super::{check_cluster, problem};
use crate::lenient_object::{BODY_MAX, LenientObject};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::{Params, RequestContext};

const MECHANISMS: [(&str, ScramHash); 2] = [("SCRAM-SHA-256", ScramHash::Sha256), ("SCRAM-SHA-512", ScramHash::Sha512)];
/// What Kafka's own tools take, and what brokers accept at least and at most.
const ITERATIONS: i32 = 4096;
const ITERATIONS_MAX: i32 = 16_384;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ScramUsers")]
struct Users {
    data: Vec<User>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ScramUser")]
struct User {
    user_name: String,
    credentials: Vec<Credential>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ScramCredential")]
struct Credential {
    /// Null where it is one that Postern does not know.
    mechanism: Option<&'static str>,
    iterations: i32,
}

pub(super) const LIST: Operation =
    operation("listScramUsers", "The users that have a password for SCRAM, and for which mechanisms")
        .returns::<Users>();
pub(super) const SET: Operation =
    operation("setScramPassword", "Gives a user a password for a mechanism; a new user where there is none")
        .takes::<SetPasswordRequest>(&[r#"{"password":"correct horse battery staple","iterations":8192}"#]);
pub(super) const DELETE: Operation =
    operation("deleteScramPassword", "Removes a user's password for a mechanism; without any the user is gone");

pub(super) async fn list(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    check_cluster(&proxy, &request.params).await?;
    let users = proxy.scram_users().await.map_err(problem)?;
    let users = users.into_iter().map(|user| {
        let name = |hash: ScramHash| MECHANISMS.iter().find(|(_, known)| *known == hash).map(|(name, _)| *name);
        let credentials = user.credentials.iter().map(|credential| Credential {
            mechanism: credential.hash.and_then(name),
            iterations: credential.iterations,
        });
        User { user_name: user.name, credentials: credentials.collect() }
    });
    Ok(Reply::ok(&Users { data: users.collect() }))
}

/// The password is salted here, and does not reach Kafka.
pub(super) async fn set(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let (params, body) = request.read_document(BODY_MAX).await?;
    let hash = mechanism(&params)?;
    let mut object = LenientObject::read(&body, "an object with password")?;
    let (password, iterations) = (object.kafka_text("password")?, object.int32("iterations")?.unwrap_or(ITERATIONS));
    let password = object.required("password", password)?;
    object.end()?;
    if password.is_empty() {
        return Err(Problem::bad_request("password: expected a text, found an empty one."));
    }
    let within = (ITERATIONS..=ITERATIONS_MAX).contains(&iterations).then_some(iterations.unsigned_abs());
    let Some(iterations) = within.and_then(NonZeroU32::new) else {
        let message = format!("iterations: expected {ITERATIONS} to {ITERATIONS_MAX}, found {iterations}.");
        return Err(Problem::bad_request(message));
    };
    let user = params.get("user");
    if user.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
        let message =
            format!("The name of the user has characters that cannot be shown: expected text, found {user:?}.");
        return Err(Problem::bad_request(message));
    }
    check_cluster(&proxy, &params).await?;
    proxy.set_scram_password(user, hash, iterations, password).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn delete(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let hash = mechanism(&request.params)?;
    check_cluster(&proxy, &request.params).await?;
    proxy.delete_scram_password(request.params.get("user"), hash).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn mechanism(params: &Params) -> Result<ScramHash, Problem> {
    let asked = params.get("mechanism");
    let found = MECHANISMS.iter().find(|(name, _)| *name == asked).map(|(_, hash)| *hash);
    found.ok_or_else(|| {
        Problem::missing(format!("There is no mechanism '{asked}': expected SCRAM-SHA-256 or SCRAM-SHA-512."))
    })
}
