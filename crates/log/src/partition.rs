//! One partition: appends one at a time under a short lock, reads without it, and who waits for the next append.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::batch::{self, Header};
use super::compaction::Cleaned;
use super::disk::Files;
use super::producers::{Producers, Verdict};
use super::recovery;
use super::segment::Segment;

/// The settings of a topic that its log obeys.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    pub segment_bytes: u64,
    pub segment_ms: i64,
    pub index_interval: u64,
    pub max_message_bytes: usize,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    /// `message.timestamp.type=LogAppendTime`
    pub stamps_append_time: bool,
    /// `cleanup.policy` contains `compact`: records need keys.
    pub is_compacted: bool,
    /// `cleanup.policy` contains `delete`: old records, and records by order, may go.
    pub deletes: bool,
    /// -1: for ever.
    pub retention_ms: i64,
    /// -1: any number.
    pub retention_bytes: i64,
    pub tombstones_kept_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub min_dirty_ratio: f64,
    pub flush_messages: i64,
    pub flush_ms: i64,
}

impl Default for LogConfig {
    /// What Apache Kafka 4.1 gives a topic without settings of its own.
    fn default() -> Self {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            index_interval: 4096,
            max_message_bytes: 1_048_588,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            stamps_append_time: false,
            is_compacted: false,
            deletes: true,
            retention_ms: 604_800_000,
            retention_bytes: -1,
            tombstones_kept_ms: 86_400_000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_dirty_ratio: 0.5,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
        }
    }
}

#[derive(Debug)]
pub struct Partition {
    pub index: i32,
    pub(super) dir: PathBuf,
    pub(super) files: Arc<Files>,
    pub(super) log: Mutex<Log>,
    /// Who has the disk keep the log: one at a time, for all who wait.
    pub(super) syncing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
pub(super) struct Log {
    /// In order; the last one is written to. Empty until the first append.
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) start_offset: i64,
    pub(super) end_offset: i64,
    pub(super) producers: Producers,
    /// Woken, all of them, by the next append; then they look again.
    waiting: Vec<Arc<Notify>>,
    /// The topic was deleted.
    pub(super) is_gone: bool,
    /// The disk has everything before this offset.
    pub(super) synced_to: i64,
    /// When the first batch came that it may not have.
    pub(super) unsynced_since_ms: i64,
    pub(super) cleaned: Cleaned,
}

/// Where a batch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: i64,
    /// The broker's time if the topic stamps it, else -1; of a duplicate the batch's largest time, as Apache Kafka answers.
    pub append_time_ms: i64,
    pub start_offset: i64,
    /// Offsets that the disk may not have yet, this batch's included.
    pub unsynced: i64,
}

#[derive(Debug)]
pub enum AppendError {
    /// The producer skipped, or is told to have lost, a batch.
    Gap,
    /// A newer incarnation of the producer has written.
    Fenced,
    /// The topic was deleted meanwhile.
    Gone,
    /// The disk refused; nothing was written.
    Storage(io::Error),
}

/// Offsets of a partition at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub start: i64,
    pub end: i64,
}

#[derive(Debug)]
pub enum FetchError {
    OutOfRange,
    Gone,
    Storage(io::Error),
}

impl Partition {
    /// Opens what lies in `dir`, which need not exist; `note` is what [`Partition::close`] gave, if the stop was orderly.
    pub fn open(files: Arc<Files>, dir: PathBuf, index: i32, note: Option<&[u8]>) -> io::Result<Partition> {
        let found = recovery::open(&files, &dir, note)?;
        let synced_to = if note.is_some() { found.end_offset } else { -1 };
        let log = Log {
            segments: found.segments.into_iter().map(Arc::new).collect(),
            start_offset: found.start_offset,
            end_offset: found.end_offset,
            producers: found.producers,
            waiting: Vec::new(),
            is_gone: false,
            synced_to,
            unsynced_since_ms: 0,
            cleaned: Cleaned::read(&dir)?,
        };
        Ok(Partition { index, dir, files, log: Mutex::new(log), syncing: tokio::sync::Mutex::default() })
    }

    pub fn bounds(&self) -> Bounds {
        let log = self.log.lock();
        Bounds { start: log.start_offset, end: log.end_offset }
    }

    /// What its records take on disk.
    pub fn bytes(&self) -> u64 {
        self.log.lock().segments.iter().map(|segment| segment.bytes()).sum()
    }

    /// Stores one batch, whose `header` was read and checked, and wakes who waits for it. A batch that is stored
    /// already is answered with its old place.
    pub fn append(
        &self,
        batch: &[u8],
        header: &Header,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let stamped = config.stamps_append_time.then(|| batch::with_append_time(batch, now_ms));
        let batch = stamped.as_deref().unwrap_or(batch);
        let max_timestamp = if stamped.is_some() { now_ms } else { header.max_timestamp };

        let mut log = self.log.lock();
        if log.is_gone {
            return Err(AppendError::Gone);
        }
        let start_offset = log.start_offset;
        let time = |timestamp| if config.stamps_append_time { timestamp } else { -1 };
        if header.is_idempotent() {
            match log.producers.judge(header) {
                Verdict::Append => {}
                Verdict::Duplicate { base_offset, timestamp } => {
                    let unsynced = log.end_offset - log.synced_to;
                    return Ok(Appended { base_offset, append_time_ms: timestamp, start_offset, unsynced });
                }
                Verdict::Gap => return Err(AppendError::Gap),
                Verdict::Fenced => return Err(AppendError::Fenced),
            }
        }
        let header = Header { base_offset: log.end_offset, max_timestamp, ..*header };
        let segment = self.writable(&mut log, &header, config, now_ms).map_err(AppendError::Storage)?;
        let prelude = batch::stored_prelude(batch, header.base_offset);
        segment
            .append(&self.files, &prelude, batch, &header, config.index_interval, now_ms)
            .map_err(AppendError::Storage)?;
        if log.synced_to == log.end_offset {
            log.unsynced_since_ms = now_ms;
        }
        log.end_offset = header.last_offset() + 1;
        let unsynced = log.end_offset - log.synced_to;
        if header.is_idempotent() {
            log.producers.record(&header, now_ms);
        }
        let waiting = std::mem::take(&mut log.waiting);
        drop(log);
        for waiter in waiting {
            waiter.notify_one();
        }
        Ok(Appended { base_offset: header.base_offset, append_time_ms: time(now_ms), start_offset, unsynced })
    }

    /// Whole batches from the one that has `offset` on. Empty at the end of the log.
    pub fn read(&self, offset: i64, max_bytes: u64, at_least_one: bool) -> Result<(Bytes, Bounds), FetchError> {
        let mut from = offset;
        loop {
            let (bounds, segment, next) = {
                let log = self.log.lock();
                let bounds = Bounds { start: log.start_offset, end: log.end_offset };
                if log.is_gone {
                    return Err(FetchError::Gone);
                }
                if offset < bounds.start || offset > bounds.end {
                    return Err(FetchError::OutOfRange);
                }
                let at = log.segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
                match log.segments.get(at) {
                    Some(segment) if offset < bounds.end => {
                        (bounds, segment.clone(), log.segments.get(at + 1).map(|next| next.base))
                    }
                    Some(_) | None => return Ok((Bytes::new(), bounds)),
                }
            };
            let read = segment.read(&self.files, offset, max_bytes, at_least_one);
            if segment.is_stale() {
                continue;
            }
            match (read.map_err(FetchError::Storage)?, next) {
                (Some(bytes), _) => return Ok((bytes, bounds)),
                // Compaction has taken the end of this one.
                (None, Some(next)) => from = next,
                (None, None) => return Ok((Bytes::new(), bounds)),
            }
        }
    }

    /// Has `waiter` woken by the next append; false, and not registered, if there are records from `offset` on already.
    pub fn wait(&self, offset: i64, waiter: &Arc<Notify>) -> bool {
        let mut log = self.log.lock();
        if log.is_gone || log.end_offset > offset {
            return false;
        }
        log.waiting.push(waiter.clone());
        true
    }

    pub fn stop_waiting(&self, waiter: &Arc<Notify>) {
        self.log.lock().waiting.retain(|other| !Arc::ptr_eq(other, waiter));
    }

    /// How many wait for the next append.
    pub fn waiting(&self) -> usize {
        self.log.lock().waiting.len()
    }

    /// Offset and time of the first record not older than `timestamp`.
    pub fn find_time(&self, timestamp: i64) -> io::Result<Option<(i64, i64)>> {
        'again: loop {
            let (from, segments) = {
                let log = self.log.lock();
                (log.start_offset, log.segments.clone())
            };
            for segment in segments.iter().filter(|segment| segment.max_timestamp() >= timestamp) {
                let found = segment.find_time(&self.files, timestamp, from);
                if segment.is_stale() {
                    continue 'again;
                }
                if let Some(found) = found? {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
    }

    /// Offset and time of the record with the largest time.
    pub fn find_max_time(&self) -> io::Result<Option<(i64, i64)>> {
        let largest = self.log.lock().segments.iter().map(|segment| segment.max_timestamp()).max();
        match largest {
            Some(largest) => self.find_time(largest),
            None => Ok(None),
        }
    }

    /// Forgets the records before `offset` (-1: all) and answers the first one left; `None` if there is no such offset.
    pub fn delete_before(&self, offset: i64) -> io::Result<Option<i64>> {
        let mut log = self.log.lock();
        let offset = if offset == -1 { log.end_offset } else { offset };
        if offset < 0 || offset > log.end_offset {
            return Ok(None);
        }
        if offset > log.start_offset {
            std::fs::create_dir_all(&self.dir)?;
            recovery::write_start(&self.dir, offset)?;
            log.start_offset = offset;
            let count = log.segments.iter().skip(1).take_while(|next| next.base <= offset).count();
            self.drop_first(&mut log, count);
        }
        Ok(Some(log.start_offset))
    }

    /// Refuses everything from now on; the directory may be removed.
    pub fn retire(&self) {
        let mut log = self.log.lock();
        log.is_gone = true;
        for segment in log.segments.drain(..) {
            segment.retire(&self.files);
        }
        for waiter in log.waiting.drain(..) {
            waiter.notify_one();
        }
    }

    /// Has the disk keep everything, and answers what the next start needs to know to read nothing; `None` if there is
    /// nothing to know.
    pub fn close(&self) -> io::Result<Option<Vec<u8>>> {
        if self.log.lock().is_gone {
            return Ok(None);
        }
        self.sync()?;
        let log = self.log.lock();
        let Some(active) = log.segments.last() else { return Ok(None) };
        Ok(Some(recovery::note(active.base, &active.tail(), log.end_offset, &log.producers)))
    }

    /// The segment that takes the next batch: the active one, or a new one if that is full or old.
    fn writable(&self, log: &mut Log, next: &Header, config: &LogConfig, now_ms: i64) -> io::Result<Arc<Segment>> {
        if let Some(active) = log.segments.last() {
            let bytes = active.bytes();
            let is_full = bytes + next.bytes as u64 > config.segment_bytes;
            let is_old = now_ms.saturating_sub(active.begun_ms()) > config.segment_ms;
            if bytes == 0 || !(is_full || is_old) {
                return Ok(active.clone());
            }
        }
        self.roll(log, now_ms)
    }

    /// Begins a segment at the end of the log. The one before is sealed by the next round of upkeep.
    pub(super) fn roll(&self, log: &mut Log, now_ms: i64) -> io::Result<Arc<Segment>> {
        let base = log.end_offset;
        if !log.segments.is_empty() {
            log.producers.forget_silent(now_ms);
            recovery::write_producers(&self.dir, base, &log.producers)?;
        }
        let segment = Arc::new(Segment::begin(&self.files, &self.dir, base)?);
        log.segments.push(segment.clone());
        Ok(segment)
    }

    /// Takes the oldest `count` segments away; the log begins after them.
    pub(super) fn drop_first(&self, log: &mut Log, count: usize) {
        for segment in log.segments.drain(..count) {
            segment.remove(&self.files);
        }
        if let Some(first) = log.segments.first() {
            log.start_offset = log.start_offset.max(first.base);
        }
    }
}
