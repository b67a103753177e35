//! What the tests share: a broker in a temporary directory, a client over a real socket, and record batches.

pub(crate) mod batches;

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use postern_broker::{Broker, Settings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// A broker in a temporary directory.
pub(crate) struct TestBroker {
    pub(crate) broker: Broker,
    pub(crate) dir: TempDir,
    _watchdog: Watchdog,
}

/// Aborts the process if a test takes longer than any should: a thread that spins would otherwise hang it for ever, and the
/// abort says which test it was.
pub(crate) struct Watchdog {
    _running: mpsc::SyncSender<()>,
}

impl Watchdog {
    const LIMIT: Duration = Duration::from_secs(300);

    pub(crate) fn start() -> Watchdog {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let (running, ended) = mpsc::sync_channel(0);
        std::thread::spawn(move || {
            if ended.recv_timeout(Watchdog::LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{test} has run for {:?}: it hangs", Watchdog::LIMIT);
                std::process::abort();
            }
        });
        Watchdog { _running: running }
    }
}

impl TestBroker {
    pub(crate) async fn start() -> TestBroker {
        TestBroker::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> TestBroker {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::for_test(dir.path());
        change(&mut settings);
        TestBroker::of(Broker::start(settings).await.unwrap(), dir)
    }

    pub(crate) fn of(broker: Broker, dir: TempDir) -> TestBroker {
        TestBroker { broker, dir, _watchdog: Watchdog::start() }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.broker.address()).await.unwrap()
    }
}

pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    sent: i32,
}

impl Client {
    pub(crate) async fn connect(address: impl ToSocketAddrs) -> io::Result<Client> {
        Ok(Client { socket: TcpStream::connect(address).await?, sent: 0 })
    }

    /// The response, or `None` if the broker died.
    pub(crate) async fn try_call<R: Request>(&mut self, version: i16, request: R) -> Option<R::Response> {
        self.try_send(version, request).await.ok()?;
        self.receive::<R>(version).await
    }

    pub(crate) async fn call<R: Request>(&mut self, version: i16, request: R) -> R::Response {
        self.send(version, request).await;
        self.receive::<R>(version).await.expect("a response")
    }

    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: R) {
        self.try_send(version, request).await.unwrap();
    }

    async fn try_send<R: Request>(&mut self, version: i16, request: R) -> io::Result<()> {
        self.sent += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.sent)
            .with_client_id(Some(StrBytes::from_static_str("wire")));
        let mut frame = BytesMut::new();
        frame.put_u32(0);
        header.encode(&mut frame, R::header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = frame.len() as u32 - 4;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.socket.write_all(&frame).await
    }

    /// The next response; `None` if the broker has closed the connection. Panics if bytes are left over.
    pub(crate) async fn receive<R: Request>(&mut self, version: i16) -> Option<R::Response> {
        let length = self.socket.read_u32().await.ok()?;
        let mut frame = vec![0; length as usize];
        self.socket.read_exact(&mut frame).await.ok()?;
        let mut frame = Bytes::from(frame);
        let header_version = ApiKey::try_from(R::KEY).unwrap().response_header_version(version);
        ResponseHeader::decode(&mut frame, header_version).unwrap();
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert_eq!(frame.remaining(), 0, "API {} version {version}", R::KEY);
        Some(response)
    }
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}
