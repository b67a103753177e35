//! What is done to a log from time to time rather than on request: the disk keeps it, old segments go, keys are
//! compacted.

use std::io;
use std::sync::Arc;

use super::partition::{LogConfig, Partition};

impl Partition {
    /// Has the disk keep what retired from being written, and what `flush.ms` says it should have by now. Blocks on files.
    pub fn flush(&self, config: &LogConfig, now_ms: i64) -> io::Result<()> {
        let (rolled, is_due) = {
            let log = self.log.lock();
            let rolled = log.segments.len().checked_sub(2).is_some_and(|before| !log.segments[before].is_sealed());
            let is_behind = log.synced_to < log.end_offset && !log.is_gone;
            (rolled, is_behind && now_ms.saturating_sub(log.unsynced_since_ms) >= config.flush_ms)
        };
        match (rolled, is_due) {
            (_, true) => self.sync(),
            (true, false) => self.seal(),
            (false, false) => Ok(()),
        }
    }

    /// Has the disk keep everything up to `end`; whoever asks at the same time is served by the same turn.
    pub async fn sync_to(self: &Arc<Self>, end: i64) -> io::Result<()> {
        let _turn = self.syncing.lock().await;
        if self.log.lock().synced_to >= end {
            return Ok(());
        }
        let partition = self.clone();
        tokio::task::spawn_blocking(move || partition.sync()).await.map_err(io::Error::other)?
    }

    /// Has the disk keep everything there is. Blocks on files.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.seal()?;
        let (active, end) = {
            let log = self.log.lock();
            if log.synced_to == log.end_offset {
                return Ok(());
            }
            (log.segments.last().cloned(), log.end_offset)
        };
        if let Some(active) = active {
            active.sync(&self.files)?;
        }
        let mut log = self.log.lock();
        log.synced_to = log.synced_to.max(end);
        Ok(())
    }

    /// Seals the segments that are no longer written to. Blocks on files.
    pub(super) fn seal(&self) -> io::Result<()> {
        let mut rolled = self.log.lock().segments.clone();
        rolled.pop();
        for segment in rolled.iter().filter(|segment| !segment.is_stale()) {
            match segment.seal(&self.files) {
                Err(_) if segment.is_stale() => {}
                sealed => sealed?,
            }
        }
        Ok(())
    }

    /// Takes away the segments that `retention.ms` and `retention.bytes` let go. Blocks on files.
    pub fn expire(&self, config: &LogConfig, now_ms: i64) -> io::Result<()> {
        if !config.deletes || (config.retention_ms < 0 && config.retention_bytes < 0) {
            return Ok(());
        }
        let mut log = self.log.lock();
        let mut bytes = log.segments.iter().map(|segment| segment.bytes()).sum::<u64>();
        let mut count = 0;
        for segment in log.segments.iter().filter(|segment| segment.bytes() > 0 || segment.is_sealed()) {
            let without = bytes - segment.bytes();
            let is_old = config.retention_ms >= 0 && now_ms.saturating_sub(segment.newest_ms()) > config.retention_ms;
            let is_spare = u64::try_from(config.retention_bytes).is_ok_and(|kept| without >= kept);
            if !(is_old || is_spare) {
                break;
            }
            bytes = without;
            count += 1;
        }
        if count > 0 {
            if count == log.segments.len() {
                // The end of the log is where the next segment begins.
                self.roll(&mut log, now_ms)?;
            }
            tracing::debug!(dir = %self.dir.display(), segments = count, "old records are deleted");
            self.drop_first(&mut log, count);
        }
        Ok(())
    }
}
