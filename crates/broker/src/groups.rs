//! The group coordinator: the classic protocol (join, sync, heartbeat), and committed offsets.
//!
//! One lock over all groups: a request is a few map operations, and the only file written under it is the log of
//! commits. One timer for all groups: it sleeps until the earliest deadline, and is woken when an earlier one is set. There
//! is no initial rebalance delay.
//!
//! Not here: the newer consumer group protocol (KIP-848), share groups, transactional commits.
//! Source: Apache Kafka's documentation, "Group Membership"; KIP-62, KIP-134, KIP-345, KIP-394.

pub(crate) mod group;
mod offsets;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub(crate) use self::group::{Group, GroupState, JoinResponse, SyncResponse};
pub(crate) use self::offsets::Committed;
use self::offsets::{Change, OffsetLog};

#[derive(Debug)]
pub(crate) struct Groups {
    state: Mutex<State>,
    /// There may be a deadline before the one that the timer sleeps until.
    earlier_deadline: Notify,
}

#[derive(Debug)]
struct State {
    groups: HashMap<StrBytes, Group>,
    log: OffsetLog,
}

impl Groups {
    /// `syncs`: commits wait for the disk.
    pub(crate) fn open(path: PathBuf, syncs: bool) -> io::Result<Groups> {
        let mut groups: HashMap<StrBytes, Group> = HashMap::new();
        let log = OffsetLog::open(path, syncs, |change| change.apply(&mut groups))?;
        groups.retain(|_, group| !group.offsets.is_empty());
        Ok(Groups { state: Mutex::new(State { groups, log }), earlier_deadline: Notify::new() })
    }

    /// Expires sessions and rebalances at their deadlines. Never returns.
    pub(crate) async fn run_deadlines(&self) {
        loop {
            let next = {
                let mut state = self.state.lock();
                let now = Instant::now();
                state.groups.values_mut().for_each(|group| group.expire(now));
                state.remove_empty();
                state.groups.values().filter_map(Group::next_deadline).min()
            };
            tokio::select! {
                () = async { match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                } } => {}
                () = self.earlier_deadline.notified() => {}
            }
        }
    }

    /// Runs `work` on the group, which is created if it does not exist.
    pub(crate) fn with_or_create<T>(&self, id: &StrBytes, work: impl FnOnce(&mut Group) -> T) -> T {
        let mut state = self.state.lock();
        let done = work(state.groups.entry(id.clone()).or_default());
        state.remove_if_empty(id);
        drop(state);
        self.earlier_deadline.notify_one();
        done
    }

    /// Runs `work` on the group, if it exists.
    pub(crate) fn with_existing<T>(&self, id: &StrBytes, work: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let mut state = self.state.lock();
        let done = state.groups.get_mut(id).map(work);
        state.remove_if_empty(id);
        drop(state);
        self.earlier_deadline.notify_one();
        done
    }

    /// The number of groups.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().groups.len()
    }

    /// Maps all groups, in the order of their ids.
    pub(crate) fn map_all<T>(&self, mut look: impl FnMut(&StrBytes, &Group) -> T) -> Vec<T> {
        let state = self.state.lock();
        let mut groups: Vec<_> = state.groups.iter().collect();
        groups.sort_by(|a, b| a.0.cmp(b.0));
        groups.into_iter().map(|(id, group)| look(id, group)).collect()
    }

    /// Stores committed offsets; they are written when this returns.
    pub(crate) fn commit(&self, id: &StrBytes, offsets: Vec<((StrBytes, i32), Committed)>) -> io::Result<()> {
        let commit = |(place, committed)| Change::Commit { group: id.clone(), place, committed };
        self.change(offsets.into_iter().map(commit).collect())
    }

    /// Deletes the offsets that the group committed for these partitions.
    pub(crate) fn delete_offsets(&self, id: &StrBytes, places: Vec<(StrBytes, i32)>) -> io::Result<()> {
        self.change(places.into_iter().map(|place| Change::Forget { group: id.clone(), place }).collect())
    }

    /// Deletes a group and its offsets.
    pub(crate) fn delete(&self, id: &StrBytes) -> io::Result<()> {
        self.change(vec![Change::Delete { group: id.clone() }])
    }

    /// Deletes the offsets that all groups committed for a deleted topic.
    pub(crate) fn delete_topic_offsets(&self, topic: &StrBytes) -> io::Result<()> {
        let state = self.state.lock();
        let mut changes = Vec::new();
        for (id, group) in &state.groups {
            let places = group.offsets.keys().filter(|(name, _)| name == topic);
            changes.extend(places.map(|place| Change::Forget { group: id.clone(), place: place.clone() }));
        }
        Self::write(state, changes)
    }

    /// Deletes the offsets that groups without members committed longer than `kept` ago; the time also counts from when the
    /// last member left.
    pub(crate) fn expire_offsets(&self, kept: Duration, now_ms: i64) -> io::Result<()> {
        let state = self.state.lock();
        let kept_ms = kept.as_millis() as i64;
        let mut changes = Vec::new();
        for (id, group) in state.groups.iter().filter(|(_, group)| group.members.is_empty()) {
            let is_idle = group.empty_since.is_none_or(|since| since.elapsed() >= kept);
            let is_old = |committed: &Committed| now_ms.saturating_sub(committed.committed_ms) > kept_ms;
            let old = group.offsets.iter().filter(|(_, committed)| is_idle && is_old(committed));
            changes.extend(old.map(|(place, _)| Change::Forget { group: id.clone(), place: place.clone() }));
        }
        Self::write(state, changes)
    }

    fn change(&self, changes: Vec<Change>) -> io::Result<()> {
        Self::write(self.state.lock(), changes)
    }

    fn write(mut state: MutexGuard<'_, State>, changes: Vec<Change>) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let State { groups, log } = &mut *state;
        log.append(&changes)?;
        for change in changes {
            change.apply(groups);
        }
        state.remove_empty();
        let State { groups, log } = &mut *state;
        log.shorten(groups)
    }
}

impl State {
    fn remove_empty(&mut self) {
        let now = Instant::now();
        self.groups.retain(|_, group| !group.is_removable(now));
    }

    fn remove_if_empty(&mut self, id: &StrBytes) {
        if self.groups.get(id).is_some_and(|group| group.is_removable(Instant::now())) {
            self.groups.remove(id);
        }
    }
}
