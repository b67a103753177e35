//! A listener: accepts connections within a bound on their number.

use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::tls::TlsConfig;

/// A socket that listens, and what is spoken on its connections below HTTP.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    pub(crate) tls: Option<watch::Receiver<TlsConfig>>,
    /// Whose connections begin with a header of the PROXY protocol.
    pub(crate) proxies: Arc<[IpNet]>,
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
        Listener { socket, tls: None, proxies: Arc::default() }
    }
}

/// A connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
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

    /// The socket that listens.
    pub(crate) fn socket(&self) -> &TcpListener {
        &self.listener.socket
    }

    /// The next connection, once the bound on connections allows it. `None`: accepting failed.
    pub(crate) async fn accept(&mut self) -> Option<Accepted> {
        let permit = Arc::clone(&self.connections).acquire_owned().await.ok()?;
        match self.listener.socket.accept().await {
            Ok((stream, peer)) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("connections are accepted again");
                }
                // Responses are small and latency matters: no Nagle delay.
                stream.set_nodelay(true).ok()?;
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
