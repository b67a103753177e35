//! Work that takes longer than other tasks of a thread should wait: checksums, compression and decompression of large batches.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

/// Compressing or decompressing more than this takes a millisecond and longer: a megabyte takes gzip 30.
pub(crate) const LARGE_COMPRESSED: usize = 32 << 10;
/// The same of a checksum or a copy.
pub(crate) const LARGE_PLAIN: usize = 1 << 20;

/// Runs `work` on this thread, whose other tasks go on with another one meanwhile. On a runtime with one thread there is none.
pub(crate) fn in_place<T>(is_large: bool, work: impl FnOnce() -> T) -> T {
    // What is small is asked for with each record, and a runtime is not.
    if !is_large {
        return work();
    }
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}
