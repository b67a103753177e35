//! A Kafka cluster as seen from here: names, records, producing, reading, administration.
//!
//! [`Cluster`] is the only door. Behind it stand one producer (idempotent, acks from all replicas), one administrative
//! client and one client per [`Reader`]; all of them speak to a bootstrap address and do not care whether Apache Kafka or
//! an embedded broker answers there.
//!
//! Records are counted against a memory budget ([`Inflight`]) before they may be appended: [`Cluster::append`] takes
//! [`Admitted`] records and nothing else. A record that failed says whether it may stand in the log all the same ([`Fate`]).
//!
//! Not here: who may do what, how values are encoded, what a client is told over HTTP.
//!
//! It stands on librdkafka, whose C interface (and every `unsafe` block of this crate) lives in `native/`. The safe wrapper
//! of the `rdkafka` crate lacks half of the administrative calls and takes one thread and one channel per record for the
//! rest, so only its bindings are used.

mod admin;
mod cluster;
mod deliveries;
mod error;
mod inflight;
mod metadata;
mod names;
mod native;
mod producer;
mod reader;
mod record;
mod settings;

pub use admin::{
    Broker, ClusterDescription, ConfigEntry, ConfigSource, ConfigSynonym, CreatedTopic, GroupMembers, NewTopic,
    OffsetRange, PartitionDescription, TopicDescription,
};
pub use cluster::Cluster;
pub use deliveries::Deliveries;
pub use error::{AppendError, Error, ErrorKind, Fate};
pub use inflight::{Admitted, Inflight, TooLarge};
pub use names::{ByteCount, InvalidTopicName, NodeId, Offset, PartitionId, TopicName};
pub use reader::Reader;
pub use record::{Receipt, Record, StoredRecord};
pub use settings::Settings;
