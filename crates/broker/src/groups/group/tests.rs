//! The group as its clients see it, at times a test chooses.

use super::*;

/// A group and a clock.
struct Scene {
    group: Group,
    now: Instant,
}

type Answer = oneshot::Receiver<Joined>;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn scene() -> Scene {
    Scene { group: Group::default(), now: Instant::now() }
}

fn join(member_id: &str, protocols: &[&str]) -> Join {
    Join {
        member_id: text(member_id),
        instance: None,
        client_id: text("client"),
        host: "/127.0.0.1".to_owned(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: text("consumer"),
        protocols: protocols.iter().map(|name| (text(name), Bytes::from_static(b"m"))).collect(),
        takes_promises: false,
        may_skip_assignment: true,
    }
}

impl Scene {
    fn join(&mut self, join: Join) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.group.join(join, self.now, answer);
        answered
    }

    fn sync(&mut self, joined: &Joined, assignments: &[(&StrBytes, &'static str)]) -> oneshot::Receiver<Synced> {
        let sync = Sync {
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

    fn beat(&mut self, joined: &Joined) -> Result<(), ResponseError> {
        self.group.heartbeat(&joined.member_id, None, joined.generation, self.now)
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.group.expire(self.now);
    }

    /// A stable group of two: the leader and the other.
    fn two(&mut self) -> (Joined, Joined) {
        let alone = self.join(join("", &["range"])).try_recv().unwrap();
        let mut other = self.join(join("", &["range"]));
        assert_eq!(self.beat(&alone), Err(ResponseError::RebalanceInProgress));
        let leader = self.join(join(&alone.member_id, &["range"])).try_recv().unwrap();
        let other = other.try_recv().unwrap();
        let mut waiting = self.sync(&other, &[]);
        assert!(waiting.try_recv().is_err(), "the leader has not assigned yet");
        let mut led = self.sync(&leader, &[(&leader.member_id, "one"), (&other.member_id, "two")]);
        assert_eq!(led.try_recv().unwrap().assignment, "one");
        assert_eq!(waiting.try_recv().unwrap().assignment, "two");
        assert_eq!(self.group.phase, Phase::Stable);
        (leader, other)
    }
}

#[test]
fn two_members_share_and_only_the_leader_hears_of_both() {
    let mut scene = scene();
    let (leader, other) = scene.two();
    assert_eq!((leader.generation, other.generation), (2, 2));
    assert_eq!((leader.members.len(), other.members.len()), (2, 0));
    assert_eq!(other.leader, leader.member_id);
    assert_eq!(scene.beat(&other), Ok(()));
    let stale = Joined { generation: 1, ..other };
    assert_eq!(scene.beat(&stale), Err(ResponseError::IllegalGeneration));
}

#[test]
fn a_member_that_falls_silent_is_replaced_after_its_session() {
    let mut scene = scene();
    let (leader, other) = scene.two();
    scene.pass(6);
    assert_eq!(scene.beat(&leader), Ok(()));
    scene.pass(5);
    assert_eq!(scene.beat(&leader), Err(ResponseError::RebalanceInProgress));
    assert_eq!(scene.beat(&other), Err(ResponseError::UnknownMemberId));
    let again = scene.join(join(&leader.member_id, &["range"])).try_recv().unwrap();
    assert_eq!((again.generation, again.members.len()), (3, 1));
}

#[test]
fn a_rebalance_does_not_wait_for_ever() {
    let mut scene = scene();
    let (leader, other) = scene.two();
    let mut joining = scene.join(join(&leader.member_id, &["range"]));
    for _ in 0..11 {
        scene.pass(5);
        assert_eq!(scene.beat(&other), Err(ResponseError::RebalanceInProgress));
        assert!(joining.try_recv().is_err());
    }
    scene.pass(5);
    assert_eq!(joining.try_recv().unwrap().members.len(), 1);
    assert_eq!(scene.beat(&other), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_leader_that_never_assigns_is_dropped() {
    let mut scene = scene();
    let lone = scene.join(join("", &["range"])).try_recv().unwrap();
    assert_eq!(scene.group.phase, Phase::Completing);
    for _ in 0..12 {
        scene.pass(5);
        let _ = scene.beat(&lone);
    }
    assert_eq!(scene.group.phase, Phase::Empty);
    assert_eq!(scene.beat(&lone), Err(ResponseError::UnknownMemberId));
}

#[test]
fn the_protocol_is_one_that_all_know() {
    let mut scene = scene();
    let first = scene.join(join("", &["sticky", "range"])).try_recv().unwrap();
    assert_eq!(first.protocol, Some(text("sticky")));
    let refused = scene.join(join("", &["roundrobin"])).try_recv().unwrap();
    assert_eq!(refused.error, Some(ResponseError::InconsistentGroupProtocol));
    let mut second = scene.join(join("", &["range"]));
    scene.join(join(&first.member_id, &["sticky", "range"]));
    assert_eq!(second.try_recv().unwrap().protocol, Some(text("range")));
}

#[test]
fn a_promised_id_is_good_until_its_session_ends() {
    let mut scene = scene();
    let new = || Join { takes_promises: true, ..join("", &["range"]) };
    let promised = scene.join(new()).try_recv().unwrap();
    assert_eq!(promised.error, Some(ResponseError::MemberIdRequired));
    let joined = scene.join(join(&promised.member_id, &["range"])).try_recv().unwrap();
    assert_eq!((joined.error, &joined.member_id), (None, &promised.member_id));
    let late = scene.join(new()).try_recv().unwrap();
    scene.pass(11);
    let refused = scene.join(join(&late.member_id, &["range"])).try_recv().unwrap();
    assert_eq!(refused.error, Some(ResponseError::UnknownMemberId));
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_its_old_self() {
    let mut scene = scene();
    let me = || Join { instance: Some(text("me")), ..join("", &["range"]) };
    let before = scene.join(me()).try_recv().unwrap();
    assert_eq!(scene.sync(&before, &[(&before.member_id, "all")]).try_recv().unwrap().error, None);
    let after = scene.join(me()).try_recv().unwrap();
    assert_ne!(after.member_id, before.member_id);
    assert_eq!((after.generation, after.skip_assignment), (before.generation, true));
    assert_eq!(scene.sync(&after, &[]).try_recv().unwrap().assignment, "all");
    let old = scene.group.heartbeat(&before.member_id, Some(&text("me")), 1, scene.now);
    assert_eq!(old, Err(ResponseError::FencedInstanceId));
}

#[test]
fn commits_are_for_members_of_this_generation_or_for_nobodys_group() {
    let mut scene = scene();
    assert_eq!(scene.group.may_commit(&text(""), None, -1, scene.now), Ok(()));
    let (leader, _) = scene.two();
    let (id, now) = (leader.member_id.clone(), scene.now);
    assert_eq!(scene.group.may_commit(&id, None, 2, now), Ok(()));
    assert_eq!(scene.group.may_commit(&id, None, 1, now), Err(ResponseError::IllegalGeneration));
    assert_eq!(scene.group.may_commit(&text(""), None, -1, now), Err(ResponseError::UnknownMemberId));
    assert_eq!(scene.group.leave(&id, None, now), Ok(()));
    assert_eq!(scene.group.may_commit(&id, None, 2, now), Err(ResponseError::UnknownMemberId));
}
