//! What an operator may choose about the registry.

use std::time::Duration;

use postern_kafka::TopicName;

use crate::model::config::CompatibilityLevel;

/// Where the schemas are stored, and how long a write may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The topic. Default `_schemas`.
    pub topic: TopicName,
    /// The consumer group in which Confluent registries elect their leader; while it has members nothing is written here.
    /// Default `schema-registry`.
    pub group: String,
    /// The compatibility level where no configuration sets one. Default `BACKWARD`.
    pub level: CompatibilityLevel,
    /// Another registry writes the topic: this one only reads it, and does not create it. Default false.
    pub follower: bool,
    /// The replication factor of the topic if it has to be created, limited by the number of brokers. Default 3.
    pub replication_factor: i16,
    /// How long a record that lost its id may stay alone under its key before it gets a tombstone. Longer than a write may
    /// take, so that its writer can come back with another id. Default 60 s.
    pub orphan_grace: Duration,
    /// How long a write may take, waiting for other writes and for its own record included. Default 10 s.
    pub write_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            topic: TopicName::parse("_schemas").expect("a legal name"),
            group: "schema-registry".to_owned(),
            level: CompatibilityLevel::default(),
            follower: false,
            replication_factor: 3,
            orphan_grace: Duration::from_secs(60),
            write_timeout: Duration::from_secs(10),
        }
    }
}
