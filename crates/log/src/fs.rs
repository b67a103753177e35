//! The part of a file system that logs need, as a trait: the disk, and in tests one in memory that crashes on demand.
//!
//! What a caller may rely on after a power failure is what the trait says and no more: contents only after
//! [`File::sync`], names (new files, renames, removals) only after [`FileSystem::sync_dir`] of their directory. A sync
//! that failed says that the disk may have lost what was written before it; a later one that succeeds says nothing about
//! that, because the kernel has marked those pages clean.

mod disk;
#[cfg(any(test, feature = "memory"))]
mod memory;

use std::fmt;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::disk::Disk;
#[cfg(any(test, feature = "memory"))]
pub use self::memory::{Injection, Memory, Survival};

/// A file system. Errors name the path they are about.
pub trait FileSystem: fmt::Debug + Send + Sync {
    /// Makes a directory and those above it; nothing if it exists.
    ///
    /// # Errors
    /// As the system says.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// What lies in a directory, in no order.
    ///
    /// # Errors
    /// `NotFound` if there is no such directory, else as the system says.
    fn read_dir(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;

    /// Opens an existing file for reading and appending. Never creates it: a reader that races with a deletion gets
    /// `NotFound`.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Makes an empty file, or empties an existing one.
    ///
    /// # Errors
    /// As the system says.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Gives a file or directory another name in one step; a file of that name is replaced.
    ///
    /// # Errors
    /// As the system says; then nothing has changed.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and everything in it; after an error some of it may be gone.
    ///
    /// # Errors
    /// As the system says.
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// As the system says; see the module about what is lost.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. It stays readable after it was renamed or removed.
#[expect(clippy::len_without_is_empty, reason = "asking may fail, and nobody asks for that")]
pub trait File: fmt::Debug + Send + Sync {
    /// Writes all of `slices` at the end of the file.
    ///
    /// # Errors
    /// As the system says; a part may have been written.
    fn append(&self, slices: &mut [IoSlice<'_>]) -> io::Result<()>;

    /// Fills `buffer` from `position` on.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before, else as the system says.
    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn len(&self) -> io::Result<u64>;

    /// When it was last written, in milliseconds since 1970.
    ///
    /// # Errors
    /// As the system says.
    fn modified_ms(&self) -> io::Result<i64>;

    /// Cuts the file off.
    ///
    /// # Errors
    /// As the system says.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes the contents durable.
    ///
    /// # Errors
    /// As the system says; see the module about what is lost.
    fn sync(&self) -> io::Result<()>;
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The whole path.
    pub path: PathBuf,
    /// Whether it is a directory.
    pub is_dir: bool,
}

impl DirEntry {
    /// The name alone; nothing if it is not UTF-8, hence none of ours.
    pub fn name(&self) -> Option<&str> {
        self.path.file_name()?.to_str()
    }
}

/// Removes a file if it exists.
///
/// # Errors
/// As the system says.
pub fn remove_if_exists(fs: &dyn FileSystem, path: &Path) -> io::Result<()> {
    match fs.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What lies in a directory; nothing if there is no such directory.
///
/// # Errors
/// As the system says.
pub fn read_dir_if_exists(fs: &dyn FileSystem, dir: &Path) -> io::Result<Vec<DirEntry>> {
    match fs.read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

/// Reads a whole file; nothing if it does not exist.
///
/// # Errors
/// As the system says.
pub fn read_if_exists(fs: &dyn FileSystem, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match fs.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut contents = vec![0; file.len()? as usize];
    file.read_exact_at(&mut contents, 0)?;
    Ok(Some(contents))
}
