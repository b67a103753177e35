//! One segment: a file of batches with growing offsets, and its sparse index.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;

use super::batch::{HEADER_BYTES, Header};
use super::disk::{self, FileId, Files};
use super::index::{self, Entry};
use super::records;

/// What is read beyond the asked bytes, to get past the batches between the index entry and the offset.
const READ_SLACK: u64 = 8 * 1024;

#[derive(Debug)]
pub struct Segment {
    pub base: i64,
    log: (FileId, PathBuf),
    index: (FileId, PathBuf),
    tail: RwLock<Tail>,
    /// The files were taken away or replaced: what is read through this is not to be believed.
    is_stale: AtomicBool,
}

/// What changes while a segment is written.
#[derive(Debug, Clone)]
pub struct Tail {
    pub bytes: u64,
    pub max_timestamp: i64,
    /// When its first batch came, for `segment.ms`; of a segment found sealed, when it was last written.
    pub begun_ms: i64,
    /// `None` once sealed: then the disk has the segment and its index file.
    pub entries: Option<Vec<Entry>>,
    pub bytes_since_entry: u64,
    /// A batch was written in part and could not be cut off.
    pub is_torn: bool,
}

impl Tail {
    pub fn empty() -> Self {
        Tail {
            bytes: 0,
            max_timestamp: -1,
            begun_ms: 0,
            entries: Some(Vec::new()),
            bytes_since_entry: 0,
            is_torn: false,
        }
    }

    /// Takes note of a batch that lies, or will lie, at the end.
    pub fn note(&mut self, header: &Header, index_interval: u64, now_ms: i64) {
        if self.bytes == 0 {
            self.begun_ms = now_ms;
        }
        if self.bytes_since_entry >= index_interval {
            if let Some(entries) = &mut self.entries {
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
    pub fn new(files: &Files, dir: &Path, base: i64, tail: Tail) -> Self {
        Segment {
            base,
            log: (files.name(), path(dir, base, "log")),
            index: (files.name(), path(dir, base, "index")),
            tail: RwLock::new(tail),
            is_stale: AtomicBool::new(false),
        }
    }

    /// A segment without batches, its file on disk: also an empty log has its place.
    pub fn begin(files: &Files, dir: &Path, base: i64) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let segment = Segment::new(files, dir, base, Tail::empty());
        File::options().append(true).create(true).open(&segment.log.1)?;
        Ok(segment)
    }

    pub fn bytes(&self) -> u64 {
        self.tail.read().bytes
    }

    pub fn max_timestamp(&self) -> i64 {
        self.tail.read().max_timestamp
    }

    pub fn begun_ms(&self) -> i64 {
        self.tail.read().begun_ms
    }

    /// The time of its newest record; where records have none, that of the file.
    pub fn newest_ms(&self) -> i64 {
        let tail = self.tail.read();
        if tail.max_timestamp < 0 { tail.begun_ms } else { tail.max_timestamp }
    }

    pub fn is_sealed(&self) -> bool {
        self.tail.read().entries.is_none()
    }

    pub fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Acquire)
    }

    pub fn path(&self) -> &Path {
        &self.log.1
    }

    pub fn tail(&self) -> Tail {
        self.tail.read().clone()
    }

    /// Writes a batch at the end, its first 16 bytes replaced by `prelude`. One writer at a time: the partition's lock.
    ///
    /// # Errors
    /// Nothing of the batch is left in the file, unless cutting it off fails as well; then recovery does.
    pub fn append(
        &self,
        files: &Files,
        prelude: &[u8; 16],
        batch: &[u8],
        header: &Header,
        index_interval: u64,
        now_ms: i64,
    ) -> io::Result<()> {
        let file = files.open(self.log.0, &self.log.1)?;
        if self.tail.read().is_torn {
            file.set_len(self.bytes())?;
            self.tail.write().is_torn = false;
        }
        let mut slices = [IoSlice::new(prelude), IoSlice::new(&batch[prelude.len()..])];
        if let Err(error) = write_all(files, &file, &mut slices) {
            let is_torn = file.set_len(self.bytes()).is_err();
            self.tail.write().is_torn = is_torn;
            return Err(error);
        }
        self.tail.write().note(header, index_interval, now_ms);
        Ok(())
    }

    /// Ends writing: the disk keeps the batches, then the index goes to its file. So a segment that has an index is
    /// whole, whatever happened; one that has none is read through at the next start.
    pub fn seal(&self, files: &Files) -> io::Result<()> {
        if self.is_sealed() {
            return Ok(());
        }
        self.sync(files)?;
        let mut tail = self.tail.write();
        index::write(&self.index.1, tail.entries.as_deref().unwrap_or_default(), tail.max_timestamp)?;
        tail.entries = None;
        Ok(())
    }

    pub fn sync(&self, files: &Files) -> io::Result<()> {
        files.open(self.log.0, &self.log.1)?.sync_data()
    }

    /// Whole batches from the one that has `offset` on, up to `max_bytes`; with `at_least_one` the first comes in any
    /// case. `None` if nothing from `offset` on lies here.
    pub fn read(&self, files: &Files, offset: i64, max_bytes: u64, at_least_one: bool) -> io::Result<Option<Bytes>> {
        let (mut position, end) = self.locate(
            files,
            |entries| index::position_of(entries, offset),
            |file| index::file_position_of(file, offset),
        )?;
        let file = files.open(self.log.0, &self.log.1)?;
        while position < end {
            let chunk = read_at(&file, position, (max_bytes + READ_SLACK).min(end - position))?;
            let mut at = 0;
            let mut header = header_at(&file, position, &chunk, 0)?;
            while header.last_offset() < offset {
                at += header.bytes;
                if at >= chunk.len() {
                    break;
                }
                header = header_at(&file, position, &chunk, at)?;
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
                return Ok(Some(read_at(&file, position + at as u64, header.bytes as u64)?.into()));
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
    pub fn find_time(&self, files: &Files, timestamp: i64, from: i64) -> io::Result<Option<(i64, i64)>> {
        let (position, end) = self.locate(
            files,
            |entries| index::position_at(entries, timestamp),
            |file| index::file_position_at(file, timestamp),
        )?;
        let file = files.open(self.log.0, &self.log.1)?;
        let mut found = None;
        scan(&file, position, end, |header, position| {
            if header.max_timestamp < timestamp || header.last_offset() < from {
                return Ok(ControlFlow::Continue(()));
            }
            let bytes = read_at(&file, position, header.bytes as u64)?;
            let body = records::body(&bytes, header)?;
            let fits = |record: &records::Record<'_>| record.timestamp >= timestamp && record.offset >= from;
            found = records::walk(&body, header).flatten().find(fits).map(|record| (record.offset, record.timestamp));
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }

    /// Takes the segment's files away; who reads meanwhile looks again.
    pub fn remove(&self, files: &Files) {
        self.retire(files);
        for path in [&self.index.1, &self.log.1.with_extension("producers"), &self.log.1] {
            if let Err(error) = disk::remove_if_there(path) {
                tracing::warn!(path = %path.display(), %error, "a segment's file could not be removed");
            }
        }
    }

    /// From now on the files are another's, or nobody's.
    pub fn retire(&self, files: &Files) {
        self.is_stale.store(true, Ordering::Release);
        files.close(self.log.0);
        files.close(self.index.0);
    }

    fn locate(
        &self,
        files: &Files,
        in_memory: impl FnOnce(&[Entry]) -> u64,
        in_file: impl FnOnce(&File) -> io::Result<u64>,
    ) -> io::Result<(u64, u64)> {
        let tail = self.tail.read();
        let end = tail.bytes;
        if let Some(entries) = &tail.entries {
            return Ok((in_memory(entries), end));
        }
        drop(tail);
        let file = files.open(self.index.0, &self.index.1)?;
        Ok((in_file(&file)?, end))
    }
}

/// `00000000000000000042.log`
pub fn path(dir: &Path, base: i64, extension: &str) -> PathBuf {
    dir.join(format!("{base:020}.{extension}"))
}

/// Calls `visit` with each header and its position, reading headers only.
pub fn scan(
    file: &File,
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
fn header_at(file: &File, chunk_position: u64, chunk: &[u8], at: usize) -> io::Result<Header> {
    let position = chunk_position + at as u64;
    let header = if chunk.len() - at >= HEADER_BYTES {
        Header::read(&chunk[at..])
    } else {
        Header::read(&read_at(file, position, HEADER_BYTES as u64)?)
    };
    header.map_err(|_| damaged(position))
}

fn damaged(position: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no batch at position {position}"))
}

fn read_at(file: &File, position: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count as usize];
    file.read_exact_at(&mut bytes, position)?;
    Ok(bytes)
}

fn write_all(files: &Files, mut file: &File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    files.check_room(file, slices)?;
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
