//! One partition: appends one at a time under a short lock, reads without it, and who waits for the next append.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::batch::{self, Header};
use super::disk::Files;
use super::producers::{Producers, Verdict};
use super::recovery;
use super::segment::{Segment, Tail};

/// The settings of a topic that its log obeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogConfig {
    pub(crate) segment_bytes: u64,
    pub(crate) segment_ms: i64,
    pub(crate) index_interval: u64,
    pub(crate) max_message_bytes: usize,
    pub(crate) timestamp_before_max_ms: i64,
    pub(crate) timestamp_after_max_ms: i64,
    /// `message.timestamp.type=LogAppendTime`
    pub(crate) stamps_append_time: bool,
    /// `cleanup.policy` contains `compact`: records need keys.
    pub(crate) is_compacted: bool,
    /// `cleanup.policy` contains `delete`: old records, and records by order, may go.
    pub(crate) deletes: bool,
}

#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) index: i32,
    dir: PathBuf,
    files: Arc<Files>,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    /// In order; the last one is written to. Empty until the first append.
    segments: Vec<Arc<Segment>>,
    start_offset: i64,
    end_offset: i64,
    producers: Producers,
    /// Woken, all of them, by the next append; then they look again.
    waiting: Vec<Arc<Notify>>,
    /// The topic was deleted.
    is_gone: bool,
    /// The disk may not have all of the active segment.
    is_unsynced: bool,
}

/// Where a batch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// The broker's time if the topic stamps it, else -1.
    pub(crate) append_time_ms: i64,
    pub(crate) start_offset: i64,
}

#[derive(Debug)]
pub(crate) enum AppendError {
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
pub(crate) struct Bounds {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

#[derive(Debug)]
pub(crate) enum FetchError {
    OutOfRange(Bounds),
    Gone,
    Storage(io::Error),
}

impl Partition {
    /// Opens what lies in `dir`, which need not exist; `note` is what [`Partition::close`] gave, if the stop was orderly.
    pub(crate) fn open(files: Arc<Files>, dir: PathBuf, index: i32, note: Option<&[u8]>) -> io::Result<Partition> {
        let found = recovery::open(&files, &dir, note)?;
        let log = Log {
            segments: found.segments.into_iter().map(Arc::new).collect(),
            start_offset: found.start_offset,
            end_offset: found.end_offset,
            producers: found.producers,
            waiting: Vec::new(),
            is_gone: false,
            is_unsynced: note.is_none(),
        };
        Ok(Partition { index, dir, files, log: Mutex::new(log) })
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let log = self.log.lock();
        Bounds { start: log.start_offset, end: log.end_offset }
    }

    /// Stores one batch, whose `header` was read and checked, and wakes who waits for it. A batch that is stored
    /// already is answered with its old place.
    pub(crate) fn append(
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
                    return Ok(Appended { base_offset, append_time_ms: time(timestamp), start_offset });
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
        log.end_offset = header.last_offset() + 1;
        log.is_unsynced = true;
        if header.is_idempotent() {
            log.producers.record(&header, now_ms);
        }
        let waiting = std::mem::take(&mut log.waiting);
        drop(log);
        for waiter in waiting {
            waiter.notify_one();
        }
        Ok(Appended { base_offset: header.base_offset, append_time_ms: time(now_ms), start_offset })
    }

    /// Whole batches from the one that has `offset` on. Empty at the end of the log.
    pub(crate) fn read(&self, offset: i64, max_bytes: u64, at_least_one: bool) -> Result<(Bytes, Bounds), FetchError> {
        let (bounds, segments) = {
            let log = self.log.lock();
            let bounds = Bounds { start: log.start_offset, end: log.end_offset };
            if log.is_gone {
                return Err(FetchError::Gone);
            }
            if offset < bounds.start || offset > bounds.end {
                return Err(FetchError::OutOfRange(bounds));
            }
            if offset == bounds.end {
                return Ok((Bytes::new(), bounds));
            }
            let first = log.segments.partition_point(|segment| segment.base <= offset).saturating_sub(1);
            // The next one as well, should compaction have taken the end of the first.
            (bounds, [log.segments.get(first).cloned(), log.segments.get(first + 1).cloned()])
        };
        for segment in segments.into_iter().flatten() {
            let bytes = segment.read(&self.files, offset, max_bytes, at_least_one).map_err(FetchError::Storage)?;
            if !bytes.is_empty() {
                return Ok((bytes, bounds));
            }
        }
        Ok((Bytes::new(), bounds))
    }

    /// Has `waiter` woken by the next append; false, and not registered, if there are records from `offset` on already.
    pub(crate) fn wait(&self, offset: i64, waiter: &Arc<Notify>) -> bool {
        let mut log = self.log.lock();
        if log.is_gone || log.end_offset > offset {
            return false;
        }
        log.waiting.push(waiter.clone());
        true
    }

    pub(crate) fn stop_waiting(&self, waiter: &Arc<Notify>) {
        self.log.lock().waiting.retain(|other| !Arc::ptr_eq(other, waiter));
    }

    /// Offset and time of the first record not older than `timestamp`.
    pub(crate) fn find_time(&self, timestamp: i64) -> io::Result<Option<(i64, i64)>> {
        let (from, segments) = {
            let log = self.log.lock();
            (log.start_offset, log.segments.clone())
        };
        for segment in segments.iter().filter(|segment| segment.max_timestamp() >= timestamp) {
            if let Some(found) = segment.find_time(&self.files, timestamp, from)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Offset and time of the record with the largest time.
    pub(crate) fn find_max_time(&self) -> io::Result<Option<(i64, i64)>> {
        let largest = self.log.lock().segments.iter().map(|segment| segment.max_timestamp()).max();
        match largest {
            Some(largest) => self.find_time(largest),
            None => Ok(None),
        }
    }

    /// Forgets the records before `offset` (-1: all) and answers the first one left; `None` if there is no such offset.
    pub(crate) fn delete_before(&self, offset: i64) -> io::Result<Option<i64>> {
        let mut log = self.log.lock();
        let offset = if offset == -1 { log.end_offset } else { offset };
        if offset < 0 || offset > log.end_offset {
            return Ok(None);
        }
        if offset > log.start_offset {
            std::fs::create_dir_all(&self.dir)?;
            recovery::write_start(&self.dir, offset)?;
            log.start_offset = offset;
            while log.segments.len() > 1 && log.segments[1].base <= offset {
                log.segments.remove(0).remove(&self.files);
            }
        }
        Ok(Some(log.start_offset))
    }

    /// Refuses everything from now on; the directory may be removed.
    pub(crate) fn retire(&self) {
        let mut log = self.log.lock();
        log.is_gone = true;
        for segment in log.segments.drain(..) {
            segment.close(&self.files);
        }
        for waiter in log.waiting.drain(..) {
            waiter.notify_one();
        }
    }

    /// Has the disk keep the active segment, and answers what the next start needs to know to read nothing; `None` if
    /// there is nothing to know.
    pub(crate) fn close(&self) -> io::Result<Option<Vec<u8>>> {
        let mut log = self.log.lock();
        let Some(active) = log.segments.last().filter(|_| !log.is_gone).cloned() else { return Ok(None) };
        if log.is_unsynced {
            active.sync(&self.files)?;
            log.is_unsynced = false;
        }
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
            active.seal()?;
            log.producers.forget_silent(now_ms);
            recovery::write_producers(&self.dir, next.base_offset, &log.producers)?;
        } else {
            std::fs::create_dir_all(&self.dir)?;
        }
        let segment = Arc::new(Segment::new(&self.files, &self.dir, next.base_offset, Tail::empty()));
        log.segments.push(segment.clone());
        Ok(segment)
    }
}
