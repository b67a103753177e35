//! The file system of the machine. Directories are made for the owner and the group only, because records lie in them.

use std::fs;
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::{DirEntry, File, FileSystem};

const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl FileSystem for Disk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(dir).map_err(|error| about(dir, error))
    }

    fn read_dir(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let list = || -> io::Result<Vec<DirEntry>> {
            fs::read_dir(dir)?
                .map(|entry| {
                    let entry = entry?;
                    Ok(DirEntry { path: entry.path(), is_dir: entry.file_type()?.is_dir() })
                })
                .collect()
        };
        list().map_err(|error| about(dir, error))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let opened = fs::File::options().read(true).append(true).open(path);
        Ok(Arc::new(opened.map_err(|error| about(path, error))?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        // `append` and `truncate` exclude each other in one call.
        let made = fs::File::options().read(true).append(true).create(true).mode(FILE_MODE).open(path);
        let emptied = made.and_then(|file| {
            if file.metadata()?.len() > 0 {
                file.set_len(0)?;
            }
            Ok(file)
        });
        Ok(Arc::new(emptied.map_err(|error| about(path, error))?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to).map_err(|error| about(to, error))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path).map_err(|error| about(path, error))
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir_all(dir).map_err(|error| about(dir, error))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir).and_then(|file| file.sync_all()).map_err(|error| about(dir, error))
    }
}

impl File for fs::File {
    fn append(&self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut file = self;
        while !slices.is_empty() {
            match file.write_vectored(slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut slices, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, position)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn modified_ms(&self) -> io::Result<i64> {
        let written = self.metadata()?.modified()?.duration_since(UNIX_EPOCH);
        Ok(written.map_or(0, |since| since.as_millis() as i64))
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        fs::File::set_len(self, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// The error with the path in its text, which the standard library leaves out.
fn about(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
