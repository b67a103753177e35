//! The log of commits: one file, each change a checked entry, rewritten when most of it is outdated.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use postern_log::encoding::{ByteReader, put_i64, put_text, put_u32};
use postern_log::fs::{self, File, FileSystem};

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

/// What the entries of a log add up to: by group, then by topic and partition.
#[derive(Debug, Default)]
pub(super) struct CommittedOffsets(pub(super) HashMap<StrBytes, BTreeMap<(StrBytes, i32), Committed>>);

impl CommittedOffsets {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Commit { group, place, committed } => {
                self.0.entry(group).or_default().insert(place, committed);
            }
            Change::Forget { group, place } => {
                if let Some(offsets) = self.0.get_mut(&group) {
                    offsets.remove(&place);
                }
            }
            Change::Delete { group } => {
                self.0.remove(&group);
            }
        }
    }
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
    /// The disk failed to keep what it was given, or the broker stops.
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
    ) -> io::Result<(OffsetLog, CommittedOffsets)> {
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
        let (offsets, rest) = replay(&contents);
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
        Ok((OffsetLog { fs, path, file, bytes, is_torn: false, is_offline: false, syncs, shorten_at }, offsets))
    }

    /// Writes entries, all of them or none; with `syncs` they are on disk when this returns.
    ///
    /// # Errors
    /// Nothing was written; or the disk failed to keep it, then nothing is taken any more.
    pub(super) fn append(&mut self, entries: &mut [IoSlice<'_>]) -> io::Result<()> {
        if self.is_offline {
            return Err(io::Error::other("the file of committed offsets is offline until the next start"));
        }
        let length: usize = entries.iter().map(|slice| slice.len()).sum();
        if self.is_torn {
            self.file.set_len(self.bytes)?;
            self.is_torn = false;
        }
        if let Err(error) = self.file.append(entries) {
            // Cut off what may be half an entry, or nothing after it would be read.
            self.is_torn = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.bytes += length as u64;
        if self.syncs {
            self.file.sync().map_err(|error| self.take_offline(error))?;
        }
        Ok(())
    }

    /// Rewrites the file if it has grown enough since the last time.
    ///
    /// # Errors
    /// The file is as before; or the disk failed to keep the new one's name, then nothing is taken any more.
    pub(super) fn shorten(&mut self) -> io::Result<()> {
        if self.bytes < self.shorten_at || self.is_offline {
            return Ok(());
        }
        // Should it fail, the next attempt is not at the next commit.
        self.shorten_at = self.bytes.saturating_mul(2);
        // What it says is read back: then neither the groups nor their requests wait for this.
        let mut contents = vec![0; self.bytes as usize];
        self.file.read_exact_at(&mut contents, 0)?;
        let (offsets, rest) = replay(&contents);
        if !rest.is_empty() {
            let at = contents.len() - rest.len();
            let text = format!("{} is damaged: no valid entry at byte {at}", self.path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        drop(contents);
        let mut out = Vec::new();
        for (group, offsets) in offsets.0 {
            for (place, committed) in offsets {
                Change::Commit { group: group.clone(), place, committed }.write(&mut out);
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

    /// Ends it: what was written is synced, and nothing is taken any more.
    ///
    /// # Errors
    /// The disk failed to keep what it was given.
    pub(super) fn close(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_offline, true) {
            return Ok(());
        }
        self.file.sync()
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
    pub(super) fn group(&self) -> &StrBytes {
        match self {
            Change::Commit { group, .. } | Change::Forget { group, .. } | Change::Delete { group } => group,
        }
    }

    /// Writes the entry: length, checksum, then what happened.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut entry = Vec::with_capacity(64);
        let kind = match self {
            Change::Commit { .. } => 1,
            Change::Forget { .. } => 2,
            Change::Delete { .. } => 3,
        };
        put_u32(&mut entry, kind);
        put_text(&mut entry, self.group());
        if let Change::Commit { place, .. } | Change::Forget { place, .. } = self {
            put_text(&mut entry, &place.0);
            put_u32(&mut entry, place.1 as u32);
        }
        if let Change::Commit { committed, .. } = self {
            put_i64(&mut entry, committed.offset);
            put_u32(&mut entry, committed.leader_epoch as u32);
            put_text(&mut entry, &committed.metadata);
            put_i64(&mut entry, committed.committed_ms);
        }
        put_u32(out, entry.len() as u32);
        put_u32(out, crc32c::crc32c(&entry));
        out.extend_from_slice(&entry);
    }
}

/// Reads entries; returns what follows the last valid one.
fn replay(contents: &[u8]) -> (CommittedOffsets, &[u8]) {
    let mut offsets = CommittedOffsets::default();
    let mut rest = contents;
    while let Some((change, after)) = read_entry(rest) {
        offsets.apply(change);
        rest = after;
    }
    (offsets, rest)
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

    fn open(fs: &Memory, syncs: bool) -> io::Result<(OffsetLog, CommittedOffsets)> {
        OffsetLog::open(Arc::new(fs.clone()), PathBuf::from("offsets"), syncs)
    }

    fn append(log: &mut OffsetLog, change: &Change) -> io::Result<()> {
        let mut entry = Vec::new();
        change.write(&mut entry);
        log.append(&mut [IoSlice::new(&entry)])
    }

    /// The offset of partition 0.
    fn offset(found: &CommittedOffsets) -> i64 {
        let committed = found.0.get(&text("g")).and_then(|offsets| offsets.get(&(text("t"), 0)));
        committed.map_or(-1, |committed| committed.offset)
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
            append(&mut log, change).unwrap();
            ends.push(log.bytes as usize);
        }
        let whole = contents(&fs);
        for cut in 0..=whole.len() {
            replace(&fs, &whole[..cut]);
            let (_, found) = open(&fs, false).unwrap();
            let expected = ends.iter().filter(|end| **end <= cut).count() - 1;
            let mut offsets = CommittedOffsets::default();
            changes[..expected].iter().for_each(|change| offsets.apply(change.clone()));
            assert_eq!(found.0, offsets.0, "cut at {cut}");
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
        for offset in 0..40_000 {
            append(&mut log, &commit(0, offset)).unwrap();
            log.shorten().unwrap();
        }
        assert!((contents(&fs).len() as u64) < SHORTEN_FROM_BYTES);
        assert_eq!(self::offset(&open(&fs, false).unwrap().1), 39_999);
    }

    #[test]
    fn a_log_that_was_damaged_meanwhile_is_not_rewritten_without_its_end() {
        let fs = Memory::new(1);
        let (mut log, _) = open(&fs, false).unwrap();
        (0..3).for_each(|offset| append(&mut log, &commit(0, offset)).unwrap());
        let mut flipped = contents(&fs);
        flipped[100] ^= 1;
        replace(&fs, &flipped);
        log.file = fs.open("offsets".as_ref()).unwrap();
        log.shorten_at = 0;
        assert!(log.shorten().unwrap_err().to_string().contains("offsets is damaged"));
        assert_eq!(contents(&fs), flipped);
    }

    #[test]
    fn acknowledged_commits_survive_errors_and_power_failures() {
        for seed in 0..300 {
            let fs = Memory::new(seed);
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut log, _) = open(&fs, true).unwrap();
            log.shorten_at = 300;
            let mut acknowledged = -1;
            for offset in 0..60 {
                if random.u8(0..8) == 0 {
                    let injection = if random.bool() { Injection::Errno(5) } else { Injection::Crash };
                    fs.inject(random.u64(0..5), injection);
                }
                if append(&mut log, &commit(0, offset)).is_ok() {
                    acknowledged = offset;
                    let _ = log.shorten();
                    log.shorten_at = 300;
                }
                fs.clear_injection();
                if random.u8(0..10) == 0 {
                    fs.restart(Survival::PowerFailed);
                    let (again, found) = open(&fs, true).unwrap();
                    log = again;
                    let last = self::offset(&found);
                    assert!((acknowledged..=offset).contains(&last), "seed {seed}: {last} of {acknowledged}");
                    acknowledged = last;
                }
            }
        }
    }
}
