//! What a partition's directory holds when the process starts: after an orderly stop as it was written down, else by
//! reading: a torn tail is cut off, a torn index rebuilt, the producers' sequences replayed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

use super::batch::{self, HEADER_BYTES, Header};
use super::disk::{self, Durability, Files};
use super::index::{self, Entry};
use super::producers::Producers;
use super::segment::{self, Segment, Tail};

/// A partition's log as found.
pub(super) struct Found {
    pub(super) segments: Vec<Segment>,
    pub(super) producers: Producers,
    pub(super) start_offset: i64,
    pub(super) end_offset: i64,
}

/// The index interval when an index is rebuilt; the topic's own setting need not be known for that.
const REBUILT_INTERVAL: u64 = 4096;

/// `note` is what [`note`] gave at the last stop, if that was orderly.
pub(super) fn open(files: &Files, dir: &Path, note: Option<&[u8]>) -> io::Result<Found> {
    finish_compaction(dir)?;
    let mut bases = bases(dir)?;
    let mut found = Found { segments: Vec::new(), producers: Producers::default(), start_offset: 0, end_offset: 0 };
    let Some((active, sealed)) = bases.split_last().map(|(active, sealed)| (*active, sealed.to_vec())) else {
        found.start_offset = read_start(dir)?.unwrap_or(0);
        found.end_offset = found.start_offset;
        return Ok(found);
    };
    for (at, &base) in sealed.iter().enumerate() {
        match sealed_tail(dir, base, bases[at + 1])? {
            Sealed::Whole(tail) => found.segments.push(Segment::new(files, dir, base, tail)),
            Sealed::Torn => {
                // The disk lost what it had not been told to keep; what came after the hole does not count.
                for base in bases.drain(at + 1..) {
                    remove(dir, base)?;
                }
                return open(files, dir, None);
            }
        }
    }
    let noted = match note {
        Some(note) => read_note(note, dir, active)?,
        None => None,
    };
    let (tail, end_offset, producers) = match noted {
        Some(noted) => noted,
        None => {
            let mut producers = producers_before(dir, &bases)?;
            let (tail, end_offset) = replay(dir, active, i64::MAX, &mut producers)?;
            (tail, end_offset, producers)
        }
    };
    found.segments.push(Segment::new(files, dir, active, tail));
    found.producers = producers;
    found.end_offset = end_offset;
    found.start_offset = read_start(dir)?.unwrap_or(0).max(bases[0]).min(end_offset);
    Ok(found)
}

/// What [`open`] needs to know after an orderly stop, to read nothing.
pub(super) fn note(base: i64, tail: &Tail, end_offset: i64, producers: &Producers) -> Vec<u8> {
    let mut out = Vec::new();
    disk::put_i64(&mut out, base);
    disk::put_i64(&mut out, tail.bytes as i64);
    disk::put_i64(&mut out, end_offset);
    disk::put_i64(&mut out, tail.max_timestamp);
    disk::put_i64(&mut out, tail.begun_ms);
    disk::put_i64(&mut out, tail.bytes_since_entry as i64);
    let entries = tail.entries.as_deref().unwrap_or_default();
    disk::put_u32(&mut out, entries.len() as u32);
    for entry in entries {
        disk::put_i64(&mut out, entry.offset);
        disk::put_i64(&mut out, entry.position as i64);
        disk::put_i64(&mut out, entry.max_timestamp_before);
    }
    producers.encode(&mut out);
    out
}

/// The note as it was made; `None` if the log is not as the note says.
fn read_note(note: &[u8], dir: &Path, active: i64) -> io::Result<Option<(Tail, i64, Producers)>> {
    let length = std::fs::metadata(segment::path(dir, active, "log"))?.len();
    let mut from = disk::Reader::new(note);
    Ok((|| {
        if from.i64()? != active || from.i64()? as u64 != length {
            return None;
        }
        let end_offset = from.i64()?;
        let (max_timestamp, begun_ms, bytes_since_entry) = (from.i64()?, from.i64()?, from.i64()? as u64);
        let mut entries = Vec::new();
        for _ in 0..from.u32()? {
            entries.push(Entry {
                offset: from.i64()?,
                position: from.i64()? as u64,
                max_timestamp_before: from.i64()?,
            });
        }
        let tail =
            Tail { bytes: length, max_timestamp, begun_ms, entries: Some(entries), bytes_since_entry, is_torn: false };
        Some((tail, end_offset, Producers::decode(&mut from)?))
    })())
}

pub(super) fn write_start(dir: &Path, offset: i64) -> io::Result<()> {
    disk::write_whole(&dir.join("start"), &offset.to_be_bytes(), Durability::Synced)
}

fn read_start(dir: &Path) -> io::Result<Option<i64>> {
    let contents = disk::read_whole(&dir.join("start"))?;
    Ok(contents.and_then(|contents| Some(i64::from_be_bytes(contents.try_into().ok()?))))
}

pub(super) fn write_producers(dir: &Path, base: i64, producers: &Producers) -> io::Result<()> {
    let mut out = Vec::new();
    producers.encode(&mut out);
    disk::write_whole(&segment::path(dir, base, "producers"), &out, Durability::Cached)
}

/// The first offsets of the segments there are, in order.
fn bases(dir: &Path) -> io::Result<Vec<i64>> {
    let mut bases = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bases),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        let base = name.to_str().and_then(|name| name.strip_suffix(".log"));
        bases.extend(base.and_then(|base| base.parse::<i64>().ok()));
    }
    bases.sort_unstable();
    Ok(bases)
}

/// A segment that is no longer written to.
enum Sealed {
    Whole(Tail),
    /// Cut off before `end`, where the next one begins.
    Torn,
}

fn sealed_tail(dir: &Path, base: i64, end: i64) -> io::Result<Sealed> {
    let log = segment::path(dir, base, "log");
    let path = segment::path(dir, base, "index");
    if let Some(max_timestamp) = index::check(&path)? {
        let file = std::fs::metadata(&log)?;
        let written = file.modified()?.duration_since(std::time::UNIX_EPOCH);
        let begun_ms = written.map_or(0, |since| since.as_millis() as i64);
        return Ok(Sealed::Whole(Tail { bytes: file.len(), max_timestamp, begun_ms, entries: None, ..Tail::empty() }));
    }
    tracing::info!(path = %path.display(), "an index is missing or torn: the segment is read through");
    let before = std::fs::metadata(&log)?.len();
    let (tail, _) = replay(dir, base, end, &mut Producers::default())?;
    if tail.bytes < before {
        return Ok(Sealed::Torn);
    }
    File::open(&log)?.sync_data()?;
    index::write(&path, tail.entries.as_deref().unwrap_or_default(), tail.max_timestamp)?;
    Ok(Sealed::Whole(Tail { entries: None, ..tail }))
}

// === Compaction, cut short ===

/// Puts the segment in `whole` into the place of those from `base` up to `end`; may be done again at any point.
pub(super) fn replace(dir: &Path, whole: &Path, base: i64, end: i64) -> io::Result<()> {
    disk::remove_if_there(&segment::path(dir, base, "index"))?;
    for replaced in bases(dir)?.into_iter().filter(|other| (base + 1..end).contains(other)) {
        remove(dir, replaced)?;
    }
    std::fs::rename(whole, segment::path(dir, base, "log"))?;
    disk::sync_dir(dir)
}

/// Does what a round of compaction had decided, forgets what it had not.
fn finish_compaction(dir: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("compacted") => std::fs::remove_file(&path)?,
            Some("replaced") => {
                let range = stem.split_once('-').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                if let Some((base, end)) = range {
                    replace(dir, &path, base, end)?;
                }
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

fn remove(dir: &Path, base: i64) -> io::Result<()> {
    // The log last: without it nobody would know of the others.
    for extension in ["index", "producers", "log"] {
        disk::remove_if_there(&segment::path(dir, base, extension))?;
    }
    Ok(())
}

/// The producers as they were when the last segment was begun: the newest snapshot, and the segments after it.
fn producers_before(dir: &Path, bases: &[i64]) -> io::Result<Producers> {
    let mut producers = Producers::default();
    let mut from = 0;
    for (at, &base) in bases.iter().enumerate().rev() {
        let snapshot = disk::read_whole(&segment::path(dir, base, "producers"))?;
        if let Some(known) = snapshot.and_then(|bytes| Producers::decode(&mut disk::Reader::new(&bytes))) {
            (producers, from) = (known, at);
            break;
        }
    }
    for &base in &bases[from..bases.len() - 1] {
        let file = File::open(segment::path(dir, base, "log"))?;
        segment::scan(&file, 0, file.metadata()?.len(), |header, _| {
            if header.is_idempotent() {
                producers.record(header, header.max_timestamp);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(producers)
}

/// Reads a segment up to the first byte that is not a whole, true batch in order and before `end`, and cuts the rest off.
fn replay(dir: &Path, base: i64, end: i64, producers: &mut Producers) -> io::Result<(Tail, i64)> {
    let path = segment::path(dir, base, "log");
    let file = File::options().read(true).write(true).open(&path)?;
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 20, &file);
    let (mut tail, mut next_offset) = (Tail::empty(), base);
    let mut batch = Vec::new();
    while length - tail.bytes >= HEADER_BYTES as u64 {
        batch.resize(HEADER_BYTES, 0);
        reader.read_exact(&mut batch)?;
        let Ok(header) = Header::read(&batch) else { break };
        let in_order = header.base_offset >= next_offset && header.last_offset_delta >= 0 && header.last_offset() < end;
        if header.bytes as u64 > length - tail.bytes || !in_order {
            break;
        }
        batch.resize(header.bytes, 0);
        reader.read_exact(&mut batch[HEADER_BYTES..])?;
        if !batch::checksum_holds(&batch, &header) {
            break;
        }
        tail.note(&header, REBUILT_INTERVAL, header.max_timestamp);
        if header.is_idempotent() {
            producers.record(&header, header.max_timestamp);
        }
        next_offset = header.last_offset() + 1;
    }
    if tail.bytes < length {
        let bytes = length - tail.bytes;
        tracing::warn!(path = %path.display(), bytes, "a torn end was cut off");
        file.set_len(tail.bytes)?;
    }
    Ok((tail, next_offset))
}
