//! One open connection: frames out, frames in.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, IoSlice},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader},
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use tokio::{net::TcpStream, time::Instant};

use super::{CLIENT_ID, versions::BrokerVersions, versions_of};
use crate::{Error, wire::response_layout};

/// Reading asks for so many bytes at a time.
const READ_BYTES: usize = 16 << 10;
/// How long opening a connection may take, versions included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// What is said of a connection that ends without a reason.
const CLOSED: &str = "the broker closed the connection";
/// Pieces handed to the kernel in one call.
const MAX_SLICES: usize = 16;

/// Why a connection could not be opened, or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectError(pub(crate) String);

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One open connection. Owned by one task; requests are answered in the order in which they are queued.
#[derive(Debug)]
pub(crate) struct Transport {
    socket: TcpStream,
    input: BytesMut,
    output: VecDeque<Bytes>,
    /// Bytes queued, and bytes that the kernel has taken, since the beginning.
    queued: u64,
    written: u64,
    max_frame: usize,
    versions: BrokerVersions,
    client_id: StrBytes,
    next_correlation_id: i32,
}

impl Transport {
    /// Opens a connection to `address` (`host:port`) and asks which versions the broker speaks. All addresses of the name are
    /// tried in turn. A frame of more than `max_frame` bytes will end the connection.
    pub(crate) async fn open(address: &str, max_frame: usize) -> Result<Transport, ConnectError> {
        match tokio::time::timeout(OPEN_TIMEOUT, Transport::open_without_limit(address, max_frame)).await {
            Ok(opened) => opened,
            Err(_) => Err(ConnectError(format!("{address} did not answer within {} s", OPEN_TIMEOUT.as_secs()))),
        }
    }

    async fn open_without_limit(address: &str, max_frame: usize) -> Result<Transport, ConnectError> {
        let failed = |error: &io::Error| ConnectError(format!("{address} cannot be reached: {}", reason(error)));
        let socket = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
        socket.set_nodelay(true).map_err(|error| failed(&error))?;
        let mut transport = Transport {
            socket,
            input: BytesMut::new(),
            output: VecDeque::new(),
            queued: 0,
            written: 0,
            max_frame,
            versions: BrokerVersions::default(),
            client_id: StrBytes::from_static_str(CLIENT_ID),
            next_correlation_id: 0,
        };
        transport.negotiate().await.map_err(|error| {
            ConnectError(format!("{address} does not answer as a Kafka broker: {}", reason(&error)))
        })?;
        Ok(transport)
    }

    /// ApiVersions in our highest version; a broker that does not know it says so in version 0 and is asked again.
    async fn negotiate(&mut self) -> io::Result<()> {
        let mut version = *versions_of(ApiKey::ApiVersions).unwrap_or(0..=0).end();
        loop {
            let request = ApiVersionsRequest::default()
                .with_client_software_name(StrBytes::from_static_str("postern"))
                .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
            let request = if version >= 3 { request } else { ApiVersionsRequest::default() };
            self.queue_request(&request, version).map_err(io::Error::other)?;
            let frame = std::future::poll_fn(|context| self.poll_frame(context)).await?;
            let body = frame.get(4..).ok_or_else(|| io::Error::other("its answer is too short"))?;
            let refused = body.starts_with(&35_i16.to_be_bytes());
            let answered_in = if refused { 0 } else { version };
            let response: ApiVersionsResponse = decode(ApiKey::ApiVersions, answered_in, Bytes::copy_from_slice(body))
                .map_err(|_| io::Error::other("its answer to ApiVersions cannot be read"))?;
            if refused && version > 0 {
                let offered = response.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions as i16);
                version = offered.map_or(0, |api| api.max_version.clamp(0, version - 1));
                continue;
            }
            if response.error_code != 0 {
                return Err(io::Error::other(format!("ApiVersions was refused with error {}", response.error_code)));
            }
            let keys = response.api_keys.iter();
            self.versions = BrokerVersions::new(keys.map(|api| (api.api_key, api.min_version, api.max_version)));
            return Ok(());
        }
    }

    /// Calls this client something else from now on.
    pub(crate) fn set_client_id(&mut self, client_id: &str) {
        self.client_id = StrBytes::from_string(client_id.to_owned());
    }

    /// The version of `api` to be spoken here.
    pub(crate) fn version(&self, api: ApiKey) -> Result<i16, Error> {
        self.versions.choose(api)
    }

    pub(crate) fn next_correlation_id(&mut self) -> i32 {
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1) & i32::MAX;
        self.next_correlation_id
    }

    /// Queues a request; returns its correlation id. [`Transport::poll_frame`] sends it.
    pub(crate) fn queue_request<R: Request>(&mut self, request: &R, version: i16) -> Result<i32, String> {
        let correlation_id = self.next_correlation_id();
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(correlation_id)
            .with_client_id(Some(self.client_id.clone()));
        let mut frame = BytesMut::with_capacity(256);
        frame.put_i32(0);
        header.encode(&mut frame, R::header_version(version)).map_err(|error| error.to_string())?;
        request.encode(&mut frame, version).map_err(|error| error.to_string())?;
        let length = i32::try_from(frame.len() - 4).map_err(|_| "a request of more than 2 GiB".to_owned())?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.queue(frame.freeze());
        Ok(correlation_id)
    }

    /// Queues a piece of a frame.
    pub(crate) fn queue(&mut self, piece: Bytes) {
        self.queued += piece.len() as u64;
        self.output.push_back(piece);
    }

    /// Bytes queued since the beginning: the end of what was queued last.
    pub(crate) fn queued(&self) -> u64 {
        self.queued
    }

    /// Whether the kernel has taken everything up to `end`. A broker drops half a frame, so what has not been taken whole was
    /// certainly not carried out.
    pub(crate) fn has_sent(&self, end: u64) -> bool {
        self.written >= end
    }

    /// Sends what is queued, as far as that goes at once, and hands out the next frame (without its length) when it is there
    /// whole. Nothing is lost when the caller stops polling in between.
    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        self.poll_send(context)?;
        loop {
            if let Some(frame) = self.take_frame()? {
                return Poll::Ready(Ok(frame));
            }
            ready!(self.poll_input(context))?;
        }
    }

    /// Sends what is queued, as far as that goes at once, and tells the length of the next frame when that has arrived. Of the
    /// frame itself no more is read than a first piece: whoever wants all of it goes on with [`Transport::poll_frame`].
    pub(crate) fn poll_announced(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_send(context)?;
        while self.input.len() < 4 {
            ready!(self.poll_input(context))?;
        }
        Poll::Ready(Ok(self.announced()))
    }

    /// Waits for a piece of input.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.input.capacity() - self.input.len() < READ_BYTES / 2 {
                self.input.reserve(self.announced().saturating_sub(self.input.len()).max(READ_BYTES));
            }
            match self.socket.try_read_buf(&mut self.input) {
                Ok(0) => return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, CLOSED))),
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_read_ready(context))?
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends what is queued as far as that goes at once. [`Transport::poll_frame`] sends the rest, and reports what failed.
    pub(crate) fn try_send(&mut self) {
        let _ = self.poll_send(&mut Context::from_waker(Waker::noop()));
    }

    /// Writes until nothing is left or the kernel takes no more; the task is woken when it does.
    fn poll_send(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !self.output.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = self.output.len().min(MAX_SLICES);
            for (slice, piece) in slices.iter_mut().zip(&self.output) {
                *slice = IoSlice::new(piece);
            }
            let written = match self.socket.try_write_vectored(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.socket.poll_write_ready(context) {
                        Poll::Ready(ready) => ready?,
                        Poll::Pending => return Ok(()),
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.written += written as u64;
            let mut rest = written;
            while let Some(piece) = self.output.front_mut() {
                if rest < piece.len() {
                    piece.advance(rest);
                    break;
                }
                rest -= piece.len();
                self.output.pop_front();
            }
        }
        Ok(())
    }

    /// How many bytes the frame that has begun will have, its length included; 0 where that is not known yet.
    fn announced(&self) -> usize {
        self.input.first_chunk().map_or(0, |length| 4 + u32::from_be_bytes(*length) as usize).min(4 + self.max_frame)
    }

    fn take_frame(&mut self) -> io::Result<Option<Bytes>> {
        let Some(announced) = self.input.first_chunk().copied() else { return Ok(None) };
        let length = u32::from_be_bytes(announced) as usize;
        if length < 4 || length > self.max_frame {
            return Err(io::Error::other(not_a_frame(announced)));
        }
        if self.input.len() < 4 + length {
            return Ok(None);
        }
        self.input.advance(4);
        Ok(Some(self.input.split_to(length).freeze()))
    }
}

/// What stands where the length of a frame should.
fn not_a_frame(bytes: [u8; 4]) -> String {
    match &bytes {
        [0x15, 0x03, ..] => {
            "it answers with a TLS alert, so its listener speaks TLS, which is not supported yet".to_owned()
        }
        b"HTTP" => "it answers with HTTP".to_owned(),
        _ => format!("it announces an answer of {} bytes", u32::from_be_bytes(bytes)),
    }
}

/// The answer to a request, from behind its correlation id. Checked against the bytes before anything is reserved.
pub(crate) fn decode<T: Decodable + HeaderVersion>(api: ApiKey, version: i16, bytes: Bytes) -> Result<T, String> {
    let flexible = api.request_header_version(version) >= 2;
    let tagged_header = api.response_header_version(version) >= 1;
    if !response_layout::is_sound(api, version, flexible, tagged_header, &bytes) {
        return Err(format!("an answer to {api:?} that is not one"));
    }
    let mut body = bytes;
    if tagged_header {
        let mut header = crate::wire::cursor::Cursor::new(&body, true);
        header.skip_tagged_fields().map_err(|_| format!("an answer to {api:?} without a header"))?;
        let skipped = body.len() - header.remaining();
        body.advance(skipped);
    }
    T::decode(&mut body, version).map_err(|error| format!("an answer to {api:?} that cannot be read: {error}"))
}

/// Why IO failed, in words for people: "Connection refused" without the number that follows.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

/// The deadline that never comes, for timers that are not set.
pub(crate) fn far_future() -> Instant {
    Instant::now() + Duration::from_secs(86_400 * 365)
}
