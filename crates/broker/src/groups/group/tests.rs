//! The group as its clients see it, on a virtual clock.

use super::*;

/// A group and a clock.
struct TestGroup {
    group: Group,
    now: Instant,
}

type Answer = oneshot::Receiver<JoinResponse>;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn test_group() -> TestGroup {
    TestGroup { group: Group::default(), now: Instant::now() }
}

fn join(member_id: &str, protocols: &[&str]) -> JoinRequest {
    JoinRequest {
        member_id: text(member_id),
        instance: None,
        client_id: text("client"),
        host: "/127.0.0.1".to_owned(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: text("consumer"),
        protocols: protocols.iter().map(|name| (text(name), Bytes::from_static(b"m"))).collect(),
        requires_known_member_id: false,
        may_skip_assignment: true,
    }
}

impl TestGroup {
    fn join(&mut self, join: JoinRequest) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.group.join(join, self.now, answer);
        answered
    }

    fn sync(
        &mut self,
        joined: &JoinResponse,
        assignments: &[(&StrBytes, &'static str)],
    ) -> oneshot::Receiver<SyncResponse> {
        let sync = SyncRequest {
            member_id: joined.member_id.clone(),
            instance: None,
            generation: joined.generation,
            protocol_type: None,
            protocol: None,
            assignments: assignments
                .iter()
                .map(|(id, what)| ((*id).clone(), Bytes::from_static(what.as_bytes())))
                .collect(),
        };
        let (answer, answered) = oneshot::channel();
        self.group.sync(sync, self.now, answer);
        answered
    }

    fn heartbeat(&mut self, joined: &JoinResponse) -> Result<(), ResponseError> {
        self.group.heartbeat(&joined.member_id, None, joined.generation, self.now)
    }

    fn advance(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.group.expire(self.now);
    }

    /// A stable group of two: the leader and the other.
    fn two(&mut self) -> (JoinResponse, JoinResponse) {
        let alone = self.join(join("", &["range"])).try_recv().unwrap();
        let mut other = self.join(join("", &["range"]));
        assert_eq!(self.heartbeat(&alone), Err(ResponseError::RebalanceInProgress));
        let leader = self.join(join(&alone.member_id, &["range"])).try_recv().unwrap();
        let other = other.try_recv().unwrap();
        let mut waiting = self.sync(&other, &[]);
        assert!(waiting.try_recv().is_err(), "the leader has not assigned yet");
        let mut led = self.sync(&leader, &[(&leader.member_id, "one"), (&other.member_id, "two")]);
        assert_eq!(led.try_recv().unwrap().assignment, "one");
        assert_eq!(waiting.try_recv().unwrap().assignment, "two");
        assert_eq!(self.group.state, GroupState::Stable);
        (leader, other)
    }
}

#[test]
fn only_the_leader_gets_the_list_of_members() {
    let mut test = test_group();
    let (leader, other) = test.two();
    assert_eq!((leader.generation, other.generation), (2, 2));
    assert_eq!((leader.members.len(), other.members.len()), (2, 0));
    assert_eq!(other.leader, leader.member_id);
    assert_eq!(test.heartbeat(&other), Ok(()));
    let stale = JoinResponse { generation: 1, ..other };
    assert_eq!(test.heartbeat(&stale), Err(ResponseError::IllegalGeneration));
}

#[test]
fn a_member_without_heartbeats_is_removed_after_its_session() {
    let mut test = test_group();
    let (leader, other) = test.two();
    test.advance(6);
    assert_eq!(test.heartbeat(&leader), Ok(()));
    test.advance(5);
    assert_eq!(test.heartbeat(&leader), Err(ResponseError::RebalanceInProgress));
    assert_eq!(test.heartbeat(&other), Err(ResponseError::UnknownMemberId));
    let again = test.join(join(&leader.member_id, &["range"])).try_recv().unwrap();
    assert_eq!((again.generation, again.members.len()), (3, 1));
}

#[test]
fn a_rebalance_ends_at_its_timeout() {
    let mut test = test_group();
    let (leader, other) = test.two();
    let mut joining = test.join(join(&leader.member_id, &["range"]));
    for _ in 0..11 {
        test.advance(5);
        assert_eq!(test.heartbeat(&other), Err(ResponseError::RebalanceInProgress));
        assert!(joining.try_recv().is_err());
    }
    test.advance(5);
    assert_eq!(joining.try_recv().unwrap().members.len(), 1);
    assert_eq!(test.heartbeat(&other), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_leader_that_never_assigns_is_removed() {
    let mut test = test_group();
    let lone = test.join(join("", &["range"])).try_recv().unwrap();
    assert_eq!(test.group.state, GroupState::CompletingRebalance);
    for _ in 0..12 {
        test.advance(5);
        let _ = test.heartbeat(&lone);
    }
    assert_eq!(test.group.state, GroupState::Empty);
    assert_eq!(test.heartbeat(&lone), Err(ResponseError::UnknownMemberId));
}

#[test]
fn the_selected_protocol_is_one_that_all_support() {
    let mut test = test_group();
    let first = test.join(join("", &["sticky", "range"])).try_recv().unwrap();
    assert_eq!(first.protocol, Some(text("sticky")));
    let refused = test.join(join("", &["roundrobin"])).try_recv().unwrap();
    assert_eq!(refused.error, Some(ResponseError::InconsistentGroupProtocol));
    let mut second = test.join(join("", &["range"]));
    test.join(join(&first.member_id, &["sticky", "range"]));
    assert_eq!(second.try_recv().unwrap().protocol, Some(text("range")));
}

#[test]
fn a_pending_member_expires_with_its_session() {
    let mut test = test_group();
    let new = || JoinRequest { requires_known_member_id: true, ..join("", &["range"]) };
    let pending = test.join(new()).try_recv().unwrap();
    assert_eq!(pending.error, Some(ResponseError::MemberIdRequired));
    let joined = test.join(join(&pending.member_id, &["range"])).try_recv().unwrap();
    assert_eq!((joined.error, &joined.member_id), (None, &pending.member_id));
    let late = test.join(new()).try_recv().unwrap();
    test.advance(11);
    let refused = test.join(join(&late.member_id, &["range"])).try_recv().unwrap();
    assert_eq!(refused.error, Some(ResponseError::UnknownMemberId));
}

#[test]
fn a_static_member_returns_without_a_rebalance_and_fences_its_old_id() {
    let mut test = test_group();
    let me = || JoinRequest { instance: Some(text("me")), ..join("", &["range"]) };
    let before = test.join(me()).try_recv().unwrap();
    assert_eq!(test.sync(&before, &[(&before.member_id, "all")]).try_recv().unwrap().error, None);
    let after = test.join(me()).try_recv().unwrap();
    assert_ne!(after.member_id, before.member_id);
    assert_eq!((after.generation, after.skip_assignment), (before.generation, true));
    assert_eq!(test.sync(&after, &[]).try_recv().unwrap().assignment, "all");
    let old = test.group.heartbeat(&before.member_id, Some(&text("me")), 1, test.now);
    assert_eq!(old, Err(ResponseError::FencedInstanceId));
}

#[test]
fn commits_are_for_members_of_this_generation_or_groups_without_members() {
    let mut test = test_group();
    assert_eq!(test.group.check_commit(&text(""), None, -1, test.now), Ok(()));
    let (leader, _) = test.two();
    let (id, now) = (leader.member_id.clone(), test.now);
    assert_eq!(test.group.check_commit(&id, None, 2, now), Ok(()));
    assert_eq!(test.group.check_commit(&id, None, 1, now), Err(ResponseError::IllegalGeneration));
    assert_eq!(test.group.check_commit(&text(""), None, -1, now), Err(ResponseError::UnknownMemberId));
    assert_eq!(test.group.leave(&id, None, now), Ok(()));
    assert_eq!(test.group.check_commit(&id, None, 2, now), Err(ResponseError::UnknownMemberId));
}
