//! The log of commits: one file, each change a checked entry, rewritten when most of it is outdated.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use kafka_protocol::protocol::StrBytes;

use super::Group;
use postern_log::disk;

/// Below this the file is not worth shortening.
const SHORTEN_FROM_BYTES: u64 = 1 << 20;

/// An offset as a group committed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: StrBytes,
    pub(crate) committed_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Commit { group: StrBytes, place: (StrBytes, i32), committed: Committed },
    Forget { group: StrBytes, place: (StrBytes, i32) },
    Delete { group: StrBytes },
}

#[derive(Debug)]
pub(super) struct OffsetLog {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Behind `bytes` is a part of an entry that could not be cut off.
    is_torn: bool,
    /// An entry waits for the disk.
    syncs: bool,
    /// The length after which the file is rewritten.
    shorten_at: u64,
}

impl OffsetLog {
    /// Opens the file and replays it; a torn end is cut off.
    pub(super) fn open(path: PathBuf, syncs: bool, mut replay: impl FnMut(Change)) -> io::Result<OffsetLog> {
        let file = File::options().read(true).append(true).create(true).open(&path)?;
        let contents = std::fs::read(&path)?;
        let mut rest = &contents[..];
        while let Some((change, after)) = read_entry(rest) {
            replay(change);
            rest = after;
        }
        let bytes = (contents.len() - rest.len()) as u64;
        if !rest.is_empty() {
            tracing::warn!(path = %path.display(), bytes = rest.len(), "a torn end was cut off");
            file.set_len(bytes)?;
        }
        Ok(OffsetLog { path, file, bytes, is_torn: false, syncs, shorten_at: SHORTEN_FROM_BYTES.max(bytes) })
    }

    pub(super) fn append(&mut self, changes: &[Change]) -> io::Result<()> {
        let mut out = Vec::with_capacity(changes.len() * 64);
        changes.iter().for_each(|change| write_entry(change, &mut out));
        if self.is_torn {
            self.file.set_len(self.bytes)?;
        }
        if let Err(error) = self.file.write_all(&out) {
            // Disconnect off what may be half an entry, or nothing after it would be read.
            self.is_torn = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.is_torn = false;
        self.bytes += out.len() as u64;
        if self.syncs {
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Rewrites the file if it has grown enough since the last time.
    pub(super) fn shorten(&mut self, groups: &HashMap<StrBytes, Group>) -> io::Result<()> {
        if self.bytes < self.shorten_at {
            return Ok(());
        }
        let mut out = Vec::new();
        for (id, group) in groups {
            for (place, committed) in &group.offsets {
                let (group, place) = (id.clone(), place.clone());
                write_entry(&Change::Commit { group, place, committed: committed.clone() }, &mut out);
            }
        }
        let temporary = self.path.with_extension("new");
        let mut file = File::options().create(true).write(true).truncate(true).open(&temporary)?;
        file.write_all(&out)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)?;
        self.file = File::options().read(true).append(true).open(&self.path)?;
        self.bytes = out.len() as u64;
        self.shorten_at = SHORTEN_FROM_BYTES.max(self.bytes * 4);
        Ok(())
    }
}

impl Change {
    pub(super) fn apply(self, groups: &mut HashMap<StrBytes, Group>) {
        match self {
            Change::Commit { group, place, committed } => {
                groups.entry(group).or_default().offsets.insert(place, committed);
            }
            Change::Forget { group, place } => {
                if let Some(group) = groups.get_mut(&group) {
                    group.offsets.remove(&place);
                }
            }
            Change::Delete { group } => {
                groups.remove(&group);
            }
        }
    }
}

/// Length, checksum, then what happened.
fn write_entry(change: &Change, out: &mut Vec<u8>) {
    let mut entry = Vec::with_capacity(64);
    let (kind, group) = match change {
        Change::Commit { group, .. } => (1, group),
        Change::Forget { group, .. } => (2, group),
        Change::Delete { group } => (3, group),
    };
    disk::put_u32(&mut entry, kind);
    disk::put_text(&mut entry, group);
    if let Change::Commit { place, .. } | Change::Forget { place, .. } = change {
        disk::put_text(&mut entry, &place.0);
        disk::put_u32(&mut entry, place.1 as u32);
    }
    if let Change::Commit { committed, .. } = change {
        disk::put_i64(&mut entry, committed.offset);
        disk::put_u32(&mut entry, committed.leader_epoch as u32);
        disk::put_text(&mut entry, &committed.metadata);
        disk::put_i64(&mut entry, committed.committed_ms);
    }
    disk::put_u32(out, entry.len() as u32);
    disk::put_u32(out, crc32c::crc32c(&entry));
    out.extend_from_slice(&entry);
}

fn read_entry(from: &[u8]) -> Option<(Change, &[u8])> {
    let mut reader = disk::Reader::new(from);
    let (length, crc) = (reader.u32()? as usize, reader.u32()?);
    let entry = reader.bytes(length)?;
    if crc32c::crc32c(entry) != crc {
        return None;
    }
    let after = &from[8 + length..];
    let mut reader = disk::Reader::new(entry);
    let text = |reader: &mut disk::Reader<'_>| Some(StrBytes::from_string(reader.text()?.to_owned()));
    let kind = reader.u32()?;
    let group = text(&mut reader)?;
    let change = match kind {
        1 => Change::Commit {
            group,
            place: (text(&mut reader)?, reader.u32()? as i32),
            committed: Committed {
                offset: reader.i64()?,
                leader_epoch: reader.u32()? as i32,
                metadata: text(&mut reader)?,
                committed_ms: reader.i64()?,
            },
        },
        2 => Change::Forget { group, place: (text(&mut reader)?, reader.u32()? as i32) },
        3 => Change::Delete { group },
        _ => return None,
    };
    Some((change, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> StrBytes {
        StrBytes::from_static_str(text)
    }

    fn commit(partition: i32, offset: i64) -> Change {
        let committed = Committed { offset, leader_epoch: -1, metadata: text("m"), committed_ms: 7 };
        Change::Commit { group: text("g"), place: (text("t"), partition), committed }
    }

    #[test]
    fn every_prefix_of_the_log_replays_whole_entries_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        let changes = [commit(0, 5), Change::Forget { group: text("g"), place: (text("t"), 0) }, commit(1, -1)];
        let mut log = OffsetLog::open(path.clone(), false, |_| unreachable!()).unwrap();
        let mut ends = vec![0];
        for change in &changes {
            log.append(std::slice::from_ref(change)).unwrap();
            ends.push(log.bytes as usize);
        }
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut found = Vec::new();
            OffsetLog::open(path.clone(), false, |change| found.push(change)).unwrap();
            let expected = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(found, changes[..expected], "cut at {cut}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), ends[expected] as u64);
        }
    }

    #[test]
    fn a_long_log_is_shortened_to_what_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        let mut log = OffsetLog::open(path.clone(), false, |_| ()).unwrap();
        let mut groups = HashMap::new();
        for offset in 0..40_000 {
            log.append(&[commit(0, offset)]).unwrap();
            commit(0, offset).apply(&mut groups);
            log.shorten(&groups).unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() < SHORTEN_FROM_BYTES);
        let mut last = None;
        OffsetLog::open(path, false, |change| last = Some(change)).unwrap();
        assert_eq!(last, Some(commit(0, 39_999)));
    }
}
