//! DescribeConfigs (32), versions 1 to 4; AlterConfigs (33), versions 0 to 2; IncrementalAlterConfigs (44), 0 and 1.
//!
//! Topics and the broker have all settings of Apache Kafka 4.1. A topic's can be changed; the broker's where Kafka's are
//! dynamic: for broker `1`, or with an empty name for the whole cluster. Not done: documentation texts, loggers, groups,
//! client metrics.

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

use super::refusal::{INVALID_REQUEST, Refusal};
use super::{CallContext, Disconnect};
use crate::Flush;
use crate::blocking::run_blocking;
use crate::configs::broker::{self, BROKER_SETTINGS, Scope};
use crate::configs::{self, ConfigOverrides, ConfigSource, Kind, TOPIC_SETTINGS};
use crate::node::{NODE_ID, Node};
use crate::topics::{self, AlterConfigError, Topic};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

// === DescribeConfigs ===

pub(super) async fn describe(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Disconnect> {
    let mut results = Vec::new();
    // A resource that is named twice gets one result: a response has some kilobytes for each.
    let mut seen = HashSet::new();
    for requested in request.resources {
        if !seen.insert((requested.resource_type, requested.resource_name.clone())) {
            continue;
        }
        let fault = context
            .injected_fault(node, ApiKey::DescribeConfigs, topic_of(requested.resource_type, &requested.resource_name))
            .await?;
        let described = match requested.resource_type {
            TOPIC => describe_topic(node, &requested.resource_name, request.include_synonyms),
            BROKER => describe_broker(node, &requested.resource_name, request.include_synonyms),
            _ => Err(Refusal::new(ResponseError::InvalidRequest, INVALID_REQUEST)),
        };
        let result = DescribeConfigsResult::default()
            .with_error_message(Some(StrBytes::new()))
            .with_resource_type(requested.resource_type)
            .with_resource_name(requested.resource_name);
        results.push(match (fault, described) {
            (Some(error), _) => result.with_error_code(error),
            (None, Ok(mut configs)) => {
                // An empty list means all settings.
                if let Some(keys) = requested.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
                    configs.retain(|config| keys.contains(&config.name));
                }
                result.with_configs(configs)
            }
            (None, Err(refusal)) => {
                result.with_error_code(refusal.code()).with_error_message(Some(StrBytes::from_string(refusal.message)))
            }
        });
    }
    Ok(DescribeConfigsResponse::default().with_results(results))
}

/// The name of a topic, for injected faults; `None` for other resources.
fn topic_of(resource_type: i8, name: &str) -> Option<&str> {
    (resource_type == TOPIC).then_some(name)
}

fn describe_topic(node: &Node, name: &str, synonyms: bool) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let config = find(node, name)?.config();
    let described = TOPIC_SETTINGS.iter().map(|setting| {
        let (value, source) = setting.effective_value(&config.overrides, &node.topics.defaults);
        let mut known = vec![];
        if synonyms {
            if source == ConfigSource::DynamicTopic {
                known.push(synonym(setting.name, &value, source));
            }
            known.extend(synonyms_of(node, setting.broker_name(), None));
        }
        entry(setting.name, Some(value), source, setting.kind).with_synonyms(known)
    });
    Ok(described.collect())
}

fn describe_broker(node: &Node, name: &str, synonyms: bool) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    // An empty name means the cluster-wide values that were set at run time.
    let scope = scope(name, "Broker", "Unexpected broker id, expected 1 or empty string,")?;
    let static_values = static_values(node);
    let described = BROKER_SETTINGS.iter().filter_map(|setting| {
        let given = static_values.get(setting.name).map(String::as_str);
        let mut values = synonyms_of(node, setting.name, given);
        if scope == Scope::Cluster {
            values.retain(|value| value.source == ConfigSource::DynamicCluster as i8);
        }
        let first = values.first().cloned();
        if scope == Scope::Cluster && first.is_none() {
            return None;
        }
        let is_sensitive = setting.kind == Kind::Password;
        let mut entry = entry(setting.name, None, ConfigSource::Default, setting.kind)
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

/// The values that the broker was started with, where those are not the defaults.
fn static_values(node: &Node) -> BTreeMap<&'static str, String> {
    let settings = &node.settings;
    let listeners = format!("PLAINTEXT://{}", node.address);
    let mut given = BTreeMap::from([
        (
            "advertised.listeners",
            settings.advertise.as_ref().map_or(listeners.clone(), |(host, port)| format!("PLAINTEXT://{host}:{port}")),
        ),
        ("auto.create.topics.enable", settings.auto_create_topics.to_string()),
        ("broker.id", NODE_ID.0.to_string()),
        ("connections.max.idle.ms", settings.idle_timeout.as_millis().to_string()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        ("listeners", listeners),
        ("log.dirs", node.log_dir.clone()),
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

/// All values of a broker setting, in the order of precedence.
fn synonyms_of(node: &Node, name: &'static str, given: Option<&str>) -> Vec<DescribeConfigsSynonym> {
    let mut values = Vec::new();
    let Some(setting) = broker::find(name) else { return values };
    for scope in [Scope::Broker, Scope::Cluster] {
        let changed = node.topics.defaults.overrides(scope).remove(name);
        values.extend(changed.map(|value| synonym(name, &value, scope.into())));
    }
    values.extend(given.map(|value| synonym(name, value, ConfigSource::StaticBroker)));
    // These override a default whose setting has another name.
    let older = match name {
        "log.retention.ms" => Some("log.retention.hours"),
        "log.roll.ms" => Some("log.roll.hours"),
        _ => None,
    };
    let older = older.filter(|_| !values.is_empty()).and_then(broker::find);
    let default = older.unwrap_or(setting);
    values.extend(default.default.map(|value| synonym(default.name, value, ConfigSource::Default)));
    values
}

/// The scope that the name of a broker resource stands for. `what` and `unexpected` begin the error messages.
fn scope(name: &str, what: &str, unexpected: &str) -> Result<Scope, Refusal> {
    let message = match (name, name.parse::<i32>()) {
        ("", _) => return Ok(Scope::Cluster),
        (_, Ok(id)) if id == NODE_ID.0 => return Ok(Scope::Broker),
        (_, Ok(id)) => format!("{unexpected} but received {id}"),
        (_, Err(_)) => format!("{what} id must be an integer, but it is: {name}"),
    };
    Err(Refusal::new(ResponseError::InvalidRequest, message))
}

fn entry(name: &'static str, value: Option<String>, source: ConfigSource, kind: Kind) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(value.map(StrBytes::from_string))
        .with_config_source(source as i8)
        .with_config_type(kind as i8)
        .with_documentation(None)
}

fn synonym(name: &'static str, value: &str, source: ConfigSource) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_string(value.to_owned())))
        .with_source(source as i8)
}

fn find(node: &Node, name: &str) -> Result<Arc<Topic>, Refusal> {
    topics::check_name(name).map_err(|message| Refusal::new(ResponseError::InvalidTopicException, message))?;
    node.topics.find(name).ok_or(Refusal::new(ResponseError::UnknownTopicOrPartition, String::new()))
}

// === AlterConfigs, IncrementalAlterConfigs ===

/// The operations of IncrementalAlterConfigs, as the protocol numbers them.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// One change of one setting.
enum ConfigChange {
    Set(String),
    Delete,
    Append(String),
    Subtract(String),
}

/// The requested changes of one resource: name of the setting, operation, value.
struct Alteration {
    resource_type: i8,
    resource_name: StrBytes,
    changes: Vec<(StrBytes, i8, Option<StrBytes>)>,
}

pub(super) async fn alter(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: AlterConfigsRequest,
) -> Result<AlterConfigsResponse, Disconnect> {
    let alterations = request.resources.into_iter().map(|resource| Alteration {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        changes: resource.configs.into_iter().map(|config| (config.name, SET, config.value)).collect(),
    });
    let api = ApiKey::AlterConfigs;
    let results = alter_all(node, context, api, alterations.collect(), request.validate_only).await?;
    let responses = results.into_iter().map(|(resource_type, resource_name, error, message)| {
        alter_configs_response::AlterConfigsResourceResponse::default()
            .with_error_code(error)
            .with_error_message(message)
            .with_resource_type(resource_type)
            .with_resource_name(resource_name)
    });
    Ok(AlterConfigsResponse::default().with_responses(responses.collect()))
}

pub(super) async fn alter_incrementally(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: IncrementalAlterConfigsRequest,
) -> Result<IncrementalAlterConfigsResponse, Disconnect> {
    let alterations = request.resources.into_iter().map(|resource| Alteration {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        changes: resource
            .configs
            .into_iter()
            .map(|config| (config.name, config.config_operation, config.value))
            .collect(),
    });
    let api = ApiKey::IncrementalAlterConfigs;
    let results = alter_all(node, context, api, alterations.collect(), request.validate_only).await?;
    let responses = results.into_iter().map(|(resource_type, resource_name, error, message)| {
        incremental_alter_configs_response::AlterConfigsResourceResponse::default()
            .with_error_code(error)
            .with_error_message(message)
            .with_resource_type(resource_type)
            .with_resource_name(resource_name)
    });
    Ok(IncrementalAlterConfigsResponse::default().with_responses(responses.collect()))
}

/// Alters one resource after the other. Returns type and name of each, error code and message.
async fn alter_all(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    api: ApiKey,
    alterations: Vec<Alteration>,
    validate_only: bool,
) -> Result<Vec<(i8, StrBytes, i16, Option<StrBytes>)>, Disconnect> {
    let resources = alterations.iter().map(|one| (one.resource_type, one.resource_name.clone()));
    let duplicates = duplicates(resources);
    let mut results = Vec::with_capacity(alterations.len());
    for Alteration { resource_type, resource_name, changes } in alterations {
        let is_duplicate = duplicates.contains(&(resource_type, resource_name.clone()));
        let fault = context.injected_fault(node, api, topic_of(resource_type, &resource_name)).await?;
        let (error, message) = match (fault, checked_changes(changes, is_duplicate)) {
            (Some(error), _) => (error, None),
            (None, Err(refusal)) => (refusal.code(), refusal.into_message()),
            (None, Ok(changes)) => {
                let replaces = api == ApiKey::AlterConfigs;
                match alter_resource(node, resource_type, &resource_name, changes, replaces, validate_only).await {
                    Ok(()) => (0, None),
                    Err(refusal) => (refusal.code(), refusal.into_message()),
                }
            }
        };
        results.push((resource_type, resource_name, error, message));
    }
    Ok(results)
}

/// The values that occur more than once.
fn duplicates<T: std::hash::Hash + Eq + Clone>(all: impl Iterator<Item = T>) -> HashSet<T> {
    let mut seen = HashSet::new();
    all.filter(|one| !seen.insert(one.clone())).collect()
}

/// Validates the form of the changes (name, operation, value) of one resource.
fn checked_changes(
    requested: Vec<(StrBytes, i8, Option<StrBytes>)>,
    is_duplicate: bool,
) -> Result<Vec<(String, ConfigChange)>, Refusal> {
    let refuse = |message: String| Err(Refusal::new(ResponseError::InvalidRequest, message));
    if is_duplicate {
        return refuse("Each resource must appear at most once.".to_owned());
    }
    if !duplicates(requested.iter().map(|(name, ..)| name)).is_empty() {
        return refuse("Error due to duplicate config keys".to_owned());
    }
    let without = requested.iter().filter(|(_, operation, value)| *operation != DELETE && value.is_none());
    let without: Vec<_> = without.map(|(name, ..)| name.as_str()).collect();
    if !without.is_empty() {
        return refuse(format!("Null value not supported for : {}", without.join(",")));
    }
    let changes = requested.into_iter().map(|(name, operation, value)| {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        let change = match operation {
            SET => ConfigChange::Set(value),
            DELETE => ConfigChange::Delete,
            APPEND => ConfigChange::Append(value),
            SUBTRACT => ConfigChange::Subtract(value),
            other => {
                return Err(Refusal::new(ResponseError::InvalidRequest, format!("Unknown operation type {other}")));
            }
        };
        Ok((name.to_string(), change))
    });
    changes.collect()
}

/// Alters the settings of a resource, all or none; with `replaces` those that are not named are reset.
async fn alter_resource(
    node: &Arc<Node>,
    resource_type: i8,
    name: &str,
    changes: Vec<(String, ConfigChange)>,
    replaces: bool,
    validate_only: bool,
) -> Result<(), Refusal> {
    let base = move |current| if replaces { ConfigOverrides::new() } else { current };
    let altering = node.clone();
    let altered = match resource_type {
        TOPIC if name.is_empty() => {
            return Err(Refusal::new(ResponseError::InvalidRequest, "Default topic resources are not allowed."));
        }
        TOPIC => {
            let topic = find(node, name).map_err(|refusal| match refusal.message.is_empty() {
                true => Refusal { message: format!("The topic '{name}' does not exist."), ..refusal },
                false => refusal,
            })?;
            let change = move |current| changed_topic_config(base(current), changes);
            if validate_only {
                return change(topic.config().overrides.clone()).map(drop);
            }
            run_blocking(move || altering.topics.alter_config(&topic, change)).await
        }
        BROKER => {
            let scope = scope(name, "Node", "Unexpected broker id, expected 1,")?;
            let change = move |current| changed_broker_config(scope, base(current), changes);
            if validate_only {
                return change(node.topics.defaults.overrides(scope)).map(drop);
            }
            run_blocking(move || altering.topics.alter_broker_config(scope, change)).await
        }
        other => return Err(Refusal::new(ResponseError::InvalidRequest, format!("Unknown resource type {other}"))),
    };
    altered.map_err(|error| match error {
        AlterConfigError::Refused(refusal) => refusal,
        AlterConfigError::Storage(error) => {
            tracing::error!(resource = name, %error, "a change of settings could not be written");
            Refusal::new(ResponseError::KafkaStorageError, "The settings could not be written to disk.")
        }
    })
}

/// The overrides of a topic after these changes, if all are valid.
fn changed_topic_config(
    mut overrides: ConfigOverrides,
    changes: Vec<(String, ConfigChange)>,
) -> Result<ConfigOverrides, Refusal> {
    for (name, change) in changes {
        let setting = match (configs::find(&name), &change) {
            (Some(setting), _) => setting,
            (None, ConfigChange::Delete) => continue,
            (None, ConfigChange::Set(_) | ConfigChange::Append(_) | ConfigChange::Subtract(_)) => {
                return Err(Refusal::new(ResponseError::InvalidConfig, format!("Unknown topic config name: {name}")));
            }
        };
        apply(&mut overrides, setting.name, setting.kind, setting.default, change)?;
        if let Some(value) = overrides.get(&name) {
            configs::check_topic_setting(&name, value)
                .map_err(|message| Refusal::new(ResponseError::InvalidConfig, message))?;
        }
    }
    Ok(overrides)
}

/// The overrides of the broker or the cluster after these changes, if all are valid.
fn changed_broker_config(
    scope: Scope,
    mut overrides: ConfigOverrides,
    changes: Vec<(String, ConfigChange)>,
) -> Result<ConfigOverrides, Refusal> {
    for (name, change) in changes {
        let refuse = |message| Refusal::new(ResponseError::InvalidRequest, message);
        let setting = match (broker::find(&name), &change) {
            (Some(setting), _) => setting,
            (None, ConfigChange::Delete) => continue,
            // Apache Kafka stores unknown settings for plug-ins; there are none here.
            (None, ConfigChange::Set(_) | ConfigChange::Append(_) | ConfigChange::Subtract(_)) => {
                return Err(refuse(format!("Unknown broker config name: {name}")));
            }
        };
        let default = setting.default.unwrap_or_default();
        if setting.kind != Kind::List
            && let ConfigChange::Append(_) | ConfigChange::Subtract(_) = change
        {
            let verb = if matches!(change, ConfigChange::Append(_)) { "append" } else { "subtract" };
            let message = format!("Config value {verb} is not allowed for config key: {name}");
            return Err(Refusal::new(ResponseError::InvalidConfig, message));
        }
        apply(&mut overrides, setting.name, setting.kind, default, change)?;
        if let Some(value) = overrides.get(&name) {
            setting.check(scope, value).map_err(refuse)?;
        }
    }
    Ok(overrides)
}

/// Makes one change without validating the new value.
fn apply(
    overrides: &mut ConfigOverrides,
    name: &str,
    kind: Kind,
    default: &str,
    change: ConfigChange,
) -> Result<(), Refusal> {
    let parts = || {
        let text = overrides.get(name).map_or(default, String::as_str);
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let value = match change {
        ConfigChange::Delete => {
            overrides.remove(name);
            return Ok(());
        }
        ConfigChange::Set(value) => value,
        ConfigChange::Append(_) | ConfigChange::Subtract(_) if kind != Kind::List => {
            let verb = if matches!(change, ConfigChange::Append(_)) { "APPEND" } else { "SUBTRACT" };
            let message = format!("Can't {verb} to key {name} because its type is not LIST.");
            return Err(Refusal::new(ResponseError::InvalidConfig, message));
        }
        ConfigChange::Append(added) => {
            let mut parts = parts();
            for part in added.split(',').map(str::trim) {
                if !parts.iter().any(|known| known == part) {
                    parts.push(part.to_owned());
                }
            }
            parts.join(",")
        }
        ConfigChange::Subtract(removed) => {
            let mut parts = parts();
            parts.retain(|part| !removed.split(',').any(|gone| gone.trim() == part));
            parts.join(",")
        }
    };
    overrides.insert(name.to_owned(), value);
    Ok(())
}
