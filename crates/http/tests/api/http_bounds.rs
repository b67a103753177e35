//! What clients may take up: bytes, connections, patience. Each bound is reached, and what is within it goes on.

use std::time::Duration;

use hyper::Method;
use postern_http::Bounds;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::TestApp;

const JSON: &str = "application/vnd.kafka.json.v2+json";
/// So long a test waits for what should come soon.
const LONG: Duration = Duration::from_secs(30);

fn head(length: usize) -> String {
    format!("POST /topics/lab HTTP/1.1\r\nHost: postern\r\nContent-Type: {JSON}\r\nContent-Length: {length}\r\n\r\n")
}

/// All that comes until the other side closes; empty where it just does.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // An end by force is an end, too.
    let _ = timeout(LONG, stream.read_to_end(&mut answer)).await.expect("the server ends it");
    String::from_utf8(answer).expect("answers are UTF-8")
}

/// The beginning of an answer.
async fn status(stream: &mut TcpStream) -> String {
    let mut line = [0; 12];
    timeout(LONG, stream.read_exact(&mut line)).await.expect("it answers").expect("it does not hang up");
    String::from_utf8_lossy(&line).into_owned()
}

async fn produce(app: &TestApp, body: String) -> (u16, i64) {
    app.request(Method::POST, "/topics/lab").body(body).header("Content-Type", JSON).send().await.refusal()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_the_bound_is_refused_announced_or_in_chunks() {
    let app = TestApp::bounded(Bounds { body: 10_000, ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    let record = |length: usize| json!({"records": [{"value": "x".repeat(length)}]}).to_string();
    assert_eq!(produce(&app, record(9_000)).await, (200, 0));
    assert_eq!(produce(&app, record(10_000)).await, (413, 413));

    let mut stream = app.connect().await;
    let head = head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked\r\nConnection: close");
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    stream.write_all(format!("{head}{}", chunk.repeat(3)).as_bytes()).await.expect("sent");
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413"));
    assert_eq!(app.end_offset("lab", 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_records_than_could_wait_for_the_broker_are_refused_while_they_are_read() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let body = format!("{{\"records\":[{}{{}}]}}", "{},".repeat(300_000));
    let reply = app.request(Method::POST, "/topics/lab").body(body).header("Content-Type", JSON).send().await;
    assert_eq!(reply.refusal(), (413, 413));
    assert!(reply.message().starts_with("records has more than the 262144 entries"), "{}", reply.message());
    assert_eq!(app.end_offset("lab", 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_and_does_not_come_takes_no_room_and_is_given_up() {
    let idle = Duration::from_millis(700);
    let app = TestApp::bounded(Bounds { bodies: 100_000, body: 90_000, idle, ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    let mut lazy = Vec::new();
    for _ in 0..20 {
        let mut stream = app.connect().await;
        stream.write_all(format!("{}{{", head(90_000)).as_bytes()).await.expect("sent");
        lazy.push(stream);
    }
    assert_eq!(produce(&app, json!({"records": [{"value": 1}]}).to_string()).await, (200, 0));
    for mut stream in lazy {
        assert_eq!(status(&mut stream).await, "HTTP/1.1 408");
    }
    assert_eq!(app.end_offset("lab", 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_fill_the_room_wait_for_each_other_and_all_come_to_an_end() {
    let app = TestApp::bounded(Bounds { bodies: 100_000, body: 90_000, ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    let body = json!({"records": [{"value": "x".repeat(80_000)}]}).to_string();
    let (first, second) = body.split_at(60_000);
    // Each has sent more than half of the room before the other half of any is there.
    let mut streams = Vec::new();
    for _ in 0..6 {
        let mut stream = app.connect().await;
        stream.write_all(format!("{}{first}", head(body.len())).as_bytes()).await.expect("sent");
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    for stream in &mut streams {
        stream.write_all(second.as_bytes()).await.expect("sent");
    }
    for mut stream in streams {
        assert_eq!(status(&mut stream).await, "HTTP/1.1 200");
    }
    assert_eq!(app.end_offset("lab", 0).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_a_body_is_refused_in_the_end() {
    let idle = Duration::from_millis(1500);
    let app = TestApp::bounded(Bounds { bodies: 2048, body: 1_000_000, idle, ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    // One has all the room; another has the place beside it, and goes on without an end.
    let mut first = app.connect().await;
    first.write_all(format!("{}{}", head(80_000), " ".repeat(2_000)).as_bytes()).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut second = app.connect().await;
    second.write_all(format!("{}{}", head(900_000), " ".repeat(40_000)).as_bytes()).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut third = app.connect().await;
    third.write_all(format!("{}{}", head(30_000), " ".repeat(30_000)).as_bytes()).await.expect("sent");
    let going_on = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            second.write_all(&[b' '; 4_000]).await.expect("it is read");
        }
    });
    assert_eq!(status(&mut third).await, "HTTP/1.1 503");
    going_on.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_closed_and_make_place_for_others() {
    let idle = Duration::from_millis(500);
    let app = TestApp::bounded(Bounds { connections: 3, idle, ..Bounds::default() }).await;
    let mut silent = Vec::new();
    for said in ["", "P", "GET /topics HTTP/1.1\r\nHost: pos"] {
        let mut stream = app.connect().await;
        stream.write_all(said.as_bytes()).await.expect("sent");
        silent.push(stream);
    }
    assert_eq!(timeout(LONG, app.get("/topics")).await.expect("there is place in the end").status, 200);
    for mut stream in silent {
        let said = rest(&mut stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
}
