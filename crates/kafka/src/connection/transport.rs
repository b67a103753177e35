//! One open connection: frames out, frames in. TLS and SASL are part of opening it; requests of the SASL exchange that renews a session
//! go between those of the owner, who does not see them.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    io::{self, IoSlice},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader},
    protocol::{Encodable, Request, StrBytes},
};
use tokio::{net::TcpStream, time::Instant};

use super::{
    CLIENT_ID, TURN,
    protection::Protection,
    session::{Progress, Session, SessionRequest},
    socket::Socket,
    versions::BrokerVersions,
    versions_of,
};
use crate::{Error, sasl::SessionLifetime, tls, wire::response_layout::decode};

/// Reading asks for so many bytes at a time.
const READ_BYTES: usize = 16 << 10;
/// How long opening a connection may take, versions included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// What is said of a connection that ends without a reason.
const CLOSED: &str = "the broker closed the connection";
/// The same at the first request after ApiVersions, which a listener that wants SASL answers to anybody.
const CLOSED_AT_ONCE: &str = "the broker closed the connection at the first request: its listener may want SASL, or another \
                              security protocol than is set";
/// Pieces handed to the kernel in one call.
const MAX_SLICES: usize = 16;

/// A part of a frame on its way out.
struct Piece {
    bytes: Bytes,
    /// It belongs to a SASL exchange, which the owner does not see.
    of_session: bool,
}

/// One open connection. Owned by one task; requests are answered in the order in which they are queued.
pub(crate) struct Transport {
    address: String,
    socket: Socket,
    session: Option<Session>,
    input: BytesMut,
    output: VecDeque<Piece>,
    /// The socket may hold bytes that the kernel has not taken.
    unflushed: bool,
    /// The broker has answered something beyond ApiVersions, so it does not close the connection for how it was opened.
    is_proven: bool,
    /// Bytes of the owner's requests that were queued, and that the kernel (over TLS: the encryption) has taken, since the
    /// beginning.
    queued: u64,
    written: u64,
    max_frame: usize,
    versions: BrokerVersions,
    client_id: StrBytes,
    next_correlation_id: i32,
}

impl Transport {
    /// Opens a connection to `address` (`host:port`): TLS, which versions the broker speaks, SASL. All addresses of the name are
    /// tried in turn. A frame of more than `max_frame` bytes will end the connection.
    ///
    /// # Errors
    /// `Authentication`: one side does not accept the other; `BrokerUnavailable`.
    pub(crate) async fn open(protection: &Protection, address: &str, max_frame: usize) -> Result<Transport, Error> {
        match tokio::time::timeout(OPEN_TIMEOUT, Transport::open_without_limit(protection, address, max_frame)).await {
            Ok(opened) => opened,
            Err(_) => Err(Error::unavailable(format!("{address} did not answer within {} s", OPEN_TIMEOUT.as_secs()))),
        }
    }

    async fn open_without_limit(protection: &Protection, address: &str, max_frame: usize) -> Result<Transport, Error> {
        let failed = |error: &io::Error| Error::unavailable(format!("{address} cannot be reached: {}", reason(error)));
        if let Some(authenticator) = &protection.sasl {
            authenticator.check().await?;
        }
        let tcp = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
        tcp.set_nodelay(true).map_err(|error| failed(&error))?;
        let socket = match &protection.tls {
            None => Socket::Plain(tcp),
            Some(tls) => Socket::Tls(Box::new(tls.connect(address, tcp).await?)),
        };
        let mut transport = Transport {
            address: address.to_owned(),
            socket,
            session: None,
            input: BytesMut::new(),
            output: VecDeque::new(),
            unflushed: false,
            is_proven: false,
            queued: 0,
            written: 0,
            max_frame,
            versions: BrokerVersions::default(),
            client_id: StrBytes::from_static_str(CLIENT_ID),
            next_correlation_id: 0,
        };
        transport.negotiate().await.map_err(|error| match tls::rustls_error(&error) {
            // In TLS 1.3 a client certificate is refused after the handshake.
            Some(_) => tls::failure(address, &error),
            None => Error::unavailable(format!("{address} does not answer as a Kafka broker: {}", reason(&error))),
        })?;
        if let Some(authenticator) = &protection.sasl {
            transport.session = Some(Session::start(authenticator.clone(), address));
            poll_fn(|context| transport.poll_authentication(context)).await?;
            transport.is_proven = true;
        }
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
            let frame = poll_fn(|context| self.poll_frame(context)).await?;
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
            self.is_proven = false;
            return Ok(());
        }
    }

    /// How long the broker believes who this client is; `None`: as long as the connection lasts.
    pub(crate) fn session_lifetime(&self) -> SessionLifetime {
        self.session.as_ref().and_then(Session::lifetime)
    }

    /// Calls this client something else from now on.
    pub(crate) fn set_client_id(&mut self, client_id: &str) {
        self.client_id = StrBytes::from_string(client_id.to_owned());
    }

    /// The version of `api` to be spoken here.
    pub(crate) fn version(&self, api: ApiKey) -> Result<i16, Error> {
        self.versions.choose(api)
    }

    /// The correlation id of a request that is about to be queued.
    pub(crate) fn next_correlation_id(&mut self) -> i32 {
        if let Some(session) = &mut self.session {
            session.renew_if_due();
        }
        self.take_correlation_id()
    }

    fn take_correlation_id(&mut self) -> i32 {
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1) & i32::MAX;
        self.next_correlation_id
    }

    /// Queues a request; returns its correlation id. [`Transport::poll_frame`] sends it.
    pub(crate) fn queue_request<R: Request>(&mut self, request: &R, version: i16) -> Result<i32, String> {
        let correlation_id = self.next_correlation_id();
        self.queue(frame(request, version, correlation_id, &self.client_id)?);
        Ok(correlation_id)
    }

    /// Queues a piece of a frame.
    pub(crate) fn queue(&mut self, piece: Bytes) {
        self.queued += piece.len() as u64;
        let held_back = match &mut self.session {
            Some(session) => session.hold(piece),
            None => Some(piece),
        };
        self.output.extend(held_back.map(|bytes| Piece { bytes, of_session: false }));
    }

    /// Goes on with the SASL exchange, if there is one under way: its requests join the queue.
    fn poll_session(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        loop {
            let Some(session) = &mut self.session else { return Ok(()) };
            let (request, reply) = match session.poll(context)? {
                Progress::Waiting => return Ok(()),
                Progress::Done(held) => {
                    self.output.extend(held.into_iter().map(|bytes| Piece { bytes, of_session: false }));
                    return Ok(());
                }
                Progress::Send(request, reply) => (request, reply),
            };
            let correlation_id = self.take_correlation_id();
            let (api, version, bytes) = match request {
                SessionRequest::Handshake(request) => {
                    let version = self.versions.choose(ApiKey::SaslHandshake)?;
                    (ApiKey::SaslHandshake, version, frame(&request, version, correlation_id, &self.client_id))
                }
                SessionRequest::Authenticate(request) => {
                    let version = self.versions.choose(ApiKey::SaslAuthenticate)?;
                    (ApiKey::SaslAuthenticate, version, frame(&request, version, correlation_id, &self.client_id))
                }
            };
            self.output.push_back(Piece { bytes: bytes.map_err(Error::unavailable)?, of_session: true });
            if let Some(session) = &mut self.session {
                session.sent(correlation_id, api, version, reply);
            }
        }
    }

    /// Ends with the exchange that is under way.
    fn poll_authentication(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let address = self.address.clone();
        let ended = |error: io::Error| {
            Error::unavailable(format!("{address}: the connection ended during authentication: {}", reason(&error)))
        };
        loop {
            self.poll_session(context)?;
            if !self.session.as_ref().is_some_and(Session::is_busy) {
                return Poll::Ready(Ok(()));
            }
            self.poll_send(context).map_err(ended)?;
            let frame = ready!(self.poll_receive(context)).map_err(ended)?;
            if self.for_owner(frame).map_err(ended)?.is_some() {
                return Poll::Ready(Err(ended(io::Error::other("the broker answered without being asked"))));
            }
        }
    }

    /// The frame, unless it is the session's.
    fn for_owner(&mut self, frame: Bytes) -> io::Result<Option<Bytes>> {
        match &mut self.session {
            Some(session) => session.take_answer(frame).map_err(io::Error::other),
            None => Ok(Some(frame)),
        }
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
        loop {
            self.poll_renewal(context)?;
            self.poll_send(context)?;
            let frame = ready!(self.poll_receive(context))?;
            if let Some(frame) = self.for_owner(frame)? {
                self.is_proven = true;
                return Poll::Ready(Ok(frame));
            }
        }
    }

    /// [`Transport::poll_session`] for those who only know that a connection can end.
    fn poll_renewal(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.session {
            Some(_) => self.poll_session(context).map_err(|error| io::Error::other(error.message)),
            None => Ok(()),
        }
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let begun = self.input.len();
        loop {
            if let Some(frame) = self.take_frame()? {
                return Poll::Ready(Ok(frame));
            }
            if self.input.len() >= begun + TURN {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(self.poll_input(context))?;
        }
    }

    /// Sends what is queued, as far as that goes at once, and tells the length of the next frame when that has arrived. Of the
    /// frame itself no more is read than a first piece: whoever wants all of it goes on with [`Transport::poll_frame`].
    pub(crate) fn poll_announced(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            self.poll_renewal(context)?;
            self.poll_send(context)?;
            let is_busy = self.session.as_ref().is_some_and(Session::is_busy);
            // With the correlation id, which tells whose the frame is.
            while self.input.len() < if is_busy { 8 } else { 4 } {
                ready!(self.poll_input(context))?;
            }
            let id = self.input.get(4..8);
            if !self.session.as_ref().is_some_and(|session| session.awaits(id)) {
                return Poll::Ready(Ok(self.announced()));
            }
            let frame = ready!(self.poll_receive(context))?;
            self.for_owner(frame)?;
        }
    }

    /// Waits for a piece of input; meanwhile it holds no memory for it. Where callers are users of Kafka there are thousands of connections, and
    /// most wait.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.input.capacity() - self.input.len() < READ_BYTES / 2 {
            self.input.reserve(self.announced().saturating_sub(self.input.len()).max(READ_BYTES));
        }
        let read = self.socket.poll_read(context, &mut self.input);
        if read.is_pending() && self.input.is_empty() {
            self.input = BytesMut::new();
        }
        match ready!(read)? {
            0 => {
                let reason = if self.is_proven { CLOSED } else { CLOSED_AT_ONCE };
                Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason)))
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Sends what is queued as far as that goes at once. [`Transport::poll_frame`] sends the rest, and reports what failed.
    pub(crate) fn try_send(&mut self) {
        let _ = self.poll_send(&mut Context::from_waker(Waker::noop()));
    }

    /// Writes until nothing is left or the kernel takes no more; the task is woken when it does, and when it has had its turn.
    fn poll_send(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let mut left = TURN;
        while !self.output.is_empty() {
            if left == 0 {
                context.waker().wake_by_ref();
                return Ok(());
            }
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let (mut count, mut offered) = (0, 0);
            for (slice, piece) in slices.iter_mut().zip(&self.output) {
                let bytes = &piece.bytes[..piece.bytes.len().min(left - offered)];
                *slice = IoSlice::new(bytes);
                (count, offered) = (count + 1, offered + bytes.len());
                if offered == left {
                    break;
                }
            }
            let written = match self.socket.poll_write(context, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => written?,
                Poll::Pending => return Ok(()),
            };
            self.unflushed = true;
            left -= written;
            let mut rest = written;
            while let Some(piece) = self.output.front_mut() {
                let taken = rest.min(piece.bytes.len());
                if !piece.of_session {
                    self.written += taken as u64;
                }
                rest -= taken;
                if taken < piece.bytes.len() {
                    piece.bytes.advance(taken);
                    break;
                }
                self.output.pop_front();
            }
        }
        if self.unflushed
            && let Poll::Ready(flushed) = self.socket.poll_flush(context)
        {
            flushed?;
            self.unflushed = false;
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
            "it answers with a TLS alert: its listener speaks TLS, and no TLS is set for this client".to_owned()
        }
        b"HTTP" => "it answers with HTTP".to_owned(),
        _ => format!("it announces an answer of {} bytes", u32::from_be_bytes(bytes)),
    }
}

/// A request as it goes over the wire.
fn frame<R: Request>(request: &R, version: i16, correlation_id: i32, client_id: &StrBytes) -> Result<Bytes, String> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(client_id.clone()));
    let mut frame = BytesMut::with_capacity(256);
    frame.put_i32(0);
    header.encode(&mut frame, R::header_version(version)).map_err(|error| error.to_string())?;
    request.encode(&mut frame, version).map_err(|error| error.to_string())?;
    let length = i32::try_from(frame.len() - 4).map_err(|_| "a request of more than 2 GiB".to_owned())?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame.freeze())
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("address", &self.address)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
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
