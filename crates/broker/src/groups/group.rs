//! The state machine of a consumer group. It does no I/O and has no clock: methods take a request and the current time, and
//! send the responses to the tasks that wait for them.
//!
//! ```text
//! Empty ──join──▶ PreparingRebalance ──all joined, or timeout──▶ CompletingRebalance ──leader's sync──▶ Stable
//!   ▲                  ▲       ▲                                         │                               │
//!   └─last member left─┘       └────────── rejoin, leave, lost member ───┴───────────────────────────────┘
//! ```
//!
//! A member that waits for a response is alive as long as its connection is.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Committed;

mod membership;
mod rebalance;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

/// How long a group without members and commits is listed (Kafka: `offsets.retention.check.interval.ms`).
const EMPTY_GROUP_RETENTION: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum GroupState {
    #[default]
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) state: GroupState,
    pub(crate) generation: i32,
    pub(crate) protocol_type: StrBytes,
    /// The protocol that was selected when the generation began.
    pub(crate) protocol: Option<StrBytes>,
    leader: Option<StrBytes>,
    /// By member id.
    pub(crate) members: BTreeMap<StrBytes, Member>,
    /// Static members: instance id to member id.
    instances: HashMap<StrBytes, StrBytes>,
    /// Member ids that were assigned (KIP-394), and until when their members must join.
    pending_members: HashMap<StrBytes, Instant>,
    /// When the wait for joins (`PreparingRebalance`) or for syncs (`CompletingRebalance`) ends.
    deadline: Option<Instant>,
    joins: u64,
    /// When the last member left, if there was one since the start of this process.
    pub(crate) empty_since: Option<Instant>,
    pub(crate) offsets: BTreeMap<(StrBytes, i32), Committed>,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) host: String,
    session_timeout: Duration,
    rebalance_timeout: Duration,
    /// In the member's order of preference, each with its metadata for the leader.
    protocols: Vec<(StrBytes, Bytes)>,
    pub(crate) assignment: Bytes,
    session_ends: Instant,
    /// The member with the lowest number leads.
    join_number: u64,
    joining: Option<oneshot::Sender<JoinResponse>>,
    syncing: Option<oneshot::Sender<SyncResponse>>,
    has_synced: bool,
}

/// The request of a client that joins.
#[derive(Debug, Clone)]
pub(crate) struct JoinRequest {
    pub(crate) member_id: StrBytes,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocols: Vec<(StrBytes, Bytes)>,
    /// The client understands MEMBER_ID_REQUIRED, which assigns it an id to join with (KIP-394).
    pub(crate) requires_known_member_id: bool,
    /// The client understands `skip_assignment` (KIP-814).
    pub(crate) may_skip_assignment: bool,
}

/// The response to a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinResponse {
    pub(crate) error: Option<ResponseError>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) leader: StrBytes,
    pub(crate) member_id: StrBytes,
    pub(crate) skip_assignment: bool,
    /// Member id, instance, metadata; for the leader only.
    pub(crate) members: Vec<(StrBytes, Option<StrBytes>, Bytes)>,
}

/// The response to a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyncResponse {
    pub(crate) error: Option<ResponseError>,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) assignment: Bytes,
}

/// The request of a client that syncs.
#[derive(Debug, Clone)]
pub(crate) struct SyncRequest {
    pub(crate) member_id: StrBytes,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) assignments: Vec<(StrBytes, Bytes)>,
}

impl JoinResponse {
    pub(crate) fn refused(error: ResponseError, member_id: StrBytes) -> JoinResponse {
        JoinResponse {
            error: Some(error),
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: StrBytes::new(),
            member_id,
            skip_assignment: false,
            members: Vec::new(),
        }
    }
}

impl SyncResponse {
    pub(crate) fn refused(error: ResponseError) -> SyncResponse {
        SyncResponse { error: Some(error), protocol_type: None, protocol: None, assignment: Bytes::new() }
    }
}

impl Member {
    fn is_waiting(&self) -> bool {
        self.joining.as_ref().is_some_and(|answer| !answer.is_closed())
            || self.syncing.as_ref().is_some_and(|answer| !answer.is_closed())
    }

    fn has_joined(&self) -> bool {
        self.joining.as_ref().is_some_and(|answer| !answer.is_closed())
    }

    pub(crate) fn metadata(&self, protocol: Option<&StrBytes>) -> Bytes {
        let of = |wanted| self.protocols.iter().find(|(name, _)| name == wanted);
        protocol.and_then(of).map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}

// === Requests ===

impl Group {
    /// A client joins or rejoins; `answer` is sent now or when the rebalance is complete.
    pub(crate) fn join(&mut self, join: JoinRequest, now: Instant, answer: oneshot::Sender<JoinResponse>) {
        if let Err(refused) = self.try_join(join, now, answer) {
            let (answer, joined) = *refused;
            // The client may have disconnected.
            let _ = answer.send(joined);
        }
    }

    fn try_join(
        &mut self,
        mut join: JoinRequest,
        now: Instant,
        answer: oneshot::Sender<JoinResponse>,
    ) -> Result<(), Box<(oneshot::Sender<JoinResponse>, JoinResponse)>> {
        let refuse = |answer, error, member_id: &StrBytes| {
            Err(Box::new((answer, JoinResponse::refused(error, member_id.clone()))))
        };
        if !self.supports_protocols(&join) {
            return refuse(answer, ResponseError::InconsistentGroupProtocol, &join.member_id);
        }
        let known_instance = join.instance.as_ref().and_then(|instance| self.instances.get(instance)).cloned();
        if join.member_id.is_empty() {
            join.member_id = self.new_id(&join);
            match known_instance {
                Some(old) => return self.replace_static(join, &old, now, answer),
                None if join.instance.is_none() && join.requires_known_member_id => {
                    self.pending_members.insert(join.member_id.clone(), now + join.session_timeout);
                    return refuse(answer, ResponseError::MemberIdRequired, &join.member_id);
                }
                None => {}
            }
            self.add(join, now, answer);
            self.rebalance(now);
            return Ok(());
        }
        if known_instance.as_ref().is_some_and(|known| *known != join.member_id) {
            return refuse(answer, ResponseError::FencedInstanceId, &join.member_id);
        }
        if self.pending_members.remove(&join.member_id).is_some() {
            self.add(join, now, answer);
            self.rebalance(now);
            return Ok(());
        }
        let is_leader = self.leader.as_ref() == Some(&join.member_id);
        let Some(member) = self.members.get_mut(&join.member_id) else {
            return refuse(answer, ResponseError::UnknownMemberId, &join.member_id);
        };
        let is_same = member.protocols == join.protocols;
        let answers_now = match self.state {
            GroupState::Empty | GroupState::PreparingRebalance => false,
            // The response to the last join was lost.
            GroupState::CompletingRebalance => is_same,
            // A leader that rejoins wants a new assignment.
            GroupState::Stable => is_same && !is_leader,
        };
        member.session_ends = now + member.session_timeout;
        if answers_now {
            let joined = self.join_response(&join.member_id);
            let _ = answer.send(joined);
            return Ok(());
        }
        member.protocols = join.protocols;
        member.session_timeout = join.session_timeout;
        member.rebalance_timeout = join.rebalance_timeout;
        member.joining = Some(answer);
        self.rebalance(now);
        Ok(())
    }

    /// A member requests its assignment; the leader sends those of all members.
    pub(crate) fn sync(&mut self, sync: SyncRequest, now: Instant, answer: oneshot::Sender<SyncResponse>) {
        if let Err(error) = self.check_member(&sync.member_id, sync.instance.as_ref(), sync.generation) {
            let _ = answer.send(SyncResponse::refused(error));
            return;
        }
        let differs = |sent: &Option<StrBytes>, current: Option<&StrBytes>| {
            sent.as_ref().is_some_and(|sent| Some(sent) != current)
        };
        if differs(&sync.protocol_type, Some(&self.protocol_type)) || differs(&sync.protocol, self.protocol.as_ref()) {
            let _ = answer.send(SyncResponse::refused(ResponseError::InconsistentGroupProtocol));
            return;
        }
        let is_leader = self.leader.as_ref() == Some(&sync.member_id);
        let Some(member) = self.members.get_mut(&sync.member_id) else { return };
        member.session_ends = now + member.session_timeout;
        match self.state {
            GroupState::Empty => {
                let _ = answer.send(SyncResponse::refused(ResponseError::UnknownMemberId));
            }
            GroupState::PreparingRebalance => {
                let _ = answer.send(SyncResponse::refused(ResponseError::RebalanceInProgress));
            }
            GroupState::CompletingRebalance => {
                member.syncing = Some(answer);
                member.has_synced = true;
                if is_leader {
                    self.assign(sync.assignments, now);
                }
            }
            GroupState::Stable => {
                let assignment = member.assignment.clone();
                let _ = answer.send(self.sync_response(assignment));
            }
        }
    }

    pub(crate) fn heartbeat(
        &mut self,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.check_member(member_id, instance, generation)?;
        if let Some(member) = self.members.get_mut(member_id) {
            member.session_ends = now + member.session_timeout;
        }
        match self.state {
            GroupState::Empty => Err(ResponseError::UnknownMemberId),
            GroupState::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// A member leaves, or an administrator removes it by its instance id alone.
    pub(crate) fn leave(
        &mut self,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let id = match instance {
            Some(instance) => match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(known) if !member_id.is_empty() && known != member_id => {
                    return Err(ResponseError::FencedInstanceId);
                }
                Some(known) => known.clone(),
            },
            None if self.pending_members.remove(member_id).is_some() => {
                self.complete_if_all_joined(now);
                return Ok(());
            }
            None if self.members.contains_key(member_id) => member_id.clone(),
            None => return Err(ResponseError::UnknownMemberId),
        };
        self.remove(&id);
        self.rebalance(now);
        Ok(())
    }

    /// Checks whether this client may commit now; a client outside the group has a negative generation.
    pub(crate) fn check_commit(
        &mut self,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        self.check_member(member_id, instance, generation)?;
        if let Some(member) = self.members.get_mut(member_id) {
            member.session_ends = now + member.session_timeout;
        }
        match self.state {
            GroupState::CompletingRebalance => Err(ResponseError::RebalanceInProgress),
            GroupState::Empty | GroupState::PreparingRebalance | GroupState::Stable => Ok(()),
        }
    }

    fn check_member(
        &self,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(known) if known != member_id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(())
    }
}

// === Time ===

impl Group {
    /// Does what is due at `now`: removes members whose session ended, and ends the wait for others.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.pending_members.retain(|_, until| *until > now);
        // A member that waits for a response is alive. Whether it still waits is checked again a session later.
        for member in self.members.values_mut().filter(|member| member.is_waiting() && member.session_ends <= now) {
            member.session_ends = now + member.session_timeout;
        }
        let is_lost = |member: &Member| !member.is_waiting() && member.session_ends <= now;
        let lost: Vec<_> = self.members.iter().filter(|(_, m)| is_lost(m)).map(|(id, _)| id.clone()).collect();
        for id in &lost {
            self.remove(id);
        }
        if !lost.is_empty() {
            self.rebalance(now);
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            match self.state {
                GroupState::PreparingRebalance => self.complete_join(now),
                GroupState::CompletingRebalance => {
                    self.remove_where(|member| !member.has_synced);
                    self.rebalance(now);
                }
                GroupState::Empty | GroupState::Stable => self.deadline = None,
            }
        }
        self.complete_if_all_joined(now);
    }

    /// When an empty group can be removed.
    fn removable_at(&self) -> Option<Instant> {
        self.empty_since
            .filter(|_| self.members.is_empty() && self.offsets.is_empty())
            .map(|since| since + EMPTY_GROUP_RETENTION)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.members.values().map(|member| member.session_ends);
        sessions.chain(self.pending_members.values().copied()).chain(self.deadline).chain(self.removable_at()).min()
    }

    /// Whether the group has neither members nor commits, and had no members recently.
    pub(crate) fn is_removable(&self, now: Instant) -> bool {
        self.members.is_empty()
            && self.pending_members.is_empty()
            && self.offsets.is_empty()
            && self.removable_at().is_none_or(|at| at <= now)
    }
}
