//! How this client proves who it is to the brokers, and how it knows them: TLS and SASL.
//!
//! Names and meanings are those of Kafka's client settings `security.protocol`, `ssl.*` and `sasl.*`. Everything that may be renewed
//! while the program runs is named by a [`Source`], which is read again for each new connection.

use std::{fmt, fs, io, path::PathBuf, sync::Arc};

use parking_lot::RwLock;

/// What is asked of a connection beyond TCP. The default is neither TLS nor SASL: Kafka's `PLAINTEXT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// TLS; `None`: none.
    pub tls: Option<Tls>,
    /// SASL; `None`: none.
    pub sasl: Option<Sasl>,
}

impl Security {
    /// Kafka's name of this combination: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        }
    }
}

/// TLS 1.2 or 1.3 towards the brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate authorities to trust (`ssl.truststore.*`); `None`: those of the system.
    pub trust: Option<TrustStore>,
    /// The certificate of this client and its key (`ssl.keystore.*`), where brokers ask for one.
    pub key: Option<KeyStore>,
    /// Whether the certificate of a broker must name the host that was connected to. `false` is Kafka's empty
    /// `ssl.endpoint.identification.algorithm`; whether the certificate is trusted is checked all the same.
    pub verify_host_name: bool,
}

impl Default for Tls {
    fn default() -> Tls {
        Tls { trust: None, key: None, verify_host_name: true }
    }
}

/// Certificates to trust. PEM, PKCS#12 and JKS are told apart by their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustStore {
    /// The store, or certificates in PEM (`ssl.truststore.location`, `ssl.truststore.certificates`).
    pub store: Source,
    /// Its password (`ssl.truststore.password`). PEM has none; JKS may be read without, unchecked.
    pub password: Option<Source>,
}

/// A certificate with its chain, and its private key. PEM, PKCS#12 and JKS are told apart by their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStore {
    /// The store, or the chain in PEM, the client's certificate first (`ssl.keystore.location`,
    /// `ssl.keystore.certificate.chain`).
    pub store: Source,
    /// The key in PEM where it does not stand in `store` (`ssl.keystore.key`).
    pub key: Option<Source>,
    /// The password of the store (`ssl.keystore.password`).
    pub password: Option<Source>,
    /// The password of the key (`ssl.key.password`); `None`: that of the store.
    pub key_password: Option<Source>,
}

/// How this client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// User and password, sent as they are: to be used with TLS.
    Plain {
        /// The user.
        user: String,
        /// The password.
        password: Source,
    },
    /// User and password by RFC 5802: neither is sent.
    Scram {
        /// SHA-256 or SHA-512.
        hash: ScramHash,
        /// The user.
        user: String,
        /// The password.
        password: Source,
    },
    /// A bearer token (RFC 7628).
    OAuthBearer {
        /// Where the token comes from.
        token: TokenSource,
        /// SASL extensions, sent beside it: names of letters, and printable values.
        extensions: Vec<(String, String)>,
    },
}

impl Sasl {
    /// Kafka's name of the mechanism, such as `SCRAM-SHA-512`.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Sasl::Plain { .. } => Mechanism::Plain,
            Sasl::Scram { hash, .. } => Mechanism::Scram(*hash),
            Sasl::OAuthBearer { .. } => Mechanism::OAuthBearer,
        }
        .name()
    }
}

/// The SASL mechanisms that are spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// `PLAIN`.
    Plain,
    /// `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    Scram(ScramHash),
    /// `OAUTHBEARER`.
    OAuthBearer,
}

impl Mechanism {
    /// By Kafka's name (`sasl.mechanism`).
    ///
    /// # Errors
    /// A sentence about why the mechanism cannot be used.
    pub fn parse(name: &str) -> Result<Mechanism, &'static str> {
        match name.trim().to_ascii_uppercase().as_str() {
            "PLAIN" => Ok(Mechanism::Plain),
            "SCRAM-SHA-256" => Ok(Mechanism::Scram(ScramHash::Sha256)),
            "SCRAM-SHA-512" => Ok(Mechanism::Scram(ScramHash::Sha512)),
            "OAUTHBEARER" => Ok(Mechanism::OAuthBearer),
            "GSSAPI" => {
                Err("Kerberos (GSSAPI, which is also what Kafka's clients use where no mechanism is named) is \
                 not supported: expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER")
            }
            _ => Err("expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"),
        }
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Scram(ScramHash::Sha256) => "SCRAM-SHA-256",
            Mechanism::Scram(ScramHash::Sha512) => "SCRAM-SHA-512",
            Mechanism::OAuthBearer => "OAUTHBEARER",
        }
    }
}

/// The hash of SCRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScramHash {
    /// SHA-256 (RFC 7677).
    Sha256,
    /// SHA-512.
    Sha512,
}

/// Where a bearer token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// A token, or a file that holds one and is renewed by somebody else.
    Given(Source),
    /// OAuth 2.0 client credentials (KIP-768). The token is fetched before the first connection, and again when most of its life
    /// is over.
    ClientCredentials(ClientCredentials),
}

/// An OAuth 2.0 client, and where it gets its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The token endpoint, `https://…` (`sasl.oauthbearer.token.endpoint.url`). `http` is for tests.
    pub endpoint: String,
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Source,
    /// The scope to ask for.
    pub scope: Option<String>,
    /// The audience to ask for: not part of OAuth 2.0, but some servers want it.
    pub audience: Option<String>,
    /// The certificate authorities to trust for the endpoint; `None`: those of the system.
    pub trust: Option<TrustStore>,
}

/// A text, or a file that is read again for each new connection. `Debug` shows no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The text itself.
    Inline(Secret),
    /// A text that may be replaced by another one, which counts for each new connection and each renewed session.
    Shared(SharedSecret),
    /// A file. Where a text is expected, line ends at its end are left out.
    File(PathBuf),
}

impl Source {
    /// A text given directly.
    pub fn inline(text: impl Into<String>) -> Source {
        Source::Inline(Secret(text.into()))
    }

    /// The content. May block on the file system.
    ///
    /// # Errors
    /// The file cannot be read, or is larger than 4 MiB.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Source::Inline(text) => Ok(text.0.clone().into_bytes()),
            Source::Shared(text) => Ok(text.0.read().0.clone().into_bytes()),
            Source::File(path) => {
                let named = |error: &dyn fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
                if fs::metadata(path).map_err(|error| named(&error))?.len() > Source::MAX_BYTES {
                    return Err(named(&"larger than 4 MiB"));
                }
                fs::read(path).map_err(|error| named(&error))
            }
        }
    }

    /// The content as a text without line ends at its end. May block on the file system.
    ///
    /// # Errors
    /// As [`Source::read`]; what is not UTF-8.
    pub(crate) fn read_text(&self) -> io::Result<String> {
        let text = String::from_utf8(self.read()?);
        let mut text = text.map_err(|_| io::Error::other(format!("{self}: expected a text in UTF-8")))?;
        if let Source::File(_) = self {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        Ok(text)
    }

    const MAX_BYTES: u64 = 4 << 20;
}

/// Where the content stands, not the content.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Inline(_) | Source::Shared(_) => f.write_str("the value given"),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }
}

/// A text that is not printed, and may be replaced. Cheap to clone; clones share it, and nothing else is equal.
#[derive(Clone, Debug)]
pub struct SharedSecret(Arc<RwLock<Secret>>);

impl SharedSecret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> SharedSecret {
        SharedSecret(Arc::new(RwLock::new(Secret::new(text))))
    }

    /// Keeps `text` from now on.
    pub fn replace(&self, text: impl Into<String>) {
        *self.0.write() = Secret::new(text);
    }
}

impl PartialEq for SharedSecret {
    fn eq(&self, other: &SharedSecret) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedSecret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let password = Source::inline("canary");
        let sasl = Sasl::Scram { hash: ScramHash::Sha512, user: "ana".to_owned(), password };
        let security = Security { tls: Some(Tls::default()), sasl: Some(sasl) };
        let printed = format!("{security:?} {security:#?}");
        assert!(printed.contains("ana") && !printed.contains("canary"), "{printed}");
        assert_eq!(security.protocol(), "SASL_SSL");
        assert_eq!(security.sasl.expect("set").mechanism(), "SCRAM-SHA-512");
    }

    #[test]
    fn mechanisms_have_kafkas_names() {
        for name in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] {
            assert_eq!(Mechanism::parse(name).map(Mechanism::name), Ok(name));
            assert_eq!(Mechanism::parse(&name.to_lowercase()).map(Mechanism::name), Ok(name));
        }
        assert!(Mechanism::parse("GSSAPI").expect_err("not supported").contains("Kerberos"));
        assert!(Mechanism::parse("AWS_MSK_IAM").expect_err("not supported").contains("expected PLAIN"));
    }

    #[test]
    fn a_password_file_may_end_with_a_line_end() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("password");
        std::fs::write(&path, "päss word \r\n").expect("written");
        let source = Source::File(path.clone());
        assert_eq!(source.read_text().expect("read"), "päss word ");
        std::fs::remove_file(&path).expect("removed");
        let missing = source.read_text().expect_err("missing").to_string();
        assert!(missing.contains("password") && missing.contains("No such file"), "{missing}");
    }
}
