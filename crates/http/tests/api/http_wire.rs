//! HTTP as clients really speak it: one request behind another, bodies in chunks, HTTP/2, and heads that are too long.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::app::TestApp;

const JSON: &str = "application/vnd.kafka.json.v2+json";

/// What is answered to `said`, which ends with a request to close.
async fn talk(app: &TestApp, said: &str) -> String {
    let mut stream = app.connect().await;
    stream.write_all(said.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it is answered and closed");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_behind_one_another_are_answered_in_their_order() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let body = r#"{"records":[{"value":1}]}"#;
    let post = format!(
        "POST /topics/lab HTTP/1.1\r\nHost: p\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let said = format!(
        "{post}GET /nothing HTTP/1.1\r\nHost: p\r\n\r\n{post}GET / HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n"
    );
    let answer = talk(&app, &said).await;
    let statuses: Vec<&str> = answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "404", "200", "200"], "{answer}");
    assert!(answer.find("\"offset\":0") < answer.find("\"offset\":1"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let app = TestApp::start().await;
    let mut stream = app.connect().await;
    let mut ask = async |said: &str| {
        stream.write_all(said.as_bytes()).await.expect("sent");
        let mut answer = [0; 15];
        let answered = timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await;
        answered.expect("it does not wait").expect("it is answered");
        let mut more = [0; 4096];
        let length = stream.read(&mut more).await.expect("the rest of it");
        assert!(length > 0);
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert_eq!(ask("GET / HTTP/1.1\r\nHost: p\r\n\r\nGET /noth").await, "HTTP/1.1 200 OK");
    assert_eq!(ask("ing HTTP/1.1\r\nHost: p\r\n\r\n").await, "HTTP/1.1 404 No");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_answered_before_the_connection_is_closed() {
    let app = TestApp::start().await;
    let many = "x-one-of-many: 1\r\n".repeat(200);
    for (said, status) in [
        ("GET / HTTP/1.1\r\nHost p\r\n\r\n", "400"),
        ("GET /a b HTTP/1.1\r\nHost: p\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: p\r\nContent-Length: -1\r\n\r\n", "400"),
        (&format!("GET / HTTP/1.1\r\n{many}\r\n"), "431"),
    ] {
        assert_eq!(talk(&app, said).await.get(9..12), Some(status), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_to_be_told_to_go_on_is_told_unless_it_is_refused_first() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let ask = |content_type| {
        format!(
            "POST /topics/lab HTTP/1.1\r\nHost: p\r\nContent-Type: {content_type}\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
    };
    let mut stream = app.connect().await;
    stream.write_all(ask(JSON).as_bytes()).await.expect("sent");
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.expect("it is told");
    assert_eq!(told, *b"HTTP/1.1 100 Continue\r\n\r\n");
    let chunks = "b;x=y\r\n{\"records\":\r\ne\r\n[{\"value\":1}]}\r\n0\r\nTrailer: x\r\n\r\n";
    stream.write_all(chunks.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it is answered and closed");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let refused = talk(&app, &ask("text/plain")).await;
    assert!(refused.starts_with("HTTP/1.1 415"), "{refused}");
    let broken = talk(&app, &format!("{}zz\r\n", ask(JSON).replace("Expect: 100-continue\r\n", ""))).await;
    assert!(broken.starts_with("HTTP/1.1 400") && broken.contains("broke off"), "{broken}");
    assert_eq!(app.end_offset("lab", 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_shuts_down_its_side_after_the_request_is_answered() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let body = r#"{"records":[{"value":1}]}"#;
    for n in 0..20 {
        let mut stream = app.connect().await;
        let head = format!(
            "POST /topics/lab HTTP/1.1\r\nHost: p\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("shut down");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it is answered and closed");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("\"offset\":{n},")), "{answer}");
    }
    assert_eq!(app.end_offset("lab", 0).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_needs_exactly_one_valid_host() {
    let app = TestApp::start().await;
    for (version, hosts, status) in [
        ("1.1", "", "400"),
        ("1.1", "Host: a\r\nHost: a\r\n", "400"),
        ("1.1", "Host: a b/%%\"<x>\r\n", "400"),
        ("1.1", "Host: user@a\r\n", "400"),
        ("1.1", "Host:\r\n", "400"),
        ("1.1", "Host: a:99999\r\n", "400"),
        ("1.1", "Host: a_b:8082\r\n", "200"),
        ("1.1", "Host: [::1]:8082\r\n", "200"),
        ("1.0", "", "200"),
    ] {
        let answer = talk(&app, &format!("GET / HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n")).await;
        assert_eq!(answer.get(9..12), Some(status), "{hosts}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_whole_server_names_its_methods() {
    let app = TestApp::start().await;
    let answer = talk(&app, "OPTIONS * HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 204 No Content\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("\r\nallow: delete,get,patch,post,put,head,options\r\n"), "{answer}");
    let get = talk(&app, "GET * HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n").await;
    assert!(get.starts_with("HTTP/1.1 404"), "{get}");
}

/// Somebody in front who goes by the length would take what follows for a request of another client.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_beside_chunks_is_not_believed_and_ends_the_connection() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let chunks = "19\r\n{\"records\":[{\"value\":1}]}\r\n0\r\n\r\n";
    let hidden = format!(
        "POST /topics/lab HTTP/1.1\r\nHost: p\r\nContent-Type: {JSON}\r\nContent-Length: 25\r\n\r\n{{\"records\":[{{\"value\":2}}]}}"
    );
    for both in
        ["Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 500\r\n"]
    {
        let head = format!("POST /topics/lab HTTP/1.1\r\nHost: p\r\nContent-Type: {JSON}\r\n{both}\r\n");
        let answers = talk(&app, &format!("{head}{chunks}{hidden}")).await;
        assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
        assert_eq!(answers.matches("HTTP/1.1").count(), 1, "{answers}");
    }
    assert_eq!(app.end_offset("lab", 0).await, 2, "what stands behind it is no request");
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_codings_that_are_not_decoded_are_refused() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let chunks = "19\r\n{\"records\":[{\"value\":1}]}\r\n0\r\n\r\n";
    for (codings, status) in [
        ("Transfer-Encoding: gzip, chunked\r\n", "501"),
        ("Transfer-Encoding: identity, chunked\r\n", "501"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "501"),
        ("Transfer-Encoding: Chunked\r\n", "200"),
    ] {
        let head = format!("POST /topics/lab HTTP/1.1\r\nHost: p\r\nContent-Type: {JSON}\r\n{codings}");
        let close = if status == "200" { "Connection: close\r\n" } else { "" };
        let answer = talk(&app, &format!("{head}{close}\r\n{chunks}")).await;
        assert_eq!(answer.get(9..12), Some(status), "{codings}: {answer}");
    }
    assert_eq!(app.end_offset("lab", 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_say_what_to_use_instead() {
    let app = TestApp::start().await;
    let message = async |method, path: &str| app.request(method, path).send().await.message();
    let unknown = message(Method::GET, "/sasquatch-rest-proxy/topics/x").await;
    assert!(unknown.contains("no path /sasquatch-rest-proxy/topics/x") && unknown.contains("/topics"), "{unknown}");
    let elsewhere = message(Method::GET, "/subjects").await;
    assert!(elsewhere.contains("/subjects belongs to the Schema Registry"), "{elsewhere}");
    let elsewhere = app.registry(Method::GET, "/topics/x").send().await;
    assert_eq!(elsewhere.refusal(), (404, 404));
    assert!(elsewhere.message().contains("belongs to the REST proxy"), "{}", elsewhere.message());
    let instead = message(Method::POST, "/topics").await;
    assert!(instead.contains("only GET, HEAD, OPTIONS") && instead.contains("POST /v3/clusters"), "{instead}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_without_an_upgrade() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let stream = TokioIo::new(app.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    for value in 0..3 {
        let body = json!({"records": [{"value": value}]}).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/topics/lab", app.url()))
            .header("content-type", JSON)
            .body(Full::new(Bytes::from(body)))
            .expect("a good request");
        assert_eq!(sender.send_request(request).await.expect("it answers").status(), 200);
    }
    let request = Request::builder().uri(format!("{}/v3/clusters", app.url())).body(Full::new(Bytes::new()));
    let reply = sender.send_request(request.expect("a good request")).await.expect("it answers");
    let body = reply.into_body().collect().await.expect("the answer is whole").to_bytes();
    let links = String::from_utf8_lossy(&body);
    assert!(links.contains(&format!("\"self\":\"{}/v3/clusters\"", app.url())), "{links}");
    assert_eq!(app.end_offset("lab", 0).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_told_so() {
    let app = TestApp::start().await;
    let long = app.get(&format!("/topics?{}", "x".repeat(8190))).await;
    assert_eq!((long.refusal(), long.header("content-type")), ((414, 414), "application/json"));
    assert_eq!(app.get(&format!("/topics?{}", "x".repeat(8000))).await.status, 200);
    let headers = |length: usize| app.request(Method::GET, "/topics").header("x-much", &"x".repeat(length));
    assert_eq!(headers(40_000).send().await.refusal(), (431, 431));
    assert_eq!(headers(20_000).send().await.status, 200);
    let far = talk(&app, &format!("GET /{} HTTP/1.1\r\nHost: p\r\n\r\n", "x".repeat(300_000))).await;
    assert!(far.starts_with("HTTP/1.1 414") || far.starts_with("HTTP/1.1 431"), "{far}");
}
