//! Rebalances: who is waited for, what is agreed upon, who gets what.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::{Group, Join, Member, Phase, Synced};

impl Group {
    /// Everybody is to join again; at once through if everybody has.
    pub(super) fn rebalance(&mut self, now: Instant) {
        if self.phase == Phase::Completing {
            for member in self.members.values_mut() {
                member.assignment = Bytes::new();
                if let Some(answer) = member.syncing.take() {
                    let _ = answer.send(Synced::refused(ResponseError::RebalanceInProgress));
                }
            }
        }
        if self.phase != Phase::Preparing {
            self.phase = Phase::Preparing;
            let longest = self.members.values().map(|member| member.rebalance_timeout).max();
            self.deadline = Some(now + longest.unwrap_or_default());
        }
        self.complete_if_all_joined(now);
    }

    pub(super) fn complete_if_all_joined(&mut self, now: Instant) {
        if self.phase == Phase::Preparing && self.promised.is_empty() && self.members.values().all(Member::has_joined) {
            self.complete_join(now);
        }
    }

    /// The next generation begins with those who joined. Static members keep their place until their session ends.
    pub(super) fn complete_join(&mut self, now: Instant) {
        self.drop_where(|member| !member.has_joined() && member.instance.is_none());
        self.generation += 1;
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            self.emptied = Some(now);
            self.protocol = None;
            self.leader = None;
            self.deadline = None;
            return;
        }
        self.phase = Phase::Completing;
        self.protocol = self.vote();
        if self.leader.as_ref().is_none_or(|leader| !self.members.contains_key(leader)) {
            self.leader =
                self.members.iter().min_by_key(|(_, m)| (!m.has_joined(), m.joined)).map(|(id, _)| id.clone());
        }
        let longest = self.members.values().map(|member| member.rebalance_timeout).max();
        self.deadline = Some(now + longest.unwrap_or_default());
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
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
        self.phase = Phase::Stable;
        self.deadline = None;
        let (protocol_type, protocol) = (Some(self.protocol_type.clone()), self.protocol.clone());
        for (id, member) in &mut self.members {
            member.assignment = by_id.remove(id).unwrap_or_default();
            if let Some(answer) = member.syncing.take() {
                member.session_ends = now + member.session_timeout;
                let (protocol_type, protocol) = (protocol_type.clone(), protocol.clone());
                let assignment = member.assignment.clone();
                let _ = answer.send(Synced { error: None, protocol_type, protocol, assignment });
            }
        }
    }

    /// The protocol that all support and most prefer.
    pub(super) fn vote(&self) -> Option<StrBytes> {
        let is_common = |name: &StrBytes| self.members.values().all(|m| m.protocols.iter().any(|(n, _)| n == name));
        let mut votes: Vec<(StrBytes, usize)> = Vec::new();
        for member in self.members.values() {
            let Some((choice, _)) = member.protocols.iter().find(|(name, _)| is_common(name)) else { continue };
            match votes.iter_mut().find(|(name, _)| name == choice) {
                Some((_, count)) => *count += 1,
                None => votes.push((choice.clone(), 1)),
            }
        }
        votes.into_iter().rev().max_by_key(|(_, count)| *count).map(|(name, _)| name)
    }

    /// Whether the members, also what the client was as one, could go along with what it supports now.
    pub(super) fn agrees(&self, join: &Join) -> bool {
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
