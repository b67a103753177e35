//! A call that is sent on to the replica that has the instance: once, with the caller's own headers, and with who the caller is.
//!
//! The answer goes on to the client as it comes: what the client does not read is not read from the replica, and a client that hangs up ends
//! the call there, so that its records come again.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, EXPECT, HOST,
    HeaderName, ORIGIN, PROXY_AUTHORIZATION, RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use postern_access::Caller;
use postern_proxy::Holder;
use tokio::time::timeout;

use super::{NOT_HERE, ReplicaSecret};
use crate::answer_stream::{AnswerStream, answer_stream};
use crate::client_connection::ClientConnection;
use crate::negotiate::{EVENT_STREAM, NDJSON};
use crate::observe::{RequestId, X_REQUEST_ID};
use crate::problem::Problem;
use crate::reading::{hung_up, went_away};
use crate::reply::Reply;

/// A replica that does not accept a connection for so long is gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections kept open for each replica while unused, and for how long.
const IDLE_MAX: usize = 64;
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// An answer that pauses for so long, or is not read by its client for so long, is given up.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Answers up to this are read as a whole.
const WHOLE_MAX: u64 = 64 << 10;

/// What belongs to one connection (RFC 9110 §7.6.1), to the body as it was sent, or to what was decided where the request came in.
const LEFT_OUT: [HeaderName; 16] = [
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    COOKIE,
    EXPECT,
    HOST,
    ORIGIN,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    NOT_HERE,
];
/// What of the answer goes on to the client. Its media type is the one that was negotiated here as well.
const GOES_ON: [HeaderName; 3] = [CACHE_CONTROL, RETRY_AFTER, HeaderName::from_static("x-accel-buffering")];

/// Sends calls on. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Forwarder {
    client: Client<HttpConnector, Full<Bytes>>,
    secret: ReplicaSecret,
}

/// A call as it is sent on.
pub(super) struct Call<'a> {
    pub(super) head: &'a Parts,
    pub(super) caller: &'a Caller,
    /// The media type that was negotiated.
    pub(super) media_type: &'static str,
    /// Unpacked.
    pub(super) body: Bytes,
    pub(super) client: Option<ClientConnection>,
}

/// What became of a call.
pub(super) enum Forwarded {
    /// The answer for the client.
    Answered(Result<Reply, Problem>),
    /// The replica is gone, or does not have the instance. Nothing was done there, or what was done may be done again.
    NotThere,
    /// The replica is there, and has not answered in time.
    TimedOut,
}

impl Forwarder {
    pub(crate) fn new(secret: ReplicaSecret) -> Forwarder {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(tcp);
        Forwarder { client, secret }
    }

    /// Sends a call to the replica that has its instance. A broken connection is tried again once, on another one.
    pub(super) async fn forward(&self, call: Call<'_>, holder: &Holder) -> Forwarded {
        for _ in 0..2 {
            let answer = tokio::select! {
                biased;
                () = hung_up(call.client.clone()) => return Forwarded::Answered(Err(went_away())),
                answer = timeout(holder.patience, self.send(&call, holder)) => answer,
            };
            match answer {
                Err(_) => return Forwarded::TimedOut,
                Ok(Err(error)) if error.is_connect() => return Forwarded::NotThere,
                Ok(Err(error)) => {
                    tracing::debug!(replica = holder.address, %error, "a call to another replica broke off")
                }
                Ok(Ok(answer)) if answer.headers().contains_key(NOT_HERE) => return Forwarded::NotThere,
                Ok(Ok(answer)) => {
                    if let Some(reply) = self.reply(&call, answer).await {
                        return Forwarded::Answered(Ok(reply));
                    }
                }
            }
        }
        Forwarded::NotThere
    }

    async fn send(
        &self,
        call: &Call<'_>,
        holder: &Holder,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        let Call { head, caller, body, .. } = call;
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut sent = Request::new(Full::new(body.clone()));
        *sent.method_mut() = head.method.clone();
        *sent.uri_mut() = format!("http://{}{target}", holder.address).parse().unwrap_or_default();
        for (name, value) in &head.headers {
            if !LEFT_OUT.contains(name) {
                sent.headers_mut().append(name, value.clone());
            }
        }
        // Both replicas have the same name for the request in their logs.
        sent.headers_mut().insert(X_REQUEST_ID, RequestId::current().into_value());
        for (name, value) in self.secret.sign(caller, &holder.address, &head.method, &head.uri, SystemTime::now()) {
            sent.headers_mut().insert(name, value);
        }
        self.client.request(sent).await
    }

    /// The answer for the client; `None`: it broke off before anything of it was sent.
    async fn reply(&self, call: &Call<'_>, answer: Response<Incoming>) -> Option<Reply> {
        let (head, body) = answer.into_parts();
        let is_small = body.size_hint().upper().is_some_and(|upper| upper <= WHOLE_MAX);
        let reply = if is_small || call.head.method == Method::HEAD {
            let whole = timeout(PAUSE_MAX, body.collect()).await.ok()?.ok()?.to_bytes();
            match head.status.is_success() {
                true => Reply::bytes(head.status, whole),
                false => Reply::error(head.status, code(head.status, &whole), whole.to_vec()),
            }
        } else {
            let goes_on = matches!(call.media_type, EVENT_STREAM | NDJSON);
            Reply::stream(passed_on(body, call.client.clone(), goes_on))
        };
        let kept = GOES_ON.into_iter().filter_map(|name| head.headers.get(&name).map(|value| (name, value.clone())));
        Some(kept.fold(reply, |reply, (name, value)| reply.header(name, value)))
    }
}

/// The error code in a body, for whoever counts and logs.
fn code(status: StatusCode, body: &[u8]) -> u32 {
    #[derive(serde::Deserialize)]
    struct Coded {
        error_code: u32,
    }
    serde_json::from_slice(body).map_or(u32::from(status.as_u16()), |Coded { error_code }| error_code)
}

/// The body of the answer, read as the client reads. `goes_on`: it ends when this server is stopped; others come to their end.
fn passed_on(mut body: Incoming, client: Option<ClientConnection>, goes_on: bool) -> AnswerStream {
    let (answers, stream) = answer_stream();
    tokio::spawn(async move {
        let pass_on = async {
            loop {
                // Streams say at intervals that they go on.
                match timeout(PAUSE_MAX, body.frame()).await {
                    Ok(None) => return true,
                    Ok(Some(Ok(frame))) => {
                        let Ok(data) = frame.into_data() else { continue };
                        answers.push(&data);
                        if answers.wait_for_room(0, PAUSE_MAX).await.is_err() {
                            return true;
                        }
                    }
                    Ok(Some(Err(_))) | Err(_) => return false,
                }
            }
        };
        let nobody_reads = async {
            match goes_on {
                true => {
                    let _ = answers.no_more().await;
                }
                false => answers.left().await,
            }
        };
        tokio::select! {
            biased;
            () = hung_up(client) => {}
            () = nobody_reads => {}
            // A list that is not whole must not look like one.
            is_whole = pass_on => if !is_whole && !goes_on {
                answers.break_off();
            },
        }
    });
    stream
}
