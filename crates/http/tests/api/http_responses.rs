//! Responses that are not read, and the last ones before the server stops.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern_http::{Bounds, ConnectionInfo, Listener, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(30);

struct Server {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<bool>,
}

/// Answers every request with `length` bytes.
async fn start(length: usize, bounds: Bounds) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let answer = move |_| async move { Response::new(Bytes::from(vec![b'x'; length])) };
    let stopped = async { drop(stopped.await) };
    let serving = tokio::spawn(serve::serve_with(listener, answer, bounds, stopped, LONG));
    Server { address, stop, serving }
}

fn get() -> Request<Empty<Bytes>> {
    Request::builder().uri("http://postern/").body(Empty::new()).expect("a good request")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_is_reset_while_the_connection_lives() {
    let bounds = Bounds { idle: Duration::from_millis(500), ..Bounds::default() };
    let server = start(1 << 20, bounds).await;
    let stream = TokioIo::new(TcpStream::connect(server.address).await.expect("it listens"));
    let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(1000).initial_connection_window_size(1 << 20);
    let (mut sender, connection) = client.handshake(stream).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let stalled = sender.send_request(get()).await.expect("it answers");
    // The connection answers pings all the while, and is told to be used no longer.
    let told = async {
        while !sender.is_closed() && sender.ready().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LONG, told).await.expect("the server says goodbye");
    timeout(LONG, stalled.into_body().collect()).await.expect("it ends").expect_err("not with the whole response");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_response_over_http2_arrives_whole() {
    let server = start(3_000_001, Bounds::default()).await;
    let stream = TokioIo::new(TcpStream::connect(server.address).await.expect("it listens"));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let response = sender.send_request(get()).await.expect("it answers");
    assert_eq!(response.headers()["content-length"], "3000001");
    assert_eq!(response.into_body().collect().await.expect("whole").to_bytes().len(), 3_000_001);
}

/// On one thread, so that the request and the signal to stop meet the server at the same moment.
#[tokio::test]
async fn a_request_on_an_idle_connection_at_the_stop_is_answered_and_the_connection_closed() {
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: p\r\n\r\n";
    let server = start(2, Bounds::default()).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.address).await.expect("it listens");
        stream.write_all(REQUEST).await.expect("sent");
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.expect("answered");
        let mut rest = [0; 4096];
        assert!(stream.read(&mut rest).await.expect("the rest of it") > 0);
        streams.push(stream);
    }
    // One that the server has not accepted yet.
    streams.push(TcpStream::connect(server.address).await.expect("it listens"));
    server.stop.send(()).expect("it serves");
    for stream in &mut streams {
        tokio::task::yield_now().await;
        stream.write_all(REQUEST).await.expect("sent");
    }
    for mut stream in streams {
        let mut answer = String::new();
        timeout(LONG, stream.read_to_string(&mut answer)).await.expect("closed").expect("not reset");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    }
    assert!(server.serving.await.expect("no panic"), "every request was answered");
}

#[tokio::test]
async fn a_request_knows_who_is_at_the_other_end() {
    let listener = TcpListener::bind("[::]:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let answer = |request: Request<hyper::body::Incoming>| async move {
        let info = request.extensions().get::<ConnectionInfo>().expect("it is in every request");
        assert!(info.tls.is_none() && info.client == info.peer && info.client_certificate().is_none());
        Response::new(Bytes::from(format!("<{}>", info.peer.expect("a TCP connection"))))
    };
    tokio::spawn(serve::serve_with(listener, answer, Bounds::default(), std::future::pending(), LONG));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let here = stream.local_addr().expect("it is connected");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n").await.expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("an answer");
    assert!(response.ends_with(&format!("<{here}>")), "IPv4 on a socket of IPv6: {response}");
}

#[tokio::test]
async fn a_load_balancer_says_who_the_client_is_and_others_cannot() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let listener = Listener::from(listener).with_proxy_protocol(&["127.0.0.2/32".parse().expect("a network")]);
    let answer = |request: Request<hyper::body::Incoming>| async move {
        let info = request.extensions().get::<ConnectionInfo>().expect("it is in every request");
        let (peer, client) = (info.peer_ip().expect("TCP"), info.client.expect("TCP"));
        Response::new(Bytes::from(format!("<{peer} {client}>")))
    };
    let bounds = Bounds { idle: Duration::from_secs(5), ..Bounds::default() };
    tokio::spawn(serve::serve_with(listener, answer, bounds, std::future::pending(), LONG));
    let ask = |from: &'static str, header: &'static str| async move {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{from}:0").parse().expect("an address")).expect("loopback has it");
        let mut stream = socket.connect(address).await.expect("it listens");
        let request = format!("{header}GET / HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut response = String::new();
        let _ = stream.read_to_string(&mut response).await;
        response
    };
    const HEADER: &str = "PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n";
    assert!(ask("127.0.0.2", HEADER).await.ends_with("<127.0.0.2 192.0.2.1:4711>"));
    assert_eq!(ask("127.0.0.2", "").await, "", "it must be said");
    assert!(ask("127.0.0.3", HEADER).await.starts_with("HTTP/1.1 400 "), "others are not believed");
    assert!(ask("127.0.0.3", "").await.contains("<127.0.0.3 127.0.0.3:"));
}
