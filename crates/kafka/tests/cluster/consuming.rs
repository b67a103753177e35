//! Consumers: what they read, where they begin, what they commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use postern_kafka::{
    ByteCount, Cluster, CommitOffset, Compression, Consumer, ConsumerSettings, ErrorKind, FetchBudget, Offset,
    OffsetReset, PartitionId, Record, SeekTo, Settings, Subscription, TopicName, TopicPartition,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::target::{Target, append, fresh_name, sized, value};

/// Settings of a group of its own, with a test's patience; reading begins at the beginning.
pub(crate) fn settings(group: &TopicName) -> ConsumerSettings {
    ConsumerSettings {
        auto_offset_reset: OffsetReset::Earliest,
        session_timeout: Duration::from_secs(6),
        heartbeat_interval: Duration::from_millis(100),
        rebalance_timeout: Duration::from_secs(10),
        metadata_max_age: Duration::from_millis(200),
        ..ConsumerSettings::new(group.as_str(), FetchBudget::new(ByteCount(64 << 20)))
    }
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

pub(crate) fn at(topic: &TopicName, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.clone(), partition: PartitionId(partition) }
}

fn record(partition: i32, text: &str) -> Record {
    Record { partition: Some(PartitionId(partition)), ..value(text) }
}

/// The values of the next `count` records, confirmed.
pub(crate) async fn read(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut read = Vec::new();
    while read.len() < count {
        assert!(consumer.poll(soon()).await.expect("polled"), "only {read:?}");
        while let Some(record) = (read.len() < count).then(|| consumer.take()).flatten() {
            let value = record.record.value.expect("has one");
            read.push(String::from_utf8(value.to_vec()).expect("text"));
        }
    }
    consumer.confirm();
    read
}

/// Nothing comes for a while.
async fn silent(consumer: &mut Consumer) {
    let polled = consumer.poll(Instant::now() + Duration::from_millis(300)).await;
    assert_eq!(polled, Ok(false), "{:?}", consumer.peek());
}

async fn committed(consumer: &mut Consumer, partition: TopicPartition) -> Option<(i64, String)> {
    let committed = consumer.committed(&[partition], soon()).await.expect("answered");
    committed.into_iter().next().map(|committed| (committed.offset.0, committed.metadata))
}

fn commit_of(partition: TopicPartition, offset: i64, metadata: &str) -> CommitOffset {
    CommitOffset { partition, offset: Offset(offset), leader_epoch: None, metadata: metadata.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_reads_on_where_it_has_committed() {
    let target = Target::start().await;
    let (topic, group) = (target.topic(2).await, fresh_name());
    target.append(&topic, vec![record(0, "a"), record(1, "b"), record(0, "c")]).await;
    let manual = ConsumerSettings { auto_commit: None, ..settings(&group) };
    let mut consumer = target.cluster.consumer(manual.clone()).expect("made");
    consumer.subscribe(Subscription::Topics(vec![topic.clone()]));
    assert_eq!(consumer.subscription(), std::slice::from_ref(&topic));
    let mut first = read(&mut consumer, 3).await;
    first.sort();
    assert_eq!(first, ["a", "b", "c"]);
    assert_eq!(consumer.assignment(), [at(&topic, 0), at(&topic, 1)]);
    assert_eq!(committed(&mut consumer, at(&topic, 0)).await, None, "nothing is committed by itself");
    consumer.commit(None, soon()).await.expect("committed");
    assert_eq!(committed(&mut consumer, at(&topic, 0)).await, Some((2, String::new())));
    assert_eq!(committed(&mut consumer, at(&topic, 1)).await, Some((1, String::new())));

    target.append(&topic, vec![record(0, "read, not committed")]).await;
    assert_eq!(read(&mut consumer, 1).await, ["read, not committed"]);
    consumer.close(soon()).await.expect("left");
    let members = target.cluster.group_members(group.as_str()).await.expect("described");
    assert_eq!(members.map_or(0, |members| members.members), 0);

    let mut next = target.cluster.consumer(manual).expect("made");
    next.subscribe(Subscription::Topics(vec![topic.clone()]));
    assert_eq!(read(&mut next, 1).await, ["read, not committed"]);
    silent(&mut next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_confirmed_is_committed_by_itself() {
    let target = Target::start().await;
    let (topic, group) = (target.topic(1).await, fresh_name());
    target.append(&topic, vec![value("a"), value("b"), value("c")]).await;
    let mut consumer = target.cluster.consumer(settings(&group)).expect("made");
    consumer.subscribe(Subscription::Topics(vec![topic.clone()]));
    assert_eq!(read(&mut consumer, 1).await, ["a"]);

    // Taken for somebody who has gone.
    assert!(consumer.poll(soon()).await.expect("polled"));
    assert_eq!(consumer.take().map(|record| record.record.offset), Some(Offset(1)));
    consumer.rewind();
    assert!(consumer.poll(soon()).await.expect("polled"));
    assert_eq!(consumer.take().map(|record| record.record.offset), Some(Offset(1)), "handed out again");
    assert_eq!(consumer.peek().map(|record| record.record.offset), Some(Offset(2)));
    consumer.close(soon()).await.expect("left");

    let mut next = target.cluster.consumer(settings(&group)).expect("made");
    assert_eq!(committed(&mut next, at(&topic, 0)).await, Some((1, String::new())));
    next.subscribe(Subscription::Topics(vec![topic.clone()]));
    assert_eq!(read(&mut next, 2).await, ["b", "c"]);
    drop(next);
    // Dropping it commits as well, in the background.
    let mut observer = target.cluster.consumer(settings(&group)).expect("made");
    let end = soon();
    while committed(&mut observer, at(&topic, 0)).await != Some((3, String::new())) {
        assert!(Instant::now() < end, "not committed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_begins_where_the_policy_says() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    target.append(&topic, vec![value("before")]).await;

    let latest = ConsumerSettings { auto_offset_reset: OffsetReset::Latest, ..settings(&fresh_name()) };
    let mut latest = target.cluster.consumer(latest).expect("made");
    latest.assign(vec![at(&topic, 0)]);
    assert_eq!(latest.position(&at(&topic, 0), soon()).await, Ok(Offset(1)));
    target.append(&topic, vec![value("after")]).await;
    assert_eq!(read(&mut latest, 1).await, ["after"]);

    let none = ConsumerSettings { auto_offset_reset: OffsetReset::None, ..settings(&fresh_name()) };
    let mut none = target.cluster.consumer(none).expect("made");
    none.assign(vec![at(&topic, 0)]);
    for _ in 0..2 {
        let refused = none.poll(soon()).await.expect_err("no position");
        assert_eq!((refused.kind, refused.name.as_str()), (ErrorKind::NoOffset, "NO_OFFSET"), "{refused}");
    }
    none.seek(&at(&topic, 0), SeekTo::Offset(Offset(77))).expect("assigned");
    assert_eq!(none.poll(soon()).await.expect_err("out of range").kind, ErrorKind::NoOffset);
    none.seek(&at(&topic, 0), SeekTo::Beginning).expect("assigned");
    assert_eq!(read(&mut none, 2).await, ["before", "after"]);

    let hour = ConsumerSettings {
        auto_offset_reset: OffsetReset::ByDuration(Duration::from_secs(3600)),
        ..settings(&fresh_name())
    };
    let mut hour = target.cluster.consumer(hour).expect("made");
    hour.assign(vec![at(&topic, 0)]);
    assert_eq!(read(&mut hour, 2).await, ["before", "after"]);
    // Out of range, with a policy: that one decides.
    hour.seek(&at(&topic, 0), SeekTo::Offset(Offset(77))).expect("assigned");
    assert_eq!(read(&mut hour, 2).await, ["before", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_are_sought() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    let timed = |text: &str, timestamp_ms| Record { timestamp_ms: Some(timestamp_ms), ..value(text) };
    let now = 1_700_000_000_000;
    target.append(&topic, vec![timed("0", now), timed("1", now + 10), timed("2", now + 20)]).await;
    let mut consumer = target.cluster.consumer(settings(&fresh_name())).expect("made");
    let place = at(&topic, 0);
    let refused = consumer.seek(&place, SeekTo::Beginning).expect_err("not assigned");
    assert_eq!((refused.kind, refused.name.as_str()), (ErrorKind::InvalidRequest, "NOT_ASSIGNED"));
    consumer.assign(vec![place.clone()]);
    assert_eq!(read(&mut consumer, 3).await, ["0", "1", "2"]);

    for (to, offset, values) in [
        (SeekTo::Offset(Offset(1)), 1, &["1", "2"][..]),
        (SeekTo::Beginning, 0, &["0", "1", "2"]),
        (SeekTo::Timestamp(now + 5), 1, &["1", "2"]),
        (SeekTo::Timestamp(now + 10), 1, &["1", "2"]),
        (SeekTo::Timestamp(now + 21), 3, &[]),
        (SeekTo::End, 3, &[]),
    ] {
        consumer.seek(&place, to).expect("assigned");
        assert_eq!(consumer.position(&place, soon()).await, Ok(Offset(offset)), "{to:?}");
        assert_eq!(read(&mut consumer, values.len()).await, values, "{to:?}");
        assert_eq!(consumer.position(&place, soon()).await, Ok(Offset(3)), "{to:?}");
    }
    target.append(&topic, vec![value("new")]).await;
    assert_eq!(read(&mut consumer, 1).await, ["new"]);
    // Records fetched before a seek are not handed out after it.
    consumer.seek(&place, SeekTo::Beginning).expect("assigned");
    assert!(consumer.poll(soon()).await.expect("polled"));
    consumer.seek(&place, SeekTo::Offset(Offset(3))).expect("assigned");
    assert_eq!(consumer.peek(), None);
    assert!(consumer.poll(soon()).await.expect("polled"));
    assert_eq!(consumer.take().map(|record| record.record.offset), Some(Offset(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_what_was_shown() {
    let target = Target::start().await;
    let topic = target.topic(2).await;
    target.append(&topic, vec![record(0, "0"), record(1, "1")]).await;
    let mut consumer = target.cluster.consumer(settings(&fresh_name())).expect("made");
    consumer.assign(vec![at(&topic, 0), at(&topic, 1)]);
    assert!(consumer.poll(soon()).await.expect("polled"));
    let shown = consumer.peek().expect("fetched").partition;
    consumer.seek(&at(&topic, shown.0), SeekTo::End).expect("assigned");
    assert_eq!(consumer.take(), None, "not a record of the other partition");
    assert_eq!(read(&mut consumer, 1).await, [(1 - shown.0).to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_committed_without_being_a_member() {
    let target = Target::start().await;
    let (topic, group) = (target.topic(2).await, fresh_name());
    target.append(&topic, vec![record(0, "a"), record(0, "b"), record(1, "c")]).await;
    let mut consumer = target.cluster.consumer(settings(&group)).expect("made");
    consumer.commit(Some(vec![commit_of(at(&topic, 0), 1, "from \u{e4}")]), soon()).await.expect("committed");
    assert_eq!(committed(&mut consumer, at(&topic, 0)).await, Some((1, "from \u{e4}".to_owned())));
    let unknown = [at(&topic, 1), at(&fresh_name(), 0), at(&topic, 99)];
    assert_eq!(consumer.committed(&unknown, soon()).await, Ok(Vec::new()));

    let refused = consumer.commit(Some(vec![commit_of(at(&topic, 99), 1, "")]), soon()).await.expect_err("unknown");
    assert!(refused.message.contains("partition 99") && refused.message.contains(topic.as_str()), "{refused}");
    let long = "x".repeat(5_000);
    let refused = consumer.commit(Some(vec![commit_of(at(&topic, 0), 1, &long)]), soon()).await.expect_err("long");
    assert_eq!(refused.name, "OFFSET_METADATA_TOO_LARGE");

    consumer.assign(vec![at(&topic, 0), at(&topic, 1)]);
    let mut values = read(&mut consumer, 2).await;
    values.sort();
    assert_eq!(values, ["b", "c"], "from where it was committed, else from the beginning");
    // A partition that stays keeps its position.
    consumer.assign(vec![at(&topic, 0)]);
    assert_eq!(consumer.assignment(), [at(&topic, 0)]);
    assert_eq!(consumer.position(&at(&topic, 0), soon()).await, Ok(Offset(2)));
    consumer.commit(None, soon()).await.expect("committed");
    assert_eq!(committed(&mut consumer, at(&topic, 0)).await, Some((2, String::new())));
    consumer.close(soon()).await.expect("closed");
    let mut observer = target.cluster.consumer(settings(&group)).expect("made");
    assert_eq!(committed(&mut observer, at(&topic, 1)).await, Some((1, String::new())), "given up, and so committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_follows_the_topics() {
    let target = Target::start().await;
    let (first, group) = (target.topic(1).await, fresh_name());
    target.append(&first, vec![value("first")]).await;
    let mut consumer = target.cluster.consumer(settings(&group)).expect("made");
    let prefix = format!("{group}-");
    let (wanted, name) = (prefix.clone(), first.as_str().to_owned());
    consumer.subscribe(Subscription::Pattern(std::sync::Arc::new(move |topic| {
        topic == name || topic.starts_with(&wanted)
    })));
    assert_eq!(read(&mut consumer, 1).await, ["first"]);
    assert_eq!(consumer.subscription(), std::slice::from_ref(&first));
    let second = TopicName::parse(&format!("{prefix}second")).expect("legal");
    target.cluster.create_topic(&crate::target::new_topic(&second, 1)).await.expect("created");
    target.append(&second, vec![value("second")]).await;
    assert_eq!(read(&mut consumer, 1).await, ["second"]);
    let mut both = [first, second];
    both.sort();
    assert_eq!(consumer.subscription(), both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_appears_or_grows_is_read() {
    let target = Target::start().await;
    let topic = fresh_name();
    let mut consumer = target.cluster.consumer(settings(&fresh_name())).expect("made");
    consumer.subscribe(Subscription::Topics(vec![topic.clone()]));
    silent(&mut consumer).await;
    target.cluster.create_topic(&crate::target::new_topic(&topic, 1)).await.expect("created");
    target.append(&topic, vec![value("appeared")]).await;
    assert_eq!(read(&mut consumer, 1).await, ["appeared"]);
    target.cluster.add_partitions(&topic, 3).await.expect("grown");
    target.append(&topic, vec![record(2, "grown")]).await;
    assert_eq!(read(&mut consumer, 1).await, ["grown"]);
    assert_eq!(consumer.assignment().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_ahead_stays_within_the_budget() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    for _ in 0..40 {
        target.append(&topic, vec![sized(100_000)]).await;
    }
    let budget = FetchBudget::new(ByteCount(150_000));
    let limited = || ConsumerSettings {
        budget: budget.clone(),
        max_partition_fetch_bytes: ByteCount(100_000),
        ..settings(&fresh_name())
    };
    let mut consumers = Vec::new();
    for _ in 0..3 {
        let mut consumer = target.cluster.consumer(limited()).expect("made");
        consumer.assign(vec![at(&topic, 0)]);
        consumers.push(consumer);
    }
    // One holds the budget: the others wait for memory, and read when it lets go.
    let [holding, waiting, last] = &mut consumers[..] else { panic!("three") };
    assert!(holding.poll(soon()).await.expect("polled"));
    assert!(budget.used() > ByteCount(100_000), "{}", budget.used());
    silent(waiting).await;
    holding.discard_fetched();
    assert_eq!(budget.used(), ByteCount(0));
    for consumer in [waiting, last, holding] {
        for offset in 0..40 {
            assert!(consumer.poll(soon()).await.expect("polled"));
            assert!(budget.used() <= ByteCount(150_000));
            assert_eq!(consumer.take().map(|record| record.record.offset), Some(Offset(offset)));
        }
        silent(consumer).await;
        assert_eq!(budget.used(), ByteCount(0));
    }
}

/// A few hundred bytes of zeros in an answer are 256 KiB in memory.
#[tokio::test(flavor = "multi_thread")]
async fn what_compressed_batches_become_stays_within_the_budget() {
    const CONSUMERS: usize = 100;
    const BATCHES: i64 = 4;
    const LARGE: usize = 256 << 10;
    let target = Target::start().await;
    let topic = target.topic(1).await;
    let packing = Cluster::connect(Settings { compression: Compression::Zstd, ..target.settings() }).expect("sound");
    for _ in 0..BATCHES {
        let zeros = Record { value: Some(Bytes::from(vec![0; LARGE])), ..value("") };
        append(&packing, &topic, vec![zeros]).await;
    }
    let budget = FetchBudget::new(ByteCount(4 * LARGE + (64 << 10)));
    let holding = Arc::new(AtomicUsize::new(0));
    let mut readers = JoinSet::new();
    for _ in 0..CONSUMERS {
        let limited = ConsumerSettings { budget: budget.clone(), ..settings(&fresh_name()) };
        let mut consumer = target.cluster.consumer(limited).expect("made");
        consumer.assign(vec![at(&topic, 0)]);
        let (budget, holding) = (budget.clone(), holding.clone());
        readers.spawn(async move {
            let mut most = 0;
            for offset in 0..BATCHES {
                let polled = consumer.poll(Instant::now() + Duration::from_secs(60)).await;
                assert!(polled.expect("polled"), "it has its turn");
                most = most.max(holding.fetch_add(1, Ordering::SeqCst) + 1);
                assert!(budget.used() >= ByteCount(LARGE), "{}", budget.used());
                // Others try meanwhile.
                sleep(Duration::from_millis(5)).await;
                assert_eq!(consumer.take().map(|record| record.record.offset), Some(Offset(offset)));
                holding.fetch_sub(1, Ordering::SeqCst);
            }
            silent(&mut consumer).await;
            most
        });
    }
    let most = readers.join_all().await.into_iter().max();
    assert!(most <= Some(4), "{most:?} had a batch at once");
    assert_eq!(budget.used(), ByteCount(0));
    // One that is larger than all of the budget is read as well.
    let small = FetchBudget::new(ByteCount(LARGE / 2));
    let mut consumer =
        target.cluster.consumer(ConsumerSettings { budget: small, ..settings(&fresh_name()) }).expect("made");
    consumer.assign(vec![at(&topic, 0)]);
    for offset in 0..BATCHES {
        assert!(consumer.poll(soon()).await.expect("polled"));
        assert_eq!(consumer.take().map(|record| record.record.offset), Some(Offset(offset)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_woken_by_what_is_appended_and_may_be_given_up() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    let mut consumer = target.cluster.consumer(settings(&fresh_name())).expect("made");
    consumer.subscribe(Subscription::Topics(vec![topic.clone()]));
    target.append(&topic, vec![value("first")]).await;
    assert_eq!(read(&mut consumer, 1).await, ["first"]);
    let mut waits = Vec::new();
    for number in 0..20 {
        // Polls that are given up at any moment lose nothing.
        let _ = timeout(Duration::from_millis(number * 2), consumer.poll(soon())).await;
        let text = number.to_string();
        target.append(&topic, vec![value(&text)]).await.remove(0).expect("written");
        let acknowledged = Instant::now();
        assert_eq!(read(&mut consumer, 1).await, [text]);
        waits.push(acknowledged.elapsed());
    }
    waits.sort();
    println!("from acknowledged to read: median {:?}, worst {:?}", waits[10], waits[19]);
    assert!(waits[10] < Duration::from_millis(100), "{waits:?}");
}
