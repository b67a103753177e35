//! How far groups have read: committed, asked for, taken back.

use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::*;

use super::groups::{Joiner, joiner, ready, subscription};
use super::session::Session;
use crate::wire::text;

pub(crate) async fn run(session: &mut Session) {
    ready(session).await;
    session.topic("t", 2, &[]).await;
    session.topic("u", 1, &[]).await;
    outside(session).await;
    inside(session).await;
    asked_for(session).await;
    taken_back(session).await;
}

/// Offset 5 of partition 0 of `topic`, with a word.
fn committing(session: &Session, version: i16, group: &str, topic: &str) -> OffsetCommitRequest {
    let mut part =
        OffsetCommitRequestPartition::default().with_committed_offset(5).with_committed_metadata(Some(text("a word")));
    if version >= 6 {
        part.committed_leader_epoch = 0;
    }
    let wanted = OffsetCommitRequestTopic::default().with_name(session.name(topic)).with_partitions(vec![part]);
    OffsetCommitRequest::default().with_group_id(GroupId(session.text(group))).with_topics(vec![wanted])
}

fn fetching(session: &Session, version: i16, group: &str, wanted: Option<&[(&str, &[i32])]>) -> OffsetFetchRequest {
    let group_id = GroupId(session.text(group));
    if version < 8 {
        let topics = wanted.map(|wanted| {
            let topics = wanted.iter().map(|(name, indexes)| {
                OffsetFetchRequestTopic::default()
                    .with_name(session.name(name))
                    .with_partition_indexes(indexes.to_vec())
            });
            topics.collect()
        });
        return OffsetFetchRequest::default().with_group_id(group_id).with_topics(topics);
    }
    OffsetFetchRequest::default().with_groups(vec![of_group(session, group_id, wanted)])
}

fn of_group(session: &Session, group_id: GroupId, wanted: Option<&[(&str, &[i32])]>) -> OffsetFetchRequestGroup {
    let topics = wanted.map(|wanted| {
        let topics = wanted.iter().map(|(name, indexes)| {
            OffsetFetchRequestTopics::default().with_name(session.name(name)).with_partition_indexes(indexes.to_vec())
        });
        topics.collect()
    });
    OffsetFetchRequestGroup::default().with_group_id(group_id).with_topics(topics)
}

/// Commits of clients that are no members.
async fn outside(session: &mut Session) {
    for version in 2..=9 {
        let request = committing(session, version, "outside", "t");
        session.ask("from outside", version, request).await;
    }
    let mut other = committing(session, 9, "outside", "u");
    other.topics.extend(committing(session, 9, "outside", "t").topics);
    other.topics[1].partitions.push(OffsetCommitRequestPartition::default().with_partition_index(1));
    session.ask("two topics", 9, other).await;
    for (title, topic) in [("an unknown topic", "absent"), ("a name that cannot be", "a b")] {
        let request = committing(session, 9, "outside", topic);
        session.ask(title, 9, request).await;
    }
    let changed = |change: &dyn Fn(&mut OffsetCommitRequestPartition)| {
        let mut request = committing(session, 9, "outside-too", "t");
        change(&mut request.topics[0].partitions[0]);
        request
    };
    let cases = [
        ("an unknown partition", changed(&|part| part.partition_index = 7)),
        ("a negative offset", changed(&|part| part.committed_offset = -1)),
        ("an offset beyond the end", changed(&|part| part.committed_offset = 1_000_000)),
        ("no word", changed(&|part| part.committed_metadata = None)),
        ("a word of 4096 bytes", changed(&|part| part.committed_metadata = Some(text(&"x".repeat(4096))))),
        ("a word that is too long", changed(&|part| part.committed_metadata = Some(text(&"x".repeat(4097))))),
    ];
    for (title, request) in cases {
        session.ask(title, 9, request).await;
    }
    let request = committing(session, 9, "outside-too", "t");
    session.ask("a stranger of a generation", 9, request.clone().with_generation_id_or_member_epoch(1)).await;
    session.ask("a stranger with an id", 9, request.clone().with_member_id(text("stranger"))).await;
    let both = request.clone().with_member_id(text("stranger")).with_generation_id_or_member_epoch(1);
    session.ask("a stranger with id and generation", 9, both.clone()).await;
    session.ask("a static stranger", 9, both.with_group_instance_id(Some(text("seat")))).await;
    session.ask("a group without a name", 9, request.clone().with_group_id(GroupId(text("")))).await;
    let mut unknown = committing(session, 9, "never", "t").with_member_id(text("stranger"));
    unknown.generation_id_or_member_epoch = 1;
    session.ask("a stranger in a group nobody knows", 9, unknown).await;
    session.ask("nothing", 9, request.with_topics(vec![])).await;
}

/// Commits of members, and of others while there are some.
async fn inside(session: &mut Session) {
    let mut member = joiner(session, "inside");
    let promised = session.quietly(9, member.join(9)).await;
    member.member = promised.member_id;
    session.quietly(9, member.join(9)).await;
    let commit = |session: &Session, member: &Joiner, generation| {
        committing(session, 9, "inside", "t")
            .with_member_id(member.member.clone())
            .with_generation_id_or_member_epoch(generation)
    };
    let request = commit(session, &member, 1);
    session.ask("before the sync", 9, request.clone()).await;
    session.quietly(5, member.sync(5, 1, &[(&member.member, "all")])).await;
    session
        .each("a member", 2..=9, |version| {
            let mut request = request.clone();
            if version < 6 {
                request.topics[0].partitions[0].committed_leader_epoch = -1;
            }
            request
        })
        .await;
    session.ask("a generation that is over", 9, commit(session, &member, 0)).await;
    session.ask("a generation to come", 9, commit(session, &member, 2)).await;
    let stranger = Joiner { member: text("stranger"), ..member.clone() };
    session.ask("a stranger among members", 9, commit(session, &stranger, 1)).await;
    let request = committing(session, 9, "inside", "t");
    session.ask("from outside, while there are members", 9, request).await;
    let seated = commit(session, &member, 1).with_group_instance_id(Some(text("seat")));
    session.ask("a place that is not", 9, seated).await;
    let deleted = deleting(session, "inside", "t", &[0, 1]);
    session.ask("of a group that does not say what it reads", 0, deleted).await;
}

async fn asked_for(session: &mut Session) {
    let some: &[(&str, &[i32])] = &[("t", &[0, 1, 7]), ("absent", &[0])];
    for version in 1..=9 {
        let request = fetching(session, version, "outside", Some(some));
        session.ask("some partitions", version, request).await;
    }
    for version in 2..=9 {
        let request = fetching(session, version, "outside", None);
        session.ask("all partitions", version, request).await;
    }
    for version in 1..=9 {
        let request = fetching(session, version, "never", Some(some));
        session.ask("of a group nobody knows", version, request).await;
    }
    let request = fetching(session, 9, "never", None);
    session.ask("all partitions of a group nobody knows", 9, request).await;
    let request = fetching(session, 9, "outside", Some(&[]));
    session.ask("no partitions", 9, request).await;
    let request = fetching(session, 1, "outside", Some(&[]));
    session.ask("no partitions", 1, request).await;
    let name = |name: &str| GroupId(session.text(name));
    let groups = vec![
        of_group(session, name("outside"), None),
        of_group(session, name("inside"), Some(&[("t", &[0])])),
        of_group(session, name("never"), Some(&[("u", &[0])])),
    ];
    session.each("several groups", 8..=9, |_| OffsetFetchRequest::default().with_groups(groups.clone())).await;
    let twice = vec![groups[1].clone(), groups[1].clone()];
    session.ask("the same group twice", 9, OffsetFetchRequest::default().with_groups(twice)).await;
    session.ask("no group", 9, OffsetFetchRequest::default()).await;
    let stable = OffsetFetchRequest::default().with_groups(groups.clone()).with_require_stable(true);
    session.ask("what is settled", 9, stable).await;
    let mut known = groups[1].clone();
    known.member_id = Some(text("stranger"));
    known.member_epoch = 1;
    session.ask("as a member of the newer kind", 9, OffsetFetchRequest::default().with_groups(vec![known])).await;
}

fn deleting(session: &Session, group: &str, topic: &str, partitions: &[i32]) -> OffsetDeleteRequest {
    let parts = partitions.iter().map(|&index| OffsetDeleteRequestPartition::default().with_partition_index(index));
    let wanted = OffsetDeleteRequestTopic::default().with_name(session.name(topic)).with_partitions(parts.collect());
    OffsetDeleteRequest::default().with_group_id(GroupId(session.text(group))).with_topics(vec![wanted])
}

async fn taken_back(session: &mut Session) {
    let cases = [
        ("a partition and one that is not", deleting(session, "outside", "t", &[0, 7])),
        ("the same once more", deleting(session, "outside", "t", &[0])),
        ("of an unknown topic", deleting(session, "outside", "absent", &[0])),
        ("of a group nobody knows", deleting(session, "never", "t", &[0])),
        ("of a group without a name", deleting(session, "", "t", &[0]).with_group_id(GroupId(text("")))),
        ("nothing", OffsetDeleteRequest::default().with_group_id(GroupId(session.text("outside")))),
    ];
    for (title, request) in cases {
        session.ask(title, 0, request).await;
    }
    let request = fetching(session, 9, "outside", None);
    session.ask("what is left", 9, request).await;
    subscribed(session).await;
    let names = ["outside", "outside", "inside", "never"].map(|name| GroupId(session.text(name)));
    let request = DeleteGroupsRequest::default().with_groups_names(names.to_vec());
    session.ask("left, left, with members, never there", 2, request).await;
    let request = fetching(session, 9, "outside", None);
    session.ask("of a group that was deleted", 9, request).await;
}

/// A consumer of `t`.
async fn subscribed(session: &mut Session) {
    let metadata = subscription(&[session.text("t")], "");
    let mut member = joiner(session, "subscribed");
    let join = |member: &Joiner| {
        let mut join = member.join(9);
        join.protocols[0].metadata = metadata.clone();
        join
    };
    member.member = session.quietly(9, join(&member)).await.member_id;
    session.quietly(9, join(&member)).await;
    session.quietly(5, member.sync(5, 1, &[(&member.member, "all")])).await;
    for name in ["t", "u"] {
        let commit = committing(session, 9, "subscribed", name)
            .with_member_id(member.member.clone())
            .with_generation_id_or_member_epoch(1);
        session.quietly(9, commit).await;
        let request = deleting(session, "subscribed", name, &[0]);
        session.ask(&format!("while somebody reads t: {name}"), 0, request).await;
    }
    let request = fetching(session, 9, "subscribed", None);
    session.ask("what is left to who reads t", 9, request).await;
}
