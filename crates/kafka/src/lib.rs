//! A Kafka cluster as seen from here: names, records, producing, reading, administration. A Kafka client of our own, in Rust.
//!
//! [`Cluster`] is where everything begins. Its parts, each a module that can be read alone:
//!
//! - `wire`: the protocol as bytes: batches, requests and answers, bounds. No IO.
//! - `connection`: one connection; frames, versions, deadlines, backoff.
//! - `tls`, `sasl`: certificates and credentials, for connections.
//! - `network`: the brokers, and which of them to ask.
//! - `coordinator`: which broker coordinates a group.
//! - `metadata`: topics, partitions, leaders; shared look-ups.
//! - `producer`: idempotent, acknowledged by all in-sync replicas, in order per partition.
//! - `reader`: one partition from its beginning, without a group.
//! - `consumer`: many partitions, those of a group or chosen ones, with offsets committed in a group.
//! - `group`: membership of a group.
//! - `log_position`, `leader_epochs`: whether a log still has what was read.
//! - `admin`: everything else.
//! - `statistics`: what all of them count.
//! - `in_place`: work that would hold up other tasks.
//!
//! Records are counted against a memory budget ([`Inflight`]) before they may be appended: [`Cluster::append`] takes
//! [`Admitted`] records and nothing else. A record that failed says whether it may stand in the log all the same ([`Fate`]).
//!
//! Not here: who may do what, how values are encoded, what a client is told over HTTP. Not yet: transactions.

mod admin;
mod cluster;
mod compression;
mod connection;
mod consumer;
mod coordinator;
mod deliveries;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod in_place;
mod inflight;
mod leader_epochs;
mod log_position;
mod metadata;
mod names;
mod network;
mod producer;
mod reader;
mod record;
mod sasl;
mod settings;
mod statistics;
mod tls;
mod wire;

pub use admin::{
    Acl, AclFilter, AclOperation, AclPatternType, AclPermission, AclResourceType, ClusterDescription, CommittedOffset,
    ConfigAlteration, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym, CreatedTopic, Election,
    GroupDescription, GroupMember, GroupMembers, GroupState, GroupType, ListedGroup, LogDir, LogDirReplica, NewTopic,
    OffsetRange, OffsetTime, PartitionDescription, Reassignment, ReassignmentChange, ScramCredential, ScramUser,
    SomeTopics, TopicDescription,
};
pub use cluster::Cluster;
pub use compression::{Compression, UnknownCompression};
pub use consumer::{
    AssignedPartition, Assignor, CommitOffset, Consumer, ConsumerRecord, ConsumerSettings, FetchBudget, IsolationLevel,
    OffsetReset, SeekTo, Subscription,
};
pub use deliveries::Deliveries;
pub use error::{AppendError, Error, ErrorKind, Fate};
pub use inflight::{Admitted, Inflight, TooLarge};
pub use names::{ByteCount, InvalidTopicName, NodeId, Offset, PartitionId, TopicName, TopicPartition};
pub use network::{Broker, Login};
pub use reader::Reader;
pub use record::{Receipt, Record, StoredRecord};
pub use settings::{
    ClientCredentials, KeyStore, Mechanism, Sasl, ScramHash, Secret, Security, Settings, SharedSecret, Source, Tls,
    TokenSource, TrustStore,
};
pub use statistics::{ClientStatistics, LATENCY_BOUNDS, Latencies, LatencyHistogram};
