//! Rebalances: waiting for the members, selecting the protocol, distributing the assignments.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::{Group, GroupState, JoinRequest, Member, SyncResponse};

impl Group {
    /// Requires all members to rejoin; completes at once if they have.
    pub(super) fn rebalance(&mut self, now: Instant) {
        if self.state == GroupState::CompletingRebalance {
            for member in self.members.values_mut() {
                member.assignment = Bytes::new();
                if let Some(answer) = member.syncing.take() {
                    let _ = answer.send(SyncResponse::refused(ResponseError::RebalanceInProgress));
                }
            }
        }
        if self.state != GroupState::PreparingRebalance {
            self.state = GroupState::PreparingRebalance;
            let longest = self.members.values().map(|member| member.rebalance_timeout).max();
            self.deadline = Some(now + longest.unwrap_or_default());
        }
        self.complete_if_all_joined(now);
    }

    pub(super) fn complete_if_all_joined(&mut self, now: Instant) {
        if self.state == GroupState::PreparingRebalance
            && self.pending_members.is_empty()
            && self.members.values().all(Member::has_joined)
        {
            self.complete_join(now);
        }
    }

    /// Begins the next generation with the members that joined. Static members stay until their session ends.
    pub(super) fn complete_join(&mut self, now: Instant) {
        self.remove_where(|member| !member.has_joined() && member.instance.is_none());
        self.generation += 1;
        if self.members.is_empty() {
            self.state = GroupState::Empty;
            self.empty_since = Some(now);
            self.protocol = None;
            self.leader = None;
            self.deadline = None;
            return;
        }
        self.state = GroupState::CompletingRebalance;
        self.protocol = self.select_protocol();
        if self.leader.as_ref().is_none_or(|leader| !self.members.contains_key(leader)) {
            self.leader =
                self.members.iter().min_by_key(|(_, m)| (!m.has_joined(), m.join_number)).map(|(id, _)| id.clone());
        }
        let longest = self.members.values().map(|member| member.rebalance_timeout).max();
        self.deadline = Some(now + longest.unwrap_or_default());
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.join_response(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.has_synced = false;
                if let Some(answer) = member.joining.take() {
                    member.session_ends = now + member.session_timeout;
                    let _ = answer.send(joined);
                }
            }
        }
    }

    pub(super) fn assign(&mut self, assignments: Vec<(StrBytes, Bytes)>, now: Instant) {
        let mut by_id: HashMap<_, _> = assignments.into_iter().collect();
        self.state = GroupState::Stable;
        self.deadline = None;
        let (protocol_type, protocol) = (Some(self.protocol_type.clone()), self.protocol.clone());
        for (id, member) in &mut self.members {
            member.assignment = by_id.remove(id).unwrap_or_default();
            if let Some(answer) = member.syncing.take() {
                member.session_ends = now + member.session_timeout;
                let (protocol_type, protocol) = (protocol_type.clone(), protocol.clone());
                let assignment = member.assignment.clone();
                let _ = answer.send(SyncResponse { error: None, protocol_type, protocol, assignment });
            }
        }
    }

    /// The protocol that all members support and most prefer.
    pub(super) fn select_protocol(&self) -> Option<StrBytes> {
        let is_common = |name: &StrBytes| self.members.values().all(|m| m.protocols.iter().any(|(n, _)| n == name));
        let mut counts: Vec<(StrBytes, usize)> = Vec::new();
        for member in self.members.values() {
            let Some((choice, _)) = member.protocols.iter().find(|(name, _)| is_common(name)) else { continue };
            match counts.iter_mut().find(|(name, _)| name == choice) {
                Some((_, count)) => *count += 1,
                None => counts.push((choice.clone(), 1)),
            }
        }
        counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(name, _)| name)
    }

    /// Whether there is a protocol that the joining client and all members support.
    pub(super) fn supports_protocols(&self, join: &JoinRequest) -> bool {
        if join.protocols.is_empty() || join.protocol_type.is_empty() {
            return false;
        }
        self.members.is_empty()
            || join.protocol_type == self.protocol_type
                && join.protocols.iter().any(|(name, _)| {
                    self.members.values().all(|member| member.protocols.iter().any(|(other, _)| other == name))
                })
    }
}
