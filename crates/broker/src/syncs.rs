//! Appends that wait for the disk: those of one partition that wait at the same time share one sync.

use std::io;
use std::sync::Arc;

use postern_log::Partition;
use tokio::sync::Mutex;

/// Partitions share these; two that share one wait for each other now and then.
const LOCKS: usize = 64;

/// Who syncs, one at a time per partition, so that those who wait take no thread each.
#[derive(Debug)]
pub(crate) struct Syncs([Mutex<()>; LOCKS]);

impl Default for Syncs {
    fn default() -> Self {
        Syncs(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Syncs {
    /// Has the disk keep everything up to the offset `end`. Dropping the future leaves a sync that has begun to its end.
    ///
    /// # Errors
    /// The disk is not known to have it; the log says why.
    pub(crate) async fn sync_to(&self, partition: &Arc<Partition>, end: i64) -> io::Result<()> {
        let lock = &self.0[Arc::as_ptr(partition).addr() / align_of::<Partition>() % LOCKS];
        let _syncing = lock.lock().await;
        let partition = partition.clone();
        tokio::task::spawn_blocking(move || partition.sync_to(end)).await.map_err(io::Error::other)?
    }
}
