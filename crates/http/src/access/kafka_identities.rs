//! Which Kafka identity a request has: this server's, one of a few that are configured, or the caller's own.

use std::sync::Arc;

use hyper::StatusCode;
use postern_access::{Caller, KafkaIdentityTable, Permissions};
use postern_proxy::KafkaIdentity;

use crate::problem::Problem;

/// The identities that are configured, and whose they are.
#[derive(Clone, Debug)]
pub struct KafkaIdentities {
    table: Arc<KafkaIdentityTable>,
    /// In the order of the table; `None`: this server's own.
    identities: Vec<Option<KafkaIdentity>>,
}

/// As whom Kafka is asked in a request.
#[derive(Clone, Debug)]
pub(crate) enum ActsAs {
    /// As this server.
    Server,
    /// As somebody else.
    Identity(KafkaIdentity),
    /// There are identities, and the caller has none.
    Nobody,
}

impl KafkaIdentities {
    /// `identities` are those of the entries of `table`, in their order; `None`: the entry is this server's own.
    pub fn new(table: Arc<KafkaIdentityTable>, identities: Vec<Option<KafkaIdentity>>) -> KafkaIdentities {
        KafkaIdentities { table, identities }
    }

    pub(crate) fn of(&self, caller: &Caller) -> ActsAs {
        match self.table.of(caller).and_then(|at| self.identities.get(at)) {
            Some(Some(identity)) => ActsAs::Identity(identity.clone()),
            Some(None) => ActsAs::Server,
            None => ActsAs::Nobody,
        }
    }
}

/// The refusal of a caller who has no identity at Kafka, where identities are configured.
pub(crate) fn nobody_for_kafka(permissions: &Permissions) -> Problem {
    let message = format!("{} Nothing was done.", no_identity(permissions));
    match permissions.caller().is_anonymous() {
        true => Problem::generic(StatusCode::UNAUTHORIZED, message),
        false => Problem::new(StatusCode::FORBIDDEN, 40301, message),
    }
}

/// Why nobody asks Kafka for a caller, as a sentence.
pub(super) fn no_identity(permissions: &Permissions) -> String {
    let caller = permissions.caller();
    let who = if caller.is_anonymous() { "Who does not say who it is" } else { caller.name() };
    format!("{who} has no identity at Kafka: no entry of the file kafka-identities names it.")
}
