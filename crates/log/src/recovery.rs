//! What a partition's directory holds when the process starts: after an orderly stop as its checkpoint says, else by
//! reading.
//!
//! ```text
//! what is found                                   what is done
//! ----------------------------------------------  -------------------------------------------------------------------
//! a part of a batch at the end of the last one    cut off: it was never acknowledged
//! a bad batch with whole ones after it            the start is refused: no crash leaves that, records would be lost
//! a segment that ends early, others after it,     the rest is set aside (`*.unreachable`) with an error in the log: a
//!   none of them ever synced                      power failure took records that no flush had promised
//! the same, and later ones were synced            the start is refused
//! an index that is missing, damaged or another's  rebuilt from the batches
//! fewer bytes than at the orderly stop            the start is refused
//! ```

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::batch::{self, HEADER_BYTES, Header};
use crate::batch_reader::{BatchReader, Next};
use crate::checkpoint::ShutdownCheckpoint;
use crate::encoding::ByteReader;
use crate::file_cache::FileCache;
use crate::fs::{self, File, FileSystem};
use crate::index::{self, Summary};
use crate::producers::ProducerStates;
use crate::segment::{self, IndexState, Segment, SegmentName, Tail};
use crate::small_file::{self, Contents, Durability};

/// A partition's log as found.
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Segment>,
    pub(crate) producers: ProducerStates,
    pub(crate) start_offset: i64,
    pub(crate) end_offset: i64,
    /// An orderly stop had the disk keep everything.
    pub(crate) is_synced: bool,
}

/// The index interval when an index is rebuilt; the topic's own setting need not be known for that.
const REBUILT_INTERVAL_BYTES: u64 = 4096;

/// `checkpoint` is what [`crate::Partition::close`] gave at the last stop, if that was orderly.
pub(crate) fn open(files: &FileCache, dir: &Path, checkpoint: Option<&[u8]>) -> io::Result<Recovered> {
    let fs = files.fs();
    let checkpoint = checkpoint.and_then(ShutdownCheckpoint::decode);
    let start = read_start(fs, dir)?.unwrap_or(0);
    let names = segment_names(fs, dir, start)?;
    if let Some(checkpoint) = &checkpoint {
        check_nothing_is_missing(fs, dir, &names, checkpoint)?;
    }
    let Some((active, rolled)) = names.split_last() else {
        let producers = ProducerStates::default();
        let is_synced = checkpoint.is_some();
        return Ok(Recovered { segments: Vec::new(), producers, start_offset: start, end_offset: start, is_synced });
    };

    let mut segments = Vec::with_capacity(names.len());
    let summaries = rolled.iter().map(|name| summary(fs, dir, name)).collect::<io::Result<Vec<_>>>()?;
    // Segments are sealed in order, after the disk had them: up to the last one everything was synced.
    let is_synced = |at: usize| {
        summaries[at..].iter().any(Option::is_some) || names[at..].iter().any(|name| name.compacted.is_some())
    };
    for (at, name) in rolled.iter().enumerate() {
        let tail = match &summaries[at] {
            Some(tail) => tail.clone(),
            None => match rebuild_index(fs, dir, name, names[at + 1].base, is_synced(at))? {
                Rebuilt::Whole(tail) => tail,
                Rebuilt::EndsEarly => {
                    set_aside(fs, dir, name, &names[at + 1..])?;
                    return open(files, dir, None);
                }
            },
        };
        segments.push(Segment::new(files, dir, *name, tail));
    }

    let known = checkpoint.filter(|known| known.active_base == active.base);
    let length = fs.open(&active.log_path(dir))?.len()?;
    let is_synced = known.as_ref().is_some_and(|known| known.tail.bytes == length);
    let (tail, end_offset, producers) = match known {
        Some(known) if is_synced => (known.tail, known.end_offset, known.producers),
        Some(_) | None => {
            let mut producers = producers_before(fs, dir, &names)?;
            let (tail, end_offset) = recover_active(fs, dir, active, &mut producers)?;
            (tail, end_offset, producers)
        }
    };
    if start > end_offset {
        let text = format!(
            "{}: the log begins at offset {start} and ends at {end_offset}: its last records are missing. Restore the \
             directory; or remove the file `start` in it, and offsets from {end_offset} on are given out again",
            dir.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let start_offset = start.max(names[0].base);
    segments.push(Segment::new(files, dir, *active, tail));
    Ok(Recovered { segments, producers, start_offset, end_offset, is_synced })
}

/// `offset` is where the log begins from now on. The directory has to be synced afterwards.
pub(crate) fn write_start(fs: &dyn FileSystem, dir: &Path, offset: i64) -> io::Result<()> {
    small_file::replace(fs, &dir.join("start"), &offset.to_be_bytes(), Durability::Synced)
}

fn read_start(fs: &dyn FileSystem, dir: &Path) -> io::Result<Option<i64>> {
    let path = dir.join("start");
    let remedy = "Restore it; or remove it, and deleted records may be there again.";
    let Some(contents) = small_file::read(fs, &path)?.or_damaged(&path, remedy)? else { return Ok(None) };
    let offset: [u8; 8] = contents.try_into().map_err(|_| small_file::damaged(&path, remedy))?;
    Ok(Some(i64::from_be_bytes(offset)))
}

pub(crate) fn write_producers(
    fs: &dyn FileSystem,
    dir: &Path,
    base: i64,
    producers: &ProducerStates,
) -> io::Result<()> {
    let mut out = Vec::new();
    producers.encode(&mut out);
    small_file::write(fs, &segment::producers_path(dir, base), &out, Durability::Cached)
}

/// The segments that count, by offset. Removed are what compaction left unfinished or superseded, and what lies before
/// `start`, where the log begins.
fn segment_names(fs: &dyn FileSystem, dir: &Path, start: i64) -> io::Result<Vec<SegmentName>> {
    let mut names = Vec::new();
    for entry in fs::read_dir_if_exists(fs, dir)? {
        let Some(name) = entry.name().filter(|_| !entry.is_dir) else { continue };
        if name.ends_with(".compacted") {
            tracing::debug!(path = %entry.path.display(), "a round of compaction was cut short: its output is removed");
            fs.remove_file(&entry.path)?;
        }
        names.extend(SegmentName::parse(name));
    }
    names.sort_unstable_by_key(|name| name.base);
    let superseded = |name: &SegmentName| names.iter().any(|other| other.supersedes(name));
    let (gone, mut kept): (Vec<_>, Vec<_>) = names.iter().copied().partition(superseded);
    for name in &gone {
        remove(fs, dir, name)?;
    }
    if kept.get(1).is_some_and(|next| next.base <= start) {
        // The start is on disk before anything goes, or a power failure could leave a gap.
        fs.sync_dir(dir)?;
    }
    while let [first, next, ..] = kept[..]
        && next.base <= start
    {
        remove(fs, dir, &first)?;
        kept.remove(0);
    }
    remove_orphans(fs, dir, &kept)?;
    Ok(kept)
}

/// Removes indexes and producers' states of segments that are not there. A segment of the same name may be begun later,
/// and if a power failure then took its own, these would be believed. The directory is synced before that (`roll`).
fn remove_orphans(fs: &dyn FileSystem, dir: &Path, names: &[SegmentName]) -> io::Result<()> {
    for entry in fs::read_dir_if_exists(fs, dir)? {
        let Some((stem, extension)) = entry.name().and_then(|name| name.split_once('.')) else { continue };
        let Some(name) = SegmentName::parse(&format!("{stem}.log")) else { continue };
        let is_orphan = match extension {
            "index" => !names.contains(&name),
            "producers" => !names.iter().any(|other| other.base == name.base),
            _ => false,
        };
        if is_orphan {
            tracing::debug!(path = %entry.path.display(), "a file of a segment that is not there is removed");
            fs.remove_file(&entry.path)?;
        }
    }
    Ok(())
}

fn remove(fs: &dyn FileSystem, dir: &Path, name: &SegmentName) -> io::Result<()> {
    let path = name.log_path(dir);
    tracing::debug!(path = %path.display(), "a segment that was replaced or expired before the stop is removed");
    fs::remove_if_exists(fs, &name.index_path(dir))?;
    fs::remove_if_exists(fs, &path)
}

/// Refuses a directory that has less than it had at the orderly stop.
fn check_nothing_is_missing(
    fs: &dyn FileSystem,
    dir: &Path,
    names: &[SegmentName],
    checkpoint: &ShutdownCheckpoint,
) -> io::Result<()> {
    let mut total_bytes = 0;
    for name in names {
        total_bytes += fs.open(&name.log_path(dir))?.len()?;
    }
    if names.len() >= checkpoint.segments as usize && total_bytes >= checkpoint.total_bytes {
        return Ok(());
    }
    let text = format!(
        "{}: {total_bytes} bytes in {} segments are there, {} bytes in {} segments were there at the orderly stop: records \
         are missing. Restore the directory; or remove the file `clean` of the data directory to start with what is left",
        dir.display(),
        names.len(),
        checkpoint.total_bytes,
        checkpoint.segments,
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// What the index of a sealed segment says; nothing if there is none that belongs to this log.
fn summary(fs: &dyn FileSystem, dir: &Path, name: &SegmentName) -> io::Result<Option<Tail>> {
    let Some(Summary { max_timestamp, log_bytes }) = index::check(fs, &name.index_path(dir))? else { return Ok(None) };
    let file = fs.open(&name.log_path(dir))?;
    let bytes = file.len()?;
    if log_bytes.is_some_and(|expected| expected != bytes) {
        return Ok(None);
    }
    let index = IndexState::OnDisk;
    Ok(Some(Tail { bytes, max_timestamp, created_ms: file.modified_ms()?, index, ..Tail::empty() }))
}

enum Rebuilt {
    Whole(Tail),
    /// Records between it and the next one are missing, or its last batch is.
    EndsEarly,
}

/// Reads a segment that is no longer written to, and writes its index.
fn rebuild_index(
    fs: &dyn FileSystem,
    dir: &Path,
    name: &SegmentName,
    next_base: i64,
    was_synced: bool,
) -> io::Result<Rebuilt> {
    let path = name.log_path(dir);
    tracing::info!(path = %path.display(), "the index is missing or damaged: the segment is read through");
    let file = fs.open(&path)?;
    let read = replay(&file, name, next_base, &mut ProducerStates::default())?;
    let is_complete = read.tail.bytes == read.length && (name.compacted.is_some() || read.next_offset == next_base);
    if !is_complete {
        refuse_whole_batches_after(&*file, &path, &read)?;
        if was_synced {
            let text = format!(
                "{}: the segment ends at offset {}, at byte {} of {}, but the disk had it up to offset {next_base}. Restore \
                 it; or cut it off there and remove the segments after it, and all their records are lost",
                path.display(),
                read.next_offset,
                read.tail.bytes,
                read.length,
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        return Ok(Rebuilt::EndsEarly);
    }
    // The index says that the disk has the segment, its name included.
    file.sync()?;
    fs.sync_dir(dir)?;
    let IndexState::InMemory(entries) = &read.tail.index else { return Ok(Rebuilt::Whole(read.tail)) };
    index::write(fs, &name.index_path(dir), entries, read.tail.max_timestamp, read.tail.bytes)?;
    Ok(Rebuilt::Whole(Tail { index: IndexState::OnDisk, ..read.tail }))
}

/// Renames the segments after one that ends early, so that it is the last one; nothing is deleted.
fn set_aside(fs: &dyn FileSystem, dir: &Path, last: &SegmentName, unreachable: &[SegmentName]) -> io::Result<()> {
    tracing::error!(
        path = %last.log_path(dir).display(),
        segments = unreachable.len(),
        first_offset = unreachable[0].base,
        "a power failure took the end of this segment before it was flushed: the segments after it cannot follow and are \
         set aside as *.unreachable"
    );
    for name in unreachable.iter().rev() {
        fs::remove_if_exists(fs, &name.index_path(dir))?;
        fs.rename(&name.log_path(dir), &free_name(fs, dir, name)?)?;
    }
    fs.sync_dir(dir)
}

fn free_name(fs: &dyn FileSystem, dir: &Path, name: &SegmentName) -> io::Result<PathBuf> {
    let taken: Vec<PathBuf> = fs.read_dir(dir)?.into_iter().map(|entry| entry.path).collect();
    let path = |n: u32| match n {
        1 => name.log_path(dir).with_extension("unreachable"),
        _ => name.log_path(dir).with_extension(format!("unreachable-{n}")),
    };
    Ok((1..).map(path).find(|path| !taken.contains(path)).expect("some number is free"))
}

/// Reads the segment that is written to, and cuts a torn end off.
fn recover_active(
    fs: &dyn FileSystem,
    dir: &Path,
    name: &SegmentName,
    producers: &mut ProducerStates,
) -> io::Result<(Tail, i64)> {
    let path = name.log_path(dir);
    let file = fs.open(&path)?;
    let read = replay(&file, name, i64::MAX, producers)?;
    if read.tail.bytes < read.length {
        refuse_whole_batches_after(&*file, &path, &read)?;
        let bytes = read.length - read.tail.bytes;
        tracing::warn!(path = %path.display(), bytes, offset = read.next_offset, "a torn end was cut off");
        file.set_len(read.tail.bytes)?;
    }
    Ok((read.tail, read.next_offset))
}

/// The producers' states as they were when the last segment was begun: the newest snapshot, and the segments after it.
fn producers_before(fs: &dyn FileSystem, dir: &Path, names: &[SegmentName]) -> io::Result<ProducerStates> {
    let mut producers = ProducerStates::default();
    let mut from = 0;
    let active = names.len() - 1;
    for (at, name) in names.iter().enumerate().rev() {
        // A damaged snapshot is as good as none: an older one and the batches since say the same.
        let Contents::Whole(snapshot) = small_file::read(fs, &segment::producers_path(dir, name.base))? else {
            continue;
        };
        if let Some(known) = ProducerStates::decode(&mut ByteReader::new(&snapshot)) {
            if at == active {
                return Ok(known);
            }
            (producers, from) = (known, at);
            break;
        }
    }
    for name in &names[from..active] {
        let file = fs.open(&name.log_path(dir))?;
        segment::scan(&*file, 0, file.len()?, |header, _| {
            if header.is_idempotent() {
                producers.update(header, header.max_timestamp);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    // Before compaction takes batches from which this was read.
    write_producers(fs, dir, names[active].base, &producers)?;
    Ok(producers)
}

/// What reading a segment gave.
struct Replayed {
    /// Up to the first byte that does not belong to a valid batch.
    tail: Tail,
    next_offset: i64,
    length: u64,
}

/// Reads a segment up to the first byte that is not a whole, valid batch in order and before `end`. What producers wrote
/// has no gaps, what compaction wrote may.
fn replay(file: &Arc<dyn File>, name: &SegmentName, end: i64, producers: &mut ProducerStates) -> io::Result<Replayed> {
    let length = file.len()?;
    let mut reader = BatchReader::new(file.clone(), 0, length);
    let (mut tail, mut next_offset) = (Tail::empty(), name.base);
    while let Next::Batch(header, batch) = reader.next()? {
        let follows = match name.compacted {
            Some(_) => header.base_offset >= next_offset,
            None => header.base_offset == next_offset,
        };
        let is_in_order = follows && header.last_offset_delta >= 0 && header.last_offset() < end;
        if !is_in_order || !batch::checksum_holds(batch, &header) {
            break;
        }
        tail.note(&header, REBUILT_INTERVAL_BYTES, header.max_timestamp);
        if header.is_idempotent() {
            producers.update(&header, header.max_timestamp);
        }
        next_offset = header.last_offset() + 1;
    }
    Ok(Replayed { tail, next_offset, length })
}

/// Refuses a file in which whole batches follow after the first invalid byte: no crash of the process leaves that, and to
/// cut them off would lose acknowledged records.
fn refuse_whole_batches_after(file: &dyn File, path: &Path, read: &Replayed) -> io::Result<()> {
    let Some((position, offset)) = find_whole_batch(file, read)? else { return Ok(()) };
    let (at, lost_from, path) = (read.tail.bytes, read.next_offset, path.display());
    let text = format!(
        "{path} is damaged: no valid batch at byte {at}, where offset {lost_from} is expected, but a whole one at byte \
         {position} with offset {offset}. Restore the file; or cut it off with `truncate -s {at} {path}`, and all its records \
         from offset {lost_from} on are lost"
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// Position and offset of the first valid batch behind the first invalid byte.
fn find_whole_batch(file: &dyn File, read: &Replayed) -> io::Result<Option<(u64, i64)>> {
    const WINDOW_BYTES: u64 = 1 << 20;
    let mut window = Vec::new();
    // Each window overlaps the next one by a header.
    let mut position = read.tail.bytes;
    while read.length - position >= HEADER_BYTES as u64 {
        let count = WINDOW_BYTES.min(read.length - position);
        window.resize(count as usize, 0);
        file.read_exact_at(&mut window, position)?;
        for at in 0..=window.len() - HEADER_BYTES {
            let Ok(header) = Header::read(&window[at..]) else { continue };
            let found = position + at as u64;
            // Each record takes some bytes: an offset that is farther away is chance.
            let is_near = (0..=(read.length as i64)).contains(&header.base_offset.saturating_sub(read.next_offset));
            if !is_near || header.last_offset_delta < 0 || header.bytes as u64 > read.length - found {
                continue;
            }
            let mut batch = vec![0; header.bytes];
            file.read_exact_at(&mut batch, found)?;
            if batch::checksum_holds(&batch, &header) {
                return Ok(Some((found, header.base_offset)));
            }
        }
        if count == read.length - position {
            break;
        }
        position += count - HEADER_BYTES as u64 + 1;
    }
    Ok(None)
}
