//! A few identities that are configured, each with credentials of its own: which callers have which one is decided elsewhere.
//!
//! They may be replaced while the process runs, all of them or none. One whose settings stay the same goes on, with its connections; one that
//! is not named any more stays as long as somebody has it, and what it owes is waited for. Passwords that stand in files are read again for each
//! new connection, so that a new one needs no replacement.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postern_kafka::{ClientStatistics, Cluster, Error as ClusterError, Security, Settings};

use super::identity::{KafkaIdentity, Retired};
use super::{FLUSH_TIMEOUT, flush_all};

/// The identities. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct ConfiguredIdentities(Arc<Parts>);

struct Parts {
    /// How Kafka is reached, with credentials of nobody.
    base: Settings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Vec<Held>,
    /// How many were made.
    made: u64,
    retired: Retired,
}

#[derive(Clone)]
struct Held {
    identity: KafkaIdentity,
    bootstrap_servers: String,
    security: Security,
}

/// An identity that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity {name}: {error}")]
pub struct IdentityError {
    name: String,
    error: ClusterError,
}

impl ConfiguredIdentities {
    /// None yet. Each reaches Kafka as `base` says, but for servers and security.
    pub fn new(base: Settings) -> ConfiguredIdentities {
        ConfiguredIdentities(Arc::new(Parts { base, state: Mutex::default() }))
    }

    /// From now on there are these, by name, with what each differs in from the others: servers (`None`: those of all) and security. Returned in
    /// the same order. To be called inside a runtime; reads certificates and secrets, which blocks on the file system.
    ///
    /// # Errors
    /// The first that cannot be used; then all stay as they were.
    pub fn replace(
        &self,
        wanted: Vec<(String, Option<String>, Security)>,
    ) -> Result<Vec<KafkaIdentity>, IdentityError> {
        let (known, mut made) = {
            let state = self.0.state.lock();
            (state.held.clone(), state.made)
        };
        let mut held = Vec::with_capacity(wanted.len());
        for (name, servers, security) in wanted {
            let bootstrap_servers = servers.unwrap_or_else(|| self.0.base.bootstrap_servers.clone());
            let is_same = |held: &&Held| {
                held.identity.name() == name && held.bootstrap_servers == bootstrap_servers && held.security == security
            };
            held.push(match known.iter().find(is_same) {
                Some(same) => same.clone(),
                None => {
                    let settings = Settings {
                        bootstrap_servers: bootstrap_servers.clone(),
                        security: security.clone(),
                        ..self.0.base.clone()
                    };
                    let cluster = Cluster::connect(settings);
                    let cluster = cluster.map_err(|error| IdentityError { name: name.clone(), error })?;
                    made += 1;
                    Held { identity: KafkaIdentity::new(&name, made, cluster), bootstrap_servers, security }
                }
            });
        }
        let identities: Vec<KafkaIdentity> = held.iter().map(|held| held.identity.clone()).collect();
        let stays = |one: &Held| held.iter().any(|held| held.identity.cluster().is_same(one.identity.cluster()));
        let gone = known.iter().filter(|one| !stays(one)).map(|one| one.identity.cluster().clone());
        let gone: Vec<Cluster> = gone.collect();
        let mut state = self.0.state.lock();
        state.retired.begin(&gone);
        (state.held, state.made) = (held, made);
        drop(state);
        for cluster in gone {
            let parts = self.0.clone();
            tokio::spawn(async move {
                cluster.flush(FLUSH_TIMEOUT).await;
                parts.state.lock().retired.done(&cluster);
            });
        }
        Ok(identities)
    }

    /// Waits until what the identities still owe is answered, at most for `grace`. True: nothing is left.
    pub async fn flush(&self, grace: Duration) -> bool {
        let clusters = {
            let state = self.0.state.lock();
            state.retired.with(state.held.iter().map(|held| &held.identity))
        };
        flush_all(&clusters, grace).await
    }

    /// What the clients of all identities have counted, those that are gone included.
    pub fn client_statistics(&self) -> ClientStatistics {
        let state = self.0.state.lock();
        state.retired.statistics(state.held.iter().map(|held| &held.identity))
    }
}

impl fmt::Debug for ConfiguredIdentities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        f.debug_list().entries(state.held.iter().map(|held| &held.identity)).finish()
    }
}
