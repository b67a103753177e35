//! The log of commits: one file, each change a checked entry, rewritten when most of it is outdated.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use postern_log::encoding::{ByteReader, put_i64, put_text, put_u32};
use postern_log::fs::{self, File, FileSystem};

use super::Group;

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

/// The file of commits. After a sync that failed it takes nothing any more: neither what it was given since the last one
/// nor a later sync could be believed.
#[derive(Debug)]
pub(super) struct OffsetLog {
    fs: Arc<dyn FileSystem>,
    path: PathBuf,
    file: Arc<dyn File>,
    bytes: u64,
    /// Behind `bytes` is a part of an entry that could not be cut off.
    is_torn: bool,
    /// The disk failed to keep what it was given.
    is_offline: bool,
    /// An entry waits for the disk.
    syncs: bool,
    /// The length after which the file is rewritten.
    shorten_at: u64,
}

impl OffsetLog {
    /// Opens the file and replays it; a torn end is cut off.
    ///
    /// # Errors
    /// The file cannot be read; or a bad entry has good ones after it, which no crash leaves.
    pub(super) fn open(
        fs: Arc<dyn FileSystem>,
        path: PathBuf,
        syncs: bool,
        mut replay: impl FnMut(Change),
    ) -> io::Result<OffsetLog> {
        let contents = fs::read_if_exists(&*fs, &path)?;
        let file = match contents {
            Some(_) => fs.open(&path)?,
            None => {
                let file = fs.create(&path)?;
                if let Some(dir) = path.parent() {
                    fs.sync_dir(dir)?;
                }
                file
            }
        };
        let contents = contents.unwrap_or_default();
        let mut rest = &contents[..];
        while let Some((change, after)) = read_entry(rest) {
            replay(change);
            rest = after;
        }
        let bytes = (contents.len() - rest.len()) as u64;
        if let Some(at) = (1..rest.len()).find(|at| read_entry(&rest[*at..]).is_some()) {
            let (path, good) = (path.display(), bytes + at as u64);
            let text = format!(
                "{path} is damaged: no valid entry at byte {bytes}, but one at byte {good}. Restore it; or cut it off with \
                 `truncate -s {bytes} {path}`, and offsets that were committed later are lost"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if !rest.is_empty() {
            tracing::warn!(path = %path.display(), bytes = rest.len(), "a torn end was cut off");
            file.set_len(bytes)?;
        }
        let shorten_at = SHORTEN_FROM_BYTES.max(bytes);
        Ok(OffsetLog { fs, path, file, bytes, is_torn: false, is_offline: false, syncs, shorten_at })
    }

    /// Writes entries; with `syncs` they are on disk when this returns.
    ///
    /// # Errors
    /// Nothing was written; or the disk failed to keep it, then nothing is taken any more.
    pub(super) fn append(&mut self, changes: &[Change]) -> io::Result<()> {
        if self.is_offline {
            return Err(io::Error::other("the file of committed offsets is offline until the next start"));
        }
        let mut out = Vec::with_capacity(changes.len() * 64);
        changes.iter().for_each(|change| write_entry(change, &mut out));
        if self.is_torn {
            self.file.set_len(self.bytes)?;
            self.is_torn = false;
        }
        if let Err(error) = self.file.append(&mut [IoSlice::new(&out)]) {
            // Cut off what may be half an entry, or nothing after it would be read.
            self.is_torn = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.bytes += out.len() as u64;
        if self.syncs {
            self.file.sync().map_err(|error| self.take_offline(error))?;
        }
        Ok(())
    }

    /// Rewrites the file if it has grown enough since the last time.
    ///
    /// # Errors
    /// The file is as before; or the disk failed to keep the new one's name, then nothing is taken any more.
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
        let file = self.fs.create(&temporary)?;
        file.append(&mut [IoSlice::new(&out)])?;
        file.sync()?;
        self.fs.rename(&temporary, &self.path)?;
        // The handle goes with the file to its new name.
        self.file = file;
        self.bytes = out.len() as u64;
        self.is_torn = false;
        self.shorten_at = SHORTEN_FROM_BYTES.max(self.bytes * 4);
        match self.path.parent() {
            Some(dir) => self.fs.sync_dir(dir).map_err(|error| self.take_offline(error)),
            None => Ok(()),
        }
    }

    fn take_offline(&mut self, error: io::Error) -> io::Error {
        self.is_offline = true;
        tracing::error!(
            path = %self.path.display(), %error,
            "a sync failed: no offsets can be committed until the next start, and the last ones may be lost. Look after \
             the disk before you start again"
        );
        error
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
    put_u32(&mut entry, kind);
    put_text(&mut entry, group);
    if let Change::Commit { place, .. } | Change::Forget { place, .. } = change {
        put_text(&mut entry, &place.0);
        put_u32(&mut entry, place.1 as u32);
    }
    if let Change::Commit { committed, .. } = change {
        put_i64(&mut entry, committed.offset);
        put_u32(&mut entry, committed.leader_epoch as u32);
        put_text(&mut entry, &committed.metadata);
        put_i64(&mut entry, committed.committed_ms);
    }
    put_u32(out, entry.len() as u32);
    put_u32(out, crc32c::crc32c(&entry));
    out.extend_from_slice(&entry);
}

fn read_entry(from: &[u8]) -> Option<(Change, &[u8])> {
    let mut reader = ByteReader::new(from);
    let (length, crc) = (reader.u32()? as usize, reader.u32()?);
    let entry = reader.bytes(length)?;
    if crc32c::crc32c(entry) != crc {
        return None;
    }
    let after = &from[8 + length..];
    let mut reader = ByteReader::new(entry);
    let text = |reader: &mut ByteReader<'_>| Some(StrBytes::from_string(reader.text()?.to_owned()));
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
    use postern_log::fs::{Injection, Memory, Survival};

    use super::*;

    fn text(text: &'static str) -> StrBytes {
        StrBytes::from_static_str(text)
    }

    fn commit(partition: i32, offset: i64) -> Change {
        let committed = Committed { offset, leader_epoch: -1, metadata: text("m"), committed_ms: 7 };
        Change::Commit { group: text("g"), place: (text("t"), partition), committed }
    }

    fn open(fs: &Memory, syncs: bool) -> io::Result<(OffsetLog, Vec<Change>)> {
        let mut found = Vec::new();
        let log = OffsetLog::open(Arc::new(fs.clone()), PathBuf::from("offsets"), syncs, |change| found.push(change))?;
        Ok((log, found))
    }

    fn contents(fs: &Memory) -> Vec<u8> {
        fs::read_if_exists(fs, "offsets".as_ref()).unwrap().unwrap()
    }

    fn replace(fs: &Memory, contents: &[u8]) {
        fs.create("offsets".as_ref()).unwrap().append(&mut [IoSlice::new(contents)]).unwrap();
    }

    #[test]
    fn every_prefix_of_the_log_replays_whole_entries_only() {
        let fs = Memory::new(1);
        let changes = [commit(0, 5), Change::Forget { group: text("g"), place: (text("t"), 0) }, commit(1, -1)];
        let (mut log, _) = open(&fs, false).unwrap();
        let mut ends = vec![0];
        for change in &changes {
            log.append(std::slice::from_ref(change)).unwrap();
            ends.push(log.bytes as usize);
        }
        let whole = contents(&fs);
        for cut in 0..=whole.len() {
            replace(&fs, &whole[..cut]);
            let (_, found) = open(&fs, false).unwrap();
            let expected = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(found, changes[..expected], "cut at {cut}");
            assert_eq!(contents(&fs).len(), ends[expected]);
        }
        // With entries after it, it is no torn end.
        for at in 0..ends[2] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            replace(&fs, &flipped);
            let refused = open(&fs, false).unwrap_err().to_string();
            assert!(refused.contains("offsets is damaged") && refused.contains("truncate -s"), "{refused}");
            assert_eq!(contents(&fs), flipped, "nothing is cut off");
        }
    }

    #[test]
    fn a_long_log_is_shortened_to_what_counts() {
        let fs = Memory::new(1);
        let (mut log, _) = open(&fs, false).unwrap();
        let mut groups = HashMap::new();
        for offset in 0..40_000 {
            log.append(&[commit(0, offset)]).unwrap();
            commit(0, offset).apply(&mut groups);
            log.shorten(&groups).unwrap();
        }
        assert!((contents(&fs).len() as u64) < SHORTEN_FROM_BYTES);
        assert_eq!(open(&fs, false).unwrap().1.last(), Some(&commit(0, 39_999)));
    }

    #[test]
    fn acknowledged_commits_survive_errors_and_power_failures() {
        for seed in 0..300 {
            let fs = Memory::new(seed);
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut log, _) = open(&fs, true).unwrap();
            log.shorten_at = 300;
            let mut groups = HashMap::new();
            let mut acknowledged = -1;
            for offset in 0..60 {
                if random.u8(0..8) == 0 {
                    let injection = if random.bool() { Injection::Errno(5) } else { Injection::Crash };
                    fs.inject(random.u64(0..5), injection);
                }
                if log.append(&[commit(0, offset)]).is_ok() {
                    acknowledged = offset;
                    commit(0, offset).apply(&mut groups);
                    let _ = log.shorten(&groups);
                    log.shorten_at = 300;
                }
                fs.clear_injection();
                if random.u8(0..10) == 0 {
                    fs.restart(Survival::PowerFailed);
                    let (again, found) = open(&fs, true).unwrap();
                    (log, groups) = (again, HashMap::new());
                    found.iter().cloned().for_each(|change| change.apply(&mut groups));
                    let last = match found.last() {
                        Some(Change::Commit { committed, .. }) => committed.offset,
                        _ => -1,
                    };
                    assert!((acknowledged..=offset).contains(&last), "seed {seed}: {last} of {acknowledged}");
                    acknowledged = last;
                }
            }
        }
    }
}
