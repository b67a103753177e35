//! Compaction: of each key the latest record stays, older ones and, after a time, tombstones go.
//!
//! A round learns the latest offset of each key in what is new since the last round, then writes the segments again
//! without the records that a later one replaces; small ones become one. Offsets stay; batches keep their codec and the
//! producer's numbers. The active segment is never touched.
//!
//! ```text
//! <base>.compacted        being written; thrown away at the next start
//! <base>-<end>.replaced   whole: replaces the segments from <base> up to <end>, also at the next start
//! cleaned                 how far the last round went, and when the next tombstones may go
//! ```
//!
//! Source: Apache Kafka's documentation, "Log Compaction"; KIP-534 for tombstones.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::batch::{HEADER_BYTES, Header};
use super::disk::{self, Durability};
use super::partition::{LogConfig, Partition};
use super::segment::{self, Segment, Tail};
use super::{index, records, recovery};

/// Keys that one round learns; a log with more is compacted piece by piece.
const MOST_KEYS: usize = 1_000_000;

/// What former rounds left to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cleaned {
    /// Below this offset no record is replaced by another one below it.
    to: i64,
    /// When the first of the tombstones there may go.
    horizon: i64,
}

impl Cleaned {
    /// If this is lost, a round does more than it must.
    pub(super) fn read(dir: &Path) -> io::Result<Cleaned> {
        let contents = disk::read_whole(&dir.join("cleaned"))?.unwrap_or_default();
        let mut from = disk::Reader::new(&contents);
        let known = (|| Some(Cleaned { to: from.i64()?, horizon: from.i64()? }))();
        Ok(known.unwrap_or(Cleaned { to: 0, horizon: i64::MAX }))
    }

    fn write(&self, dir: &Path) -> io::Result<()> {
        let mut out = Vec::new();
        disk::put_i64(&mut out, self.to);
        disk::put_i64(&mut out, self.horizon);
        disk::write_whole(&dir.join("cleaned"), &out, Durability::Cached)
    }
}

/// The latest offset of each key, by a hash of 128 bits whose secret nobody outside knows.
struct Latest {
    offsets: HashMap<u128, i64>,
    hashers: [RandomState; 2],
    /// What lies from here on was not looked at.
    end: i64,
}

impl Latest {
    fn name(&self, key: &[u8]) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(key)));
        high << 64 | low
    }

    /// Learns the keys of `segment` from `from` on; false if there is no room for more.
    fn learn(&mut self, segment: &Segment, from: i64, most_keys: usize) -> io::Result<bool> {
        each_batch(segment, |header, batch| {
            if header.last_offset() < from {
                return Ok(true);
            }
            let Ok(body) = records::body(batch, header) else { return Ok(true) };
            let Ok(all) = records::all(&body, header) else { return Ok(true) };
            for record in all.iter().filter(|record| record.offset >= from) {
                let Some(key) = record.key else { continue };
                let name = self.name(key);
                if self.offsets.len() == most_keys && !self.offsets.contains_key(&name) {
                    self.end = record.offset;
                    return Ok(false);
                }
                self.offsets.insert(name, record.offset);
            }
            Ok(true)
        })
    }
}

impl Partition {
    /// Compacts what there is to compact, if it is worth it by the topic's settings. Blocks on files; one at a time.
    pub fn compact(&self, config: &LogConfig, now_ms: i64) -> io::Result<()> {
        self.compact_knowing(config, now_ms, MOST_KEYS)
    }

    pub(super) fn compact_knowing(&self, config: &LogConfig, now_ms: i64, most_keys: usize) -> io::Result<()> {
        if !config.is_compacted {
            return Ok(());
        }
        let (segments, ends, cleaned) = {
            let mut log = self.log.lock();
            let lag = |segment: &Segment| now_ms.saturating_sub(segment.begun_ms());
            let is_late = |active: &Arc<Segment>| active.bytes() > 0 && lag(active) > config.max_compaction_lag_ms;
            if log.segments.last().is_some_and(is_late) {
                self.roll(&mut log, now_ms)?;
            }
            let rests =
                |segment: &&Arc<Segment>| now_ms.saturating_sub(segment.newest_ms()) >= config.min_compaction_lag_ms;
            let sealed = log.segments.len().saturating_sub(1);
            let segments: Vec<_> = log.segments[..sealed].iter().take_while(rests).cloned().collect();
            let ends: Vec<i64> = log.segments.iter().skip(1).map(|next| next.base).collect();
            (segments, ends, log.cleaned)
        };
        let dirty = segments.iter().zip(&ends).position(|(_, end)| *end > cleaned.to).unwrap_or(segments.len());
        let bytes = |segments: &[Arc<Segment>]| segments.iter().map(|segment| segment.bytes()).sum::<u64>();
        let share = bytes(&segments[dirty..]) as f64 / bytes(&segments).max(1) as f64;
        let is_late = segments.get(dirty).is_some_and(|first| {
            first.bytes() > 0 && now_ms.saturating_sub(first.newest_ms()) > config.max_compaction_lag_ms
        });
        if !(share > config.min_dirty_ratio || is_late || cleaned.horizon <= now_ms) {
            return Ok(());
        }
        self.seal()?;

        let mut latest = Latest { offsets: HashMap::new(), hashers: Default::default(), end: cleaned.to };
        for (segment, end) in segments.iter().zip(&ends).skip(dirty) {
            if !latest.learn(segment, cleaned.to, most_keys)? {
                break;
            }
            latest.end = *end;
        }
        let mut horizon = i64::MAX;
        let count = segments.iter().take_while(|segment| segment.base < latest.end).count();
        let mut at = 0;
        while at < count {
            match self.rewrite(&segments[at..count], &ends[at..], &latest, config, now_ms, &mut horizon)? {
                0 => return Ok(()),
                taken => at += taken,
            }
        }
        let cleaned = Cleaned { to: latest.end, horizon };
        cleaned.write(&self.dir)?;
        self.log.lock().cleaned = cleaned;
        Ok(())
    }

    /// Writes the first of `segments`, as many as fit into one, without what may go; answers how many. None if somebody
    /// else has taken one of them away meanwhile: then nothing is changed.
    fn rewrite(
        &self,
        segments: &[Arc<Segment>],
        ends: &[i64],
        latest: &Latest,
        config: &LogConfig,
        now_ms: i64,
        horizon: &mut i64,
    ) -> io::Result<usize> {
        let base = segments[0].base;
        let path = segment::path(&self.dir, base, "compacted");
        let file = File::create(&path)?;
        let mut out = BufWriter::with_capacity(1 << 18, &file);
        let mut tail = Tail::empty();
        let mut taken = 0;
        for source in segments {
            if taken > 0 && tail.bytes + source.bytes() > config.segment_bytes {
                break;
            }
            let copied = each_batch(source, |header, batch| {
                let Some(kept) = filtered(header, batch, latest, config, now_ms, horizon)? else { return Ok(true) };
                out.write_all(&kept)?;
                let header = Header::read(&kept).map_err(|_| io::ErrorKind::InvalidData)?;
                tail.note(&header, config.index_interval, now_ms);
                Ok(true)
            });
            match copied {
                Err(_) if source.is_stale() => return Ok(0),
                copied => copied?,
            };
            taken += 1;
        }
        let (group, end) = (&segments[..taken], ends[taken - 1]);
        out.flush()?;
        drop(out);
        file.sync_all()?;

        let mut log = self.log.lock();
        let place = log.segments.iter().position(|segment| Arc::ptr_eq(segment, &group[0]));
        let is_there = |at: usize| {
            let found = log.segments.iter().skip(at).zip(group);
            found.clone().count() == group.len() && found.clone().all(|(a, b)| Arc::ptr_eq(a, b))
        };
        let Some(place) = place.filter(|at| !log.is_gone && is_there(*at)) else {
            // What is left of the file is cleared away at the next start, or written over by the next round.
            return Ok(0);
        };
        let whole = self.dir.join(format!("{base:020}-{end:020}.replaced"));
        std::fs::rename(&path, &whole)?;
        disk::sync_dir(&self.dir)?;
        // From here on there is no way back: the next start would do the same.
        group.iter().for_each(|segment| segment.retire(&self.files));
        if let Err(error) = recovery::replace(&self.dir, &whole, base, end) {
            tracing::error!(path = %whole.display(), %error, "compaction is stuck: the partition is away until the next start");
            log.is_gone = true;
            return Err(error);
        }
        index::write(
            &segment::path(&self.dir, base, "index"),
            tail.entries.as_deref().unwrap_or_default(),
            tail.max_timestamp,
        )?;
        let segment = Arc::new(Segment::new(&self.files, &self.dir, base, Tail { entries: None, ..tail }));
        log.segments.splice(place..place + group.len(), [segment]);
        Ok(taken)
    }
}

/// What is left of a batch; `None` if nothing is. A batch that cannot be read into stays as it is.
fn filtered(
    header: &Header,
    batch: &[u8],
    latest: &Latest,
    config: &LogConfig,
    now_ms: i64,
    horizon: &mut i64,
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
        let replaced = |key| latest.offsets.get(&latest.name(key)).is_some_and(|newest| *newest > record.offset);
        let is_latest = record.key.is_some_and(|key| !replaced(key));
        record.offset >= latest.end || is_latest && (record.has_value || !tombstones_go)
    };
    let kept: Vec<_> = all.iter().filter(stays).copied().collect();
    if kept.is_empty() {
        return Ok(None);
    }
    let mut until = header.delete_horizon();
    if kept.iter().any(|record| !record.has_value && record.offset < latest.end) {
        let until = *until.get_or_insert(now_ms.saturating_add(config.tombstones_kept_ms));
        *horizon = until.min(*horizon);
    }
    if kept.len() == all.len() && until == header.delete_horizon() {
        return Ok(Some(batch.to_vec()));
    }
    records::keep_only(batch, header, &kept, until).map(Some)
}

/// Reads a segment batch by batch until `visit` answers false; answers whether it never did.
fn each_batch(segment: &Segment, mut visit: impl FnMut(&Header, &[u8]) -> io::Result<bool>) -> io::Result<bool> {
    let mut left = segment.bytes();
    let mut reader = io::BufReader::with_capacity(1 << 18, File::open(segment.path())?);
    let mut batch = Vec::new();
    while left > 0 {
        batch.resize(HEADER_BYTES, 0);
        reader.read_exact(&mut batch)?;
        let header = Header::read(&batch).map_err(|_| io::ErrorKind::InvalidData)?;
        batch.resize(header.bytes, 0);
        reader.read_exact(&mut batch[HEADER_BYTES..])?;
        if !visit(&header, &batch)? {
            return Ok(false);
        }
        left = left.checked_sub(header.bytes as u64).ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(true)
}
