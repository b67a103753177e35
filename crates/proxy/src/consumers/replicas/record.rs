//! The records of the topic of consumer instances, as JSON: what a replica says of an instance, and that a replica is there.
//!
//! A key names an instance (`{"group":…,"name":…,"owner":…}`) or a replica (`{"replica":…}`); a record without a value takes back what was
//! said. Members that are not known are ignored, so that replicas of different versions understand each other.

use postern_kafka::{PartitionId, Record};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::InstanceName;
use super::super::settings::{InstanceSettings, ReadFormats};
use crate::Format;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Instance(InstanceName),
    Replica(Uuid),
}

/// Who has an instance, and all that is needed to open it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::consumers) struct Claim {
    /// The process.
    pub(in crate::consumers) replica: Uuid,
    /// Where it listens for other replicas.
    pub(in crate::consumers) address: String,
    /// How often the instance was opened. A claim with a higher one supersedes those before.
    pub(in crate::consumers) incarnation: u64,
    /// Whether its process has closed it, for another one to open it.
    #[serde(default)]
    pub(in crate::consumers) released: bool,
    /// Its name as a static member of its group: whoever opens it again is the same member.
    pub(in crate::consumers) member: String,
    pub(in crate::consumers) settings: StoredSettings,
    #[serde(default)]
    pub(in crate::consumers) reads: StoredReads,
}

/// A replica that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Presence {
    pub(super) address: String,
}

/// Settings as a client has asked for them: what it left out is the default of whoever opens the instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::consumers) struct StoredSettings {
    format: String,
    key_format: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto_offset_reset: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto_commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_bytes: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wait_ms: Option<i32>,
}

/// What an instance reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::consumers) enum StoredReads {
    #[default]
    Nothing,
    Topics(Vec<String>),
    Pattern(String),
    /// Topic and number.
    Partitions(Vec<(String, i32)>),
}

#[derive(Serialize, Deserialize)]
struct InstanceKey {
    group: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ReplicaKey {
    replica: Uuid,
}

/// Why a record says nothing.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be understood: {0}")]
pub(super) struct Unreadable(String);

impl Key {
    /// # Errors
    /// It is none of ours.
    pub(super) fn decode(bytes: Option<&[u8]>) -> Result<Key, Unreadable> {
        let bytes = bytes.ok_or_else(|| Unreadable("it has no key".to_owned()))?;
        if let Ok(InstanceKey { group, name, owner }) = serde_json::from_slice(bytes) {
            return Ok(Key::Instance(InstanceName { group, name, owner: owner.map(Into::into) }));
        }
        let key: ReplicaKey = serde_json::from_slice(bytes).map_err(unreadable)?;
        Ok(Key::Replica(key.replica))
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Key::Instance(InstanceName { group, name, owner }) => json(&InstanceKey {
                group: group.clone(),
                name: name.clone(),
                owner: owner.as_ref().map(ToString::to_string),
            }),
            Key::Replica(replica) => json(&ReplicaKey { replica: *replica }),
        }
    }

    /// The record that says `value` of it, or takes back what was said.
    pub(super) fn record<T: Serialize>(&self, value: Option<&T>) -> Record {
        Record {
            partition: Some(PartitionId(0)),
            key: Some(self.encode().into()),
            value: value.map(|value| json(value).into()),
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }
}

/// # Errors
/// It is not what the key announces.
pub(super) fn value<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(bytes).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> Unreadable {
    Unreadable(error.to_string())
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("names of members are strings and nothing else can fail")
}

impl StoredSettings {
    pub(super) fn new(settings: &InstanceSettings) -> StoredSettings {
        let ReadFormats { key, value } = settings.formats;
        StoredSettings {
            format: value.name().to_owned(),
            key_format: key.name().to_owned(),
            auto_offset_reset: settings.auto_offset_reset.clone(),
            auto_commit: settings.auto_commit.clone(),
            min_bytes: settings.min_bytes,
            wait_ms: settings.wait_ms,
        }
    }

    /// As they were asked for; `None`: a format is not known here.
    pub(super) fn settings(&self, name: &str) -> Option<InstanceSettings> {
        let value = Format::named(&self.format)?;
        Some(InstanceSettings {
            name: Some(name.to_owned()),
            formats: ReadFormats { key: Format::named(&self.key_format)?, value },
            auto_offset_reset: self.auto_offset_reset.clone(),
            auto_commit: self.auto_commit.clone(),
            min_bytes: self.min_bytes,
            wait_ms: self.wait_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let owned = InstanceName { group: "g".to_owned(), name: "ü/1".to_owned(), owner: Some("ana".into()) };
        for key in [
            Key::Instance(owned.clone()),
            Key::Instance(InstanceName { owner: None, ..owned }),
            Key::Replica(Uuid::new_v4()),
        ] {
            let record = key.record(None::<&Presence>);
            assert_eq!(Key::decode(record.key.as_deref()).expect("a key"), key);
            assert_eq!(record.value, None);
        }
        let settings = InstanceSettings {
            name: Some("c".to_owned()),
            formats: ReadFormats { key: Format::Text, value: Format::Json },
            auto_offset_reset: Some("earliest".to_owned()),
            auto_commit: None,
            min_bytes: Some(-1),
            wait_ms: Some(5),
        };
        let stored = StoredSettings::new(&settings);
        let back: StoredSettings = value(&json(&stored)).expect("settings");
        let back = back.settings("c").expect("known formats");
        assert_eq!(format!("{back:?}"), format!("{settings:?}"));
    }

    #[test]
    fn what_is_not_ours_is_refused_and_what_is_newer_is_not() {
        for key in [None, Some(&b"x"[..]), Some(b"{}"), Some(br#"{"replica":"x"}"#)] {
            assert!(Key::decode(key).is_err(), "{key:?}");
        }
        assert!(value::<Claim>(b"{}").is_err());
        let presence = value::<Presence>(br#"{"address":"a:1","zone":"b"}"#).expect("one of a later version");
        assert_eq!(presence.address, "a:1");
    }
}
