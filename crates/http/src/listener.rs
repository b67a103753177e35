//! A listener: accepts connections within a bound on their number.

use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::client_connection::ClientStream;
use crate::tls::TlsConfig;

/// A socket that listens, and what is spoken on its connections below HTTP.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    pub(crate) tls: Option<watch::Receiver<TlsConfig>>,
    /// Whose connections begin with a header of the PROXY protocol.
    pub(crate) proxies: Arc<[IpNet]>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Speaks TLS on each connection, with what `config` holds when its handshake begins.
    #[must_use]
    pub fn with_tls(self, config: watch::Receiver<TlsConfig>) -> Listener {
        Listener { tls: Some(config), ..self }
    }

    /// Connections from one of `proxies` begin with a header of the PROXY protocol, which names the client; others are not affected.
    #[must_use]
    pub fn with_proxy_protocol(self, proxies: &[IpNet]) -> Listener {
        Listener { proxies: proxies.into(), ..self }
    }
}

/// Plain HTTP.
impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Listener {
        Listener { socket: Socket::Tcp(socket), tls: None, proxies: Arc::default() }
    }
}

/// Plain HTTP over a Unix socket: TLS is not spoken there, whatever is asked for.
impl From<UnixListener> for Listener {
    fn from(socket: UnixListener) -> Listener {
        Listener { socket: Socket::Unix(socket), tls: None, proxies: Arc::default() }
    }
}

/// A connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) stream: ClientStream,
    /// `None`: it came over a Unix socket.
    pub(crate) peer: Option<SocketAddr>,
    /// Held as long as the connection is open.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Accepts connections within their bound.
pub(crate) struct Acceptor {
    listener: Listener,
    connections: Arc<Semaphore>,
    /// Whether the last accept failed: failures are logged once, not twenty times a second.
    failing: bool,
}

impl Acceptor {
    pub(crate) fn new(listener: Listener, connections: Arc<Semaphore>) -> Acceptor {
        Acceptor { listener, connections, failing: false }
    }

    /// The socket that listens, if others may listen on its port as well.
    pub(crate) fn tcp(&self) -> Option<&TcpListener> {
        match &self.listener.socket {
            Socket::Tcp(socket) => Some(socket),
            Socket::Unix(_) => None,
        }
    }

    /// The next connection, once the bound on connections allows it. `None`: accepting failed.
    pub(crate) async fn accept(&mut self) -> Option<Accepted> {
        let permit = Arc::clone(&self.connections).acquire_owned().await.ok()?;
        let accepted = match &self.listener.socket {
            Socket::Tcp(socket) => socket.accept().await.map(|(stream, peer)| (ClientStream::Tcp(stream), Some(peer))),
            Socket::Unix(socket) => socket.accept().await.map(|(stream, _)| (ClientStream::Unix(stream), None)),
        };
        match accepted {
            Ok((stream, peer)) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("connections are accepted again");
                }
                // Responses are small and latency matters: no Nagle delay.
                if let ClientStream::Tcp(stream) = &stream {
                    stream.set_nodelay(true).ok()?;
                }
                Some(Accepted { stream, peer, permit })
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "cannot accept connections; trying again until it works");
                }
                None
            }
        }
    }
}
