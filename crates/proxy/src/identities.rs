//! The callers' own Kafka identities: each caller reaches Kafka with its own credentials, so that Kafka's ACLs decide.
//!
//! One process has one proxy and many identities. An identity is a Kafka client of its own (connections, metadata, producer), made by
//! [`Cluster::for_login`] and found by the name of its user; nothing that one identity has been told answers another. What all share are
//! schemas, which are the registry's, and the memory budgets. A request takes its identity along in its [`Proxy`](crate::Proxy), so do
//! consumer instances and streams, and as long as somebody has it the identity stays.
//!
//! Proof comes before everything. Credentials are shown to a broker once, over a connection of their own, before an identity is made for them
//! or found by them; then they are believed for as long as the broker's session lasts, at most [`TRUST`], and shown again. Requests with the
//! same credentials share one attempt. When other credentials of the same user are proved (a new password, a renewed token), its identity goes
//! on with them, and so do its consumer instances. When a broker refuses a connection of an identity, nothing is believed until it is proved
//! anew.
//!
//! Bounds: so many identities (those that nobody uses make room, the longest unused first; else the request is refused), so many attempts at a
//! time, so many that wait. Refused credentials are remembered for [`REFUSED_FOR`] and not shown again. Secrets are kept where the client of
//! an identity needs them; everything here is found by a keyed hash, with a key of this process.
//!
//! Where callers are recognized otherwise, they may have one of a few identities that are configured ([`ConfiguredIdentities`]).
//!
//! Not here: headers, and who may try how often (`http`); SASL itself (`kafka`).
//!
//! Source: RFC 4616, 5802, 7628 (mechanisms), KIP-368 (sessions).

mod configured;
mod identity;
mod pool;
mod token;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use postern_kafka::{
    ClientStatistics, Cluster, Error as ClusterError, ErrorKind, Mechanism, Sasl, SharedSecret, Source, TokenSource,
};
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

pub use configured::{ConfiguredIdentities, IdentityError};
pub use identity::KafkaIdentity;
use pool::{Pool, Proof, Proved};

/// How long credentials are believed, where the broker does not limit sessions.
const TRUST: Duration = Duration::from_secs(300);
/// Credentials that were refused are refused for so long without asking a broker.
const REFUSED_FOR: Duration = Duration::from_secs(15);
/// Attempts at a time, and those that may be under way or wait.
const LOGINS: usize = 16;
const LOGINS_WAITING: usize = 256;
/// How long an attempt may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// What an identity that goes still owes is waited for.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// What is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySettings {
    /// How user and password are shown to Kafka: by PLAIN or SCRAM; `None`: not at all.
    pub password: Option<Mechanism>,
    /// Tokens are shown by OAUTHBEARER, and the caller's name is this claim; `None`: not at all.
    pub token_name: Option<String>,
    /// Identities at once.
    pub identities: usize,
    /// An identity that nobody has used for so long is closed.
    pub idle: Duration,
}

/// What a caller presents.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    /// User and password.
    Password {
        /// The user.
        user: &'a str,
        /// The password.
        password: &'a str,
    },
    /// A bearer token.
    Token(&'a str),
}

/// Why there is no identity for a caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Kafka, or what is configured, does not take these credentials.
    #[error("{0}")]
    Refused(String),
    /// No broker could be asked.
    #[error("{0}")]
    Unavailable(ClusterError),
    /// The brokers want something else than is configured here.
    #[error("{0}")]
    Misconfigured(ClusterError),
    /// All identities are in use, or too many callers are logging in.
    #[error("{0}")]
    Busy(&'static str),
}

/// What was counted; since the start but for `identities`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdentityStatistics {
    /// Identities now.
    pub identities: usize,
    /// Attempts that Kafka accepted.
    pub accepted: u64,
    /// Attempts that Kafka refused.
    pub refused: u64,
    /// Attempts without an answer.
    pub failed: u64,
}

/// The identities of all callers. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Identities(Arc<Parts>);

struct Parts {
    settings: IdentitySettings,
    key: hmac::Key,
    /// How Kafka is reached, with credentials of nobody.
    cluster: OnceLock<Cluster>,
    pool: Mutex<Pool>,
    logins: Semaphore,
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

/// Credentials that are to be shown to a broker.
struct Attempt {
    /// Of the credentials.
    digest: Digest,
    mechanism: Mechanism,
    user: String,
    secret: String,
    /// When they end by themselves.
    ends: Option<Instant>,
}

/// A keyed hash.
type Digest = [u8; 32];

/// What becomes of an attempt.
type Outcome = Option<Result<KafkaIdentity, LoginError>>;

impl Identities {
    /// Nobody's yet; there is no way to Kafka until [`Identities::reach`].
    ///
    /// # Panics
    /// The system has no random bytes.
    pub fn new(settings: IdentitySettings) -> Identities {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let pool = Mutex::new(Pool::new(settings.identities));
        Identities(Arc::new(Parts {
            settings,
            key: key.expect("the system gives random bytes"),
            cluster: OnceLock::new(),
            pool,
            logins: Semaphore::new(LOGINS),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// From now on Kafka is reached as `cluster` reaches it, with the callers' credentials in place of its own. To be called once, inside a
    /// runtime, in which idle identities are then looked for until the last clone is gone.
    pub fn reach(&self, cluster: Cluster) {
        if self.0.cluster.set(cluster).is_ok() {
            tokio::spawn(sweep(Arc::downgrade(&self.0), self.0.settings.idle));
        }
    }

    /// What is configured.
    pub fn settings(&self) -> &IdentitySettings {
        &self.0.settings
    }

    /// The identity of whoever has these credentials, which are shown to Kafka first unless that was done a moment ago. Dropping the future
    /// leaves the attempt to others.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn identity(&self, credentials: Credentials<'_>) -> Result<KafkaIdentity, LoginError> {
        let attempt = self.attempt(credentials)?;
        let now = Instant::now();
        let mut outcome = {
            let mut pool = self.0.pool.lock();
            match pool.find(attempt.key(), &attempt.digest, now) {
                Proved::Good(identity) => return Ok(identity),
                // Proved anew behind the request, before it has to be waited for.
                Proved::Old(identity) => {
                    if pool.under_way(&attempt.digest).is_none() {
                        drop(self.begin(&mut pool, attempt));
                    }
                    return Ok(identity);
                }
                Proved::Not => {}
            }
            if let Some(error) = pool.refused(&attempt.digest, now) {
                return Err(error);
            }
            match pool.under_way(&attempt.digest) {
                Some(outcome) => outcome,
                None => self.begin(&mut pool, attempt)?,
            }
        };
        // Without an outcome the runtime is being stopped.
        let stopping = || Err(LoginError::Busy("The server is being stopped."));
        outcome.wait_for(Option::is_some).await.map_or_else(|_| stopping(), |it| it.clone().unwrap_or_else(stopping))
    }

    /// Whether Kafka has accepted these credentials before, and not refused them since: whoever has them is not guessing.
    pub fn are_known(&self, credentials: Credentials<'_>) -> bool {
        self.attempt(credentials).is_ok_and(|attempt| self.0.pool.lock().knows(attempt.key(), &attempt.digest))
    }

    /// Waits until what the identities still owe is answered, at most for `grace`. True: nothing is left.
    pub async fn flush(&self, grace: Duration) -> bool {
        let clusters = self.0.pool.lock().clusters();
        flush_all(&clusters, grace).await
    }

    /// What was counted so far.
    pub fn statistics(&self) -> IdentityStatistics {
        IdentityStatistics {
            identities: self.0.pool.lock().len(),
            accepted: self.0.accepted.load(Relaxed),
            refused: self.0.refused.load(Relaxed),
            failed: self.0.failed.load(Relaxed),
        }
    }

    /// What the clients of all identities have counted, those that are gone included.
    pub fn client_statistics(&self) -> ClientStatistics {
        self.0.pool.lock().client_statistics()
    }

    /// What `credentials` are to Kafka. Nothing that they claim is believed yet.
    fn attempt(&self, credentials: Credentials<'_>) -> Result<Attempt, LoginError> {
        let IdentitySettings { password: mechanism, token_name, .. } = &self.0.settings;
        let (mechanism, user, secret, ends) = match (credentials, mechanism, token_name) {
            (Credentials::Password { user, password }, Some(mechanism), _) => {
                // Between the parts of a message of PLAIN stand bytes of zero.
                if password.contains('\0') || user.contains('\0') {
                    return Err(LoginError::Refused("expected user and password without zero bytes".to_owned()));
                }
                (*mechanism, user.to_owned(), password, None)
            }
            (Credentials::Token(token), _, Some(claim)) => {
                let claims = token::read(token, claim).map_err(LoginError::Refused)?;
                (Mechanism::OAuthBearer, claims.name, token, claims.ends)
            }
            (Credentials::Password { .. }, None, _) => {
                return Err(LoginError::Refused("user and password are not taken here".to_owned()));
            }
            (Credentials::Token(_), _, None) => {
                return Err(LoginError::Refused("tokens are not taken here".to_owned()));
            }
        };
        let mut context = hmac::Context::with_key(&self.0.key);
        for part in [mechanism.name(), &user, secret] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let digest = context.sign().as_ref().try_into().expect("SHA-256 has 32 bytes");
        Ok(Attempt { digest, mechanism, user, secret: secret.to_owned(), ends })
    }

    /// Begins to show credentials to a broker, in a task of its own.
    fn begin(&self, pool: &mut Pool, attempt: Attempt) -> Result<watch::Receiver<Outcome>, LoginError> {
        pool.check_room(attempt.key(), Instant::now())?;
        if pool.attempts() >= LOGINS_WAITING {
            return Err(LoginError::Busy("Too many callers are logging in."));
        }
        let (sender, outcome) = watch::channel(None);
        pool.begun(attempt.digest, outcome.clone());
        let identities = self.clone();
        tokio::spawn(async move {
            let digest = attempt.digest;
            let proved = identities.prove(attempt).await;
            identities.0.pool.lock().ended(&digest);
            sender.send_replace(Some(proved));
        });
        Ok(outcome)
    }

    async fn prove(&self, attempt: Attempt) -> Result<KafkaIdentity, LoginError> {
        let not_yet = || LoginError::Busy("The server is being started.");
        let _login = self.0.logins.acquire().await.map_err(|_| not_yet())?;
        let cluster = self.0.cluster.get().ok_or_else(not_yet)?;
        let secret = SharedSecret::new(attempt.secret.as_str());
        let answered = timeout(LOGIN_TIMEOUT, cluster.log_in(attempt.sasl(&secret))).await;
        let answered = answered.unwrap_or_else(|_| {
            let message = format!("no broker has answered within {} s", LOGIN_TIMEOUT.as_secs());
            let name = "BROKER_NOT_AVAILABLE".to_owned();
            Err(ClusterError { kind: ErrorKind::BrokerUnavailable, name, message })
        });
        let login = match answered {
            Ok(login) => login,
            Err(error) => return Err(self.refusal(&attempt, error)),
        };
        self.0.accepted.fetch_add(1, Relaxed);
        let now = Instant::now();
        let lasts = login.lifetime().map_or(TRUST, |lifetime| lifetime.min(TRUST));
        let until = attempt.ends.map_or(now + lasts, |ends| ends.min(now + lasts));
        let proof = Proof { digest: attempt.digest, renew_at: now + lasts.mul_f64(0.8), until };
        let make = || cluster.for_login(&login);
        let (identity, evicted) = self.0.pool.lock().proved(&attempt, proof, secret, make)?;
        self.retire(evicted);
        Ok(identity)
    }

    /// Lets identities go that were taken out of the pool, after what they owe.
    fn retire(&self, clusters: impl IntoIterator<Item = Cluster>) {
        for cluster in clusters {
            let identities = self.clone();
            tokio::spawn(async move {
                cluster.flush(FLUSH_TIMEOUT).await;
                identities.0.pool.lock().retired(&cluster);
            });
        }
    }

    /// What an attempt without success means.
    fn refusal(&self, attempt: &Attempt, error: ClusterError) -> LoginError {
        let is_refused = error.kind == ErrorKind::Authentication && error.name == "SASL_AUTHENTICATION_FAILED";
        if is_refused {
            self.0.refused.fetch_add(1, Relaxed);
            let refused = LoginError::Refused(error.to_string());
            self.0.pool.lock().disproved(attempt, refused.clone(), Instant::now());
            return refused;
        }
        self.0.failed.fetch_add(1, Relaxed);
        match error.kind {
            // The mechanism is not offered, or the listener wants no SASL.
            ErrorKind::Authentication if error.name != "SSL_HANDSHAKE_FAILED" => {
                tracing::error!("callers cannot log in to Kafka as it is configured: {error}");
                LoginError::Misconfigured(error)
            }
            _ => LoginError::Unavailable(error),
        }
    }
}

impl Attempt {
    /// What an identity is found by: how, and as whom.
    fn key(&self) -> (Mechanism, &str) {
        (self.mechanism, &self.user)
    }

    fn sasl(&self, secret: &SharedSecret) -> Sasl {
        let (user, password) = (self.user.clone(), Source::Shared(secret.clone()));
        match self.mechanism {
            Mechanism::Plain => Sasl::Plain { user, password },
            Mechanism::Scram(hash) => Sasl::Scram { hash, user, password },
            Mechanism::OAuthBearer => Sasl::OAuthBearer { token: TokenSource::Given(password), extensions: Vec::new() },
        }
    }
}

/// Waits until what these owe is answered, at most for `grace`. True: nothing is left.
async fn flush_all(clusters: &[Cluster], grace: Duration) -> bool {
    let end = Instant::now() + grace;
    let mut is_done = true;
    for cluster in clusters {
        is_done &= cluster.flush(end.saturating_duration_since(Instant::now())).await;
    }
    is_done
}

/// Closes idle identities until there is nobody left who could use any.
async fn sweep(identities: Weak<Parts>, idle: Duration) {
    loop {
        sleep((idle / 4).clamp(Duration::from_millis(100), Duration::from_secs(30))).await;
        let Some(identities) = identities.upgrade().map(Identities) else { return };
        let gone = identities.0.pool.lock().take_idle(idle, Instant::now());
        identities.retire(gone);
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identities").field(&self.0.settings).finish()
    }
}
