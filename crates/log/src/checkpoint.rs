//! What a partition writes down for later: how far its cleaner came, and where an orderly stop left it.

use std::io;
use std::path::Path;

use crate::encoding::{ByteReader, put_i64, put_u32};
use crate::fs::FileSystem;
use crate::index::Entry;
use crate::producers::ProducerStates;
use crate::segment::{IndexState, Tail};
use crate::small_file::{self, Contents, Durability};

// === The cleaner's ===

/// How far compaction came. If it is lost, a round does more than it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CleanerCheckpoint {
    /// Offsets below this have been deduplicated against each other.
    pub(crate) clean_to: i64,
    /// When the first of the tombstones there may go.
    pub(crate) delete_horizon_ms: i64,
}

impl CleanerCheckpoint {
    pub(crate) fn read(fs: &dyn FileSystem, dir: &Path) -> io::Result<CleanerCheckpoint> {
        let path = dir.join("cleaned");
        let contents = match small_file::read(fs, &path)? {
            Contents::Whole(contents) => contents,
            Contents::Missing => Vec::new(),
            Contents::Damaged => {
                tracing::warn!(path = %path.display(), "the cleaner's checkpoint is damaged: compaction begins anew");
                Vec::new()
            }
        };
        let mut from = ByteReader::new(&contents);
        let known = (|| Some(CleanerCheckpoint { clean_to: from.i64()?, delete_horizon_ms: from.i64()? }))();
        Ok(known.unwrap_or(CleanerCheckpoint { clean_to: 0, delete_horizon_ms: i64::MAX }))
    }

    pub(crate) fn write(&self, fs: &dyn FileSystem, dir: &Path) -> io::Result<()> {
        let mut out = Vec::new();
        put_i64(&mut out, self.clean_to);
        put_i64(&mut out, self.delete_horizon_ms);
        small_file::write(fs, &dir.join("cleaned"), &out, Durability::Cached)
    }
}

// === An orderly stop's ===

/// The first number of a checkpoint. Those of older versions begin with an offset, and are not read.
const VERSION: i64 = -2;

/// Where an orderly stop left a partition: with this the next start reads no records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShutdownCheckpoint {
    pub(crate) segments: u32,
    /// What all segments take.
    pub(crate) total_bytes: u64,
    pub(crate) active_base: i64,
    pub(crate) end_offset: i64,
    pub(crate) tail: Tail,
    pub(crate) producers: ProducerStates,
}

impl ShutdownCheckpoint {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_i64(&mut out, VERSION);
        put_u32(&mut out, self.segments);
        put_i64(&mut out, self.total_bytes as i64);
        put_i64(&mut out, self.active_base);
        put_i64(&mut out, self.end_offset);
        put_i64(&mut out, self.tail.bytes as i64);
        put_i64(&mut out, self.tail.max_timestamp);
        put_i64(&mut out, self.tail.created_ms);
        put_i64(&mut out, self.tail.bytes_since_entry as i64);
        let entries = match &self.tail.index {
            IndexState::InMemory(entries) => entries.as_slice(),
            IndexState::OnDisk => &[],
        };
        put_u32(&mut out, entries.len() as u32);
        for entry in entries {
            put_i64(&mut out, entry.offset);
            put_i64(&mut out, entry.position as i64);
            put_i64(&mut out, entry.max_timestamp_before);
        }
        self.producers.encode(&mut out);
        out
    }

    /// Nothing if it is of an older version, or not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<ShutdownCheckpoint> {
        let mut from = ByteReader::new(bytes);
        if from.i64()? != VERSION {
            return None;
        }
        let (segments, total_bytes) = (from.u32()?, from.i64()? as u64);
        let (active_base, end_offset) = (from.i64()?, from.i64()?);
        let (bytes, max_timestamp, created_ms) = (from.i64()? as u64, from.i64()?, from.i64()?);
        let bytes_since_entry = from.i64()? as u64;
        let mut entries = Vec::new();
        for _ in 0..from.u32()? {
            entries.push(Entry {
                offset: from.i64()?,
                position: from.i64()? as u64,
                max_timestamp_before: from.i64()?,
            });
        }
        let index = IndexState::InMemory(entries);
        let tail = Tail { bytes, max_timestamp, created_ms, index, bytes_since_entry, is_torn: false };
        let producers = ProducerStates::decode(&mut from)?;
        Some(ShutdownCheckpoint { segments, total_bytes, active_base, end_offset, tail, producers })
    }
}
