//! A connection that a handler can watch while its request is being answered.
//!
//! hyper reads nothing from a connection of HTTP/1.1 while a request is answered, so nobody would notice that the client has gone. Whoever
//! hands out what exists once only, such as records of a consumer instance, watches the socket itself.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The stream of a connection, shared with those who watch it.
pub(crate) struct SharedStream(Arc<TcpStream>);

/// Watches a connection. In the extensions of each request. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ClientConnection(Arc<TcpStream>);

impl SharedStream {
    pub(crate) fn new(stream: TcpStream) -> (SharedStream, ClientConnection) {
        let stream = Arc::new(stream);
        (SharedStream(Arc::clone(&stream)), ClientConnection(stream))
    }
}

impl ClientConnection {
    /// Waits until the client has closed the connection, or its side of it. Never resolves if the client has sent something else before.
    /// Cancel safe.
    pub(crate) async fn closed(&self) {
        match self.0.peek(&mut [0]).await {
            Ok(0) | Err(_) => {}
            // The next request: what comes after it cannot be seen.
            Ok(_) => std::future::pending().await,
        }
    }
}

impl AsyncRead for SharedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl SharedStream {
    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match write(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is buffered here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(Shutdown::Write))
    }
}
