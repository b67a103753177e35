//! Accepts connections, bounds their number, closes idle ones, and finishes open requests on shutdown.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::idle_timeout::IdleTimeoutStream;
use crate::{Api, Bounds};

/// What one connection holds at most of what its client sent and nobody has read yet. The head of a request must fit into it.
const BUFFER_MAX: usize = 64 << 10;
/// The same over HTTP/2, where it bounds what may be on its way, too.
const WINDOW: u32 = 256 << 10;
/// How long to wait before accepting again when the process has no file descriptor left, or the like.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `api` on `listener` until `stop` resolves; then requests under way are finished, within `drain_timeout`.
///
/// HTTP/1.1 and HTTP/2 without TLS. True: every request under way was answered.
pub async fn serve(
    listener: TcpListener,
    api: Api,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
    drain_timeout: Duration,
) -> bool {
    let answer = move |request| {
        let api = api.clone();
        async move { api.answer(request).await }
    };
    serve_with(listener, answer, bounds, stop, drain_timeout).await
}

/// The same for any function from request to response: what the benches measure the API against.
pub async fn serve_with<F, A>(
    listener: TcpListener,
    answer: F,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
    drain_timeout: Duration,
) -> bool
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    // Not `pipeline_flush`: it keeps an answer back where a part of the next request has come, and never sends that to a broken one.
    server.http1().timer(TokioTimer::new()).header_read_timeout(bounds.idle).max_buf_size(BUFFER_MAX);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(bounds.idle);
    server.http2().initial_connection_window_size(WINDOW).initial_stream_window_size(WINDOW);
    let server = Arc::new(server);
    let connections = Arc::new(Semaphore::new(bounds.connections));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let Some((stream, permit)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let stream = TokioIo::new(IdleTimeoutStream::new(stream, bounds.idle));
        let connection = server.serve_connection(stream, service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // What a client does to its own connection is its own affair.
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    timeout(drain_timeout, graceful.shutdown()).await.is_ok()
}

/// The next connection, once there is room for one. `None`: the kernel has none to give at the moment.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small and waited for; they must not wait for each other.
            stream.set_nodelay(true).ok()?;
            Some((stream, permit))
        }
        Err(error) => {
            tracing::warn!(error = %error, "cannot accept a connection");
            None
        }
    }
}
