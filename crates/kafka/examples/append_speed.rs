//! How many records per second are appended and acknowledged: one at a time by many tasks, and in bulk by a few.
//!
//! `cargo run --release -p postern-kafka --example append_speed [BOOTSTRAP]`. Without an address an embedded broker is started
//! in this process, on these cores. A topic `append-speed-…` of one partition is made and deleted again.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use postern_broker::Broker;
use postern_kafka::{ByteCount, Cluster, Inflight, NewTopic, Record, Settings, TopicName};

const ROUND: Duration = Duration::from_secs(4);
const VALUE_BYTES: usize = 100;

#[tokio::main]
async fn main() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let (address, _broker) = match env::args().nth(1) {
        Some(address) => (address, None),
        None => {
            let broker =
                Broker::start(postern_broker::Settings::for_test(data.path())).await.expect("the broker starts");
            (broker.address().to_string(), Some(broker))
        }
    };
    let started = Instant::now();
    let cluster = Cluster::connect(Settings::new(address)).expect("the settings are sound");
    let topic = TopicName::parse(&format!("append-speed-{}", uuid::Uuid::new_v4())).expect("legal");
    let new = NewTopic {
        name: topic.clone(),
        partitions: Some(1),
        replication_factor: Some(1),
        assignments: None,
        configs: Vec::new(),
        validate_only: false,
    };
    cluster.create_topic(&new).await.expect("created");
    let created = started.elapsed();
    let run = Run { cluster, topic, inflight: Inflight::new(ByteCount(64 << 20)) };
    run.append(1).await;
    println!("from connect: topic created {created:?}, first record acknowledged {:?}", started.elapsed());

    println!(
        "{:>6} {:>8} {:>12} {:>10} {:>10} {:>10} {:>12}",
        "tasks", "records", "records/s", "p50 µs", "p99 µs", "p99.9 µs", "CPU µs/rec"
    );
    for (tasks, records) in [(1, 1), (16, 1), (64, 1), (256, 1), (8, 100), (2, 1000), (8, 1000)] {
        run.round(tasks, records).await;
    }
    run.cluster.delete_topic(&run.topic).await.expect("deleted");
}

#[derive(Clone)]
struct Run {
    cluster: Cluster,
    topic: TopicName,
    inflight: Inflight,
}

impl Run {
    async fn append(&self, records: usize) {
        let value = Bytes::from(vec![b'x'; VALUE_BYTES]);
        let records = vec![Record { value: Some(value), ..Record::default() }; records];
        if self.cluster.known_partitions(&self.topic).is_none() {
            self.cluster.partitions_for_produce(&self.topic).await.expect("the topic is there");
        }
        let admitted = self.inflight.admit(records).await.expect("fits");
        for outcome in self.cluster.append(&self.topic, admitted).await {
            outcome.expect("written");
        }
    }

    async fn round(&self, tasks: usize, records: usize) {
        let written = Arc::new(AtomicU64::new(0));
        let (cpu, started) = (cpu_time(), Instant::now());
        let running: Vec<_> = (0..tasks)
            .map(|_| {
                let (run, written) = (self.clone(), written.clone());
                tokio::spawn(async move {
                    let mut waits = Vec::new();
                    while started.elapsed() < ROUND {
                        let asked = Instant::now();
                        run.append(records).await;
                        waits.push(asked.elapsed());
                        written.fetch_add(records as u64, Ordering::Relaxed);
                    }
                    waits
                })
            })
            .collect();
        let mut waits = Vec::new();
        for task in running {
            waits.extend(task.await.expect("joins"));
        }
        waits.sort();
        let (written, took, cpu) = (written.load(Ordering::Relaxed) as f64, started.elapsed(), cpu_time() - cpu);
        let wait = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_micros();
        println!(
            "{tasks:>6} {records:>8} {:>12.0} {:>10} {:>10} {:>10} {:>12.2}",
            written / took.as_secs_f64(),
            wait(0.5),
            wait(0.99),
            wait(0.999),
            cpu.as_secs_f64() * 1e6 / written
        );
    }
}

/// What this process has used, kernel time included. Clock ticks are hundredths of a second on Linux.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}
