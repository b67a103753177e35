//! Members join and leave, static members return under another id; and the responses they get.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Group, GroupState, JoinRequest, JoinResponse, Member, SyncResponse};

impl Group {
    pub(super) fn new_id(&self, join: &JoinRequest) -> StrBytes {
        let prefix = join.instance.as_ref().unwrap_or(&join.client_id);
        StrBytes::from_string(format!("{}-{}", prefix.as_str(), uuid::Uuid::new_v4()))
    }

    pub(super) fn add(&mut self, join: JoinRequest, now: Instant, answer: oneshot::Sender<JoinResponse>) {
        if self.members.is_empty() {
            self.protocol_type = join.protocol_type;
        }
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), join.member_id.clone());
        }
        self.joins += 1;
        let member = Member {
            instance: join.instance,
            client_id: join.client_id,
            host: join.host,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            session_ends: now + join.session_timeout,
            join_number: self.joins,
            joining: Some(answer),
            syncing: None,
            has_synced: false,
        };
        self.members.insert(join.member_id, member);
    }

    pub(super) fn remove(&mut self, id: &StrBytes) {
        let Some(mut member) = self.members.remove(id) else { return };
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        if let Some(answer) = member.joining.take() {
            let _ = answer.send(JoinResponse::refused(ResponseError::UnknownMemberId, id.clone()));
        }
        if let Some(answer) = member.syncing.take() {
            let _ = answer.send(SyncResponse::refused(ResponseError::UnknownMemberId));
        }
    }

    pub(super) fn remove_where(&mut self, is_dropped: impl Fn(&Member) -> bool) {
        let dropped: Vec<_> = self.members.iter().filter(|(_, m)| is_dropped(m)).map(|(id, _)| id.clone()).collect();
        dropped.iter().for_each(|id| self.remove(id));
    }

    /// A static member returns under a new id: the old id is fenced. Other members do not rebalance if the selected protocol
    /// stays the same.
    pub(super) fn replace_static(
        &mut self,
        join: JoinRequest,
        old_id: &StrBytes,
        now: Instant,
        answer: oneshot::Sender<JoinResponse>,
    ) -> Result<(), Box<(oneshot::Sender<JoinResponse>, JoinResponse)>> {
        let Some(mut old) = self.members.remove(old_id) else { return Ok(()) };
        if let Some(waiting) = old.joining.take() {
            let _ = waiting.send(JoinResponse::refused(ResponseError::FencedInstanceId, old_id.clone()));
        }
        if let Some(waiting) = old.syncing.take() {
            let _ = waiting.send(SyncResponse::refused(ResponseError::FencedInstanceId));
        }
        let was_leader = self.leader.as_ref() == Some(old_id);
        let new_id = join.member_id.clone();
        let may_skip = join.may_skip_assignment;
        let join_number = old.join_number;
        self.add(join, now, answer);
        if was_leader {
            self.leader = Some(new_id.clone());
        }
        let Some(member) = self.members.get_mut(&new_id) else { return Ok(()) };
        member.join_number = join_number;
        if self.state != GroupState::Stable || self.select_protocol() != self.protocol {
            self.rebalance(now);
            return Ok(());
        }
        let Some(member) = self.members.get_mut(&new_id) else { return Ok(()) };
        member.assignment = old.assignment;
        let answer = member.joining.take();
        let mut joined = self.join_response(&new_id);
        if was_leader && may_skip {
            joined.skip_assignment = true;
        } else if was_leader {
            // An older client would send a new assignment if it were told that it is the leader: its old id is named.
            joined.leader = old_id.clone();
            joined.members.clear();
        }
        if let Some(answer) = answer {
            let _ = answer.send(joined);
        }
        Ok(())
    }

    pub(super) fn join_response(&self, id: &StrBytes) -> JoinResponse {
        let members = match self.leader.as_ref() == Some(id) {
            true => self
                .members
                .iter()
                .map(|(id, member)| (id.clone(), member.instance.clone(), member.metadata(self.protocol.as_ref())))
                .collect(),
            false => Vec::new(),
        };
        JoinResponse {
            error: None,
            generation: self.generation,
            protocol_type: Some(self.protocol_type.clone()),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.clone(),
            skip_assignment: false,
            members,
        }
    }

    pub(super) fn sync_response(&self, assignment: Bytes) -> SyncResponse {
        let (protocol_type, protocol) = (Some(self.protocol_type.clone()), self.protocol.clone());
        SyncResponse { error: None, protocol_type, protocol, assignment }
    }
}
