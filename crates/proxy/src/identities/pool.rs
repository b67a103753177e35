//! Which identities there are, which credentials are proved, and which were refused. Nothing here waits.

use std::collections::HashMap;
use std::time::Duration;

use postern_kafka::{ClientStatistics, Cluster, Mechanism, SharedSecret};
use quick_cache::unsync::Cache;
use tokio::sync::watch;
use tokio::time::Instant;

use super::identity::{KafkaIdentity, Retired};
use super::{Attempt, Digest, LoginError, Outcome, REFUSED_FOR};

/// Refused credentials that are remembered.
const REFUSALS: usize = 4096;
/// Credentials of one user that are believed at a time, such as an old and a new token.
const PROOFS: usize = 4;
const FULL: &str = "All Kafka identities that this server may have are in use.";

/// An identity, and what is known of its credentials.
struct Held {
    identity: KafkaIdentity,
    secret: SharedSecret,
    /// The last ones of each of some credentials, those that are over included.
    proofs: Vec<Proof>,
    /// Which credentials are in `secret`, and when they end by themselves.
    current: Digest,
    current_ends: Option<Instant>,
    used: Instant,
    /// How often brokers had refused the connections of this identity when it was last looked at.
    refusals: u64,
}

/// Credentials that a broker has accepted.
#[derive(Clone, Copy)]
pub(super) struct Proof {
    pub(super) digest: Digest,
    /// When to show them again.
    pub(super) renew_at: Instant,
    /// How long they are believed.
    pub(super) until: Instant,
}

/// Whether credentials are proved.
pub(super) enum Proved {
    Good(KafkaIdentity),
    /// For a little longer.
    Old(KafkaIdentity),
    Not,
}

pub(super) struct Pool {
    max: usize,
    identities: HashMap<(Mechanism, String), Held>,
    under_way: HashMap<Digest, watch::Receiver<Outcome>>,
    refused: Cache<Digest, (Instant, LoginError)>,
    retired: Retired,
}

impl Pool {
    pub(super) fn new(max: usize) -> Pool {
        Pool {
            max,
            identities: HashMap::new(),
            under_way: HashMap::new(),
            refused: Cache::new(REFUSALS),
            retired: Retired::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.identities.len()
    }

    /// All clients that may still owe something.
    pub(super) fn clusters(&self) -> Vec<Cluster> {
        self.retired.with(self.identities.values().map(|held| &held.identity))
    }

    pub(super) fn client_statistics(&self) -> ClientStatistics {
        self.retired.statistics(self.identities.values().map(|held| &held.identity))
    }

    /// The client of an identity that was taken out owes nothing any more.
    pub(super) fn retired(&mut self, cluster: &Cluster) {
        self.retired.done(cluster);
    }

    fn get(&self, (mechanism, user): (Mechanism, &str)) -> Option<&Held> {
        self.identities.get(&(mechanism, user.to_owned()))
    }

    fn get_mut(&mut self, (mechanism, user): (Mechanism, &str)) -> Option<&mut Held> {
        self.identities.get_mut(&(mechanism, user.to_owned()))
    }

    /// The identity of `key`, if these credentials are proved.
    pub(super) fn find(&mut self, key: (Mechanism, &str), digest: &Digest, now: Instant) -> Proved {
        let Some(held) = self.get_mut(key) else { return Proved::Not };
        let refusals = held.identity.cluster().refused_logins();
        if refusals != held.refusals {
            // Kafka has changed its mind about these credentials, or about others that are in use meanwhile.
            held.refusals = refusals;
            held.proofs.iter_mut().for_each(|proof| proof.until = now);
        }
        match held.proofs.iter().find(|proof| proof.digest == *digest).copied() {
            Some(proof) if proof.until > now => {
                held.used = now;
                match proof.renew_at > now {
                    true => Proved::Good(held.identity.clone()),
                    false => Proved::Old(held.identity.clone()),
                }
            }
            Some(_) | None => Proved::Not,
        }
    }

    /// Whether these credentials were proved last time, be it that they have to be proved anew.
    pub(super) fn knows(&self, key: (Mechanism, &str), digest: &Digest) -> bool {
        self.get(key).is_some_and(|held| held.proofs.iter().any(|proof| proof.digest == *digest))
    }

    /// Why these credentials were refused a moment ago.
    pub(super) fn refused(&mut self, digest: &Digest, now: Instant) -> Option<LoginError> {
        let (at, error) = self.refused.get(digest)?;
        if now.duration_since(*at) < REFUSED_FOR {
            return Some(error.clone());
        }
        self.refused.remove(digest);
        None
    }

    /// The attempt with these credentials that is under way.
    pub(super) fn under_way(&self, digest: &Digest) -> Option<watch::Receiver<Outcome>> {
        self.under_way.get(digest).cloned()
    }

    pub(super) fn attempts(&self) -> usize {
        self.under_way.len()
    }

    pub(super) fn begun(&mut self, digest: Digest, outcome: watch::Receiver<Outcome>) {
        self.under_way.insert(digest, outcome);
    }

    pub(super) fn ended(&mut self, digest: &Digest) {
        self.under_way.remove(digest);
    }

    /// Whether there could be an identity of `key`: looked at before Kafka is asked, so that it is not asked for nothing.
    pub(super) fn check_room(&self, key: (Mechanism, &str), now: Instant) -> Result<(), LoginError> {
        match self.get(key).is_some() || self.identities.len() < self.max || self.longest_unused(now).is_some() {
            true => Ok(()),
            false => Err(LoginError::Busy(FULL)),
        }
    }

    /// Credentials were proved: their identity, which `make` makes where there is none, and the one that had to make room.
    pub(super) fn proved(
        &mut self,
        attempt: &Attempt,
        proof: Proof,
        secret: SharedSecret,
        make: impl FnOnce() -> Cluster,
    ) -> Result<(KafkaIdentity, Option<Cluster>), LoginError> {
        let now = Instant::now();
        self.refused.remove(&attempt.digest);
        if let Some(held) = self.get_mut(attempt.key()) {
            held.add(proof, now);
            held.take_over(attempt);
            return Ok((held.identity.clone(), None));
        }
        let mut evicted = None;
        if self.identities.len() >= self.max {
            let unused = self.longest_unused(now).ok_or(LoginError::Busy(FULL))?;
            evicted = self.identities.remove(&unused).map(Held::into_cluster);
            self.retired.begin(evicted.as_slice());
        }
        let identity = KafkaIdentity::new(&attempt.user, 0, make());
        let held = Held {
            identity: identity.clone(),
            secret,
            proofs: vec![proof],
            current: attempt.digest,
            current_ends: attempt.ends,
            used: now,
            refusals: 0,
        };
        self.identities.insert((attempt.mechanism, attempt.user.clone()), held);
        Ok((identity, evicted))
    }

    /// Credentials were refused. The identity stays: its user may have others.
    pub(super) fn disproved(&mut self, attempt: &Attempt, error: LoginError, now: Instant) {
        self.refused.insert(attempt.digest, (now, error));
        if let Some(held) = self.get_mut(attempt.key()) {
            held.proofs.retain(|proof| proof.digest != attempt.digest);
        }
    }

    /// Takes out those that nobody has used for so long.
    pub(super) fn take_idle(&mut self, idle: Duration, now: Instant) -> Vec<Cluster> {
        let is_idle = |held: &Held| held.unused_since(now).is_some_and(|unused| unused >= idle);
        let idle = self.identities.extract_if(|_, held| is_idle(held));
        let idle: Vec<Cluster> = idle.map(|(_, held)| held.into_cluster()).collect();
        self.retired.begin(&idle);
        idle
    }

    /// The one that nobody has used for the longest time; `None`: all of them are in use.
    fn longest_unused(&self, now: Instant) -> Option<(Mechanism, String)> {
        let unused = self.identities.iter().filter_map(|(key, held)| Some((held.unused_since(now)?, key)));
        unused.max_by_key(|(unused, _)| *unused).map(|(_, key)| key.clone())
    }
}

impl Held {
    /// For how long nobody has used it; `None`: somebody does.
    fn unused_since(&self, now: Instant) -> Option<Duration> {
        (!self.identity.is_in_use()).then(|| now.duration_since(self.used))
    }

    fn into_cluster(self) -> Cluster {
        self.identity.cluster().clone()
    }

    /// Goes on with other credentials of the same user, unless they end sooner than those in use.
    fn take_over(&mut self, attempt: &Attempt) {
        let is_older = matches!((attempt.ends, self.current_ends), (Some(new), Some(old)) if new < old);
        if self.current != attempt.digest && !is_older {
            self.secret.replace(attempt.secret.as_str());
            (self.current, self.current_ends) = (attempt.digest, attempt.ends);
        }
    }

    fn add(&mut self, proof: Proof, now: Instant) {
        self.used = now;
        self.proofs.retain(|known| known.digest != proof.digest);
        if self.proofs.len() >= PROOFS {
            self.proofs.remove(0);
        }
        self.proofs.push(proof);
    }
}
