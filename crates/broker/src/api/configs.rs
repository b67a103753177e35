//! DescribeConfigs (32), versions 1 to 4; AlterConfigs (33), versions 0 to 2; IncrementalAlterConfigs (44), 0 and 1.
//!
//! Topics and the broker have all settings that Apache Kafka 4.1 knows. Theirs can be changed, the broker's where Kafka's
//! can while it runs: for the broker `1`, or under the empty name for the cluster, which is the same one broker. Not done:
//! documentation texts, loggers, groups, client metrics.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, ApiKey, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, alter_configs_response,
    incremental_alter_configs_response,
};
use kafka_protocol::protocol::StrBytes;

use super::create_topics::{Refusal, checked, sentence};
use super::{Call, Cut, blocking};
use crate::configs::broker::{self, BROKER_SETTINGS, Scope};
use crate::configs::{self, Kind, SETTINGS, Setting};
use crate::node::{NODE_ID, Node};
use crate::topics::{self, Own, Topic};
use crate::{Flush, code};

/// Apache Kafka's sentence for that code.
pub(super) const INVALID_REQUEST: &str = "This most likely occurs because of a request being malformed by the client library \
     or the message was sent to an incompatible broker. See the broker logs for more details.";

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    DynamicTopic = 1,
    DynamicBroker = 2,
    DynamicCluster = 3,
    StaticBroker = 4,
    Default = 5,
}

impl From<Scope> for Source {
    fn from(scope: Scope) -> Source {
        match scope {
            Scope::Broker => Source::DynamicBroker,
            Scope::Cluster => Source::DynamicCluster,
        }
    }
}

/// A topic's value for a setting and where it comes from.
pub(super) fn value_of(node: &Node, own: &Own, setting: &Setting) -> (String, Source) {
    if let Some(value) = own.get(setting.name) {
        return (setting.shown(value), Source::DynamicTopic);
    }
    match node.topics.defaults.find(setting.of_broker()) {
        Some((value, scope)) => (value, scope.into()),
        None => (setting.default.to_owned(), Source::Default),
    }
}

// === DescribeConfigs ===

pub(super) async fn describe(
    node: &Arc<Node>,
    call: &Call<'_>,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Cut> {
    let mut results = Vec::with_capacity(request.resources.len());
    for asked in request.resources {
        let fault =
            call.fault(node, ApiKey::DescribeConfigs, topic_of(asked.resource_type, &asked.resource_name)).await?;
        let described = match asked.resource_type {
            TOPIC => describe_topic(node, &asked.resource_name, request.include_synonyms),
            BROKER => describe_broker(node, &asked.resource_name, request.include_synonyms),
            _ => Err((ResponseError::InvalidRequest, INVALID_REQUEST.to_owned())),
        };
        let result = DescribeConfigsResult::default()
            .with_error_message(Some(StrBytes::new()))
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name);
        results.push(match (fault, described) {
            (Some(error), _) => result.with_error_code(error),
            (None, Ok(mut configs)) => {
                // None at all mean every one.
                if let Some(keys) = asked.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
                    configs.retain(|config| keys.contains(&config.name));
                }
                result.with_configs(configs)
            }
            (None, Err((error, message))) => {
                result.with_error_code(code(error)).with_error_message(Some(StrBytes::from_string(message)))
            }
        });
    }
    Ok(DescribeConfigsResponse::default().with_results(results))
}

/// The topic that a resource is, to be found by a fault rule.
fn topic_of(resource_type: i8, name: &str) -> Option<&str> {
    (resource_type == TOPIC).then_some(name)
}

fn describe_topic(node: &Node, name: &str, synonyms: bool) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let config = find(node, name)?.config();
    let described = SETTINGS.iter().map(|setting| {
        let (value, source) = value_of(node, &config.own, setting);
        let mut known = vec![];
        if synonyms {
            if source == Source::DynamicTopic {
                known.push(synonym(setting.name, &value, source));
            }
            known.extend(values_in_force(node, setting.of_broker(), None));
        }
        entry(setting.name, Some(value), source, setting.kind).with_synonyms(known)
    });
    Ok(described.collect())
}

fn describe_broker(node: &Node, name: &str, synonyms: bool) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    // An empty name asks for the defaults of all brokers that were set at run time.
    let scope = scope(name, "Broker", "Unexpected broker id, expected 1 or empty string,")?;
    let statics = statics(node);
    let described = BROKER_SETTINGS.iter().filter_map(|setting| {
        let given = statics.get(setting.name).map(String::as_str);
        let mut values = values_in_force(node, setting.name, given);
        if scope == Scope::Cluster {
            values.retain(|value| value.source == Source::DynamicCluster as i8);
        }
        let first = values.first().cloned();
        if scope == Scope::Cluster && first.is_none() {
            return None;
        }
        let is_sensitive = setting.kind == Kind::Password;
        let mut entry = entry(setting.name, None, Source::Default, setting.kind)
            .with_read_only(!setting.is_dynamic)
            .with_is_sensitive(is_sensitive);
        if let Some(first) = first {
            entry.config_source = first.source;
            entry.value = first.value.filter(|_| !is_sensitive);
        }
        if synonyms && !is_sensitive {
            entry.synonyms = values;
        }
        Some(entry)
    });
    Ok(described.collect())
}

/// What the broker was started with, where that is not the default.
fn statics(node: &Node) -> BTreeMap<&'static str, String> {
    let settings = &node.settings;
    let listeners = format!("PLAINTEXT://{}", node.address);
    let mut given = BTreeMap::from([
        ("advertised.listeners", listeners.clone()),
        ("auto.create.topics.enable", settings.auto_create_topics.to_string()),
        ("broker.id", NODE_ID.0.to_string()),
        ("connections.max.idle.ms", settings.idle_timeout.as_millis().to_string()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        ("listeners", listeners),
        ("log.dirs", settings.data_dir.display().to_string()),
        ("log.retention.check.interval.ms", settings.upkeep_interval.as_millis().to_string()),
        ("max.connections", settings.max_connections.to_string()),
        ("node.id", NODE_ID.0.to_string()),
        ("num.partitions", settings.default_partitions.to_string()),
        ("offsets.retention.minutes", (settings.offsets_retention.as_secs() / 60).to_string()),
        ("process.roles", "broker,controller".to_owned()),
        ("socket.request.max.bytes", settings.max_request_bytes.to_string()),
    ]);
    match settings.flush {
        Flush::System => {}
        Flush::EveryAppend => drop(given.insert("log.flush.interval.messages", "1".to_owned())),
        Flush::Interval(limit) => drop(given.insert("log.flush.interval.ms", limit.as_millis().to_string())),
    }
    given.retain(|name, value| broker::find(name).is_none_or(|setting| setting.default != Some(value.as_str())));
    given
}

/// All values a setting of the broker has, the one in force first.
fn values_in_force(node: &Node, name: &'static str, given: Option<&str>) -> Vec<DescribeConfigsSynonym> {
    let mut values = Vec::new();
    let Some(setting) = broker::find(name) else { return values };
    for scope in [Scope::Broker, Scope::Cluster] {
        let changed = node.topics.defaults.of(scope).remove(name);
        values.extend(changed.map(|value| synonym(name, &value, scope.into())));
    }
    values.extend(given.map(|value| synonym(name, value, Source::StaticBroker)));
    // Set in milliseconds, these beat a default that has another name.
    let older = match name {
        "log.retention.ms" => Some("log.retention.hours"),
        "log.roll.ms" => Some("log.roll.hours"),
        _ => None,
    };
    let older = older.filter(|_| !values.is_empty()).and_then(broker::find);
    let default = older.unwrap_or(setting);
    values.extend(default.default.map(|value| synonym(default.name, value, Source::Default)));
    values
}

/// Which settings the name of a broker resource means; how a refusal begins.
fn scope(name: &str, what: &str, unexpected: &str) -> Result<Scope, Refusal> {
    let message = match (name, name.parse::<i32>()) {
        ("", _) => return Ok(Scope::Cluster),
        (_, Ok(id)) if id == NODE_ID.0 => return Ok(Scope::Broker),
        (_, Ok(id)) => format!("{unexpected} but received {id}"),
        (_, Err(_)) => format!("{what} id must be an integer, but it is: {name}"),
    };
    Err((ResponseError::InvalidRequest, message))
}

fn entry(name: &'static str, value: Option<String>, source: Source, kind: Kind) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(value.map(StrBytes::from_string))
        .with_config_source(source as i8)
        .with_config_type(kind as i8)
        .with_documentation(None)
}

fn synonym(name: &'static str, value: &str, source: Source) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_string(value.to_owned())))
        .with_source(source as i8)
}

fn find(node: &Node, name: &str) -> Result<Arc<Topic>, Refusal> {
    topics::check_name(name).map_err(|message| (ResponseError::InvalidTopicException, message))?;
    node.topics.find(name).ok_or((ResponseError::UnknownTopicOrPartition, String::new()))
}

// === AlterConfigs, IncrementalAlterConfigs ===

/// The operations as the protocol numbers them.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// One change of one setting.
enum Change {
    Set(String),
    Delete,
    Append(String),
    Subtract(String),
}

pub(super) async fn alter(
    node: &Arc<Node>,
    call: &Call<'_>,
    request: AlterConfigsRequest,
) -> Result<AlterConfigsResponse, Cut> {
    let mut responses = Vec::with_capacity(request.resources.len());
    let doubled = doubled(request.resources.iter().map(|asked| (asked.resource_type, asked.resource_name.clone())));
    for asked in request.resources {
        let is_doubled = doubled.contains(&(asked.resource_type, asked.resource_name.clone()));
        let changes = asked.configs.into_iter().map(|config| (config.name, SET, config.value));
        let changes = checked_changes(changes.collect(), is_doubled);
        let topic = topic_of(asked.resource_type, &asked.resource_name);
        let (error, message) = match (call.fault(node, ApiKey::AlterConfigs, topic).await?, changes) {
            (Some(error), _) => (error, None),
            (None, Ok(changes)) => outcome(
                change(node, asked.resource_type, &asked.resource_name, changes, true, request.validate_only).await,
            ),
            (None, Err(refusal)) => outcome(Err(refusal)),
        };
        responses.push(
            alter_configs_response::AlterConfigsResourceResponse::default()
                .with_error_code(error)
                .with_error_message(message)
                .with_resource_type(asked.resource_type)
                .with_resource_name(asked.resource_name),
        );
    }
    Ok(AlterConfigsResponse::default().with_responses(responses))
}

pub(super) async fn alter_incrementally(
    node: &Arc<Node>,
    call: &Call<'_>,
    request: IncrementalAlterConfigsRequest,
) -> Result<IncrementalAlterConfigsResponse, Cut> {
    let mut responses = Vec::with_capacity(request.resources.len());
    let doubled = doubled(request.resources.iter().map(|asked| (asked.resource_type, asked.resource_name.clone())));
    for asked in request.resources {
        let is_doubled = doubled.contains(&(asked.resource_type, asked.resource_name.clone()));
        let changes = asked.configs.into_iter().map(|config| (config.name, config.config_operation, config.value));
        let changes = checked_changes(changes.collect(), is_doubled);
        let topic = topic_of(asked.resource_type, &asked.resource_name);
        let (error, message) = match (call.fault(node, ApiKey::IncrementalAlterConfigs, topic).await?, changes) {
            (Some(error), _) => (error, None),
            (None, Ok(changes)) => outcome(
                change(node, asked.resource_type, &asked.resource_name, changes, false, request.validate_only).await,
            ),
            (None, Err(refusal)) => outcome(Err(refusal)),
        };
        responses.push(
            incremental_alter_configs_response::AlterConfigsResourceResponse::default()
                .with_error_code(error)
                .with_error_message(message)
                .with_resource_type(asked.resource_type)
                .with_resource_name(asked.resource_name),
        );
    }
    Ok(IncrementalAlterConfigsResponse::default().with_responses(responses))
}

/// What stands there more than once.
fn doubled<T: std::hash::Hash + Eq + Clone>(all: impl Iterator<Item = T>) -> HashSet<T> {
    let mut seen = HashSet::new();
    all.filter(|one| !seen.insert(one.clone())).collect()
}

/// The changes of one resource (name, operation, value), if they can be meant at all.
fn checked_changes(
    asked: Vec<(StrBytes, i8, Option<StrBytes>)>,
    is_doubled: bool,
) -> Result<Vec<(String, Change)>, Refusal> {
    let refuse = |message: String| Err((ResponseError::InvalidRequest, message));
    if is_doubled {
        return refuse("Each resource must appear at most once.".to_owned());
    }
    if !doubled(asked.iter().map(|(name, ..)| name)).is_empty() {
        return refuse("Error due to duplicate config keys".to_owned());
    }
    let without = asked.iter().filter(|(_, operation, value)| *operation != DELETE && value.is_none());
    let without: Vec<_> = without.map(|(name, ..)| name.as_str()).collect();
    if !without.is_empty() {
        return refuse(format!("Null value not supported for : {}", without.join(",")));
    }
    let changes = asked.into_iter().map(|(name, operation, value)| {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        let change = match operation {
            SET => Change::Set(value),
            DELETE => Change::Delete,
            APPEND => Change::Append(value),
            SUBTRACT => Change::Subtract(value),
            other => return Err((ResponseError::InvalidRequest, format!("Unknown operation type {other}"))),
        };
        Ok((name.to_string(), change))
    });
    changes.collect()
}

fn outcome(done: Result<(), Refusal>) -> (i16, Option<StrBytes>) {
    match done {
        Ok(()) => (0, None),
        Err((error, message)) => (code(error), sentence(message)),
    }
}

/// Changes a resource's settings, all of them or none; with `replace` those not named are dropped.
async fn change(
    node: &Arc<Node>,
    resource_type: i8,
    name: &str,
    changes: Vec<(String, Change)>,
    replace: bool,
    validate_only: bool,
) -> Result<(), Refusal> {
    match resource_type {
        TOPIC => change_topic(node, name, changes, replace, validate_only).await,
        BROKER => change_broker(node, name, changes, replace, validate_only).await,
        other => Err((ResponseError::InvalidRequest, format!("Unknown resource type {other}"))),
    }
}

async fn change_topic(
    node: &Arc<Node>,
    name: &str,
    changes: Vec<(String, Change)>,
    replace: bool,
    validate_only: bool,
) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err((ResponseError::InvalidRequest, "Default topic resources are not allowed.".to_owned()));
    }
    let topic = find(node, name).map_err(|(error, message)| match message.is_empty() {
        true => (error, format!("The topic '{name}' does not exist.")),
        false => (error, message),
    })?;
    let mut own = if replace { Own::new() } else { topic.config().own.clone() };
    for (name, change) in changes {
        let setting = match (configs::find(&name), &change) {
            (Some(setting), _) => setting,
            (None, Change::Delete) => continue,
            (None, Change::Set(_) | Change::Append(_) | Change::Subtract(_)) => {
                return Err((ResponseError::InvalidConfig, format!("Unknown topic config name: {name}")));
            }
        };
        apply(&mut own, setting.name, setting.kind, setting.default, change)?;
        if let Some(value) = own.get(&name) {
            checked(&name, value)?;
        }
    }
    if validate_only {
        return Ok(());
    }
    let changer = node.clone();
    blocking(move || changer.topics.configure(&topic, own)).await.map_err(unwritten)
}

async fn change_broker(
    node: &Arc<Node>,
    name: &str,
    changes: Vec<(String, Change)>,
    replace: bool,
    validate_only: bool,
) -> Result<(), Refusal> {
    let scope = scope(name, "Node", "Unexpected broker id, expected 1,")?;
    let mut own = if replace { Own::new() } else { node.topics.defaults.of(scope) };
    for (name, change) in changes {
        let refuse = |message| Err((ResponseError::InvalidRequest, message));
        let setting = match (broker::find(&name), &change) {
            (Some(setting), _) => setting,
            (None, Change::Delete) => continue,
            // Apache Kafka keeps what it does not know, for its plug-ins; here there are none.
            (None, Change::Set(_) | Change::Append(_) | Change::Subtract(_)) => {
                return refuse(format!("Unknown broker config name: {name}"));
            }
        };
        let default = setting.default.unwrap_or_default();
        if setting.kind != Kind::List
            && let Change::Append(_) | Change::Subtract(_) = change
        {
            let verb = if matches!(change, Change::Append(_)) { "append" } else { "subtract" };
            let message = format!("Config value {verb} is not allowed for config key: {name}");
            return Err((ResponseError::InvalidConfig, message));
        }
        apply(&mut own, setting.name, setting.kind, default, change)?;
        let value = own.get(&name).map_or(default, String::as_str);
        setting.check(scope, value).or_else(|message| match own.contains_key(&name) {
            true => refuse(message),
            false => Ok(()),
        })?;
    }
    if validate_only {
        return Ok(());
    }
    let changer = node.clone();
    blocking(move || changer.topics.configure_broker(scope, own)).await.map_err(unwritten)
}

fn unwritten(error: std::io::Error) -> Refusal {
    tracing::error!(%error, "settings could not be written");
    (ResponseError::KafkaStorageError, "The settings could not be written to disk.".to_owned())
}

/// Makes one change, unchecked.
fn apply(own: &mut Own, name: &str, kind: Kind, default: &str, change: Change) -> Result<(), Refusal> {
    let parts = || {
        let text = own.get(name).map_or(default, String::as_str);
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let value = match change {
        Change::Delete => {
            own.remove(name);
            return Ok(());
        }
        Change::Set(value) => value,
        Change::Append(_) | Change::Subtract(_) if kind != Kind::List => {
            let verb = if matches!(change, Change::Append(_)) { "APPEND" } else { "SUBTRACT" };
            let message = format!("Can't {verb} to key {name} because its type is not LIST.");
            return Err((ResponseError::InvalidConfig, message));
        }
        Change::Append(added) => {
            let mut parts = parts();
            for part in added.split(',').map(str::trim) {
                if !parts.iter().any(|known| known == part) {
                    parts.push(part.to_owned());
                }
            }
            parts.join(",")
        }
        Change::Subtract(removed) => {
            let mut parts = parts();
            parts.retain(|part| !removed.split(',').any(|gone| gone.trim() == part));
            parts.join(",")
        }
    };
    own.insert(name.to_owned(), value);
    Ok(())
}
