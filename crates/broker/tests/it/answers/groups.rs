//! The classic group protocol: members join, agree, take their parts, are fenced, leave, and are looked at from outside.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use super::session::Session;
use crate::wire::text;

pub(crate) async fn run(session: &mut Session) {
    ready(session).await;
    coordinators(session).await;
    for version in 0..=9 {
        alone(session, version).await;
    }
    refused_joins(session).await;
    together(session).await;
    fixed(session).await;
    seen_from_outside(session).await;
}

/// Waits until there is a coordinator for every group. Elsewhere the topic of the commits is made when the first is looked
/// for, and a thousand groups lie in all of its partitions.
pub(crate) async fn ready(session: &mut Session) {
    let asked = FindCoordinatorRequest::default().with_key(session.text("g"));
    session.quietly(1, asked).await;
    let groups = (0..1000).map(|n| GroupId(session.text(&format!("nobody-{n}"))));
    let asked = DescribeGroupsRequest::default().with_groups(groups.collect());
    while session.quietly(0, asked.clone()).await.groups.iter().any(|group| group.error_code != 0) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        session.quietly(1, FindCoordinatorRequest::default().with_key(session.text("g"))).await;
    }
}

async fn coordinators(session: &mut Session) {
    let key = session.text("g");
    let of = |version, kind, key: &StrBytes| {
        let request = FindCoordinatorRequest::default().with_key_type(kind);
        if version >= 4 { request.with_coordinator_keys(vec![key.clone()]) } else { request.with_key(key.clone()) }
    };
    session.each("of a group", 0..=6, |version| of(version, 0, &key)).await;
    let two = FindCoordinatorRequest::default().with_coordinator_keys(vec![key.clone(), session.text("h")]);
    session.ask("of two groups", 4, two).await;
    session.ask("of a group without a name", 3, of(3, 0, &text(""))).await;
    session.each("of something unknown", 3..=6, |version| of(version, 9, &key)).await;
    session.each("of shared groups", 3..=6, |version| of(version, 2, &key)).await;
    session.ask("of nothing", 4, FindCoordinatorRequest::default()).await;
}

/// A client that wants to join.
#[derive(Clone)]
pub(crate) struct Joiner {
    pub(crate) group: GroupId,
    pub(crate) member: StrBytes,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) kind: &'static str,
    pub(crate) protocols: &'static [(&'static str, &'static str)],
    pub(crate) timeouts_ms: (i32, i32),
}

pub(crate) fn joiner(session: &Session, group: &str) -> Joiner {
    Joiner {
        group: GroupId(session.text(group)),
        member: text(""),
        instance: None,
        kind: "consumer",
        protocols: &[("range", "metadata")],
        timeouts_ms: (30_000, 30_000),
    }
}

/// What a consumer says of itself when it joins. Apache Kafka never answers a consumer that says something else.
pub(crate) fn subscription(topics: &[StrBytes], data: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(topics.len() as i32);
    for topic in topics {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
    }
    bytes.put_i32(data.len() as i32);
    bytes.put_slice(data.as_bytes());
    bytes.freeze()
}

impl Joiner {
    fn static_member(&self, session: &Session, instance: &str) -> Joiner {
        Joiner { instance: Some(session.text(instance)), ..self.clone() }
    }

    pub(crate) fn join(&self, version: i16) -> JoinGroupRequest {
        let protocols = self.protocols.iter().map(|(name, metadata)| {
            JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(subscription(&[], metadata))
        });
        let mut join = JoinGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.member.clone())
            .with_session_timeout_ms(self.timeouts_ms.0)
            .with_protocol_type(text(self.kind))
            .with_protocols(protocols.collect());
        if version >= 1 {
            join.rebalance_timeout_ms = self.timeouts_ms.1;
        }
        if version >= 5 {
            join.group_instance_id = self.instance.clone();
        }
        if version >= 8 {
            join.reason = Some(text("because"));
        }
        join
    }

    pub(crate) fn sync(
        &self,
        version: i16,
        generation: i32,
        assignments: &[(&StrBytes, &'static str)],
    ) -> SyncGroupRequest {
        let assignments = assignments.iter().map(|(member, assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id((*member).clone())
                .with_assignment(Bytes::from_static(assignment.as_bytes()))
        });
        let mut sync = SyncGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.member.clone())
            .with_generation_id(generation)
            .with_assignments(assignments.collect());
        if version >= 3 {
            sync.group_instance_id = self.instance.clone();
        }
        if version >= 5 {
            sync.protocol_type = Some(text(self.kind));
            sync.protocol_name = Some(text(self.protocols[0].0));
        }
        sync
    }

    fn beat(&self, generation: i32) -> HeartbeatRequest {
        HeartbeatRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.member.clone())
            .with_generation_id(generation)
            .with_group_instance_id(self.instance.clone())
    }

    fn leave(&self, version: i16) -> LeaveGroupRequest {
        let request = LeaveGroupRequest::default().with_group_id(self.group.clone());
        if version < 3 {
            return request.with_member_id(self.member.clone());
        }
        let reason = (version >= 5).then(|| text("because"));
        let identity = MemberIdentity::default()
            .with_member_id(self.member.clone())
            .with_group_instance_id(self.instance.clone())
            .with_reason(reason);
        request.with_members(vec![identity])
    }

    fn describe(&self) -> DescribeGroupsRequest {
        DescribeGroupsRequest::default().with_groups(vec![self.group.clone()])
    }
}

/// A group of one, from the first join to the last leave, in one version of everything.
async fn alone(session: &mut Session, version: i16) {
    let mut member = joiner(session, &format!("alone-{version}"));
    let joined = session.ask("the first", version, member.join(version)).await.expect("an answer");
    member.member = joined.member_id;
    if version >= 4 {
        session.ask("the first, with the id it was given", version, member.join(version)).await;
    }
    let (sync, beat, leave) = (version.min(5), version.min(4), version.min(5));
    session.ask("the leader alone", sync, member.sync(sync, 1, &[(&member.member, "assigned")])).await;
    session.ask("in peace", beat, member.beat(1)).await;
    session.ask("a group of one", version.min(6), member.describe()).await;
    session.ask_all("all of them", version.min(5), ListGroupsRequest::default()).await;
    session.ask("the last", leave, member.leave(leave)).await;
    session.ask("a group that was left", version.min(6), member.describe()).await;
    let named = DeleteGroupsRequest::default().with_groups_names(vec![member.group.clone()]);
    session.ask("a group that was left", version.min(2), named).await;
    session.ask("a group that is gone", version.min(6), member.describe()).await;
}

async fn refused_joins(session: &mut Session) {
    let good = joiner(session, "refused");
    let with_member = Joiner { member: text("nobody"), ..good.clone() };
    session.each("an unknown member", 0..=9, |version| with_member.join(version)).await;
    let cases = [
        ("a group without a name", Joiner { group: GroupId(text("")), ..good.clone() }),
        ("a short session", Joiner { timeouts_ms: (5_999, 30_000), ..good.clone() }),
        ("a long session", Joiner { timeouts_ms: (1_800_001, 30_000), ..good.clone() }),
        ("a negative session", Joiner { timeouts_ms: (-1, 30_000), ..good.clone() }),
        ("a negative time to rebalance", Joiner { timeouts_ms: (30_000, -5), ..good.clone() }),
        ("no protocols", Joiner { protocols: &[], ..good.clone() }),
        ("no kind", Joiner { kind: "", ..good.clone() }),
        ("a static member nobody knows", Joiner { member: text("nobody"), ..good.static_member(session, "i") }),
    ];
    for (title, joiner) in cases {
        session.ask(title, 9, joiner.join(9)).await;
    }
    let nobody = with_member;
    session.each("in a group nobody knows", 0..=5, |version| nobody.sync(version, 1, &[])).await;
    session.each("in a group nobody knows", 0..=4, |_| nobody.beat(1)).await;
    session.each("a group nobody knows", 0..=5, |version| nobody.leave(version)).await;
    let nameless = Joiner { group: GroupId(text("")), ..nobody };
    session.ask("in a group without a name", 5, nameless.sync(5, 1, &[])).await;
    session.ask("in a group without a name", 4, nameless.beat(1)).await;
    session.ask("a group without a name", 5, nameless.leave(5)).await;
    session
        .ask("a group nobody knows", 2, DeleteGroupsRequest::default().with_groups_names(vec![good.group.clone()]))
        .await;
    session.each("a group nobody knows", 0..=6, |_| good.describe()).await;
}

/// Joins with an id of its own; the answer comes when the group is ready for it.
async fn begin(session: &mut Session, at: usize, member: &mut Joiner) {
    session.on(at).await;
    let promised = session.ask("one more", 9, member.join(9)).await.expect("an answer");
    member.member = promised.member_id;
    session.send(9, member.join(9)).await;
}

/// Two members: what the group says to each while it changes.
async fn together(session: &mut Session) {
    let mut leader = joiner(session, "together");
    leader.protocols = &[("range", "leader's range"), ("sticky", "leader's sticky")];
    begin(session, 0, &mut leader).await;
    session.receive::<JoinGroupRequest>("the first is in", 9, false).await;
    session.ask("an id that is unknown", 5, Joiner { member: text("x"), ..leader.clone() }.sync(5, 1, &[])).await;
    session.ask("a generation that is over", 5, leader.sync(5, 0, &[])).await;
    session.ask("a generation to come", 5, leader.sync(5, 9, &[])).await;
    session.ask("a kind that is another", 5, Joiner { kind: "other", ..leader.clone() }.sync(5, 1, &[])).await;
    let other = Joiner { protocols: &[("sticky", "")], ..leader.clone() };
    session.ask("a protocol that is another", 5, other.sync(5, 1, &[])).await;
    session.ask("before the sync", 4, leader.beat(1)).await;
    session.ask("before the sync", 6, leader.describe()).await;
    session
        .ask("the leader of one", 5, leader.sync(5, 1, &[(&leader.member, "all"), (&text("stranger"), "none")]))
        .await;
    session.ask("the first once more", 5, leader.sync(5, 1, &[])).await;
    session.ask("an id that is unknown", 4, Joiner { member: text("x"), ..leader.clone() }.beat(1)).await;
    session.ask("a generation that is over", 4, leader.beat(0)).await;
    session.ask("a generation to come", 4, leader.beat(2)).await;

    let strange = joiner(session, "together");
    let strange = Joiner { protocols: &[("unheard", "of")], ..strange };
    session.ask("a protocol nobody else has", 9, strange.join(9)).await;
    session.ask("a kind nobody else is", 9, Joiner { kind: "other", ..leader.clone() }.join(9)).await;

    let mut follower = joiner(session, "together");
    follower.protocols = &[("range", "follower's range"), ("sticky", "follower's sticky")];
    begin(session, 1, &mut follower).await;
    beats_until(session, &leader, 1).await;
    session.on(0).await.ask("the first, while all join", 5, leader.sync(5, 1, &[])).await;
    session.ask("while all join", 6, leader.describe()).await;
    session.ask("the leader joins again", 9, leader.join(9)).await;
    session.on(1).await.receive::<JoinGroupRequest>("the second is in", 9, false).await;
    session.send(5, follower.sync(5, 2, &[])).await;
    session.on(0).await;
    session.ask("both", 5, leader.sync(5, 2, &[(&leader.member, "half"), (&follower.member, "the other half")])).await;
    session.on(1).await.receive::<SyncGroupRequest>("both", 5, false).await;
    session.ask("of two", 6, leader.describe()).await;
    session.ask("a follower joins again with nothing new", 9, follower.join(9)).await;
    let named = DeleteGroupsRequest::default().with_groups_names(vec![leader.group.clone()]);
    session.each("a group of two", 0..=2, |_| named.clone()).await;

    session.ask("the follower", 5, follower.leave(5)).await;
    session.ask("the follower once more", 5, follower.leave(5)).await;
    session.on(0).await.ask("when one has left", 4, leader.beat(2)).await;
    session.ask("the leader after one has left", 9, leader.join(9)).await;
    session.ask("the leader after one has left", 5, leader.sync(5, 3, &[(&leader.member, "all")])).await;
    let both = LeaveGroupRequest::default().with_group_id(leader.group.clone()).with_members(vec![
        MemberIdentity::default().with_member_id(leader.member.clone()),
        MemberIdentity::default().with_member_id(text("nobody")),
    ]);
    session.ask("one that is in and one that is not", 5, both).await;
    session.ask("when all have left", 4, leader.beat(3)).await;
}

/// Waits until the group wants its members to join again, and writes down how it says so.
async fn beats_until(session: &mut Session, member: &Joiner, generation: i32) {
    session.on(0).await;
    while session.quietly(4, member.beat(generation)).await.error_code == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    session.ask("while all join", 4, member.beat(generation)).await;
}

/// Static members.
async fn fixed(session: &mut Session) {
    session.on(0).await;
    let mut member = joiner(session, "fixed").static_member(session, "seat");
    let joined = session.ask("a static member", 9, member.join(9)).await.expect("an answer");
    member.member = joined.member_id;
    session.ask("a static leader", 5, member.sync(5, 1, &[(&member.member, "all")])).await;
    session.ask("with its instance", 4, member.beat(1)).await;
    session.ask("of a static member", 6, member.describe()).await;
    let stranger = Joiner { member: text("stranger"), ..member.clone() };
    session.ask("a stranger in its place", 9, stranger.join(9)).await;
    session.ask("a stranger in its place", 5, stranger.sync(5, 1, &[])).await;
    session.ask("a stranger in its place", 4, stranger.beat(1)).await;
    session.ask("a stranger in its place", 5, stranger.leave(5)).await;
    let elsewhere = member.static_member(session, "no such seat");
    session.ask("in a place that is not", 5, elsewhere.sync(5, 1, &[])).await;
    session.ask("in a place that is not", 4, elsewhere.beat(1)).await;
    session.ask("of a place that is not", 5, elsewhere.leave(5)).await;

    for version in [8, 9] {
        let again = Joiner { member: text(""), ..member.clone() };
        let joined = session.ask("back without an id", version, again.join(version)).await.expect("an answer");
        let before = member.clone();
        member.member = joined.member_id;
        session.ask("back in its place", 5, member.sync(5, 1, &[])).await;
        session.ask("by the id it had", 4, before.beat(1)).await;
        session.ask("by the id it has", 4, member.beat(1)).await;
    }
    let changed = Joiner { member: text(""), protocols: &[("range", "new metadata")], ..member.clone() };
    let joined = session.ask("back with something new", 9, changed.join(9)).await.expect("an answer");
    let member = Joiner { member: joined.member_id, ..changed };
    session.ask("back with something new", 5, member.sync(5, joined.generation_id, &[(&member.member, "all")])).await;
    let by_place = Joiner { member: text(""), ..member };
    session.ask("by its place alone", 5, by_place.leave(5)).await;
    session.ask("when the static member has left", 6, by_place.describe()).await;
}

async fn seen_from_outside(session: &mut Session) {
    let mut member = joiner(session, "seen");
    member.kind = "connect";
    begin(session, 0, &mut member).await;
    session.receive::<JoinGroupRequest>("of another kind", 9, false).await;
    session.ask("of another kind", 5, member.sync(5, 1, &[(&member.member, "all")])).await;
    let list = |states: &[&str], types: &[&str]| {
        ListGroupsRequest::default()
            .with_states_filter(states.iter().map(|state| text(state)).collect())
            .with_types_filter(types.iter().map(|kind| text(kind)).collect())
    };
    session.ask_all("the stable ones", 4, list(&["Stable"], &[])).await;
    session.ask_all("the stable ones, in small letters", 5, list(&["stable"], &[])).await;
    session.ask_all("the empty ones", 5, list(&["Empty"], &[])).await;
    session.ask_all("in a state that is none", 5, list(&["Odd"], &[])).await;
    session.ask_all("the classic ones", 5, list(&[], &["classic"])).await;
    session.ask_all("the classic ones, in capitals", 5, list(&[], &["CLASSIC"])).await;
    session.ask_all("the consumers' ones", 5, list(&[], &["consumer"])).await;
    session.ask_all("of a type that is none", 5, list(&[], &["odd"])).await;
    session.ask_all("stable and classic ones", 5, list(&["Stable", "Empty"], &["classic", "consumer"])).await;
    let mut two = member.describe();
    two.groups.push(GroupId(session.text("nobody")));
    session.each("two, one of which is none", 0..=6, |_| two.clone()).await;
    let with_rights = member.describe().with_include_authorized_operations(true);
    session.each("what may be done to a group", 3..=6, |_| with_rights.clone()).await;
    session.ask("nothing", 6, DescribeGroupsRequest::default()).await;
    session.ask("nothing", 2, DeleteGroupsRequest::default()).await;
    session.ask("the last of another kind", 5, member.leave(5)).await;
}
