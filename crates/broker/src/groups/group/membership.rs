//! Members come and go, static ones come back under another id; and what each is told of the group.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Group, Join, Joined, Member, Phase, Synced};

impl Group {
    pub(super) fn new_id(&self, join: &Join) -> StrBytes {
        let prefix = join.instance.as_ref().unwrap_or(&join.client_id);
        StrBytes::from_string(format!("{}-{}", prefix.as_str(), uuid::Uuid::new_v4()))
    }

    pub(super) fn add(&mut self, join: Join, now: Instant, answer: oneshot::Sender<Joined>) {
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
            joined: self.joins,
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
            let _ = answer.send(Joined::refused(ResponseError::UnknownMemberId, id.clone()));
        }
        if let Some(answer) = member.syncing.take() {
            let _ = answer.send(Synced::refused(ResponseError::UnknownMemberId));
        }
    }

    pub(super) fn drop_where(&mut self, is_dropped: impl Fn(&Member) -> bool) {
        let dropped: Vec<_> = self.members.iter().filter(|(_, m)| is_dropped(m)).map(|(id, _)| id.clone()).collect();
        dropped.iter().for_each(|id| self.remove(id));
    }

    /// A static member is back under a new id: the old one is fenced, and if all still agree on the same protocol nobody else notices.
    pub(super) fn replace_static(
        &mut self,
        join: Join,
        old_id: &StrBytes,
        now: Instant,
        answer: oneshot::Sender<Joined>,
    ) -> Result<(), Box<(oneshot::Sender<Joined>, Joined)>> {
        let Some(mut old) = self.members.remove(old_id) else { return Ok(()) };
        if let Some(waiting) = old.joining.take() {
            let _ = waiting.send(Joined::refused(ResponseError::FencedInstanceId, old_id.clone()));
        }
        if let Some(waiting) = old.syncing.take() {
            let _ = waiting.send(Synced::refused(ResponseError::FencedInstanceId));
        }
        let was_leader = self.leader.as_ref() == Some(old_id);
        let new_id = join.member_id.clone();
        let may_skip = join.may_skip_assignment;
        let place = old.joined;
        self.add(join, now, answer);
        if was_leader {
            self.leader = Some(new_id.clone());
        }
        let Some(member) = self.members.get_mut(&new_id) else { return Ok(()) };
        member.joined = place;
        if self.phase != Phase::Stable || self.vote() != self.protocol {
            self.rebalance(now);
            return Ok(());
        }
        let Some(member) = self.members.get_mut(&new_id) else { return Ok(()) };
        member.assignment = old.assignment;
        let answer = member.joining.take();
        let mut joined = self.joined(&new_id);
        if was_leader && may_skip {
            joined.skip_assignment = true;
        } else if was_leader {
            // An older client would assign anew if it thought itself the leader: it is told the id it had.
            joined.leader = old_id.clone();
            joined.members.clear();
        }
        if let Some(answer) = answer {
            let _ = answer.send(joined);
        }
        Ok(())
    }

    pub(super) fn joined(&self, id: &StrBytes) -> Joined {
        let members = match self.leader.as_ref() == Some(id) {
            true => self
                .members
                .iter()
                .map(|(id, member)| (id.clone(), member.instance.clone(), member.metadata(self.protocol.as_ref())))
                .collect(),
            false => Vec::new(),
        };
        Joined {
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

    pub(super) fn synced(&self, assignment: Bytes) -> Synced {
        let (protocol_type, protocol) = (Some(self.protocol_type.clone()), self.protocol.clone());
        Synced { error: None, protocol_type, protocol, assignment }
    }
}
