//! The settings of topics that Apache Kafka 4.1 knows: names, types, defaults, valid values.
//!
//! All are accepted and described. Those with an effect are the fields of `LogConfig`. The default of a topic's setting is
//! the value of the corresponding broker setting, which can be changed at run time (`broker`).
//! Source: Apache Kafka 4.1, "Topic Configs"; the list and its defaults as a 4.1.1 broker describes itself.

pub(crate) mod broker;

use std::collections::BTreeMap;

use self::broker::{DynamicBrokerConfig, Scope};
use postern_log::LogConfig;

/// Values by the name of the setting: what a topic, or the broker at run time, has instead of the defaults.
pub(crate) type ConfigOverrides = BTreeMap<String, String>;

/// A setting of a topic.
#[derive(Debug)]
pub(crate) struct TopicSetting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    /// The broker's setting that gives the default, if a 4.1 broker shows one.
    pub(crate) synonym: &'static str,
    validator: Validator,
}

/// As Kafka's protocol numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean = 1,
    Text = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

/// Which values of its type are valid.
#[derive(Debug)]
enum Validator {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    Ratio,
    OneOf(&'static [&'static str]),
    ListOf(&'static [&'static str]),
    ThrottledReplicas,
    GzipLevel,
}

use Kind::{Boolean, Double, Int, List, Long, Text};
use Validator::{Any, AtLeast, Between, GzipLevel, ListOf, OneOf, Ratio, ThrottledReplicas};

const fn setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    validator: Validator,
    synonym: &'static str,
) -> TopicSetting {
    TopicSetting { name, kind, default, synonym, validator }
}

const FOREVER: &str = "9223372036854775807";
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

/// By name.
#[rustfmt::skip]
pub(crate) static TOPIC_SETTINGS: [TopicSetting; 33] = [
    setting("cleanup.policy", List, "delete", ListOf(&["compact", "delete"]), "log.cleanup.policy"),
    setting("compression.gzip.level", Int, "-1", GzipLevel, "compression.gzip.level"),
    setting("compression.lz4.level", Int, "9", Between(1, 17), "compression.lz4.level"),
    setting("compression.type", Text, "producer", OneOf(CODECS), "compression.type"),
    setting("compression.zstd.level", Int, "3", Between(-131_072, 22), "compression.zstd.level"),
    setting("delete.retention.ms", Long, "86400000", AtLeast(0), "log.cleaner.delete.retention.ms"),
    setting("file.delete.delay.ms", Long, "60000", AtLeast(0), "log.segment.delete.delay.ms"),
    setting("flush.messages", Long, FOREVER, AtLeast(1), "log.flush.interval.messages"),
    setting("flush.ms", Long, FOREVER, AtLeast(0), ""),
    setting("follower.replication.throttled.replicas", List, "", ThrottledReplicas, ""),
    setting("index.interval.bytes", Int, "4096", AtLeast(0), "log.index.interval.bytes"),
    setting("leader.replication.throttled.replicas", List, "", ThrottledReplicas, ""),
    setting("local.retention.bytes", Long, "-2", AtLeast(-2), "log.local.retention.bytes"),
    setting("local.retention.ms", Long, "-2", AtLeast(-2), "log.local.retention.ms"),
    setting("max.compaction.lag.ms", Long, FOREVER, AtLeast(1), "log.cleaner.max.compaction.lag.ms"),
    setting("max.message.bytes", Int, "1048588", AtLeast(0), "message.max.bytes"),
    setting("message.timestamp.after.max.ms", Long, "3600000", AtLeast(0), "log.message.timestamp.after.max.ms"),
    setting("message.timestamp.before.max.ms", Long, FOREVER, AtLeast(0), "log.message.timestamp.before.max.ms"),
    setting("message.timestamp.type", Text, "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), "log.message.timestamp.type"),
    setting("min.cleanable.dirty.ratio", Double, "0.5", Ratio, "log.cleaner.min.cleanable.ratio"),
    setting("min.compaction.lag.ms", Long, "0", AtLeast(0), "log.cleaner.min.compaction.lag.ms"),
    setting("min.insync.replicas", Int, "1", AtLeast(1), "min.insync.replicas"),
    setting("preallocate", Boolean, "false", Any, "log.preallocate"),
    setting("remote.log.copy.disable", Boolean, "false", Any, ""),
    setting("remote.log.delete.on.disable", Boolean, "false", Any, ""),
    setting("remote.storage.enable", Boolean, "false", Any, ""),
    setting("retention.bytes", Long, "-1", Any, "log.retention.bytes"),
    setting("retention.ms", Long, "604800000", AtLeast(-1), ""),
    setting("segment.bytes", Int, "1073741824", AtLeast(1024 * 1024), "log.segment.bytes"),
    setting("segment.index.bytes", Int, "10485760", AtLeast(4), "log.index.size.max.bytes"),
    setting("segment.jitter.ms", Long, "0", AtLeast(0), ""),
    setting("segment.ms", Long, "604800000", AtLeast(1), ""),
    setting("unclean.leader.election.enable", Boolean, "false", Any, "unclean.leader.election.enable"),
];

pub(crate) fn find(name: &str) -> Option<&'static TopicSetting> {
    TOPIC_SETTINGS.binary_search_by(|setting| setting.name.cmp(name)).ok().map(|at| &TOPIC_SETTINGS[at])
}

/// Topic settings whose broker setting overrides the default only if it is set, because it has no default of its overrides.
const OVERRIDDEN_ONLY_IF_SET: [(&str, &str); 4] = [
    ("flush.ms", "log.flush.interval.ms"),
    ("retention.ms", "log.retention.ms"),
    ("segment.jitter.ms", "log.roll.jitter.ms"),
    ("segment.ms", "log.roll.ms"),
];

impl Kind {
    pub(crate) const ALL: [(Kind, &str); 9] = [
        (Kind::Boolean, "boolean"),
        (Kind::Text, "string"),
        (Kind::Int, "int"),
        (Kind::Short, "short"),
        (Kind::Long, "long"),
        (Kind::Double, "double"),
        (Kind::List, "list"),
        (Kind::Class, "class"),
        (Kind::Password, "password"),
    ];

    /// Checks the type of `value`. Returns its number, 0 if it is not an integer.
    pub(crate) fn check(self, name: &str, value: &str) -> Result<i64, String> {
        let refused = |reason: &str| Err(format!("Invalid value {value} for configuration {name}: {reason}"));
        let number = match self {
            Boolean if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") => Some(0),
            Boolean => return refused("Expected value to be either true or false"),
            Text | List | Kind::Class | Kind::Password => Some(0),
            Int => value.parse::<i32>().ok().map(i64::from),
            Kind::Short => value.parse::<i16>().ok().map(i64::from),
            Long => value.parse::<i64>().ok(),
            Double => value.parse::<f64>().ok().map(|_| 0),
        };
        let kind = Kind::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, kind)| kind);
        number.map_or_else(|| refused(&format!("Not a number of type {}", kind.to_uppercase())), Ok)
    }
}

/// Where the value of a setting comes from, as Kafka's protocol numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfigSource {
    DynamicTopic = 1,
    DynamicBroker = 2,
    DynamicCluster = 3,
    StaticBroker = 4,
    Default = 5,
}

impl From<Scope> for ConfigSource {
    fn from(scope: Scope) -> ConfigSource {
        match scope {
            Scope::Broker => ConfigSource::DynamicBroker,
            Scope::Cluster => ConfigSource::DynamicCluster,
        }
    }
}

/// Checks whether a topic can have this setting with this value. The error is the message that Apache Kafka has for it.
pub(crate) fn check_topic_setting(name: &str, value: &str) -> Result<(), String> {
    let setting = find(name).ok_or_else(|| format!("Unknown topic config name: {name}"))?;
    setting.check(value)?;
    if (name, value) == ("remote.storage.enable", "true") {
        return Err("Tiered Storage functionality is disabled in the broker. \
                    Topic cannot be configured with remote log storage."
            .to_owned());
    }
    Ok(())
}

impl TopicSetting {
    /// The value of a topic with these overrides, and where it comes from.
    pub(crate) fn effective_value(
        &self,
        overrides: &ConfigOverrides,
        broker: &DynamicBrokerConfig,
    ) -> (String, ConfigSource) {
        if let Some(value) = overrides.get(self.name) {
            return (self.normalized(value), ConfigSource::DynamicTopic);
        }
        match broker.value(self.broker_name()) {
            Some((value, scope)) => (value, scope.into()),
            None => (self.default.to_owned(), ConfigSource::Default),
        }
    }

    /// The broker's setting that gives the default; empty if there is none.
    pub(crate) fn broker_name(&self) -> &'static str {
        match OVERRIDDEN_ONLY_IF_SET.iter().find(|(name, _)| *name == self.name) {
            Some((_, broker_name)) => broker_name,
            None => self.synonym,
        }
    }

    /// `value` as DescribeConfigs returns it.
    pub(crate) fn normalized(&self, value: &str) -> String {
        match self.kind {
            Boolean => value.trim().to_lowercase(),
            _ => value.trim().to_owned(),
        }
    }

    /// Checks `value`. The error is the message that Apache Kafka has for it.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        self.check_as(self.name, value)
    }

    /// As [`TopicSetting::check`], with the name that the message is to use.
    fn check_as(&self, name: &str, value: &str) -> Result<(), String> {
        let refused = |reason: &str| Err(format!("Invalid value {value} for configuration {name}: {reason}"));
        let value = value.trim();
        let number = self.kind.check(name, value)?;
        match self.validator {
            Any => Ok(()),
            Ratio => match value.parse::<f64>() {
                Ok(number) if !(0.0..=1.0).contains(&number) => {
                    let bound = if number < 0.0 { "at least 0" } else { "no more than 1" };
                    Err(format!("Invalid value {number:?} for configuration {name}: Value must be {bound}"))
                }
                Ok(_) | Err(_) => Ok(()),
            },
            AtLeast(least) if number < least => refused(&format!("Value must be at least {least}")),
            Between(least, _) if number < least => refused(&format!("Value must be at least {least}")),
            Between(_, most) if number > most => refused(&format!("Value must be no more than {most}")),
            AtLeast(_) | Between(..) => Ok(()),
            GzipLevel if (1..=9).contains(&number) || number == -1 => Ok(()),
            GzipLevel => refused("Value must be between 1 and 9 or equal to -1"),
            OneOf(allowed) if allowed.contains(&value) => Ok(()),
            OneOf(allowed) => refused(&format!("String must be one of: {}", allowed.join(", "))),
            ListOf(allowed) => match list(value).find(|part| !allowed.contains(part)) {
                Some(part) => Err(format!(
                    "Invalid value {part} for configuration {name}: String must be one of: {}",
                    allowed.join(", ")
                )),
                None => Ok(()),
            },
            ThrottledReplicas => {
                let fits = |part: &str| {
                    part.split_once(':').is_some_and(|(a, b)| [a, b].iter().all(|n| n.parse::<u32>().is_ok()))
                };
                match value == "*" || list(value).all(fits) {
                    true => Ok(()),
                    false => Err(format!(
                        "Invalid value [{}] for configuration {name}: {name} must be the literal '*' or a list of \
                         replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                        list(value).collect::<Vec<_>>().join(", ")
                    )),
                }
            }
        }
    }
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// The settings of a topic: its overrides, and what they and the defaults mean for its log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TopicConfig {
    pub(crate) overrides: ConfigOverrides,
    pub(crate) log: LogConfig,
}

impl TopicConfig {
    /// `overrides` are valid, each by [`TopicSetting::check`]; the rest has the broker's values.
    pub(crate) fn new(overrides: ConfigOverrides, broker: &DynamicBrokerConfig) -> TopicConfig {
        let text = |name: &str| {
            let default = || find(name).map_or_else(String::new, |setting| broker.topic_default(setting));
            overrides.get(name).map_or_else(default, |value| value.trim().to_owned())
        };
        let number = |name: &str| text(name).parse::<i64>().unwrap_or(i64::MAX);
        let policies = text("cleanup.policy");
        let cleans_by = |wanted: &str| list(&policies).any(|policy| policy == wanted);
        let log = LogConfig {
            segment_bytes: number("segment.bytes") as u64,
            segment_ms: number("segment.ms"),
            index_interval_bytes: number("index.interval.bytes") as u64,
            max_message_bytes: number("max.message.bytes") as usize,
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            stamps_append_time: text("message.timestamp.type") == "LogAppendTime",
            is_compacted: cleans_by("compact"),
            deletes: cleans_by("delete"),
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes"),
            delete_retention_ms: number("delete.retention.ms"),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            max_compaction_lag_ms: number("max.compaction.lag.ms"),
            min_cleanable_dirty_ratio: text("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
            flush_messages: number("flush.messages"),
            flush_ms: number("flush.ms"),
        };
        TopicConfig { overrides, log }
    }
}

#[cfg(test)]
impl Default for TopicConfig {
    fn default() -> Self {
        TopicConfig::new(BTreeMap::new(), &DynamicBrokerConfig::in_memory())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_its_setting_takes() {
        assert!(TOPIC_SETTINGS.is_sorted_by_key(|setting| setting.name));
        for setting in &TOPIC_SETTINGS {
            assert_eq!(setting.check(setting.default), Ok(()), "{}", setting.name);
        }
    }

    #[test]
    fn values_are_refused_with_their_reason() {
        let check = |name: &str, value: &str| find(name).unwrap().check(value).unwrap_err();
        assert_eq!(
            check("retention.ms", "soon"),
            "Invalid value soon for configuration retention.ms: Not a number of type LONG"
        );
        assert_eq!(
            check("retention.ms", "-2"),
            "Invalid value -2 for configuration retention.ms: Value must be at least -1"
        );
        assert!(check("cleanup.policy", "compact,forget").contains("String must be one of: compact, delete"));
        assert!(check("compression.gzip.level", "0").contains("between 1 and 9"));
        assert!(check("preallocate", "yes").contains("either true or false"));
        assert!(check("min.cleanable.dirty.ratio", "1.5").contains("no more than 1"));
    }

    #[test]
    fn the_log_obeys_the_topics_own_settings() {
        let overrides = [("cleanup.policy", "delete, compact"), ("segment.bytes", "2097152")];
        let overrides = overrides.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let changed = DynamicBrokerConfig::in_memory();
        let other = [("log.segment.bytes", "7000000"), ("log.retention.ms", "77")];
        let other = other.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        changed.replace(broker::Scope::Cluster, other).unwrap();
        let config = TopicConfig::new(overrides, &changed);
        assert_eq!(config.log.retention_ms, 77, "the cluster's");
        assert!(config.log.is_compacted);
        assert_eq!(config.log.segment_bytes, 2_097_152);
        assert_eq!(config.log.max_message_bytes, 1_048_588);
    }
}
