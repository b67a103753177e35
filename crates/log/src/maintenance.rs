//! What is done to a log from time to time rather than on request: the disk keeps it, old segments go. Everything here
//! blocks on files.

use std::io;
use std::sync::Arc;

use crate::config::LogConfig;
use crate::partition::{Activity, Log, Partition, State};
use crate::segment::{Segment, producers_path};

impl Partition {
    /// Does what is due: [`Partition::flush`], and with `cleans` [`Partition::expire`] and [`Partition::compact`]. What
    /// fails is logged, once until it succeeds, and tried again the next time.
    pub fn maintain(&self, config: &LogConfig, now_ms: i64, cleans: bool) {
        let done = self.flush(config, now_ms).and_then(|()| match cleans {
            true => self.expire(config, now_ms).and_then(|()| self.compact(config, now_ms)),
            false => Ok(()),
        });
        let mut log = self.log.lock();
        match done {
            Ok(()) if cleans => self.succeeded(&mut log, Activity::Maintenance),
            Ok(()) => {}
            Err(error) => {
                self.failed(&mut log, Activity::Maintenance, "maintenance failed and will be tried again", &error)
            }
        }
    }

    /// Has the disk keep what is no longer written to, new names, and what `flush.ms` says it should have by now.
    ///
    /// # Errors
    /// The disk refuses. Logged.
    pub fn flush(&self, config: &LogConfig, now_ms: i64) -> io::Result<()> {
        let (has_rolled, has_names, is_due) = {
            let log = self.log.lock();
            if log.state != State::Online {
                return Ok(());
            }
            let has_rolled = log.segments.len().checked_sub(2).is_some_and(|before| !log.segments[before].is_sealed());
            let is_behind = log.synced_to < log.end_offset;
            let is_due = is_behind && now_ms.saturating_sub(log.unsynced_since_ms) >= config.flush_ms;
            (has_rolled, log.unsynced_names.any(), is_due)
        };
        if has_rolled || is_due {
            self.sync()
        } else if has_names {
            let _syncing = self.syncing.lock();
            self.sync_names()
        } else {
            Ok(())
        }
    }

    /// Has the disk keep everything up to the offset `end`; who waits while another syncs is served by that or the next
    /// one.
    ///
    /// # Errors
    /// The disk is not known to have it. Logged.
    pub fn sync_to(&self, end: i64) -> io::Result<()> {
        if self.log.lock().synced_to >= end {
            return Ok(());
        }
        self.sync()
    }

    /// Has the disk keep everything there was when it began, names included, and seals the segments that are no longer
    /// written to.
    ///
    /// # Errors
    /// The disk is not known to have it. If it failed to keep what it was given, the partition is offline from now on: the
    /// next sync would succeed and mean nothing. Logged.
    pub fn sync(&self) -> io::Result<()> {
        let _syncing = self.syncing.lock();
        // Under one lock, so that what is synced is what `end` counts.
        let (unsealed, end) = {
            let log = self.log.lock();
            self.check_online(&log)?;
            let sealed = log.segments.iter().rposition(|segment| segment.is_sealed()).map_or(0, |at| at + 1);
            let unsealed = log.segments[sealed..].to_vec();
            if log.synced_to == log.end_offset && unsealed.len() <= 1 && !log.unsynced_names.any() {
                return Ok(());
            }
            (unsealed, log.end_offset)
        };
        for segment in &unsealed {
            self.sync_segment(segment)?;
        }
        self.sync_names()?;
        {
            let mut log = self.log.lock();
            log.synced_to = log.synced_to.max(end);
        }
        let rolled = unsealed.split_last().map_or(&[][..], |(_, rolled)| rolled);
        for segment in rolled.iter().filter(|segment| !segment.is_stale()) {
            if let Err(error) = segment.seal(&self.files) {
                // The entries stay in memory; the next sync tries again.
                self.failed(&mut self.log.lock(), Activity::Maintenance, "an index could not be written", &error);
            }
        }
        Ok(())
    }

    fn sync_segment(&self, segment: &Arc<Segment>) -> io::Result<()> {
        let opened = segment.open(&self.files);
        if segment.is_stale() {
            return Ok(());
        }
        let file = opened.inspect_err(|error| {
            self.failed(&mut self.log.lock(), Activity::Maintenance, "a log could not be synced", error)
        })?;
        match file.sync() {
            Err(error) if !segment.is_stale() => Err(self.take_offline(&mut self.log.lock(), "a sync failed", error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Has the disk keep the producers' states as they were when the segment `base` was begun, if they were written down.
    pub(crate) fn sync_producers(&self, base: i64) -> io::Result<()> {
        let file = match self.files.fs().open(&producers_path(&self.dir, base)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                self.failed(&mut self.log.lock(), Activity::Maintenance, "a log could not be synced", &error);
                return Err(error);
            }
        };
        file.sync().map_err(|error| self.take_offline(&mut self.log.lock(), "a sync failed", error))
    }

    /// Has the disk keep the names of the partition's files, and its own. Not under the lock of the log.
    pub(crate) fn sync_names(&self) -> io::Result<()> {
        let (own, above) = {
            let log = self.log.lock();
            (log.unsynced_names.own, log.unsynced_names.above)
        };
        let synced = self.sync_directories(above);
        let mut log = self.log.lock();
        synced.map_err(|error| self.take_offline(&mut log, "a directory could not be synced", error))?;
        log.unsynced_names.own_synced = log.unsynced_names.own_synced.max(own);
        log.unsynced_names.above &= !above;
        Ok(())
    }

    /// The same for the holder of the lock.
    pub(crate) fn sync_names_of(&self, log: &mut Log) -> io::Result<()> {
        let synced = self.sync_directories(log.unsynced_names.above);
        synced.map_err(|error| self.take_offline(log, "a directory could not be synced", error))?;
        log.unsynced_names.own_synced = log.unsynced_names.own;
        log.unsynced_names.above = false;
        Ok(())
    }

    fn sync_directories(&self, above: bool) -> io::Result<()> {
        self.files.fs().sync_dir(&self.dir)?;
        match self.dir.parent().filter(|_| above) {
            Some(parent) => self.files.fs().sync_dir(parent),
            None => Ok(()),
        }
    }

    /// Takes away the segments that `retention.ms` and `retention.bytes` let go, and forgets producers that are gone.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn expire(&self, config: &LogConfig, now_ms: i64) -> io::Result<()> {
        let _changing_files = self.changing_files.lock();
        let start = {
            let mut log = self.log.lock();
            if log.state != State::Online {
                return Ok(());
            }
            log.producers.expire(now_ms);
            if !config.deletes || (config.retention_ms < 0 && config.retention_bytes < 0) {
                return Ok(());
            }
            let mut bytes = log.segments.iter().map(|segment| segment.bytes()).sum::<u64>();
            let mut count = 0;
            let active = log.segments.len().saturating_sub(1);
            for (at, segment) in log.segments.iter().enumerate() {
                let without = bytes - segment.bytes();
                let age_ms = now_ms.saturating_sub(segment.newest_ms());
                let is_old = config.retention_ms >= 0 && age_ms > config.retention_ms;
                let is_spare = u64::try_from(config.retention_bytes).is_ok_and(|kept| without >= kept);
                if !(is_old || is_spare) || (at == active && segment.bytes() == 0) {
                    break;
                }
                bytes = without;
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            if count == log.segments.len() {
                // The end of the log is where the next segment begins.
                self.roll(&mut log, now_ms)?;
            }
            tracing::debug!(dir = %self.dir.display(), segments = count, "old records are deleted");
            log.segments[count].base()
        };
        self.begin_at(start)
    }
}
