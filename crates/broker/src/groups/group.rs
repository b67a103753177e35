//! One group as a state machine: what comes in is a request and the time, what goes out are answers to whom they wait.
//!
//! ```text
//!   Empty ──join──▶ Preparing ──all joined, or time is up──▶ Completing ──the leader's sync──▶ Stable
//!     ▲                 ▲  ▲                                     │                               │
//!     └──last one left──┘  └──── join anew, leave, lost member ──┴───────────────────────────────┘
//! ```
//!
//! A member that waits for an answer counts as alive for as long as its connection does.

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

/// How long a group is seen that was left and has no commits (Kafka: `offsets.retention.check.interval.ms`).
const EMPTY_KEPT: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    #[default]
    Empty,
    Preparing,
    Completing,
    Stable,
}

#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) phase: Phase,
    pub(crate) generation: i32,
    pub(crate) protocol_type: StrBytes,
    /// What the members agreed on.
    pub(crate) protocol: Option<StrBytes>,
    leader: Option<StrBytes>,
    /// By member id.
    pub(crate) members: BTreeMap<StrBytes, Member>,
    /// Static members: instance id to member id.
    instances: HashMap<StrBytes, StrBytes>,
    /// Ids that were given out and must be joined with by then.
    promised: HashMap<StrBytes, Instant>,
    /// When waiting for joins (`Preparing`) or for syncs (`Completing`) ends.
    deadline: Option<Instant>,
    joins: u64,
    /// When the last member left, if there was one in the life of this process.
    pub(crate) emptied: Option<Instant>,
    pub(crate) offsets: BTreeMap<(StrBytes, i32), Committed>,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) host: String,
    session_timeout: Duration,
    rebalance_timeout: Duration,
    /// In the member's order of preference, each with what the leader needs to know.
    protocols: Vec<(StrBytes, Bytes)>,
    pub(crate) assignment: Bytes,
    session_ends: Instant,
    /// Who came first leads.
    joined: u64,
    joining: Option<oneshot::Sender<Joined>>,
    syncing: Option<oneshot::Sender<Synced>>,
    has_synced: bool,
}

/// What a client says when it joins.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub(crate) member_id: StrBytes,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocols: Vec<(StrBytes, Bytes)>,
    /// The client knows the error that gives it an id to join with (KIP-394).
    pub(crate) takes_promises: bool,
    /// The client knows that a leader may be told not to assign (KIP-814).
    pub(crate) may_skip_assignment: bool,
}

/// The answer to a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
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

/// The answer to a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) error: Option<ResponseError>,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) assignment: Bytes,
}

/// What a client says when it syncs.
#[derive(Debug, Clone)]
pub(crate) struct Sync {
    pub(crate) member_id: StrBytes,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) assignments: Vec<(StrBytes, Bytes)>,
}

impl Joined {
    pub(crate) fn refused(error: ResponseError, member_id: StrBytes) -> Joined {
        Joined {
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

impl Synced {
    pub(crate) fn refused(error: ResponseError) -> Synced {
        Synced { error: Some(error), protocol_type: None, protocol: None, assignment: Bytes::new() }
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
    /// A client joins, or joins again; `answer` is used now or when the rebalance is through.
    pub(crate) fn join(&mut self, join: Join, now: Instant, answer: oneshot::Sender<Joined>) {
        if let Err(refused) = self.try_join(join, now, answer) {
            let (answer, joined) = *refused;
            // A client that hung up does not want to know.
            let _ = answer.send(joined);
        }
    }

    fn try_join(
        &mut self,
        mut join: Join,
        now: Instant,
        answer: oneshot::Sender<Joined>,
    ) -> Result<(), Box<(oneshot::Sender<Joined>, Joined)>> {
        let refuse =
            |answer, error, member_id: &StrBytes| Err(Box::new((answer, Joined::refused(error, member_id.clone()))));
        if !self.agrees(&join) {
            return refuse(answer, ResponseError::InconsistentGroupProtocol, &join.member_id);
        }
        let known_instance = join.instance.as_ref().and_then(|instance| self.instances.get(instance)).cloned();
        if join.member_id.is_empty() {
            join.member_id = self.new_id(&join);
            match known_instance {
                Some(old) => return self.replace_static(join, &old, now, answer),
                None if join.instance.is_none() && join.takes_promises => {
                    self.promised.insert(join.member_id.clone(), now + join.session_timeout);
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
        if self.promised.remove(&join.member_id).is_some() {
            self.add(join, now, answer);
            self.rebalance(now);
            return Ok(());
        }
        let is_leader = self.leader.as_ref() == Some(&join.member_id);
        let Some(member) = self.members.get_mut(&join.member_id) else {
            return refuse(answer, ResponseError::UnknownMemberId, &join.member_id);
        };
        let is_same = member.protocols == join.protocols;
        let answers_now = match self.phase {
            Phase::Empty | Phase::Preparing => false,
            // The answer to the last join was lost.
            Phase::Completing => is_same,
            // A leader that joins again wants its members assigned anew.
            Phase::Stable => is_same && !is_leader,
        };
        member.session_ends = now + member.session_timeout;
        if answers_now {
            let joined = self.joined(&join.member_id);
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

    /// A member takes its assignment; the leader brings all of them.
    pub(crate) fn sync(&mut self, sync: Sync, now: Instant, answer: oneshot::Sender<Synced>) {
        if let Err(error) = self.check_member(&sync.member_id, sync.instance.as_ref(), sync.generation) {
            let _ = answer.send(Synced::refused(error));
            return;
        }
        let differs =
            |said: &Option<StrBytes>, is: Option<&StrBytes>| said.as_ref().is_some_and(|said| Some(said) != is);
        if differs(&sync.protocol_type, Some(&self.protocol_type)) || differs(&sync.protocol, self.protocol.as_ref()) {
            let _ = answer.send(Synced::refused(ResponseError::InconsistentGroupProtocol));
            return;
        }
        let is_leader = self.leader.as_ref() == Some(&sync.member_id);
        let Some(member) = self.members.get_mut(&sync.member_id) else { return };
        member.session_ends = now + member.session_timeout;
        match self.phase {
            Phase::Empty => {
                let _ = answer.send(Synced::refused(ResponseError::UnknownMemberId));
            }
            Phase::Preparing => {
                let _ = answer.send(Synced::refused(ResponseError::RebalanceInProgress));
            }
            Phase::Completing => {
                member.syncing = Some(answer);
                member.has_synced = true;
                if is_leader {
                    self.assign(sync.assignments, now);
                }
            }
            Phase::Stable => {
                let assignment = member.assignment.clone();
                let _ = answer.send(self.synced(assignment));
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
        match self.phase {
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::Preparing => Err(ResponseError::RebalanceInProgress),
            Phase::Completing | Phase::Stable => Ok(()),
        }
    }

    /// A member, or (by its instance alone) an administrator for it, leaves. Answers the member's id.
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
            None if self.promised.remove(member_id).is_some() => {
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

    /// Whether this client may commit now; an empty member id with a negative generation is a client outside the group.
    pub(crate) fn may_commit(
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
        match self.phase {
            Phase::Completing => Err(ResponseError::RebalanceInProgress),
            Phase::Empty | Phase::Preparing | Phase::Stable => Ok(()),
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
    /// Does what is due at `now`: lost members leave, waiting for the others ends.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.promised.retain(|_, until| *until > now);
        let is_lost = |member: &Member| !member.is_waiting() && member.session_ends <= now;
        let lost: Vec<_> = self.members.iter().filter(|(_, m)| is_lost(m)).map(|(id, _)| id.clone()).collect();
        for id in &lost {
            self.remove(id);
        }
        if !lost.is_empty() {
            self.rebalance(now);
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            match self.phase {
                Phase::Preparing => self.complete_join(now),
                Phase::Completing => {
                    self.drop_where(|member| !member.has_synced);
                    self.rebalance(now);
                }
                Phase::Empty | Phase::Stable => self.deadline = None,
            }
        }
        self.complete_if_all_joined(now);
    }

    /// When it can be forgotten that nobody is left.
    fn forgotten_at(&self) -> Option<Instant> {
        self.emptied.filter(|_| self.members.is_empty() && self.offsets.is_empty()).map(|since| since + EMPTY_KEPT)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.members.values().filter(|member| !member.is_waiting()).map(|member| member.session_ends);
        sessions.chain(self.promised.values().copied()).chain(self.deadline).chain(self.forgotten_at()).min()
    }

    /// A group that nobody is in and that committed nothing is not worth remembering; one that was left, not for long.
    pub(crate) fn is_forgettable(&self, now: Instant) -> bool {
        self.members.is_empty()
            && self.promised.is_empty()
            && self.offsets.is_empty()
            && self.forgotten_at().is_none_or(|at| at <= now)
    }
}
