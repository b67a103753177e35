//! What an instance is made with, and what bounds all of them.

use std::time::Duration;

use jiff::{SignedDuration, Span};
use postern_kafka::{ConsumerSettings, FetchBudget, OffsetReset};

use super::ConsumerError;
use crate::limits::ConsumerLimits;
use crate::{Error, Format};

/// A read waits no longer than this, whatever an instance was made with.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// How often a member of a group is heard of, if its session is not shorter than three times this.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How often positions are committed for an instance that asks for it where it is not usual, as in Kafka's Java client.
const AUTO_COMMIT: Duration = Duration::from_secs(5);

/// How records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadFormats {
    /// Their keys.
    pub key: Format,
    /// Their values; `Accept` names this one.
    pub value: Format,
}

/// What a client wants of its instance; what it leaves out has a default.
#[derive(Clone, Debug)]
pub struct InstanceSettings {
    /// The name within the group; `None`: one is made up.
    pub name: Option<String>,
    /// How records are read.
    pub formats: ReadFormats,
    /// Where to begin without a committed offset: `earliest`, `latest`, `none`, `by_duration:PT1H`.
    pub auto_offset_reset: Option<String>,
    /// `true` or `false`: whether what was read is committed from time to time.
    pub auto_commit: Option<String>,
    /// A read ends when it has so many bytes; -1: it lasts as long as it may.
    pub min_bytes: Option<i32>,
    /// The longest wait of a read, in milliseconds.
    pub wait_ms: Option<i32>,
}

/// The settings of an instance after checks and defaults.
pub(super) struct ResolvedSettings {
    pub(super) formats: ReadFormats,
    pub(super) wait: Duration,
    pub(super) min_bytes: Option<usize>,
    reset: OffsetReset,
    auto_commit: Option<Duration>,
}

impl ResolvedSettings {
    /// # Errors
    /// [`ConsumerError::InvalidSetting`].
    pub(super) fn new(asked: InstanceSettings, limits: &ConsumerLimits) -> Result<ResolvedSettings, Error> {
        let wait = asked.wait_ms.map(|wait| Duration::from_millis(u64::try_from(wait).unwrap_or(0)));
        Ok(ResolvedSettings {
            formats: asked.formats,
            wait: wait.unwrap_or(limits.wait).min(WAIT_MAX),
            min_bytes: match asked.min_bytes {
                None => limits.min_bytes,
                Some(bytes) => usize::try_from(bytes).ok(),
            },
            reset: asked.auto_offset_reset.map_or(Ok(limits.offset_reset), reset)?,
            auto_commit: match asked.auto_commit.map(auto_commit).transpose()? {
                None => limits.auto_commit,
                Some(true) => limits.auto_commit.or(Some(AUTO_COMMIT)),
                Some(false) => None,
            },
        })
    }

    /// Those of the Kafka consumer.
    pub(super) fn kafka(&self, group: &str, limits: &ConsumerLimits, budget: FetchBudget) -> ConsumerSettings {
        ConsumerSettings {
            auto_offset_reset: self.reset,
            auto_commit: self.auto_commit,
            session_timeout: limits.session_timeout,
            heartbeat_interval: HEARTBEAT.min(limits.session_timeout / 3),
            rebalance_timeout: limits.rebalance_timeout,
            ..reader(group, limits, budget)
        }
    }
}

/// What all consumers have in common, those without a group too.
pub(super) fn reader(group: &str, limits: &ConsumerLimits, budget: FetchBudget) -> ConsumerSettings {
    ConsumerSettings {
        isolation_level: limits.isolation_level,
        fetch_max_bytes: limits.fetch_bytes,
        max_partition_fetch_bytes: limits.fetch_bytes,
        ..ConsumerSettings::new(group, budget)
    }
}

/// Where to begin without a committed offset, as Kafka's `auto.offset.reset` says it: `earliest`, `latest`, `none`, `by_duration:PT1H`.
pub fn auto_offset_reset(text: &str) -> Option<OffsetReset> {
    let duration = |text: &str| {
        // jiff also takes `1 hour`, which Kafka does not.
        let span: Span = text.strip_prefix('P').and_then(|_| text.parse().ok())?;
        let duration =
            SignedDuration::try_from(span).or_else(|_| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()));
        Duration::try_from(duration.ok()?).ok()
    };
    match text {
        "earliest" => Some(OffsetReset::Earliest),
        "latest" => Some(OffsetReset::Latest),
        "none" => Some(OffsetReset::None),
        other => other.strip_prefix("by_duration:").and_then(duration).map(OffsetReset::ByDuration),
    }
}

fn reset(asked: String) -> Result<OffsetReset, Error> {
    let expected = "earliest, latest, none or a duration such as by_duration:PT1H";
    auto_offset_reset(&asked).ok_or_else(|| invalid("auto.offset.reset", expected, asked))
}

fn auto_commit(asked: String) -> Result<bool, Error> {
    match asked.trim() {
        flag if flag.eq_ignore_ascii_case("true") => Ok(true),
        flag if flag.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(invalid("auto.commit.enable", "true or false", asked)),
    }
}

fn invalid(name: &'static str, expected: &'static str, found: String) -> Error {
    ConsumerError::InvalidSetting { name, expected, found }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_are_those_of_kafka() {
        for (text, expected) in [
            ("earliest", Some(OffsetReset::Earliest)),
            ("latest", Some(OffsetReset::Latest)),
            ("none", Some(OffsetReset::None)),
            ("by_duration:PT1H30M", Some(OffsetReset::ByDuration(Duration::from_secs(5400)))),
            ("by_duration:P2DT1S", Some(OffsetReset::ByDuration(Duration::from_secs(2 * 86400 + 1)))),
            ("by_duration:-PT1H", None),
            ("by_duration:1 hour", None),
            ("by_duration:", None),
            ("Earliest", None),
            ("", None),
        ] {
            assert_eq!(reset(text.to_owned()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn formats_are_found_by_name_in_any_case() {
        for name in ["binary", "json", "avro", "jsonschema", "protobuf", "string"] {
            assert_eq!(Format::named(&name.to_uppercase()).map(Format::name), Some(name));
        }
        assert_eq!(Format::named("xml"), None);
    }
}
