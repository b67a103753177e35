//! The group coordinator: the classic protocol (join, sync, heartbeat), and committed offsets.
//!
//! One lock over all groups: a request is a few map operations, and nothing waits for the disk under it. One timer for all groups: it sleeps until the earliest deadline, and is woken when an earlier one is set. There
//! is no initial rebalance delay.
//!
//! Not here: the newer consumer group protocol (KIP-848), share groups, transactional commits.
//! Source: Apache Kafka's documentation, "Group Membership"; KIP-62, KIP-134, KIP-345, KIP-394.

mod changes;
pub(crate) mod group;
mod offsets;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use parking_lot::{Mutex, MutexGuard};
use postern_log::fs::FileSystem;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub(crate) use self::changes::ChangeError;
use self::changes::Queue;
pub(crate) use self::group::{Group, GroupState, JoinResponse, SyncResponse};
pub(crate) use self::offsets::Committed;
use self::offsets::OffsetLog;

#[derive(Debug)]
pub(crate) struct Groups {
    state: Mutex<State>,
    /// Locked by who writes to it, on the blocking pool. Nobody who holds `state` waits for it.
    log: Mutex<OffsetLog>,
    /// A deadline was set that is before [`State::timer`].
    earlier_deadline: Notify,
}

#[derive(Debug)]
struct State {
    groups: HashMap<StrBytes, Group>,
    /// Changes that wait for the log.
    queue: Queue,
    /// What the timer sleeps until; `None`: until it is woken.
    timer: Option<Instant>,
}

impl Groups {
    /// `syncs`: commits wait for the disk.
    pub(crate) fn open(fs: Arc<dyn FileSystem>, path: PathBuf, syncs: bool) -> io::Result<Groups> {
        let (log, offsets) = OffsetLog::open(fs, path, syncs)?;
        let mut groups: HashMap<StrBytes, Group> = HashMap::new();
        for (id, offsets) in offsets.0.into_iter().filter(|(_, offsets)| !offsets.is_empty()) {
            groups.entry(id).or_default().offsets = offsets;
        }
        let state = Mutex::new(State { groups, queue: Queue::default(), timer: None });
        Ok(Groups { state, log: Mutex::new(log), earlier_deadline: Notify::new() })
    }

    /// Expires sessions and rebalances at their deadlines. Never returns.
    pub(crate) async fn run_deadlines(&self) {
        loop {
            let next = self.state.lock().expire(Instant::now());
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
        self.after_change(state, id);
        done
    }

    /// Runs `work` on the group, if it exists.
    pub(crate) fn with_existing<T>(&self, id: &StrBytes, work: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let mut state = self.state.lock();
        let done = work(state.groups.get_mut(id)?);
        self.after_change(state, id);
        Some(done)
    }

    /// Runs `work` on the group, if it exists. `work` only extends the sessions of members, if it changes anything, so the
    /// timer need not know: it looks again when the session would have ended.
    pub(crate) fn with_sessions<T>(&self, id: &StrBytes, work: impl FnOnce(&mut Group) -> T) -> Option<T> {
        self.state.lock().groups.get_mut(id).map(work)
    }

    /// Removes the group if nothing is left of it, and wakes the timer if the group has an earlier deadline.
    fn after_change(&self, mut state: MutexGuard<'_, State>, id: &StrBytes) {
        let is_earlier = state.remove_if_empty(id);
        drop(state);
        if is_earlier {
            self.earlier_deadline.notify_one();
        }
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
}

impl State {
    /// Does what is due at `now`. Returns the next deadline.
    fn expire(&mut self, now: Instant) -> Option<Instant> {
        self.groups.values_mut().for_each(|group| group.expire(now));
        self.remove_empty();
        self.timer = self.groups.values().filter_map(Group::next_deadline).min();
        self.timer
    }

    fn remove_empty(&mut self) {
        let now = Instant::now();
        self.groups.retain(|_, group| !group.is_removable(now));
    }

    /// Removes the group if nothing is left of it. Returns whether it has a deadline that is before the timer's.
    fn remove_if_empty(&mut self, id: &StrBytes) -> bool {
        let Some(group) = self.groups.get(id) else { return false };
        if group.is_removable(Instant::now()) {
            self.groups.remove(id);
            return false;
        }
        let deadline = group.next_deadline();
        deadline.is_some_and(|deadline| self.timer.is_none_or(|timer| deadline < timer))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use kafka_protocol::error::ResponseError;
    use tokio::sync::oneshot;

    use super::group::JoinRequest;
    use super::*;

    pub(super) fn text(text: &'static str) -> StrBytes {
        StrBytes::from_static_str(text)
    }

    /// A member that joins a group of its own and is stable at once.
    pub(super) fn join(groups: &Groups, id: &StrBytes) -> JoinResponse {
        let request = JoinRequest {
            member_id: StrBytes::new(),
            instance: None,
            client_id: text("client"),
            host: String::new(),
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(60),
            protocol_type: text("consumer"),
            protocols: vec![(text("range"), Bytes::new())],
            requires_known_member_id: false,
            may_skip_assignment: true,
        };
        let (answer, mut answered) = oneshot::channel();
        groups.with_or_create(id, |group| group.join(request, Instant::now(), answer));
        answered.try_recv().unwrap()
    }

    pub(super) fn heartbeat(
        groups: &Groups,
        id: &StrBytes,
        joined: &JoinResponse,
    ) -> Option<Result<(), ResponseError>> {
        let beat = |group: &mut Group| group.heartbeat(&joined.member_id, None, joined.generation, Instant::now());
        groups.with_sessions(id, beat)
    }

    /// Whether the timer was woken since the last call.
    async fn is_woken(groups: &Groups) -> bool {
        tokio::time::timeout(Duration::ZERO, groups.earlier_deadline.notified()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_earlier_deadline_wakes_the_timer() {
        let dir = tempfile::tempdir().unwrap();
        let groups = Groups::open(Arc::new(postern_log::fs::Disk), dir.path().join("offsets"), false).unwrap();
        let (first, second) = (text("first"), text("second"));
        let joined = join(&groups, &first);
        assert!(is_woken(&groups).await, "the first deadline of all");
        let next = groups.state.lock().expire(Instant::now()).expect("a session");
        for _ in 0..100 {
            tokio::time::advance(Duration::from_millis(10)).await;
            assert_eq!(heartbeat(&groups, &first, &joined), Some(Ok(())));
            groups.with_sessions(&first, |group| group.members.len());
        }
        join(&groups, &second);
        assert!(!is_woken(&groups).await, "all sessions end after the timer does");
        // The timer finds the session extended, and does not end it.
        tokio::time::advance(next - Instant::now()).await;
        assert!(groups.state.lock().expire(Instant::now()).expect("a session") > next);
        assert_eq!(heartbeat(&groups, &first, &joined), Some(Ok(())));
        tokio::time::advance(Duration::from_secs(11)).await;
        groups.state.lock().expire(Instant::now());
        assert_ne!(heartbeat(&groups, &first, &joined), Some(Ok(())));
    }
}
