//! A client's connection, on which it may be slow but not silent for ever.
//!
//! hyper bounds the time that the head of a request takes, and [`crate::body`] the time of its body. Two silences they do not see are ended
//! here: a client that never says which version of HTTP it speaks, and one that does not take its answer off the wire.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What HTTP/2 begins with (RFC 9113 §3.4). Until a client has sent something else, or all of it, its version is not known.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails with `TimedOut` where its client is silent for too long.
pub(crate) struct Patience<S> {
    stream: S,
    idle: Duration,
    /// Until the version is known: how much of [`PREFACE`] has come, and when it must be there.
    greeting: Option<(usize, Pin<Box<Sleep>>)>,
    /// While something waits to be taken off the wire: when that must have begun.
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Patience<S> {
    pub(crate) fn new(stream: S, idle: Duration) -> Patience<S> {
        Patience { stream, idle, greeting: Some((0, Box::pin(sleep(idle)))), writing: None }
    }

    /// Passes `written` on, unless it has been pending for too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let idle = self.idle;
        let end = self.writing.get_or_insert_with(|| Box::pin(sleep(idle)));
        end.as_mut().poll(cx).map(|()| Err(silent("the client does not take its answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some((met, end)) = &mut self.greeting else { return read };
        if read.is_pending() {
            return end.as_mut().poll(cx).map(|()| Err(silent("the client says nothing")));
        }
        let come = &buf.filled()[before..];
        *met += come.len();
        if *met >= PREFACE.len() || come.is_empty() || *come != PREFACE[*met - come.len()..*met] {
            self.greeting = None;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, shut)
    }
}

fn silent(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    const IDLE: Duration = Duration::from_millis(400);

    /// What is read of `pieces`, sent one by one by a client that then stays and says nothing more.
    async fn read(pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
        let (mut client, server) = duplex(64);
        let mut server = Patience::new(server, IDLE);
        let (mut found, mut buf) = (Vec::new(), [0; 64]);
        for piece in pieces {
            client.write_all(piece).await.expect("there is room");
            let length = server.read(&mut buf).await?;
            found.extend_from_slice(&buf[..length]);
        }
        match timeout(2 * IDLE, server.read(&mut buf)).await {
            Ok(more) => more.map(|_| found),
            Err(_) => Ok(found),
        }
    }

    #[tokio::test]
    async fn only_a_client_that_has_not_shown_its_version_must_hurry() {
        let silences: [&[&[u8]]; 3] = [&[], &[b"P"], &[b"P", b"RI * HTTP/2.0\r\n\r\nSM\r\n"]];
        for silent in silences {
            let error = read(silent).await.expect_err("the version is not known");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{silent:?}");
        }
        let versions: [&[&[u8]]; 3] = [&[b"G"], &[b"P", b"OST"], &[b"PRI * ", b"HTTP/2.0\r\n\r\nSM\r\n\r\n"]];
        for shown in versions {
            assert_eq!(read(shown).await.expect("the version is known"), shown.concat());
        }
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let (mut client, server) = duplex(64);
        let mut server = Patience::new(server, IDLE);
        let taker = tokio::spawn(async move {
            let mut taken = [0; 1000];
            client.read_exact(&mut taken).await.expect("the server is there");
            client
        });
        server.write_all(&[0; 1000]).await.expect("it is taken");
        let _client = taker.await.expect("no panic");
        let error = server.write_all(&[0; 1000]).await.expect_err("nobody takes it");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
