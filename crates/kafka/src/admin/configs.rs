//! Configs of topics and brokers, with where each value comes from. Source: KIP-226.

use std::collections::HashMap;

use kafka_protocol::messages::{
    DescribeConfigsRequest,
    describe_configs_request::DescribeConfigsResource,
    describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym},
};

use super::{Admin, checked, not_answered, text};
use crate::{Error, ErrorKind, NodeId, TopicName, network::Destination};

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

/// Whose configs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigResource {
    /// Those of a topic, defaults included.
    Topic(TopicName),
    /// Those of a broker, defaults included.
    Broker(NodeId),
    /// Those that were set for all brokers while they run, and no others.
    AllBrokers,
}

impl ConfigResource {
    /// The number of the kind in the protocol.
    pub(super) fn kind(&self) -> i8 {
        match self {
            ConfigResource::Topic(_) => TOPIC,
            ConfigResource::Broker(_) | ConfigResource::AllBrokers => BROKER,
        }
    }

    /// The name in the protocol.
    pub(super) fn name(&self) -> String {
        match self {
            ConfigResource::Topic(topic) => topic.to_string(),
            ConfigResource::Broker(broker) => broker.to_string(),
            ConfigResource::AllBrokers => String::new(),
        }
    }
}

/// Topics in one request: the answer for each has some 10 KB.
const TOPICS_PER_REQUEST: usize = 500;

impl Admin {
    pub(crate) async fn configs(&self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>, Error> {
        let destination = match resource {
            ConfigResource::Topic(_) | ConfigResource::AllBrokers => Destination::Any,
            // Only the broker itself knows its configs.
            ConfigResource::Broker(broker) => {
                self.check_broker(*broker).await?;
                Destination::Broker(*broker)
            }
        };
        let mut results = self.describe_configs(destination, resource.kind(), vec![resource.name()]).await?;
        let configs = results.pop().unwrap_or_else(|| Err(not_answered()));
        match resource {
            ConfigResource::Topic(topic) => configs.map_err(|error| error.about(topic)),
            ConfigResource::Broker(_) | ConfigResource::AllBrokers => configs,
        }
    }

    /// The configs of several topics, in the order of `topics`.
    pub(crate) async fn topics_configs(
        &self,
        topics: &[TopicName],
    ) -> Result<Vec<Result<Vec<ConfigEntry>, Error>>, Error> {
        let mut all = Vec::with_capacity(topics.len());
        for some in topics.chunks(TOPICS_PER_REQUEST) {
            let names = some.iter().map(ToString::to_string).collect();
            let results = self.describe_configs(Destination::Any, TOPIC, names).await?;
            all.extend(results.into_iter().zip(some).map(|(one, topic)| one.map_err(|error| error.about(topic))));
        }
        Ok(all)
    }

    /// That a broker is up: a request to one that is not would be repeated until the deadline.
    pub(super) async fn check_broker(&self, broker: NodeId) -> Result<(), Error> {
        let cluster = self.describe_cluster().await?;
        match cluster.brokers.iter().any(|known| known.id == broker) {
            true => Ok(()),
            false => {
                let message = format!("no broker with the id {broker} is up");
                Err(Error::new(ErrorKind::UnknownBroker, "BROKER_ID_NOT_REGISTERED", message))
            }
        }
    }

    /// The configs of resources of one kind, in the order of `names`.
    async fn describe_configs(
        &self,
        destination: Destination,
        kind: i8,
        names: Vec<String>,
    ) -> Result<Vec<Result<Vec<ConfigEntry>, Error>>, Error> {
        let resource = |name: &String| {
            DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(text(name))
                .with_configuration_keys(None)
        };
        let resources: Vec<_> = names.iter().map(resource).collect();
        let build =
            move |_| DescribeConfigsRequest::default().with_resources(resources.clone()).with_include_synonyms(true);
        let response = self.read(destination, self.deadline(), build).await?;
        let mut answers: HashMap<String, DescribeConfigsResult> =
            response.results.into_iter().map(|result| (result.resource_name.to_string(), result)).collect();
        let configs = |name: &String| {
            let result = answers.remove(name).ok_or_else(not_answered)?;
            checked(result.error_code, result.error_message.as_ref())?;
            Ok(result.configs.iter().map(config_entry).collect())
        };
        Ok(names.iter().map(configs).collect())
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
