//! TLS towards brokers and token endpoints: rustls with ring, as everywhere in this program.
//!
//! [`ClientTls`] keeps one configuration and reads its files again for each new connection, so that renewed certificates are taken
//! without a restart; a connection that is open keeps what it was opened with. Files that cannot be read then, such as ones that
//! are being written, leave the last good configuration in force.
//!
//! Source: Kafka's `ssl.*` client settings; RFC 8446.

use std::{fmt, io, sync::Arc};

use parking_lot::Mutex;
use ring::digest::{Context, SHA256};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    Error, ErrorKind,
    settings::{KeyStore, Source, Tls, TrustStore},
};

mod any_name;
mod jks;
mod stores;

/// The TLS settings of one cluster, and what was last made of them.
pub(crate) struct ClientTls {
    settings: Tls,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    /// Over everything that was read.
    digest: Vec<u8>,
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Reads certificates and keys. Blocks on the file system.
    ///
    /// # Errors
    /// `InvalidRequest`: a store cannot be read or used.
    pub(crate) fn new(settings: Tls) -> Result<ClientTls, Error> {
        let loaded = Material::read(&settings).and_then(|material| material.load(&settings)).map_err(invalid)?;
        Ok(ClientTls { settings, loaded: Mutex::new(loaded) })
    }

    /// The configuration for a new connection.
    pub(crate) async fn config(self: &Arc<ClientTls>) -> Arc<ClientConfig> {
        if self.settings.has_files() {
            let this = self.clone();
            // A panic or a runtime that ends leaves what was loaded last.
            let _ = tokio::task::spawn_blocking(move || this.reload()).await;
        }
        self.loaded.lock().config.clone()
    }

    fn reload(&self) {
        let reloaded = Material::read(&self.settings).and_then(|material| {
            if self.loaded.lock().digest == material.digest() {
                return Ok(None);
            }
            material.load(&self.settings).map(Some)
        });
        match reloaded {
            Ok(None) => {}
            Ok(Some(loaded)) => {
                *self.loaded.lock() = loaded;
                tracing::info!("Kafka: certificates have changed and are used for new connections");
            }
            Err(reason) => {
                tracing::warn!("Kafka: {reason}; what was read before stays in use for new connections");
            }
        }
    }

    /// Shakes hands over `socket` with the broker at `address` (`host:port`).
    ///
    /// # Errors
    /// `Authentication` where one side does not accept the certificate of the other; `BrokerUnavailable`.
    pub(crate) async fn connect(
        self: &Arc<ClientTls>,
        address: &str,
        socket: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let name = server_name(address)?;
        let connector = TlsConnector::from(self.config().await);
        connector.connect(name, socket).await.map_err(|error| failure(address, &error))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientTls").field(&self.settings).finish()
    }
}

/// The host of `host:port` as TLS wants it: without brackets, and without the dot that ends an absolute name.
fn server_name(address: &str) -> Result<ServerName<'static>, Error> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    ServerName::try_from(host.to_owned()).map_err(|_| {
        invalid(format!("{address}: the host is neither a DNS name nor an IP address, so TLS cannot check it"))
    })
}

/// What went wrong in a handshake, or with the first bytes after it: in TLS 1.3 a client certificate is refused only then.
pub(crate) fn failure(address: &str, error: &io::Error) -> Error {
    let refused = |message: String| Error::new(ErrorKind::Authentication, "SSL_HANDSHAKE_FAILED", message);
    match rustls_error(error) {
        Some(rustls::Error::InvalidCertificate(cause)) => {
            let hint = match cause {
                // Another authority of the same name makes the second.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    ": no trusted authority has signed it"
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    ": the broker must be reached under a name in its certificate (its advertised listener), or the check be \
                     switched off"
                }
                _ => "",
            };
            refused(format!("{address}: the certificate of the broker is not accepted: {cause}{hint}"))
        }
        Some(rustls::Error::AlertReceived(alert)) if is_about_certificates(*alert) => refused(format!(
            "{address}: the broker does not accept the client certificate, or wants one: TLS alert {alert:?}"
        )),
        Some(rustls::Error::InvalidMessage(_)) => Error::unavailable(format!(
            "{address} does not answer in TLS: its listener may speak another security protocol ({error})"
        )),
        None if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            Error::unavailable(format!(
                "{address} closed the connection during the TLS handshake: its listener may not speak TLS"
            ))
        }
        _ => Error::unavailable(format!("{address}: TLS failed: {error}")),
    }
}

/// The error of rustls inside of an IO error.
pub(crate) fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription::*;
    matches!(
        alert,
        NoCertificate
            | BadCertificate
            | UnsupportedCertificate
            | CertificateRevoked
            | CertificateExpired
            | CertificateUnknown
            | UnknownCA
            | AccessDenied
            | CertificateRequired
            | DecryptError
    )
}

/// The one provider of cryptography in this program.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What the settings name, as bytes.
struct Material {
    trust: Option<(Vec<u8>, Option<String>)>,
    key: Option<stores::KeyMaterial>,
}

impl Material {
    fn read(settings: &Tls) -> Result<Material, String> {
        let trust = settings.trust.as_ref().map(TrustStore::material).transpose()?;
        let key = settings.key.as_ref().map(KeyStore::material).transpose()?;
        Ok(Material { trust, key })
    }

    fn digest(&self) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        let mut add = |part: Option<&[u8]>| {
            let part = part.unwrap_or_default();
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        };
        let as_bytes = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        if let Some((store, password)) = &self.trust {
            add(Some(store));
            add(as_bytes(password).as_deref());
        }
        if let Some(stores::KeyMaterial { store, key, password, key_password }) = &self.key {
            add(Some(store));
            add(key.as_deref());
            add(as_bytes(password).as_deref());
            add(as_bytes(key_password).as_deref());
        }
        context.finish().as_ref().to_vec()
    }

    fn load(&self, settings: &Tls) -> Result<Loaded, String> {
        let mut roots = RootCertStore::empty();
        match (&self.trust, &settings.trust) {
            (Some((bytes, password)), Some(named)) => {
                let described = |reason: String| format!("trust store {}: {reason}", named.store);
                for certificate in stores::certificates(bytes, password.as_deref()).map_err(described)? {
                    roots
                        .add(certificate)
                        .map_err(|error| described(format!("a certificate cannot be used: {error}")))?;
                }
            }
            _ => {
                let found = rustls_native_certs::load_native_certs();
                for error in &found.errors {
                    tracing::warn!("some certificates of this system cannot be read: {error}");
                }
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let message = "no trust store is set, and this system has no certificate authorities to trust";
                    return Err(message.to_owned());
                }
            }
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        let verifier = verifier.build().map_err(|error| format!("trust store: {error}"))?;
        let verifier: Arc<dyn ServerCertVerifier> = match settings.verify_host_name {
            true => verifier,
            false => Arc::new(any_name::AnyName(verifier)),
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider speaks the default versions")
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match (&self.key, &settings.key) {
            (Some(material), Some(named)) => {
                let described = |reason: String| format!("key store {}: {reason}", named.store);
                let (chain, key) = material.chain_and_key().map_err(described)?;
                let built = builder.with_client_auth_cert(chain, key);
                built.map_err(|error| described(format!("certificate and key cannot be used: {error}")))?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Loaded { digest: self.digest(), config: Arc::new(config) })
    }
}

impl Tls {
    /// Whether anything can change while the program runs.
    fn has_files(&self) -> bool {
        let is_file = |source: &Source| matches!(source, Source::File(_));
        let trust = self.trust.as_ref();
        let key = self.key.as_ref();
        trust.is_some_and(|trust| is_file(&trust.store))
            || key.is_some_and(|key| is_file(&key.store) || key.key.as_ref().is_some_and(is_file))
    }
}

impl KeyStore {
    /// The certificate, those that signed it, and its key. May block on the file system, and compute for some 100 ms.
    ///
    /// # Errors
    /// What cannot be read or used, and why.
    pub fn chain_and_key(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        self.material()?.chain_and_key().map_err(|reason| format!("key store {}: {reason}", self.store))
    }

    fn material(&self) -> Result<stores::KeyMaterial, String> {
        Ok(stores::KeyMaterial {
            store: bytes("key store", &self.store)?,
            key: self.key.as_ref().map(|key| bytes("key of the key store", key)).transpose()?,
            password: text("password of the key store", self.password.as_ref())?,
            key_password: text("password of the key in the key store", self.key_password.as_ref())?,
        })
    }
}

impl TrustStore {
    /// The certificates to trust, at least one. May block on the file system, and compute for some 100 ms.
    ///
    /// # Errors
    /// What cannot be read or used, and why.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let (store, password) = self.material()?;
        let found = stores::certificates(&store, password.as_deref());
        found.map_err(|reason| format!("trust store {}: {reason}", self.store))
    }

    fn material(&self) -> Result<(Vec<u8>, Option<String>), String> {
        Ok((bytes("trust store", &self.store)?, text("password of the trust store", self.password.as_ref())?))
    }
}

fn bytes(what: &str, source: &Source) -> Result<Vec<u8>, String> {
    source.read().map_err(|error| format!("{what}: {error}"))
}

fn text(what: &str, source: Option<&Source>) -> Result<Option<String>, String> {
    source.map(|source| source.read_text().map_err(|error| format!("{what}: {error}"))).transpose()
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, "INVALID_CONFIG", message)
}

#[cfg(test)]
mod tests;
