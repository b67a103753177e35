//! What is known of the connection that a request came over: who is at its other end, and what TLS has shown of them.
//!
//! [`crate::serve`] puts it into the extensions of every request. What proxies in front say of the request itself, such as
//! `X-Forwarded-For`, is not part of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use crate::client_connection::ClientConnection;

/// What is known of a connection. In the extensions of each request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The other end of the socket: the client, or the proxy in front that connects for it. `None` for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The client as the PROXY protocol names it, where the listener speaks that; otherwise the same as `peer`.
    pub client: Option<SocketAddr>,
    /// TLS; `None`: none.
    pub tls: Option<TlsInfo>,
    /// What watches it.
    pub(crate) connection: Option<ClientConnection>,
}

/// What a TLS handshake has shown.
#[derive(Clone, Debug)]
pub struct TlsInfo {
    /// The certificate of the client and what it sent with it, its own first, in DER: signed by an authority that the listener trusts, and
    /// the client has the key. `None`: it has shown none.
    pub client_certificates: Option<Arc<[CertificateDer<'static>]>>,
    /// The server whose certificate the client has asked for (RFC 6066 §3); `None`: it has named none, as clients do that connect to an address.
    pub server_name: Option<Arc<str>>,
}

impl ConnectionInfo {
    /// A connection without TLS and without a proxy that speaks the PROXY protocol.
    pub fn new(peer: Option<SocketAddr>) -> ConnectionInfo {
        let peer = peer.map(|peer| SocketAddr::new(peer.ip().to_canonical(), peer.port()));
        ConnectionInfo { peer, client: peer, tls: None, connection: None }
    }

    /// The address of the other end of the socket. An IPv4 address is one, also on a socket of IPv6.
    pub fn peer_ip(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }

    /// The certificate that the client has shown.
    pub fn client_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.tls.as_ref()?.client_certificates.as_ref()?.first()
    }
}
