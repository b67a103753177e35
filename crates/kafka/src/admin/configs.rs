//! Configs of topics, with where each value comes from. Source: KIP-226.

use kafka_protocol::messages::{
    DescribeConfigsRequest,
    describe_configs_request::DescribeConfigsResource,
    describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsSynonym},
};

use super::{Admin, checked, not_answered, text};
use crate::{Error, NodeId, TopicName, network::Destination};

/// The kinds of resource that have configs.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

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
        let configs = self.configs(Destination::Any, TOPIC, topic.as_str()).await;
        configs.map_err(|error| error.about(topic))
    }

    /// Only the broker itself knows its configs.
    pub(crate) async fn broker_configs(&self, broker: NodeId) -> Result<Vec<ConfigEntry>, Error> {
        self.describe_cluster().await?;
        self.configs(Destination::Broker(broker), BROKER, &broker.to_string()).await
    }

    async fn configs(&self, destination: Destination, kind: i8, name: &str) -> Result<Vec<ConfigEntry>, Error> {
        let name = text(name);
        let build = move |_| {
            let resource = DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(name.clone())
                .with_configuration_keys(None);
            DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true)
        };
        let response = self.read(destination, self.deadline(), build).await?;
        let result = response.results.into_iter().next().ok_or_else(not_answered)?;
        checked(result.error_code, result.error_message.as_ref())?;
        Ok(result.configs.iter().map(config_entry).collect())
    }
}

fn config_entry(config: &DescribeConfigsResourceResult) -> ConfigEntry {
    ConfigEntry {
        name: config.name.to_string(),
        value: config.value.as_ref().map(ToString::to_string),
        source: config_source(config.config_source),
        is_read_only: config.read_only,
        is_sensitive: config.is_sensitive,
        synonyms: config.synonyms.iter().map(config_synonym).collect(),
    }
}

fn config_synonym(synonym: &DescribeConfigsSynonym) -> ConfigSynonym {
    ConfigSynonym {
        name: synonym.name.to_string(),
        value: synonym.value.as_ref().map(ToString::to_string),
        source: config_source(synonym.source),
    }
}

/// The numbers of DescribeConfigs. Source: KIP-226, later additions from the protocol guide.
fn config_source(number: i8) -> ConfigSource {
    match number {
        1 => ConfigSource::DynamicTopic,
        2 => ConfigSource::DynamicBroker,
        3 => ConfigSource::DynamicDefaultBroker,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        6 => ConfigSource::DynamicBrokerLogger,
        8 => ConfigSource::DynamicGroup,
        _ => ConfigSource::Unknown, // a broker may be newer than we are
    }
}
