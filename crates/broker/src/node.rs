//! The one node: what all connections share, and the files in the data directory that say who it is.
//!
//! ```text
//! format         what this directory is and how it is laid out
//! lock           held while a process uses the directory
//! cluster-id     22 characters, made once
//! producer-ids   the first producer id never given out
//! clean          between an orderly stop and the next start: the checkpoint of every partition
//! configs        settings of the broker that were changed at run time
//! offsets        what groups committed
//! topics/<id>/   a topic: `topic` says what it is, a directory per partition holds its log
//! ```

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka_protocol::messages::BrokerId;
use parking_lot::Mutex;
use postern_log::FileCache;
use postern_log::encoding::{ByteReader, put_u32};
use postern_log::fs::{self, Disk, FileSystem};
use postern_log::small_file::{self, Durability};
use tokio::sync::watch;

use crate::blocking::HeavyWork;
use crate::byte_budget::ByteBudget;
use crate::configs::broker::DynamicBrokerConfig;
#[cfg(feature = "faults")]
use crate::faults::Faults;
use crate::groups::Groups;
use crate::notices::Notices;
use crate::syncs::Syncs;
use crate::topics::{Checkpoints, Topics};
use crate::{Flush, Settings, StartError};

/// The only broker there is.
pub(crate) const NODE_ID: BrokerId = BrokerId(1);
const FORMAT: &str = "postern-broker 2\n";
/// Format 1 has no compacted segments with a range in their names, and indexes without the log's length. It is read, and
/// becomes format 2, which an older version refuses.
const READABLE_FORMATS: [&str; 2] = ["postern-broker 1\n", FORMAT];

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) address: SocketAddr,
    pub(crate) cluster_id: String,
    /// The data directory as an absolute path.
    pub(crate) log_dir: String,
    pub(crate) topics: Topics,
    pub(crate) groups: Arc<Groups>,
    pub(crate) producer_ids: ProducerIds,
    #[cfg(feature = "faults")]
    pub(crate) faults: Faults,
    /// Bytes of requests, and of responses, that all connections hold together.
    pub(crate) request_budget: ByteBudget,
    pub(crate) response_budget: ByteBudget,
    /// Bytes of decoded requests with many elements, which take far more than their frames.
    pub(crate) decoded_budget: ByteBudget,
    pub(crate) heavy_work: HeavyWork,
    pub(crate) notices: Notices,
    pub(crate) syncs: Syncs,
    stopping: watch::Sender<bool>,
    _lock: File,
}

impl Node {
    /// Takes the data directory and recovers what is in it. Blocks on files.
    pub(crate) fn open(settings: Settings, address: SocketAddr) -> Result<Node, StartError> {
        let dir = settings.data_dir.clone();
        let failed = |error| StartError::Storage { path: dir.clone(), error };
        let fs: Arc<dyn FileSystem> = Arc::new(Disk);
        fs.create_dir_all(&dir).map_err(failed)?;
        let lock = lock(&dir)?;
        let is_new = check_format(&*fs, &dir)?;
        let cluster_id = cluster_id(&*fs, &dir, is_new).map_err(failed)?;
        let checkpoints = read_checkpoints(&*fs, &dir).map_err(failed)?;
        let files = Arc::new(FileCache::new(fs.clone(), settings.max_open_files));
        let changed = DynamicBrokerConfig::open(fs.clone(), dir.join("configs")).map_err(failed)?;
        let topics = Topics::open(files, dir.join("topics"), changed, &checkpoints).map_err(failed)?;
        let syncs = settings.flush == Flush::EveryAppend;
        let groups = Groups::open(fs.clone(), dir.join("offsets"), syncs).map_err(failed)?;
        let used = topics.max_producer_id();
        let producer_ids = ProducerIds::open(fs.clone(), dir.join("producer-ids"), used).map_err(failed)?;
        // Only now: a start that was refused finds them again. Before anything is appended: then they are wrong.
        forget_checkpoints(&*fs, &dir).map_err(failed)?;
        let shown = std::path::absolute(&dir).unwrap_or_else(|_| dir.clone());
        match is_new {
            true => tracing::info!(dir = %shown.display(), "a new data directory was made: there are no topics"),
            false => {
                let count = topics.all().len();
                tracing::info!(dir = %shown.display(), topics = count, "the existing data directory was opened");
            }
        }
        Ok(Node {
            request_budget: ByteBudget::new(settings.max_bytes_in_flight / 2),
            response_budget: ByteBudget::new(settings.max_bytes_in_flight / 2),
            decoded_budget: ByteBudget::new(settings.max_bytes_in_flight / 4),
            heavy_work: HeavyWork::new(),
            notices: Notices::default(),
            syncs: Syncs::default(),
            log_dir: std::path::absolute(&dir).map_err(failed)?.display().to_string(),
            settings,
            address,
            cluster_id,
            topics,
            groups: Arc::new(groups),
            producer_ids,
            #[cfg(feature = "faults")]
            faults: Faults::default(),
            stopping: watch::Sender::new(false),
            _lock: lock,
        })
    }

    /// Resolves when the broker stops.
    pub(crate) async fn stopping(&self) {
        // The sender lives as long as `self`, so this does not end early.
        let _ = self.stop_signal().wait_for(|stopping| *stopping).await;
    }

    /// True from the moment the broker stops.
    pub(crate) fn stop_signal(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Writes down an orderly stop. Nothing may be appended any more.
    pub(crate) fn close(&self) -> io::Result<()> {
        let offsets = self.groups.close();
        let mut out = Vec::new();
        for ((topic, partition), checkpoint) in self.topics.close()? {
            out.extend_from_slice(topic.as_bytes());
            put_u32(&mut out, partition as u32);
            put_u32(&mut out, checkpoint.len() as u32);
            out.extend_from_slice(&checkpoint);
        }
        small_file::write(&Disk, &self.settings.data_dir.join("clean"), &out, Durability::Synced)?;
        offsets
    }
}

fn lock(dir: &Path) -> Result<File, StartError> {
    let path = dir.join("lock");
    let failed = |error| StartError::Storage { path: path.clone(), error };
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::InUse { path: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Whether the data directory is new.
fn check_format(fs: &dyn FileSystem, dir: &Path) -> Result<bool, StartError> {
    let path = dir.join("format");
    let failed = |error| StartError::Storage { path: path.clone(), error };
    let found = fs::read_if_exists(fs, &path).map_err(failed)?;
    let found = found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match found.as_deref() {
        Some(FORMAT) => return Ok(false),
        Some(older) if READABLE_FORMATS.contains(&older) => {}
        Some(other) => {
            let found = other.trim_end().to_owned();
            return Err(StartError::Format { path, found });
        }
        None => {
            let topics = fs::read_dir_if_exists(fs, &dir.join("topics")).map_err(failed)?;
            if !topics.is_empty() {
                let text =
                    format!("it is missing, but there are topics. Restore it; it says \"{}\"", FORMAT.trim_end());
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, text)));
            }
        }
    }
    let write = || {
        let temporary = dir.join("format.new");
        let file = fs.create(&temporary)?;
        file.append(&mut [IoSlice::new(FORMAT.as_bytes())])?;
        file.sync()?;
        fs.rename(&temporary, &path)?;
        fs.sync_dir(dir)
    };
    write().map_err(failed)?;
    Ok(found.is_none())
}

/// 16 random bytes as 22 characters of URL-safe base64, as Kafka prints its identifiers.
fn cluster_id(fs: &dyn FileSystem, dir: &Path, is_new: bool) -> io::Result<String> {
    let path = dir.join("cluster-id");
    let remedy = "Restore it; or remove it, and the cluster has another id, which clients may notice.";
    if let Some(bytes) = small_file::read(fs, &path)?.or_damaged(&path, remedy)? {
        return String::from_utf8(bytes).map_err(|_| small_file::damaged(&path, remedy));
    }
    let made = URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4());
    if !is_new {
        tracing::warn!(path = %path.display(), cluster_id = made, "the file is missing: the cluster has another id now");
    }
    small_file::write(fs, &path, made.as_bytes(), Durability::Synced)?;
    Ok(made)
}

/// Reads what [`Node::close`] wrote; nothing after a crash.
fn read_checkpoints(fs: &dyn FileSystem, dir: &Path) -> io::Result<Checkpoints> {
    let path = dir.join("clean");
    let remedy = "Remove it, and the logs are read through as after a crash.";
    let Some(contents) = small_file::read(fs, &path)?.or_damaged(&path, remedy)? else {
        return Ok(Checkpoints::new());
    };
    let mut from = ByteReader::new(&contents);
    let mut checkpoints = Checkpoints::new();
    while !from.is_empty() {
        let mut next = || {
            let place = (uuid::Uuid::from_slice(from.bytes(16)?).ok()?, from.u32()? as i32);
            let length = from.u32()? as usize;
            Some((place, from.bytes(length)?.to_vec()))
        };
        checkpoints.extend([next().ok_or_else(|| small_file::damaged(&path, remedy))?]);
    }
    Ok(checkpoints)
}

fn forget_checkpoints(fs: &dyn FileSystem, dir: &Path) -> io::Result<()> {
    fs::remove_if_exists(fs, &dir.join("clean"))?;
    fs.sync_dir(dir)
}

/// Gives out producer ids, each once in the life of the data directory; reserved on disk in blocks.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    fs: Arc<dyn FileSystem>,
    path: PathBuf,
    next: Mutex<Block>,
}

#[derive(Debug)]
struct Block {
    next: i64,
    end: i64,
}

impl ProducerIds {
    const BLOCK: i64 = 1000;

    /// `used` is the largest id in the logs: whatever the file says, ids go on above it, or the first batches of a new
    /// producer would be taken for those of an old one and not be stored.
    fn open(fs: Arc<dyn FileSystem>, path: PathBuf, used: Option<i64>) -> io::Result<Self> {
        let remedy = "Restore it; or remove it, and ids go on above those that are in the logs.";
        let kept = match small_file::read(&*fs, &path)?.or_damaged(&path, remedy)? {
            Some(bytes) => {
                let bytes = bytes.try_into().map_err(|_| small_file::damaged(&path, remedy))?;
                i64::from_be_bytes(bytes)
            }
            None => 0,
        };
        let unused = used.map_or(0, |used| used.saturating_add(1));
        if unused > kept {
            let path = path.display();
            tracing::warn!(%path, kept, unused, "the file is missing or too old: producer ids go on above those in the logs");
        }
        let next = kept.max(unused);
        Ok(ProducerIds { fs, path, next: Mutex::new(Block { next, end: next }) })
    }

    pub(crate) fn allot(&self) -> io::Result<i64> {
        let mut block = self.next.lock();
        if block.next == block.end {
            let end = block.end + Self::BLOCK;
            small_file::write(&*self.fs, &self.path, &end.to_be_bytes(), Durability::Synced)?;
            block.end = end;
        }
        block.next += 1;
        Ok(block.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use postern_log::fs::Memory;

    use super::*;

    #[test]
    fn producer_ids_are_never_given_out_twice() {
        let fs: Arc<dyn FileSystem> = Arc::new(Memory::new(1));
        let open = |used| ProducerIds::open(fs.clone(), "producer-ids".into(), used);
        let first = open(None).unwrap();
        assert_eq!((first.allot().unwrap(), first.allot().unwrap()), (0, 1));
        assert_eq!(open(None).unwrap().allot().unwrap(), 1000);
        // The file is of an older copy than the logs; then it is missing; then it is damaged.
        assert_eq!(open(Some(7_000)).unwrap().allot().unwrap(), 7_001);
        fs.remove_file(Path::new("producer-ids")).unwrap();
        assert_eq!(open(Some(7_500)).unwrap().allot().unwrap(), 7_501);
        fs.create(Path::new("producer-ids")).unwrap();
        assert!(open(Some(7_500)).unwrap_err().to_string().contains("producer-ids is damaged"));
    }

    #[test]
    fn small_files_that_are_damaged_refuse_the_start_and_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let open = || Node::open(Settings::for_test(dir.path()), address);
        let node = open().unwrap();
        node.producer_ids.allot().unwrap();
        node.topics.defaults.replace(crate::configs::broker::Scope::Cluster, Default::default()).unwrap();
        node.close().unwrap();
        drop(node);
        for name in ["cluster-id", "producer-ids", "clean", "configs", "format"] {
            let path = dir.path().join(name);
            let whole = std::fs::read(&path).unwrap();
            let mut flipped = whole.clone();
            flipped[0] ^= 1;
            for damaged in [flipped, Vec::new()] {
                std::fs::write(&path, &damaged).unwrap();
                let refused = open().unwrap_err().to_string();
                assert!(refused.contains(path.to_str().unwrap()), "{refused}");
                assert_eq!(std::fs::read(&path).unwrap(), damaged, "{name} is left as it was");
            }
            std::fs::write(&path, &whole).unwrap();
        }
        // A directory of format 1 is taken over.
        std::fs::write(dir.path().join("format"), READABLE_FORMATS[0]).unwrap();
        drop(open().unwrap());
        assert_eq!(std::fs::read_to_string(dir.path().join("format")).unwrap(), FORMAT);
        assert!(!dir.path().join("clean").exists());
    }
}
