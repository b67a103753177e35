//! User and password, from a file of users.
//!
//! A hash takes tens of milliseconds on purpose. So pairs that were right are remembered for a while, under a keyed hash; others are hashed
//! away from the threads that answer, two at a time, each pair once; and an address from which many wrong ones come waits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use postern_access::{Caller, Users};
use quick_cache::sync::Cache;
use ring::hmac;
use tokio::sync::Semaphore;

use super::Refused;
use super::failures::Failures;

/// Pairs that are remembered, and for how long.
const REMEMBERED: usize = 1024;
const REMEMBERED_FOR: Duration = Duration::from_secs(300);
/// Hashes computed at a time.
const HASHES: usize = 2;
/// Requests that may wait for a hash.
const WAITING: usize = 64;
/// Bytes of user and password together.
const PAIR_MAX: usize = 1024;
const WRONG: &str = "unknown user or wrong password";

/// Recognizes callers by user and password.
pub struct Basic {
    users: Arc<Users>,
    realm: String,
    key: hmac::Key,
    known: Cache<[u8; 32], (Caller, Instant)>,
    hashing: Semaphore,
    waiting: Semaphore,
    failures: Failures,
}

impl Basic {
    /// The users of a file; `realm` is shown to those who are to say who they are.
    ///
    /// # Panics
    /// The system has no random bytes.
    pub fn new(users: Users, realm: &str) -> Basic {
        let random = ring::rand::SystemRandom::new();
        Basic {
            users: Arc::new(users),
            realm: realm.to_owned(),
            key: hmac::Key::generate(hmac::HMAC_SHA256, &random).expect("the system gives random bytes"),
            known: Cache::new(REMEMBERED),
            hashing: Semaphore::new(HASHES),
            waiting: Semaphore::new(WAITING),
            failures: Failures::default(),
        }
    }

    pub(super) fn realm(&self) -> &str {
        &self.realm
    }

    /// The caller with these credentials. Dropping the future leaves a hash that was begun to end by itself.
    pub(super) async fn caller(&self, credentials: &str, peer: Option<IpAddr>) -> Result<Caller, Refused> {
        let (user, password) = user_and_password(credentials)?;
        let (user, password) = (user.as_str(), password.as_str());
        let key = self.key_of(user, password);
        if let Some(caller) = self.known(&key) {
            return Ok(caller);
        }
        if self.failures.are_too_many(peer) {
            return Err(Refused::TooMany);
        }
        let verified = match self.users.is_costly() {
            true => self.hash(key, user.to_owned(), password.to_owned()).await?,
            false => self.users.verify(user, password),
        };
        if let Some(caller) = &verified {
            self.known.insert(key, (caller.clone(), Instant::now()));
        }
        verified.ok_or_else(|| {
            self.failures.add(peer);
            Refused::Wrong(WRONG.to_owned())
        })
    }

    /// Hashes on the blocking pool, a pair once however many requests bring it.
    async fn hash(&self, key: [u8; 32], user: String, password: String) -> Result<Option<Caller>, Refused> {
        let busy = Refused::Unavailable("Too many passwords are being checked.");
        let Ok(_waiting) = self.waiting.try_acquire() else { return Err(busy) };
        let users = self.users.clone();
        let compute = async {
            let Ok(_hashing) = self.hashing.acquire().await else { return Err(None) };
            let verified = tokio::task::spawn_blocking(move || users.verify(&user, &password)).await;
            match verified {
                Ok(Some(caller)) => Ok((caller, Instant::now())),
                Ok(None) => Err(Some(())),
                Err(_) => Err(None),
            }
        };
        match self.known.get_or_insert_async(&key, compute).await {
            Ok((caller, _)) => Ok(Some(caller)),
            Err(Some(())) => Ok(None),
            Err(None) => Err(busy),
        }
    }

    fn key_of(&self, user: &str, password: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(user.as_bytes());
        context.update(&[0]);
        context.update(password.as_bytes());
        context.sign().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    fn known(&self, key: &[u8; 32]) -> Option<Caller> {
        let (caller, since) = self.known.get(key)?;
        if since.elapsed() < REMEMBERED_FOR {
            return Some(caller);
        }
        self.known.remove(key);
        None
    }
}

/// User and password from what follows `Basic`.
pub(super) fn user_and_password(credentials: &str) -> Result<(String, String), Refused> {
    let malformed = || Refused::Malformed("expected user:password in base64 after Basic.".to_owned());
    let pair = BASE64_STANDARD.decode(credentials).map_err(|_| malformed())?;
    // Older clients send Latin-1.
    let pair =
        String::from_utf8(pair).unwrap_or_else(|bytes| bytes.as_bytes().iter().map(|b| char::from(*b)).collect());
    let (user, password) = pair.split_once(':').ok_or_else(malformed)?;
    match user.is_empty() || pair.len() > PAIR_MAX {
        true => Err(Refused::Wrong(WRONG.to_owned())),
        false => Ok((user.to_owned(), password.to_owned())),
    }
}
