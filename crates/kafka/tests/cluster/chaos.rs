//! Load under faults from a seed: what callers are told is held against the log, read in full afterwards.
//!
//! `POSTERN_CHAOS_SEED` chooses another seed than the fixed one, `POSTERN_CHAOS_ROUNDS` how long it lasts.

use std::{
    collections::HashMap,
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use postern_broker::{ApiKey, ErrorCode, Fault};
use postern_kafka::{ByteCount, Cluster, Fate, Inflight, Offset, PartitionId, Receipt, Record, Settings, TopicName};

use crate::target::{Embedded, topic};

const PARTITIONS: i32 = 3;
const TASKS: u64 = 8;

/// What the caller of a record was told.
struct Told {
    value: String,
    partition: i32,
    outcome: Result<Receipt, Fate>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_true_whatever_happens_to_requests() {
    let number = |name: &str, default: u64| env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seed, rounds) = (number("POSTERN_CHAOS_SEED", 20_261_130), number("POSTERN_CHAOS_ROUNDS", 60));
    println!("seed {seed}, {rounds} faults");
    let mut random = fastrand::Rng::with_seed(seed);

    let embedded = Embedded::start().await;
    let settings = Settings {
        delivery_timeout: Duration::from_secs(3),
        request_timeout: Duration::from_millis(600),
        ..Settings::for_test(embedded.broker.address().to_string())
    };
    let cluster = Cluster::connect(settings).expect("sound");
    let topic = topic(&cluster, PARTITIONS).await;
    cluster.partitions_for_produce(&topic).await.expect("known");
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..TASKS)
        .map(|task| {
            let random = fastrand::Rng::with_seed(seed ^ task);
            tokio::spawn(produce(cluster.clone(), topic.clone(), task, random, stop.clone()))
        })
        .collect();

    for _ in 0..rounds {
        let (api, fault) = fault(&mut random);
        embedded.broker.faults().add(api, None, fault, random.u64(1..4));
        tokio::time::sleep(Duration::from_millis(random.u64(5..40))).await;
        if matches!(fault, Fault::NeverAnswer) {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }
    embedded.broker.faults().clear();
    stop.store(true, Ordering::Relaxed);
    let mut told = Vec::new();
    for task in load {
        told.extend(task.await.expect("joins"));
    }
    assert!(cluster.flush(Duration::from_secs(10)).await, "every record has its answer");
    check(&cluster, &topic, &told).await;
}

/// A fault that a broker or the network may show.
fn fault(random: &mut fastrand::Rng) -> (ApiKey, Fault) {
    const PASSING: [ErrorCode; 9] = [
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::NotEnoughReplicas,
        ErrorCode::KafkaStorageError,
        ErrorCode::CorruptMessage,
        ErrorCode::LeaderNotAvailable,
        ErrorCode::OutOfOrderSequenceNumber,
        ErrorCode::UnknownProducerId,
        ErrorCode::InvalidProducerEpoch,
    ];
    const FINAL: [ErrorCode; 4] = [
        ErrorCode::PolicyViolation,
        ErrorCode::TopicAuthorizationFailed,
        ErrorCode::MessageTooLarge,
        ErrorCode::InvalidRecord,
    ];
    match random.u32(..10) {
        0..=2 => (ApiKey::Produce, Fault::Error(PASSING[random.usize(..PASSING.len())])),
        3 => (ApiKey::Produce, Fault::Error(FINAL[random.usize(..FINAL.len())])),
        4 | 5 => (ApiKey::Produce, Fault::LoseAnswer),
        6 | 7 => (ApiKey::Produce, Fault::Close),
        8 => (ApiKey::Metadata, Fault::Close),
        _ => (ApiKey::Produce, Fault::NeverAnswer),
    }
}

/// Appends unique values, a few at a time, until stopped and everything works again.
async fn produce(
    cluster: Cluster,
    topic: TopicName,
    task: u64,
    mut random: fastrand::Rng,
    stop: Arc<AtomicBool>,
) -> Vec<Told> {
    let inflight = Inflight::new(ByteCount(16 << 20));
    let mut told = Vec::new();
    let mut number = 0;
    let (mut recovered, mut tries) = (false, 0);
    while !recovered {
        let faults_are_over = stop.load(Ordering::Relaxed);
        tries += usize::from(faults_are_over);
        assert!(tries < 20, "nothing is written although the faults are over");
        let partition = random.i32(0..PARTITIONS);
        let values: Vec<String> = (0..random.u64(1..6)).map(|at| format!("{task}-{}", number + at)).collect();
        number += values.len() as u64;
        let record = |value: &String| Record {
            partition: Some(PartitionId(partition)),
            value: Some(Bytes::from(value.clone())),
            ..Record::default()
        };
        let admitted = inflight.admit(values.iter().map(record).collect()).await.expect("fits");
        let outcomes = cluster.append(&topic, admitted).await;
        recovered = faults_are_over && outcomes.iter().all(Result::is_ok);
        for (value, outcome) in values.into_iter().zip(outcomes) {
            told.push(Told { value, partition, outcome: outcome.map_err(|error| error.fate) });
        }
        if random.u32(..4) == 0 {
            tokio::time::sleep(Duration::from_millis(random.u64(..5))).await;
        }
    }
    told
}

/// Acknowledged: there once, at its offset. Not written: nowhere. Unknown: once or not at all. In the order of each task.
async fn check(cluster: &Cluster, topic: &TopicName, told: &[Told]) {
    let mut log: HashMap<String, Vec<(i32, Offset)>> = HashMap::new();
    for partition in 0..PARTITIONS {
        let end = cluster.offsets(topic, PartitionId(partition)).await.expect("known").latest;
        let mut reader = cluster.reader(topic, PartitionId(partition)).expect("starts");
        let mut next = Offset(0);
        while next < end {
            let records = tokio::time::timeout(Duration::from_secs(10), reader.next()).await.expect("in time");
            for record in records.expect("read") {
                let value = String::from_utf8(record.value.expect("has a value").to_vec()).expect("text");
                log.entry(value).or_default().push((partition, record.offset));
                next = Offset(record.offset.0 + 1);
            }
        }
    }
    let (mut written, mut not_written, mut unknown) = (0, 0, 0);
    let mut last: HashMap<(&str, i32), Offset> = HashMap::new();
    for Told { value, partition, outcome } in told {
        let found = log.get(value).map_or(&[][..], Vec::as_slice);
        match outcome {
            Ok(receipt) => {
                written += 1;
                assert_eq!(found, [(*partition, receipt.offset)], "{value} was acknowledged at {receipt:?}");
                let task = value.split('-').next().unwrap_or_default();
                let before = last.insert((task, *partition), receipt.offset);
                assert!(before.is_none_or(|before| before < receipt.offset), "{value} stands before an earlier record");
            }
            Err(Fate::NotWritten) => {
                not_written += 1;
                assert_eq!(found, [], "{value} was called not written");
            }
            Err(Fate::Unknown) => {
                unknown += 1;
                assert!(found.len() <= 1, "{value} is there twice: {found:?}");
            }
        }
    }
    assert_eq!(log.values().map(Vec::len).max(), Some(1), "nothing is there twice");
    assert!(log.len() <= told.len());
    println!("{written} written, {not_written} not written, {unknown} unknown");
}
