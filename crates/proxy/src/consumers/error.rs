//! Why an operation of a consumer instance was refused.

use postern_kafka::Fate;
use postern_registry::Side;

use super::{InstanceName, PartitionName};

/// A refused operation: nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// There is no such instance, or no longer.
    #[error(
        "Consumer instance not found: there is no instance '{name}' of group '{group}' here. It was deleted, was not used for too long, or was made by another proxy: make it again with POST /consumers/{group}.",
        name = .0.name, group = .0.group
    )]
    NotFound(InstanceName),
    /// The name is in use in the group.
    #[error(
        "Consumer with specified consumer ID already exists in the specified consumer group: '{name}' in group '{group}'. Choose another name, or delete that instance.",
        name = .0.name, group = .0.group
    )]
    NameTaken(InstanceName),
    /// Another replica opens the instance, or has opened it, at this moment.
    #[error(
        "The consumer instance '{name}' of group '{group}' is being opened by another replica of this server. Nothing was done; send the request again.",
        name = .0.name, group = .0.group
    )]
    Moving(InstanceName),
    /// The positions that were to be committed went with the replica that had the instance.
    #[error(
        "Illegal state: the consumer instance was opened again by another replica of this server, and nothing was read since. Nothing was committed: what was read before and is not committed comes again. Read, then commit; or name the offsets."
    )]
    OpenedAgain,
    /// It is not known which replica has which instance.
    #[error(
        "It is not known which replica of this server has the consumer instance: {0}. Nothing was done; try again later."
    )]
    ReplicasUnknown(String),
    /// Other replicas could not be told.
    #[error(
        "The topic that replicas of this server share cannot be written: {reason}. {fate}",
        fate = match .fate {
            Fate::NotWritten => "Other replicas do not know of it; send the request again.",
            Fate::Unknown => "Whether other replicas know of it is not known; send the request again.",
        }
    )]
    NotRecorded {
        /// Why.
        reason: String,
        /// Whether it stands there all the same.
        fate: Fate,
    },
    /// There are as many instances as there may be.
    #[error(
        "There are {0} consumer instances, as many as there may be. Delete those that are not needed, or try again later."
    )]
    TooMany(usize),
    /// So many operations wait for this instance that no more are taken.
    #[error(
        "Too many operations wait for this consumer instance: it does one at a time. Nothing was done; try again later."
    )]
    Busy,
    /// A setting that no Kafka consumer would take.
    #[error("Invalid consumer configuration: {name}: expected {expected}, found '{found}'.")]
    InvalidSetting {
        /// The member of the request.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The formats of the instance are others than those that were asked for.
    #[error(
        "The requested embedded data format does not match the deserializer for this consumer instance: its format is {0}. Name it in Accept."
    )]
    WrongFormat(&'static str),
    /// The instance has a subscription of another kind, or an assignment.
    #[error(
        "Illegal state: Subscription to topics, partitions and pattern are mutually exclusive: the instance has {held}. Delete its subscription first."
    )]
    Exclusive {
        /// What the instance has.
        held: &'static str,
    },
    /// Nothing can be read.
    #[error(
        "Illegal state: the instance has neither a subscription nor an assignment. Set one with POST …/subscription or POST …/assignments."
    )]
    NothingToRead,
    /// Other reads hold the memory for answers, and did not give enough of it back in time.
    #[error(
        "Records are there, and the memory for records on their way to clients is in use: this read waits for {needed} bytes of it. Nothing was read; try again later."
    )]
    NoMemory {
        /// What the next record needs, in bytes.
        needed: usize,
    },
    /// Other consumers hold the memory for what is fetched.
    #[error(
        "The memory for records that are fetched is in use for other consumers, so that it is not known whether there are any. Nothing was read; try again later."
    )]
    NoFetchMemory,
    /// Records that are there did not come in time.
    #[error(
        "Partition {partition} has records from offset {offset} on, and none came within the time of the read: send the request again, with a longer timeout where that can be. Nothing was read."
    )]
    NotFetched {
        /// The first such partition.
        partition: PartitionName,
        /// The first offset that was not read.
        offset: i64,
    },
    /// A later stream has the records of the instance.
    #[error(
        "Illegal state: the instance is streamed over another connection, which was opened later. An instance has one stream at a time: make one for each reader."
    )]
    StreamSuperseded,
    /// More partitions than an event can name.
    #[error(
        "Illegal state: the id of an event says where its stream is in each partition, of {max} at most and in 24 KiB, and {found} are assigned to the instance. Read it as lines (Accept: application/x-ndjson), or divide the partitions among more instances of the group."
    )]
    TooManyPartitions {
        /// How many are assigned.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// The partition is not assigned to the instance.
    #[error(
        "Illegal state: No current assignment for partition {0}. A subscribed instance has its partitions after its first read."
    )]
    NotAssigned(PartitionName),
    /// A pattern that is none.
    #[error("topic_pattern: expected a regular expression, found '{pattern}': {reason}.")]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The subscription or assignment names a topic that cannot exist.
    #[error("'{0}' is no legal name of a topic: {reason}.", reason = postern_kafka::InvalidTopicName)]
    IllegalTopic(String),
    /// A record does not hold what the format of the instance expects.
    #[error(
        "Error deserializing {side} for partition {partition} at offset {offset}: {reason}. {}", way_on(*.has_group, .partition, *.offset),
        side = side_name(*.side)
    )]
    Undecodable {
        /// Key or value.
        side: Side,
        /// Where it is.
        partition: PartitionName,
        /// Where it is there.
        offset: i64,
        /// What was found.
        reason: String,
        /// Whether an instance reads it, whose position can be moved.
        has_group: bool,
    },
    /// The schema of a record cannot be looked up at the moment.
    #[error(
        "The schema of the {side} at offset {offset} of partition {partition} cannot be looked up: {reason}. Nothing was read; try again later.",
        side = side_name(*.side)
    )]
    SchemaUnavailable {
        /// Key or value.
        side: Side,
        /// Where it is.
        partition: PartitionName,
        /// Where it is there.
        offset: i64,
        /// Why.
        reason: String,
    },
}

/// How to read on behind a record that cannot be decoded.
fn way_on(has_group: bool, partition: &PartitionName, offset: i64) -> String {
    match has_group {
        true => "If needed, please seek past the record to continue consumption, with POST …/positions.".to_owned(),
        false => format!(
            "To read on behind it begin with offset={}:{}, or read it in another format.",
            partition.partition,
            offset.saturating_add(1)
        ),
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Key => "KEY",
        Side::Value => "VALUE",
    }
}
