//! One connection: frames in, responses out in the order of the requests, with as few system calls as possible.
//!
//! All complete requests in the buffer are handled before one write sends the responses. While a response has to wait (a
//! fetch for records, a join for the other members) the socket is still read, up to a bound, so that a client that
//! disconnects is noticed. A request larger than that bound is read on as far as it has a permit (`byte_budget`), and only
//! as long as it arrives fast enough.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use crate::api::{self, ConnectionInfo};
use crate::blocking::{MAX_INLINE_BYTES, in_place};
use crate::byte_budget::GrowingPermit;
use crate::frame::{self, FrameError};
use crate::node::Node;
use crate::notices::Notice;
use crate::output::Output;

/// The size of a connection's own input buffer: what a request may have without a permit, and what is read ahead while
/// a response has to wait.
const READ_BYTES: usize = 64 * 1024;
/// What a large request gets permits for at a time.
const GROW_BYTES: usize = 256 * 1024;
/// Bytes that are read or written before other tasks of the thread have their turn: a client on the same machine always has more.
const TURN_BYTES: usize = 1024 * 1024;
/// A client that sends less than this of a large request in [`STALLED_FRACTION`] of the idle timeout is disconnected, for
/// it holds permits; while others wait for those, after [`CONTENDED_WINDOW`].
const MIN_PACE_BYTES: usize = 64 * 1024;
const CONTENDED_WINDOW: Duration = Duration::from_secs(2);
/// Responses are written when they amount to this much, even if more requests are in the buffer.
const WRITE_BYTES: usize = 256 * 1024;
/// A client that reads nothing of its response is disconnected after the idle timeout; after this fraction of it (divisor)
/// if others wait for the permits it holds.
const STALLED_FRACTION: u32 = 20;

/// Why a connection ended.
#[derive(Debug)]
enum ConnectionEnd {
    /// The client disconnected or was idle too long, or the broker stops.
    Closed,
    Io(io::Error),
    /// A request of so many bytes arrived too slowly.
    Stalled(usize),
    Frame(FrameError),
    /// A response could not be encoded: a bug of ours.
    Unencodable(String),
}

/// Serves `socket` until it ends. Dropping the future closes the connection; what was appended stays appended.
pub(crate) async fn serve(node: Arc<Node>, socket: TcpStream, peer: SocketAddr) {
    match run(&node, socket, peer).await {
        ConnectionEnd::Closed => tracing::debug!(%peer, "connection closed"),
        ConnectionEnd::Io(error) => tracing::debug!(%peer, %error, "connection lost"),
        ConnectionEnd::Stalled(bytes) => {
            tracing::warn!(%peer, bytes, "connection closed: a large request arrived too slowly");
        }
        ConnectionEnd::Frame(error) => {
            let kind = match error {
                FrameError::Tls | FrameError::Http => Notice::OtherProtocol,
                _ => Notice::InvalidRequest,
            };
            if node.notices.is_due(kind) {
                tracing::warn!(%peer, %error, "connection closed: not a valid Kafka request");
            } else {
                tracing::debug!(%peer, %error, "connection closed: not a valid Kafka request");
            }
        }
        ConnectionEnd::Unencodable(error) => {
            tracing::error!(%peer, error, "connection closed: the response could not be encoded");
        }
    }
}

async fn run(node: &Arc<Node>, mut socket: TcpStream, peer: SocketAddr) -> ConnectionEnd {
    if let Err(error) = socket.set_nodelay(true) {
        return ConnectionEnd::Io(error);
    }
    let local = socket.local_addr().unwrap_or(node.address);
    let connection = ConnectionInfo { host: peer.ip(), local };
    let idle = node.settings.idle_timeout;
    let mut stop = node.stop_signal();
    let mut input = BytesMut::new();
    let mut output = Output::default();
    let max_bytes = node.settings.max_request_bytes.min(node.request_budget.capacity());
    let mut permit = GrowingPermit::default();
    let mut pace = Pace::new(idle / STALLED_FRACTION);
    let mut turn = 0;
    loop {
        loop {
            let frame = match frame::split_first(&mut input, max_bytes) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => return ConnectionEnd::Frame(error),
            };
            let is_large = frame.len() > MAX_INLINE_BYTES;
            let read = if is_large { in_place(|| api::Request::read(frame)) } else { api::Request::read(frame) };
            let request = match read {
                Ok(request) => request,
                Err(error) => return ConnectionEnd::Frame(error),
            };
            if (request.may_wait() || output.bytes() >= WRITE_BYTES)
                && let Err(end) = write(node, &mut socket, &mut output, idle).await
            {
                return end;
            }
            let handled = handle(node, &connection, request, &mut output, &mut socket, &mut input).await;
            if let Err(end) = handled {
                // Responses to earlier requests of the same read are still sent.
                let _ = write(node, &mut socket, &mut output, Duration::from_secs(1)).await;
                return end;
            }
            count_response(node, &mut output);
            if permit.is_used() {
                // The buffer that grew to the size of the request goes together with its permit.
                input = BytesMut::from(&input[..]);
                permit = GrowingPermit::default();
            }
        }
        if let Err(end) = write(node, &mut socket, &mut output, idle).await {
            return end;
        }
        let large = frame::announced_len(&input).filter(|bytes| *bytes > READ_BYTES);
        let mut allowed = READ_BYTES;
        if let Some(bytes) = large {
            if !permit.is_used() {
                pace.restart();
            }
            let wanted = (4 + bytes).min(input.len() + GROW_BYTES);
            tokio::select! {
                biased;
                waited = node.request_budget.grow(&mut permit, wanted) => if waited { pace.restart() },
                _ = stop.wait_for(|stopping| *stopping) => return ConnectionEnd::Closed,
            }
            allowed = wanted - input.len();
        }
        input.reserve(allowed);
        let mut free = (&mut input).limit(allowed);
        let limit = if large.is_some() { pace.next_check() } else { idle };
        // A stop comes first: what was read is answered, and a busy client does not keep the broker from stopping.
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopping| *stopping) => return ConnectionEnd::Closed,
            read = timeout(limit, socket.read_buf(&mut free)) => match (read, large) {
                (Ok(Ok(0)), _) | (Err(_), None) => return ConnectionEnd::Closed,
                (Err(_), Some(bytes)) if pace.is_stalled(node.request_budget.is_contended()) => {
                    return ConnectionEnd::Stalled(bytes);
                }
                (Err(_), Some(_)) => {}
                (Ok(Ok(count)), _) => {
                    pace.received(count);
                    turn += count;
                }
                (Ok(Err(error)), _) => return ConnectionEnd::Io(error),
            },
        }
        if turn >= TURN_BYTES {
            turn = 0;
            yield_now().await;
        }
    }
}

/// Whether a large request arrives fast enough: [`MIN_PACE_BYTES`] in each window.
struct Pace {
    window: Duration,
    window_start: Instant,
    received: usize,
}

impl Pace {
    fn new(window: Duration) -> Pace {
        Pace { window, window_start: Instant::now(), received: 0 }
    }

    fn restart(&mut self) {
        *self = Pace::new(self.window);
    }

    fn received(&mut self, count: usize) {
        self.received += count;
        if self.received >= MIN_PACE_BYTES {
            self.restart();
        }
    }

    /// The window while others wait for the budget.
    fn contended_window(&self) -> Duration {
        self.window.min(CONTENDED_WINDOW)
    }

    /// When to look again: contention may begin at any time.
    fn next_check(&self) -> Duration {
        let rest = self.contended_window().saturating_sub(self.window_start.elapsed());
        if rest.is_zero() { self.contended_window() } else { rest }
    }

    fn is_stalled(&self, is_contended: bool) -> bool {
        let window = if is_contended { self.contended_window() } else { self.window };
        self.window_start.elapsed() >= window
    }
}

/// Handles one request. While its response has to wait, the socket is read, so that a disconnect is noticed.
async fn handle(
    node: &Arc<Node>,
    connection: &ConnectionInfo,
    request: api::Request,
    output: &mut Output,
    socket: &mut TcpStream,
    input: &mut BytesMut,
) -> Result<(), ConnectionEnd> {
    let mut handling = pin!(api::handle(node, connection, request, output));
    let first = poll_fn(|context| Poll::Ready(handling.as_mut().poll(context))).await;
    let outcome = match first {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => loop {
            if input.len() < READ_BYTES {
                input.reserve(4096);
            }
            tokio::select! {
                biased;
                outcome = &mut handling => break outcome,
                read = socket.read_buf(input), if input.len() < READ_BYTES => match read {
                    Ok(0) => return Err(ConnectionEnd::Closed),
                    Ok(_) => {}
                    Err(error) => return Err(ConnectionEnd::Io(error)),
                },
            }
        },
    };
    outcome.map_err(|disconnect| match disconnect {
        api::Disconnect::Close => ConnectionEnd::Closed,
        api::Disconnect::Frame(error) => ConnectionEnd::Frame(error),
        api::Disconnect::Unencodable(error) => ConnectionEnd::Unencodable(error),
    })
}

/// Counts a response that exceeds the connection's own buffer against the budget, as far as that is available.
fn count_response(node: &Node, output: &mut Output) {
    let uncounted = output.bytes().saturating_sub(output.held_bytes());
    if uncounted > WRITE_BYTES
        && let Some(permit) = node.response_budget.try_acquire_up_to(uncounted)
    {
        output.hold(permit);
    }
}

/// Writes all responses. A client that reads nothing of them for `limit` is disconnected; after a fraction of that if
/// others wait for the permits that they hold.
async fn write(node: &Node, socket: &mut TcpStream, output: &mut Output, limit: Duration) -> Result<(), ConnectionEnd> {
    let (mut stalled, mut turn) = (Duration::ZERO, 0);
    while !output.is_empty() {
        if turn >= TURN_BYTES {
            turn = 0;
            yield_now().await;
        }
        match timeout(limit / STALLED_FRACTION, socket.write_buf(output)).await {
            Ok(Ok(0)) => return Err(ConnectionEnd::Closed),
            Ok(Ok(written)) => (stalled, turn) = (Duration::ZERO, turn + written),
            Ok(Err(error)) => return Err(ConnectionEnd::Io(error)),
            Err(_) => {
                stalled += limit / STALLED_FRACTION;
                if stalled >= limit || (output.held_bytes() > 0 && node.response_budget.is_exhausted()) {
                    return Err(ConnectionEnd::Closed);
                }
            }
        }
    }
    output.release();
    Ok(())
}
