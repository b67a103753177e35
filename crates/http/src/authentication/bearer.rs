//! Signed tokens, and the keys of their issuer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use postern_access::{Caller, KeySet, TokenFault, TokenRules};
use quick_cache::sync::Cache;
use ring::digest::{SHA256, digest};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::Refused;

/// Tokens that are remembered, and for how long at most.
const REMEMBERED: usize = 4096;
const REMEMBERED_FOR: Duration = Duration::from_secs(300);
/// Unknown keys make the keys be fetched again, but no more often than this, however many there are.
const REFETCH_AFTER: Duration = Duration::from_secs(30);
/// How long a request waits for that.
const REFETCH_PATIENCE: Duration = Duration::from_secs(6);

/// The keys of an issuer, kept up to date by whoever can read or fetch them. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct TokenKeys(Arc<Keys>);

struct Keys {
    current: RwLock<Option<Arc<KeySet>>>,
    /// Counts the attempts to get them.
    attempts: watch::Sender<u64>,
    last_attempt: RwLock<Instant>,
    wanted: Notify,
}

impl Default for TokenKeys {
    fn default() -> TokenKeys {
        let keys = Keys {
            current: RwLock::new(None),
            attempts: watch::Sender::new(0),
            last_attempt: RwLock::new(Instant::now()),
            wanted: Notify::new(),
        };
        TokenKeys(Arc::new(keys))
    }
}

impl TokenKeys {
    /// An attempt to get them has ended; `None` keeps those before.
    pub fn attempted(&self, keys: Option<KeySet>) {
        if let Some(keys) = keys {
            *self.0.current.write() = Some(Arc::new(keys));
        }
        *self.0.last_attempt.write() = Instant::now();
        self.0.attempts.send_modify(|attempts| *attempts += 1);
    }

    /// Those that were got last are too old.
    pub fn forget(&self) {
        *self.0.current.write() = None;
    }

    /// Waits until somebody wants newer ones. Cancel safe.
    pub async fn wanted(&self) {
        self.0.wanted.notified().await;
    }

    fn current(&self) -> Option<Arc<KeySet>> {
        self.0.current.read().clone()
    }

    /// Asks for newer ones, unless they were got a moment ago; returns whether there was an attempt.
    async fn refetch(&self) -> bool {
        if self.0.last_attempt.read().elapsed() < REFETCH_AFTER {
            return false;
        }
        let mut attempts = self.0.attempts.subscribe();
        self.0.wanted.notify_one();
        timeout(REFETCH_PATIENCE, attempts.changed()).await.is_ok_and(|changed| changed.is_ok())
    }
}

/// Recognizes callers by signed tokens.
pub struct Bearer {
    rules: TokenRules,
    keys: TokenKeys,
    known: Cache<[u8; 32], Known>,
}

#[derive(Clone)]
struct Known {
    caller: Caller,
    until: SystemTime,
    /// The keys with which it was verified.
    keys: Arc<KeySet>,
}

impl Bearer {
    /// Tokens that follow `rules`, signed with one of `keys`.
    pub fn new(rules: TokenRules, keys: TokenKeys) -> Bearer {
        Bearer { rules, keys, known: Cache::new(REMEMBERED) }
    }

    /// Whose token this is.
    pub(super) async fn caller(&self, token: &str) -> Result<Caller, Refused> {
        let Some(mut keys) = self.keys.current() else {
            return Err(Refused::Unavailable("The keys of the issuer of tokens could not be fetched yet."));
        };
        let key: [u8; 32] = digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes");
        let now = SystemTime::now();
        if let Some(known) = self.known.get(&key).filter(|known| known.until > now && Arc::ptr_eq(&known.keys, &keys)) {
            return Ok(known.caller);
        }
        let mut verified = self.rules.verify(token, &keys, now);
        if verified == Err(TokenFault::UnknownKey) && self.keys.refetch().await {
            keys = self.keys.current().unwrap_or(keys);
            verified = self.rules.verify(token, &keys, now);
        }
        let verified = verified.map_err(|fault| Refused::Wrong(fault.to_string()))?;
        let until = verified.expires.min(now + REMEMBERED_FOR);
        self.known.insert(key, Known { caller: verified.caller.clone(), until, keys });
        Ok(verified.caller)
    }
}
