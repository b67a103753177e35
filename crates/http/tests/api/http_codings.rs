//! Content codings: packed request bodies on all APIs, and packed answers.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{GzEncoder, ZlibEncoder};
use hyper::Method;
use postern_http::Bounds;
use serde_json::json;

use crate::app::TestApp;

const JSON: &str = "application/vnd.kafka.json.v2+json";

fn packed(coding: &str, text: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("in memory")
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("in memory")
        }
        _ => zstd::bulk::compress(text, 3).expect("in memory"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_bodies_are_unpacked_on_all_apis() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    for coding in ["gzip", "deflate", "zstd"] {
        let body = json!({"records": [{"value": coding}]}).to_string();
        let call = app.request(Method::POST, "/topics/lab").header("Content-Type", JSON);
        let call = call.header("Content-Encoding", coding).body(packed(coding, body.as_bytes()));
        assert_eq!(call.send().await.status, 200, "{coding}");

        let body = json!({"value": {"type": "JSON", "data": "streamed"}}).to_string().repeat(3);
        let call = app.request(Method::POST, &app.v3("topics/lab/records")).header("Content-Type", "application/json");
        let call = call.header("Content-Encoding", coding).body(packed(coding, body.as_bytes()));
        let reply = call.send().await;
        assert_eq!((reply.status, reply.text().matches("\"error_code\":200").count()), (200, 3), "{}", reply.text());

        let body = json!({"schema": "\"int\""}).to_string();
        let call = app.registry(Method::POST, &format!("/subjects/{coding}/versions"));
        let call = call.header("Content-Type", "application/json").header("Content-Encoding", coding);
        let reply = call.body(packed(coding, body.as_bytes())).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let values: Vec<_> = app.records("lab").await.into_iter().filter_map(|(_, value)| value).collect();
    let streamed = values.iter().filter(|value| **value == "\"streamed\"").count();
    assert_eq!((values.len(), streamed, &values[0][..]), (12, 9, &b"\"gzip\""[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_unpacks_to_too_much_or_to_nothing_valid_is_refused_and_not_written() {
    let app = TestApp::bounded(Bounds { body: 1 << 20, ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    let mut huge = vec![b' '; 30 << 20];
    huge.extend_from_slice(br#"{"records":[{"value":1}]}"#);
    let small = br#"{"records":[{"value":1}]}"#;
    for coding in ["gzip", "deflate", "zstd"] {
        let whole = packed(coding, small);
        for (body, status) in
            [(packed(coding, &huge), 413), (small.to_vec(), 400), (whole[..whole.len() - 3].to_vec(), 400)]
        {
            let call = app.request(Method::POST, "/topics/lab").header("Content-Type", JSON);
            let reply = call.header("Content-Encoding", coding).body(body).send().await;
            assert_eq!(reply.status, status, "{coding}: {}", reply.text());
        }
    }
    let call = app.request(Method::POST, "/topics/lab").header("Content-Type", JSON).header("Content-Encoding", "br");
    let reply = call.body(small.to_vec()).send().await;
    assert_eq!(reply.refusal(), (415, 415));
    assert!(reply.text().contains("gzip, deflate, zstd"), "{}", reply.text());
    assert_eq!(app.end_offset("lab", 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_worth_it_are_packed_for_those_who_accept_it() {
    let app = TestApp::start().await;
    for n in 0..60 {
        app.topic(&format!("a.topic.with.a.long.name.{n}"), 1).await;
    }
    let get = |path: &str, accepted: &str| app.request(Method::GET, path).header("Accept-Encoding", accepted).send();
    let plain = get("/topics", "identity").await;
    assert!(
        plain.header("vary").eq_ignore_ascii_case("accept-encoding") && !plain.headers.contains_key("content-encoding")
    );
    let gzip = get("/topics", "gzip, deflate").await;
    assert_eq!((gzip.status, gzip.header("content-encoding")), (200, "gzip"));
    assert!(gzip.body.len() < plain.body.len() / 2);
    let mut text = Vec::new();
    GzDecoder::new(&gzip.body[..]).read_to_end(&mut text).expect("gzip");
    assert_eq!(text, plain.body);
    let zstd = get("/topics", "gzip, deflate, zstd").await;
    assert_eq!(zstd.header("content-encoding"), "zstd");
    assert_eq!(zstd::decode_all(&zstd.body[..]).expect("zstd"), plain.body);
    for small in ["/topics/a.topic.with.a.long.name.1/partitions", "/topics/missing"] {
        assert!(!get(small, "gzip").await.headers.contains_key("content-encoding"), "{small}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_its_id_and_one_without_gets_one() {
    let app = TestApp::start().await;
    let given = app.request(Method::GET, "/nowhere").header("X-Request-Id", "my-id").send().await;
    assert_eq!((given.status, given.header("x-request-id")), (404, "my-id"));
    let made = app.registry(Method::GET, "/subjects").send().await;
    assert_eq!(made.header("x-request-id").len(), 36);
}
