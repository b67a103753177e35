//! One partition: appends one at a time under a short lock, reads without it, and who waits for the next append.
//!
//! Locks, in the order in which they are taken: `changing_files` (who removes or replaces segments: retention, deletion of
//! records, the end of a compaction), `syncing` (who waits for the disk), `log` (everybody, never across a sync or a
//! removal; except that a segment is begun under it).

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::batch::{self, Header};
use crate::checkpoint::{CleanerCheckpoint, ShutdownCheckpoint};
use crate::config::LogConfig;
use crate::file_cache::FileCache;
use crate::producers::{ProducerStates, SequenceCheck};
use crate::recovery;
use crate::segment::Segment;

/// A segment can be replaced while it is read, once per round of compaction. So often in one read is a fault of ours.
const MAX_STALE_READS: usize = 100;

/// A partition's log.
#[derive(Debug)]
pub struct Partition {
    /// Its number in the topic.
    pub index: i32,
    pub(crate) dir: PathBuf,
    pub(crate) files: Arc<FileCache>,
    pub(crate) log: Mutex<Log>,
    pub(crate) syncing: Mutex<()>,
    pub(crate) changing_files: Mutex<()>,
}

#[derive(Debug)]
pub(crate) struct Log {
    /// In order; the last one is written to. Empty until the first append.
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) start_offset: i64,
    pub(crate) end_offset: i64,
    pub(crate) producers: ProducerStates,
    /// Called, all of them, by the next append; then they look again.
    listeners: Vec<Arc<dyn AppendListener>>,
    pub(crate) state: State,
    /// What failed the last time it was tried, and so is not logged again.
    is_failing: [bool; 2],
    /// The disk has everything before this offset.
    pub(crate) synced_to: i64,
    /// When the first batch came that it may not have.
    pub(crate) unsynced_since_ms: i64,
    pub(crate) unsynced_names: UnsyncedNames,
    pub(crate) cleaner: CleanerCheckpoint,
}

/// Whether a partition takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Online,
    /// The disk failed to keep what it was given. What it is known to have is served, nothing is taken.
    Offline,
    Deleted,
}

/// Which directories have names that the disk may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnsyncedNames {
    /// The partition's own: a segment was begun. Counted, so that a sync knows what it covers.
    pub(crate) own: u64,
    pub(crate) own_synced: u64,
    /// The one above: the partition's directory was made.
    pub(crate) above: bool,
}

impl UnsyncedNames {
    pub(crate) fn any(&self) -> bool {
        self.own != self.own_synced || self.above
    }
}

/// What can fail again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Append,
    Maintenance,
}

/// Called by the next append, under no lock, on the thread that appends.
pub trait AppendListener: fmt::Debug + Send + Sync {
    /// There are new records, or none will come any more.
    fn appended(&self);
}

/// Where a batch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: i64,
    /// The broker's time if the topic stamps it, else -1; of a duplicate the batch's largest time, as Apache Kafka answers.
    pub append_time_ms: i64,
    /// Where the log begins.
    pub start_offset: i64,
    /// Offsets that the disk may not have yet, this batch's included.
    pub unsynced: i64,
}

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The producer skipped a batch, or believes to have lost one.
    #[error("the sequence is not the next one of its producer")]
    OutOfOrderSequence,
    /// A newer incarnation of the producer has written.
    #[error("a newer epoch of the producer has written")]
    InvalidProducerEpoch,
    /// The topic was deleted meanwhile.
    #[error("the topic was deleted")]
    Deleted,
    /// The disk failed earlier; nothing is taken until the next start.
    #[error("the partition is offline")]
    Offline,
    /// The disk refused, nothing was written; the next append may succeed. Logged here.
    #[error(transparent)]
    Storage(io::Error),
}

/// Offsets of a partition at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// The first offset there is.
    pub start: i64,
    /// The offset of the next record.
    pub end: i64,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The offset is before the first or behind the last one.
    #[error("there is no such offset")]
    OutOfRange,
    /// The topic was deleted meanwhile.
    #[error("the topic was deleted")]
    Deleted,
    /// The disk failed earlier, and is not known to have this offset.
    #[error("the partition is offline")]
    Offline,
    /// The disk refused.
    #[error(transparent)]
    Storage(io::Error),
}

impl Log {
    /// What may be served.
    fn readable(&self) -> OffsetRange {
        let end = match self.state {
            State::Online | State::Deleted => self.end_offset,
            State::Offline => self.synced_to.max(self.start_offset),
        };
        OffsetRange { start: self.start_offset, end }
    }
}

impl Partition {
    /// Opens what lies in `dir`, which need not exist; `checkpoint` is what [`Partition::close`] gave, if the stop was
    /// orderly. Blocks on files.
    ///
    /// # Errors
    /// The disk refuses; or what is there is damaged, then the text names the file and what can be done.
    pub fn open(files: Arc<FileCache>, dir: PathBuf, index: i32, checkpoint: Option<&[u8]>) -> io::Result<Partition> {
        let found = recovery::open(&files, &dir, checkpoint)?;
        let is_empty = found.segments.is_empty();
        let synced_to = if found.is_synced || is_empty { found.end_offset } else { -1 };
        let names = u64::from(!found.is_synced && !is_empty);
        let log = Log {
            segments: found.segments.into_iter().map(Arc::new).collect(),
            start_offset: found.start_offset,
            end_offset: found.end_offset,
            producers: found.producers,
            listeners: Vec::new(),
            state: State::Online,
            is_failing: [false; 2],
            synced_to,
            unsynced_since_ms: 0,
            unsynced_names: UnsyncedNames { own: names, own_synced: 0, above: names > 0 },
            cleaner: CleanerCheckpoint::read(files.fs(), &dir)?,
        };
        let (syncing, changing_files) = (Mutex::default(), Mutex::default());
        Ok(Partition { index, dir, files, log: Mutex::new(log), syncing, changing_files })
    }

    /// The offsets that can be read.
    pub fn offset_range(&self) -> OffsetRange {
        self.log.lock().readable()
    }

    /// What its records take on disk.
    pub fn bytes(&self) -> u64 {
        self.log.lock().segments.iter().map(|segment| segment.bytes()).sum()
    }

    /// The largest id of the producers that are remembered. New ids have to be larger, or the batches of a new producer
    /// would be taken for duplicates of an old one's.
    pub fn max_producer_id(&self) -> Option<i64> {
        self.log.lock().producers.max_id()
    }

    /// Stores one batch, whose `header` was read and checked, and calls who listens for it. A batch that is stored already
    /// is answered with its old place. The operating system has the batch when this returns; see [`Partition::sync_to`].
    ///
    /// # Errors
    /// See [`AppendError`]; nothing was stored.
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
        match log.state {
            State::Online => {}
            State::Offline => return Err(AppendError::Offline),
            State::Deleted => return Err(AppendError::Deleted),
        }
        let start_offset = log.start_offset;
        let time = |timestamp| if config.stamps_append_time { timestamp } else { -1 };
        if header.is_idempotent() {
            match log.producers.check_sequence(header) {
                SequenceCheck::InOrder => {}
                SequenceCheck::Duplicate { base_offset, timestamp } => {
                    let unsynced = log.end_offset - log.synced_to;
                    return Ok(Appended { base_offset, append_time_ms: timestamp, start_offset, unsynced });
                }
                SequenceCheck::OutOfOrder => return Err(AppendError::OutOfOrderSequence),
                SequenceCheck::OldEpoch => return Err(AppendError::InvalidProducerEpoch),
            }
        }
        let header = Header { base_offset: log.end_offset, max_timestamp, ..*header };
        let stored = self.writable(&mut log, &header, config, now_ms).and_then(|segment| {
            let prelude = batch::stored_prelude(batch, header.base_offset);
            segment.append(&self.files, &prelude, batch, &header, config.index_interval_bytes, now_ms)
        });
        if let Err(error) = stored {
            self.failed(&mut log, Activity::Append, "a batch could not be stored", &error);
            return Err(AppendError::Storage(error));
        }
        self.succeeded(&mut log, Activity::Append);
        if log.synced_to == log.end_offset {
            log.unsynced_since_ms = now_ms;
        }
        log.end_offset = header.last_offset() + 1;
        let unsynced = log.end_offset - log.synced_to;
        if header.is_idempotent() {
            log.producers.update(&header, now_ms);
        }
        let listeners = std::mem::take(&mut log.listeners);
        drop(log);
        for listener in listeners {
            listener.appended();
        }
        Ok(Appended { base_offset: header.base_offset, append_time_ms: time(now_ms), start_offset, unsynced })
    }

    /// Whole batches from the one that has `offset` on. Empty at the end of the log. Blocks on files.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub fn read(&self, offset: i64, max_bytes: u64, at_least_one: bool) -> Result<(Bytes, OffsetRange), FetchError> {
        let mut from = offset;
        let mut stale_reads = 0;
        loop {
            let (range, segment, next, state) = {
                let log = self.log.lock();
                let range = log.readable();
                if log.state == State::Deleted {
                    return Err(FetchError::Deleted);
                }
                if offset < range.start || offset > log.end_offset {
                    return Err(FetchError::OutOfRange);
                }
                if log.state == State::Offline && offset >= range.end {
                    return Err(FetchError::Offline);
                }
                let at = log.segments.partition_point(|segment| segment.base() <= from).saturating_sub(1);
                match log.segments.get(at) {
                    Some(segment) if offset < range.end => {
                        (range, segment.clone(), log.segments.get(at + 1).map(|next| next.base()), log.state)
                    }
                    Some(_) | None => return Ok((Bytes::new(), range)),
                }
            };
            let read = segment.read(&self.files, offset, max_bytes, at_least_one);
            if segment.is_stale() {
                stale_reads += 1;
                if stale_reads > MAX_STALE_READS {
                    return Err(FetchError::Storage(replaced_too_often()));
                }
                continue;
            }
            match (read.map_err(FetchError::Storage)?, next) {
                (Some(bytes), _) if state == State::Offline => return Ok((batch::before(bytes, range.end), range)),
                (Some(bytes), _) => return Ok((bytes, range)),
                // Compaction has taken the end of this one.
                (None, Some(next)) => from = next,
                (None, None) => return Ok((Bytes::new(), range)),
            }
        }
    }

    /// Has `listener` called by the next append; false, and not registered, if there are records from `offset` on already.
    pub fn listen(&self, offset: i64, listener: &Arc<dyn AppendListener>) -> bool {
        let mut log = self.log.lock();
        if log.state != State::Online || log.end_offset > offset {
            return false;
        }
        log.listeners.push(listener.clone());
        true
    }

    /// Takes back [`Partition::listen`].
    pub fn stop_listening(&self, listener: &Arc<dyn AppendListener>) {
        self.log.lock().listeners.retain(|other| !Arc::ptr_eq(other, listener));
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.log.lock().listeners.len()
    }

    /// Offset and time of the first record not older than `timestamp`. Blocks on files.
    ///
    /// # Errors
    /// [`FetchError::Deleted`], [`FetchError::Storage`]; [`FetchError::Offline`] if the partition is offline.
    pub fn find_time(&self, timestamp: i64) -> Result<Option<(i64, i64)>, FetchError> {
        'again: for _ in 0..MAX_STALE_READS {
            let (from, segments) = {
                let log = self.log.lock();
                match log.state {
                    State::Online => {}
                    State::Offline => return Err(FetchError::Offline),
                    State::Deleted => return Err(FetchError::Deleted),
                }
                (log.start_offset, log.segments.clone())
            };
            for segment in segments.iter().filter(|segment| segment.max_timestamp() >= timestamp) {
                let found = segment.find_time(&self.files, timestamp, from);
                if segment.is_stale() {
                    continue 'again;
                }
                if let Some(found) = found.map_err(FetchError::Storage)? {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
        Err(FetchError::Storage(replaced_too_often()))
    }

    /// Offset and time of the record with the largest time. Blocks on files.
    ///
    /// # Errors
    /// As of [`Partition::find_time`].
    pub fn find_max_time(&self) -> Result<Option<(i64, i64)>, FetchError> {
        let largest = self.log.lock().segments.iter().map(|segment| segment.max_timestamp()).max();
        match largest {
            Some(largest) => self.find_time(largest),
            None => Ok(None),
        }
    }

    /// Forgets the records before `offset` (-1: all) and answers the first one left; `None` if there is no such offset. The
    /// disk knows it when this returns. Blocks on files.
    ///
    /// # Errors
    /// The disk refuses; the records may be there still.
    pub fn delete_before(&self, offset: i64) -> io::Result<Option<i64>> {
        let _changing_files = self.changing_files.lock();
        let offset = {
            let log = self.log.lock();
            self.check_online(&log)?;
            let offset = if offset == -1 { log.end_offset } else { offset };
            if offset < 0 || offset > log.end_offset {
                return Ok(None);
            }
            if offset <= log.start_offset {
                return Ok(Some(log.start_offset));
            }
            offset
        };
        self.begin_at(offset)?;
        Ok(Some(self.log.lock().start_offset))
    }

    /// Refuses everything from now on; when this returns no file is open or being changed, and the directory may be removed.
    /// Blocks on files.
    pub fn retire(&self) {
        let _changing_files = self.changing_files.lock();
        let _syncing = self.syncing.lock();
        let mut log = self.log.lock();
        log.state = State::Deleted;
        for segment in log.segments.drain(..) {
            segment.mark_stale(&self.files);
        }
        let listeners = std::mem::take(&mut log.listeners);
        drop(log);
        for listener in listeners {
            listener.appended();
        }
    }

    /// Has the disk keep everything, and answers the checkpoint with which the next start needs to read nothing; `None` if
    /// there is nothing to know. Blocks on files.
    ///
    /// # Errors
    /// The disk refuses; then the next start has to read.
    pub fn close(&self) -> io::Result<Option<Vec<u8>>> {
        {
            let log = self.log.lock();
            if log.state != State::Online {
                return Ok(None);
            }
            if let Some(active) = log.segments.last() {
                active.cut_torn_end(&self.files)?;
            }
        }
        self.sync()?;
        let log = self.log.lock();
        let Some(active) = log.segments.last() else { return Ok(None) };
        let checkpoint = ShutdownCheckpoint {
            segments: log.segments.len() as u32,
            total_bytes: log.segments.iter().map(|segment| segment.bytes()).sum(),
            active_base: active.base(),
            end_offset: log.end_offset,
            tail: active.tail(),
            producers: log.producers.clone(),
        };
        Ok(Some(checkpoint.encode()))
    }

    /// Has the log begin at `offset`, which is not behind its end, and removes what lies before. The start is on disk
    /// before files go, and never beyond what the disk has of the log: whatever a crash leaves, the rest is without gaps.
    /// The caller holds `changing_files`.
    pub(crate) fn begin_at(&self, offset: i64) -> io::Result<()> {
        self.sync()?;
        self.files.fs().create_dir_all(&self.dir)?;
        recovery::write_start(self.files.fs(), &self.dir, offset)?;
        self.sync_names()?;
        let removed: Vec<_> = {
            let mut log = self.log.lock();
            log.start_offset = log.start_offset.max(offset);
            let count = log.segments.iter().skip(1).take_while(|next| next.base() <= offset).count();
            log.segments.drain(..count).collect()
        };
        self.remove_segments(&removed);
        Ok(())
    }

    /// Removes the files of segments that are no longer in the log. What stays is removed by the next start.
    pub(crate) fn remove_segments(&self, removed: &[Arc<Segment>]) {
        for segment in removed {
            segment.mark_stale(&self.files);
            let producers = crate::segment::producers_path(&self.dir, segment.base());
            let gone = crate::fs::remove_if_exists(self.files.fs(), &producers)
                .and_then(|()| segment.remove_files(&self.files));
            if let Err(error) = gone {
                tracing::warn!(%error, "a segment's file could not be removed; the next start tries again");
            }
        }
    }

    /// The segment that takes the next batch: the active one, or a new one if that is full or old.
    fn writable(&self, log: &mut Log, next: &Header, config: &LogConfig, now_ms: i64) -> io::Result<Arc<Segment>> {
        if let Some(active) = log.segments.last() {
            let bytes = active.bytes();
            let is_full = bytes + next.bytes as u64 > config.segment_bytes;
            let is_old = now_ms.saturating_sub(active.created_ms()) > config.segment_ms;
            if bytes == 0 || !(is_full || is_old) {
                return Ok(active.clone());
            }
        }
        self.roll(log, now_ms)
    }

    /// Begins a segment at the end of the log. The one before is sealed by the next round of maintenance.
    ///
    /// The names of the segments so far are synced first: else a power failure could take one and leave the next, a gap in
    /// the middle. That costs nothing if maintenance has been here since the last one was begun.
    pub(crate) fn roll(&self, log: &mut Log, now_ms: i64) -> io::Result<Arc<Segment>> {
        let base = log.end_offset;
        match log.segments.last() {
            Some(active) => {
                active.cut_torn_end(&self.files)?;
                if log.unsynced_names.any() {
                    self.sync_names_of(log)?;
                }
                log.producers.expire(now_ms);
                recovery::write_producers(self.files.fs(), &self.dir, base, &log.producers)?;
            }
            None => log.unsynced_names.above = true,
        }
        log.unsynced_names.own += 1;
        let segment = Arc::new(Segment::create(&self.files, &self.dir, base)?);
        log.segments.push(segment.clone());
        Ok(segment)
    }

    pub(crate) fn check_online(&self, log: &Log) -> io::Result<()> {
        match log.state {
            State::Online => Ok(()),
            State::Offline => Err(io::Error::other(format!("{}: the partition is offline", self.dir.display()))),
            State::Deleted => Err(io::Error::other(format!("{}: the topic was deleted", self.dir.display()))),
        }
    }

    // === Failures, each logged once ===

    /// Logs the first of a row of failures that leave everything as it was.
    pub(crate) fn failed(&self, log: &mut Log, activity: Activity, what: &str, error: &io::Error) {
        let is_failing = &mut log.is_failing[activity as usize];
        if !*is_failing && log.state == State::Online {
            tracing::error!(dir = %self.dir.display(), %error, "{what}; further failures here are not logged");
            *is_failing = true;
        }
    }

    pub(crate) fn succeeded(&self, log: &mut Log, activity: Activity) {
        let is_failing = &mut log.is_failing[activity as usize];
        if std::mem::take(is_failing) {
            tracing::info!(dir = %self.dir.display(), "what failed before succeeds again: {activity:?}");
        }
    }

    /// Ends the service of a partition whose files the disk failed to keep: neither what it was given since the last sync
    /// nor a later sync can be believed.
    pub(crate) fn take_offline(&self, log: &mut Log, what: &str, error: io::Error) -> io::Error {
        if log.state == State::Online {
            log.state = State::Offline;
            let served_to = log.synced_to.max(log.start_offset);
            tracing::error!(
                dir = %self.dir.display(), %error, served_to,
                "{what}: the partition is offline until the next start. Records before the offset `served_to` are known to \
                 be on disk and served; those after it may be lost. Look after the disk before you start again"
            );
            for listener in log.listeners.drain(..) {
                listener.appended();
            }
        }
        error
    }
}

fn replaced_too_often() -> io::Error {
    io::Error::other("the segment was replaced again and again while it was read")
}
