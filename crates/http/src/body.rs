//! Request bodies: read completely, within bounds, as UTF-8.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use crate::budget::{ByteBudget, Growth, Permit};
use crate::coding::{Coding, Unpacker};
use crate::observe::{ApiCounters, ConnectionCounters, RequestLog};
use crate::problem::Problem;
use crate::produce_bounds::ProduceBounds;

/// The bounds of one listener.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Open connections; further ones wait in the kernel's queue. Default 8192.
    pub connections: usize,
    /// A connection on which nothing arrives, or whose client reads nothing, for so long is closed; a request body that pauses for so long
    /// is refused with 408. Default 30 s.
    pub idle: Duration,
    /// Bytes of one request body; a larger one is refused with 413. Default 64 MiB.
    pub body: usize,
    /// Memory for all request bodies and what is parsed from them, in bytes. When it is used up, bodies are not read further until others
    /// are done; a request that waits longer than [`Bounds::idle`] in all is refused with 503. Default 256 MiB.
    pub bodies: usize,
    /// Memory for responses above 16 KiB that clients have not read yet, in bytes. Without it a read waits for some seconds and is then
    /// answered with 503. Default 64 MiB.
    pub responses: usize,
    /// Streams of records that are read at once; a further one is refused with 503. Default 1024.
    pub record_streams: usize,
    /// A stream of records on which nothing came for so long sends a comment or an empty line. Default 15 s.
    pub keep_alive: Duration,
    /// Those of producing through API v3.
    pub produce: ProduceBounds,
    /// Whether answers are packed for clients that accept it (`Accept-Encoding`). Default true.
    pub compression: bool,
    /// What is logged of requests.
    pub log: RequestLog,
    /// Counts the connections of the listener.
    pub counters: ConnectionCounters,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            connections: 8192,
            idle: Duration::from_secs(30),
            body: 64 << 20,
            bodies: 256 << 20,
            responses: 64 << 20,
            record_streams: 1024,
            keep_alive: Duration::from_secs(15),
            produce: ProduceBounds::default(),
            compression: true,
            log: RequestLog::default(),
            counters: ConnectionCounters::default(),
        }
    }
}

/// What a body is parsed into, which decides how large it may be and how much memory it is accounted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// Records to produce. Keys and values stay slices of the text; each object may be a record.
    Records,
    /// A single document of at most so many bytes, of which every value may become a node of a tree.
    Document(usize),
}

/// Reads bodies within [`Bounds`]. Cheap to clone.
#[derive(Clone)]
pub(crate) struct BodyReader {
    idle: Duration,
    max: usize,
    budget: ByteBudget,
    counters: Arc<ApiCounters>,
}

/// Memory of an object that becomes a record, besides its text.
const RECORD: usize = 192;
/// Memory of a value that becomes a node of a tree, besides its text.
const NODE: usize = 128;
/// Bytes that are reserved at once because a `Content-Length` announces them.
const RESERVED_MAX: usize = 1 << 20;
/// A body that arrives slower than so many bytes per [`Bounds::idle`] counts as one that pauses.
const PACE: usize = 16 << 10;

/// Bytes that are taken from a connection before other tasks of the thread have their turn: a fast client always has more, and hyper
/// alone gives way only after some megabytes.
const TURN: usize = 256 << 10;

/// A body in memory, with its share of the budget.
pub(crate) struct Body {
    bytes: Bytes,
    _permit: Permit,
}

impl Body {
    /// The same bytes, whose memory stays accounted for as long as the body is there.
    pub(crate) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl BodyKind {
    /// The memory of `text` and of what is parsed from it, estimated from above by counting the characters that begin or separate values.
    fn weight(self, text: &[u8]) -> usize {
        let count = |counted: fn(&u8) -> bool| text.iter().filter(|byte| counted(byte)).count();
        match self {
            // Records are encoded while the text is there, and may wait for the memory of what is under way.
            BodyKind::Records => 2 * text.len() + RECORD * count(|byte| *byte == b'{'),
            BodyKind::Document(_) => text.len() + NODE * count(|byte| matches!(byte, b'{' | b'[' | b',' | b':')),
        }
    }
}

impl BodyReader {
    /// Bytes that it reads are counted in `counters`.
    pub(crate) fn new(bounds: &Bounds, counters: Arc<ApiCounters>) -> BodyReader {
        BodyReader { idle: bounds.idle, max: bounds.body, budget: ByteBudget::new(bounds.bodies), counters }
    }

    /// Memory in use for bodies now, and its bound.
    pub(crate) fn memory(&self) -> (usize, usize) {
        self.budget.used_of()
    }

    /// The whole body, unpacked, as UTF-8 whatever Unicode encoding it has (RFC 4627 §3, which Confluent follows).
    pub(crate) async fn read(
        &self,
        mut body: Incoming,
        coding: Option<Coding>,
        kind: BodyKind,
    ) -> Result<Body, Problem> {
        let max = match kind {
            BodyKind::Records => self.max,
            BodyKind::Document(max) => max.min(self.max),
        };
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > max {
            return Err(too_large(kind, max));
        }
        let mut unpacker = unpacker(coding)?;
        let mut text = Collected::new(self, kind, max, announced);
        let (mut deadline, mut received, mut arrived, mut turn) = (Instant::now() + self.idle, 0, 0, 0);
        while let Some(mut piece) = self.piece(&mut body, deadline).await? {
            received += piece.len();
            arrived += piece.len();
            turn += piece.len();
            if arrived > max {
                return Err(too_large(kind, max));
            }
            let mut growth = Growth::Immediate;
            match &mut unpacker {
                None => growth = text.add(piece).await?,
                Some(unpacker) => {
                    while !piece.is_empty() {
                        let unpacked = unpacker.step(&mut piece).map_err(|error| not_unpacked(unpacker, &error))?;
                        self.counters.unpacked.fetch_add(unpacked.len() as u64, Relaxed);
                        if text.add(unpacked).await? == Growth::Waited {
                            growth = Growth::Waited;
                        }
                        // A step takes some time, and a piece may need many.
                        yield_now().await;
                    }
                }
            }
            if turn >= TURN {
                turn = 0;
                yield_now().await;
            }
            if growth == Growth::Waited || received >= PACE {
                (deadline, received) = (Instant::now() + self.idle, 0);
            }
        }
        while let Some(unpacker) = &mut unpacker {
            let rest = unpacker.rest().map_err(|error| not_unpacked(unpacker, &error))?;
            if rest.is_empty() {
                break;
            }
            self.counters.unpacked.fetch_add(rest.len() as u64, Relaxed);
            text.add(rest).await?;
            yield_now().await;
        }
        text.into_body()
    }

    /// The next piece of data; trailers are ignored.
    async fn piece(&self, body: &mut Incoming, deadline: Instant) -> Result<Option<Bytes>, Problem> {
        loop {
            match timeout_at(deadline, body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.counters.received.fetch_add(data.len() as u64, Relaxed);
                        return Ok(Some(data));
                    }
                }
                Ok(Some(Err(error))) => {
                    return Err(Problem::bad_request(format!(
                        "The request body broke off: {error}. Nothing was done."
                    )));
                }
                Err(_) => {
                    let message = format!(
                        "The request body did not come in time: at least {PACE} bytes, or what was left of it, were expected within {} s. Nothing was done.",
                        self.idle.as_secs()
                    );
                    return Err(Problem::generic(StatusCode::REQUEST_TIMEOUT, message));
                }
            }
        }
    }
}

/// The text of a body as far as it is there.
struct Collected<'a> {
    reader: &'a BodyReader,
    kind: BodyKind,
    max: usize,
    /// Bytes that the head of the request announces.
    announced: usize,
    /// Most bodies are one piece, which is not copied.
    whole: Bytes,
    joined: BytesMut,
    permit: Permit,
    weight: usize,
    waited: Duration,
}

impl<'a> Collected<'a> {
    fn new(reader: &'a BodyReader, kind: BodyKind, max: usize, announced: usize) -> Collected<'a> {
        let (whole, joined, permit) = (Bytes::new(), BytesMut::new(), Permit::default());
        Collected { reader, kind, max, announced, whole, joined, permit, weight: 0, waited: Duration::ZERO }
    }

    /// Adds a piece within the bound and the budget.
    async fn add(&mut self, piece: Bytes) -> Result<Growth, Problem> {
        if self.whole.len() + self.joined.len() + piece.len() > self.max {
            return Err(too_large(self.kind, self.max));
        }
        self.weight += self.kind.weight(&piece);
        let BodyReader { budget, idle, .. } = self.reader;
        let growth = budget.grow(&mut self.permit, self.weight, &mut self.waited, *idle).await;
        if growth == Growth::TimedOut {
            return Err(Problem::generic(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many request bodies are being worked on. Nothing was done; send the request again later.",
            ));
        }
        if self.whole.is_empty() && self.joined.is_empty() {
            self.whole = piece;
            return Ok(growth);
        }
        if self.joined.is_empty() {
            self.joined.reserve(self.announced.min(RESERVED_MAX));
            self.joined.extend_from_slice(&std::mem::take(&mut self.whole));
        }
        self.joined.extend_from_slice(&piece);
        Ok(growth)
    }

    fn into_body(self) -> Result<Body, Problem> {
        let bytes = if self.joined.is_empty() { self.whole } else { self.joined.freeze() };
        Ok(Body { bytes: into_utf8(bytes)?, _permit: self.permit })
    }
}

impl BodyReader {
    /// The body piece by piece, unpacked, to be worked on as it comes.
    pub(crate) fn stream(self, body: Incoming, coding: Option<Coding>) -> Result<BodyStream, Problem> {
        let unpacker = unpacker(coding)?;
        Ok(BodyStream { body, reader: self, unpacker, packed: Bytes::new(), permit: Permit::default() })
    }
}

fn unpacker(coding: Option<Coding>) -> Result<Option<Unpacker>, Problem> {
    coding.map(Unpacker::new).transpose().map_err(|_| {
        Problem::generic(
            StatusCode::SERVICE_UNAVAILABLE,
            "There is no memory to unpack the request body. Nothing was done; send the request again later.",
        )
    })
}

fn not_unpacked(unpacker: &Unpacker, error: &io::Error) -> Problem {
    Problem::bad_request(format!("{} Nothing was done.", broken_coding(unpacker, error)))
}

fn broken_coding(unpacker: &Unpacker, error: &io::Error) -> String {
    let name = unpacker.coding().name();
    format!("The request body is not valid {name}, which Content-Encoding says that it is: {error}.")
}

/// Bytes of a stream that are not accounted: connections and streams are bounded in number.
const STREAM_SMALL: usize = 64 << 10;

/// A body that is worked on as it comes. It may pause for as long as it likes; what is kept of it counts against the budget of all bodies.
pub(crate) struct BodyStream {
    body: Incoming,
    reader: BodyReader,
    unpacker: Option<Unpacker>,
    /// What has come and is not unpacked yet.
    packed: Bytes,
    permit: Permit,
}

impl BodyStream {
    /// Whether it is known to have no bytes at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_end_stream()
    }

    /// The most bytes that one request may be kept of.
    pub(crate) fn max(&self) -> usize {
        self.reader.max
    }

    /// How long a client may take to read or send nothing.
    pub(crate) fn idle(&self) -> Duration {
        self.reader.idle
    }

    /// The next piece of data; trailers are ignored. Dropping the future loses nothing.
    ///
    /// # Errors
    /// A sentence: the body broke off, or is not in its coding.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            if let Some(unpacker) = &mut self.unpacker
                && (!self.packed.is_empty() || unpacker.has_more())
            {
                let piece = unpacker.step(&mut self.packed).map_err(|error| broken_coding(unpacker, &error))?;
                self.reader.counters.unpacked.fetch_add(piece.len() as u64, Relaxed);
                if !piece.is_empty() {
                    return Ok(Some(piece));
                }
                // What makes nothing takes its time as well.
                yield_now().await;
                continue;
            }
            let frame = self.body.frame().await.transpose();
            match frame.map_err(|error| format!("The request body broke off: {error}."))? {
                None => {
                    let Some(unpacker) = &mut self.unpacker else { return Ok(None) };
                    let rest = unpacker.rest().map_err(|error| broken_coding(unpacker, &error))?;
                    self.reader.counters.unpacked.fetch_add(rest.len() as u64, Relaxed);
                    return Ok(Some(rest).filter(|rest| !rest.is_empty()));
                }
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        self.reader.counters.received.fetch_add(data.len() as u64, Relaxed);
                        match self.unpacker {
                            None => return Ok(Some(data)),
                            Some(_) => self.packed = data,
                        }
                    }
                }
            }
        }
    }

    /// Accounts for `bytes` that are kept from now on, instead of what was kept before. False: the budget did not have them in time.
    pub(crate) async fn account(&mut self, bytes: usize) -> bool {
        if bytes <= STREAM_SMALL {
            self.permit = Permit::default();
            return true;
        }
        let BodyReader { budget, idle, .. } = &self.reader;
        let mut waited = Duration::ZERO;
        budget.grow(&mut self.permit, bytes, &mut waited, *idle).await != Growth::TimedOut
    }
}

fn too_large(kind: BodyKind, max: usize) -> Problem {
    let message = match kind {
        BodyKind::Records => format!(
            "The request body is larger than the {max} bytes that are accepted. Send the records in several requests. Nothing was written."
        ),
        BodyKind::Document(_) => {
            format!("The request body is larger than the {max} bytes that are accepted here. Nothing was done.")
        }
    };
    Problem::generic(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// Tells UTF-8, UTF-16 and UTF-32 apart by the first bytes, as Jackson does: JSON begins with an ASCII character.
fn into_utf8(bytes: Bytes) -> Result<Bytes, Problem> {
    let broken = |encoding: &str| Problem::bad_request(format!("The request body is not valid {encoding}."));
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| pair.try_into().map(unit).unwrap_or(0xD800));
        char::decode_utf16(units).collect::<Result<String, _>>().map(Bytes::from).map_err(|_| broken("UTF-16"))
    };
    let utf32 = |bytes: &[u8], unit: fn([u8; 4]) -> u32| {
        let units = bytes.chunks(4).map(|four| four.try_into().ok().and_then(|four| char::from_u32(unit(four))));
        units.collect::<Option<String>>().map(Bytes::from).ok_or_else(|| broken("UTF-32"))
    };
    match *bytes.as_ref() {
        [0xEF, 0xBB, 0xBF, ..] => Ok(bytes.slice(3..)),
        [0, 0, 0xFE, 0xFF, ref rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xFF, 0xFE, 0, 0, ref rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0xFE, 0xFF, ref rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xFF, 0xFE, ref rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0, 0, 0, _, ..] => utf32(&bytes, u32::from_be_bytes),
        [_, 0, 0, 0, ..] => utf32(&bytes, u32::from_le_bytes),
        [0, _, ..] => utf16(&bytes, u16::from_be_bytes),
        [_, 0, ..] => utf16(&bytes, u16::from_le_bytes),
        // UTF-8 is validated by the JSON reader, which looks at every byte anyway.
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;

    use http_body_util::Full;
    use hyper::service::service_fn;
    use hyper::{Request, Response};
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn encodings_are_detected() {
        let text = "{\"a\":\"ü😀\"}";
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let utf32: Vec<u32> = text.chars().map(u32::from).collect();
        let bodies: [Vec<u8>; 7] = [
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            [vec![0xFF, 0xFE], utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect()].concat(),
            utf32.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            utf32.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        ];
        for (n, body) in bodies.into_iter().enumerate() {
            assert_eq!(into_utf8(Bytes::from(body)).expect("valid text"), text.as_bytes(), "body {n}");
        }
    }

    /// A client that is never slower than the server: there is always more to read.
    #[tokio::test]
    async fn other_tasks_have_their_turn_while_a_body_is_read() {
        const BODY: usize = 16 << 20;
        let (mut client, server) = tokio::io::duplex(BODY + 1024);
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY}\r\nConnection: close\r\n\r\n");
        client.write_all(head.as_bytes()).await.expect("it fits");
        client.write_all(&vec![b' '; BODY]).await.expect("it fits");
        let turns = Arc::new(AtomicUsize::new(0));
        let other = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move {
                loop {
                    turns.fetch_add(1, Relaxed);
                    yield_now().await;
                }
            }
        });
        let reader = BodyReader::new(&Bounds::default(), Arc::new(ApiCounters::new(std::iter::empty())));
        let read = service_fn(|request: Request<Incoming>| {
            let reader = reader.clone();
            async move {
                let body = reader.read(request.into_body(), None, BodyKind::Records).await.expect("it is read");
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body.len().to_string()))))
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        let served = http.max_buf_size(64 << 10).serve_connection(TokioIo::new(server), read);
        served.await.expect("it is answered");
        other.abort();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("it is answered");
        assert!(answer.ends_with(&BODY.to_string()), "{answer}");
        let turns = turns.load(Relaxed);
        assert!(turns >= BODY / TURN / 2, "{turns} turns");
    }

    #[test]
    fn the_weight_of_a_document_counts_every_value() {
        let numbers = format!("[{}0]", "0,".repeat(999));
        assert!(BodyKind::Document(1).weight(numbers.as_bytes()) >= 1000 * NODE);
        assert!(BodyKind::Document(1).weight("[],".repeat(1000).as_bytes()) >= 2000 * NODE);
        assert_eq!(BodyKind::Records.weight(br#"[{"value":[1,2]},{}]"#), 2 * 20 + 2 * RECORD);
    }

    #[test]
    fn broken_text_is_refused() {
        assert!(into_utf8(Bytes::from_static(b"{\0}")).is_err(), "half a unit");
        assert!(into_utf8(Bytes::from_static(b"{\0\0\0\x11\x22\x33\x44")).is_err(), "no character");
    }
}
