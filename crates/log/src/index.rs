//! The sparse index of a segment: now and then an offset, where its batch begins, and the largest time before it.
//!
//! The active segment keeps its entries in memory; a sealed one has them in a file that is searched in place, so that
//! thousands of old segments cost no memory. A file that is torn or missing is rebuilt from the batches.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::disk::{self, Durability};

/// One entry on disk.
const ENTRY_BYTES: u64 = 24;
/// Behind the entries: the segment's largest time and the checksum.
const TRAILER_BYTES: u64 = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub offset: i64,
    pub position: u64,
    /// Largest timestamp of the batches before this one.
    pub max_timestamp_before: i64,
}

/// Where to begin reading so as to meet the batch with `offset`.
pub fn position_of(entries: &[Entry], offset: i64) -> u64 {
    match entries.partition_point(|entry| entry.offset <= offset) {
        0 => 0,
        at => entries[at - 1].position,
    }
}

/// Where to begin reading so as to meet the first record that is not older than `timestamp`.
pub fn position_at(entries: &[Entry], timestamp: i64) -> u64 {
    match entries.partition_point(|entry| entry.max_timestamp_before < timestamp) {
        0 => 0,
        at => entries[at - 1].position,
    }
}

pub fn write(path: &Path, entries: &[Entry], max_timestamp: i64) -> io::Result<()> {
    let mut out = Vec::with_capacity(entries.len() * ENTRY_BYTES as usize + 8);
    for entry in entries {
        disk::put_i64(&mut out, entry.offset);
        disk::put_i64(&mut out, entry.position as i64);
        disk::put_i64(&mut out, entry.max_timestamp_before);
    }
    disk::put_i64(&mut out, max_timestamp);
    disk::write_whole(path, &out, Durability::Cached)
}

/// Checks the file and answers the segment's largest time; `None` if it is not whole.
pub fn check(path: &Path) -> io::Result<Option<i64>> {
    let Some(contents) = disk::read_whole(path)? else { return Ok(None) };
    Ok(contents.split_last_chunk::<8>().and_then(|(entries, timestamp)| {
        (entries.len() as u64).is_multiple_of(ENTRY_BYTES).then(|| i64::from_be_bytes(*timestamp))
    }))
}

/// [`position_of`] in a sealed segment's file.
pub fn file_position_of(file: &File, offset: i64) -> io::Result<u64> {
    search(file, |entry| entry.offset <= offset)
}

/// [`position_at`] in a sealed segment's file.
pub fn file_position_at(file: &File, timestamp: i64) -> io::Result<u64> {
    search(file, |entry| entry.max_timestamp_before < timestamp)
}

fn search(file: &File, before: impl Fn(&Entry) -> bool) -> io::Result<u64> {
    let count = file.metadata()?.len().saturating_sub(TRAILER_BYTES) / ENTRY_BYTES;
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

fn read_entry(file: &File, at: u64) -> io::Result<Entry> {
    let mut bytes = [0; ENTRY_BYTES as usize];
    file.read_exact_at(&mut bytes, at * ENTRY_BYTES)?;
    let mut reader = disk::Reader::new(&bytes);
    let mut next = || reader.i64().expect("the entry has three numbers");
    Ok(Entry { offset: next(), position: next() as u64, max_timestamp_before: next() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_searched_like_the_memory() {
        let entries: Vec<Entry> = (0..100)
            .map(|n| Entry { offset: n * 10, position: n as u64 * 4096, max_timestamp_before: n * 100 })
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.index");
        write(&path, &entries, 12_345).unwrap();
        assert_eq!(check(&path).unwrap(), Some(12_345));
        let file = File::open(&path).unwrap();
        for asked in 0..1100 {
            assert_eq!(file_position_of(&file, asked).unwrap(), position_of(&entries, asked));
            assert_eq!(file_position_at(&file, asked * 10).unwrap(), position_at(&entries, asked * 10));
        }
        assert_eq!(position_of(&entries, 25), 2 * 4096);
    }
}
