//! Accepts connections, bounds their number, closes idle ones, and finishes open requests on shutdown.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ipnet::IpNet;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::addresses::belongs;
use crate::client_connection::{ClientConnection, SharedStream};
use crate::connection_info::ConnectionInfo;
use crate::handover::{self, LAST_HANDSHAKES};
use crate::idle_timeout::IdleTimeoutStream;
use crate::listener::{Accepted, Acceptor, Listener};
use crate::observe::ConnectionCounters;
use crate::proxy_protocol;
use crate::reply::ReplyBody;
use crate::response_body::{ResponseBody, ResponseBudget, Streams};
use crate::tls::{self, TlsConfig};
use crate::{Api, Bounds};

/// Bytes that one connection buffers before they are read. The head of a request must fit into it.
const BUFFER_MAX: usize = 64 << 10;
/// The same over HTTP/2, where it bounds what is in flight as well.
const WINDOW: u32 = 256 << 10;
/// Requests open at once on one connection of HTTP/2.
const STREAMS_MAX: u32 = 64;
/// The pause after a failed accept, as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a TLS handshake may take, where connections may be idle for longer.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// After the signal to stop, requests on open connections are still answered for so long; then connections without a request are closed.
/// Without it a request that is on its way at the signal would find its connection reset.
const LAST_REQUESTS: Duration = Duration::from_millis(250);

/// Serves `api` on `listener` until `stop` resolves; then open requests are finished, within `drain_timeout`.
///
/// HTTP/1.1 and HTTP/2; over TLS where the listener speaks it. Returns whether every open request was answered. Dropping the future ends accepting and closes
/// idle connections.
pub async fn serve(
    listener: impl Into<Listener>,
    api: Api,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
    drain_timeout: Duration,
) -> bool {
    let api = Arc::new(api);
    let answer = move |request| {
        let api = Arc::clone(&api);
        async move { api.answer(request).await }
    };
    serve_with(listener, answer, bounds, stop, drain_timeout).await
}

/// The same for any function from request to response: the benches compare the API with a trivial one. Each request has a
/// [`ConnectionInfo`] in its extensions.
pub async fn serve_with<F, A, B>(
    listener: impl Into<Listener>,
    answer: F,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
    drain_timeout: Duration,
) -> bool
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<B>> + Send + 'static,
    B: Into<ReplyBody>,
{
    let connections_max = bounds.connections.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let connections = Arc::new(Semaphore::new(connections_max));
    let (stopping, stopped) = watch::channel(false);
    let listener = listener.into();
    let server = Server::new(answer, &bounds, &listener, stopped);
    let mut acceptor = Acceptor::new(listener, Arc::clone(&connections));
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = acceptor.accept() => match accepted {
                Some(accepted) => server.spawn(accepted),
                None => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    stopping.send_replace(true);
    if acceptor.tcp().is_some_and(handover::leave) {
        let mut last_handshakes = pin!(sleep(LAST_HANDSHAKES));
        while let Some(accepted) = tokio::select! {
            biased;
            () = last_handshakes.as_mut() => None,
            accepted = acceptor.accept() => accepted,
        } {
            server.spawn(accepted);
        }
    }
    // Connections that the kernel has completed already would be reset.
    while let Ok(Some(accepted)) = timeout(Duration::ZERO, acceptor.accept()).await {
        server.spawn(accepted);
    }
    drop(acceptor);
    // Each connection holds a permit until it ends.
    timeout(drain_timeout, connections.acquire_many(connections_max as u32)).await.is_ok()
}

/// What all connections of a listener share.
#[derive(Clone)]
struct Server<F> {
    answer: F,
    http: Arc<auto::Builder<TokioExecutor>>,
    responses: ResponseBudget,
    idle: Duration,
    counters: ConnectionCounters,
    tls: Option<watch::Receiver<TlsConfig>>,
    proxies: Arc<[IpNet]>,
    stopped: watch::Receiver<bool>,
}

impl<F, A, B> Server<F>
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<B>> + Send + 'static,
    B: Into<ReplyBody>,
{
    fn new(answer: F, bounds: &Bounds, listener: &Listener, stopped: watch::Receiver<bool>) -> Server<F> {
        let mut http = auto::Builder::new(TokioExecutor::new());
        // Not `pipeline_flush`: it holds a response back when a part of the next request has arrived, and never sends it if that one is
        // malformed. `half_close`: a client that shuts down its side after the request still gets the response.
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.idle)
            .max_buf_size(BUFFER_MAX)
            .half_close(true);
        http.http2().timer(TokioTimer::new()).keep_alive_interval(bounds.idle).max_concurrent_streams(STREAMS_MAX);
        http.http2().initial_connection_window_size(WINDOW).initial_stream_window_size(WINDOW);
        let responses = ResponseBudget::new(bounds.responses);
        let (tls, proxies) = (listener.tls.clone(), Arc::clone(&listener.proxies));
        let counters = bounds.counters.clone();
        Server { answer, http: Arc::new(http), responses, idle: bounds.idle, counters, tls, proxies, stopped }
    }

    /// Serves one connection in a task of its own.
    fn spawn(&self, accepted: Accepted) {
        let server = self.clone();
        tokio::spawn(async move {
            let Accepted { stream, peer, permit } = accepted;
            let _held = (permit, server.counters.opened());
            let (stream, client) = SharedStream::new(stream);
            let (mut stopped, is_http2) = (server.stopped.clone(), AtomicBool::new(false));
            let opening = timeout(
                server.idle.min(HANDSHAKE_MAX),
                open(&server.proxies, server.tls.as_ref(), stream, peer, client),
            );
            let opened = tokio::select! {
                opened = opening => opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                // A client that has no connection yet has sent no request.
                () = last_requests(&mut stopped, &is_http2) => return,
            };
            let (stream, info) = match opened {
                Ok(Some(opened)) => opened,
                Ok(None) => return,
                Err(error) => return tls::log_failure(peer, &error),
            };
            // A client may break its own connection; that is no fault of the server.
            if let Err(error) = server.serve_connection(stream, info).await {
                tracing::debug!(peer = peer.map(display), %error, "connection ended early");
            }
        });
    }

    /// Serves the requests of one connection.
    async fn serve_connection(
        self,
        stream: Either<SharedStream, TlsStream<SharedStream>>,
        info: ConnectionInfo,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let idle = self.idle;
        let connection = Arc::new(Connection {
            answer: self.answer,
            info,
            responses: self.responses,
            streams: Streams::default(),
            is_http2: AtomicBool::new(false),
            stopped: self.stopped.clone(),
        });
        let service = service_fn(|request| {
            let connection = Arc::clone(&connection);
            async move { Ok::<_, Infallible>(connection.answer(request).await) }
        });
        let io = TokioIo::new(IdleTimeoutStream::new(stream, idle));
        let mut served = pin!(self.http.serve_connection(io, service).into_owned());
        let mut stopped = self.stopped;
        let mut close_at = None;
        let mut checks = interval_at(Instant::now() + idle / 4, idle / 4);
        let mut last_requests = pin!(last_requests(&mut stopped, &connection.is_http2));
        let mut draining = false;
        loop {
            tokio::select! {
                biased;
                result = served.as_mut() => return result,
                () = last_requests.as_mut(), if !draining => {
                    draining = true;
                    served.as_mut().graceful_shutdown();
                }
                now = checks.tick() => {
                    // A client that does not read a response gets no further ones, and other responses have the same time to finish.
                    if connection.streams.drop_stalled(idle) && close_at.is_none() {
                        served.as_mut().graceful_shutdown();
                        close_at = Some(now + idle);
                    }
                    if close_at.is_some_and(|at| at <= now) {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// What the requests of one connection share.
struct Connection<F> {
    answer: F,
    info: ConnectionInfo,
    responses: ResponseBudget,
    streams: Streams,
    is_http2: AtomicBool,
    stopped: watch::Receiver<bool>,
}

impl<F, A, B> Connection<F>
where
    F: Fn(Request<Incoming>) -> A,
    A: Future<Output = Response<B>>,
    B: Into<ReplyBody>,
{
    async fn answer(&self, mut request: Request<Incoming>) -> Response<ResponseBody> {
        request.extensions_mut().insert(self.info.clone());
        let (version, is_safe) = (request.version(), request.method().is_safe());
        if version == Version::HTTP_2 {
            self.is_http2.store(true, Relaxed);
        }
        let mut response = (self.answer)(request).await.map(Into::into);
        if version < Version::HTTP_2 && *self.stopped.borrow() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.responses.admit(response, is_safe, version, &self.streams, &self.stopped).await
    }
}

/// What comes before the first request: who the client is by the PROXY protocol, and the handshake of TLS. `None`: it was refused.
async fn open(
    proxies: &[IpNet],
    tls: Option<&watch::Receiver<TlsConfig>>,
    mut stream: SharedStream,
    peer: Option<SocketAddr>,
    client: ClientConnection,
) -> io::Result<Option<(Either<SharedStream, TlsStream<SharedStream>>, ConnectionInfo)>> {
    let mut info = ConnectionInfo { connection: Some(client.clone()), ..ConnectionInfo::new(peer) };
    if peer.is_some_and(|peer| belongs(peer.ip(), proxies)) {
        info.client = proxy_protocol::read(&mut stream).await?.or(info.client);
    }
    let Some(config) = tls else { return Ok(Some((Either::Left(stream), info))) };
    let config = config.borrow().clone();
    let Some((stream, tls)) = tls::accept(&config, stream, &client).await? else { return Ok(None) };
    info.tls = Some(tls);
    Ok(Some((Either::Right(stream), info)))
}

/// Resolves some time after the signal to stop; at once over HTTP/2, which tells the client which requests were received.
async fn last_requests(stopped: &mut watch::Receiver<bool>, is_http2: &AtomicBool) {
    let is_signaled = stopped.wait_for(|stopped| *stopped).await.is_ok();
    // Without a signal the server was dropped.
    if is_signaled && !is_http2.load(Relaxed) {
        sleep(LAST_REQUESTS).await;
    }
}
