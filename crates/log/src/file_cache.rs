//! Open files, at most so many: thousands of partitions do not hold a descriptor each.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use crate::fs::{File, FileSystem};

/// A file system and the files of it that are open.
#[derive(Debug)]
pub struct FileCache {
    fs: Arc<dyn FileSystem>,
    open: Cache<FileId, Arc<dyn File>>,
    next_id: AtomicU64,
}

/// Identifies a file for the time of this process, whatever its name becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileId(u64);

impl FileCache {
    /// Keeps about `max_open` files open; those that are read or written at the moment come on top.
    pub fn new(fs: Arc<dyn FileSystem>, max_open: usize) -> Self {
        FileCache { fs, open: Cache::new(max_open.max(1)), next_id: AtomicU64::new(0) }
    }

    /// The file system.
    pub fn fs(&self) -> &dyn FileSystem {
        &*self.fs
    }

    pub(crate) fn new_id(&self) -> FileId {
        FileId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// The open file, opened if need be. Never creates it.
    pub(crate) fn open(&self, id: FileId, path: &Path) -> io::Result<Arc<dyn File>> {
        if let Some(file) = self.open.get(&id) {
            return Ok(file);
        }
        let file = self.fs.open(path)?;
        self.open.insert(id, file.clone());
        Ok(file)
    }

    /// Makes an empty file and keeps it open.
    pub(crate) fn create(&self, id: FileId, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = self.fs.create(path)?;
        self.open.insert(id, file.clone());
        Ok(file)
    }

    pub(crate) fn close(&self, id: FileId) {
        self.open.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Memory;

    #[test]
    fn no_more_files_are_open_than_allowed() {
        let files = FileCache::new(Arc::new(Memory::new(1)), 8);
        let ids: Vec<_> = (0..50).map(|_| files.new_id()).collect();
        for (at, id) in ids.iter().enumerate() {
            let path = at.to_string();
            assert!(files.open(*id, Path::new(&path)).is_err(), "it does not exist");
            files.fs().create(Path::new(&path)).unwrap();
            files.open(*id, Path::new(&path)).unwrap();
        }
        assert!(files.open.len() <= 8, "{}", files.open.len());
    }
}
