//! `…/topics/{topic}/configs`, `…/brokers/{broker}/configs`, `…/broker-configs`, and below — configs of topics, of brokers, and
//! those that were set for all brokers (docs/reference/rest-v3.md §5).

mod alter;

use hyper::StatusCode;
use postern_access::Right;
use postern_proxy::{
    ConfigAlteration, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, NodeId, Proxy, TopicDescription,
    TopicName,
};
use schemars::JsonSchema;
use serde::Serialize;

use self::alter::{Alteration, TopicAlterations, value_of};
use super::bodies::{AlterConfigsOfTopicsRequest, AlterConfigsRequest, SetConfigRequest};
use super::links::{ClusterPath, Links, segment};
use super::page::{PAGE_SIZE, PAGE_TOKEN, Page};
use super::resource::{Collection, Metadata};
use super::topic_list::TopicList;
use super::{problem, topic_name};
use crate::lenient_object::BODY_MAX;
use crate::observe::name_in_audit;
use crate::operation::{Operation, operation};
use crate::problem::{self as problems, Dialect, Problem};
use crate::reply::Reply;
use crate::request_context::{Params, RequestContext};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaConfig")]
struct Config<'a> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broker_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_type: Option<&'static str>,
    is_default: bool,
}

/// One of the sources that give a config a value, the effective one first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConfigSynonym")]
struct Synonym<'a> {
    name: &'a str,
    value: Option<&'a str>,
    source: &'static str,
}

/// The topics whose configs could not be altered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlterConfigsFailures")]
struct Failures {
    failures: Vec<Failure>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlterConfigsFailure")]
struct Failure {
    topic_name: String,
    error_code: u32,
    message: String,
}

/// Of so many topics the configs are asked for at once where there are pages; each has some 40, of 1 KB in the answer.
const TOPICS_AT_ONCE: usize = 20;

/// Reads the resource of a path, once its cluster is known to be this one.
pub(super) type ResourceOf = fn(&Params) -> Result<ConfigResource, Problem>;

pub(super) const ALTER_TOPICS: Operation =
    operation("alterConfigsOfTopics", "Alters configs of several topics: of each all or none")
        .takes::<AlterConfigsOfTopicsRequest>(&[
            r#"{"data":[{"topic_name":"lab","configs":[{"name":"retention.ms","value":"86400000"}]}]}"#,
        ])
        .or::<Failures>(207);
pub(super) const OF_ALL_TOPICS: Operation = operation("listConfigsOfAllTopics", "The configs of all topics")
    .with_query(&[PAGE_SIZE, PAGE_TOKEN])
    .returns::<Collection<Config>>();
pub(super) const OF_BROKERS: Operation =
    operation("listConfigsOfAllBrokers", "The configs of all brokers").returns::<Collection<Config>>();
pub(super) const TOPIC: Operations =
    Operations::named("OfTopic", &[r#"{"data":[{"name":"retention.ms","value":"86400000"}]}"#]);
pub(super) const BROKER: Operations =
    Operations::named("OfBroker", &[r#"{"data":[{"name":"log.retention.ms","operation":"DELETE"}]}"#]);
pub(super) const ALL_BROKERS: Operations =
    Operations::named("ForAllBrokers", &[r#"{"data":[{"name":"log.retention.ms","operation":"DELETE"}]}"#]);

/// The operations on the configs of one kind of resource.
pub(super) struct Operations {
    pub(super) list: Operation,
    pub(super) show: Operation,
    pub(super) set: Operation,
    pub(super) reset: Operation,
    pub(super) alter: Operation,
}

impl Operations {
    /// Those whose ids end in `of`; `alteration` is an example.
    const fn named(of: &'static str, alteration: &'static [&'static str]) -> Operations {
        Operations {
            list: operation("listConfigs", "All configs").returns::<Collection<Config>>().again(of),
            show: operation("getConfig", "A config").returns::<Config>().again(of),
            set: operation("setConfig", "Sets a config")
                .takes::<SetConfigRequest>(&[r#"{"value":"86400000"}"#])
                .again(of),
            reset: operation("resetConfig", "Gives a config back its default").again(of),
            alter: operation("alterConfigs", "Alters several configs: all or none")
                .takes::<AlterConfigsRequest>(alteration)
                .again(of),
        }
    }
}

/// A topic: an illegal name is a 400 (docs/reference/rest-v3.md §5.3).
pub(super) fn topic(params: &Params) -> Result<ConfigResource, Problem> {
    Ok(ConfigResource::Topic(topic_name(params)?))
}

pub(super) fn broker(params: &Params) -> Result<ConfigResource, Problem> {
    Ok(ConfigResource::Broker(NodeId(params.number("broker")?)))
}

#[expect(clippy::unnecessary_wraps, reason = "a ResourceOf")]
pub(super) fn all_brokers(_: &Params) -> Result<ConfigResource, Problem> {
    Ok(ConfigResource::AllBrokers)
}

pub(super) async fn list(proxy: Proxy, request: RequestContext, resource: ResourceOf) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let resource = resource(&request.params)?;
    let entries = proxy.configs(&resource).await.map_err(problem)?;
    let configs = entries.iter().map(|entry| config_of(&links, &resource, entry));
    Ok(Reply::ok(&links.list(list_kind(&resource), path_of(&resource), configs)))
}

pub(super) async fn show(proxy: Proxy, request: RequestContext, resource: ResourceOf) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let resource = resource(&request.params)?;
    let entry = proxy.config(&resource, request.params.get("config")).await.map_err(problem)?;
    Ok(Reply::ok(&config_of(&links, &resource, &entry)))
}

/// Without a body it is refused as other requests without one are, not with a 500.
pub(super) async fn set(proxy: Proxy, request: RequestContext, resource: ResourceOf) -> Result<Reply, Problem> {
    let cluster_path = ClusterPath::of(&request);
    let (params, body) = request.read_document(BODY_MAX).await?;
    let change = ConfigChange::Set(value_of(&body)?);
    cluster_path.links(&proxy).await?;
    let resource = resource(&params)?;
    let alteration = ConfigAlteration { name: params.get("config").to_owned(), change };
    check_alteration(&params, &resource, std::slice::from_ref(&alteration))?;
    proxy.alter_configs(resource, vec![alteration], false).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn reset(proxy: Proxy, request: RequestContext, resource: ResourceOf) -> Result<Reply, Problem> {
    Links::of(&proxy, &request).await?;
    let resource = resource(&request.params)?;
    if let ConfigResource::Topic(topic) = &resource {
        request.params.check_alteration(topic.as_str(), &[request.params.get("config")], None)?;
    }
    proxy.reset_config(resource, request.params.get("config")).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// All alterations or none.
pub(super) async fn alter(proxy: Proxy, request: RequestContext, resource: ResourceOf) -> Result<Reply, Problem> {
    let cluster_path = ClusterPath::of(&request);
    let (params, body) = request.read_document(BODY_MAX).await?;
    let Alteration { alterations, validate_only } = Alteration::read(&body)?;
    cluster_path.links(&proxy).await?;
    let resource = resource(&params)?;
    check_alteration(&params, &resource, &alterations)?;
    proxy.alter_configs(resource, alterations, validate_only).await.map_err(problem)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// `POST …/topics/-/configs:alter`: each topic by itself.
pub(super) async fn alter_topics(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let cluster_path = ClusterPath::of(&request);
    let (params, body) = request.read_document(BODY_MAX).await?;
    let TopicAlterations { topics, validate_only } = TopicAlterations::read(&body)?;
    cluster_path.links(&proxy).await?;
    // All of them, or nothing is changed.
    for (topic, alterations) in &topics {
        check_alteration(&params, &ConfigResource::Topic(topic.clone()), alterations)?;
    }
    let names: Vec<TopicName> = topics.iter().map(|(topic, _)| topic.clone()).collect();
    let results = proxy.alter_configs_of_topics(topics, validate_only).await.map_err(problem)?;
    let mut failures = Vec::new();
    for (topic, result) in names.iter().zip(results) {
        let Err(error) = result else { continue };
        let Problem { code, message, .. } = problems::problem(Dialect::V3, &error.into());
        failures.push(Failure { topic_name: topic.to_string(), error_code: code, message });
    }
    Ok(match failures.is_empty() {
        true => Reply::empty(StatusCode::NO_CONTENT),
        false => Reply::json(StatusCode::MULTI_STATUS, &Failures { failures }),
    })
}

pub(super) async fn of_all_topics(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let page = Page::of(&request)?;
    let links = Links::of(&proxy, &request).await?;
    let permissions = request.params.permissions();
    let is_shown = |topic: &TopicDescription| !topic.is_internal && permissions.may(Right::Describe, &topic.name);
    let (mut topics, mut count, mut list) = (Vec::new(), 0, TopicList::of(&page, &proxy, false));
    while page.wants_more(count)
        && let Some(some) = list.next().await?
    {
        // A cluster has no topics with illegal names.
        let names = some.iter().filter(|topic| is_shown(topic)).filter_map(|topic| TopicName::parse(&topic.name).ok());
        let names: Vec<_> = names.collect();
        for names in names.chunks(if page.is_whole() { names.len().max(1) } else { TOPICS_AT_ONCE }) {
            for (topic, mut entries) in proxy.configs_of_topics(names).await.map_err(problem)? {
                let topic = ConfigResource::Topic(topic);
                entries.retain(|entry| page.is_behind(&page_key(&topic, entry)));
                count += entries.len();
                topics.push((topic, entries));
            }
            if !page.wants_more(count) {
                break;
            }
        }
    }
    Ok(all_of(&links, &page, ("KafkaTopicConfigList", "topics/-/configs"), &topics).await)
}

pub(super) async fn of_brokers(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let brokers = proxy.configs_of_brokers().await.map_err(problem)?;
    let brokers: Vec<_> = brokers.into_iter().map(|(id, entries)| (ConfigResource::Broker(id), entries)).collect();
    Ok(all_of(&links, &Page::whole(), ("KafkaBrokerConfigList", "brokers/-/configs"), &brokers).await)
}

/// Limits of configs are those of topics.
fn check_alteration(
    params: &Params,
    resource: &ConfigResource,
    alterations: &[ConfigAlteration],
) -> Result<(), Problem> {
    let configs: Vec<&str> = alterations.iter().map(|alteration| alteration.name.as_str()).collect();
    let ConfigResource::Topic(topic) = resource else {
        name_in_audit(format_args!("configs {}", configs.join(", ")));
        return Ok(());
    };
    name_in_audit(format_args!("topic {topic}: configs {}", configs.join(", ")));
    params.check_alteration(topic.as_str(), &configs, None)
}

/// The configs of several resources in one list, or a page of it.
async fn all_of(
    links: &Links,
    page: &Page,
    kind: (&'static str, &'static str),
    resources: &[(ConfigResource, Vec<ConfigEntry>)],
) -> Reply {
    let entries = resources.iter().flat_map(|(resource, entries)| entries.iter().map(move |entry| (resource, entry)));
    let on_page = page.cut(entries, |(resource, entry)| page_key(resource, entry).into());
    page.reply(links, kind, on_page, |(resource, entry)| config_of(links, resource, entry)).await
}

/// Where a config stands among those of all topics. No name of a topic has a NUL: topics stay in their order.
fn page_key(resource: &ConfigResource, entry: &ConfigEntry) -> String {
    match resource {
        ConfigResource::Topic(topic) => format!("{topic}\0{}", entry.name),
        ConfigResource::Broker(_) | ConfigResource::AllBrokers => entry.name.clone(), // these have no pages
    }
}

fn list_kind(resource: &ConfigResource) -> &'static str {
    match resource {
        ConfigResource::Topic(_) => "KafkaTopicConfigList",
        ConfigResource::Broker(_) => "KafkaBrokerConfigList",
        ConfigResource::AllBrokers => "KafkaClusterConfigList",
    }
}

/// Where the list of the configs lies, below the cluster.
fn path_of(resource: &ConfigResource) -> String {
    match resource {
        ConfigResource::Topic(topic) => format!("topics/{topic}/configs"),
        ConfigResource::Broker(broker) => format!("brokers/{broker}/configs"),
        ConfigResource::AllBrokers => "broker-configs".to_owned(),
    }
}

fn config_of<'a>(links: &'a Links, resource: &'a ConfigResource, entry: &'a ConfigEntry) -> Config<'a> {
    let ConfigEntry { name, value, source, is_read_only, is_sensitive, synonyms } = entry;
    let path = format!("{}/{}", path_of(resource), segment(name));
    let synonym = |place: &'a postern_proxy::ConfigSynonym| Synonym {
        name: &place.name,
        value: place.value.as_deref(),
        source: source_name(place.source),
    };
    let config = Config {
        kind: "KafkaClusterConfig",
        metadata: links.metadata(&path, format_args!("broker-config={name}")),
        cluster_id: links.cluster_id(),
        name,
        value: value.as_deref(),
        is_read_only: *is_read_only,
        is_sensitive: *is_sensitive,
        source: source_name(*source),
        synonyms: synonyms.iter().map(synonym).collect(),
        topic_name: None,
        broker_id: None,
        config_type: None,
        is_default: *source == ConfigSource::Default,
    };
    match resource {
        ConfigResource::Topic(topic) => Config {
            kind: "KafkaTopicConfig",
            metadata: links.metadata(path, format_args!("topic={topic}/config={name}")),
            topic_name: Some(topic.as_str()),
            ..config
        },
        ConfigResource::Broker(broker) => Config {
            kind: "KafkaBrokerConfig",
            metadata: links.metadata(path, format_args!("broker={broker}/config={name}")),
            broker_id: Some(broker.0),
            ..config
        },
        ConfigResource::AllBrokers => Config { config_type: Some("BROKER"), ..config },
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
