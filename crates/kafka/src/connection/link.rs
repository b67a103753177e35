//! A connection to one address for short calls, opened when there is something to ask and closed when it is idle.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    messages::ApiKey,
    protocol::{HeaderVersion, Request},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{Backoff, Health, Protection, Transport, transport};
use crate::{Error, error::ErrorCode, wire::response_layout::decode};

/// Calls that wait for an answer at the same time, on the connection and before it.
const MAX_IN_FLIGHT: usize = 16;
const MAX_WAITING: usize = 256;
/// Brokers close a connection after 10 minutes; we are first.
const IDLE: Duration = Duration::from_secs(540);
/// Answers of administration are smaller than this.
const MAX_FRAME: usize = 64 << 20;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallError {
    pub(crate) error: Error,
    /// Whether the broker may have carried it out all the same.
    pub(crate) sent: bool,
}

impl CallError {
    pub(crate) fn not_sent(reason: impl Into<String>) -> CallError {
        CallError { error: Error::unavailable(reason), sent: false }
    }

    fn lost(reason: impl Into<String>) -> CallError {
        CallError { error: Error::unavailable(reason), sent: true }
    }
}

/// How the connection to an address is, as far as known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum LinkState {
    /// Nothing was asked yet, or the connection was idle.
    Closed,
    Open,
    /// The last attempt failed.
    Failing,
}

/// The way to one address. The connection ends with the last reference.
pub(crate) struct Link {
    address: String,
    calls: mpsc::Sender<Call>,
    state: Arc<AtomicU8>,
}

impl Link {
    /// Starts the task of the connection, which connects with the first call. Must be called inside a runtime.
    pub(crate) fn start(
        address: String,
        protection: Protection,
        request_timeout: Duration,
        health: Arc<Health>,
    ) -> Link {
        let (calls, waiting) = mpsc::channel(MAX_WAITING);
        let state = Arc::new(AtomicU8::new(LinkState::Closed as u8));
        let task =
            LinkTask { address: address.clone(), protection, waiting, state: state.clone(), request_timeout, health };
        tokio::spawn(task.run());
        Link { address, calls, state }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn state(&self) -> LinkState {
        match self.state.load(Ordering::Relaxed) {
            1 => LinkState::Open,
            2 => LinkState::Failing,
            _ => LinkState::Closed,
        }
    }

    /// Asks, in the version that `build` is called with. Dropping the future forgets the answer, not the request.
    ///
    /// # Errors
    /// No connection, a version that one side does not know, no answer by `deadline`.
    pub(crate) async fn call<R: Request>(
        &self,
        deadline: Instant,
        build: impl FnOnce(i16) -> R + Send + 'static,
    ) -> Result<R::Response, CallError>
    where
        R::Response: HeaderVersion,
    {
        let api = ApiKey::try_from(R::KEY).map_err(|()| CallError::not_sent("an API without a number"))?;
        let (reply, answer) = oneshot::channel();
        let send = Box::new(move |transport: &mut Transport| {
            let version = transport.version(api).map_err(|error| CallError { error, sent: false })?;
            let queued = transport.queue_request(&build(version), version);
            queued.map(|correlation_id| (correlation_id, version)).map_err(CallError::not_sent)
        });
        let answered = async {
            let gone = || CallError::not_sent("the client is shutting down");
            self.calls.send(Call { send, reply }).await.map_err(|_| gone())?;
            answer.await.unwrap_or_else(|_| Err(gone()))
        };
        let (version, bytes) = match tokio::time::timeout_at(deadline, answered).await {
            Ok(answered) => answered?,
            Err(_) => return Err(CallError::lost(format!("{} did not answer in time", self.address))),
        };
        decode(api, version, bytes).map_err(|reason| CallError::lost(format!("{}: {reason}", self.address)))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).field("state", &self.state()).finish()
    }
}

/// Queues the request; its correlation id and version.
type QueueRequest = Box<dyn FnOnce(&mut Transport) -> Result<(i32, i16), CallError> + Send>;

struct Call {
    send: QueueRequest,
    reply: oneshot::Sender<Result<(i16, Bytes), CallError>>,
}

/// A call that was queued and has no answer yet.
struct Unanswered {
    correlation_id: i32,
    version: i16,
    /// Where the request ends among the bytes queued.
    end: u64,
    since: Instant,
    reply: oneshot::Sender<Result<(i16, Bytes), CallError>>,
}

struct LinkTask {
    address: String,
    protection: Protection,
    waiting: mpsc::Receiver<Call>,
    state: Arc<AtomicU8>,
    request_timeout: Duration,
    health: Arc<Health>,
}

impl LinkTask {
    async fn run(mut self) {
        let mut backoff = Backoff::RECONNECT;
        let mut failed: Option<(Instant, Error)> = None;
        while let Some(call) = self.waiting.recv().await {
            if let Some((until, error)) = &failed
                && Instant::now() < *until
            {
                // Who waits for an answer may ask another broker; and comes again.
                let _ = call.reply.send(Err(CallError { error: error.clone(), sent: false }));
                continue;
            }
            match Transport::open(&self.protection, &self.address, MAX_FRAME).await {
                Ok(transport) => {
                    backoff.reset();
                    failed = None;
                    self.health.reached(&self.address);
                    self.set(LinkState::Open);
                    self.serve(transport, call).await;
                    self.set(LinkState::Closed);
                }
                Err(error) => {
                    self.set(LinkState::Failing);
                    self.health.failed(&self.address, &error.message);
                    // Refused credentials are remembered by themselves, and others may take their place at any time.
                    let is_refusal = error.name == ErrorCode::SASL_AUTHENTICATION_FAILED.name();
                    failed = (!is_refusal).then(|| (Instant::now() + backoff.next(), error.clone()));
                    let _ = call.reply.send(Err(CallError { error, sent: false }));
                }
            }
        }
    }

    fn set(&self, state: LinkState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Serves calls until the connection ends.
    async fn serve(&mut self, mut transport: Transport, first: Call) {
        let mut unanswered = VecDeque::new();
        queue(&mut transport, first, &mut unanswered);
        let mut progress = Instant::now();
        let ended = loop {
            let deadline = match unanswered.front() {
                Some(Unanswered { since, .. }) => progress.max(*since) + self.request_timeout,
                None => progress + IDLE,
            };
            tokio::select! {
                frame = poll_fn(|context| transport.poll_frame(context)) => match frame {
                    Ok(frame) => {
                        progress = Instant::now();
                        if let Err(reason) = settle(&frame, &mut unanswered) {
                            break reason;
                        }
                    }
                    Err(error) => break transport::reason(&error),
                },
                call = self.waiting.recv(), if unanswered.len() < MAX_IN_FLIGHT => match call {
                    Some(call) => queue(&mut transport, call, &mut unanswered),
                    None => return,
                },
                () = sleep_until(deadline) => match unanswered.is_empty() {
                    true => return, // idle
                    false => break format!("no answer within {:?}", self.request_timeout),
                },
            }
        };
        for call in unanswered {
            let error = match transport.has_sent(call.end) {
                true => CallError::lost(format!("{}: {ended}", self.address)),
                false => CallError::not_sent(format!("{}: {ended}", self.address)),
            };
            let _ = call.reply.send(Err(error));
        }
    }
}

fn queue(transport: &mut Transport, call: Call, unanswered: &mut VecDeque<Unanswered>) {
    match (call.send)(transport) {
        Ok((correlation_id, version)) => {
            let (end, since) = (transport.queued(), Instant::now());
            unanswered.push_back(Unanswered { correlation_id, version, end, since, reply: call.reply });
        }
        Err(error) => drop(call.reply.send(Err(error))),
    }
}

/// Gives the oldest call its answer. Answers come in the order of the requests, so another correlation id ends the connection.
fn settle(frame: &Bytes, unanswered: &mut VecDeque<Unanswered>) -> Result<(), String> {
    let id = frame.first_chunk().map(|id| i32::from_be_bytes(*id));
    match unanswered.pop_front() {
        Some(call) if id == Some(call.correlation_id) => {
            let _ = call.reply.send(Ok((call.version, frame.slice(4..))));
            Ok(())
        }
        Some(call) => {
            let reason = "the broker answered a request that was not sent".to_owned();
            unanswered.push_front(call);
            Err(reason)
        }
        None => Err("the broker answered without being asked".to_owned()),
    }
}
