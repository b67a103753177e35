//! Who callers are, what they may do, and who they are for Kafka: files of users, bearer tokens, rules, identities.
//!
//! Everything here computes: text in, decisions out. Reading files, fetching keys, headers and statuses are the business of others. What
//! takes long (password hashes do so on purpose) says so, and its callers keep it away from the threads that answer.

mod caller;
mod callers;
mod certificate;
mod expectation;
mod kafka_identities;
mod password;
mod pattern;
mod permissions;
mod right;
mod rules;
mod token;
mod token_keys;
mod toml_fault;
mod users;

pub use caller::{Caller, InvalidName, Way};
pub use certificate::{CertificateName, NameMapping};
pub use kafka_identities::{KafkaIdentityEntry, KafkaIdentityTable, KafkaLogin};
pub use permissions::{Creation, Denied, Permissions, TopicRequest};
pub use right::{Kind, Right};
pub use rules::Rules;
pub use token::{TokenFault, TokenRules, VerifiedToken};
pub use token_keys::{Algorithm, KeySet};
pub use users::{Roles, User, Users};
