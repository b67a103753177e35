//! One connection: frames in, answers out in the order of the requests, as few system calls as possible.
//!
//! All whole requests at hand are answered before one write takes the answers out. While an answer waits (a fetch for
//! data, a join for the other members) the socket is read on, up to a bound: so a client that goes away is noticed.
//! A request larger than that bound is read on when there is room for it among all bytes in flight (`room`).

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::api::{self, Caller};
use crate::frame::{self, BadFrame};
use crate::node::Node;
use crate::output::Output;

/// A connection's own: made for each read, and read ahead while an answer waits.
const READ_BYTES: usize = 64 * 1024;
/// Answers are written when they are this much, even if more requests are at hand.
const WRITE_BYTES: usize = 256 * 1024;
/// The part of the idle time that a client gets to take something of its answer while others wait for that room.
const STALLED_PART: u32 = 20;

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// The client went, was idle too long, or the broker stops.
    Over,
    Io(io::Error),
    Bad(BadFrame),
    /// An answer could not be encoded: a fault of ours.
    Unanswerable(String),
}

/// Serves `socket` until it ends. Dropping the future closes the connection; what was appended stays appended.
pub(crate) async fn serve(node: Arc<Node>, socket: TcpStream, peer: SocketAddr) {
    match run(&node, socket, peer).await {
        End::Over => tracing::debug!(%peer, "connection closed"),
        End::Io(error) => tracing::debug!(%peer, %error, "connection lost"),
        End::Bad(reason) => tracing::warn!(%peer, %reason, "connection closed: not a request that is understood"),
        End::Unanswerable(error) => tracing::error!(%peer, error, "connection closed: the answer could not be encoded"),
    }
}

async fn run(node: &Arc<Node>, mut socket: TcpStream, peer: SocketAddr) -> End {
    if let Err(error) = socket.set_nodelay(true) {
        return End::Io(error);
    }
    let local = socket.local_addr().unwrap_or(node.address);
    let caller = Caller { host: peer.ip(), local };
    let idle = node.settings.idle_timeout;
    let mut stop = node.stop_signal();
    let mut input = BytesMut::new();
    let mut output = Output::default();
    let most = node.settings.max_request_bytes.min(node.room.largest_request());
    let mut room = None;
    loop {
        loop {
            let frame = match frame::take(&mut input, most) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(reason) => return End::Bad(reason),
            };
            let request = match api::Request::read(frame) {
                Ok(request) => request,
                Err(reason) => return End::Bad(reason),
            };
            if (request.may_wait() || output.bytes() >= WRITE_BYTES)
                && let Err(end) = write(node, &mut socket, &mut output, idle).await
            {
                return end;
            }
            let answered = answer(node, &caller, request, &mut output, &mut socket, &mut input).await;
            match answered {
                Ok(()) => {}
                Err(end) => {
                    // Answers to earlier requests of the same read still go out.
                    let _ = write(node, &mut socket, &mut output, Duration::from_secs(1)).await;
                    return end;
                }
            }
            count(node, &mut output);
            if room.take().is_some() {
                // The buffer that was large enough goes with the room.
                input = BytesMut::from(&input[..]);
            }
        }
        if let Err(end) = write(node, &mut socket, &mut output, idle).await {
            return end;
        }
        if room.is_none()
            && let Some(bytes) = frame::begun(&input).filter(|bytes| *bytes > READ_BYTES)
        {
            tokio::select! {
                biased;
                taken = node.room.request(bytes) => room = Some(taken),
                _ = stop.wait_for(|stopping| *stopping) => return End::Over,
            }
        }
        input.reserve(READ_BYTES);
        // A stop comes first: what was read is answered, a busy client does not keep the broker from ending.
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopping| *stopping) => return End::Over,
            read = timeout(idle, socket.read_buf(&mut input)) => match read {
                Ok(Ok(0)) | Err(_) => return End::Over,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return End::Io(error),
            },
        }
    }
}

/// Answers one request. Where the answer has to wait, the client is watched meanwhile.
async fn answer(
    node: &Arc<Node>,
    caller: &Caller,
    request: api::Request,
    output: &mut Output,
    socket: &mut TcpStream,
    input: &mut BytesMut,
) -> Result<(), End> {
    let mut answering = pin!(api::answer(node, caller, request, output));
    let first = poll_fn(|context| Poll::Ready(answering.as_mut().poll(context))).await;
    let outcome = match first {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => loop {
            if input.len() < READ_BYTES {
                input.reserve(4096);
            }
            tokio::select! {
                biased;
                outcome = &mut answering => break outcome,
                read = socket.read_buf(input), if input.len() < READ_BYTES => match read {
                    Ok(0) => return Err(End::Over),
                    Ok(_) => {}
                    Err(error) => return Err(End::Io(error)),
                },
            }
        },
    };
    outcome.map_err(|cut| match cut {
        api::Cut::Close => End::Over,
        api::Cut::Bad(reason) => End::Bad(reason),
        api::Cut::Unanswerable(error) => End::Unanswerable(error),
    })
}

/// Counts an answer that is larger than what a connection may have, as far as that is still free.
fn count(node: &Node, output: &mut Output) {
    let uncounted = output.bytes().saturating_sub(output.held());
    if uncounted > WRITE_BYTES
        && let Some(taken) = node.room.answer_now(uncounted)
    {
        output.hold(taken);
    }
}

/// Writes all answers. A client that takes nothing of them for `limit` is gone; for a part of that, if others wait for
/// the room that they hold.
async fn write(node: &Node, socket: &mut TcpStream, output: &mut Output, limit: Duration) -> Result<(), End> {
    let mut quiet = Duration::ZERO;
    while !output.is_empty() {
        match timeout(limit / STALLED_PART, socket.write_buf(output)).await {
            Ok(Ok(0)) => return Err(End::Over),
            Ok(Ok(_)) => quiet = Duration::ZERO,
            Ok(Err(error)) => return Err(End::Io(error)),
            Err(_) => {
                quiet += limit / STALLED_PART;
                if quiet >= limit || (output.held() > 0 && node.room.is_full()) {
                    return Err(End::Over);
                }
            }
        }
    }
    output.release();
    Ok(())
}
