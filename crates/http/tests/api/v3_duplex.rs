//! Streams of records as connections carry them: both ways at once, clients that send all before they read, clients that leave.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern_http::Bounds;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::app::TestApp;

const LONG: Duration = Duration::from_secs(30);

fn record(n: usize) -> String {
    format!(r#"{{"value":{{"type":"JSON","data":{n}}}}}"#)
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// A connection over which the head of a stream to `lab` has been sent.
async fn open(app: &TestApp) -> BufReader<TcpStream> {
    let mut stream = app.connect().await;
    let path = app.v3("topics/lab/records");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    BufReader::new(stream)
}

async fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    timeout(LONG, stream.read_line(&mut line)).await.expect("it is answered").expect("it is text");
    line
}

/// The head of the response.
async fn head(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head += &line(stream).await;
    }
    head
}

/// The data of the next chunks, until they end with a whole line. `None`: the response has ended.
async fn receipts(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut data = String::new();
    while !data.ends_with("}\r\n") {
        let size = usize::from_str_radix(line(stream).await.trim_end(), 16).expect("the size of a chunk");
        let mut bytes = vec![0; size + 2];
        stream.read_exact(&mut bytes).await.expect("the chunk");
        if size == 0 {
            return None;
        }
        data += std::str::from_utf8(&bytes[..size]).expect("text");
    }
    Some(data)
}

fn offset(receipt: &str) -> i64 {
    let receipt: Value = serde_json::from_str(receipt).expect("JSON");
    receipt["offset"].as_i64().unwrap_or_else(|| panic!("written: {receipt}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_record_may_depend_on_the_last_receipt() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let mut stream = open(&app).await;
    // The head of the response does not wait for the first record.
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("transfer-encoding: chunked"), "{head}");
    for n in 0..20 {
        // In two pieces, neither of which is a document.
        let record = record(n);
        let (first, second) = (chunk(&record[..9]), chunk(&record[9..]));
        stream.get_mut().write_all(first.as_bytes()).await.expect("sent");
        stream.get_mut().flush().await.expect("sent");
        stream.get_mut().write_all(second.as_bytes()).await.expect("sent");
        let receipt = receipts(&mut stream).await.expect("a receipt");
        assert_eq!(offset(&receipt), n as i64);
        assert_eq!(app.end_offset("lab", 0).await, n as i64 + 1, "the receipt is true");
    }
    stream.get_mut().write_all(b"0\r\n\r\n").await.expect("sent");
    assert_eq!(receipts(&mut stream).await, None, "the response ends with the request");
    // The connection serves the next request.
    stream.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: p\r\n\r\n").await.expect("sent");
    assert_eq!(line(&mut stream).await, "HTTP/1.1 200 OK\r\n");
}

/// The body of a request over HTTP/2, piece by piece.
struct Pieces(mpsc::Receiver<String>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(Bytes::from(piece)))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_at_once_over_http2() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(app.connect().await))
            .await
            .expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let (pieces, body) = mpsc::channel(1);
    let request = Request::builder().method(Method::POST).uri(app.url() + &app.v3("topics/lab/records"));
    let request = request.header("Content-Type", "application/json").body(Pieces(body)).expect("a good request");
    let mut reply =
        timeout(LONG, sender.send_request(request)).await.expect("before the first record").expect("answered");
    assert_eq!(reply.status(), 200);
    for n in 0..20 {
        pieces.send(record(n)).await.expect("the request is open");
        let piece = timeout(LONG, reply.frame()).await.expect("it is answered").expect("more").expect("whole");
        let receipt = piece.into_data().expect("data");
        assert_eq!(offset(std::str::from_utf8(&receipt).expect("text")), n as i64);
    }
    drop(pieces);
    let rest = timeout(LONG, reply.collect()).await.expect("it ends").expect("whole").to_bytes();
    assert_eq!(rest, Bytes::new());
    assert_eq!(app.end_offset("lab", 0).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_thousands_of_records_before_it_reads_gets_a_receipt_for_each_in_order() {
    const RECORDS: usize = 20_000;
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let mut stream = open(&app).await;
    for n in 0..RECORDS / 100 {
        let records: String = (100 * n..100 * (n + 1)).map(record).collect();
        timeout(LONG, stream.get_mut().write_all(chunk(&records).as_bytes())).await.expect("it is read").expect("sent");
    }
    stream.get_mut().write_all(b"0\r\n\r\n").await.expect("sent");
    head(&mut stream).await;
    let mut next = 0;
    while let Some(receipts) = receipts(&mut stream).await {
        for receipt in receipts.split_terminator("\r\n") {
            assert_eq!(offset(receipt), next);
            next += 1;
        }
    }
    assert_eq!(next, RECORDS as i64);
    let values: Vec<_> = app.records("lab").await.into_iter().filter_map(|(_, value)| value).collect();
    assert!(
        values.iter().enumerate().all(|(n, value)| *value == n.to_string().as_bytes()),
        "in the order of the documents"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_leaves_nothing_behind() {
    let app = TestApp::bounded(Bounds { connections: 1, ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    let mut stream = open(&app).await;
    let said = record(0) + &record(1)[..10];
    stream.get_mut().write_all(chunk(&said).as_bytes()).await.expect("sent");
    head(&mut stream).await;
    assert_eq!(offset(&receipts(&mut stream).await.expect("a receipt")), 0);
    drop(stream);
    // The only connection is free again, and half of a record is none.
    let reply = timeout(LONG, app.get("/")).await.expect("the connection was given up");
    assert_eq!(reply.status, 200);
    assert_eq!(app.end_offset("lab", 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_ends_a_stream_is_seen_by_who_sends_all_before_it_reads() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let mut stream = open(&app).await;
    stream.get_mut().write_all(chunk(&(record(0) + ",")).as_bytes()).await.expect("sent");
    let rest = chunk(&record(1).repeat(1000));
    for _ in 0..100 {
        timeout(LONG, stream.get_mut().write_all(rest.as_bytes())).await.expect("it is read").expect("sent");
    }
    stream.get_mut().write_all(b"0\r\n\r\n").await.expect("sent");
    head(&mut stream).await;
    let mut answers = String::new();
    while let Some(more) = receipts(&mut stream).await {
        answers += &more;
    }
    let codes: Vec<_> = answers.split_terminator("\r\n").map(|line| &line[..17]).collect();
    assert_eq!(codes, ["{\"error_code\":200", "{\"error_code\":400"]);
    assert_eq!(app.end_offset("lab", 0).await, 1);
}
