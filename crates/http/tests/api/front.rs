//! What stands in front: pages of other origins, proxies, headers of every answer.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Method;
use postern_http::front::{
    AddedHeaders, AllowedOrigins, CorsSettings, FrontSettings, OperationNames, OperationSettings, PublicUrl, RateLimits,
};
use postern_http::{Bounds, ProduceBounds};
use serde_json::json;

use crate::app::{Reply, TestApp};

const JSON: &str = "application/vnd.kafka.json.v2+json";
const FOREIGN: &str = "https://evil.example";

async fn behind(settings: FrontSettings) -> TestApp {
    let app = TestApp::start().await.behind(settings).await;
    app.topic("t", 1).await;
    app
}

fn allowing(origins: &str) -> FrontSettings {
    let (origins, _) = AllowedOrigins::parse(origins).expect("a list");
    FrontSettings { cors: CorsSettings { origins, ..CorsSettings::default() }, ..FrontSettings::default() }
}

/// Writes a record as a page of `origin` would.
async fn write(app: &TestApp, origin: &str) -> Reply {
    let call = app.request(Method::POST, "/topics/t").json(&json!({"records": [{"value": 1}]}));
    call.header("Content-Type", JSON).header("Origin", origin).send().await
}

async fn preflight(app: &TestApp, origin: &str, method: &str, headers: &str) -> Reply {
    let call = app.request(Method::OPTIONS, "/topics/t").header("Origin", origin);
    let call = call.header("Access-Control-Request-Method", method);
    call.header("Access-Control-Request-Headers", headers).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_writes_nothing() {
    let app = behind(FrontSettings::default()).await;
    let port = app.url().rsplit(':').next().expect("a port").to_owned();
    for origin in [FOREIGN, "null", "http://localhost:1", "x", ""] {
        let refused = write(&app, origin).await;
        assert_eq!(refused.refusal(), (403, 403), "{origin}");
        assert!(refused.message().contains("cors-allowed-origins"), "{}", refused.message());
    }
    // A page may have pointed its own name to this address.
    let rebound = app.request(Method::DELETE, "/consumers/g/instances/i").header("Origin", "http://evil.example");
    assert_eq!(rebound.header("Host", "evil.example").send().await.status, 403);
    let registry = app.registry(Method::DELETE, "/subjects/s").header("Origin", FOREIGN).send().await;
    assert_eq!(registry.refusal(), (403, 403));
    assert_eq!(app.end_offset("t", 0).await, 0);
    // It may ask: a browser does not show it the answer.
    let read = app.request(Method::GET, "/topics").header("Origin", FOREIGN).send().await;
    assert_eq!((read.status, read.header("Access-Control-Allow-Origin")), (200, ""));
    assert_eq!(app.request(Method::OPTIONS, "/topics").header("Origin", FOREIGN).send().await.status, 200);

    assert_eq!(write(&app, &format!("http://127.0.0.1:{port}")).await.status, 200, "a page of this server");
    assert_eq!(app.end_offset("t", 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_origins_that_are_listed_read_and_write() {
    let app = behind(allowing("https://app.example, https://*.lsst.codes")).await;
    for origin in ["https://app.example", "https://x.lsst.codes"] {
        let written = write(&app, origin).await;
        assert_eq!((written.status, written.header("Access-Control-Allow-Origin")), (200, origin));
        assert_eq!(written.header("Access-Control-Allow-Credentials"), "true");
        assert_eq!(written.header("Vary"), "Origin");
        assert!(written.header("Access-Control-Expose-Headers").contains("Retry-After"));
    }
    assert_eq!(app.end_offset("t", 0).await, 2);
    let subjects = app.registry(Method::GET, "/subjects").header("Origin", "https://app.example").send().await;
    assert_eq!(subjects.header("Access-Control-Allow-Origin"), "https://app.example");
    let vary: Vec<_> = subjects.headers.get_all("Vary").iter().collect();
    assert_eq!(vary, ["Accept-Encoding", "Origin"]);
    // Refusals are shown to pages as well.
    let missing = app.request(Method::GET, "/no/such/path").header("Origin", "https://app.example").send().await;
    assert_eq!((missing.status, missing.header("Access-Control-Allow-Origin")), (404, "https://app.example"));
    let foreign = write(&app, FOREIGN).await;
    assert_eq!((foreign.status, foreign.header("Access-Control-Allow-Origin")), (403, ""));

    let asked = preflight(&app, "https://app.example", "POST", "content-type, ACCEPT").await;
    assert_eq!((asked.status, asked.text()), (200, ""));
    assert_eq!(asked.header("Access-Control-Allow-Origin"), "https://app.example");
    assert_eq!(asked.header("Access-Control-Allow-Methods"), "GET, POST, HEAD");
    assert_eq!(asked.header("Access-Control-Max-Age"), "1800");
    for (origin, method, headers) in [
        (FOREIGN, "POST", ""),
        ("https://app.example", "DELETE", ""),
        ("https://app.example", "post", ""),
        ("https://app.example", "POST", "Authorization"),
    ] {
        let refused = preflight(&app, origin, method, headers).await;
        assert_eq!((refused.status, refused.header("Access-Control-Allow-Methods")), (200, ""), "{origin} {method}");
    }
    // Other OPTIONS are answered by the route.
    let options = app.request(Method::OPTIONS, "/topics/t").header("Origin", "https://app.example").send().await;
    assert_eq!(options.header("Allow"), "GET,POST,HEAD,OPTIONS");

    let everybody = behind(FrontSettings {
        cors: CorsSettings { headers: vec!["*".to_owned()], ..allowing("*").cors },
        ..FrontSettings::default()
    })
    .await;
    let written = write(&everybody, FOREIGN).await;
    assert_eq!((written.status, written.header("Access-Control-Allow-Origin")), (200, "*"));
    assert_eq!(written.header("Access-Control-Allow-Credentials"), "");
    let asked = preflight(&everybody, FOREIGN, "POST", "Authorization").await;
    assert_eq!(asked.header("Access-Control-Allow-Headers"), "Authorization");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_those_of_the_proxy_in_front_or_of_the_public_url() {
    let instance = json!({"format": "json"});
    let create = |app: &TestApp, group: &str| {
        let call = app.request(Method::POST, &format!("/consumers/{group}")).json(&instance);
        call.header("Content-Type", "application/vnd.kafka.v2+json")
    };
    let proxied = |call: crate::app::Call| {
        let call = call.header("X-Forwarded-Proto", "https").header("X-Forwarded-Host", "kafka.example");
        call.header("X-Forwarded-Prefix", "/rest")
    };
    let trusting = FrontSettings {
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("a network")],
        headers: AddedHeaders { nosniff: true, hsts: true, ..AddedHeaders::default() },
        ..FrontSettings::default()
    };
    let app = behind(trusting).await;
    let clusters = proxied(app.request(Method::GET, "/v3/clusters")).send().await;
    let link = clusters.json()["metadata"]["self"].as_str().map(str::to_owned);
    assert_eq!(link.as_deref(), Some("https://kafka.example/rest/v3/clusters"));
    assert_eq!(clusters.header("X-Content-Type-Options"), "nosniff");
    assert!(clusters.header("Strict-Transport-Security").contains("max-age"), "it is HTTPS for the client");
    let created = proxied(create(&app, "g")).send().await;
    let base_uri = created.json()["base_uri"].as_str().unwrap_or_default().to_owned();
    assert!(base_uri.starts_with("https://kafka.example/rest/consumers/g/instances/"), "{base_uri}");
    // A page of the same host is one of this server.
    let own = proxied(create(&app, "h")).header("Origin", "https://kafka.example").send().await;
    assert_eq!(own.status, 200);
    let plain = app.get("/v3/clusters").await;
    assert_eq!(plain.json()["metadata"]["self"], format!("{}/v3/clusters", app.url()));
    assert_eq!(plain.header("Strict-Transport-Security"), "");

    // Nobody is trusted, so what a client says of itself counts for nothing.
    let app = behind(FrontSettings::default()).await;
    let clusters = proxied(app.request(Method::GET, "/v3/clusters")).send().await;
    assert_eq!(clusters.json()["metadata"]["self"], format!("{}/v3/clusters", app.url()));

    let public_url = Some(PublicUrl::parse("https://example.org/kafka/").expect("a URL"));
    let app = behind(FrontSettings { public_url, ..FrontSettings::default() }).await;
    let clusters = app.get("/v3/clusters").await;
    assert_eq!(clusters.json()["metadata"]["self"], "https://example.org/kafka/v3/clusters");
    assert_eq!(write(&app, "https://example.org").await.status, 200);
    assert_eq!(write(&app, FOREIGN).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_too_many_is_refused_and_writes_nothing() {
    // One request a second from each client: what proxies in front say tells clients apart.
    let limits = RateLimits { client_requests: NonZeroU32::new(1), ..RateLimits::default() };
    let trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    let app = behind(FrontSettings { limits, trusted_proxies, ..allowing("https://app.example") }).await;
    let made_up = AtomicUsize::new(0);
    let write = |client: &str| {
        let call = app.request(Method::POST, "/topics/t").json(&json!({"records": [{"value": 1}]}));
        let call = call.header("X-Forwarded-For", client).header("Origin", "https://app.example");
        // A client's own, which its proxy has handed on: another address each time.
        let made_up = format!("for=9.9.9.{}", made_up.fetch_add(1, Ordering::Relaxed));
        call.header("Forwarded", &made_up).header("Content-Type", JSON).send()
    };
    let mut written = 0;
    for client in ["1.1.1.1", "2.2.2.2"] {
        // However slow this machine is, not every one of these waits for a second.
        let mut taken = 0;
        let mut refused = Vec::new();
        for _ in 0..20 {
            let reply = write(client).await;
            if reply.status == 200 { taken += 1 } else { refused.push(reply) }
        }
        assert!(taken >= 1 && !refused.is_empty(), "{client}: {taken}");
        let refused = &refused[0];
        assert_eq!((refused.refusal(), refused.header("Retry-After")), ((429, 42901), "1"));
        assert_eq!(refused.header("Access-Control-Allow-Origin"), "https://app.example", "a page can read it");
        written += taken;
        assert_eq!(app.end_offset("t", 0).await, written);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_too_many_bytes_bodies_are_refused_until_they_are_paid_for() {
    let limits = RateLimits { bytes: NonZeroU32::new(1), ..RateLimits::default() };
    let app = behind(FrontSettings { limits, ..FrontSettings::default() }).await;
    let write = || {
        let call = app.request(Method::POST, "/topics/t").json(&json!({"records": [{"value": "x".repeat(1000)}]}));
        call.header("Content-Type", JSON).send()
    };
    assert_eq!(write().await.status, 200, "a body is never cut off");
    let refused = write().await;
    assert_eq!(refused.refusal(), (429, 42901));
    assert!(refused.header("Retry-After").parse::<u64>().expect("seconds") > 500, "{refused:?}");
    assert_eq!(app.get("/topics").await.status, 200, "it has no body");
    assert_eq!(app.end_offset("t", 0).await, 1);
}

/// Ten thousand bytes that become ten million.
#[tokio::test(flavor = "multi_thread")]
async fn a_packed_body_counts_as_what_it_becomes() {
    const BLANKS: usize = 10_000_000;
    let limits = RateLimits { bytes: NonZeroU32::new(100_000), ..RateLimits::default() };
    for (path, media_type, text) in [
        ("/topics/t", JSON, r#"{"records":[{"value":1}]}"#),
        ("v3", "application/json", r#"{"value":{"type":"JSON","data":1}}"#),
    ] {
        let app = behind(FrontSettings { limits, ..FrontSettings::default() }).await;
        let path = if path == "v3" { app.v3("topics/t/records") } else { path.to_owned() };
        let packed = zstd::bulk::compress((" ".repeat(BLANKS) + text).as_bytes(), 3).expect("in memory");
        assert!(packed.len() < 10_000, "{}", packed.len());
        let write = || {
            let call = app.request(Method::POST, &path).header("Content-Type", media_type);
            call.header("Content-Encoding", "zstd").body(packed.clone()).send()
        };
        assert_eq!(write().await.status, 200, "a body is never cut off");
        let refused = write().await;
        assert_eq!(refused.refusal(), (429, 42901), "{path}");
        let wait = refused.header("Retry-After").parse::<usize>().expect("seconds");
        assert!(wait > BLANKS / 100_000 / 2, "{refused:?}");
        assert_eq!(app.end_offset("t", 0).await, 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_api_v3_beyond_the_limit_fail_one_by_one() {
    let produce = ProduceBounds { records_per_second: NonZeroU32::new(1), ..ProduceBounds::default() };
    let app = TestApp::bounded(Bounds { produce, ..Bounds::default() }).await;
    app.topic("t", 1).await;
    let record = r#"{"value":{"type":"JSON","data":1}}"#;
    let call = app.request(Method::POST, &app.v3("topics/t/records")).body(record.repeat(20));
    let stream = call.header("Content-Type", "application/json").send().await;
    let codes: Vec<_> = stream.text().lines().map(|line| line.contains("\"error_code\":429")).collect();
    let refused = codes.iter().filter(|is_refused| **is_refused).count();
    // However slow this machine is, not every one of these waits for a second.
    assert!(codes.len() == 20 && !codes[0] && refused > 0, "{}", stream.text());
    assert!(stream.text().contains("limit of records per second has been exceeded. The record was not written"));
    let written = app.end_offset("t", 0).await;
    assert_eq!(written, 20 - refused as i64);

    let entry = |n: usize| json!({"id": n.to_string(), "value": {"type": "JSON", "data": 1}});
    let entries: Vec<_> = (0..10).map(entry).collect();
    let batch = app.post(&app.v3("topics/t/records:batch"), json!({"entries": entries})).await;
    let failures = batch.json()["failures"].as_array().expect("a list").clone();
    assert!(batch.status == 207 && !failures.is_empty() && failures[0]["error_code"] == 429, "{batch:?}");
    assert_eq!(app.end_offset("t", 0).await, written + 10 - failures.len() as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_are_switched_off_do_not_exist() {
    let names = |text| OperationNames::parse(text).expect("known names");
    let blocked = names("api.v3.topics.delete, listTopicNames, api.v2.produce-to-topic.avro");
    let operations = OperationSettings { blocked, ..OperationSettings::default() };
    let app = behind(FrontSettings { operations, ..FrontSettings::default() }).await;
    let deleted = app.delete(&app.v3("topics/t")).await;
    assert_eq!(deleted.refusal(), (405, 405));
    assert!(deleted.message().contains("blocked-operations"), "{}", deleted.message());
    assert_eq!(app.partitions("t").await, Some(1));
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(app.request(method, "//topics").send().await.status, 404);
    }
    assert_eq!(app.request(Method::OPTIONS, "/topics").send().await.status, 200);
    assert_eq!(app.get("/topics/t").await.status, 200);
    let body = json!({"value_schema": "\"int\"", "records": [{"value": 1}]});
    let call = || app.request(Method::POST, "/topics/t").json(&body);
    assert_eq!(call().header("Content-Type", "application/vnd.kafka.avro.v2+json").send().await.status, 405);
    assert_eq!(app.end_offset("t", 0).await, 0);
    assert_eq!(
        app.request(Method::POST, "/topics/t")
            .json(&json!({"records": [{"value": 1}]}))
            .header("Content-Type", JSON)
            .send()
            .await
            .status,
        200
    );

    let document = app.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("paths");
    let described = paths.values().flat_map(|path| path.as_object().expect("methods").values());
    for id in described.map(|operation| operation["operationId"].as_str().expect("an id")) {
        assert!(OperationNames::parse(id).is_ok(), "{id} is missing in front/operations.rs");
    }
    let allowed = names("api.v3.topics.*");
    let operations = OperationSettings { allowed, ..OperationSettings::default() };
    let app = app.behind(FrontSettings { operations, ..FrontSettings::default() }).await;
    assert_eq!(app.get(&app.v3("topics")).await.status, 200);
    assert_eq!((app.get("/topics").await.status, app.get("/v3/clusters").await.status), (404, 404));
}
