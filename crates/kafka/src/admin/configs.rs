//! Configs of topics, with where each value comes from. Source: KIP-226.

use super::Admin;
use crate::{Error, NodeId, TopicName, native::Request};

/// One config and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; `None` where it is sensitive.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it can be changed.
    pub is_read_only: bool,
    /// Whether its value is kept secret.
    pub is_sensitive: bool,
    /// All places where a value is given, the one that counts first.
    pub synonyms: Vec<ConfigSynonym>,
}

/// One place where a config is given a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// Its name there.
    pub name: String,
    /// Its value there.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

/// Where the value of a config comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigSource {
    /// Set on the topic.
    DynamicTopic,
    /// Set on one broker while it runs.
    DynamicBroker,
    /// Set on all brokers while they run.
    DynamicDefaultBroker,
    /// Stands in the broker's own configuration.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// Set on a logger of a broker.
    DynamicBrokerLogger,
    /// Set on a consumer group.
    DynamicGroup,
    /// A source that we have no name for.
    Unknown,
}

impl ConfigSource {
    /// Kafka's name of it, such as `DYNAMIC_TOPIC_CONFIG`.
    pub fn name(self) -> &'static str {
        match self {
            ConfigSource::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
            ConfigSource::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
            ConfigSource::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            ConfigSource::StaticBroker => "STATIC_BROKER_CONFIG",
            ConfigSource::Default => "DEFAULT_CONFIG",
            ConfigSource::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
            ConfigSource::DynamicGroup => "GROUP_CONFIG",
            ConfigSource::Unknown => "UNKNOWN",
        }
    }
}

impl Admin {
    pub(crate) async fn topic_configs(&self, topic: &TopicName) -> Result<Vec<ConfigEntry>, Error> {
        self.call(Request::TopicConfigs(topic)).await?.configs().map_err(|error| error.about(topic))
    }

    pub(crate) async fn broker_configs(&self, broker: NodeId) -> Result<Vec<ConfigEntry>, Error> {
        self.call(Request::BrokerConfigs(broker)).await?.configs()
    }
}
