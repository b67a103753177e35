//! One identity: a name, and a Kafka client of its own.

use std::fmt;
use std::sync::Arc;

use postern_kafka::{ClientStatistics, Cluster};

/// What a caller is for Kafka. Cheap to clone; as long as there is a clone, the identity is in use.
#[derive(Clone)]
pub struct KafkaIdentity(Arc<Parts>);

struct Parts {
    name: String,
    /// Distinguishes it from others of the same name. Of those of one user of Kafka it is the same, whatever the user's credentials.
    version: u64,
    cluster: Cluster,
}

impl KafkaIdentity {
    /// `version` distinguishes it from others of the same name that are somebody else for Kafka.
    pub(super) fn new(name: &str, version: u64, cluster: Cluster) -> KafkaIdentity {
        KafkaIdentity(Arc::new(Parts { name: name.to_owned(), version, cluster }))
    }

    /// Its name: that of the user, or of an identity that is configured.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether both are the same user for Kafka.
    pub(crate) fn is_same(&self, other: &KafkaIdentity) -> bool {
        (&self.0.name, self.0.version) == (&other.0.name, other.0.version)
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.0.cluster
    }

    /// Whether there is another clone.
    pub(super) fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl fmt::Debug for KafkaIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KafkaIdentity").field(&self.0.name).finish()
    }
}

/// Clients of identities that are given out no longer, and what those have counted that are gone: counters never go back.
#[derive(Default)]
pub(super) struct Retired {
    going: Vec<Cluster>,
    gone: ClientStatistics,
}

impl Retired {
    /// These may still owe something.
    pub(super) fn begin(&mut self, clusters: &[Cluster]) {
        self.going.extend_from_slice(clusters);
    }

    /// This one owes nothing any more.
    pub(super) fn done(&mut self, cluster: &Cluster) {
        if let Some(at) = self.going.iter().position(|going| going.is_same(cluster)) {
            self.gone.add(self.going.swap_remove(at).statistics());
        }
    }

    /// All clients that may owe something, those of `current` included.
    pub(super) fn with<'a>(&self, current: impl Iterator<Item = &'a KafkaIdentity>) -> Vec<Cluster> {
        current.map(|identity| identity.cluster().clone()).chain(self.going.iter().cloned()).collect()
    }

    /// What all of them have counted, and those that are gone.
    pub(super) fn statistics<'a>(&self, current: impl Iterator<Item = &'a KafkaIdentity>) -> ClientStatistics {
        let mut all = self.gone.clone();
        self.with(current).iter().for_each(|cluster| all.add(cluster.statistics()));
        all
    }
}
