//! Who callers are: right, wrong and no credentials, at all APIs.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use hyper::Method;
use hyper::header::HeaderName;
use postern_access::{Algorithm, KeySet, Roles, TokenRules, User, Users};
use postern_http::front::FrontSettings;
use postern_http::{AccessControl, Authentication, Basic, Bearer, Gateway, TokenKeys};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

use crate::app::{Call, TestApp};

/// bcrypt of `password`, as cheap as it can be.
const HASH: &str = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";

fn users() -> Authentication {
    let users = Users::htpasswd(&format!("ana:{HASH}\nben:{HASH}\n")).unwrap_or_else(|fault| panic!("{fault}"));
    Authentication::Basic(Box::new(Basic::new(users, "Kafka \"REST\"")))
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn as_caller(call: Call, authorization: &str) -> Call {
    call.header("Authorization", authorization)
}

#[tokio::test(flavor = "multi_thread")]
async fn user_and_password_are_asked_before_anything_is_done() {
    let app = TestApp::with_access(AccessControl::new(users(), None)).await;
    let create = app.v3("topics");
    let body = json!({"topic_name": "lab"});
    let without = app.post(&create, body.clone()).await;
    assert_eq!(without.refusal(), (401, 401));
    assert_eq!(without.header("www-authenticate"), "Basic realm=\"Kafka \\\"REST\\\"\", charset=\"UTF-8\"");
    assert_eq!(without.header("cache-control"), "no-store");
    let mut refusals = Vec::new();
    for authorization in [basic("ana", "wrong"), basic("eve", "password"), basic("", "password")] {
        let refused = as_caller(app.request(Method::POST, &create).json(&body), &authorization).send().await;
        assert_eq!(refused.refusal(), (401, 401), "{authorization}");
        refusals.push(refused.text().to_owned());
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "nobody learns which users there are");
    // Another scheme is not judged by another way, and a path that does not exist looks like any other.
    for (path, authorization) in [(create.as_str(), "Bearer canary"), ("/nowhere", "Basic")] {
        let refused = as_caller(app.request(Method::GET, path), authorization).send().await;
        assert_eq!(refused.refusal(), (401, 401), "{path}");
        assert!(!refused.text().contains("canary"));
    }
    let broken = as_caller(app.request(Method::GET, "/topics"), "Basic %%%").send().await;
    assert_eq!(broken.refusal(), (400, 400));
    assert_eq!(app.partitions("lab").await, None, "no refused request did anything");

    let created = as_caller(app.request(Method::POST, &create).json(&body), &basic("ana", "password")).send().await;
    assert_eq!(created.status, 201);
    assert_eq!(app.partitions("lab").await, Some(1));
    // Once verified the pair is remembered, but not for another password.
    let again = as_caller(app.request(Method::GET, "/topics"), &basic("ana", "password")).send().await;
    assert_eq!((again.status, again.text()), (200, r#"["_schemas","lab"]"#));
    let registry = app.registry(Method::GET, "/subjects").send().await;
    assert_eq!(registry.refusal(), (401, 401));
    assert_eq!(registry.header("content-type"), "application/vnd.schemaregistry.v1+json");
    let registry = as_caller(app.registry(Method::GET, "/subjects"), &basic("ben", "password")).send().await;
    assert_eq!((registry.status, registry.text()), (200, "[]"));
    assert_eq!(app.get("/").await.status, 200, "that something answers everybody may know");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_many_wrong_passwords_waits_and_known_callers_do_not() {
    let app = TestApp::with_access(AccessControl::new(users(), None)).await;
    let ask = |authorization: String| as_caller(app.request(Method::GET, "/topics"), &authorization).send();
    assert_eq!(ask(basic("ana", "password")).await.status, 200);
    for n in 0..10 {
        assert_eq!(ask(basic("ana", &format!("guess {n}"))).await.status, 401);
    }
    let refused = ask(basic("ben", "password")).await;
    assert_eq!(refused.refusal(), (429, 42901));
    assert_eq!(refused.header("retry-after"), "60");
    assert_eq!(ask(basic("ana", "password")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_guesses_count_for_the_client_that_it_names() {
    let trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    let front = FrontSettings { trusted_proxies, ..FrontSettings::default() };
    let app = TestApp::with_access(AccessControl::new(users(), None)).await.behind(front).await;
    let ask = |client: &str, authorization: String| {
        as_caller(app.request(Method::GET, "/topics").header("X-Forwarded-For", client), &authorization).send()
    };
    for n in 0..10 {
        assert_eq!(ask("203.0.113.7", basic("ana", &format!("guess {n}"))).await.status, 401);
    }
    assert_eq!(ask("203.0.113.7", basic("ben", "password")).await.refusal(), (429, 42901));
    assert_eq!(ask("203.0.113.8", basic("ben", "password")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_replaced_as_a_whole() {
    let access = AccessControl::new(users(), None);
    let app = TestApp::with_access(access.clone()).await;
    let ask = |user: &str| as_caller(app.request(Method::GET, "/topics"), &basic(user, "password")).send();
    assert_eq!(ask("ana").await.status, 200);
    let entries = [User { name: "cleo", value: "password" }];
    let Ok((users, _)) = Users::realm(entries, Roles::Any) else { panic!("refused") };
    access.replace(Authentication::Basic(Box::new(Basic::new(users, "R"))), None, None);
    assert_eq!(ask("ana").await.status, 401, "what was remembered went with the file");
    assert_eq!(ask("cleo").await.status, 200);
}

#[tokio::test]
async fn an_instance_belongs_to_who_made_it() {
    let entries = [User { name: "ana", value: "a" }, User { name: "ben", value: "b" }];
    let Ok((users, _)) = Users::realm(entries, Roles::Any) else { panic!("refused") };
    let app =
        TestApp::with_access(AccessControl::new(Authentication::Basic(Box::new(Basic::new(users, "R"))), None)).await;
    let (ana, ben) = (basic("ana", "a"), basic("ben", "b"));
    let v2 = "application/vnd.kafka.v2+json";
    let make = |caller: &str| {
        let call = app.request(Method::POST, "/consumers/g").json(&json!({"name": "i"})).header("Content-Type", v2);
        as_caller(call, caller).send()
    };
    assert_eq!(make(&ana).await.status, 200);
    let path = "/consumers/g/instances/i";
    let assigned = as_caller(app.request(Method::GET, &format!("{path}/assignments")), &ben).send().await;
    assert_eq!(assigned.refusal(), (404, 40403));
    assert_eq!(make(&ben).await.status, 200, "each caller has names of their own");
    assert_eq!(make(&ana).await.refusal(), (409, 40902));
    let delete = |caller: &str| as_caller(app.request(Method::DELETE, path), caller).send();
    assert_eq!(delete(&ben).await.status, 204);
    assert_eq!(delete(&ben).await.refusal(), (404, 40403));
    assert_eq!(delete(&ana).await.status, 204, "it was still there");
}

#[tokio::test]
async fn a_gateway_is_believed_by_its_secret() {
    let gateway = Gateway {
        from: vec!["127.0.0.0/8".parse().expect("a network")],
        secret: Some((HeaderName::from_static("x-gateway-secret"), vec!["canary-of-the-gateway".to_owned()])),
        user: HeaderName::from_static("x-auth-request-user"),
        groups: None,
    };
    let app = TestApp::with_access(AccessControl::new(Authentication::Gateway(gateway), None)).await;
    let ask = |secret: &str| {
        let call = app.request(Method::GET, "/topics").header("X-Auth-Request-User", "ana");
        call.header("X-Gateway-Secret", secret).send()
    };
    assert_eq!(ask("canary-of-the-gateway").await.status, 200);
    let refused = ask("another").await;
    assert_eq!(refused.refusal(), (401, 401));
    assert!(!refused.text().contains("canary"));
    let only_secret = app.request(Method::GET, "/topics").header("X-Gateway-Secret", "canary-of-the-gateway");
    assert_eq!(only_secret.send().await.refusal(), (401, 401), "it names nobody");
}

struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Issuer {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).expect("random bytes");
        Issuer(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("its own key"))
    }

    fn keys(&self) -> KeySet {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.0.public_key());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}]});
        KeySet::parse(&set.to_string()).expect("a set")
    }

    fn token(&self, expires: u64) -> String {
        let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({"iss": "https://issuer", "aud": "postern", "sub": "ana", "exp": expires});
        let message = format!("{}.{}", part(json!({"alg": "EdDSA", "kid": "1"})), part(claims));
        format!("Bearer {message}.{}", BASE64_URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes())))
    }
}

#[tokio::test]
async fn tokens_are_taken_once_the_keys_are_there() {
    let rules = TokenRules {
        issuer: "https://issuer".to_owned(),
        audience: vec!["postern".to_owned()],
        algorithms: vec![Algorithm::EdDsa],
        name_claim: "sub".to_owned(),
        groups_claim: None,
        skew: Duration::from_secs(60),
    };
    let keys = TokenKeys::default();
    let app =
        TestApp::with_access(AccessControl::new(Authentication::Bearer(Bearer::new(rules, keys.clone())), None)).await;
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let ask = |token: &str| as_caller(app.request(Method::GET, "/topics"), token).send();
    let without = app.get("/topics").await;
    assert_eq!((without.refusal(), without.header("www-authenticate")), ((401, 401), "Bearer realm=\"Postern\""));
    let early = ask(&issuer.token(4_000_000_000)).await;
    assert_eq!((early.refusal(), early.header("retry-after")), ((503, 50302), "1"), "not the caller's fault");
    keys.attempted(Some(issuer.keys()));
    assert_eq!(ask(&issuer.token(4_000_000_000)).await.status, 200);
    let expired = ask(&issuer.token(1_000_000_000)).await;
    assert_eq!(expired.refusal(), (401, 401));
    assert_eq!(
        expired.header("www-authenticate"),
        "Bearer realm=\"Postern\", error=\"invalid_token\", error_description=\"the token has expired\""
    );
    assert_eq!(ask(&other.token(4_000_000_000)).await.refusal(), (401, 401));
    // With other keys a token that was remembered is judged anew.
    keys.attempted(Some(other.keys()));
    assert_eq!(ask(&issuer.token(4_000_000_000)).await.refusal(), (401, 401));
    assert_eq!(ask(&other.token(4_000_000_000)).await.status, 200);
}
