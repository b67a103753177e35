//! Small files and open files: checked contents written at once, and a bounded set of descriptors.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

// === Small files ===

/// Replaces `path` by `contents` (sealed with a checksum): after a crash it is the old file or the new one.
pub fn write_whole(path: &Path, contents: &[u8], durability: Durability) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(contents)?;
    file.write_all(&crc32c::crc32c(contents).to_be_bytes())?;
    if durability == Durability::Synced {
        file.sync_all()?;
    }
    drop(file);
    std::fs::rename(&temporary, path)?;
    match path.parent() {
        Some(parent) if durability == Durability::Synced => sync_dir(parent),
        Some(_) | None => Ok(()),
    }
}

/// Whether a write waits for the disk. What can be rebuilt from the log does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Synced,
    Cached,
}

/// The contents of a file written by [`write_whole`]; `None` if it is missing or not whole.
pub fn read_whole(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut contents = match std::fs::read(path) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((_, seal)) = contents.split_last_chunk::<4>() else { return Ok(None) };
    let seal = u32::from_be_bytes(*seal);
    contents.truncate(contents.len() - 4);
    Ok((crc32c::crc32c(&contents) == seal).then_some(contents))
}

pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u32(out, text.len() as u32);
    out.extend_from_slice(text.as_bytes());
}

/// Reads what the `put_…` functions wrote; `None` where the bytes end early.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub fn i64(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.bytes(8)?.try_into().ok()?))
    }

    pub fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

// === Open files ===

/// Open files, at most so many: thousands of partitions do not hold a descriptor each.
#[derive(Debug)]
pub struct Files {
    open: Mutex<HashMap<FileId, Open>>,
    bound: usize,
    clock: AtomicU64,
    /// A disk that fills up, for tests: so many bytes more can be written.
    #[cfg(test)]
    pub(crate) room: AtomicU64,
}

/// Names a file for the time of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(u64);

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    used: u64,
}

impl Files {
    pub fn new(bound: usize) -> Self {
        Files {
            open: Mutex::default(),
            bound: bound.max(1),
            clock: AtomicU64::new(0),
            #[cfg(test)]
            room: AtomicU64::new(u64::MAX),
        }
    }

    pub fn name(&self) -> FileId {
        FileId(self.clock.fetch_add(1, Ordering::Relaxed))
    }

    /// The open file, opened for appending and reading if need be. It must exist: who reads a file that was taken away
    /// meanwhile does not bring it back.
    pub fn open(&self, id: FileId, path: &Path) -> io::Result<Arc<File>> {
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock();
        if let Some(known) = open.get_mut(&id) {
            known.used = used;
            return Ok(known.file.clone());
        }
        if open.len() >= self.bound
            && let Some(oldest) = open.iter().min_by_key(|(_, open)| open.used).map(|(id, _)| *id)
        {
            open.remove(&oldest);
        }
        let file = Arc::new(File::options().read(true).append(true).open(path)?);
        open.insert(id, Open { file: file.clone(), used });
        Ok(file)
    }

    /// Fails half way, as a full disk does, where a test wants it.
    #[cfg(test)]
    pub fn check_room(&self, mut file: &File, slices: &[io::IoSlice<'_>]) -> io::Result<()> {
        let wanted = slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
        let room = self.room.load(Ordering::Relaxed);
        if room < wanted {
            let half: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(room as usize).collect();
            file.write_all(&half)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.store(room - wanted, Ordering::Relaxed);
        Ok(())
    }

    #[cfg(not(test))]
    #[inline]
    pub fn check_room(&self, _: &File, _: &[io::IoSlice<'_>]) -> io::Result<()> {
        Ok(())
    }

    pub fn close(&self, id: FileId) {
        self.open.lock().remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_whole_or_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some");
        assert_eq!(read_whole(&path).unwrap(), None);
        write_whole(&path, b"contents", Durability::Synced).unwrap();
        assert_eq!(read_whole(&path).unwrap().as_deref(), Some(&b"contents"[..]));
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(read_whole(&path).unwrap(), None, "cut at {cut}");
        }
    }

    #[test]
    fn no_more_files_are_open_than_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(2);
        let ids: Vec<_> = (0..5).map(|_| files.name()).collect();
        for (at, id) in ids.iter().enumerate() {
            let path = dir.path().join(at.to_string());
            assert!(files.open(*id, &path).is_err(), "nobody made it");
            std::fs::write(&path, "").unwrap();
            files.open(*id, &path).unwrap();
        }
        assert_eq!(files.open.lock().len(), 2);
        assert!(files.open.lock().contains_key(&ids[4]));
    }
}
