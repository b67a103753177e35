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
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use parking_lot::{Mutex, MutexGuard};
use postern_log::fs::FileSystem;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub(crate) use self::group::{Group, GroupState, JoinResponse, SyncResponse};
pub(crate) use self::offsets::Committed;
use self::offsets::{Change, OffsetLog};

#[derive(Debug)]
pub(crate) struct Groups {
    state: Mutex<State>,
    /// A deadline was set that is before [`State::timer`].
    earlier_deadline: Notify,
}

#[derive(Debug)]
struct State {
    groups: HashMap<StrBytes, Group>,
    log: OffsetLog,
    /// What the timer sleeps until; `None`: until it is woken.
    timer: Option<Instant>,
}

/// Why a commit or a deletion did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// The group does not allow it now.
    #[error("{0}")]
    Refused(ResponseError),
    #[error("{0}")]
    Storage(#[from] io::Error),
}

impl Groups {
    /// `syncs`: commits wait for the disk.
    pub(crate) fn open(fs: Arc<dyn FileSystem>, path: PathBuf, syncs: bool) -> io::Result<Groups> {
        let mut groups: HashMap<StrBytes, Group> = HashMap::new();
        let log = OffsetLog::open(fs, path, syncs, |change| change.apply(&mut groups))?;
        groups.retain(|_, group| !group.offsets.is_empty());
        Ok(Groups { state: Mutex::new(State { groups, log, timer: None }), earlier_deadline: Notify::new() })
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
        state.remove_if_empty(id);
        let deadline = state.groups.get(id).and_then(Group::next_deadline);
        let is_earlier = deadline.is_some_and(|deadline| state.timer.is_none_or(|timer| deadline < timer));
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

    /// Stores committed offsets if `check` allows it; they are written when this returns. Check and commit are one step: no
    /// rebalance comes between them. The group is created if it does not exist and `creates` is set.
    ///
    /// # Errors
    /// The refusal of `check`, which gets `None` for a group that does not exist; or the file could not be written.
    pub(crate) fn commit(
        &self,
        id: &StrBytes,
        creates: bool,
        check: impl FnOnce(Option<&mut Group>) -> Result<(), ResponseError>,
        offsets: Vec<((StrBytes, i32), Committed)>,
    ) -> Result<(), ChangeError> {
        let mut state = self.state.lock();
        let mut created = Group::default();
        let group = state.groups.get_mut(id).or(creates.then_some(&mut created));
        check(group).map_err(ChangeError::Refused)?;
        let commit = |(place, committed)| Change::Commit { group: id.clone(), place, committed };
        Ok(Self::write(state, offsets.into_iter().map(commit).collect())?)
    }

    /// Deletes the offsets that the group committed for these partitions.
    pub(crate) fn delete_offsets(&self, id: &StrBytes, places: Vec<(StrBytes, i32)>) -> io::Result<()> {
        self.change(places.into_iter().map(|place| Change::Forget { group: id.clone(), place }).collect())
    }

    /// Deletes a group without members, and its offsets.
    ///
    /// # Errors
    /// The group does not exist or has members; or the file could not be written.
    pub(crate) fn delete(&self, id: &StrBytes) -> Result<(), ChangeError> {
        let state = self.state.lock();
        match state.groups.get(id) {
            None => Err(ChangeError::Refused(ResponseError::GroupIdNotFound)),
            Some(group) if !group.members.is_empty() => Err(ChangeError::Refused(ResponseError::NonEmptyGroup)),
            Some(_) => Ok(Self::write(state, vec![Change::Delete { group: id.clone() }])?),
        }
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
        let State { groups, log, .. } = &mut *state;
        log.append(&changes)?;
        for change in changes {
            change.apply(groups);
        }
        state.remove_empty();
        let State { groups, log, .. } = &mut *state;
        log.shorten(groups)
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

    fn remove_if_empty(&mut self, id: &StrBytes) {
        if self.groups.get(id).is_some_and(|group| group.is_removable(Instant::now())) {
            self.groups.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::sync::oneshot;

    use super::group::JoinRequest;
    use super::*;

    fn text(text: &'static str) -> StrBytes {
        StrBytes::from_static_str(text)
    }

    /// A member that joins a group of its own and is stable at once.
    fn join(groups: &Groups, id: &StrBytes) -> JoinResponse {
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

    fn heartbeat(groups: &Groups, id: &StrBytes, joined: &JoinResponse) -> Option<Result<(), ResponseError>> {
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

    #[tokio::test]
    async fn a_refused_commit_changes_nothing_and_a_group_with_members_stays() {
        let dir = tempfile::tempdir().unwrap();
        let groups = Groups::open(Arc::new(postern_log::fs::Disk), dir.path().join("offsets"), false).unwrap();
        let id = text("g");
        let offsets = |offset| {
            let committed = Committed { offset, leader_epoch: -1, metadata: text(""), committed_ms: 0 };
            vec![((text("t"), 0), committed)]
        };
        let refuse = |_: Option<&mut Group>| Err(ResponseError::IllegalGeneration);
        let refused = groups.commit(&id, true, refuse, offsets(1));
        assert!(matches!(refused, Err(ChangeError::Refused(ResponseError::IllegalGeneration))));
        assert_eq!(groups.count(), 0);
        join(&groups, &id);
        groups.commit(&id, true, |group| group.map(drop).ok_or(ResponseError::GroupIdNotFound), offsets(2)).unwrap();
        let refused = groups.delete(&id);
        assert!(matches!(refused, Err(ChangeError::Refused(ResponseError::NonEmptyGroup))));
        let offset = groups.with_sessions(&id, |group| group.offsets.values().next().map(|one| one.offset));
        assert_eq!(offset, Some(Some(2)));
    }
}
