//! Topics made, grown, deleted, and their first records deleted.

use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::*;
use uuid::Uuid;

use super::data;
use super::session::{Session, Topic};
use crate::wire::batches::records;
use crate::wire::{text, topic};

pub(crate) async fn run(session: &mut Session) {
    creation(session).await;
    refused_creation(session).await;
    growth(session).await;
    deletion(session).await;
    deleted_records(session).await;
}

fn creatable(name: TopicName, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default().with_name(name).with_num_partitions(partitions).with_replication_factor(replicas)
}

fn creating(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(30_000)
}

fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig::default().with_name(text(name)).with_value(value.map(text))
}

fn assignment(index: i32, brokers: &[i32]) -> CreatableReplicaAssignment {
    let brokers = brokers.iter().map(|&broker| BrokerId(broker)).collect();
    CreatableReplicaAssignment::default().with_partition_index(index).with_broker_ids(brokers)
}

async fn creation(session: &mut Session) {
    for version in 2..=7 {
        let wanted = creatable(session.name(&format!("made-{version}")), 2, 1)
            .with_configs(vec![config("cleanup.policy", Some("compact")), config("retention.ms", Some("77"))]);
        session.ask("with settings", version, creating(vec![wanted])).await;
    }
    for version in 4..=7 {
        let wanted = creatable(session.name(&format!("usual-{version}")), -1, -1);
        session.ask("as the broker sees fit", version, creating(vec![wanted])).await;
    }
    let wanted = creatable(session.name("assigned"), -1, -1).with_assignments(vec![
        assignment(1, &[1]),
        assignment(0, &[1]),
        assignment(2, &[1]),
    ]);
    session.ask("with an assignment", 7, creating(vec![wanted])).await;
    let wanted = creatable(session.name("only-checked"), 3, 1);
    session.each("only checked", 2..=7, |_| creating(vec![wanted.clone()]).with_validate_only(true)).await;
    session.ask("nothing", 7, creating(vec![])).await;
    let two = vec![creatable(session.name("one"), 1, 1), creatable(session.name("bad one"), 1, 1)];
    session.ask("one that is good and one that is bad", 7, creating(two)).await;
}

async fn refused_creation(session: &mut Session) {
    let name = session.name("refused");
    let there = session.name("made-7");
    session.each("what there is already", 2..=7, |_| creating(vec![creatable(there.clone(), 1, 1)])).await;
    session
        .ask("only checked, what there is already", 7, creating(vec![creatable(there, 1, 1)]).with_validate_only(true))
        .await;
    let twice = vec![creatable(name.clone(), 1, 1), creatable(name.clone(), 1, 1)];
    session.each("the same topic twice", 2..=7, |_| creating(twice.clone())).await;
    session.topic("a.b", 1, &[]).await;
    let long = "x".repeat(250);
    let names = [
        ("a name that cannot be", session.name("a b")),
        ("a name beyond ASCII", session.name("ä")),
        ("an empty name", topic("")),
        ("a name of one dot", topic(".")),
        ("a name of two dots", topic("..")),
        ("a name that is too long", topic(&long)),
        ("a name that collides", session.name("a_b")),
    ];
    for (title, name) in names {
        session.ask(title, 7, creating(vec![creatable(name, 1, 1)])).await;
    }
    let counts = [
        ("no partitions", 0, 1),
        ("fewer than no partitions", -2, 1),
        ("more partitions than can be", 10_001, 1),
        ("no replicas", 1, 0),
        ("fewer than no replicas", 1, -2),
        ("more replicas than brokers", 1, 3),
    ];
    for (title, partitions, replicas) in counts {
        session.ask(title, 7, creating(vec![creatable(name.clone(), partitions, replicas)])).await;
    }
    let settings = [
        ("an unknown setting", "no.such.setting", Some("1")),
        ("a setting without a value", "retention.ms", None),
        ("a number that is none", "retention.ms", Some("soon")),
        ("a number that is too small", "retention.ms", Some("-2")),
        ("a number that is too large", "segment.bytes", Some("99999999999")),
        ("a truth that is none", "preallocate", Some("perhaps")),
        ("a share that is too large", "min.cleanable.dirty.ratio", Some("1.5")),
        ("a policy that is none", "cleanup.policy", Some("forget")),
        ("one policy of two that is none", "cleanup.policy", Some("compact,forget")),
        ("no policy", "cleanup.policy", Some("")),
        ("a codec that is none", "compression.type", Some("rar")),
        ("a level that is none", "compression.gzip.level", Some("0")),
        ("a kind of time that is none", "message.timestamp.type", Some("Sometime")),
        ("throttles that are none", "leader.replication.throttled.replicas", Some("all")),
        ("a segment that is too small", "segment.bytes", Some("1000")),
        ("tiers where there are none", "remote.storage.enable", Some("true")),
        ("less time to keep than at hand", "local.retention.ms", Some("604800001")),
        ("a lag that ends before it begins", "max.compaction.lag.ms", Some("0")),
    ];
    for (title, setting, value) in settings {
        let wanted = creatable(name.clone(), 1, 1).with_configs(vec![config(setting, value)]);
        session.ask(title, 7, creating(vec![wanted])).await;
    }
    let lags = vec![config("min.compaction.lag.ms", Some("9")), config("max.compaction.lag.ms", Some("8"))];
    session.ask("lags that cross", 7, creating(vec![creatable(name.clone(), 1, 1).with_configs(lags)])).await;
    let twice = vec![config("retention.ms", Some("1")), config("retention.ms", Some("2"))];
    session.ask("a setting twice", 7, creating(vec![creatable(name.clone(), 1, 1).with_configs(twice)])).await;
    let assignments: [(&str, i32, i16, Vec<CreatableReplicaAssignment>); 7] = [
        ("a count and an assignment", 1, -1, vec![assignment(0, &[1])]),
        ("replicas and an assignment", -1, 1, vec![assignment(0, &[1])]),
        ("an assignment to nobody", -1, -1, vec![assignment(0, &[])]),
        ("an assignment to a stranger", -1, -1, vec![assignment(0, &[9])]),
        ("an assignment twice to one", -1, -1, vec![assignment(0, &[1, 1])]),
        ("a partition assigned twice", -1, -1, vec![assignment(0, &[1]), assignment(0, &[1])]),
        ("assignments with a gap", -1, -1, vec![assignment(0, &[1]), assignment(2, &[1])]),
    ];
    for (title, partitions, replicas, assignments) in assignments {
        let wanted = creatable(name.clone(), partitions, replicas).with_assignments(assignments);
        session.ask(title, 7, creating(vec![wanted])).await;
    }
}

async fn growth(session: &mut Session) {
    let grown = session.topic("grown", 1, &[]).await;
    let to = |name: &TopicName, count| {
        CreatePartitionsTopic::default().with_name(name.clone()).with_count(count).with_assignments(None)
    };
    let asked = |topics| CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(30_000);
    for version in 0..=3 {
        let count = i32::from(version) + 2;
        session.ask("one more", version, asked(vec![to(&grown.name, count)])).await;
        session.settle(&grown, count).await;
    }
    let checked = asked(vec![to(&grown.name, 9)]).with_validate_only(true);
    session.each("only checked", 0..=3, |_| checked.clone()).await;
    session.ask("as many as there are", 3, asked(vec![to(&grown.name, 5)])).await;
    session.ask("fewer than there are", 3, asked(vec![to(&grown.name, 2)])).await;
    session.ask("none at all", 3, asked(vec![to(&grown.name, 0)])).await;
    session.ask("fewer than none", 3, asked(vec![to(&grown.name, -1)])).await;
    session.ask("an unknown topic", 3, asked(vec![to(&session.name("absent"), 2)])).await;
    session.ask("the same topic twice", 3, asked(vec![to(&grown.name, 6), to(&grown.name, 7)])).await;
    let assigned: [(&str, i32, &[&[i32]]); 6] = [
        ("with an assignment", 7, &[&[1], &[1]]),
        ("with too few assignments", 9, &[&[1]]),
        ("with too many assignments", 8, &[&[1], &[1]]),
        ("with an assignment to nobody", 8, &[&[]]),
        ("with an assignment to a stranger", 8, &[&[9]]),
        ("with an assignment twice to one", 8, &[&[1, 1]]),
    ];
    for (title, count, assignments) in assigned {
        let assignments = assignments.iter().map(|brokers| {
            let brokers = brokers.iter().map(|&broker| BrokerId(broker)).collect();
            CreatePartitionsAssignment::default().with_broker_ids(brokers)
        });
        let wanted = to(&grown.name, count).with_assignments(Some(assignments.collect()));
        session.ask(title, 3, asked(vec![wanted])).await;
        session.fence().await;
    }
}

async fn deletion(session: &mut Session) {
    for version in 1..=6 {
        let doomed = session.topic(&format!("doomed-{version}"), 1, &[]).await;
        session.ask("by name", version, deleting(version, &[Some(&doomed.name)], &[])).await;
        session.gone(&doomed.name).await;
    }
    let doomed = session.topic("doomed", 1, &[]).await;
    session.ask("by id", 6, deleting(6, &[], &[doomed.id])).await;
    session.gone(&doomed.name).await;
    let absent = session.name("absent");
    session.each("an unknown topic", 1..=6, |version| deleting(version, &[Some(&absent)], &[])).await;
    session.ask("an unknown id", 6, deleting(6, &[], &[Uuid::from_u128(7)])).await;
    session.ask("neither name nor id", 6, deleting(6, &[None], &[])).await;
    let kept = session.topic("kept", 1, &[]).await;
    session.ask("the same name twice", 6, deleting(6, &[Some(&kept.name), Some(&kept.name)], &[])).await;
    session.fence().await;
    let kept = session.topic("kept-on", 1, &[]).await;
    session.ask("name and id of one topic", 6, deleting(6, &[Some(&kept.name)], &[kept.id])).await;
    session.fence().await;
    let kept = session.topic("kept-still", 1, &[]).await;
    let both = DeleteTopicState::default().with_name(Some(kept.name)).with_topic_id(kept.id);
    session.ask("a topic with name and id", 6, DeleteTopicsRequest::default().with_topics(vec![both])).await;
    session.ask("nothing", 6, deleting(6, &[], &[])).await;
}

fn deleting(version: i16, names: &[Option<&TopicName>], ids: &[Uuid]) -> DeleteTopicsRequest {
    let request = DeleteTopicsRequest::default().with_timeout_ms(30_000);
    if version < 6 {
        return request.with_topic_names(names.iter().copied().flatten().cloned().collect());
    }
    let by_name = names.iter().map(|name| DeleteTopicState::default().with_name(name.cloned()));
    let by_id = ids.iter().map(|&id| DeleteTopicState::default().with_name(None).with_topic_id(id));
    request.with_topics(by_name.chain(by_id).collect())
}

async fn deleted_records(session: &mut Session) {
    let cut = session.topic("cut", 2, &[]).await;
    for _ in 0..10 {
        data::put(session, &cut, records(&["v"]).bytes()).await;
    }
    for version in 0..=2 {
        session.ask("up to an offset", version, before(&cut, 0, i64::from(version) + 1)).await;
    }
    session.ask("up to an offset that is gone", 2, before(&cut, 0, 1)).await;
    session.ask("beyond the end", 2, before(&cut, 0, 11)).await;
    session.ask("up to a negative offset", 2, before(&cut, 0, -2)).await;
    session.ask("up to the end", 2, before(&cut, 0, 10)).await;
    data::put(session, &cut, records(&["v", "v"]).bytes()).await;
    session.ask("all there are", 2, before(&cut, 0, -1)).await;
    session.ask("all of none", 2, before(&cut, 1, -1)).await;
    session.ask("an unknown partition", 2, before(&cut, 7, 0)).await;
    let absent = Topic { name: session.name("absent"), id: Uuid::nil() };
    session.ask("an unknown topic", 2, before(&absent, 0, 0)).await;
    let compacted = session.topic("compacted", 1, &[("cleanup.policy", "compact")]).await;
    session.ask("of a compacted topic", 2, before(&compacted, 0, 0)).await;
    let both = session.topic("both", 1, &[("cleanup.policy", "compact,delete")]).await;
    session.ask("of a topic that is compacted and cut", 2, before(&both, 0, 0)).await;
    session.ask("nothing", 2, DeleteRecordsRequest::default()).await;
}

pub(crate) fn before(topic: &Topic, index: i32, offset: i64) -> DeleteRecordsRequest {
    let part = DeleteRecordsPartition::default().with_partition_index(index).with_offset(offset);
    let wanted = DeleteRecordsTopic::default().with_name(topic.name.clone()).with_partitions(vec![part]);
    DeleteRecordsRequest::default().with_topics(vec![wanted]).with_timeout_ms(30_000)
}
