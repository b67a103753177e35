//! A file system in memory for tests: it forgets at a crash what was not synced, and fails when a test says so.
//!
//! ```text
//! crash        of a file's unsynced bytes a prefix survives, or all of them with the end as zeros;
//!              of a directory's unsynced changes some survive, in order (a prefix) or not (any of them)
//! failed sync  what was unsynced is never made durable by a later one, as on Linux
//! ```

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirEntry, File, FileSystem};

/// An error to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// The call fails as with this error number; the calls after it succeed.
    Errno(i32),
    /// The call and all after it fail, until [`Memory::restart`].
    Crash,
}

/// What a restart finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Everything that was written: the process died.
    ProcessDied,
    /// What was synced, and some of the rest: the power failed.
    PowerFailed,
}

/// The file system; its clones are the same one.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    nodes: Vec<Node>,
    /// Handles of an older incarnation are dead.
    incarnation: u64,
    calls: u64,
    injected: Option<(u64, Injection)>,
    is_dead: bool,
    fired: u64,
    /// A call more than this is a loop that does not end.
    most_calls: u64,
    random: u64,
}

#[derive(Debug)]
enum Node {
    File(Contents),
    Directory(Names),
}

#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Up to here `bytes` and `durable` are the same.
    same: usize,
    /// A sync failed: nothing from here on becomes durable any more.
    lost_from: Option<usize>,
}

#[derive(Debug, Default)]
struct Names {
    now: BTreeMap<OsString, usize>,
    durable: BTreeMap<OsString, usize>,
    /// What changed since `durable` was all there was, a step per call.
    changes: Vec<Vec<(OsString, Option<usize>)>>,
    /// A sync failed: no later change becomes durable any more.
    is_lost: bool,
}

const ROOT: usize = 0;

impl Memory {
    /// An empty one. `seed` decides what survives a power failure.
    pub fn new(seed: u64) -> Memory {
        Memory(Arc::new(Mutex::new(Disk {
            nodes: vec![Node::Directory(Names::default())],
            incarnation: 0,
            calls: 0,
            injected: None,
            is_dead: false,
            fired: 0,
            most_calls: u64::MAX,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        })))
    }

    /// Has the `nth` call from now on (0: the next one) fail, of whatever kind it is.
    pub fn inject(&self, nth: u64, injection: Injection) {
        let mut disk = self.0.lock();
        disk.injected = Some((disk.calls + nth, injection));
    }

    /// Takes back what was injected and has not happened; whether it had.
    pub fn clear_injection(&self) -> bool {
        let mut disk = self.0.lock();
        disk.injected.take().is_none()
    }

    /// Whether a sync has failed since the last power failure: what it was for is on the disk never more, though it can be
    /// read.
    pub fn lost_a_sync(&self) -> bool {
        let disk = self.0.lock();
        disk.nodes.iter().any(|node| match node {
            Node::File(contents) => contents.lost_from.is_some(),
            Node::Directory(names) => names.is_lost,
        })
    }

    /// How many calls there were, for bounds on what an operation may do.
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// Until the guard is dropped every call waits, as on a disk that hangs.
    pub fn hang(&self) -> impl Sized + '_ {
        self.0.lock()
    }

    /// Panics at the call after so many more.
    pub fn allow_calls(&self, count: u64) {
        let mut disk = self.0.lock();
        disk.most_calls = disk.calls.saturating_add(count);
    }

    /// Ends all handles, as the end of the process or of the power does, and begins again with what is left.
    pub fn restart(&self, survival: Survival) {
        let mut disk = self.0.lock();
        let disk = &mut *disk;
        disk.incarnation += 1;
        disk.is_dead = false;
        disk.injected = None;
        if survival == Survival::ProcessDied {
            return;
        }
        for at in 0..disk.nodes.len() {
            let mut random = || next(&mut disk.random);
            match &mut disk.nodes[at] {
                Node::File(contents) => contents.lose(&mut random),
                Node::Directory(names) => names.lose(&mut random),
            }
        }
    }
}

impl Contents {
    fn lose(&mut self, random: &mut impl FnMut() -> u64) {
        if self.same < self.bytes.len() || self.same < self.durable.len() {
            let kept = match random() % 4 {
                0 => self.durable.clone(),
                1 => self.bytes[..self.same].to_vec(),
                kind => {
                    let unsynced = (self.bytes.len() - self.same) as u64;
                    let upto = self.same + (random() % (unsynced + 1)) as usize;
                    let mut kept = self.bytes[..upto].to_vec();
                    if kind == 3 {
                        kept.resize(self.bytes.len(), 0);
                    }
                    kept
                }
            };
            self.bytes = kept;
        }
        self.durable = self.bytes.clone();
        self.same = self.bytes.len();
        self.lost_from = None;
    }
}

impl Names {
    fn apply(to: &mut BTreeMap<OsString, usize>, step: &[(OsString, Option<usize>)]) {
        for (name, node) in step {
            match node {
                Some(node) => drop(to.insert(name.clone(), *node)),
                None => drop(to.remove(name)),
            }
        }
    }

    fn change(&mut self, step: Vec<(OsString, Option<usize>)>) {
        Names::apply(&mut self.now, &step);
        self.changes.push(step);
    }

    fn lose(&mut self, random: &mut impl FnMut() -> u64) {
        let in_order = random().is_multiple_of(2);
        let upto = random() % (self.changes.len() as u64 + 1);
        for (at, step) in std::mem::take(&mut self.changes).iter().enumerate() {
            let survives = if in_order { (at as u64) < upto } else { random().is_multiple_of(2) };
            if survives {
                Names::apply(&mut self.durable, step);
            }
        }
        self.now = self.durable.clone();
        self.is_lost = false;
    }
}

impl Disk {
    /// Counts a call; the error that was injected for it.
    fn call(&mut self) -> io::Result<()> {
        assert!(self.calls < self.most_calls, "an operation made more calls than it was allowed: it does not end");
        if self.is_dead {
            return Err(io::Error::other("crashed"));
        }
        let at = self.calls;
        self.calls += 1;
        if let Some((due, injection)) = self.injected
            && due == at
        {
            self.injected = None;
            self.fired += 1;
            return Err(match injection {
                Injection::Errno(number) => io::Error::from_raw_os_error(number),
                Injection::Crash => {
                    self.is_dead = true;
                    io::Error::other("crashed")
                }
            });
        }
        Ok(())
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let mut node = ROOT;
        for name in names(path) {
            let Node::Directory(directory) = &self.nodes[node] else { return Err(io::ErrorKind::NotADirectory.into()) };
            node = *directory.now.get(&name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    fn directory(&mut self, path: &Path) -> io::Result<&mut Names> {
        let at = self.find(path)?;
        match &mut self.nodes[at] {
            Node::Directory(names) => Ok(names),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn parent(&mut self, path: &Path) -> io::Result<(&mut Names, OsString)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        Ok((self.directory(path.parent().unwrap_or(Path::new("")))?, name))
    }
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        std::path::Component::Normal(name) => Some(name.to_owned()),
        _ => None,
    })
}

fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random
}

impl FileSystem for Memory {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.call()?;
        let mut above = PathBuf::new();
        for name in names(dir) {
            let path = above.join(&name);
            if disk.find(&path).is_err() {
                disk.nodes.push(Node::Directory(Names::default()));
                let node = disk.nodes.len() - 1;
                disk.directory(&above)?.change(vec![(name, Some(node))]);
            }
            above = path;
        }
        Ok(())
    }

    fn read_dir(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut disk = self.0.lock();
        disk.call()?;
        let listed: Vec<_> = disk.directory(dir)?.now.iter().map(|(name, node)| (dir.join(name), *node)).collect();
        let is_dir = |node: usize| matches!(disk.nodes[node], Node::Directory(_));
        Ok(listed.into_iter().map(|(path, node)| DirEntry { path, is_dir: is_dir(node) }).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = self.0.lock();
        disk.call()?;
        let node = disk.find(path)?;
        match disk.nodes[node] {
            Node::File(_) => Ok(Arc::new(Handle { fs: self.clone(), node, incarnation: disk.incarnation })),
            Node::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = self.0.lock();
        disk.call()?;
        let node = match disk.find(path) {
            Ok(node) => {
                let Node::File(contents) = &mut disk.nodes[node] else {
                    return Err(io::ErrorKind::IsADirectory.into());
                };
                contents.bytes.clear();
                contents.same = 0;
                contents.lost_from = None;
                node
            }
            Err(_) => {
                disk.nodes.push(Node::File(Contents::default()));
                let node = disk.nodes.len() - 1;
                let (parent, name) = disk.parent(path)?;
                parent.change(vec![(name, Some(node))]);
                node
            }
        };
        Ok(Arc::new(Handle { fs: self.clone(), node, incarnation: disk.incarnation }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.call()?;
        assert_eq!(from.parent(), to.parent(), "a rename within one directory");
        let node = disk.find(from)?;
        let (parent, old) = disk.parent(from)?;
        let new = to.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        parent.change(vec![(old, None), (new, Some(node))]);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.call()?;
        disk.find(path)?;
        let (parent, name) = disk.parent(path)?;
        parent.change(vec![(name, None)]);
        Ok(())
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.remove_file(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        let called = disk.call();
        let names = disk.directory(dir)?;
        if let Err(error) = called {
            // A crash is no answer of the disk.
            names.is_lost |= error.raw_os_error().is_some();
            return Err(error);
        }
        if !names.is_lost {
            names.changes.clear();
            names.durable = names.now.clone();
        }
        Ok(())
    }
}

/// An open file.
#[derive(Debug)]
struct Handle {
    fs: Memory,
    node: usize,
    incarnation: u64,
}

impl Handle {
    fn with<T>(&self, work: impl FnOnce(&mut Contents, io::Result<()>) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.fs.0.lock();
        if disk.incarnation != self.incarnation {
            return Err(io::Error::other("crashed"));
        }
        let called = disk.call();
        match &mut disk.nodes[self.node] {
            Node::File(contents) => work(contents, called),
            Node::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }
}

impl File for Handle {
    fn append(&self, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        self.with(|contents, called| {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            if let Err(error) = called {
                // As a full disk does: a part is written.
                let part = all.len() * (contents.bytes.len() % 7) / 7;
                contents.bytes.extend_from_slice(&all[..part]);
                return Err(error);
            }
            contents.bytes.extend_from_slice(&all);
            Ok(())
        })
    }

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.with(|contents, called| {
            called?;
            let from = position as usize;
            let read = contents.bytes.get(from..from + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(read);
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|contents, called| called.map(|()| contents.bytes.len() as u64))
    }

    fn modified_ms(&self) -> io::Result<i64> {
        self.with(|_, called| called.map(|()| 0))
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.with(|contents, called| {
            called?;
            contents.bytes.resize(bytes as usize, 0);
            contents.same = contents.same.min(bytes as usize);
            contents.lost_from = contents.lost_from.filter(|from| *from < bytes as usize);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|contents, called| {
            if let Err(error) = called {
                // A crash is no answer of the disk.
                if error.raw_os_error().is_none() {
                    return Err(error);
                }
                contents.lost_from = Some(contents.lost_from.map_or(contents.same, |from| from.min(contents.same)));
                return Err(error);
            }
            let upto = contents.lost_from.unwrap_or(usize::MAX).min(contents.bytes.len());
            if contents.lost_from.is_none() {
                contents.durable.truncate(contents.same);
                contents.durable.extend_from_slice(&contents.bytes[contents.same..upto]);
                contents.same = contents.bytes.len();
            }
            Ok(())
        })
    }
}
