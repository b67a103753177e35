//! The settings of brokers that Apache Kafka 4.1 knows, and those that were changed while this one runs.
//!
//! `broker.tsv` has a line for each: name, type, default (`~`: none), and `dynamic` if it can be changed at run time. All
//! are shown. Those that give topics their defaults have an effect when they are changed; the rest is only remembered.
//! Source: the list and its defaults as a 4.1.1 broker describes itself.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::LazyLock;

use parking_lot::RwLock;

use super::{Kind, SETTINGS, Setting};
use postern_log::disk::{self, Durability};

/// A setting of a broker.
#[derive(Debug)]
pub(crate) struct BrokerSetting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Option<&'static str>,
    /// It can be changed while the broker runs.
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

/// Whether it is this broker's or every broker's that is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Broker,
    Cluster,
}

/// What was changed at run time, on disk.
#[derive(Debug)]
pub(crate) struct Changed {
    path: PathBuf,
    values: RwLock<[BTreeMap<String, String>; 2]>,
}

pub(crate) fn find(name: &str) -> Option<&'static BrokerSetting> {
    let all = &*BROKER_SETTINGS;
    all.binary_search_by(|setting| setting.name.cmp(name)).ok().map(|at| &all[at])
}

impl BrokerSetting {
    /// Whether this scope can have this value, and if not why.
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
        // Where a topic has the same setting its bounds hold here too.
        match SETTINGS.iter().find(|setting| setting.of_broker() == name) {
            Some(setting) => setting.check_as(name, value),
            None => self.kind.check(name, value).map(drop),
        }
    }
}

impl Changed {
    pub(crate) fn open(path: PathBuf) -> io::Result<Changed> {
        let contents = disk::read_whole(&path)?.unwrap_or_default();
        let mut from = disk::Reader::new(&contents);
        let mut map = || {
            let mut map = BTreeMap::new();
            for _ in 0..from.u32()? {
                map.insert(from.text()?.to_owned(), from.text()?.to_owned());
            }
            Some(map)
        };
        let values = [map().unwrap_or_default(), map().unwrap_or_default()];
        Ok(Changed { path, values: RwLock::new(values) })
    }

    pub(crate) fn of(&self, scope: Scope) -> BTreeMap<String, String> {
        self.values.read()[scope as usize].clone()
    }

    /// The value in force, if it was changed, and where. The broker's own beats the cluster's.
    pub(crate) fn find(&self, name: &str) -> Option<(String, Scope)> {
        let values = self.values.read();
        [Scope::Broker, Scope::Cluster]
            .into_iter()
            .find_map(|scope| Some((values[scope as usize].get(name)?.clone(), scope)))
    }

    /// The default of a topic's setting.
    pub(crate) fn default_of(&self, setting: &Setting) -> String {
        self.find(setting.of_broker()).map_or_else(|| setting.default.to_owned(), |(value, _)| value)
    }

    /// Puts other values in force; they are on disk when this returns.
    pub(crate) fn replace(&self, scope: Scope, changed: BTreeMap<String, String>) -> io::Result<()> {
        let mut values = self.values.write();
        let mut after = values.clone();
        after[scope as usize] = changed;
        let mut out = Vec::new();
        for map in &after {
            disk::put_u32(&mut out, map.len() as u32);
            for (name, value) in map {
                disk::put_text(&mut out, name);
                disk::put_text(&mut out, value);
            }
        }
        disk::write_whole(&self.path, &out, Durability::Synced)?;
        *values = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_in_order() {
        assert_eq!(BROKER_SETTINGS.len(), 316);
        assert!(BROKER_SETTINGS.is_sorted_by_key(|setting| setting.name));
        for setting in BROKER_SETTINGS.iter() {
            let value = setting.default.unwrap_or_default();
            assert!(setting.default.is_none() || setting.kind.check(setting.name, value).is_ok(), "{}", setting.name);
        }
        for setting in SETTINGS.iter().filter(|setting| !setting.of_broker().is_empty()) {
            let of_broker = find(setting.of_broker()).unwrap();
            assert!(of_broker.default.is_none_or(|default| default == setting.default), "{}", setting.name);
        }
    }

    #[test]
    fn what_cannot_be_changed_is_refused_with_its_reason() {
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
    fn changes_outlive_the_process_and_the_brokers_own_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("configs");
        let map = |value: &str| BTreeMap::from([("log.retention.ms".to_owned(), value.to_owned())]);
        let changed = Changed::open(path.clone()).unwrap();
        assert_eq!(changed.find("log.retention.ms"), None);
        changed.replace(Scope::Cluster, map("5")).unwrap();
        assert_eq!(changed.find("log.retention.ms"), Some(("5".to_owned(), Scope::Cluster)));
        changed.replace(Scope::Broker, map("6")).unwrap();
        let again = Changed::open(path).unwrap();
        assert_eq!(again.find("log.retention.ms"), Some(("6".to_owned(), Scope::Broker)));
        assert_eq!(again.default_of(super::super::find("retention.ms").unwrap()), "6");
        assert_eq!(again.of(Scope::Cluster), map("5"));
    }
}
