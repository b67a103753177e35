//! One segment: a file of batches with growing offsets, and its sparse index.

use std::io::{self, IoSlice};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;

use crate::batch::{HEADER_BYTES, Header};
use crate::file_cache::{FileCache, FileId};
use crate::fs::{self, File};
use crate::index::{self, Entry};
use crate::records;

/// What is read beyond the asked bytes, to get past the batches between the index entry and the offset.
const READ_SLACK: u64 = 8 * 1024;

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: SegmentName,
    log: (FileId, PathBuf),
    index: (FileId, PathBuf),
    tail: RwLock<Tail>,
    /// The segment was removed or replaced: what is read through this may be another's.
    is_stale: AtomicBool,
}

/// What a segment's files are called.
///
/// ```text
/// <base>.log                     as producers wrote it: without gaps
/// <base>-<end>-<generation>.log  as compaction wrote it: in the place of all segments from <base> up to <end>
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentName {
    pub(crate) base: i64,
    pub(crate) compacted: Option<Compacted>,
}

/// How far a compacted segment reaches, and how often that part of the log was compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compacted {
    pub(crate) end: i64,
    pub(crate) generation: u32,
}

impl SegmentName {
    pub(crate) fn plain(base: i64) -> SegmentName {
        SegmentName { base, compacted: None }
    }

    /// The name of a file, if that is a segment's log.
    pub(crate) fn parse(name: &str) -> Option<SegmentName> {
        let mut numbers = name.strip_suffix(".log")?.split('-');
        let base = numbers.next()?.parse().ok()?;
        let compacted = match numbers.next() {
            Some(end) => Some(Compacted { end: end.parse().ok()?, generation: numbers.next()?.parse().ok()? }),
            None => None,
        };
        (numbers.next().is_none() && base >= 0).then_some(SegmentName { base, compacted })
    }

    /// Whether this segment was made from `other` (and perhaps more), which must not count beside it.
    pub(crate) fn supersedes(&self, other: &SegmentName) -> bool {
        let Some(Compacted { end, generation }) = self.compacted else { return false };
        let (other_end, other_generation) = match other.compacted {
            Some(other) => (other.end, other.generation),
            None => (other.base, 0),
        };
        let is_within = self.base <= other.base && other.base < end && other_end <= end;
        let is_same_range = self.base == other.base && end == other_end;
        is_within && (!is_same_range || generation > other_generation)
    }

    fn path(&self, dir: &Path, extension: &str) -> PathBuf {
        let base = self.base;
        dir.join(match self.compacted {
            Some(Compacted { end, generation }) => format!("{base:020}-{end:020}-{generation}.{extension}"),
            None => format!("{base:020}.{extension}"),
        })
    }

    pub(crate) fn log_path(&self, dir: &Path) -> PathBuf {
        self.path(dir, "log")
    }

    pub(crate) fn index_path(&self, dir: &Path) -> PathBuf {
        self.path(dir, "index")
    }
}

/// Where the producers' states lie as they were when the segment `base` was begun.
pub(crate) fn producers_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.producers"))
}

/// What changes while a segment is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) bytes: u64,
    pub(crate) max_timestamp: i64,
    /// When its first batch came, for `segment.ms`; of a segment found sealed, when it was last written.
    pub(crate) created_ms: i64,
    pub(crate) index: IndexState,
    pub(crate) bytes_since_entry: u64,
    /// A batch was written in part and could not be cut off.
    pub(crate) is_torn: bool,
}

/// Where a segment's index is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IndexState {
    InMemory(Vec<Entry>),
    /// The segment is sealed: the disk has it, and its index is in the file beside it.
    OnDisk,
}

impl Tail {
    pub(crate) fn empty() -> Self {
        Tail {
            bytes: 0,
            max_timestamp: -1,
            created_ms: 0,
            index: IndexState::InMemory(Vec::new()),
            bytes_since_entry: 0,
            is_torn: false,
        }
    }

    /// Takes note of a batch that lies, or will lie, at the end.
    pub(crate) fn note(&mut self, header: &Header, index_interval_bytes: u64, now_ms: i64) {
        if self.bytes == 0 {
            self.created_ms = now_ms;
        }
        if self.bytes_since_entry >= index_interval_bytes {
            if let IndexState::InMemory(entries) = &mut self.index {
                entries.push(Entry {
                    offset: header.base_offset,
                    position: self.bytes,
                    max_timestamp_before: self.max_timestamp,
                });
            }
            self.bytes_since_entry = 0;
        }
        self.bytes += header.bytes as u64;
        self.bytes_since_entry += header.bytes as u64;
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
    }
}

impl Segment {
    pub(crate) fn new(files: &FileCache, dir: &Path, name: SegmentName, tail: Tail) -> Self {
        Segment {
            name,
            log: (files.new_id(), name.log_path(dir)),
            index: (files.new_id(), name.index_path(dir)),
            tail: RwLock::new(tail),
            is_stale: AtomicBool::new(false),
        }
    }

    /// A segment without batches, its file on disk: also an empty log has its place.
    pub(crate) fn create(files: &FileCache, dir: &Path, base: i64) -> io::Result<Self> {
        files.fs().create_dir_all(dir)?;
        let segment = Segment::new(files, dir, SegmentName::plain(base), Tail::empty());
        // One of a segment that was lost with the power would otherwise be taken for this one's.
        fs::remove_if_exists(files.fs(), &segment.index.1)?;
        files.create(segment.log.0, &segment.log.1)?;
        Ok(segment)
    }

    pub(crate) fn base(&self) -> i64 {
        self.name.base
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.tail.read().bytes
    }

    pub(crate) fn max_timestamp(&self) -> i64 {
        self.tail.read().max_timestamp
    }

    pub(crate) fn created_ms(&self) -> i64 {
        self.tail.read().created_ms
    }

    /// The time of its newest record; where records have none, that of the file.
    pub(crate) fn newest_ms(&self) -> i64 {
        let tail = self.tail.read();
        if tail.max_timestamp < 0 { tail.created_ms } else { tail.max_timestamp }
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.tail.read().index == IndexState::OnDisk
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Acquire)
    }

    pub(crate) fn tail(&self) -> Tail {
        self.tail.read().clone()
    }

    pub(crate) fn open(&self, files: &FileCache) -> io::Result<Arc<dyn File>> {
        files.open(self.log.0, &self.log.1)
    }

    /// Writes a batch at the end, its first 16 bytes replaced by `prelude`. One writer at a time: the partition's lock.
    ///
    /// # Errors
    /// Nothing of the batch is left in the file, unless cutting it off fails as well; then the next append or recovery
    /// does.
    pub(crate) fn append(
        &self,
        files: &FileCache,
        prelude: &[u8; 16],
        batch: &[u8],
        header: &Header,
        index_interval_bytes: u64,
        now_ms: i64,
    ) -> io::Result<()> {
        self.cut_torn_end(files)?;
        let file = self.open(files)?;
        if let Err(error) = file.append(&mut [IoSlice::new(prelude), IoSlice::new(&batch[prelude.len()..])]) {
            let is_torn = file.set_len(self.bytes()).is_err();
            self.tail.write().is_torn = is_torn;
            return Err(error);
        }
        self.tail.write().note(header, index_interval_bytes, now_ms);
        Ok(())
    }

    /// Cuts off the part of a batch that an append left, if it did. One writer at a time.
    pub(crate) fn cut_torn_end(&self, files: &FileCache) -> io::Result<()> {
        if self.tail.read().is_torn {
            self.open(files)?.set_len(self.bytes())?;
            self.tail.write().is_torn = false;
        }
        Ok(())
    }

    /// Puts the index of a segment that is no longer written to, and that the disk has, into its file. So a segment that
    /// has an index is whole, whatever happened; one that has none is read through at the next start.
    pub(crate) fn seal(&self, files: &FileCache) -> io::Result<()> {
        let (entries, max_timestamp, bytes) = {
            let tail = self.tail.read();
            match &tail.index {
                IndexState::InMemory(entries) => (entries.clone(), tail.max_timestamp, tail.bytes),
                IndexState::OnDisk => return Ok(()),
            }
        };
        index::write(files.fs(), &self.index.1, &entries, max_timestamp, bytes)?;
        self.tail.write().index = IndexState::OnDisk;
        Ok(())
    }

    /// Whole batches from the one that has `offset` on, up to `max_bytes`; with `at_least_one` the first comes in any
    /// case. `None` if nothing from `offset` on lies here.
    pub(crate) fn read(
        &self,
        files: &FileCache,
        offset: i64,
        max_bytes: u64,
        at_least_one: bool,
    ) -> io::Result<Option<Bytes>> {
        let (mut position, end) = self.locate(
            files,
            |entries| index::position_of(entries, offset),
            |file| index::file_position_of(file, offset),
        )?;
        let file = self.open(files)?;
        while position < end {
            let chunk = read_at(&*file, position, (max_bytes + READ_SLACK).min(end - position))?;
            let mut at = 0;
            let mut header = header_at(&*file, position, &chunk, 0)?;
            while header.last_offset() < offset {
                at += header.bytes;
                if at >= chunk.len() {
                    break;
                }
                header = header_at(&*file, position, &chunk, at)?;
            }
            if header.last_offset() < offset {
                position += at as u64;
                continue;
            }
            if header.bytes as u64 > max_bytes && !at_least_one {
                return Ok(Some(Bytes::new()));
            }
            let mut upto = at + header.bytes;
            if upto > chunk.len() {
                let batch = position + at as u64;
                if header.bytes as u64 > end - batch {
                    return Err(damaged(batch));
                }
                return Ok(Some(read_at(&*file, batch, header.bytes as u64)?.into()));
            }
            while let Ok(next) = Header::read(&chunk[upto..])
                && upto + next.bytes <= chunk.len()
                && (upto + next.bytes - at) as u64 <= max_bytes
            {
                upto += next.bytes;
            }
            return Ok(Some(Bytes::from(chunk).slice(at..upto)));
        }
        Ok(None)
    }

    /// Offset and time of the first record that is not older than `timestamp` and not before `from`.
    pub(crate) fn find_time(&self, files: &FileCache, timestamp: i64, from: i64) -> io::Result<Option<(i64, i64)>> {
        let (position, end) = self.locate(
            files,
            |entries| index::position_at(entries, timestamp),
            |file| index::file_position_at(file, timestamp),
        )?;
        let file = self.open(files)?;
        let mut found = None;
        scan(&*file, position, end, |header, position| {
            if header.max_timestamp < timestamp || header.last_offset() < from {
                return Ok(ControlFlow::Continue(()));
            }
            if header.bytes as u64 > end - position {
                return Err(damaged(position));
            }
            let bytes = read_at(&*file, position, header.bytes as u64)?;
            let body = records::body(&bytes, header)?;
            let fits = |record: &records::Record<'_>| record.timestamp >= timestamp && record.offset >= from;
            found = records::walk(&body, header).flatten().find(fits).map(|record| (record.offset, record.timestamp));
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }

    /// From now on what is read through this is not to be believed: readers look again.
    pub(crate) fn mark_stale(&self, files: &FileCache) {
        self.is_stale.store(true, Ordering::Release);
        files.close(self.log.0);
        files.close(self.index.0);
    }

    /// Removes the segment's files, the log last: without it nobody would know of the others.
    pub(crate) fn remove_files(&self, files: &FileCache) -> io::Result<()> {
        fs::remove_if_exists(files.fs(), &self.index.1)?;
        fs::remove_if_exists(files.fs(), &self.log.1)
    }

    fn locate(
        &self,
        files: &FileCache,
        in_memory: impl FnOnce(&[Entry]) -> u64,
        in_file: impl FnOnce(&dyn File) -> io::Result<u64>,
    ) -> io::Result<(u64, u64)> {
        let tail = self.tail.read();
        let end = tail.bytes;
        if let IndexState::InMemory(entries) = &tail.index {
            return Ok((in_memory(entries), end));
        }
        drop(tail);
        let file = files.open(self.index.0, &self.index.1)?;
        Ok((in_file(&*file)?, end))
    }
}

/// Calls `visit` with each header and its position, reading headers only.
pub(crate) fn scan(
    file: &dyn File,
    mut position: u64,
    end: u64,
    mut visit: impl FnMut(&Header, u64) -> io::Result<ControlFlow<()>>,
) -> io::Result<()> {
    let mut bytes = [0; HEADER_BYTES];
    while position < end {
        file.read_exact_at(&mut bytes, position)?;
        let header = Header::read(&bytes).map_err(|_| damaged(position))?;
        if visit(&header, position)?.is_break() {
            break;
        }
        position += header.bytes as u64;
    }
    Ok(())
}

/// The header at `chunk[at..]`, read from the file where the chunk ends inside it.
fn header_at(file: &dyn File, chunk_position: u64, chunk: &[u8], at: usize) -> io::Result<Header> {
    let position = chunk_position + at as u64;
    let header = if chunk.len() - at >= HEADER_BYTES {
        Header::read(&chunk[at..])
    } else {
        Header::read(&read_at(file, position, HEADER_BYTES as u64)?)
    };
    header.map_err(|_| damaged(position))
}

fn damaged(position: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no valid batch at position {position}"))
}

fn read_at(file: &dyn File, position: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count as usize];
    file.read_exact_at(&mut bytes, position)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_a_compacted_segment_supersedes_what_it_was_made_from() {
        let compacted = |base, end, generation| SegmentName { base, compacted: Some(Compacted { end, generation }) };
        let [small, large, again] = [compacted(10, 20, 1), compacted(10, 40, 1), compacted(10, 20, 2)];
        for name in [SegmentName::plain(7), small, large, again] {
            let path = name.log_path(Path::new(""));
            assert_eq!(SegmentName::parse(path.to_str().unwrap()), Some(name));
            assert!(!name.supersedes(&name));
        }
        assert_eq!(SegmentName::parse("notes.log"), None);
        assert_eq!(SegmentName::parse("1-2.log"), None);
        assert_eq!(SegmentName::parse("00000000000000000007.index"), None);
        assert!(small.supersedes(&SegmentName::plain(10)) && small.supersedes(&SegmentName::plain(19)));
        assert!(!small.supersedes(&SegmentName::plain(20)) && !small.supersedes(&SegmentName::plain(9)));
        assert!(large.supersedes(&small) && !small.supersedes(&large));
        assert!(again.supersedes(&small) && !small.supersedes(&again));
    }
}
