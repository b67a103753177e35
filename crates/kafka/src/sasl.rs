//! SASL: proving to a broker who this client is, mechanism by mechanism.
//!
//! [`Authenticator`] holds the credentials of one cluster and carries out whole exchanges over a [`Conversation`]; how requests get
//! to the broker is left to the connection. It remembers what was refused: the same credentials are tried again after growing
//! pauses only, however many connections want to be opened, so that no account is locked for it.
//!
//! Source: KIP-12, KIP-152 (SaslAuthenticate), KIP-368 (re-authentication), RFC 4616, 5802, 7628.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    Error, ErrorKind,
    error::ErrorCode,
    settings::{Sasl, Source, TokenSource},
};

mod oauth;
mod scram;

/// What a broker is asked during an exchange.
#[derive(Debug)]
pub(crate) enum SaslRequest {
    /// SaslHandshake, with the name of the mechanism.
    Handshake(&'static str),
    /// SaslAuthenticate.
    Authenticate(Bytes),
}

/// What it answers; each field in one of the two answers only, but for the code.
#[derive(Debug, Default)]
pub(crate) struct SaslAnswer {
    pub(crate) code: i16,
    pub(crate) message: Option<String>,
    pub(crate) data: Bytes,
    pub(crate) session_lifetime_ms: i64,
    pub(crate) mechanisms: Vec<String>,
}

/// A request of an exchange, and where its answer goes.
pub(crate) type SaslCall = (SaslRequest, oneshot::Sender<SaslAnswer>);

/// The exchange's way to the broker.
pub(crate) struct Conversation(mpsc::Sender<SaslCall>);

impl Conversation {
    /// A conversation, and what has to carry its requests.
    pub(crate) fn new() -> (Conversation, mpsc::Receiver<SaslCall>) {
        let (requests, carried) = mpsc::channel(1);
        (Conversation(requests), carried)
    }

    async fn ask(&self, request: SaslRequest) -> Result<SaslAnswer, Error> {
        let gone = || Error::unavailable("the connection ended during authentication");
        let (reply, answer) = oneshot::channel();
        self.0.send((request, reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

/// How long what was proved is believed; `None`: as long as the connection lasts.
pub(crate) type SessionLifetime = Option<Duration>;

/// The credentials of one cluster.
pub(crate) struct Authenticator {
    sasl: Sasl,
    tokens: Option<oauth::Tokens>,
    salted: scram::SaltedPasswords,
    refused: Mutex<Option<Refused>>,
    /// How often a broker has refused.
    refusals: AtomicU64,
}

/// Credentials that a broker has refused.
struct Refused {
    error: Error,
    /// Of the credentials: others may be tried at once.
    digest: Vec<u8>,
    failures: u32,
    until: Instant,
}

/// A password, a token, or the secret that a token is had for.
struct Credentials {
    text: String,
    digest: Vec<u8>,
}

impl Authenticator {
    const FIRST_PAUSE: Duration = Duration::from_secs(1);
    const LONGEST_PAUSE: Duration = Duration::from_secs(60);

    /// Reads what files there are, to notice early that they are missing. Blocks on the file system.
    ///
    /// # Errors
    /// `InvalidRequest`: a file cannot be read, or a setting cannot be used.
    pub(crate) fn new(sasl: Sasl) -> Result<Authenticator, Error> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidRequest, "INVALID_CONFIG", message);
        let unreadable = |error: std::io::Error| invalid(format!("SASL {}: {error}", sasl.mechanism()));
        let tokens = match &sasl {
            Sasl::Plain { password, user } | Sasl::Scram { password, user, .. } => {
                password.read_text().map_err(unreadable)?;
                if user.is_empty() {
                    return Err(invalid(format!("SASL {}: expected a user name, found none", sasl.mechanism())));
                }
                None
            }
            Sasl::OAuthBearer { token, extensions } => {
                oauth::check_extensions(extensions).map_err(invalid)?;
                match token {
                    TokenSource::Given(source) => {
                        source.read_text().map_err(unreadable)?;
                        None
                    }
                    TokenSource::ClientCredentials(credentials) => Some(oauth::Tokens::new(credentials.clone())?),
                }
            }
        };
        Ok(Authenticator {
            sasl,
            tokens,
            salted: scram::SaltedPasswords::default(),
            refused: Mutex::new(None),
            refusals: AtomicU64::new(0),
        })
    }

    /// How often a broker has refused, since the start.
    pub(crate) fn refusals(&self) -> u64 {
        self.refusals.load(Relaxed)
    }

    /// To be asked before a connection is opened: whether the credentials as they are now were refused a moment ago.
    ///
    /// # Errors
    /// `Authentication`: they were; `BrokerUnavailable`: they cannot be read.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let credentials = self.credentials().await?;
        self.refused_before(&credentials.digest).map_or(Ok(()), Err)
    }

    /// One exchange with the broker at `address`, from the handshake to the end. Dropping the future ends it half-way: the
    /// connection must then be closed.
    ///
    /// # Errors
    /// `Authentication`: refused, now or a moment ago; `BrokerUnavailable`.
    pub(crate) async fn authenticate(
        self: Arc<Authenticator>,
        address: String,
        conversation: Conversation,
    ) -> Result<SessionLifetime, Error> {
        let credentials = self.credentials().await?;
        if let Some(error) = self.refused_before(&credentials.digest) {
            return Err(error);
        }
        match self.exchange(&address, &credentials.text, &conversation).await {
            Ok(lifetime) => {
                *self.refused.lock() = None;
                Ok(lifetime)
            }
            Err(error) if error.kind == ErrorKind::Authentication => {
                if let Some(tokens) = &self.tokens {
                    tokens.forget();
                }
                self.remember(&error, credentials.digest);
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        let source = match &self.sasl {
            Sasl::Plain { password, .. } | Sasl::Scram { password, .. } => password,
            Sasl::OAuthBearer { token: TokenSource::Given(token), .. } => token,
            Sasl::OAuthBearer { token: TokenSource::ClientCredentials(client), .. } => &client.client_secret,
        };
        let text = read_text(source).await.map_err(|reason| {
            Error::unavailable(format!("the credentials for SASL {} cannot be read: {reason}", self.sasl.mechanism()))
        })?;
        let digest = digest(&SHA256, text.as_bytes()).as_ref().to_vec();
        Ok(Credentials { text, digest })
    }

    fn refused_before(&self, digest: &[u8]) -> Option<Error> {
        let refused = self.refused.lock();
        let refused = refused.as_ref()?;
        (refused.digest == digest && Instant::now() < refused.until).then(|| refused.error.clone())
    }

    fn remember(&self, error: &Error, digest: Vec<u8>) {
        self.refusals.fetch_add(1, Relaxed);
        let mut refused = self.refused.lock();
        let failures = match &*refused {
            Some(before) if before.digest == digest => before.failures.saturating_add(1),
            _ => 1,
        };
        let pause = Authenticator::FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(10));
        let until = Instant::now() + pause.min(Authenticator::LONGEST_PAUSE);
        *refused = Some(Refused { error: error.clone(), digest, failures, until });
    }

    async fn exchange(
        &self,
        address: &str,
        secret: &str,
        conversation: &Conversation,
    ) -> Result<SessionLifetime, Error> {
        let mechanism = self.sasl.mechanism();
        let answer = conversation.ask(SaslRequest::Handshake(mechanism)).await?;
        if answer.code != 0 {
            let reason = match answer.code {
                33 => format!("the broker does not offer this mechanism but {}", answer.mechanisms.join(", ")),
                34 => "this listener does not want SASL".to_owned(),
                code => format!("the broker answers the handshake with {}", ErrorCode(code).name()),
            };
            return Err(self.refusal(address, ErrorCode(answer.code), &reason));
        }
        let send = async |message: Vec<u8>| {
            let answer = conversation.ask(SaslRequest::Authenticate(message.into())).await?;
            match answer.code {
                0 => Ok(answer),
                code => {
                    let sentence = answer.message.filter(|sentence| !sentence.is_empty());
                    Err(self.refusal(address, ErrorCode(code), &sentence.unwrap_or_else(|| ErrorCode(code).name())))
                }
            }
        };
        let code = ErrorCode::SASL_AUTHENTICATION_FAILED;
        let untrue =
            |reason: &str| self.refusal(address, code, &format!("the broker's answer is not accepted: {reason}"));
        let last = match &self.sasl {
            Sasl::Plain { user, .. } => send([b"\0", user.as_bytes(), b"\0", secret.as_bytes()].concat()).await?,
            Sasl::Scram { hash, user, .. } => {
                let first = scram::ClientFirst::new(*hash, user);
                let challenge = send(first.message()).await?;
                let challenge = first.challenged(&challenge.data).map_err(|reason| untrue(&reason))?;
                let salted = self.salted.derive(&challenge, secret).await?;
                let (message, expected) = challenge.response(&salted);
                let last = send(message).await?;
                expected.check(&last.data).map_err(|reason| untrue(&reason))?;
                last
            }
            Sasl::OAuthBearer { extensions, .. } => {
                let fetched = match &self.tokens {
                    Some(tokens) => Some(tokens.token(secret).await?),
                    None => None,
                };
                let token = fetched.as_deref().unwrap_or(secret.trim());
                oauth::check_token(token).map_err(|reason| self.refusal(address, code, &reason))?;
                let answer = send(oauth::client_first(token, extensions)).await?;
                if !answer.data.is_empty() {
                    // The refusal comes as data; its end has to be asked for (RFC 7628 §3.2.3).
                    let refused = String::from_utf8_lossy(&answer.data).into_owned();
                    send(vec![1]).await?;
                    return Err(self.refusal(address, code, &refused));
                }
                answer
            }
        };
        let lifetime = u64::try_from(last.session_lifetime_ms).ok().filter(|ms| *ms > 0);
        Ok(lifetime.map(Duration::from_millis))
    }

    /// The refusal, with everything that tells which credentials and which listener are meant, and no secret.
    fn refusal(&self, address: &str, code: ErrorCode, sentence: &str) -> Error {
        let who = match &self.sasl {
            Sasl::Plain { user, .. } | Sasl::Scram { user, .. } => format!(" as '{user}'"),
            Sasl::OAuthBearer { .. } => String::new(),
        };
        let message = format!("{address}: authentication by {}{who} failed: {sentence}", self.sasl.mechanism());
        match code.error(None) {
            error if error.is_transient() => Error::unavailable(message),
            _ => Error::new(ErrorKind::Authentication, &code.name(), message),
        }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authenticator").field(&self.sasl).finish()
    }
}

/// The text of `source`, without blocking.
async fn read_text(source: &Source) -> Result<String, String> {
    let source = source.clone();
    let read = match source {
        Source::Inline(_) | Source::Shared(_) => Ok(source.read_text()),
        Source::File(_) => tokio::task::spawn_blocking(move || source.read_text()).await,
    };
    read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
