//! The sparse index of a segment: now and then an offset, where its batch begins, and the largest time before it.
//!
//! The active segment keeps its entries in memory; a sealed one has them in a file that is searched in place, so that
//! thousands of old segments cost no memory. A file that is damaged, missing or of another length of the log is rebuilt
//! from the batches.

use std::io;
use std::path::Path;

use crate::encoding::{ByteReader, put_i64};
use crate::fs::{File, FileSystem};
use crate::small_file::{self, Contents, Durability};

/// One entry on disk.
const ENTRY_BYTES: u64 = 24;
/// Behind the entries: the segment's largest time, the log's length, the checksum. Until version 1 of the format there
/// was no length.
const TRAILER_BYTES: usize = 20;
const OLD_TRAILER_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: i64,
    pub(crate) position: u64,
    /// Largest timestamp of the batches before this one.
    pub(crate) max_timestamp_before: i64,
}

/// What an index file says about its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) max_timestamp: i64,
    /// How long the log was; not known of files of format 1.
    pub(crate) log_bytes: Option<u64>,
}

/// Where to begin reading so as to meet the batch with `offset`.
pub(crate) fn position_of(entries: &[Entry], offset: i64) -> u64 {
    match entries.partition_point(|entry| entry.offset <= offset) {
        0 => 0,
        at => entries[at - 1].position,
    }
}

/// Where to begin reading so as to meet the first record that is not older than `timestamp`.
pub(crate) fn position_at(entries: &[Entry], timestamp: i64) -> u64 {
    match entries.partition_point(|entry| entry.max_timestamp_before < timestamp) {
        0 => 0,
        at => entries[at - 1].position,
    }
}

pub(crate) fn write(
    fs: &dyn FileSystem,
    path: &Path,
    entries: &[Entry],
    max_timestamp: i64,
    log_bytes: u64,
) -> io::Result<()> {
    let mut out = Vec::with_capacity(entries.len() * ENTRY_BYTES as usize + TRAILER_BYTES);
    for entry in entries {
        put_i64(&mut out, entry.offset);
        put_i64(&mut out, entry.position as i64);
        put_i64(&mut out, entry.max_timestamp_before);
    }
    put_i64(&mut out, max_timestamp);
    put_i64(&mut out, log_bytes as i64);
    small_file::write(fs, path, &out, Durability::Cached)
}

/// Checks the file; nothing if it is missing or damaged, which comes to the same here.
pub(crate) fn check(fs: &dyn FileSystem, path: &Path) -> io::Result<Option<Summary>> {
    let contents = match small_file::read(fs, path)? {
        Contents::Whole(contents) => contents,
        Contents::Missing | Contents::Damaged => return Ok(None),
    };
    let has_length = match contents.len() % ENTRY_BYTES as usize {
        rest if rest == TRAILER_BYTES - CHECKSUM_BYTES => true,
        rest if rest == OLD_TRAILER_BYTES - CHECKSUM_BYTES => false,
        _ => return Ok(None),
    };
    let trailer = &contents[contents.len() / ENTRY_BYTES as usize * ENTRY_BYTES as usize..];
    let mut from = ByteReader::new(trailer);
    let max_timestamp = from.i64().unwrap_or(-1);
    let log_bytes = if has_length { from.i64().map(|bytes| bytes as u64) } else { None };
    Ok(Some(Summary { max_timestamp, log_bytes }))
}

/// [`position_of`] in a sealed segment's file.
pub(crate) fn file_position_of(file: &dyn File, offset: i64) -> io::Result<u64> {
    search(file, |entry| entry.offset <= offset)
}

/// [`position_at`] in a sealed segment's file.
pub(crate) fn file_position_at(file: &dyn File, timestamp: i64) -> io::Result<u64> {
    search(file, |entry| entry.max_timestamp_before < timestamp)
}

fn search(file: &dyn File, before: impl Fn(&Entry) -> bool) -> io::Result<u64> {
    // Either trailer is shorter than an entry.
    let count = file.len()? / ENTRY_BYTES;
    let (mut low, mut high, mut position) = (0, count, 0);
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = read_entry(file, middle)?;
        if before(&entry) {
            position = entry.position;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(position)
}

fn read_entry(file: &dyn File, at: u64) -> io::Result<Entry> {
    let mut bytes = [0; ENTRY_BYTES as usize];
    file.read_exact_at(&mut bytes, at * ENTRY_BYTES)?;
    let mut reader = ByteReader::new(&bytes);
    let mut next = || reader.i64().expect("the entry has three numbers");
    Ok(Entry { offset: next(), position: next() as u64, max_timestamp_before: next() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Memory;

    #[test]
    fn the_file_is_searched_like_the_memory() {
        let entries: Vec<Entry> = (0..100)
            .map(|n| Entry { offset: n * 10, position: n as u64 * 4096, max_timestamp_before: n * 100 })
            .collect();
        let fs = Memory::new(1);
        let path = Path::new("0.index");
        for count in [0, 1, 99, 100] {
            let entries = &entries[..count];
            write(&fs, path, entries, 12_345, 400_000).unwrap();
            let summary = Summary { max_timestamp: 12_345, log_bytes: Some(400_000) };
            assert_eq!(check(&fs, path).unwrap(), Some(summary));
            let file = fs.open(path).unwrap();
            for asked in 0..1100 {
                assert_eq!(file_position_of(&*file, asked).unwrap(), position_of(entries, asked));
                assert_eq!(file_position_at(&*file, asked * 10).unwrap(), position_at(entries, asked * 10));
            }
        }
        assert_eq!(position_of(&entries, 25), 2 * 4096);
    }

    #[test]
    fn a_file_of_format_1_is_read() {
        let fs = Memory::new(1);
        let path = Path::new("0.index");
        let mut out = Vec::new();
        for number in [10, 4096, 7, 99] {
            put_i64(&mut out, number);
        }
        small_file::write(&fs, path, &out, Durability::Cached).unwrap();
        assert_eq!(check(&fs, path).unwrap(), Some(Summary { max_timestamp: 99, log_bytes: None }));
        assert_eq!(file_position_of(&*fs.open(path).unwrap(), 10).unwrap(), 4096);
    }
}
