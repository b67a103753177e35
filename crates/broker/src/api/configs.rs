//! DescribeConfigs (32), versions 1 to 4; AlterConfigs (33), versions 0 to 2; IncrementalAlterConfigs (44), 0 and 1.
//!
//! Topics have all settings that Apache Kafka 4.1 knows, and theirs can be changed. The broker shows what gives those
//! their defaults, and cannot be changed this way. Not done: documentation texts, loggers, groups, client metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, alter_configs_response,
    incremental_alter_configs_response,
};
use kafka_protocol::protocol::StrBytes;

use super::create_topics::{Refusal, checked, sentence};
use super::{Call, Cut, blocking};
use crate::code;
use crate::configs::{self, Kind, SETTINGS, Setting, TopicConfig};
use crate::node::{NODE_ID, Node};
use crate::topics::{self, Topic};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    DynamicTopic = 1,
    StaticBroker = 4,
    Default = 5,
}

/// A topic's value for a setting and where it comes from.
pub(super) fn value_of(_: &Node, config: &TopicConfig, setting: &Setting) -> (String, Source) {
    match config.own.get(setting.name) {
        Some(value) => (value.clone(), Source::DynamicTopic),
        None => (setting.default.to_owned(), Source::Default),
    }
}

fn wire_type(kind: Kind) -> i8 {
    match kind {
        Kind::Boolean => 1,
        Kind::Text => 2,
        Kind::Int => 3,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
    }
}

// === DescribeConfigs ===

pub(super) async fn describe(
    node: &Arc<Node>,
    _: &Call<'_>,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Cut> {
    let results = request.resources.into_iter().map(|asked| {
        let described = match asked.resource_type {
            TOPIC => describe_topic(node, &asked.resource_name, request.include_synonyms),
            BROKER => describe_broker(node, &asked.resource_name, request.include_synonyms),
            other => Err((ResponseError::InvalidRequest, format!("Unsupported resource type: {other}"))),
        };
        let result = DescribeConfigsResult::default()
            .with_error_message(None)
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name);
        match described {
            Ok(mut configs) => {
                if let Some(keys) = &asked.configuration_keys {
                    configs.retain(|config| keys.contains(&config.name));
                }
                result.with_configs(configs)
            }
            Err((error, message)) => result.with_error_code(code(error)).with_error_message(sentence(message)),
        }
    });
    Ok(DescribeConfigsResponse::default().with_results(results.collect()))
}

fn describe_topic(node: &Node, name: &str, synonyms: bool) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let config = find(node, name)?.config();
    let described = SETTINGS.iter().map(|setting| {
        let (value, source) = value_of(node, &config, setting);
        let mut known = vec![];
        if synonyms {
            if source == Source::DynamicTopic {
                known.push(synonym(setting.name, &value, source));
            }
            if !setting.synonym.is_empty() {
                known.push(synonym(setting.synonym, setting.default, Source::Default));
            }
        }
        entry(setting.name, value, source, setting.kind).with_synonyms(known)
    });
    Ok(described.collect())
}

fn describe_broker(node: &Node, name: &str, synonyms: bool) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    // An empty name asks for the defaults of all brokers that were set at run time: there are none.
    if name.is_empty() {
        return Ok(Vec::new());
    }
    if name.parse() != Ok(NODE_ID.0) {
        let message = format!("Unexpected broker id, expected {} or empty string, but received {name}", NODE_ID.0);
        return Err((ResponseError::InvalidRequest, message));
    }
    let set = [
        ("auto.create.topics.enable", node.settings.auto_create_topics.to_string(), Kind::Boolean),
        ("connections.max.idle.ms", node.settings.idle_timeout.as_millis().to_string(), Kind::Long),
        ("default.replication.factor", "1".to_owned(), Kind::Int),
        ("listeners", format!("PLAINTEXT://{}", node.address), Kind::List),
        ("log.dirs", node.settings.data_dir.display().to_string(), Kind::Text),
        ("max.connections", node.settings.max_connections.to_string(), Kind::Int),
        ("node.id", NODE_ID.0.to_string(), Kind::Int),
        ("num.partitions", node.settings.default_partitions.to_string(), Kind::Int),
        ("socket.request.max.bytes", node.settings.max_request_bytes.to_string(), Kind::Int),
    ];
    let set = set.into_iter().map(|(name, value, kind)| (name, value, kind, Source::StaticBroker));
    let defaults =
        SETTINGS.iter().map(|setting| (setting.synonym, setting.default.to_owned(), setting.kind, Source::Default));
    let mut described: Vec<_> = set
        .chain(defaults)
        .map(|(name, value, kind, source)| {
            let known = if synonyms { vec![synonym(name, &value, source)] } else { vec![] };
            entry(name, value, source, kind).with_read_only(true).with_synonyms(known)
        })
        .collect();
    described.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(described)
}

fn entry(name: &'static str, value: String, source: Source, kind: Kind) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_string(value)))
        .with_config_source(source as i8)
        .with_config_type(wire_type(kind))
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

/// One change of one setting.
enum Change {
    Set(String),
    Delete,
    Append(String),
    Subtract(String),
}

pub(super) async fn alter(
    node: &Arc<Node>,
    _: &Call<'_>,
    request: AlterConfigsRequest,
) -> Result<AlterConfigsResponse, Cut> {
    let mut responses = Vec::with_capacity(request.resources.len());
    for asked in request.resources {
        let changes = asked.configs.into_iter().map(|config| {
            let change = config.value.map_or(Change::Delete, |value| Change::Set(value.to_string()));
            (config.name.to_string(), change)
        });
        let changes = changes.collect();
        let done = change(node, asked.resource_type, &asked.resource_name, changes, true, request.validate_only).await;
        let (error, message) = outcome(done);
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
    _: &Call<'_>,
    request: IncrementalAlterConfigsRequest,
) -> Result<IncrementalAlterConfigsResponse, Cut> {
    let mut responses = Vec::with_capacity(request.resources.len());
    for asked in request.resources {
        let changes: Result<Vec<_>, Refusal> = asked
            .configs
            .into_iter()
            .map(|config| {
                let value = config.value.map(|value| value.to_string()).unwrap_or_default();
                let change = match config.config_operation {
                    0 => Change::Set(value),
                    1 => Change::Delete,
                    2 => Change::Append(value),
                    3 => Change::Subtract(value),
                    other => return Err((ResponseError::InvalidRequest, format!("Unknown operation type {other}"))),
                };
                Ok((config.name.to_string(), change))
            })
            .collect();
        let done = match changes {
            Ok(changes) => {
                change(node, asked.resource_type, &asked.resource_name, changes, false, request.validate_only).await
            }
            Err(refusal) => Err(refusal),
        };
        let (error, message) = outcome(done);
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
        TOPIC => {}
        BROKER => {
            let message = "The settings of this broker cannot be changed while it runs.";
            return Err((ResponseError::InvalidRequest, message.to_owned()));
        }
        other => return Err((ResponseError::InvalidRequest, format!("Unsupported resource type: {other}"))),
    }
    let topic = find(node, name).map_err(|(error, message)| match message.is_empty() {
        true => (error, format!("The topic '{name}' does not exist.")),
        false => (error, message),
    })?;
    let mut own = if replace { BTreeMap::new() } else { topic.config().own.clone() };
    for (name, change) in changes {
        apply(&mut own, name, change)?;
    }
    if validate_only {
        return Ok(());
    }
    let changer = node.clone();
    let config = TopicConfig::new(own);
    blocking(move || changer.topics.configure(&topic, config)).await.map_err(|error| {
        tracing::error!(topic = name, %error, "settings could not be written");
        (ResponseError::KafkaStorageError, "The settings could not be written to disk.".to_owned())
    })
}

fn apply(own: &mut BTreeMap<String, String>, name: String, change: Change) -> Result<(), Refusal> {
    let setting = match (configs::find(&name), &change) {
        (Some(setting), _) => setting,
        (None, Change::Delete) => return Ok(()),
        (None, Change::Set(_) | Change::Append(_) | Change::Subtract(_)) => {
            return Err((ResponseError::InvalidConfig, format!("Unknown topic config name: {name}")));
        }
    };
    let parts = || {
        let text = own.get(&name).map_or(setting.default, String::as_str);
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let value = match change {
        Change::Delete => {
            own.remove(&name);
            return Ok(());
        }
        Change::Set(value) => value,
        Change::Append(_) | Change::Subtract(_) if setting.kind != Kind::List => {
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
    checked(&name, &value)?;
    own.insert(name, value);
    Ok(())
}
