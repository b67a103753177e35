//! Changes of committed offsets: checked under the lock of all groups, written in the order of the checks by one writer on
//! the blocking pool, then applied and acknowledged.
//!
//! Whoever finds no writer starts one, which writes all that waits at a time until nothing does. So a slow disk holds up
//! commits alone, and those that wait share one write and one sync. Between check and write a rebalance may come, as in
//! Apache Kafka, where a commit also waits for the log.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use parking_lot::MutexGuard;
use tokio::sync::oneshot;

use super::offsets::{Change, Committed, OffsetLog};
use super::{Group, Groups, State};

/// What may wait for the disk; beyond it changes are refused. One larger change is taken if nothing else waits.
const MAX_QUEUED_BYTES: usize = 16 << 20;
/// Changes that are applied before the lock of all groups is released in between.
const APPLIED_AT_ONCE: usize = 1000;

/// Why a commit or a deletion did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// The group does not allow it now.
    #[error("{0}")]
    Refused(ResponseError),
    /// The file could not be written.
    #[error("{0}")]
    Storage(Arc<io::Error>),
}

/// What waits for the writer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<Waiting>,
    /// Of all that is not written yet.
    bytes: usize,
    /// A writer was started and has not found the queue empty yet.
    has_writer: bool,
}

#[derive(Debug)]
struct Waiting {
    work: Work,
    written: oneshot::Sender<Written>,
}

/// One error of the file for all changes that were to be written together.
type Written = Result<(), Arc<io::Error>>;

enum Work {
    Write(Entries),
    /// Which changes these are depends on all that was written before.
    Decide(Box<Decide>),
}

type Decide = dyn FnOnce(&HashMap<StrBytes, Group>) -> Vec<Change> + Send;

#[derive(Debug)]
struct Entries {
    changes: Vec<Change>,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Work::Write(entries) => entries.fmt(out),
            Work::Decide(_) => out.write_str("Decide"),
        }
    }
}

impl Entries {
    fn new(changes: Vec<Change>) -> Entries {
        let mut bytes = Vec::with_capacity(changes.len() * 64);
        changes.iter().for_each(|change| change.write(&mut bytes));
        Entries { changes, bytes }
    }
}

// === Requests ===

impl Groups {
    /// Stores committed offsets if `check` allows it; they are written when this returns. Check and place in the order of
    /// changes are one step. The group is created if it does not exist and `creates` is set. Dropping the future once it
    /// was polled lets the write happen.
    ///
    /// # Errors
    /// The refusal of `check`, which gets `None` for a group that does not exist; or the file could not be written.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        id: &StrBytes,
        creates: bool,
        check: impl FnOnce(Option<&mut Group>) -> Result<(), ResponseError>,
        offsets: Vec<((StrBytes, i32), Committed)>,
    ) -> Result<(), ChangeError> {
        let commit = |(place, committed)| Change::Commit { group: id.clone(), place, committed };
        let entries = Entries::new(offsets.into_iter().map(commit).collect());
        let written = {
            let mut state = self.state.lock();
            let mut created = Group::default();
            let group = state.groups.get_mut(id).or(creates.then_some(&mut created));
            check(group).map_err(ChangeError::Refused)?;
            self.enqueue(state, Work::Write(entries))
        };
        written.await.map_err(ChangeError::Storage)
    }

    /// Deletes the offsets that the group committed for these partitions. Dropping the future once it was polled lets the
    /// write happen.
    ///
    /// # Errors
    /// The file could not be written.
    pub(crate) async fn delete_offsets(self: &Arc<Self>, id: &StrBytes, places: Vec<(StrBytes, i32)>) -> Written {
        let forget = |place| Change::Forget { group: id.clone(), place };
        let entries = Entries::new(places.into_iter().map(forget).collect());
        let written = self.enqueue(self.state.lock(), Work::Write(entries));
        written.await
    }

    /// Deletes a group without members, and its offsets. Dropping the future once it was polled lets the write happen.
    ///
    /// # Errors
    /// The group does not exist or has members; or the file could not be written.
    pub(crate) async fn delete(self: &Arc<Self>, id: &StrBytes) -> Result<(), ChangeError> {
        let written = {
            let state = self.state.lock();
            match state.groups.get(id) {
                None => return Err(ChangeError::Refused(ResponseError::GroupIdNotFound)),
                Some(group) if !group.members.is_empty() => {
                    return Err(ChangeError::Refused(ResponseError::NonEmptyGroup));
                }
                Some(_) => {
                    let entries = Entries::new(vec![Change::Delete { group: id.clone() }]);
                    self.enqueue(state, Work::Write(entries))
                }
            }
        };
        written.await.map_err(ChangeError::Storage)
    }

    /// Deletes the offsets that all groups committed for a deleted topic, those that are about to be written included.
    /// Nothing has to poll the future for it to happen; it resolves when it has.
    ///
    /// # Errors
    /// The file could not be written.
    pub(crate) fn delete_topic_offsets(self: &Arc<Self>, topic: StrBytes) -> impl Future<Output = Written> + use<> {
        let decide = move |groups: &HashMap<StrBytes, Group>| {
            let mut changes = Vec::new();
            for (id, group) in groups {
                let places = group.offsets.keys().filter(|(name, _)| *name == topic);
                changes.extend(places.map(|place| Change::Forget { group: id.clone(), place: place.clone() }));
            }
            changes
        };
        self.enqueue(self.state.lock(), Work::Decide(Box::new(decide)))
    }

    /// Deletes the offsets that groups without members committed longer than `kept` ago; the time also counts from when the
    /// last member left. Dropping the future once it was polled lets the write happen.
    ///
    /// # Errors
    /// The file could not be written.
    pub(crate) async fn expire_offsets(self: &Arc<Self>, kept: Duration, now_ms: i64) -> Written {
        let kept_ms = kept.as_millis() as i64;
        let decide = move |groups: &HashMap<StrBytes, Group>| {
            let mut changes = Vec::new();
            for (id, group) in groups.iter().filter(|(_, group)| group.members.is_empty()) {
                let is_idle = group.empty_since.is_none_or(|since| since.elapsed() >= kept);
                let is_old = |committed: &Committed| now_ms.saturating_sub(committed.committed_ms) > kept_ms;
                let old = group.offsets.iter().filter(|(_, committed)| is_idle && is_old(committed));
                changes.extend(old.map(|(place, _)| Change::Forget { group: id.clone(), place: place.clone() }));
            }
            changes
        };
        let written = self.enqueue(self.state.lock(), Work::Decide(Box::new(decide)));
        written.await
    }

    /// Syncs what was written; later changes are refused. Blocks on the file.
    ///
    /// # Errors
    /// The disk failed to keep what it was given.
    pub(crate) fn close(&self) -> io::Result<()> {
        self.log.lock().close()
    }
}

// === Writing ===

impl Groups {
    /// Puts `work` behind what waits already, and sees to it that there is a writer. The future resolves when it is
    /// written and applied.
    fn enqueue(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        work: Work,
    ) -> impl Future<Output = Written> + use<> {
        let (written, waits) = oneshot::channel();
        let bytes = match &work {
            Work::Write(entries) => entries.bytes.len(),
            Work::Decide(_) => 0,
        };
        let queue = &mut state.queue;
        if let Work::Write(Entries { changes, .. }) = &work
            && changes.is_empty()
        {
            let _ = written.send(Ok(()));
        } else if queue.bytes > 0 && queue.bytes + bytes > MAX_QUEUED_BYTES {
            let _ = written.send(Err(Arc::new(io::Error::other("too many changes of offsets wait for the disk"))));
        } else {
            queue.bytes += bytes;
            queue.waiting.push(Waiting { work, written });
            if !std::mem::replace(&mut queue.has_writer, true) {
                let groups = self.clone();
                drop(state);
                tokio::task::spawn_blocking(move || groups.write_queued());
            }
        }
        async move {
            // The runtime shuts down before the writer could begin.
            waits.await.unwrap_or_else(|_| Err(Arc::new(io::Error::other("the broker stops"))))
        }
    }

    /// Writes until nothing waits. Blocks on the file.
    fn write_queued(&self) {
        let mut log = self.log.lock();
        loop {
            let (waiting, bytes) = {
                let mut state = self.state.lock();
                let queue = &mut state.queue;
                queue.has_writer = !queue.waiting.is_empty();
                (std::mem::take(&mut queue.waiting), queue.bytes)
            };
            if waiting.is_empty() {
                return;
            }
            let mut together = Vec::new();
            for Waiting { work, written } in waiting {
                match work {
                    Work::Write(entries) => together.push((entries, written)),
                    Work::Decide(decide) => {
                        self.write(&mut log, std::mem::take(&mut together));
                        let changes = decide(&self.state.lock().groups);
                        self.write(&mut log, vec![(Entries::new(changes), written)]);
                    }
                }
            }
            self.write(&mut log, together);
            self.state.lock().queue.bytes -= bytes;
            if let Err(error) = log.shorten() {
                tracing::error!(%error, "the file of committed offsets could not be rewritten; it goes on growing");
            }
        }
    }

    /// Writes these together, applies them and acknowledges them.
    fn write(&self, log: &mut OffsetLog, together: Vec<(Entries, oneshot::Sender<Written>)>) {
        let mut slices: Vec<_> = together.iter().map(|(entries, _)| IoSlice::new(&entries.bytes)).collect();
        slices.retain(|slice| !slice.is_empty());
        let appended = if slices.is_empty() { Ok(()) } else { log.append(&mut slices).map_err(Arc::new) };
        for (entries, written) in together {
            if appended.is_ok() {
                self.apply(entries.changes);
            }
            // The client may have disconnected.
            let _ = written.send(appended.clone());
        }
    }

    fn apply(&self, changes: Vec<Change>) {
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() {
            let mut changed = HashSet::new();
            let mut state = self.state.lock();
            for change in changes.by_ref().take(APPLIED_AT_ONCE) {
                changed.insert(change.group().clone());
                change.apply(&mut state.groups);
            }
            let mut is_earlier = false;
            for id in &changed {
                is_earlier |= state.remove_if_empty(id);
            }
            drop(state);
            if is_earlier {
                self.earlier_deadline.notify_one();
            }
        }
    }
}

impl Change {
    fn apply(self, groups: &mut HashMap<StrBytes, Group>) {
        match self {
            Change::Commit { group, place, committed } => {
                groups.entry(group).or_default().offsets.insert(place, committed);
            }
            Change::Forget { group, place } => {
                if let Some(group) = groups.get_mut(&group) {
                    group.offsets.remove(&place);
                }
            }
            Change::Delete { group: id } => match groups.get_mut(&id) {
                // A member joined while this was written.
                Some(group) if !group.members.is_empty() => group.offsets.clear(),
                Some(_) => drop(groups.remove(&id)),
                None => {}
            },
        }
    }
}

#[cfg(test)]
mod tests;
