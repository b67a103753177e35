//! Small files that are replaced as a whole, with a checksum at their end: a damaged one is never taken for a missing one.

use std::io::{self, IoSlice};
use std::path::Path;

use crate::fs::{self, FileSystem};

/// Whether a write waits for the disk. What can be rebuilt from the log does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The disk has contents and name when the write returns.
    Synced,
    /// The operating system has them.
    Cached,
}

/// What [`read`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// There is no such file.
    Missing,
    /// The checksum is not that of the contents, or there is none.
    Damaged,
    /// What was written.
    Whole(Vec<u8>),
}

impl Contents {
    /// The contents, or nothing if the file is missing.
    ///
    /// # Errors
    /// The file is damaged; the text names it and says `remedy`.
    pub fn or_damaged(self, path: &Path, remedy: &str) -> io::Result<Option<Vec<u8>>> {
        match self {
            Contents::Missing => Ok(None),
            Contents::Damaged => Err(damaged(path, remedy)),
            Contents::Whole(contents) => Ok(Some(contents)),
        }
    }
}

/// The error that a file does not hold what was written to it.
pub fn damaged(path: &Path, remedy: &str) -> io::Error {
    let text = format!("{} is damaged: its contents do not have their checksum or form. {remedy}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Replaces `path` by `contents`: after a crash it is the old file or the new one.
///
/// # Errors
/// As the system says. The file is the old one, or with [`Durability::Synced`] perhaps the new one.
pub fn write(fs: &dyn FileSystem, path: &Path, contents: &[u8], durability: Durability) -> io::Result<()> {
    replace(fs, path, contents, durability)?;
    match path.parent() {
        Some(parent) if durability == Durability::Synced => fs.sync_dir(parent),
        Some(_) | None => Ok(()),
    }
}

/// Like [`write`], but leaves it to the caller to sync the directory.
///
/// # Errors
/// As the system says. The file is the old one.
pub(crate) fn replace(fs: &dyn FileSystem, path: &Path, contents: &[u8], durability: Durability) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let file = fs.create(&temporary)?;
    let checksum = crc32c::crc32c(contents).to_be_bytes();
    file.append(&mut [IoSlice::new(contents), IoSlice::new(&checksum)])?;
    if durability == Durability::Synced {
        file.sync()?;
    }
    fs.rename(&temporary, path)
}

/// Reads a file written by [`write`].
///
/// # Errors
/// As the system says.
pub fn read(fs: &dyn FileSystem, path: &Path) -> io::Result<Contents> {
    let Some(mut contents) = fs::read_if_exists(fs, path)? else { return Ok(Contents::Missing) };
    let Some((_, checksum)) = contents.split_last_chunk::<4>() else { return Ok(Contents::Damaged) };
    let checksum = u32::from_be_bytes(*checksum);
    contents.truncate(contents.len() - 4);
    Ok(if crc32c::crc32c(&contents) == checksum { Contents::Whole(contents) } else { Contents::Damaged })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Disk;

    #[test]
    fn a_small_file_is_whole_missing_or_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some");
        assert_eq!(read(&Disk, &path).unwrap(), Contents::Missing);
        write(&Disk, &path, b"contents", Durability::Synced).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(read(&Disk, &path).unwrap(), Contents::Whole(b"contents".to_vec()));
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(read(&Disk, &path).unwrap(), Contents::Damaged, "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, &flipped).unwrap();
            assert_eq!(read(&Disk, &path).unwrap(), Contents::Damaged, "flipped at {at}");
        }
        let refused = Contents::Damaged.or_damaged(&path, "Restore it.").unwrap_err().to_string();
        assert!(refused.contains(&path.display().to_string()) && refused.ends_with("Restore it."), "{refused}");
    }
}
