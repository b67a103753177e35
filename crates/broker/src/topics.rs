//! The topics there are: names, identifiers, partitions, settings, and the one small file that describes each.
//!
//! A topic is made in a directory of another name, which is then renamed; it is deleted by renaming first. So a crash
//! leaves a topic whole or not at all. Names are checked here as Apache Kafka checks them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use crate::configs::broker::{DynamicBrokerConfig, Scope};
use crate::configs::{ConfigOverrides, TopicConfig};
use postern_log::Partition;
use postern_log::disk::{self, Durability, Files};

const MAX_NAME_BYTES: usize = 249;
/// Topics that belong to the cluster rather than to its users.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// What partitions say at an orderly stop, for the next start.
pub(crate) type Notes = HashMap<(Uuid, i32), Vec<u8>>;

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: StrBytes,
    pub(crate) id: Uuid,
    dir: PathBuf,
    state: RwLock<State>,
}

#[derive(Debug, Clone)]
struct State {
    partitions: Arc<[Arc<Partition>]>,
    config: Arc<TopicConfig>,
}

#[derive(Debug)]
pub(crate) struct Topics {
    dir: PathBuf,
    files: Arc<Files>,
    /// The broker's settings, which are the topics' defaults.
    pub(crate) defaults: DynamicBrokerConfig,
    known: RwLock<Known>,
    /// Held while a topic is made, changed or deleted.
    changing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    by_name: BTreeMap<StrBytes, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

#[derive(Debug)]
pub(crate) enum CreateError {
    Exists,
    /// A topic whose name differs only in `.` and `_`.
    Collides(StrBytes),
    Storage(io::Error),
}

/// Why the settings of a topic or of the broker stayed as they were.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AlterConfigError<E> {
    /// The change itself is invalid.
    #[error("the change is refused")]
    Refused(E),
    #[error("the settings could not be written: {0}")]
    Storage(#[from] io::Error),
}

impl Topic {
    pub(crate) fn partitions(&self) -> Arc<[Arc<Partition>]> {
        self.state.read().partitions.clone()
    }

    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        self.state.read().partitions.get(usize::try_from(index).ok()?).cloned()
    }

    pub(crate) fn config(&self) -> Arc<TopicConfig> {
        self.state.read().config.clone()
    }

    pub(crate) fn is_internal(&self) -> bool {
        INTERNAL.contains(&self.name.as_str())
    }

    fn describe(&self, partitions: usize, config: &TopicConfig, durability: Durability, dir: &Path) -> io::Result<()> {
        let mut out = Vec::new();
        disk::put_text(&mut out, &self.name);
        out.extend_from_slice(self.id.as_bytes());
        disk::put_u32(&mut out, partitions as u32);
        disk::put_u32(&mut out, config.overrides.len() as u32);
        for (name, value) in &config.overrides {
            disk::put_text(&mut out, name);
            disk::put_text(&mut out, value);
        }
        disk::write_whole(&dir.join("topic"), &out, durability)
    }
}

impl Topics {
    /// Finds and recovers all topics below `dir`; `notes` are what [`Topics::close`] gave, none if it was not called.
    pub(crate) fn open(
        files: Arc<Files>,
        dir: PathBuf,
        defaults: DynamicBrokerConfig,
        notes: &Notes,
    ) -> io::Result<Topics> {
        std::fs::create_dir_all(&dir)?;
        let mut known = Known::default();
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.extension().is_some() {
                // Half made or half deleted.
                std::fs::remove_dir_all(&path)?;
                continue;
            }
            let Some(topic) = open_topic(&files, &path, &defaults, notes)? else {
                tracing::warn!(path = %path.display(), "left alone: not the directory of a topic");
                continue;
            };
            known.insert(Arc::new(topic));
        }
        Ok(Topics { dir, files, defaults, known: RwLock::new(known), changing: Mutex::default() })
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Topic>> {
        self.known.read().by_name.get(name.as_bytes()).cloned()
    }

    pub(crate) fn find_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.known.read().by_id.get(&id).cloned()
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.known.read().by_name.values().cloned().collect()
    }

    /// Whether all topics together have more partitions than `count`. Looks at no more topics than needed.
    pub(crate) fn has_more_partitions_than(&self, count: usize) -> bool {
        let mut seen = 0;
        self.known.read().by_name.values().any(|topic| {
            seen += topic.partitions().len().max(1);
            seen > count
        })
    }

    /// Whether a topic of this name could be made.
    pub(crate) fn room_for(&self, name: &str) -> Result<(), CreateError> {
        let known = self.known.read();
        if known.by_name.contains_key(name.as_bytes()) {
            return Err(CreateError::Exists);
        }
        if !name.contains(['.', '_']) {
            return Ok(());
        }
        let plain = name.replace('.', "_");
        match known.by_name.keys().find(|other| other.contains(['.', '_']) && other.replace('.', "_") == plain) {
            Some(other) => Err(CreateError::Collides(other.clone())),
            None => Ok(()),
        }
    }

    /// Makes a topic; it is on disk when this returns. Blocks on files.
    pub(crate) fn create(
        &self,
        name: &str,
        partitions: usize,
        own: ConfigOverrides,
    ) -> Result<Arc<Topic>, CreateError> {
        let _changing = self.changing.lock();
        self.room_for(name)?;
        let id = Uuid::new_v4();
        let dir = self.dir.join(id.to_string());
        let made = (|| {
            let config = Arc::new(TopicConfig::new(own, &self.defaults));
            let state = State { partitions: Arc::from([]), config };
            let topic =
                Topic { name: StrBytes::from_string(name.to_owned()), id, dir: dir.clone(), state: RwLock::new(state) };
            let temporary = dir.with_extension("new");
            std::fs::create_dir(&temporary)?;
            topic.describe(partitions, &topic.config(), Durability::Synced, &temporary)?;
            std::fs::rename(&temporary, &dir)?;
            disk::sync_dir(&self.dir)?;
            topic.state.write().partitions = open_partitions(&self.files, &dir, 0..partitions, |_| None)?.into();
            Ok(Arc::new(topic))
        })();
        let topic = made.map_err(CreateError::Storage)?;
        self.known.write().insert(topic.clone());
        Ok(topic)
    }

    /// Adds partitions up to `count`. Blocks on files.
    pub(crate) fn grow(&self, topic: &Topic, count: usize) -> io::Result<()> {
        let _changing = self.changing.lock();
        let State { partitions, config } = topic.state.read().clone();
        let added = open_partitions(&self.files, &topic.dir, partitions.len()..count, |_| None)?;
        topic.describe(count, &config, Durability::Synced, &topic.dir)?;
        topic.state.write().partitions = partitions.iter().cloned().chain(added).collect();
        Ok(())
    }

    /// Replaces the overrides of a topic with what `change` makes of the current ones. Concurrent changes are made one after
    /// the other, so none is lost. Blocks on files.
    pub(crate) fn alter_config<E>(
        &self,
        topic: &Topic,
        change: impl FnOnce(ConfigOverrides) -> Result<ConfigOverrides, E>,
    ) -> Result<(), AlterConfigError<E>> {
        let _changing = self.changing.lock();
        let overrides = change(topic.config().overrides.clone()).map_err(AlterConfigError::Refused)?;
        let config = TopicConfig::new(overrides, &self.defaults);
        topic.describe(topic.partitions().len(), &config, Durability::Synced, &topic.dir)?;
        topic.state.write().config = Arc::new(config);
        Ok(())
    }

    /// As [`Topics::alter_config`], for the settings of the broker, which are the defaults of all topics. Blocks on files.
    pub(crate) fn alter_broker_config<E>(
        &self,
        scope: Scope,
        change: impl FnOnce(ConfigOverrides) -> Result<ConfigOverrides, E>,
    ) -> Result<(), AlterConfigError<E>> {
        let _changing = self.changing.lock();
        let overrides = change(self.defaults.overrides(scope)).map_err(AlterConfigError::Refused)?;
        self.defaults.replace(scope, overrides)?;
        for topic in self.all() {
            let overrides = topic.config().overrides.clone();
            topic.state.write().config = Arc::new(TopicConfig::new(overrides, &self.defaults));
        }
        Ok(())
    }

    /// Deletes a topic and its files; false if somebody else did. Blocks on files.
    pub(crate) fn delete(&self, topic: &Topic) -> io::Result<bool> {
        let _changing = self.changing.lock();
        if self.find_id(topic.id).is_none() {
            return Ok(false);
        }
        let doomed = topic.dir.with_extension("deleted");
        std::fs::rename(&topic.dir, &doomed)?;
        disk::sync_dir(&self.dir)?;
        {
            let mut known = self.known.write();
            known.by_name.remove(topic.name.as_bytes());
            known.by_id.remove(&topic.id);
        }
        for partition in topic.partitions().iter() {
            partition.retire();
        }
        std::fs::remove_dir_all(&doomed)?;
        Ok(true)
    }

    /// Has the disk keep all partitions; answers what the next start needs to know of each.
    pub(crate) fn close(&self) -> io::Result<Notes> {
        let mut notes = Notes::new();
        for topic in self.all() {
            for partition in topic.partitions().iter() {
                notes.extend(partition.close()?.map(|note| ((topic.id, partition.index), note)));
            }
        }
        Ok(notes)
    }
}

impl Known {
    fn insert(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, topic.clone());
        self.by_name.insert(topic.name.clone(), topic);
    }
}

/// What is wrong with a topic's name, in Apache Kafka's words' sense.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let complaint = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.len() > MAX_NAME_BYTES => {
            format!("the length of '{name}' is longer than the max allowed length {MAX_NAME_BYTES}")
        }
        _ if !name.chars().all(is_plain) => {
            format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        }
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {complaint}"))
}

fn open_topic(
    files: &Arc<Files>,
    dir: &Path,
    defaults: &DynamicBrokerConfig,
    notes: &Notes,
) -> io::Result<Option<Topic>> {
    let Some(contents) = disk::read_whole(&dir.join("topic"))? else { return Ok(None) };
    let mut from = disk::Reader::new(&contents);
    let described = (|| {
        let name = StrBytes::from_string(from.text()?.to_owned());
        let id = Uuid::from_slice(from.bytes(16)?).ok()?;
        let partitions = from.u32()? as usize;
        let mut own = BTreeMap::new();
        for _ in 0..from.u32()? {
            own.insert(from.text()?.to_owned(), from.text()?.to_owned());
        }
        Some((name, id, partitions, own))
    })();
    let Some((name, id, count, own)) = described else { return Ok(None) };
    let partitions = open_partitions(files, dir, 0..count, |index| notes.get(&(id, index)).map(Vec::as_slice))?.into();
    let state = State { partitions, config: Arc::new(TopicConfig::new(own, defaults)) };
    Ok(Some(Topic { name, id, dir: dir.to_owned(), state: RwLock::new(state) }))
}

fn open_partitions<'a>(
    files: &Arc<Files>,
    dir: &Path,
    indexes: std::ops::Range<usize>,
    note: impl Fn(i32) -> Option<&'a [u8]>,
) -> io::Result<Vec<Arc<Partition>>> {
    indexes
        .map(|index| {
            let partition =
                Partition::open(files.clone(), dir.join(index.to_string()), index as i32, note(index as i32))?;
            Ok(Arc::new(partition))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(dir: &Path) -> Topics {
        Topics::open(
            Arc::new(Files::new(8)),
            dir.to_owned(),
            DynamicBrokerConfig::open(dir.join("configs")).unwrap(),
            &Notes::new(),
        )
        .unwrap()
    }

    #[test]
    fn names_are_checked_as_kafka_does() {
        assert_eq!(check_name("lsst.example.sky_1-b"), Ok(()));
        assert_eq!(check_name(&"a".repeat(249)), Ok(()));
        for bad in ["", ".", "..", "a b", "ä", &"a".repeat(250)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_topic_outlives_the_process_until_it_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let own = BTreeMap::from([("retention.ms".to_owned(), "5".to_owned())]);
        let made = topics(dir.path()).create("a.b", 3, own.clone()).unwrap();
        let again = topics(dir.path());
        let found = again.find("a.b").unwrap();
        assert_eq!((found.id, found.partitions().len(), &found.config().overrides), (made.id, 3, &own));
        again.grow(&found, 5).unwrap();
        assert_eq!(topics(dir.path()).find_id(made.id).unwrap().partitions().len(), 5);
        assert!(again.delete(&found).unwrap());
        assert!(!again.delete(&found).unwrap());
        assert!(topics(dir.path()).find("a.b").is_none());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn names_that_collide_in_metrics_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let topics = topics(dir.path());
        topics.create("a.b", 1, ConfigOverrides::new()).unwrap();
        assert!(matches!(topics.room_for("a_b"), Err(CreateError::Collides(other)) if other.as_str() == "a.b"));
        assert!(matches!(topics.room_for("a.b"), Err(CreateError::Exists)));
        assert!(topics.room_for("ab").is_ok());
    }

    #[test]
    fn a_topic_half_made_or_half_deleted_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        topics(dir.path()).create("kept", 1, ConfigOverrides::new()).unwrap();
        std::fs::create_dir(dir.path().join("x.new")).unwrap();
        std::fs::create_dir(dir.path().join("y.deleted")).unwrap();
        assert_eq!(topics(dir.path()).all().len(), 1);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
