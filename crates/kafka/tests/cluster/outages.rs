//! Brokers that go away, stay silent, lose answers, come back. On the embedded broker, whatever the suite runs on: a foreign
//! one is not ours to stop.

use std::time::{Duration, Instant};

use postern_broker::{ApiKey, ErrorCode, Fault};
use postern_kafka::{ByteCount, Cluster, ErrorKind, Fate, Inflight, Offset, PartitionId, Settings, TopicName};

use crate::consuming::{self, at, settings};
use crate::target::{Embedded, append, connect, fresh_name, read, topic, value};

/// A broker that was never there: every call ends in time, with an error that says to try later.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_every_call_ends_in_time() {
    let patience = Duration::from_millis(1500);
    let (_socket, nobody) = nobody_there();
    let settings = Settings { call_timeout: patience, delivery_timeout: patience, ..Settings::new(nobody) };
    let cluster = Cluster::connect(settings).expect("starts without a broker");
    let topic = fresh_name();
    let started = Instant::now();
    let (looked_up, described, listed, offsets) = tokio::join!(
        cluster.partitions_for_produce(&topic),
        cluster.describe_cluster(),
        cluster.topics(false),
        cluster.offsets(&topic, PartitionId(0)),
    );
    for error in [looked_up.err(), described.err(), listed.err(), offsets.err()] {
        let error = error.expect("nobody answered");
        assert_eq!(error.kind, ErrorKind::BrokerUnavailable, "{error}");
        assert!(error.message.contains("Connection refused"), "{error}");
    }
    let inflight = Inflight::new(ByteCount(1 << 20));
    let appended = cluster.append(&topic, inflight.admit(vec![value("x")]).await.expect("fits"));
    assert!(!cluster.flush(Duration::from_millis(50)).await, "it still waits for a broker");
    let failed = appended.await.remove(0).expect_err("nobody took it");
    assert_eq!((failed.error.kind, failed.fate), (ErrorKind::BrokerUnavailable, Fate::NotWritten), "{failed}");
    assert!(failed.error.message.contains("Connection refused"), "{failed}");
    assert_eq!(inflight.used(), ByteCount(0));
    assert!(started.elapsed() < 4 * patience, "{:?}", started.elapsed());
}

/// A consumer says why nothing comes, as long as that is so.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_knows_that_no_broker_answers() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let topic = topic(&cluster, 1).await;
    append(&cluster, &topic, vec![value("before")]).await.remove(0).expect("written");
    let mut consumer = cluster.consumer(settings(&fresh_name())).expect("made");
    consumer.assign(vec![at(&topic, 0)]);
    assert_eq!(consuming::read(&mut consumer, 1).await, ["before"]);
    assert_eq!(consumer.failing(), None);
    let stopped = embedded.stop().await;
    assert_eq!(consumer.poll(tokio::time::Instant::now() + Duration::from_secs(2)).await, Ok(false));
    let error = consumer.failing().expect("nobody answers");
    assert_eq!(error.kind, ErrorKind::BrokerUnavailable, "{error}");
    let _embedded = stopped.restart().await;
    append(&cluster, &topic, vec![value("after")]).await.remove(0).expect("written");
    assert_eq!(consuming::read(&mut consumer, 1).await, ["after"]);
    assert_eq!(consumer.failing(), None);
}

/// Records appended while the broker is away are written, in order and once, when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_during_an_outage_is_written_after_it() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let topic = topic(&cluster, 1).await;
    append(&cluster, &topic, vec![value("before")]).await.remove(0).expect("written");
    let mut reader = cluster.reader(&topic, PartitionId(0)).expect("starts");
    assert_eq!(reader.next().await.expect("read").len(), 1);

    let stopped = embedded.stop().await;
    let inflight = Inflight::new(ByteCount(1 << 20));
    let mut under_way = Vec::new();
    for number in 0..10 {
        let records = inflight.admit(vec![value(&number.to_string())]).await.expect("fits");
        under_way.push(cluster.append(&topic, records));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _embedded = stopped.restart().await;
    let back = Instant::now();
    for (number, delivery) in (1..).zip(under_way) {
        assert_eq!(delivery.await.remove(0).expect("written").offset, Offset(number));
    }
    assert!(back.elapsed() < Duration::from_secs(4), "{:?}", back.elapsed());

    // The reader goes on as well.
    let mut read = 0;
    while read < 10 {
        let next = tokio::time::timeout(Duration::from_secs(5), reader.next()).await.expect("in time");
        read += next.map_or(0, |records| records.len());
    }
    assert_eq!(read, 10);
    cluster.describe_cluster().await.expect("administration works again");
    assert_eq!(cluster.offsets(&topic, PartitionId(0)).await.expect("known").latest, Offset(11));
}

/// A count that has gone stale is good enough while nobody can be asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_known_topic_stays_known_while_the_broker_is_away() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let topic = topic(&cluster, 3).await;
    assert_eq!(cluster.partitions_for_produce(&topic).await, Ok(3));
    let _stopped = embedded.stop().await;
    tokio::time::sleep(Duration::from_millis(5_200)).await; // longer than an answer is fresh
    assert_eq!(cluster.known_partitions(&topic), None);
    let started = Instant::now();
    assert_eq!(cluster.partitions_for_produce(&topic).await, Ok(3));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

/// The broker writes, and its answer is lost: the record is sent again and stands there once.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_duplicate() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let topic = topic(&cluster, 1).await;
    append(&cluster, &topic, vec![value("first")]).await.remove(0).expect("written");
    embedded.broker.faults().add(ApiKey::Produce, None, Fault::LoseAnswer, 1);
    let receipt = append(&cluster, &topic, vec![value("second")]).await.remove(0).expect("written");
    assert_eq!(receipt.offset, Offset(1));
    assert_eq!(embedded.broker.faults().left(), 0, "the fault was met");
    append(&cluster, &topic, vec![value("third")]).await.remove(0).expect("written");
    let values: Vec<_> = read(&cluster, &topic, 3).await.into_iter().filter_map(|r| r.value).collect();
    assert_eq!(values, ["first", "second", "third"]);
}

/// The broker takes the record and never answers: what became of it is not known, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_in_time_leaves_the_fate_unknown() {
    let embedded = Embedded::start().await;
    let patience = Duration::from_secs(2);
    let settings = Settings { delivery_timeout: patience, ..Settings::for_test(embedded.broker.address().to_string()) };
    let cluster = Cluster::connect(settings).expect("sound");
    let topic = topic(&cluster, 1).await;
    append(&cluster, &topic, vec![value("first")]).await.remove(0).expect("written");
    embedded.broker.faults().add(ApiKey::Produce, None, Fault::NeverAnswer, u64::MAX);
    let started = Instant::now();
    let failed = append(&cluster, &topic, vec![value("lost")]).await.remove(0).expect_err("no answer");
    assert_eq!((failed.error.kind, failed.fate), (ErrorKind::Retriable, Fate::Unknown));
    assert!(started.elapsed() < 2 * patience, "{:?}", started.elapsed());

    embedded.broker.faults().clear();
    let receipt = append(&cluster, &topic, vec![value("next")]).await.remove(0).expect("it goes on");
    assert_eq!(receipt.offset, Offset(1));
}

/// What the broker refuses for now is sent again until it is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_now_is_overcome() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let topic = topic(&cluster, 1).await;
    let refusal = Fault::Error(ErrorCode::NotEnoughReplicas);
    embedded.broker.faults().add(ApiKey::Produce, Some(topic.as_str()), refusal, 3);
    assert_eq!(append(&cluster, &topic, vec![value("x")]).await.remove(0).expect("written").offset, Offset(0));
    assert_eq!(embedded.broker.faults().left(), 0);
    assert_eq!(cluster.offsets(&topic, PartitionId(0)).await.expect("known").latest, Offset(1), "once");
}

/// What the broker refuses for good is not sent again, and is nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_good_says_that_nothing_was_written() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let topic = topic(&cluster, 1).await;
    let refusal = Fault::Error(ErrorCode::PolicyViolation);
    embedded.broker.faults().add(ApiKey::Produce, Some(topic.as_str()), refusal, 2);
    let failed = append(&cluster, &topic, vec![value("x")]).await.remove(0).expect_err("refused");
    assert_eq!(failed.fate, Fate::NotWritten);
    assert_eq!(embedded.broker.faults().left(), 1, "it was tried once");
    embedded.broker.faults().clear();
    assert_eq!(append(&cluster, &topic, vec![value("y")]).await.remove(0).expect("written").offset, Offset(0));
}

/// A connection that ends before the broker did anything: the record is sent again over another.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_closed_in_a_produce_is_made_again() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let topic = topic(&cluster, 1).await;
    for number in 0..3 {
        embedded.broker.faults().add(ApiKey::Produce, Some(topic.as_str()), Fault::Close, 2);
        let receipt = append(&cluster, &topic, vec![value(&number.to_string())]).await.remove(0).expect("written");
        assert_eq!(receipt.offset, Offset(number));
        assert_eq!(embedded.broker.faults().left(), 0, "it was closed twice");
    }
}

/// One of several bootstrap servers is enough, wherever it stands in the list.
#[tokio::test(flavor = "multi_thread")]
async fn one_bootstrap_server_of_several_is_enough() {
    let embedded = Embedded::start().await;
    let address = embedded.broker.address().to_string();
    let (_socket, nobody) = nobody_there();
    for servers in [format!("{nobody},{address}"), format!("{address},{nobody}")] {
        let cluster = connect(&servers);
        let topic = topic(&cluster, 1).await;
        append(&cluster, &topic, vec![value("x")]).await.remove(0).expect("written");
        assert_eq!(cluster.describe_cluster().await.expect("described").brokers.len(), 1);
    }
}

/// What kept records from being written is named when their time is over.
#[tokio::test(flavor = "multi_thread")]
async fn the_reason_of_a_failure_is_named() {
    let embedded = Embedded::start().await;
    let limit = Duration::from_millis(700);
    let settings = Settings { delivery_timeout: limit, ..Settings::for_test(embedded.broker.address().to_string()) };
    let cluster = Cluster::connect(settings).expect("sound");
    let topic = topic(&cluster, 1).await;
    embedded.broker.faults().add(ApiKey::Produce, None, Fault::Error(ErrorCode::KafkaStorageError), u64::MAX);
    let failed = append(&cluster, &topic, vec![value("x")]).await.remove(0).expect_err("no disk");
    assert_eq!((failed.error.name.as_str(), failed.fate), ("KAFKA_STORAGE_ERROR", Fate::NotWritten));
    assert!(failed.error.message.contains("within 0.7 s") && failed.error.message.contains("disk"), "{failed}");
    embedded.broker.faults().clear();
    assert_eq!(append(&cluster, &topic, vec![value("y")]).await.remove(0).expect("written").offset, Offset(0));
}

/// The last clone goes while a record is under way: whoever waits is told.
#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_cluster_answers_what_is_under_way() {
    let (_socket, nobody) = nobody_there();
    let cluster = connect(&nobody);
    let inflight = Inflight::new(ByteCount(1 << 20));
    let topic = TopicName::parse("nowhere").expect("legal");
    let appended = cluster.append(&topic, inflight.admit(vec![value("x")]).await.expect("fits"));
    drop(cluster);
    let failed = tokio::time::timeout(Duration::from_secs(4), appended).await.expect("in time").remove(0);
    assert_eq!(failed.expect_err("given up").fate, Fate::NotWritten);
    assert_eq!(inflight.used(), ByteCount(0));
}

/// An address at which nobody listens, and nobody will while the socket is held: a port that was merely free a moment ago may be
/// another test's by now.
fn nobody_there() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = socket.local_addr().expect("bound").to_string();
    (socket, address)
}
