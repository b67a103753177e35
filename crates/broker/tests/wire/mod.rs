//! A client of few words: requests out, answers in, over a real socket.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use postern_broker::{Broker, Settings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

/// A broker on a directory of its own.
pub struct TestBroker {
    pub broker: Broker,
    pub dir: TempDir,
}

impl TestBroker {
    pub async fn start() -> TestBroker {
        TestBroker::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> TestBroker {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::for_test(dir.path());
        change(&mut settings);
        TestBroker { broker: Broker::start(settings).await.unwrap(), dir }
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.broker.address()).await.unwrap()
    }
}

pub struct Client {
    pub socket: TcpStream,
    sent: i32,
}

impl Client {
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Client> {
        Ok(Client { socket: TcpStream::connect(address).await?, sent: 0 })
    }

    /// The answer, or none if the broker died meanwhile.
    pub async fn try_call<R: Request>(&mut self, version: i16, request: R) -> Option<R::Response> {
        self.try_send(version, request).await.ok()?;
        self.receive::<R>(version).await
    }

    pub async fn call<R: Request>(&mut self, version: i16, request: R) -> R::Response {
        self.send(version, request).await;
        self.receive::<R>(version).await.expect("an answer")
    }

    pub async fn send<R: Request>(&mut self, version: i16, request: R) {
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

    /// The next answer; `None` if the broker has closed the connection. Fails on bytes left over.
    pub async fn receive<R: Request>(&mut self, version: i16) -> Option<R::Response> {
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

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A number as it stands in records: zigzag, seven bits a byte.
pub fn varint(out: &mut BytesMut, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.put_u8(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.put_u8(zigzag as u8);
}

/// A batch of records without keys, as a producer would send it.
pub fn batch(values: &[&str], producer: (i64, i16, i32)) -> Bytes {
    let mut records = BytesMut::new();
    for (at, value) in values.iter().enumerate() {
        let mut record = BytesMut::new();
        record.put_u8(0);
        // The time and the offset since the first one, no key.
        for number in [at as i64, at as i64, -1, value.len() as i64] {
            varint(&mut record, number);
        }
        record.put_slice(value.as_bytes());
        record.put_u8(0);
        varint(&mut records, record.len() as i64);
        records.put_slice(&record);
    }
    let mut checked = BytesMut::new();
    checked.put_i16(0);
    checked.put_i32(values.len() as i32 - 1);
    checked.put_i64(1_700_000_000_000);
    checked.put_i64(1_700_000_000_000 + values.len() as i64 - 1);
    checked.put_i64(producer.0);
    checked.put_i16(producer.1);
    checked.put_i32(producer.2);
    checked.put_i32(values.len() as i32);
    checked.put_slice(&records);
    let mut batch = BytesMut::new();
    batch.put_i64(0);
    batch.put_i32(checked.len() as i32 + 9);
    batch.put_i32(-1);
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(&checked));
    batch.put_slice(&checked);
    batch.freeze()
}
