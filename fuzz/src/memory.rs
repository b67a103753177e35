//! An allocator that counts, so that an input which takes a lot of memory is found before the machine has none left.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, with the bytes that are in use.
pub(crate) struct Counting {
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Counting {
    pub(crate) const fn new() -> Counting {
        Counting { used: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    /// From here on the peak is looked for; answers how much is in use.
    pub(crate) fn start(&self) -> usize {
        let used = self.used.load(Relaxed);
        self.peak.store(used, Relaxed);
        used
    }

    /// The most that was in use since.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }

    fn grown(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Relaxed) + bytes;
        self.peak.fetch_max(used, Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.grown(layout.size());
        // SAFETY: as our caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as our caller's.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.grown(size);
        self.used.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as our caller's.
        unsafe { System.realloc(at, layout, size) }
    }
}
