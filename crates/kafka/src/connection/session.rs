//! What a connection knows of its SASL session: the exchange under way, and when the next one is due (KIP-368).
//!
//! A broker that limits sessions closes the connection at the first request after the end of one, unless it is a SaslHandshake. So an
//! exchange begins where a request is about to be queued and most of the session is over; the request waits behind it. Answers to
//! earlier requests still come first, because a broker answers in order.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ApiKey, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
    },
    protocol::StrBytes,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    Error,
    sasl::{Authenticator, Conversation, SaslAnswer, SaslCall, SaslRequest, SessionLifetime},
    wire::response_layout::decode,
};

/// The session of one connection.
pub(super) struct Session {
    authenticator: Arc<Authenticator>,
    address: String,
    exchange: Option<Exchange>,
    /// When the next exchange is due.
    renew_at: Option<Instant>,
    /// What the last one has said.
    lifetime: SessionLifetime,
}

/// An exchange under way.
struct Exchange {
    outcome: Pin<Box<dyn Future<Output = Result<SessionLifetime, Error>> + Send>>,
    calls: mpsc::Receiver<SaslCall>,
    awaited: Option<Awaited>,
    /// What was queued meanwhile.
    held: Vec<Bytes>,
}

/// An answer that belongs to the exchange.
struct Awaited {
    correlation_id: i32,
    api: ApiKey,
    version: i16,
    reply: oneshot::Sender<SaslAnswer>,
}

/// A request of an exchange, to be queued.
pub(super) enum SessionRequest {
    Handshake(SaslHandshakeRequest),
    Authenticate(SaslAuthenticateRequest),
}

/// Where an exchange stands.
pub(super) enum Progress {
    /// There is none; what was held is to be queued now.
    Done(Vec<Bytes>),
    /// This is to be sent; where its answer goes is told to [`Session::sent`].
    Send(SessionRequest, oneshot::Sender<SaslAnswer>),
    /// An answer of the broker, or the end of other work, is waited for.
    Waiting,
}

impl Session {
    /// A session that begins with an exchange.
    pub(super) fn start(authenticator: Arc<Authenticator>, address: &str) -> Session {
        let address = address.to_owned();
        let mut session = Session { authenticator, address, exchange: None, renew_at: None, lifetime: None };
        session.begin();
        session
    }

    fn begin(&mut self) {
        let (conversation, calls) = Conversation::new();
        let outcome = self.authenticator.clone().authenticate(self.address.clone(), conversation);
        self.exchange = Some(Exchange { outcome: Box::pin(outcome), calls, awaited: None, held: Vec::new() });
    }

    /// A request is about to be queued.
    pub(super) fn renew_if_due(&mut self) {
        if self.exchange.is_none() && self.renew_at.is_some_and(|due| Instant::now() >= due) {
            self.renew_at = None;
            self.begin();
        }
    }

    /// Keeps `piece` until the exchange is over; gives it back where none is under way.
    pub(super) fn hold(&mut self, piece: Bytes) -> Option<Bytes> {
        match &mut self.exchange {
            Some(exchange) => {
                exchange.held.push(piece);
                None
            }
            None => Some(piece),
        }
    }

    /// How long what was proved is believed.
    pub(super) fn lifetime(&self) -> SessionLifetime {
        self.lifetime
    }

    /// Whether an exchange is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.exchange.is_some()
    }

    /// Goes on with the exchange.
    ///
    /// # Errors
    /// It failed: the connection cannot be used.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Some(exchange) = &mut self.exchange else { return Ok(Progress::Done(Vec::new())) };
        if let Poll::Ready(outcome) = exchange.outcome.as_mut().poll(context) {
            let held = mem::take(&mut exchange.held);
            self.exchange = None;
            // Before its end, and not for all connections at once.
            self.lifetime = outcome?;
            let until_renewed = |lifetime: Duration| lifetime.mul_f64(0.85 + 0.1 * fastrand::f64());
            self.renew_at = self.lifetime.map(|lifetime| Instant::now() + until_renewed(lifetime));
            return Ok(Progress::Done(held));
        }
        Ok(match exchange.calls.try_recv() {
            Ok((SaslRequest::Handshake(mechanism), reply)) => {
                let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
                Progress::Send(SessionRequest::Handshake(request), reply)
            }
            Ok((SaslRequest::Authenticate(data), reply)) => {
                let request = SaslAuthenticateRequest::default().with_auth_bytes(data);
                Progress::Send(SessionRequest::Authenticate(request), reply)
            }
            Err(_) => Progress::Waiting,
        })
    }

    /// A request of the exchange was queued.
    pub(super) fn sent(&mut self, correlation_id: i32, api: ApiKey, version: i16, reply: oneshot::Sender<SaslAnswer>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.awaited = Some(Awaited { correlation_id, api, version, reply });
        }
    }

    /// Whether a frame with this correlation id belongs to the exchange.
    pub(super) fn awaits(&self, correlation_id: Option<&[u8]>) -> bool {
        let awaited = self.exchange.as_ref().and_then(|exchange| exchange.awaited.as_ref());
        awaited.is_some_and(|awaited| correlation_id == Some(&awaited.correlation_id.to_be_bytes()))
    }

    /// Takes an answer that belongs to the exchange; gives back any other.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn take_answer(&mut self, frame: Bytes) -> Result<Option<Bytes>, String> {
        let Some(exchange) = &mut self.exchange else { return Ok(Some(frame)) };
        let id = frame.first_chunk().map(|id| i32::from_be_bytes(*id));
        let is_ours = |awaited: &mut Awaited| id == Some(awaited.correlation_id);
        let Some(awaited) = exchange.awaited.take_if(is_ours) else { return Ok(Some(frame)) };
        let body = frame.slice(4..);
        let answer = match awaited.api {
            ApiKey::SaslHandshake => {
                let answer: SaslHandshakeResponse = decode(awaited.api, awaited.version, body)?;
                let mechanisms = answer.mechanisms.iter().map(|name| name.to_string()).collect();
                SaslAnswer { code: answer.error_code, mechanisms, ..SaslAnswer::default() }
            }
            _ => {
                let answer: SaslAuthenticateResponse = decode(awaited.api, awaited.version, body)?;
                SaslAnswer {
                    code: answer.error_code,
                    message: answer.error_message.map(|message| message.to_string()),
                    data: answer.auth_bytes,
                    session_lifetime_ms: answer.session_lifetime_ms,
                    mechanisms: Vec::new(),
                }
            }
        };
        let _ = awaited.reply.send(answer); // the exchange may have ended
        Ok(None)
    }
}
