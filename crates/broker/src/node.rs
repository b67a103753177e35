//! The one node: what all connections share, and the files in the data directory that say who it is.
//!
//! ```text
//! format         what this directory is and how it is laid out
//! lock           held while a process uses the directory
//! cluster-id     22 characters, made once
//! producer-ids   the first producer id never given out
//! clean          between an orderly stop and the next start: where every partition stands
//! configs        settings of the broker that were changed at run time
//! offsets        what groups committed
//! topics/<id>/   a topic: `topic` says what it is, a directory per partition holds its log
//! ```

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kafka_protocol::messages::BrokerId;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::blocking::HeavyWork;
use crate::byte_budget::ByteBudget;
use crate::configs::broker::DynamicBrokerConfig;
#[cfg(feature = "faults")]
use crate::faults::Faults;
use crate::groups::Groups;
use crate::notices::Notices;
use crate::topics::{Notes, Topics};
use crate::{Flush, Settings, StartError};
use postern_log::disk::{self, Durability, Files};

/// The only broker there is.
pub(crate) const NODE_ID: BrokerId = BrokerId(1);
const FORMAT: &str = "postern-broker 1\n";

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) address: SocketAddr,
    pub(crate) cluster_id: String,
    /// The data directory as an absolute path.
    pub(crate) log_dir: String,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
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
    stopping: watch::Sender<bool>,
    _lock: File,
}

impl Node {
    /// Takes the data directory and recovers what is in it. Blocks on files.
    pub(crate) fn open(settings: Settings, address: SocketAddr) -> Result<Node, StartError> {
        let dir = settings.data_dir.clone();
        let failed = |error| StartError::Storage { path: dir.clone(), error };
        std::fs::create_dir_all(&dir).map_err(failed)?;
        let lock = lock(&dir)?;
        check_format(&dir)?;
        let cluster_id = cluster_id(&dir).map_err(failed)?;
        let notes = take_notes(&dir).map_err(failed)?;
        let files = Arc::new(Files::new(settings.max_open_files));
        let changed = DynamicBrokerConfig::open(dir.join("configs")).map_err(failed)?;
        let topics = Topics::open(files, dir.join("topics"), changed, &notes).map_err(failed)?;
        let groups = Groups::open(dir.join("offsets"), settings.flush == Flush::EveryAppend).map_err(failed)?;
        let producer_ids = ProducerIds::open(dir.join("producer-ids")).map_err(failed)?;
        Ok(Node {
            request_budget: ByteBudget::new(settings.max_bytes_in_flight / 2),
            response_budget: ByteBudget::new(settings.max_bytes_in_flight / 2),
            decoded_budget: ByteBudget::new(settings.max_bytes_in_flight / 4),
            heavy_work: HeavyWork::new(),
            notices: Notices::default(),
            log_dir: std::path::absolute(&dir).map_err(failed)?.display().to_string(),
            settings,
            address,
            cluster_id,
            topics,
            groups,
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
        let mut out = Vec::new();
        for ((topic, partition), note) in self.topics.close()? {
            out.extend_from_slice(topic.as_bytes());
            disk::put_u32(&mut out, partition as u32);
            disk::put_u32(&mut out, note.len() as u32);
            out.extend_from_slice(&note);
        }
        disk::write_whole(&self.settings.data_dir.join("clean"), &out, Durability::Synced)
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

fn check_format(dir: &Path) -> Result<(), StartError> {
    let path = dir.join("format");
    let failed = |error| StartError::Storage { path: path.clone(), error };
    match std::fs::read_to_string(&path) {
        Ok(found) if found == FORMAT => Ok(()),
        Ok(found) => Err(StartError::Format { path, found: found.trim_end().to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let temporary = dir.join("format.new");
            std::fs::write(&temporary, FORMAT).map_err(failed)?;
            std::fs::rename(&temporary, &path).map_err(failed)?;
            disk::sync_dir(dir).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// 16 random bytes as 22 characters of URL-safe base64, as Kafka prints its identifiers.
fn cluster_id(dir: &Path) -> io::Result<String> {
    let path = dir.join("cluster-id");
    if let Some(known) = disk::read_whole(&path)?.and_then(|bytes| String::from_utf8(bytes).ok()) {
        return Ok(known);
    }
    let made = base64url(uuid::Uuid::new_v4().as_bytes());
    disk::write_whole(&path, made.as_bytes(), Durability::Synced)?;
    Ok(made)
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for at in 0..=group.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

/// Reads what [`Node::close`] wrote, once: after a crash there must be none.
fn take_notes(dir: &Path) -> io::Result<Notes> {
    let path = dir.join("clean");
    let contents = disk::read_whole(&path)?.unwrap_or_default();
    disk::remove_if_there(&path)?;
    disk::sync_dir(dir)?;
    let mut from = disk::Reader::new(&contents);
    let mut next = || {
        let place = (uuid::Uuid::from_slice(from.bytes(16)?).ok()?, from.u32()? as i32);
        let length = from.u32()? as usize;
        Some((place, from.bytes(length)?.to_vec()))
    };
    Ok(std::iter::from_fn(&mut next).collect())
}

/// Gives out producer ids, each once in the life of the data directory; reserved on disk in blocks.
#[derive(Debug)]
pub(crate) struct ProducerIds {
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

    fn open(path: PathBuf) -> io::Result<Self> {
        let kept = disk::read_whole(&path)?.and_then(|bytes| Some(i64::from_be_bytes(bytes.try_into().ok()?)));
        let next = kept.unwrap_or(0);
        Ok(ProducerIds { path, next: Mutex::new(Block { next, end: next }) })
    }

    pub(crate) fn allot(&self) -> io::Result<i64> {
        let mut block = self.next.lock();
        if block.next == block.end {
            let end = block.end + Self::BLOCK;
            disk::write_whole(&self.path, &end.to_be_bytes(), Durability::Synced)?;
            block.end = end;
        }
        block.next += 1;
        Ok(block.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_has_22_characters_for_an_identifier() {
        assert_eq!(base64url(&[0xff; 16]), "_____________________w");
        assert_eq!(base64url(b"Postern, broker!"), "UG9zdGVybiwgYnJva2VyIQ");
    }

    #[test]
    fn producer_ids_are_never_given_out_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("producer-ids");
        let first = ProducerIds::open(path.clone()).unwrap();
        assert_eq!((first.allot().unwrap(), first.allot().unwrap()), (0, 1));
        assert_eq!(ProducerIds::open(path).unwrap().allot().unwrap(), 1000);
    }
}
