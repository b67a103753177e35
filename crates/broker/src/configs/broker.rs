//! The settings of brokers that Apache Kafka 4.1 knows, and those that were changed while this one runs.
//!
//! `broker.tsv` has a line for each: name, type, default (`~`: none), and `dynamic` if it can be changed at run time. All
//! are described, as Apache Kafka describes them. A change has an effect if the setting is the default of a topic's; other
//! changes are only stored. They stay because tools describe and compare all settings of a broker, and the recorded answers
//! of Apache Kafka cover them.
//! Source: the list and its defaults as a 4.1.1 broker describes itself.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;

use super::{Kind, TOPIC_SETTINGS, TopicSetting};
use postern_log::encoding::{ByteReader, put_text, put_u32};
use postern_log::fs::FileSystem;
use postern_log::small_file::{self, Durability};

/// A setting of a broker.
#[derive(Debug)]
pub(crate) struct BrokerSetting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Option<&'static str>,
    /// Whether it can be changed while the broker runs.
    pub(crate) is_dynamic: bool,
}

/// By name.
pub(crate) static BROKER_SETTINGS: LazyLock<Vec<BrokerSetting>> = LazyLock::new(|| {
    let lines = include_str!("broker.tsv").lines();
    lines
        .map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next().unwrap_or_default();
            let (name, kind, default, dynamic) = (next(), next(), next(), next());
            BrokerSetting {
                name,
                kind: Kind::ALL.into_iter().find(|(_, known)| *known == kind).map_or(Kind::Text, |(kind, _)| kind),
                default: (default != "~").then_some(default),
                is_dynamic: dynamic == "dynamic",
            }
        })
        .collect()
});

/// Whether a change is for this broker or for the whole cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Broker,
    Cluster,
}

/// The broker settings that were changed at run time, kept on disk.
#[derive(Debug)]
pub(crate) struct DynamicBrokerConfig {
    fs: Arc<dyn FileSystem>,
    path: PathBuf,
    values: RwLock<[BTreeMap<String, String>; 2]>,
}

pub(crate) fn find(name: &str) -> Option<&'static BrokerSetting> {
    let all = &*BROKER_SETTINGS;
    all.binary_search_by(|setting| setting.name.cmp(name)).ok().map(|at| &all[at])
}

impl BrokerSetting {
    /// Checks whether this scope can have this value. The error is the message that Apache Kafka has for it.
    pub(crate) fn check(&self, scope: Scope, value: &str) -> Result<(), String> {
        let name = self.name;
        if !self.is_dynamic {
            return Err(format!("Cannot update these configs dynamically: Set({name})"));
        }
        if name.starts_with("ssl.") || name.starts_with("sasl.") || name == "principal.builder.class" {
            return Err(format!(
                "These security configs can be dynamically updated only per-listener using the listener prefix: HashSet({name})"
            ));
        }
        if scope == Scope::Cluster && matches!(name, "listeners" | "listener.security.protocol.map") {
            return Err(format!(
                "Cannot update these configs at default cluster level, broker id must be specified: Set({name})"
            ));
        }
        // The default of a topic's setting has the same valid values as that setting.
        match TOPIC_SETTINGS.iter().find(|setting| setting.broker_name() == name) {
            Some(setting) => setting.check_as(name, value),
            None => self.kind.check(name, value).map(drop),
        }
    }
}

impl DynamicBrokerConfig {
    /// Reads what was changed before.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub(crate) fn open(fs: Arc<dyn FileSystem>, path: PathBuf) -> io::Result<DynamicBrokerConfig> {
        let remedy =
            "Restore it; or remove it, and every broker setting that was changed at run time has its default again.";
        let contents = small_file::read(&*fs, &path)?.or_damaged(&path, remedy)?;
        let values = match contents {
            Some(contents) => decode(&contents).ok_or_else(|| small_file::damaged(&path, remedy))?,
            None => Default::default(),
        };
        Ok(DynamicBrokerConfig { fs, path, values: RwLock::new(values) })
    }

    /// Nothing changed, and nothing kept.
    #[cfg(test)]
    pub(crate) fn in_memory() -> DynamicBrokerConfig {
        let fs = postern_log::fs::Memory::new(1);
        DynamicBrokerConfig::open(Arc::new(fs), "configs".into()).expect("a missing file changes nothing")
    }

    pub(crate) fn overrides(&self, scope: Scope) -> BTreeMap<String, String> {
        self.values.read()[scope as usize].clone()
    }

    /// The value that was set at run time, and for which scope. The broker's takes precedence over the cluster's.
    pub(crate) fn value(&self, name: &str) -> Option<(String, Scope)> {
        let values = self.values.read();
        [Scope::Broker, Scope::Cluster]
            .into_iter()
            .find_map(|scope| Some((values[scope as usize].get(name)?.clone(), scope)))
    }

    /// The current default of a topic's setting.
    pub(crate) fn topic_default(&self, setting: &TopicSetting) -> String {
        self.value(setting.broker_name()).map_or_else(|| setting.default.to_owned(), |(value, _)| value)
    }

    /// Replaces the values of a scope; they are on disk when this returns.
    pub(crate) fn replace(&self, scope: Scope, changed: BTreeMap<String, String>) -> io::Result<()> {
        let mut values = self.values.write();
        let mut after = values.clone();
        after[scope as usize] = changed;
        let mut out = Vec::new();
        for map in &after {
            put_u32(&mut out, map.len() as u32);
            for (name, value) in map {
                put_text(&mut out, name);
                put_text(&mut out, value);
            }
        }
        small_file::write(&*self.fs, &self.path, &out, Durability::Synced)?;
        *values = after;
        Ok(())
    }
}

fn decode(contents: &[u8]) -> Option<[BTreeMap<String, String>; 2]> {
    let mut from = ByteReader::new(contents);
    let mut map = || {
        let mut map = BTreeMap::new();
        for _ in 0..from.u32()? {
            map.insert(from.text()?.to_owned(), from.text()?.to_owned());
        }
        Some(map)
    };
    Some([map()?, map()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_sorted() {
        assert_eq!(BROKER_SETTINGS.len(), 316);
        assert!(BROKER_SETTINGS.is_sorted_by_key(|setting| setting.name));
        for setting in BROKER_SETTINGS.iter() {
            let value = setting.default.unwrap_or_default();
            assert!(setting.default.is_none() || setting.kind.check(setting.name, value).is_ok(), "{}", setting.name);
        }
        for setting in TOPIC_SETTINGS.iter().filter(|setting| !setting.broker_name().is_empty()) {
            let broker = find(setting.broker_name()).unwrap();
            assert!(broker.default.is_none_or(|default| default == setting.default), "{}", setting.name);
        }
    }

    #[test]
    fn what_cannot_be_changed_is_refused_with_the_reason() {
        let check = |name: &str, scope, value: &str| find(name).unwrap().check(scope, value);
        assert_eq!(check("log.cleaner.backoff.ms", Scope::Cluster, "14000"), Ok(()));
        assert!(check("log.dirs", Scope::Broker, "/x").unwrap_err().contains("dynamically: Set(log.dirs)"));
        assert!(
            check("listeners", Scope::Cluster, "PLAINTEXT://:1").unwrap_err().contains("broker id must be specified")
        );
        assert!(check("log.cleaner.threads", Scope::Broker, "many").unwrap_err().ends_with("Not a number of type INT"));
        assert_eq!(
            check("log.cleanup.policy", Scope::Broker, "nonsense").unwrap_err(),
            "Invalid value nonsense for configuration log.cleanup.policy: String must be one of: compact, delete"
        );
        assert!(check("ssl.keystore.password", Scope::Broker, "x").unwrap_err().contains("listener prefix"));
    }

    #[test]
    fn changes_survive_a_restart_and_the_brokers_take_precedence() {
        let fs: Arc<dyn FileSystem> = Arc::new(postern_log::fs::Memory::new(1));
        let path = PathBuf::from("configs");
        let map = |value: &str| BTreeMap::from([("log.retention.ms".to_owned(), value.to_owned())]);
        let changed = DynamicBrokerConfig::open(fs.clone(), path.clone()).unwrap();
        assert_eq!(changed.value("log.retention.ms"), None);
        changed.replace(Scope::Cluster, map("5")).unwrap();
        assert_eq!(changed.value("log.retention.ms"), Some(("5".to_owned(), Scope::Cluster)));
        changed.replace(Scope::Broker, map("6")).unwrap();
        let again = DynamicBrokerConfig::open(fs.clone(), path.clone()).unwrap();
        assert_eq!(again.value("log.retention.ms"), Some(("6".to_owned(), Scope::Broker)));
        assert_eq!(again.topic_default(super::super::find("retention.ms").unwrap()), "6");
        assert_eq!(again.overrides(Scope::Cluster), map("5"));
        fs.create(&path).unwrap();
        assert!(DynamicBrokerConfig::open(fs, path).unwrap_err().to_string().contains("configs is damaged"));
    }
}
