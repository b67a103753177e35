//! Compaction: of each key the latest record stays, older ones and, after a time, tombstones go.
//!
//! A round learns the latest offset of each key in what is new since the last round, then writes the segments again
//! without the records that a later one replaces; small ones become one. Offsets stay; batches keep their codec and the
//! producer's numbers. The active segment is never touched, and nothing that the disk is not known to have.
//!
//! `<base>.compacted` is a segment being written; it is removed at the next start. How it takes the place of others is
//! `commit_replacement`.
//!
//! Source: Apache Kafka's documentation, "Log Compaction"; KIP-534 for tombstones.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use crate::batch::Header;
use crate::batch_reader::{BatchReader, Next};
use crate::checkpoint::CleanerCheckpoint;
use crate::config::LogConfig;
use crate::file_cache::FileCache;
use crate::fs::{self, File};
use crate::partition::{Partition, State};
use crate::records;
use crate::segment::{Compacted, Segment, SegmentName, Tail, producers_path};

/// Keys that one round learns; a log with more is compacted piece by piece.
const MAX_KEYS: usize = 1_000_000;

/// How much of a compacted segment is written at once.
const WRITE_BYTES: usize = 256 * 1024;

/// The latest offset of each key, by a hash of 128 bits whose secret nobody outside knows.
struct OffsetMap {
    offsets: HashMap<u128, i64>,
    hashers: [RandomState; 2],
    /// What lies from here on was not looked at.
    end: i64,
}

impl OffsetMap {
    fn hash(&self, key: &[u8]) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(key)));
        high << 64 | low
    }

    /// Learns the keys of `segment` from `from` on; false if there is no room for more.
    fn learn(&mut self, files: &FileCache, segment: &Segment, from: i64, max_keys: usize) -> io::Result<bool> {
        each_batch(files, segment, |header, batch| {
            if header.last_offset() < from {
                return Ok(true);
            }
            let Ok(body) = records::body(batch, header) else { return Ok(true) };
            let Ok(all) = records::all(&body, header) else { return Ok(true) };
            for record in all.iter().filter(|record| record.offset >= from) {
                let Some(key) = record.key else { continue };
                let hash = self.hash(key);
                if self.offsets.len() == max_keys && !self.offsets.contains_key(&hash) {
                    self.end = record.offset;
                    return Ok(false);
                }
                self.offsets.insert(hash, record.offset);
            }
            Ok(true)
        })
    }
}

/// The segments that a round may look at.
struct Cleanable {
    segments: Vec<Arc<Segment>>,
    /// Where each of them ends: the base of the next one.
    ends: Vec<i64>,
    /// The first of them with records that no round has seen.
    first_dirty: usize,
    checkpoint: CleanerCheckpoint,
}

impl Cleanable {
    /// Whether a round is due by the topic's settings.
    fn is_due(&self, config: &LogConfig, now_ms: i64) -> bool {
        let bytes = |segments: &[Arc<Segment>]| segments.iter().map(|segment| segment.bytes()).sum::<u64>();
        let dirty = &self.segments[self.first_dirty..];
        let dirty_ratio = bytes(dirty) as f64 / bytes(&self.segments).max(1) as f64;
        let is_late = dirty.first().is_some_and(|first| {
            first.bytes() > 0 && now_ms.saturating_sub(first.newest_ms()) > config.max_compaction_lag_ms
        });
        dirty_ratio > config.min_cleanable_dirty_ratio || is_late || self.checkpoint.delete_horizon_ms <= now_ms
    }
}

impl Partition {
    /// Compacts what there is to compact, if a round is due by the topic's settings. Blocks on files; one at a time.
    ///
    /// # Errors
    /// The disk refuses; what was not compacted is there as before.
    pub fn compact(&self, config: &LogConfig, now_ms: i64) -> io::Result<()> {
        self.compact_with_max_keys(config, now_ms, MAX_KEYS)
    }

    pub(crate) fn compact_with_max_keys(&self, config: &LogConfig, now_ms: i64, max_keys: usize) -> io::Result<()> {
        if !config.is_compacted {
            return Ok(());
        }
        let Some(Cleanable { segments, ends, first_dirty, checkpoint }) = self.cleanable(config, now_ms)? else {
            return Ok(());
        };
        // A record goes because of a later one: that has to stay, whatever happens.
        self.sync()?;
        // So have the producers' states: the batches from which they could be read again may go.
        let active_base = self.log.lock().segments.last().map_or(0, |active| active.base());
        self.sync_producers(active_base)?;

        let clean_to = checkpoint.clean_to;
        let mut latest = OffsetMap { offsets: HashMap::new(), hashers: Default::default(), end: clean_to };
        for (segment, end) in segments.iter().zip(&ends).skip(first_dirty) {
            if !latest.learn(&self.files, segment, clean_to, max_keys)? {
                break;
            }
            latest.end = *end;
        }
        let mut horizon_ms = i64::MAX;
        let count = segments.iter().take_while(|segment| segment.base() < latest.end).count();
        let mut at = 0;
        while at < count {
            match self.rewrite(&segments[at..count], &ends[at..], &latest, config, now_ms, &mut horizon_ms)? {
                0 => return Ok(()),
                taken => at += taken,
            }
        }
        let checkpoint = CleanerCheckpoint { clean_to: latest.end, delete_horizon_ms: horizon_ms };
        checkpoint.write(self.files.fs(), &self.dir)?;
        self.log.lock().cleaner = checkpoint;
        Ok(())
    }

    /// What a round may look at; nothing if none is due.
    fn cleanable(&self, config: &LogConfig, now_ms: i64) -> io::Result<Option<Cleanable>> {
        let mut log = self.log.lock();
        if log.state != State::Online {
            return Ok(None);
        }
        let is_late = |active: &Arc<Segment>| {
            active.bytes() > 0 && now_ms.saturating_sub(active.created_ms()) > config.max_compaction_lag_ms
        };
        if log.segments.last().is_some_and(is_late) {
            self.roll(&mut log, now_ms)?;
        }
        let is_old_enough =
            |segment: &&Arc<Segment>| now_ms.saturating_sub(segment.newest_ms()) >= config.min_compaction_lag_ms;
        let rolled = log.segments.len().saturating_sub(1);
        let segments: Vec<_> = log.segments[..rolled].iter().take_while(is_old_enough).cloned().collect();
        let ends: Vec<i64> = log.segments.iter().skip(1).map(|next| next.base()).collect();
        let checkpoint = log.cleaner;
        drop(log);
        let first_dirty = ends.iter().take(segments.len()).position(|end| *end > checkpoint.clean_to);
        let first_dirty = first_dirty.unwrap_or(segments.len());
        let cleanable = Cleanable { segments, ends, first_dirty, checkpoint };
        Ok(cleanable.is_due(config, now_ms).then_some(cleanable))
    }

    /// Writes the first of `segments`, as many as fit into one, without what may go; answers how many. None if somebody
    /// else has taken one of them away meanwhile: then nothing is changed.
    fn rewrite(
        &self,
        segments: &[Arc<Segment>],
        ends: &[i64],
        latest: &OffsetMap,
        config: &LogConfig,
        now_ms: i64,
        horizon_ms: &mut i64,
    ) -> io::Result<usize> {
        let path = self.dir.join(format!("{:020}.compacted", segments[0].base()));
        let mut out = Writer { file: self.files.fs().create(&path)?, pending: Vec::new() };
        let mut tail = Tail::empty();
        let mut taken = 0;
        for source in segments {
            if taken > 0 && tail.bytes + source.bytes() > config.segment_bytes {
                break;
            }
            let copied = each_batch(&self.files, source, |header, batch| {
                let Some(kept) = filtered(header, batch, latest, config, now_ms, horizon_ms)? else { return Ok(true) };
                out.write(&kept)?;
                let header = Header::read(&kept).map_err(|_| io::ErrorKind::InvalidData)?;
                tail.note(&header, config.index_interval_bytes, now_ms);
                Ok(true)
            });
            match copied {
                Err(_) if source.is_stale() => return Ok(0),
                copied => copied?,
            };
            taken += 1;
        }
        out.flush()?;
        // If this fails the file is of no use; the segments are there as before.
        out.file.sync()?;
        drop(out);
        let is_done = self.commit_replacement(&segments[..taken], ends[taken - 1], &path, tail)?;
        Ok(if is_done { taken } else { 0 })
    }

    /// Puts the segment that was written to `compacted`, and that the disk has, in the place of `group`, which reaches up to
    /// `end`. False, and nothing is changed, if one of the group is not in the log any more.
    fn commit_replacement(&self, group: &[Arc<Segment>], end: i64, compacted: &Path, tail: Tail) -> io::Result<bool> {
        // Nobody removes segments between steps 1 and 4.
        let _changing_files = self.changing_files.lock();
        let base = group[0].base();
        let generation = group.iter().filter_map(|segment| segment.name.compacted).map(|old| old.generation).max();
        let name = SegmentName { base, compacted: Some(Compacted { end, generation: generation.unwrap_or(0) + 1 }) };
        let segment = Arc::new(Segment::new(&self.files, &self.dir, name, tail));
        {
            let mut log = self.log.lock();
            let place = log.segments.iter().position(|segment| Arc::ptr_eq(segment, &group[0]));
            let Some(place) = place.filter(|at| {
                let there = log.segments[*at..].iter().zip(group);
                log.state == State::Online
                    && there.clone().count() == group.len()
                    && there.clone().all(|(a, b)| Arc::ptr_eq(a, b))
            }) else {
                return Ok(false);
            };
            // Step 1: the new segment gets its name. An error: it has none, the log is as it was. A crash: the disk has
            // the name or not; with it the next start removes the group (`SegmentName::supersedes`), without it the file.
            self.files.fs().rename(compacted, &name.log_path(&self.dir))?;
            // Step 2: readers find the new segment, its index in memory. Nothing here can fail.
            log.segments.splice(place..place + group.len(), [segment.clone()]);
        }
        for replaced in group {
            replaced.mark_stale(&self.files);
        }
        // Step 3: the name is made durable. An error: nobody knows which of both the disk has, so the partition goes
        // offline; the next start finds one of them, and both say the same. A crash: as in step 1.
        self.sync_names()?;
        // Step 4: the group's files go. An error or a crash: the next start removes the rest.
        for replaced in group {
            let producers = (replaced.base() != base).then(|| producers_path(&self.dir, replaced.base()));
            let gone = producers
                .map_or(Ok(()), |path| fs::remove_if_exists(self.files.fs(), &path))
                .and_then(|()| replaced.remove_files(&self.files));
            if let Err(error) = gone {
                tracing::warn!(%error, "a segment that compaction replaced could not be removed; the next start does");
            }
        }
        // Step 5: the index goes to its file. An error: it stays in memory. A crash: the next start makes it from the log.
        if let Err(error) = segment.seal(&self.files) {
            tracing::warn!(%error, "the index of a compacted segment could not be written; it stays in memory");
        }
        Ok(true)
    }
}

/// Appends to a file in larger pieces.
struct Writer {
    file: Arc<dyn File>,
    pending: Vec<u8>,
}

impl Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.append(&mut [IoSlice::new(&self.pending)])?;
        self.pending.clear();
        Ok(())
    }
}

/// What is left of a batch; `None` if nothing is. A batch that cannot be read into stays as it is.
fn filtered(
    header: &Header,
    batch: &[u8],
    latest: &OffsetMap,
    config: &LogConfig,
    now_ms: i64,
    horizon_ms: &mut i64,
) -> io::Result<Option<Vec<u8>>> {
    if header.base_offset >= latest.end {
        return Ok(Some(batch.to_vec()));
    }
    let unread = |error: io::Error| {
        tracing::warn!(offset = header.base_offset, %error, "a batch is left out of compaction");
        Ok(Some(batch.to_vec()))
    };
    let body = match records::body(batch, header) {
        Ok(body) => body,
        Err(error) => return unread(error),
    };
    let all = match records::all(&body, header) {
        Ok(all) => all,
        Err(error) => return unread(error),
    };
    let tombstones_go = header.delete_horizon().is_some_and(|horizon| horizon <= now_ms);
    let stays = |record: &&records::Record<'_>| {
        let replaced = |key| latest.offsets.get(&latest.hash(key)).is_some_and(|newest| *newest > record.offset);
        let is_latest = record.key.is_some_and(|key| !replaced(key));
        record.offset >= latest.end || is_latest && (record.has_value || !tombstones_go)
    };
    let kept: Vec<_> = all.iter().filter(stays).copied().collect();
    if kept.is_empty() {
        return Ok(None);
    }
    let mut until = header.delete_horizon();
    if kept.iter().any(|record| !record.has_value && record.offset < latest.end) {
        let until = *until.get_or_insert(now_ms.saturating_add(config.delete_retention_ms));
        *horizon_ms = until.min(*horizon_ms);
    }
    if kept.len() == all.len() && until == header.delete_horizon() {
        return Ok(Some(batch.to_vec()));
    }
    records::rebuild_with(batch, header, &kept, until).map(Some)
}

/// Reads a segment batch by batch until `visit` answers false; answers whether it never did.
fn each_batch(
    files: &FileCache,
    segment: &Segment,
    mut visit: impl FnMut(&Header, &[u8]) -> io::Result<bool>,
) -> io::Result<bool> {
    let mut reader = BatchReader::new(segment.open(files)?, 0, segment.bytes());
    loop {
        let position = reader.position();
        match reader.next()? {
            Next::Batch(header, batch) => {
                if !visit(&header, batch)? {
                    return Ok(false);
                }
            }
            Next::End => return Ok(true),
            Next::Damaged => {
                let text = format!("no valid batch at position {position} of a segment: it is not compacted");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
    }
}
