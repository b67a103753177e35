//! Content codings: packed request bodies on all APIs, and packed answers.

use std::io::{Read, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{GzEncoder, ZlibEncoder};
use hyper::Method;
use postern_http::Bounds;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

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
    for (coding, bytes) in [("gzip", packed("gzip", b"")), ("zstd", vec![0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0])] {
        let call = app.request(Method::POST, "/topics/lab").header("Content-Type", JSON);
        let call = call.header("Content-Encoding", coding).body(bytes.repeat((1 << 20) / bytes.len()));
        let reply = call.send().await;
        assert_eq!(reply.refusal(), (400, 400), "{coding}");
        assert!(reply.message().contains("expected at most 1000"), "{}", reply.message());
    }
    let call = app.request(Method::POST, "/topics/lab").header("Content-Type", JSON).header("Content-Encoding", "br");
    let reply = call.body(small.to_vec()).send().await;
    assert_eq!(reply.refusal(), (415, 415));
    assert!(reply.text().contains("gzip, deflate, zstd"), "{}", reply.text());
    assert_eq!(app.end_offset("lab", 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_stream_that_breaks_off_answers_what_came_and_says_so() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let record = json!({"value": {"type": "JSON", "data": 1}}).to_string();
    let mut written = 0;
    for coding in ["gzip", "deflate", "zstd"] {
        let whole = packed(coding, record.repeat(2).as_bytes());
        let call = app.request(Method::POST, &app.v3("topics/lab/records")).header("Content-Type", "application/json");
        let call = call.header("Content-Encoding", coding).body(whole[..whole.len() - 1].to_vec());
        let reply = call.send().await;
        let answers: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let codes: Vec<_> = answers.iter().map(|answer| answer["error_code"].clone()).collect();
        let message = answers.last().expect("an answer")["message"].as_str().unwrap_or_default();
        assert!(
            message.contains(&format!("is not valid {coding}")) && message.contains("it ends too early"),
            "{message}"
        );
        assert!(message.contains("was not written"), "{message}");
        assert_eq!(codes.last(), Some(&json!(400)), "{codes:?}");
        // A block of zstd is whole or nothing.
        assert!(coding == "zstd" || codes.len() == 3, "{coding}: {codes:?}");
        written += codes.iter().filter(|code| **code == 200).count() as i64;
        assert_eq!(app.end_offset("lab", 0).await, written, "{codes:?}");
    }
}

/// The answer to a record that was flushed does not wait for the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_packed_stream_is_answered_when_it_was_flushed() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let mut stream = app.connect().await;
    let path = app.v3("topics/lab/records");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    for n in 0..3 {
        gzip.write_all(br#"{"value":{"type":"JSON","data":1}}"#).and_then(|()| gzip.flush()).expect("in memory");
        let piece = std::mem::take(gzip.get_mut());
        stream.write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat()).await.expect("sent");
        let (mut said, receipt) = (String::new(), format!("\"offset\":{n},"));
        while !said.contains(&receipt) {
            let mut more = [0; 4096];
            let read = timeout(Duration::from_secs(20), stream.read(&mut more)).await.expect("it is answered at once");
            said.push_str(&String::from_utf8_lossy(&more[..read.expect("it is open")]));
        }
    }
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
