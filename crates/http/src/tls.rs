//! TLS of a listener: 1.2 and 1.3 by rustls with ring, with certificates of clients where they are asked for, and ALPN.
//!
//! What is in force is a [`TlsConfig`] that may be replaced while the listener serves: handshakes that begin later use the new one, and
//! sessions of the old one are not resumed. Reading files and noticing that they have changed is left to the caller.
//! Source: RFC 8446, RFC 7301.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::client_connection::{ClientConnection, SharedStream};
use crate::connection_info::TlsInfo;

/// The first byte of each handshake: the type of a record that carries one.
const HANDSHAKE_RECORD: u8 = 0x16;
/// Bytes that are read of a request without TLS.
const PLAIN_REQUEST_MAX: u64 = 64 << 10;
/// The protocols that are spoken over TLS, the preferred one first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A certificate with its key, and whose certificates are accepted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TlsConfig(Arc<ServerConfig>);

/// Whether clients are asked for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// They are not.
    None,
    /// They are, and need not show one. One that is not signed by these authorities ends the handshake all the same.
    Requested(Vec<CertificateDer<'static>>),
    /// They are, and without one that is signed by these authorities the handshake fails.
    Required(Vec<CertificateDer<'static>>),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2.
    V1_2,
    /// 1.3.
    V1_3,
}

impl TlsConfig {
    /// Shows `chain`, the server's own certificate first, and speaks `versions`, at least one.
    ///
    /// # Errors
    /// Certificate and key do not belong together, or one of them, or an authority, cannot be used: a sentence that says which.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        clients: ClientAuthentication,
        versions: &[TlsVersion],
    ) -> Result<TlsConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: Vec<_> = versions
            .iter()
            .map(|version| match version {
                TlsVersion::V1_2 => &rustls::version::TLS12,
                TlsVersion::V1_3 => &rustls::version::TLS13,
            })
            .collect();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .map_err(|error| format!("TLS cannot be spoken in these versions: {error}"))?;
        let verifier: Arc<dyn ClientCertVerifier> = match clients {
            ClientAuthentication::None => WebPkiClientVerifier::no_client_auth(),
            ClientAuthentication::Requested(authorities) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots(authorities)?, provider);
                verifier.allow_unauthenticated().build().map_err(|error| format!("the authorities: {error}"))?
            }
            ClientAuthentication::Required(authorities) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots(authorities)?, provider);
                verifier.build().map_err(|error| format!("the authorities: {error}"))?
            }
        };
        let config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key);
        let mut config = config.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => "the key is not that of the certificate".to_owned(),
            error => format!("certificate and key cannot be used: {error}"),
        })?;
        config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
        Ok(TlsConfig(Arc::new(config)))
    }
}

/// Shakes hands over `stream`. `None`: the client does not speak TLS, and was told so.
///
/// # Errors
/// The handshake failed; the client was told by an alert. Dropping the future closes the connection.
pub(crate) async fn accept(
    config: &TlsConfig,
    stream: SharedStream,
    client: &ClientConnection,
) -> io::Result<Option<(TlsStream<SharedStream>, TlsInfo)>> {
    if client.first_byte().await? != HANDSHAKE_RECORD {
        refuse_plain(stream).await?;
        return Ok(None);
    }
    let stream = TlsAcceptor::from(Arc::clone(&config.0)).accept(stream).await?;
    let session = stream.get_ref().1;
    let certificates = session.peer_certificates();
    let client_certificates = certificates.map(|chain| chain.iter().map(|one| one.clone().into_owned()).collect());
    let server_name = session.server_name().map(Arc::from);
    Ok(Some((stream, TlsInfo { client_certificates, server_name })))
}

/// Answers whoever speaks HTTP without TLS.
async fn refuse_plain(mut stream: SharedStream) -> io::Result<()> {
    const BODY: &str = r#"{"error_code":400,"message":"HTTP 400 Bad Request: this port speaks HTTPS: expected https:// in the URL, found a request without TLS."}"#;
    let response = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    // What the client has sent must be read, or the answer is lost with the connection.
    io::copy(&mut stream.take(PLAIN_REQUEST_MAX), &mut io::sink()).await?;
    Ok(())
}

/// Says why a connection was not opened: the client was told by an alert at most. Ports are also probed by opening and closing them, and clients go
/// away; that is of no interest.
pub(crate) fn log_failure(peer: Option<SocketAddr>, error: &io::Error) {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(reason) => tracing::info!(peer = peer.map(display), "TLS handshake failed: {reason}"),
        None if error.kind() == io::ErrorKind::InvalidData => {
            tracing::info!(peer = peer.map(display), "connection refused: {error}")
        }
        None => tracing::debug!(peer = peer.map(display), "connection not opened: {error}"),
    }
}

fn roots(authorities: Vec<CertificateDer<'static>>) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| format!("an authority cannot be used: {error}"))?;
    }
    Ok(Arc::new(roots))
}
