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
use postern_log::encoding::{ByteReader, put_text, put_u32};
use postern_log::fs::{DirEntry, FileSystem};
use postern_log::small_file::{self, Durability};
use postern_log::{FileCache, Partition};

const MAX_NAME_BYTES: usize = 249;
/// Topics that belong to the cluster rather than to its users.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// The checkpoints of all partitions at an orderly stop, for the next start.
pub(crate) type Checkpoints = HashMap<(Uuid, i32), Vec<u8>>;

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
    files: Arc<FileCache>,
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

    /// Writes the file that describes the topic; it is on disk when this returns.
    fn describe(&self, fs: &dyn FileSystem, partitions: usize, config: &TopicConfig, dir: &Path) -> io::Result<()> {
        let mut out = Vec::new();
        put_text(&mut out, &self.name);
        out.extend_from_slice(self.id.as_bytes());
        put_u32(&mut out, partitions as u32);
        put_u32(&mut out, config.overrides.len() as u32);
        for (name, value) in &config.overrides {
            put_text(&mut out, name);
            put_text(&mut out, value);
        }
        small_file::write(fs, &dir.join("topic"), &out, Durability::Synced)
    }
}

impl Topics {
    /// Finds and recovers all topics below `dir`; `checkpoints` are what [`Topics::close`] gave, none if it was not called.
    /// What is there besides is passed over, except for what a crash left of a topic that was being made or deleted.
    ///
    /// # Errors
    /// A file cannot be read, or is damaged.
    pub(crate) fn open(
        files: Arc<FileCache>,
        dir: PathBuf,
        defaults: DynamicBrokerConfig,
        checkpoints: &Checkpoints,
    ) -> io::Result<Topics> {
        let fs = files.fs();
        fs.create_dir_all(&dir)?;
        let mut known = Known::default();
        for entry in fs.read_dir(&dir)? {
            match Found::of(&entry) {
                Found::Topic(id) => {
                    let topic = open_topic(&files, &entry.path, id, &defaults, checkpoints)?;
                    known.insert(Arc::new(topic));
                }
                Found::Unfinished => {
                    tracing::warn!(path = %entry.path.display(), "a topic that was half made or half deleted is removed");
                    fs.remove_dir_all(&entry.path)?;
                }
                Found::Unknown => tracing::warn!(path = %entry.path.display(), "passed over: not a topic's directory"),
            }
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
            let (fs, temporary) = (self.files.fs(), dir.with_extension("new"));
            fs.create_dir_all(&temporary)?;
            topic.describe(fs, partitions, &topic.config(), &temporary)?;
            fs.rename(&temporary, &dir)?;
            fs.sync_dir(&self.dir)?;
            topic.state.write().partitions = open_partitions(&self.files, &dir, 0..partitions, |_| None)?.into();
            Ok(Arc::new(topic))
        })();
        let topic = made.map_err(|error| {
            // Else the next start would find a topic that was refused. What cannot be removed now is seen then.
            for left in [dir.with_extension("new"), dir] {
                let _ = self.files.fs().remove_dir_all(&left);
            }
            CreateError::Storage(error)
        })?;
        self.known.write().insert(topic.clone());
        Ok(topic)
    }

    /// Adds partitions up to `count`. Blocks on files.
    pub(crate) fn grow(&self, topic: &Topic, count: usize) -> io::Result<()> {
        let _changing = self.changing.lock();
        let State { partitions, config } = topic.state.read().clone();
        let added = open_partitions(&self.files, &topic.dir, partitions.len()..count, |_| None)?;
        topic.describe(self.files.fs(), count, &config, &topic.dir)?;
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
        topic.describe(self.files.fs(), topic.partitions().len(), &config, &topic.dir)?;
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
        // First, so that nothing is written or removed below the directory while it goes.
        for partition in topic.partitions().iter() {
            partition.retire();
        }
        let (fs, doomed) = (self.files.fs(), topic.dir.with_extension("deleted"));
        fs.rename(&topic.dir, &doomed)?;
        fs.sync_dir(&self.dir)?;
        {
            let mut known = self.known.write();
            known.by_name.remove(topic.name.as_bytes());
            known.by_id.remove(&topic.id);
        }
        fs.remove_dir_all(&doomed)?;
        Ok(true)
    }

    /// The largest producer id that any partition remembers.
    pub(crate) fn max_producer_id(&self) -> Option<i64> {
        let partitions = |topic: &Arc<Topic>| topic.partitions().iter().filter_map(|one| one.max_producer_id()).max();
        self.all().iter().filter_map(partitions).max()
    }

    /// Has the disk keep all partitions; answers what the next start needs to know of each.
    pub(crate) fn close(&self) -> io::Result<Checkpoints> {
        let mut checkpoints = Checkpoints::new();
        for topic in self.all() {
            for partition in topic.partitions().iter() {
                checkpoints.extend(partition.close()?.map(|checkpoint| ((topic.id, partition.index), checkpoint)));
            }
        }
        Ok(checkpoints)
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

/// What a name in the directory of topics is.
enum Found {
    Topic(Uuid),
    /// Of a topic that a crash left half made or half deleted.
    Unfinished,
    /// Not ours.
    Unknown,
}

impl Found {
    fn of(entry: &DirEntry) -> Found {
        let name = entry.name().filter(|_| entry.is_dir).unwrap_or_default();
        let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
        match (Uuid::try_parse(stem), extension) {
            (Ok(id), "") => Found::Topic(id),
            (Ok(_), "new" | "deleted") => Found::Unfinished,
            (_, _) => Found::Unknown,
        }
    }
}

fn open_topic(
    files: &Arc<FileCache>,
    dir: &Path,
    id: Uuid,
    defaults: &DynamicBrokerConfig,
    checkpoints: &Checkpoints,
) -> io::Result<Topic> {
    let path = dir.join("topic");
    let remedy = "Restore it; or move the topic's directory elsewhere, and the topic is gone.";
    let Some(contents) = small_file::read(files.fs(), &path)?.or_damaged(&path, remedy)? else {
        let text = format!("{} is missing: nothing else says which topic this is. {remedy}", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    };
    let mut from = ByteReader::new(&contents);
    let described = (|| {
        let name = StrBytes::from_string(from.text()?.to_owned());
        let described_id = Uuid::from_slice(from.bytes(16)?).ok()?;
        let partitions = from.u32()? as usize;
        let mut own = BTreeMap::new();
        for _ in 0..from.u32()? {
            own.insert(from.text()?.to_owned(), from.text()?.to_owned());
        }
        (described_id == id).then_some((name, partitions, own))
    })();
    let Some((name, count, own)) = described else { return Err(small_file::damaged(&path, remedy)) };
    let checkpoint = |index| checkpoints.get(&(id, index)).map(Vec::as_slice);
    let partitions = open_partitions(files, dir, 0..count, checkpoint)?.into();
    let state = State { partitions, config: Arc::new(TopicConfig::new(own, defaults)) };
    Ok(Topic { name, id, dir: dir.to_owned(), state: RwLock::new(state) })
}

fn open_partitions<'a>(
    files: &Arc<FileCache>,
    dir: &Path,
    indexes: std::ops::Range<usize>,
    checkpoint: impl Fn(i32) -> Option<&'a [u8]>,
) -> io::Result<Vec<Arc<Partition>>> {
    indexes
        .map(|index| {
            let partition =
                Partition::open(files.clone(), dir.join(index.to_string()), index as i32, checkpoint(index as i32))?;
            Ok(Arc::new(partition))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use postern_log::fs::Disk;

    use super::*;

    fn topics(dir: &Path) -> Topics {
        open(dir).unwrap()
    }

    fn open(dir: &Path) -> io::Result<Topics> {
        let changed = DynamicBrokerConfig::open(Arc::new(Disk), dir.join("configs")).unwrap();
        let files = Arc::new(FileCache::new(Arc::new(Disk), 8));
        Topics::open(files, dir.to_owned(), changed, &Checkpoints::new())
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
    fn a_topic_half_made_or_half_deleted_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let id = topics(dir.path()).create("kept", 1, ConfigOverrides::new()).unwrap().id;
        let path = |name: &str| dir.path().join(name);
        let backup = format!("{id}.bak");
        std::fs::create_dir(path(&backup)).unwrap();
        std::fs::copy(path(&id.to_string()).join("topic"), path(&backup).join("topic")).unwrap();
        for name in ["my.notes", "x.new", "y.deleted"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        std::fs::write(path(".DS_Store"), "").unwrap();
        for name in [format!("{}.new", Uuid::new_v4()), format!("{}.deleted", Uuid::new_v4())] {
            std::fs::create_dir(path(&name)).unwrap();
        }
        assert_eq!(topics(dir.path()).all().len(), 1);
        let mut left: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected =
            [id.to_string(), backup, ".DS_Store".into(), "my.notes".into(), "x.new".into(), "y.deleted".into()];
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn a_damaged_or_missing_description_refuses_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let id = topics(dir.path()).create("t", 1, ConfigOverrides::new()).unwrap().id;
        let path = dir.path().join(id.to_string()).join("topic");
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 8, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, &flipped).unwrap();
            let refused = open(dir.path()).unwrap_err().to_string();
            assert!(refused.contains(path.to_str().unwrap()), "{refused}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(open(dir.path()).unwrap_err().to_string().contains("is missing"));
        std::fs::write(&path, &whole).unwrap();
        assert!(topics(dir.path()).find("t").is_some());
    }

    #[test]
    fn directories_are_not_for_everybody() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let id = topics(dir.path()).create("t", 1, ConfigOverrides::new()).unwrap().id;
        let mode = std::fs::metadata(dir.path().join(id.to_string())).unwrap().permissions().mode();
        assert_eq!(mode & 0o027, 0, "{mode:o}");
    }
}
