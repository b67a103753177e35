//! A connection that a handler can watch while its request is being answered.
//!
//! hyper reads nothing from a connection of HTTP/1.1 while a request is answered, so nobody would notice that the client has gone. Whoever
//! hands out what exists once only, such as records of a consumer instance, watches the socket itself.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

/// How often a connection is looked at on which something has arrived that is not read yet.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// What a connection runs over.
#[derive(Debug)]
pub(crate) enum ClientStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The same of either kind.
macro_rules! either {
    ($self:ident, $stream:ident => $does:expr) => {
        match $self {
            ClientStream::Tcp($stream) => $does,
            ClientStream::Unix($stream) => $does,
        }
    };
}

impl ClientStream {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        either!(self, stream => stream.ready(interest).await)
    }

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read_ready(cx))
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_write_ready(cx))
    }

    fn try_read_buf(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        either!(self, stream => stream.try_read_buf(buf))
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.try_write(bytes))
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.try_write_vectored(slices))
    }

    fn shut_down_write(&self) -> io::Result<()> {
        either!(self, stream => SockRef::from(stream).shutdown(Shutdown::Write))
    }
}

/// The stream of a connection, shared with those who watch it.
pub(crate) struct SharedStream(Arc<ClientStream>);

/// Watches a connection. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ClientConnection(Arc<ClientStream>);

impl SharedStream {
    pub(crate) fn new(stream: ClientStream) -> (SharedStream, ClientConnection) {
        let stream = Arc::new(stream);
        (SharedStream(Arc::clone(&stream)), ClientConnection(stream))
    }
}

impl ClientConnection {
    /// Waits until the client has closed the connection, or its side of it, also when it has sent something before. Cancel safe.
    pub(crate) async fn closed(&self) {
        loop {
            match self.0.ready(Interest::READABLE).await {
                // The next request, or how TLS says that it ends: the system tells only now and then whether it is followed by the end.
                Ok(ready) if !ready.is_read_closed() => sleep(CHECK_INTERVAL).await,
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Waits for the first byte that the client sends, and leaves it to be read. Not over Unix sockets, which speak no TLS.
    ///
    /// # Errors
    /// The client has closed the connection.
    pub(crate) async fn first_byte(&self) -> io::Result<u8> {
        let ClientStream::Tcp(stream) = &*self.0 else { return Err(io::ErrorKind::Unsupported.into()) };
        let mut first = [0];
        match stream.peek(&mut first).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(first[0]),
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
        write: impl Fn(&ClientStream) -> io::Result<usize>,
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
        Poll::Ready(self.0.shut_down_write())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    /// Over TLS something always comes before the end, and so it does when a client sends its next request too early.
    #[tokio::test]
    async fn the_end_is_seen_behind_what_was_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let mut there = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        let (mut stream, client) =
            SharedStream::new(ClientStream::Tcp(listener.accept().await.expect("a connection").0));
        there.write_all(b"request").await.expect("sent");
        let mut read = [0; 7];
        stream.read_exact(&mut read).await.expect("it was sent");
        there.write_all(b"more").await.expect("sent");
        assert_eq!(client.first_byte().await.expect("sent"), b'm');
        assert!(timeout(3 * CHECK_INTERVAL, client.closed()).await.is_err(), "it is open");
        drop(there);
        timeout(Duration::from_secs(30), client.closed()).await.expect("it is closed");
    }
}
