//! Bytes to and from a broker: TCP, or TLS over it.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{BufMut, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::TURN;

/// An open connection to a broker.
#[derive(Debug)]
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Appends what has arrived to `input`, a turn at most; 0: the end.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(socket) => loop {
                match socket.try_read_buf(&mut (&mut *input).limit(TURN)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(socket.poll_read_ready(context))?,
                    read => return Poll::Ready(read),
                }
            },
            // The future keeps nothing between polls.
            Socket::Tls(stream) => pin!(stream.read_buf(input)).poll(context),
        }
    }

    /// Writes what goes at once. Over TLS what is written may wait here until [`Socket::poll_flush`].
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(socket) => loop {
                match socket.try_write_vectored(slices) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(socket.poll_write_ready(context))?
                    }
                    written => return Poll::Ready(written),
                }
            },
            Socket::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(context, slices),
        }
    }

    /// Hands everything written to the kernel.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Plain(_) => Poll::Ready(Ok(())),
            Socket::Tls(stream) => Pin::new(&mut **stream).poll_flush(context),
        }
    }
}
