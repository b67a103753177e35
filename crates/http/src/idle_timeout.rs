//! A connection with time limits on what hyper does not limit.
//!
//! hyper bounds the time that the head of a request takes, and [`crate::body`] the time of its body. Two cases remain: a client that never
//! sends enough to tell HTTP/1.1 from HTTP/2, and one that does not read its response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The preface of HTTP/2 (RFC 9113 §3.4). Until a client has sent all of it, or something else, its version is unknown.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails with `TimedOut` when its client is silent for too long.
pub(crate) struct IdleTimeoutStream<S> {
    stream: S,
    idle: Duration,
    /// Until the version is known: how much of [`PREFACE`] has been received, and the deadline.
    preface: Option<(usize, Pin<Box<Sleep>>)>,
    /// While a write is pending: its deadline.
    write_deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> IdleTimeoutStream<S> {
    pub(crate) fn new(stream: S, idle: Duration) -> IdleTimeoutStream<S> {
        IdleTimeoutStream { stream, idle, preface: Some((0, Box::pin(sleep(idle)))), write_deadline: None }
    }

    /// Fails a write that has been pending for too long.
    fn check_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let idle = self.idle;
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(sleep(idle)));
        deadline.as_mut().poll(cx).map(|()| Err(timed_out("the client does not read its response")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for IdleTimeoutStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some((received, deadline)) = &mut self.preface else { return read };
        if read.is_pending() {
            return deadline.as_mut().poll(cx).map(|()| Err(timed_out("the client sends nothing")));
        }
        let bytes = &buf.filled()[before..];
        *received += bytes.len();
        if *received >= PREFACE.len() || bytes.is_empty() || *bytes != PREFACE[*received - bytes.len()..*received] {
            self.preface = None;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for IdleTimeoutStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.check_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.check_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.check_write(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.check_write(cx, shut)
    }
}

fn timed_out(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    const IDLE: Duration = Duration::from_millis(400);

    /// What is read of `pieces`, sent one by one by a client that then stays connected and sends nothing more.
    async fn read(pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
        let (mut client, server) = duplex(64);
        let mut server = IdleTimeoutStream::new(server, IDLE);
        let (mut found, mut buf) = (Vec::new(), [0; 64]);
        for piece in pieces {
            client.write_all(piece).await.expect("it fits into the pipe");
            let length = server.read(&mut buf).await?;
            found.extend_from_slice(&buf[..length]);
        }
        match timeout(2 * IDLE, server.read(&mut buf)).await {
            Ok(more) => more.map(|_| found),
            Err(_) => Ok(found),
        }
    }

    #[tokio::test]
    async fn only_a_client_whose_version_is_unknown_times_out() {
        let incomplete: [&[&[u8]]; 3] = [&[], &[b"P"], &[b"P", b"RI * HTTP/2.0\r\n\r\nSM\r\n"]];
        for silent in incomplete {
            let error = read(silent).await.expect_err("the version is not known");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{silent:?}");
        }
        let complete: [&[&[u8]]; 3] = [&[b"G"], &[b"P", b"OST"], &[b"PRI * ", b"HTTP/2.0\r\n\r\nSM\r\n\r\n"]];
        for pieces in complete {
            assert_eq!(read(pieces).await.expect("the version is known"), pieces.concat());
        }
    }

    #[tokio::test]
    async fn a_response_that_is_not_read_times_out() {
        let (mut client, server) = duplex(64);
        let mut server = IdleTimeoutStream::new(server, IDLE);
        let reader = tokio::spawn(async move {
            let mut read = [0; 1000];
            client.read_exact(&mut read).await.expect("the server is there");
            client
        });
        server.write_all(&[0; 1000]).await.expect("it is read");
        let _client = reader.await.expect("no panic");
        let error = server.write_all(&[0; 1000]).await.expect_err("it is not read");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
