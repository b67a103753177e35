//! Why a request was refused as a whole.

use postern_kafka::{ByteCount, Error as ClusterError, TooLarge, TopicName};
use postern_registry::{ResolveError, Side, Subject};
use postern_schema::EncodeError;

use crate::consumers::ConsumerError;

/// A refused request: nothing of it was written. (What became of single records are outcomes, not errors.)
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A produce to a topic that does not exist, and that the cluster does not create by itself.
    #[error("Topic not found: '{topic}' does not exist and the cluster does not create topics by itself. {}Nothing was written.", remedy(.similar.as_deref()))]
    NoSuchTopic {
        /// The topic of the request.
        topic: TopicName,
        /// The existing topic whose name resembles it most, if any does.
        similar: Option<String>,
    },
    /// A topic that was to be made for its first record, and was not.
    #[error("Topic '{topic}' does not exist and could not be made for its first record: {error} Nothing was written.")]
    TopicNotMade {
        /// The topic of the request.
        topic: TopicName,
        /// What the cluster has against it.
        error: ClusterError,
    },
    /// More topics than one caller may have made by producing.
    #[error(
        "Topic '{0}' does not exist, and too many topics were made by producing within the last minute: create it, or send this again in a minute. Nothing was written."
    )]
    TooManyNewTopics(TopicName),
    /// A change of the topic in which the registry of this process stores its schemas.
    #[error(
        "Topic '{0}' holds the schemas of this server's registry: it is not deleted, altered, given more partitions or produced to over HTTP. Use the registry's API. Nothing was done."
    )]
    RegistryTopic(TopicName),
    /// A change of a topic in which Kafka keeps its own state.
    #[error(
        "Topic '{0}' is internal to Kafka, which keeps its own state in it: it is not created, deleted, altered, given more partitions or produced to over HTTP. Nothing was done."
    )]
    InternalTopic(TopicName),
    /// A change of the topic that says which replica has which consumer instance.
    #[error(
        "Topic '{0}' says which replica of this server has which consumer instance: it is not deleted, altered, given more partitions or produced to over HTTP. Nothing was done."
    )]
    ReplicasTopic(TopicName),
    /// The server is being stopped.
    #[error("The server is being stopped. Nothing was done.")]
    Stopping,
    /// Records have keys (or values) and the request names no schema for them.
    #[error("{message}", message = missing_schema(*.0))]
    MissingSchema(Side),
    /// A record names a partition below 0.
    #[error("records[{record}].partition: expected 0 or more, found {partition}. Nothing was written.")]
    NegativePartition {
        /// Position in the request, from 0.
        record: usize,
        /// The partition that it names.
        partition: i32,
    },
    /// A record by itself names a partition below 0.
    #[error("partition_id: expected 0 or more, found {0}. The record was not written.")]
    NegativePartitionId(i32),
    /// The subject has no such version.
    #[error(
        "{side}: the subject '{}' has no version {version}. The record was not written.", .subject.as_str(),
        side = side_name(*.side)
    )]
    NoSuchVersion {
        /// Whose schema.
        side: Side,
        /// The subject.
        subject: Subject,
        /// The version that it does not have.
        version: i32,
    },
    /// A subject that is made of the name of a record, and no schema in which it could stand.
    #[error(
        "{side}: subject_name_strategy {strategy} takes the name of the record from its schema: give schema_id, or type and schema. The record was not written.",
        side = side_name(*.side)
    )]
    SubjectNeedsSchema {
        /// Whose schema.
        side: Side,
        /// How the subject is made.
        strategy: &'static str,
    },
    /// A subject that is made of the name of a record, and a schema that has none.
    #[error(
        "{side}: subject_name_strategy {strategy} takes the name of the record from its schema, and this schema is not that of a named record. The record was not written.",
        side = side_name(*.side)
    )]
    UnnamedSchema {
        /// Whose schema.
        side: Side,
        /// How the subject is made.
        strategy: &'static str,
    },
    /// The schema of one side cannot be used.
    #[error("{side}_schema: {1}", side = side_name(*.0))]
    Schema(Side, #[source] ResolveError),
    /// A value does not fit its schema; the path begins with the record.
    #[error("{0}")]
    DoesNotFit(#[source] EncodeError),
    /// A binary key or value is not base64.
    #[error("{path}: {message}")]
    NotBase64 {
        /// `records[3].value`
        path: String,
        /// What is wrong, as a sentence.
        message: String,
    },
    /// A key or value that should be a string is another value.
    #[error("{path}: expected a string, found {found}")]
    NotText {
        /// `value.data`
        path: String,
        /// The beginning of what was found.
        found: String,
    },
    /// A value under a JSON Schema consists of too many values to be checked in memory.
    #[error(
        "{0}: expected a value of at most {max} numbers, strings and the like, found more. A record of 1 MiB has fewer. Nothing was written.",
        max = crate::limits::JSON_SCHEMA_VALUES_MAX
    )]
    TooManyValues(String),
    /// The keys and values of one request are more than the whole budget for unacknowledged records.
    #[error(
        "The records of this request hold {asked} bytes, more than the {capacity} bytes that may wait for acknowledgement at once. Split the request. Nothing was written.",
        asked = .0.requested.0, capacity = .0.capacity.0
    )]
    TooLarge(#[source] TooLarge),
    /// A config that the resource does not have.
    #[error("Config {config} cannot be found for {resource}. Nothing was changed.")]
    UnknownConfig {
        /// The name that was asked for.
        config: String,
        /// Whose configs: `TOPIC t`, `BROKER 1`, or all brokers.
        resource: String,
    },
    /// There is no group of consumers of this id.
    #[error("Consumer Group {0} could not be found: no group of consumers has this id.")]
    UnknownGroup(String),
    /// A group has no lag: it has committed nothing.
    #[error("Consumer group offsets could not be found: group {0} has committed no offset.")]
    NoOffsets(String),
    /// A group has no lag: what it has committed belongs to partitions that are gone.
    #[error("Consumer lags not found: no partition is left of which group {0} has committed offsets.")]
    NoLags(String),
    /// Some of several ACLs were not created.
    #[error("{message}", message = acls_not_created(.refused, *.created))]
    AclsNotCreated {
        /// Positions in the request, from 0, and why.
        refused: Vec<(usize, ClusterError)>,
        /// How many of the others were created.
        created: usize,
    },
    /// An operation of a consumer instance was refused.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    /// Other requests hold the whole budget for unacknowledged records, and did not give enough of it back in time.
    #[error(
        "Records of other requests hold the {} bytes that may wait for acknowledgement at once, and were not acknowledged in time. Send this again later. Nothing was written.", .0.0
    )]
    Busy(ByteCount),
    /// The cluster refused, or could not be reached.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

fn acls_not_created(refused: &[(usize, ClusterError)], created: usize) -> String {
    let refused: Vec<_> = refused.iter().map(|(at, error)| format!("data[{at}]: {error}")).collect();
    format!("{}. The other {created} of the request were created.", refused.join("; "))
}

fn remedy(similar: Option<&str>) -> String {
    match similar {
        Some(similar) => format!("Did you mean '{similar}'? "),
        None => "Create it first. ".to_owned(),
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Key => "key",
        Side::Value => "value",
    }
}

fn missing_schema(side: Side) -> String {
    let side = side_name(side);
    format!("Request includes {side}s but does not include {side} schema: give {side}_schema or {side}_schema_id.")
}
