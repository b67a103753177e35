//! `GET …/topics/{topic}/configs`, `…/configs/{config}`, `GET …/topics/-/configs` — settings of topics (docs/reference/rest-v3.md §5).

use postern_proxy::{ConfigEntry, ConfigSource, Proxy};
use serde::Serialize;

use super::links::{Links, segment};
use super::resource::Metadata;
use super::{problem, topic_name};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize)]
struct TopicConfig<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    name: &'a str,
    /// Null if sensitive, or not set.
    value: Option<&'a str>,
    is_read_only: bool,
    is_sensitive: bool,
    source: &'static str,
    synonyms: Vec<Synonym<'a>>,
    topic_name: &'a str,
    is_default: bool,
}

/// One of the sources that give a setting a value, the effective one first.
#[derive(Serialize)]
struct Synonym<'a> {
    name: &'a str,
    value: Option<&'a str>,
    source: &'static str,
}

pub(super) async fn of_topic(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let topic = topic_name(&request.params)?;
    let entries = proxy.topic_configs(&topic).await.map_err(problem)?;
    let configs = entries.iter().map(|entry| config_of(&links, topic.as_str(), entry));
    Ok(Reply::ok(&links.list("KafkaTopicConfigList", format_args!("topics/{topic}/configs"), configs)))
}

pub(super) async fn one_of_topic(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let topic = topic_name(&request.params)?;
    let name = request.params.get("config");
    let entries = proxy.topic_configs(&topic).await.map_err(problem)?;
    match entries.iter().find(|entry| entry.name == name) {
        Some(entry) => Ok(Reply::ok(&config_of(&links, topic.as_str(), entry))),
        None => Err(Problem::missing(format!(
            "Config {name} cannot be found for topic {topic}: Kafka has no setting of this name."
        ))),
    }
}

pub(super) async fn of_all_topics(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let topics = proxy.configs_of_topics().await.map_err(problem)?;
    let configs =
        topics.iter().flat_map(|(topic, entries)| entries.iter().map(|entry| config_of(&links, topic.as_str(), entry)));
    Ok(Reply::ok(&links.list("KafkaTopicConfigList", "topics/-/configs", configs)))
}

fn config_of<'a>(links: &'a Links, topic: &'a str, entry: &'a ConfigEntry) -> TopicConfig<'a> {
    let ConfigEntry { name, value, source, is_read_only, is_sensitive, synonyms } = entry;
    let path = format!("topics/{topic}/configs/{}", segment(name));
    TopicConfig {
        kind: "KafkaTopicConfig",
        metadata: links.metadata(path, format_args!("topic={topic}/config={name}")),
        cluster_id: links.cluster_id(),
        name,
        value: value.as_deref(),
        is_read_only: *is_read_only,
        is_sensitive: *is_sensitive,
        source: source_name(*source),
        synonyms: synonyms
            .iter()
            .map(|place| Synonym {
                name: &place.name,
                value: place.value.as_deref(),
                source: source_name(place.source),
            })
            .collect(),
        topic_name: topic,
        is_default: *source == ConfigSource::Default,
    }
}

/// Kafka's names, except for one.
fn source_name(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::DynamicGroup => "DYNAMIC_GROUP_CONFIG",
        ConfigSource::DynamicTopic
        | ConfigSource::DynamicBroker
        | ConfigSource::DynamicDefaultBroker
        | ConfigSource::StaticBroker
        | ConfigSource::Default
        | ConfigSource::DynamicBrokerLogger
        | ConfigSource::Unknown => source.name(),
    }
}
