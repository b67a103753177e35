//! Records appended: their order, their bytes, their limits.

use std::time::{Duration, Instant};

use bytes::Bytes;
use postern_kafka::{
    AppendError, ByteCount, Cluster, Compression, ErrorKind, Fate, Inflight, NewTopic, Offset, PartitionId, Receipt,
    Record, Settings, StoredRecord,
};

use crate::target::{Target, append, fresh_name, new_topic, sized, value};

#[tokio::test(flavor = "multi_thread")]
async fn records_of_one_partition_stand_in_the_order_of_calls() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    let inflight = Inflight::new(ByteCount(8 << 20));

    let mut deliveries = Vec::new();
    for number in 0..200 {
        let records = vec![value(&format!("a{number}")), value(&format!("b{number}"))];
        deliveries.push(target.cluster.append(&topic, inflight.admit(records).await.expect("fits")));
    }
    let mut next = 0;
    for delivery in deliveries {
        for outcome in delivery.await {
            let receipt = outcome.expect("written");
            assert_eq!((receipt.partition, receipt.offset), (PartitionId(0), Offset(next)));
            assert!(receipt.timestamp_ms.expect("has a time") > 1_600_000_000_000);
            next += 1;
        }
    }
    assert_eq!(next, 400);
    assert_eq!(inflight.used(), ByteCount(0));

    let read = target.read(&topic, 400).await;
    let values: Vec<_> = read.iter().map(|r| r.value.clone().expect("has a value")).collect();
    let expected: Vec<_> =
        (0..200).flat_map(|n| [Bytes::from(format!("a{n}")), Bytes::from(format!("b{n}"))]).collect();
    assert_eq!(values, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_comes_back_as_it_was() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    let full = Record {
        partition: Some(PartitionId(0)),
        key: Some(Bytes::from_static(b"key \0\xff")),
        value: Some(Bytes::from_static(b"value")),
        headers: vec![
            ("twice".into(), Some(Bytes::from_static(b"1"))),
            ("twice".into(), Some(Bytes::new())),
            ("none".into(), None),
        ],
        timestamp_ms: Some(1_700_000_000_123),
    };
    let empty = Record { key: Some(Bytes::new()), value: Some(Bytes::new()), ..Record::default() };
    let absent = Record { timestamp_ms: Some(1), ..Record::default() };
    let receipts = target.append(&topic, vec![full.clone(), empty.clone(), absent.clone()]).await;
    let first = Receipt { partition: PartitionId(0), offset: Offset(0), timestamp_ms: full.timestamp_ms };
    assert_eq!(receipts[0], Ok(first));

    let read = target.read(&topic, 3).await;
    let stored = |offset, record: &Record, timestamp_ms| StoredRecord {
        offset: Offset(offset),
        timestamp_ms,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
    };
    assert_eq!(read[0], stored(0, &full, full.timestamp_ms));
    assert_eq!(read[1], stored(1, &empty, read[1].timestamp_ms));
    assert_eq!(read[2], stored(2, &absent, Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_compression_is_taken_by_the_broker_and_read_back() {
    let target = Target::start().await;
    for compression in Compression::ALL {
        let topic = target.topic(1).await;
        let settings = Settings { compression, ..target.settings() };
        let cluster = Cluster::connect(settings).expect("the settings are sound");
        let records: Vec<_> = (0..2000).map(|n| value(&format!("record {n} of a topic {}", "x".repeat(50)))).collect();
        let outcomes = append(&cluster, &topic, records.clone()).await;
        assert!(outcomes.iter().all(Result::is_ok), "{compression}: {:?}", outcomes[0]);
        let read = target.read(&topic, 2000).await;
        assert!(read.iter().zip(&records).all(|(read, sent)| read.value == sent.value), "{compression}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_partitioned_as_java_does() {
    let target = Target::start().await;
    let topic = target.topic(4).await;
    // murmur2 of Kafka's Java client: 21 → -973932308, foobar → -790332482, a-little-bit-long-string → -985981536.
    for (key, hash) in [("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536_i32)]
    {
        let record = Record { key: Some(Bytes::from(key)), ..Record::default() };
        let receipt = target.append(&topic, vec![record]).await.remove(0).expect("written");
        assert_eq!(receipt.partition, PartitionId((hash & 0x7fff_ffff) % 4), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_partition_is_refused_at_once_and_spares_the_others() {
    let target = Target::start().await;
    let topic = target.topic(2).await;
    let to = |partition| Record { partition: Some(PartitionId(partition)), ..value("x") };
    target.append(&topic, vec![to(0)]).await.remove(0).expect("the connection stands");

    let started = Instant::now();
    let outcomes = target.append(&topic, vec![to(0), to(2), to(-1), to(1)]).await;
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert_eq!(outcomes[0].as_ref().expect("written").offset, Offset(1));
    for refused in &outcomes[1..3] {
        let AppendError { error, fate } = refused.as_ref().expect_err("refused");
        assert_eq!((error.kind, *fate), (ErrorKind::UnknownPartition, Fate::NotWritten));
    }
    assert_eq!(outcomes[3].as_ref().expect("written").partition, PartitionId(1));
    assert_eq!(target.range(&topic, 0).await, (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_above_the_limit_is_refused_at_once() {
    let target = Target::start().await;
    // Kafka 2.4 takes a little less by default.
    let limit = vec![("max.message.bytes".into(), Some("1048588".into()))];
    let topic = fresh_name();
    target.cluster.create_topic(&NewTopic { configs: limit, ..new_topic(&topic, 1) }).await.expect("created");
    // 82 for a batch of one, 1 for no key, 3 for the length of the value, 1 for no headers: as Java reckons.
    let largest = 1_048_576 - 87;
    let outcomes = target.append(&topic, vec![sized(largest + 1), sized(largest), value("small")]).await;
    let AppendError { error, fate } = outcomes[0].as_ref().expect_err("too large");
    assert_eq!((error.kind, *fate), (ErrorKind::RecordTooLarge, Fate::NotWritten));
    assert!(error.message.contains("1048577 bytes") && error.message.contains("1048576,"), "{}", error.message);
    assert_eq!(outcomes[1].as_ref().expect("just fits").offset, Offset(0));
    assert_eq!(outcomes[2].as_ref().expect("fits").offset, Offset(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_broker_finds_too_large_is_not_written() {
    let target = Target::start().await;
    let topic = fresh_name();
    let small = NewTopic { configs: vec![("max.message.bytes".into(), Some("2000".into()))], ..new_topic(&topic, 1) };
    target.cluster.create_topic(&small).await.expect("created");
    let AppendError { error, fate } = target.append(&topic, vec![sized(5_000)]).await.remove(0).expect_err("too large");
    assert_eq!(
        (error.kind, fate, error.name.as_str()),
        (ErrorKind::RecordTooLarge, Fate::NotWritten, "MESSAGE_TOO_LARGE")
    );
    assert_eq!(target.range(&topic, 0).await, (0, 0));
    assert!(target.append(&topic, vec![sized(500)]).await[0].is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_a_key_is_refused_by_a_compacted_topic_in_its_words() {
    let target = Target::start().await;
    let topic = fresh_name();
    let compacted = vec![("cleanup.policy".into(), Some("compact".into()))];
    target.cluster.create_topic(&NewTopic { configs: compacted, ..new_topic(&topic, 1) }).await.expect("created");
    for _ in 0..20 {
        let AppendError { error, fate } = target.append(&topic, vec![value("x")]).await.remove(0).expect_err("no key");
        assert_eq!((error.kind, fate, error.name.as_str()), (ErrorKind::Other, Fate::NotWritten, "INVALID_RECORD"));
        assert!(error.message.contains("cannot accept message without key"), "{}", error.message);
    }
    let keyed = Record { key: Some(Bytes::from_static(b"k")), ..value("x") };
    assert!(target.append(&topic, vec![keyed]).await[0].is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn room_is_given_back_when_the_broker_has_answered() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    let inflight = Inflight::new(ByteCount(20_000));
    assert!(inflight.admit(vec![sized(30_000)]).await.is_err(), "more than the whole budget");
    // Each takes more than half of the budget: the next is admitted only when the one before is acknowledged.
    for number in 0..20 {
        let admitted = inflight.admit(vec![sized(11_000)]).await.expect("waits for its turn");
        drop(target.cluster.append(&topic, admitted)); // nobody waits for the answer; the room waits for the broker
        assert!(inflight.used() <= inflight.capacity(), "{number}");
    }
    assert!(target.cluster.flush(Duration::from_secs(5)).await);
    assert_eq!(target.range(&topic, 0).await, (0, 20));
    assert_eq!(inflight.used(), ByteCount(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_refused_at_the_start() {
    let refused = Cluster::connect(Settings::new("127.0.0.1:9092,broker")).expect_err("refused");
    assert_eq!(refused.kind, ErrorKind::InvalidRequest);
    assert!(refused.message.contains("expected HOST:PORT, found \"broker\""), "{}", refused.message);
}

/// Each of them fits the topic, all of them together do not fit into one batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_too_large_for_the_topic_is_split() {
    let target = Target::start().await;
    let topic = fresh_name();
    let small = NewTopic { configs: vec![("max.message.bytes".into(), Some("10000".into()))], ..new_topic(&topic, 1) };
    target.cluster.create_topic(&small).await.expect("created");
    let mut records: Vec<Record> = (0..100).map(|n| value(&format!("{n:0>500}"))).collect();
    records.insert(50, sized(20_000));
    let mut outcomes = target.append(&topic, records).await;
    let AppendError { error, fate } = outcomes.remove(50).expect_err("it alone is too large");
    assert_eq!((error.kind, fate), (ErrorKind::RecordTooLarge, Fate::NotWritten));
    let offsets: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("written").offset.0).collect();
    assert_eq!(offsets, (0..100).collect::<Vec<_>>());
    let values: Vec<_> = target.read(&topic, 100).await.into_iter().filter_map(|record| record.value).collect();
    assert_eq!(values, (0..100).map(|n| Bytes::from(format!("{n:0>500}"))).collect::<Vec<_>>());
}

/// Records of many callers share batches; one without a key is refused by a compacted topic, and only that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_does_not_take_others_along() {
    let target = Target::start().await;
    let topic = fresh_name();
    let compacted = vec![("cleanup.policy".into(), Some("compact".into()))];
    target.cluster.create_topic(&NewTopic { configs: compacted, ..new_topic(&topic, 1) }).await.expect("created");
    target.cluster.partitions_for_produce(&topic).await.expect("known");
    let inflight = Inflight::new(ByteCount(8 << 20));
    let mut under_way = Vec::new();
    for number in 0..300 {
        let key = (number % 3 > 0).then(|| Bytes::from(number.to_string()));
        let records = vec![Record { key, ..value(&number.to_string()) }];
        under_way.push(target.cluster.append(&topic, inflight.admit(records).await.expect("fits")));
    }
    let mut expected = Vec::new();
    for (number, delivery) in under_way.into_iter().enumerate() {
        match delivery.await.remove(0) {
            Ok(receipt) => {
                assert!(number % 3 > 0, "{number} has no key");
                assert_eq!(receipt.offset, Offset(expected.len() as i64));
                expected.push(Bytes::from(number.to_string()));
            }
            Err(AppendError { error, fate }) => {
                assert!(number % 3 == 0, "{number} has a key: {error}");
                assert_eq!((error.name.as_str(), fate), ("INVALID_RECORD", Fate::NotWritten));
            }
        }
    }
    assert_eq!(expected.len(), 200);
    let values: Vec<_> = target.read(&topic, 200).await.into_iter().filter_map(|record| record.value).collect();
    assert_eq!(values, expected);
}
