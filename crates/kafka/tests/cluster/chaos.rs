//! Load under faults from a seed: what callers are told is held against the log, read in full afterwards.
//!
//! - `load`: tasks that append; `check`: what they were told, against the log.
//! - `wire_faults`: a proxy that breaks frames.
//! - `nodes`: brokers of three nodes that are killed, stopped and changed.
//!
//! `POSTERN_CHAOS_SEED` chooses another seed than the fixed one, `POSTERN_CHAOS_FAULTS` how many faults the embedded broker sees,
//! `POSTERN_CHAOS_SECONDS` for how long three nodes are disturbed. Longer runs: `cargo xtask chaos`.

mod check;
mod load;
pub(crate) mod nodes;
pub(crate) mod wire_faults;

use std::{
    collections::HashSet,
    env,
    time::{Duration, Instant},
};

use postern_broker::{ApiKey, ErrorCode, Fault};
use postern_kafka::{Cluster, Compression, PartitionId, Settings, TopicName};
use tokio::sync::watch;

use self::{
    check::{Counts, check, read},
    load::{Load, Loaded},
    nodes::{Disturbed, Nodes},
    wire_faults::{FaultyWay, WireFault},
};
use crate::target::{Embedded, fresh_name, new_topic, topic};

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seed() -> u64 {
    number("POSTERN_CHAOS_SEED", 20_261_130)
}

/// A client that gives records up after `delivery_timeout`, and connections sooner.
fn client(bootstrap: &str, delivery_timeout: Duration, compression: Compression) -> Cluster {
    let request_timeout = delivery_timeout / 5;
    let settings = Settings { delivery_timeout, request_timeout, compression, ..Settings::for_test(bootstrap) };
    Cluster::connect(settings).expect("sound")
}

/// Frames that break, answers that are lost, every error of the table: on the embedded broker.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_true_whatever_happens_to_requests() {
    let (seed, faults) = (seed(), number("POSTERN_CHAOS_FAULTS", 200));
    let mut random = fastrand::Rng::with_seed(seed);
    let embedded = Embedded::start().await;
    let address = embedded.broker.address().to_string();
    let way = FaultyWay::to(&address).await;
    let clean = client(&address, Duration::from_secs(3), Compression::None);
    let topics = [
        Loaded { name: topic(&clean, 3).await, partitions: Some(3) },
        Loaded { name: topic(&clean, 4).await, partitions: None },
    ];
    let patient = client(&way.bootstrap, Duration::from_secs(3), Compression::None);
    let hasty = client(&way.bootstrap, Duration::from_millis(700), Compression::Lz4);
    for cluster in [&patient, &hasty] {
        for topic in &topics {
            cluster.partitions_for_produce(&topic.name).await.expect("known");
        }
    }
    let following = Following::start(&patient, &topics[0].name, 3);
    let clusters = [vec![patient.clone(); 6], vec![hasty.clone(); 3]].concat();
    let load = Load::start(&clusters, &topics, seed);

    let mut refused = 0;
    while way.faults.injected() as u64 + refused < faults {
        if random.bool() {
            let (api, fault) = wire_fault(&mut random);
            way.faults.add(api, fault);
        } else {
            let (api, fault) = broker_fault(&mut random);
            embedded.broker.faults().add(api, None, fault, 1);
            refused += 1;
        }
        tokio::time::sleep(Duration::from_millis(random.u64(1..30))).await;
    }
    way.faults.clear();
    let unmet = embedded.broker.faults().left();
    embedded.broker.faults().clear();
    let told = load.stop().await;
    for cluster in [&patient, &hasty] {
        assert!(cluster.flush(Duration::from_secs(10)).await, "every record has its answer");
    }
    let mut counts = Counts::default();
    for topic in &topics {
        counts += check(&clean, &topic.name, &told, None).await;
    }
    following.check(&clean, &topics[0].name).await;
    println!("seed {seed}: {} broken frames, {} refusals; {counts}", way.faults.injected(), refused - unmet);
    assert!(counts.written > 0);
}

/// A fault on the way to a broker and back.
fn wire_fault(random: &mut fastrand::Rng) -> (ApiKey, WireFault) {
    // What a leader says that has appended and then lost the partition or its replicas.
    const WRITTEN_BUT: [i16; 6] = [3, 6, 7, 19, 20, 56];
    let api = match random.u32(..10) {
        0 => ApiKey::Metadata,
        1 => ApiKey::InitProducerId,
        2 | 3 => ApiKey::Fetch,
        _ => ApiKey::Produce,
    };
    let fault = match random.u32(..20) {
        0 | 1 => WireFault::CloseBefore,
        2 | 3 => WireFault::CloseWithin(random.f64()),
        4..=6 => WireFault::LoseAnswer,
        7 | 8 => WireFault::CutAnswer(random.f64()),
        9 | 10 => WireFault::CloseAfter,
        11 => WireFault::Delay(Duration::from_millis(random.u64(10..900))),
        12 | 13 => WireFault::Swap,
        14..=16 => WireFault::Garbage { seed: random.u64(..), framed: random.bool() },
        _ => WireFault::WrittenBut(WRITTEN_BUT[random.usize(..WRITTEN_BUT.len())]),
    };
    (api, fault)
}

/// A refusal, with any error of the table; or no answer at all.
fn broker_fault(random: &mut fastrand::Rng) -> (ApiKey, Fault) {
    let error = loop {
        if let Some(error) = ErrorCode::try_from_code(random.i16(-1..=133)) {
            break error;
        }
    };
    let api = match random.u32(..10) {
        0 => ApiKey::Metadata,
        1 => ApiKey::InitProducerId,
        2 => ApiKey::Fetch,
        _ => ApiKey::Produce,
    };
    let fault = if random.u32(..40) == 0 { Fault::NeverAnswer } else { Fault::Error(error) };
    (api, fault)
}

/// Readers that follow a topic through the faults.
struct Following {
    /// Where the partitions end, once nobody appends any more.
    ends: watch::Sender<Option<Vec<i64>>>,
    readers: Vec<tokio::task::JoinHandle<Vec<(i64, String)>>>,
}

impl Following {
    fn start(cluster: &Cluster, topic: &TopicName, partitions: i32) -> Following {
        let (ends, ended) = watch::channel(None::<Vec<i64>>);
        let follow = |partition: i32| {
            let (cluster, topic, ended) = (cluster.clone(), topic.clone(), ended.clone());
            tokio::spawn(async move {
                let mut reader = cluster.reader(&topic, PartitionId(partition)).expect("starts");
                let mut records: Vec<(i64, String)> = Vec::new();
                loop {
                    let next = records.last().map_or(0, |(offset, _)| offset + 1);
                    let end = ended.borrow().as_ref().map(|ends| ends[partition as usize]);
                    if end.is_some_and(|end| next >= end) {
                        return records;
                    }
                    match tokio::time::timeout(Duration::from_millis(500), reader.next()).await {
                        Ok(Ok(read)) => records.extend(read.into_iter().map(|record| {
                            let value = String::from_utf8(record.value.expect("has one").to_vec()).expect("text");
                            (record.offset.0, value.trim_end_matches('.').to_owned())
                        })),
                        Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                        Err(_) => {} // whether it is over is looked at again
                    }
                }
            })
        };
        Following { readers: (0..partitions).map(follow).collect(), ends }
    }

    /// They have read what is there, in order, and once.
    async fn check(self, cluster: &Cluster, topic: &TopicName) {
        let mut ends = Vec::new();
        for partition in (0..).take(self.readers.len()) {
            ends.push(cluster.offsets(topic, PartitionId(partition)).await.expect("known").latest.0);
        }
        self.ends.send_replace(Some(ends));
        let log = read(cluster, topic).await;
        let mut count = 0;
        for (partition, reader) in (0..).zip(self.readers) {
            // A length that announces bytes which never come holds a reader up for half a minute.
            let records = tokio::time::timeout(Duration::from_secs(90), reader).await;
            let records = records.expect("it comes to the end").expect("joins");
            assert!(records.is_sorted_by(|(before, _), (after, _)| before < after), "{topic}-{partition}");
            for (offset, value) in &records {
                assert_eq!(log.get(value), Some(&vec![(partition, *offset)]), "{topic}-{partition}");
            }
            count += records.iter().map(|(offset, _)| offset).collect::<HashSet<_>>().len();
        }
        assert_eq!(count, log.len(), "{topic}: readers have seen everything");
    }
}

/// Leaders that move, brokers that are killed and frozen, replicas that move, topics that grow and are made anew: on three nodes.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_true_whatever_happens_to_brokers() {
    let Some(nodes) = Nodes::find() else {
        eprintln!("SKIPPED: it needs three nodes that it may kill, which POSTERN_TEST_NODES names");
        return;
    };
    let (seed, time) = (seed(), Duration::from_secs(number("POSTERN_CHAOS_SECONDS", 30)));
    let way = FaultyWay::to(&nodes.bootstrap).await;
    let clean = client(&nodes.bootstrap, Duration::from_secs(20), Compression::None);
    let (steady, growing, mortal) = (topic(&clean, 3).await, topic(&clean, 2).await, fresh_name());
    clean.create_topic(&new_topic(&mortal, 2)).await.expect("created");
    let topics = [
        Loaded { name: steady.clone(), partitions: Some(3) },
        Loaded { name: growing.clone(), partitions: None },
        Loaded { name: mortal.clone(), partitions: None },
    ];
    let patient = client(&way.bootstrap, Duration::from_secs(20), Compression::None);
    let hasty = client(&way.bootstrap, Duration::from_secs(3), Compression::Zstd);
    let following = Following::start(&patient, &steady, 3);
    let clusters = [vec![patient.clone(); 5], vec![hasty.clone(); 3]].concat();
    let load = Load::start(&clusters, &topics, seed);

    let disturbed =
        nodes.disturb(&clean, Disturbed { steady: &steady, growing: &growing, mortal: &mortal }, seed, time);
    let breaking = async {
        let mut random = fastrand::Rng::with_seed(seed ^ 0xfa);
        loop {
            let (api, fault) = wire_fault(&mut random);
            way.faults.add(api, fault);
            tokio::time::sleep(Duration::from_millis(random.u64(50..150))).await;
        }
    };
    let events = tokio::select! {
        events = disturbed => events,
        () = breaking => unreachable!("it never ends"),
    };
    way.faults.clear();
    let told = load.stop().await;
    for cluster in [&patient, &hasty] {
        assert!(cluster.flush(Duration::from_secs(30)).await, "every record has its answer");
    }
    let mut counts = Counts::default();
    for topic in [&steady, &growing] {
        counts += check(&clean, topic, &told, None).await;
    }
    // For a moment after a topic was made anew a broker may still take records for the old one.
    let born: Instant = events.born + Duration::from_secs(2);
    counts += check(&clean, &mortal, &told, Some(born)).await;
    following.check(&clean, &steady).await;
    println!("seed {seed}: {events}, {} broken frames; {counts}", way.faults.injected());
    assert!(counts.written > 0);
}
