//! HTTPS: certificates of both sides, protocols, handshakes that do not end, and certificates that are renewed under load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern_http::front::FrontSettings;
use postern_http::{Bounds, ClientAuthentication, ConnectionInfo, Listener, TlsConfig, TlsVersion, serve};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::app::TestApp;

const LONG: Duration = Duration::from_secs(30);
const BOTH: &[TlsVersion] = &[TlsVersion::V1_2, TlsVersion::V1_3];

/// An authority that signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

type Pair = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed"))
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for localhost, and its key.
    fn issue(&self) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let signed = params.signed_by(&key, &self.0).expect("signed");
        (signed.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    fn config(&self, clients: ClientAuthentication, versions: &[TlsVersion]) -> TlsConfig {
        let (certificate, key) = self.issue();
        TlsConfig::new(vec![certificate], key, clients, versions).expect("it can be used")
    }
}

/// A client that trusts `authority`.
fn client(authority: &Authority, shown: Option<Pair>, protocols: &[&str]) -> ClientConfig {
    client_of(authority, shown, protocols, rustls::DEFAULT_VERSIONS)
}

fn client_of(
    authority: &Authority,
    shown: Option<Pair>,
    protocols: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate()).expect("a good certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("known versions")
        .with_root_certificates(roots);
    let mut config = match shown {
        Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).expect("a good pair"),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

/// Answers with what is known of the connection: version of HTTP, and the length of the client's certificate.
async fn start(config: watch::Receiver<TlsConfig>, bounds: Bounds) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = socket.local_addr().expect("it is bound");
    let answer = |request: Request<hyper::body::Incoming>| async move {
        let info = request.extensions().get::<ConnectionInfo>().expect("it is in every request");
        let shown = info.client_certificate().map_or(0, |certificate| certificate.len());
        assert!(info.tls.is_some());
        Response::new(Bytes::from(format!("{:?} {shown}", request.version())))
    };
    let listener = Listener::from(socket).with_tls(config);
    tokio::spawn(serve::serve_with(listener, answer, bounds, std::future::pending(), LONG));
    address
}

async fn connect(address: SocketAddr, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// What one request over HTTP/1.1 is answered on an open connection.
async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = String::new();
    while !answer.contains("HTTP/1.1 0") && !answer.ends_with(|last: char| last.is_ascii_digit()) {
        let mut piece = [0; 1000];
        let length = stream.read(&mut piece).await?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.push_str(std::str::from_utf8(&piece[..length]).expect("text"));
    }
    Ok(answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned())
}

/// The same on a connection of its own.
async fn ask_once(address: SocketAddr, config: ClientConfig) -> std::io::Result<String> {
    ask(&mut connect(address, config).await?).await
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_in_both_versions_of_tls() {
    let authority = Authority::new();
    let config = watch::Sender::new(authority.config(ClientAuthentication::None, BOTH));
    let address = start(config.subscribe(), Bounds::default()).await;
    for version in [&version::TLS12, &version::TLS13] {
        let answer = ask_once(address, client_of(&authority, None, &["http/1.1"], &[version])).await;
        assert_eq!(answer.expect("an answer"), "HTTP/1.1 0");
        // What is preferred here is chosen.
        let offered = client_of(&authority, None, &["http/1.1", "h2"], &[version]);
        let stream = connect(address, offered).await.expect("a connection");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        let request = Request::builder().uri("https://localhost/").body(Empty::<Bytes>::new()).expect("good");
        let answer = sender.send_request(request).await.expect("it answers").into_body().collect().await;
        assert_eq!(answer.expect("whole").to_bytes(), "HTTP/2.0 0");
    }
    // Without ALPN, as many clients do.
    assert_eq!(ask_once(address, client(&authority, None, &[])).await.expect("an answer"), "HTTP/1.1 0");

    config.send_replace(authority.config(ClientAuthentication::None, &[TlsVersion::V1_3]));
    assert!(connect(address, client_of(&authority, None, &[], &[&version::TLS12])).await.is_err());
    assert!(connect(address, client_of(&authority, None, &[], &[&version::TLS13])).await.is_ok());
}

#[tokio::test]
async fn a_certificate_of_the_client_is_asked_for_checked_and_handed_on() {
    let (authority, other) = (Authority::new(), Authority::new());
    let trusted = vec![authority.certificate()];
    let required = authority.config(ClientAuthentication::Required(trusted.clone()), BOTH);
    let config = watch::Sender::new(required);
    let address = start(config.subscribe(), Bounds::default()).await;
    for version in [&version::TLS12, &version::TLS13] {
        let ask = |shown| ask_once(address, client_of(&authority, shown, &[], &[version]));
        let good = authority.issue();
        let length = good.0.len();
        assert_eq!(ask(Some(good)).await.expect("it is trusted"), format!("HTTP/1.1 {length}"));
        assert!(ask(None).await.is_err(), "none is shown");
        assert!(ask(Some(other.issue())).await.is_err(), "nobody trusted has signed it");
    }
    config.send_replace(authority.config(ClientAuthentication::Requested(trusted), BOTH));
    let ask = |shown| ask_once(address, client(&authority, shown, &[]));
    assert_eq!(ask(None).await.expect("it need not be shown"), "HTTP/1.1 0");
    assert_ne!(ask(Some(authority.issue())).await.expect("it is trusted"), "HTTP/1.1 0");
    assert!(ask(Some(other.issue())).await.is_err(), "who shows one shows a good one");
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_handshake_holds_up_nobody_and_is_cut_off() {
    let authority = Authority::new();
    let config = watch::Sender::new(authority.config(ClientAuthentication::None, BOTH));
    let bounds = Bounds { idle: Duration::from_millis(500), connections: 3, ..Bounds::default() };
    let address = start(config.subscribe(), bounds).await;
    let mut silent = TcpStream::connect(address).await.expect("it listens");
    let mut begun = TcpStream::connect(address).await.expect("it listens");
    begun.write_all(&[0x16, 3, 1, 0, 200]).await.expect("sent");
    // The third of three connections is served at once; the fourth when the first two are cut off.
    let mut third = connect(address, client(&authority, None, &[])).await.expect("a connection");
    assert_eq!(ask(&mut third).await.expect("an answer"), "HTTP/1.1 0");
    assert_eq!(
        timeout(LONG, ask_once(address, client(&authority, None, &[]))).await.expect("in time").expect("an answer"),
        "HTTP/1.1 0"
    );
    for stuck in [&mut silent, &mut begun] {
        let closed = timeout(LONG, stuck.read(&mut [0; 100])).await.expect("in time");
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    }
}

#[tokio::test]
async fn http_without_tls_is_told_where_it_is() {
    let authority = Authority::new();
    let config = watch::Sender::new(authority.config(ClientAuthentication::None, BOTH));
    let address = start(config.subscribe(), Bounds::default()).await;
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(b"POST /topics/t HTTP/1.1\r\nHost: p\r\nContent-Length: 4\r\n\r\nbody").await.expect("sent");
    stream.shutdown().await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
}

/// Who reuses a connection for another host, or has pointed its name here, is told to open one for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_another_host_than_the_handshake_has_named_is_misdirected_where_that_is_checked() {
    let authority = Authority::new();
    let config = watch::Sender::new(authority.config(ClientAuthentication::None, BOTH));
    let app = TestApp::start().await;
    for (check_server_name, statuses) in [(true, ["200", "200", "200", "421", "421"]), (false, ["200"; 5])] {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = socket.local_addr().expect("it is bound");
        let front = FrontSettings { check_server_name, ..FrontSettings::default() };
        let api = postern_http::rest(app.proxy.clone(), &Bounds::default()).with_front(front);
        let listener = Listener::from(socket).with_tls(config.subscribe());
        tokio::spawn(serve::serve(listener, api, Bounds::default(), std::future::pending(), LONG));
        let mut found = Vec::new();
        for host in ["localhost", "LOCALHOST:8082", "localhost.", "evil.example", "127.0.0.1"] {
            let mut stream = connect(address, client(&authority, None, &[])).await.expect("a connection");
            let request = format!("GET /topics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            found.push(answer.get(9..12).unwrap_or_default().to_owned());
        }
        assert_eq!(found, statuses);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_under_load_and_no_request_fails() {
    let authority = Authority::new();
    let config = watch::Sender::new(authority.config(ClientAuthentication::None, BOTH));
    let address = start(config.subscribe(), Bounds::default()).await;
    let mut kept = connect(address, client(&authority, None, &[])).await.expect("a connection");
    let mut seen = Vec::new();
    for _ in 0..10 {
        let load: Vec<_> = (0..8).map(|_| tokio::spawn(ask_once(address, client(&authority, None, &[])))).collect();
        config.send_replace(authority.config(ClientAuthentication::None, BOTH));
        for request in load {
            assert_eq!(request.await.expect("no panic").expect("an answer"), "HTTP/1.1 0");
        }
        assert_eq!(ask(&mut kept).await.expect("an open connection is not touched"), "HTTP/1.1 0");
        let fresh = connect(address, client(&authority, None, &[])).await.expect("a connection");
        seen.push(fresh.get_ref().1.peer_certificates().expect("shown")[0].to_vec());
    }
    seen.dedup();
    assert_eq!(seen.len(), 10, "each new connection sees the new certificate");
}
