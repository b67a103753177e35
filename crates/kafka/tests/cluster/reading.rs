//! Reading a partition from its beginning, and on.

use std::time::{Duration, Instant};

use bytes::Bytes;
use postern_kafka::{ErrorKind, PartitionId};

use crate::target::{Target, fresh_name, new_topic, value};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_woken_by_what_is_appended() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    target.append(&topic, vec![value("before")]).await.remove(0).expect("written");
    let mut reader = target.cluster.reader(&topic, PartitionId(0)).expect("starts");
    assert_eq!(reader.next().await.expect("read")[0].value, Some(Bytes::from_static(b"before")));

    let mut waits = Vec::new();
    for number in 0..20 {
        tokio::time::sleep(Duration::from_millis(30)).await; // the reader's request rests at the broker
        let appended = target.append(&topic, vec![value(&number.to_string())]).await.remove(0).expect("written");
        let acknowledged = Instant::now();
        let read = reader.next().await.expect("read");
        assert_eq!((read.len(), read[0].offset), (1, appended.offset));
        waits.push(acknowledged.elapsed());
    }
    waits.sort();
    println!("from acknowledged to read: median {:?}, worst {:?}", waits[10], waits[19]);
    assert!(waits[10] < Duration::from_millis(50), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_waited_for_and_not_created() {
    let target = Target::start().await;
    let topic = fresh_name();
    let mut reader = target.cluster.reader(&topic, PartitionId(0)).expect("starts");
    let early = tokio::time::timeout(Duration::from_secs(1), reader.next()).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(target.cluster.topic(&topic, false).await.expect_err("not created").kind, ErrorKind::UnknownTopic);

    target.cluster.create_topic(&new_topic(&topic, 1)).await.expect("created");
    target.append(&topic, vec![value("at last")]).await.remove(0).expect("written");
    let started = Instant::now();
    let read = tokio::time::timeout(Duration::from_secs(10), reader.next()).await.expect("in time").expect("read");
    assert_eq!(read[0].value, Some(Bytes::from_static(b"at last")));
    println!("read {:?} after it was written", started.elapsed());
}
