//! Records: written in every way a batch can be right or wrong, read, found by time.

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use uuid::Uuid;

use super::session::{Session, Topic};
use crate::wire::batches::{Batch, TIME, records};
use crate::wire::text;

pub(crate) async fn run(session: &mut Session) {
    let topic = session.topic("t", 3, &[]).await;
    produced(session, &topic).await;
    bad_batches(session).await;
    settings(session).await;
    compressed(session).await;
    fetched(session, &topic).await;
    found_by_time(session).await;
    epochs(session, &topic).await;
}

pub(crate) fn absent(session: &Session) -> Topic {
    Topic { name: session.name("absent"), id: Uuid::from_u128(7) }
}

pub(crate) fn produce(version: i16, topic: &Topic, index: i32, records: Option<Bytes>) -> ProduceRequest {
    let part = PartitionProduceData::default().with_index(index).with_records(records);
    let data = TopicProduceData::default().with_partition_data(vec![part]);
    let data = if version >= 13 { data.with_topic_id(topic.id) } else { data.with_name(topic.name.clone()) };
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![data])
}

/// Appends to partition 0 without a word.
pub(crate) async fn put(session: &mut Session, topic: &Topic, records: Bytes) {
    let answer = session.quietly(9, produce(9, topic, 0, Some(records))).await;
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
}

fn fetch(version: i16, topic: &Topic, index: i32, offset: i64) -> FetchRequest {
    let part =
        FetchPartition::default().with_partition(index).with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    of_partitions(version, topic, vec![part])
}

fn of_partitions(version: i16, topic: &Topic, partitions: Vec<FetchPartition>) -> FetchRequest {
    let wanted = FetchTopic::default().with_partitions(partitions);
    let wanted = if version >= 13 { wanted.with_topic_id(topic.id) } else { wanted.with_topic(topic.name.clone()) };
    FetchRequest::default().with_max_wait_ms(0).with_min_bytes(1).with_max_bytes(1 << 20).with_topics(vec![wanted])
}

pub(crate) fn list(topic: &Topic, index: i32, timestamp: i64) -> ListOffsetsRequest {
    let part = ListOffsetsPartition::default().with_partition_index(index).with_timestamp(timestamp);
    let wanted = ListOffsetsTopic::default().with_name(topic.name.clone()).with_partitions(vec![part]);
    ListOffsetsRequest::default().with_topics(vec![wanted])
}

async fn produced(session: &mut Session, topic: &Topic) {
    let two = Some(records(&["a", "b"]).bytes());
    session.each("a batch", 3..=13, |version| produce(version, topic, 0, two.clone())).await;
    session.each("for the leader alone", 3..=13, |version| produce(version, topic, 1, two.clone()).with_acks(1)).await;
    let absent = absent(session);
    session.each("an unknown topic", 3..=13, |version| produce(version, &absent, 0, two.clone())).await;
    session.each("an unknown partition", 3..=13, |version| produce(version, topic, 7, two.clone())).await;
    session.each("a negative partition", 3..=13, |version| produce(version, topic, -1, two.clone())).await;
    session.each("odd acknowledgements", 3..=13, |version| produce(version, topic, 0, two.clone()).with_acks(2)).await;
    session.ask("nothing", 9, ProduceRequest::default().with_acks(-1).with_topic_data(vec![])).await;
    let mixed = [0, 7].map(|index| PartitionProduceData::default().with_index(index).with_records(two.clone()));
    let mut both = produce(9, topic, 0, None);
    both.topic_data[0].partition_data = mixed.into();
    session.ask("a known and an unknown partition", 9, both).await;
    let named = produce(9, topic, 0, two.clone()).with_transactional_id(Some(TransactionalId(text("tx"))));
    session.ask("a transaction's name, but no transaction", 9, named).await;
    // No answer to the first, whatever it is; what is asked next is answered.
    session.send(9, produce(9, topic, 2, two.clone()).with_acks(0)).await;
    session.ask("what nobody waited for", 4, list(topic, 2, -1)).await;
    session.send(9, produce(9, topic, 7, two).with_acks(0)).await;
    session.ask("what nobody waited for, and went wrong", 4, list(topic, 2, -1)).await;
}

async fn bad_batches(session: &mut Session) {
    let topic = &session.topic("bad", 1, &[("max.message.bytes", "200")]).await;
    let good = records(&["a", "b"]);
    let whole = good.bytes();
    let changed = |change: fn(&mut Batch)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.bytes()
    };
    let patched = |at: usize, bytes: &[u8]| {
        let mut patched = whole.to_vec();
        patched[at..at + bytes.len()].copy_from_slice(bytes);
        Bytes::from(patched)
    };
    // Not here: null for the records, which Apache Kafka never answers.
    let cases: [(&str, Option<Bytes>); 26] = [
        ("no bytes", Some(Bytes::new())),
        ("three bytes", Some(Bytes::from_static(&[0, 0, 0]))),
        ("half a header", Some(whole.slice(..30))),
        ("half a batch", Some(whole.slice(..70))),
        ("two batches", Some([&whole[..], &whole[..]].concat().into())),
        ("a batch and a half", Some([&whole[..], &whole[..40]].concat().into())),
        ("a wrong checksum", Some(changed(|batch| batch.has_bad_checksum = true))),
        ("magic 0", Some(changed(|batch| batch.magic = 0))),
        ("magic 1", Some(changed(|batch| batch.magic = 1))),
        ("magic 3", Some(changed(|batch| batch.magic = 3))),
        ("a length of nothing", Some(patched(8, &[0, 0, 0, 0]))),
        ("a length of 5", Some(patched(8, &[0, 0, 0, 5]))),
        ("a negative length", Some(patched(8, &[0xff, 0xff, 0xff, 0xff]))),
        ("a length beyond the end", Some(patched(8, &[0x7f, 0, 0, 0]))),
        ("another base offset", Some(patched(0, &[0, 0, 0, 0, 0, 0, 0, 9]))),
        ("more records than there are", Some(changed(|batch| batch.overstated = (1, 1)))),
        ("fewer records than there are", Some(changed(|batch| batch.overstated = (-1, -1)))),
        ("a count that is too large", Some(changed(|batch| batch.overstated = (1, 0)))),
        ("a last offset that is too large", Some(changed(|batch| batch.overstated = (0, 1)))),
        ("a count of none", Some(changed(|batch| batch.overstated = (-2, -2)))),
        ("records that are none", Some(good.around(b"\x99\x99\x99\x99\x99\x99"))),
        ("a control batch", Some(changed(|batch| batch.attributes = 0x20))),
        ("a transaction's batch, but no transaction", Some(changed(|batch| batch.attributes = 0x10))),
        ("a codec that is none", Some(changed(|batch| batch.attributes = 5))),
        ("a batch with the broker's time", Some(changed(|batch| batch.attributes = 8))),
        ("a batch with an end of tombstones", Some(changed(|batch| batch.attributes = 0x40))),
    ];
    for (title, records) in cases {
        session.ask(title, 9, produce(9, topic, 0, records.clone())).await;
        session.ask("where it ends now", 4, list(topic, 0, -1)).await;
    }
    let long = "x".repeat(200);
    let long = records(&[long.leak()]).bytes();
    session.ask("a batch that is too large", 9, produce(9, topic, 0, Some(long))).await;
    let no_time = Batch { first_time: -1, ..records(&["a"]) };
    session.ask("no time", 9, produce(9, topic, 0, Some(no_time.bytes()))).await;
    let far_future = Batch { first_time: 99_999_999_999_999, ..records(&["a"]) };
    session.ask("a time of the future", 9, produce(9, topic, 0, Some(far_future.bytes()))).await;
}

async fn settings(session: &mut Session) {
    let stamped = &session.topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    let one = Some(records(&["a"]).bytes());
    session.each("the broker's time", 3..=13, |version| produce(version, stamped, 0, one.clone())).await;
    session.ask("records with the broker's time", 12, fetch(12, stamped, 0, 10)).await;
    let compacted = &session.topic("compacted", 1, &[("cleanup.policy", "compact")]).await;
    session.ask("no key where one must be", 9, produce(9, compacted, 0, one.clone())).await;
    let keyed = Batch { key: Some("k"), ..records(&["a"]) };
    session.ask("a key where one must be", 9, produce(9, compacted, 0, Some(keyed.bytes()))).await;
    let bounds = [("message.timestamp.before.max.ms", "1000"), ("message.timestamp.after.max.ms", "1000")];
    let timely = &session.topic("timely", 1, &bounds).await;
    session.ask("a time that is too old", 9, produce(9, timely, 0, one)).await;
    let early = Batch { first_time: 99_999_999_999_999, ..records(&["a"]) };
    session.ask("a time that is too new", 9, produce(9, timely, 0, Some(early.bytes()))).await;
}

/// The records of a batch of "a", "b", once in each codec: 1 gzip, 2 snappy, 3 lz4, 4 zstd.
const COMPRESSED: [(i16, &[u8]); 4] = [
    (1, b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xe3c```dJd\xe0c`bbdJb\0\0i}\xa4\xff\x10\0\0\0"),
    (2, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x12\x10<\x0e\0\0\0\x01\x02a\0\x0e\0\x02\x02\x01\x02b\0"),
    (3, b"\x04\x22M\x18`@\x82\x10\0\0\x80\x0e\0\0\0\x01\x02a\0\x0e\0\x02\x02\x01\x02b\0\0\0\0\0"),
    (4, b"(\xb5/\xfd \x10\x81\0\0\x0e\0\0\0\x01\x02a\0\x0e\0\x02\x02\x01\x02b\0"),
];

async fn compressed(session: &mut Session) {
    let opaque = &session.topic("opaque", 1, &[]).await;
    let nonsense = Batch { attributes: 1, ..records(&["a"]) }.bytes();
    session.ask("compressed bytes that are none", 9, produce(9, opaque, 0, Some(nonsense))).await;
    let topic = &session.topic("compressed", 1, &[]).await;
    for (codec, compressed) in COMPRESSED {
        let records = Batch { attributes: codec, ..records(&["a", "b"]) }.around(compressed);
        session.ask(&format!("codec {codec}"), 9, produce(9, topic, 0, Some(records.clone()))).await;
        session.ask(&format!("codec {codec}, before there was zstd"), 6, produce(6, topic, 0, Some(records))).await;
    }
    session.ask("what was compressed", 12, fetch(12, topic, 0, 0)).await;
    session.ask("what was compressed, before there was zstd", 9, fetch(9, topic, 0, 0)).await;
    session.ask("the time of a record within", 7, list(topic, 0, TIME + 1)).await;
}

async fn fetched(session: &mut Session, topic: &Topic) {
    session.each("from the beginning", 4..=18, |version| fetch(version, topic, 1, 0)).await;
    session.each("from the middle of a batch", 4..=18, |version| fetch(version, topic, 1, 21)).await;
    session.each("at the end", 4..=18, |version| fetch(version, topic, 1, 22)).await;
    session.each("beyond the end", 4..=18, |version| fetch(version, topic, 1, 23)).await;
    session.each("a negative offset", 4..=18, |version| fetch(version, topic, 1, -1)).await;
    let absent = absent(session);
    session.each("an unknown topic", 4..=18, |version| fetch(version, &absent, 0, 0)).await;
    session.each("an unknown partition", 4..=18, |version| fetch(version, topic, 7, 0)).await;
    session.each("committed records only", 4..=18, |v| fetch(v, topic, 1, 20).with_isolation_level(1)).await;
    session.ask("nothing", 12, of_partitions(12, topic, vec![])).await;
    let part = |index, bytes| {
        FetchPartition::default().with_partition(index).with_fetch_offset(0).with_partition_max_bytes(bytes)
    };
    session.ask("two partitions", 12, of_partitions(12, topic, vec![part(1, 100), part(0, 100)])).await;
    session.ask("a byte at most", 12, of_partitions(12, topic, vec![part(1, 1), part(0, 1)]).with_max_bytes(1)).await;
    session.ask("no byte of a partition", 12, of_partitions(12, topic, vec![part(1, 0)])).await;
    session.ask("two batches at most", 12, of_partitions(12, topic, vec![part(1, 160)])).await;
    let epoch = |epoch| of_partitions(12, topic, vec![part(2, 1000).with_current_leader_epoch(epoch)]);
    session.ask("in the epoch that is", 12, epoch(0)).await;
    session.ask("in an epoch that is to come", 12, epoch(9)).await;
    let last = |last| of_partitions(12, topic, vec![part(2, 1000).with_last_fetched_epoch(last)]);
    session.ask("with the epoch of the last record", 12, last(0)).await;
    session.ask("as of an epoch that is to come", 12, last(9)).await;
    let lost = |version, offset| {
        let part = part(1, 1000).with_fetch_offset(offset).with_last_fetched_epoch(0);
        of_partitions(version, topic, vec![part])
    };
    session.ask("at the end, with the epoch of the last record", 12, lost(12, 22)).await;
    session.each("beyond the end, with the epoch of the last record", 12..=18, |version| lost(version, 23)).await;
    let late = of_partitions(12, topic, vec![part(1, 1000).with_fetch_offset(22)]);
    session.ask("at the end, for a moment", 12, late.with_max_wait_ms(50)).await;
    session.ask("a session is asked for", 12, fetch(12, topic, 2, 0).with_session_epoch(0)).await;
    session.ask("a session nobody began", 12, fetch(12, topic, 2, 0).with_session_id(5).with_session_epoch(1)).await;
    session.ask("a session ends that nobody began", 12, fetch(12, topic, 2, 0).with_session_id(5)).await;
    session.ask("from nearby", 12, fetch(12, topic, 2, 0).with_rack_id(text("here"))).await;
    let cut = session.topic("cut", 1, &[]).await;
    put(session, &cut, records(&["a", "b", "c"]).bytes()).await;
    session.quietly(2, super::topics::before(&cut, 0, 2)).await;
    session.ask("from where records were deleted", 12, fetch(12, &cut, 0, 0)).await;
    session.ask("behind where records were deleted", 12, fetch(12, &cut, 0, 2)).await;
    session.ask("the first offset that is left", 7, list(&cut, 0, -2)).await;
    session.ask("a time before what was deleted", 7, list(&cut, 0, TIME)).await;
}

async fn found_by_time(session: &mut Session) {
    let topic = &session.topic("times", 2, &[]).await;
    for first_time in [TIME, TIME + 1000, TIME + 500] {
        put(session, topic, Batch { first_time, ..records(&["a", "b"]) }.bytes()).await;
    }
    let times = [
        ("the end", -1),
        ("the beginning", -2),
        ("the largest time", -3),
        ("the beginning on this disk", -4),
        ("the end of what is elsewhere", -5),
        ("a mark nobody knows", -9),
        ("before all", 0),
        ("the first time", TIME),
        ("between two", TIME + 2),
        ("the second of two", TIME + 1001),
        ("after all", TIME + 2000),
    ];
    for (title, time) in times {
        session.each(title, 1..=10, |_| list(topic, 0, time)).await;
    }
    for (title, time) in times {
        session.ask(&format!("{title}, of nothing"), 10, list(topic, 1, time)).await;
    }
    session.each("the end, of what is committed", 2..=10, |_| list(topic, 0, -1).with_isolation_level(1)).await;
    session.each("an unknown partition", 1..=10, |_| list(topic, 7, -1)).await;
    let absent = absent(session);
    session.each("an unknown topic", 1..=10, |_| list(&absent, 0, -1)).await;
    let mut twice = list(topic, 0, -1);
    twice.topics[0].partitions.push(ListOffsetsPartition::default().with_timestamp(-2));
    session.each("the same partition twice", 1..=10, |_| twice.clone()).await;
    for (title, epoch) in [("in the epoch that is", 0), ("in an epoch that is to come", 9)] {
        let mut asked = list(topic, 0, -1);
        asked.topics[0].partitions[0].current_leader_epoch = epoch;
        session.ask(title, 4, asked).await;
    }
    session.ask("as a replica", 7, list(topic, 0, -1).with_replica_id(BrokerId(5))).await;
    session.ask("nothing", 7, ListOffsetsRequest::default()).await;
}

async fn epochs(session: &mut Session, topic: &Topic) {
    let asked = |name: &TopicName, index, leader_epoch, current| {
        let part = OffsetForLeaderPartition::default()
            .with_partition(index)
            .with_leader_epoch(leader_epoch)
            .with_current_leader_epoch(current);
        let wanted = OffsetForLeaderTopic::default().with_topic(name.clone()).with_partitions(vec![part]);
        OffsetForLeaderEpochRequest::default().with_topics(vec![wanted])
    };
    session.each("the end of an epoch", 2..=4, |_| asked(&topic.name, 1, 0, -1)).await;
    session.ask("of an epoch that is to come", 4, asked(&topic.name, 1, 5, -1)).await;
    session.ask("of no epoch", 4, asked(&topic.name, 1, -1, -1)).await;
    session.ask("in an epoch that is to come", 4, asked(&topic.name, 1, 0, 9)).await;
    session.ask("an unknown partition", 4, asked(&topic.name, 7, 0, -1)).await;
    session.ask("an unknown topic", 4, asked(&session.name("absent"), 0, 0, -1)).await;
}
