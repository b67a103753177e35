//! Load for the tests under faults: tasks that append unique values and keep what they are told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use postern_kafka::{ByteCount, Cluster, Deliveries, Fate, Inflight, PartitionId, Receipt, Record, TopicName};

/// A topic under load.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) name: TopicName,
    /// The partitions that the task chooses from; `None`: the producer chooses.
    pub(crate) partitions: Option<i32>,
}

/// What the caller of a record was told.
pub(crate) struct Told {
    pub(crate) topic: TopicName,
    pub(crate) task: u64,
    pub(crate) value: String,
    /// The partition that was asked for.
    pub(crate) partition: Option<i32>,
    /// When it was appended.
    pub(crate) since: Instant,
    pub(crate) outcome: Result<Receipt, Fate>,
}

/// Tasks that append until they are told to stop, and then until every topic takes records again.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Vec<Told>>>,
}

impl Load {
    /// One task for each of `clusters`; a cluster may be named more than once.
    pub(crate) fn start(clusters: &[Cluster], topics: &[Loaded], seed: u64) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let task = |(number, cluster): (u64, &Cluster)| {
            let random = fastrand::Rng::with_seed(seed ^ number);
            let inflight = Inflight::new(ByteCount(16 << 20));
            let task = Task { cluster: cluster.clone(), number, random, inflight, values: 0, told: Vec::new() };
            tokio::spawn(task.run(topics.to_vec(), stop.clone()))
        };
        let tasks = (0..).zip(clusters).map(task).collect();
        Load { stop, tasks }
    }

    /// Ends it; the faults must be over.
    pub(crate) async fn stop(self) -> Vec<Told> {
        self.stop.store(true, Ordering::Relaxed);
        let mut told = Vec::new();
        for task in self.tasks {
            told.extend(task.await.expect("joins"));
        }
        told
    }
}

struct Task {
    cluster: Cluster,
    number: u64,
    random: fastrand::Rng,
    inflight: Inflight,
    values: u64,
    told: Vec<Told>,
}

/// Records that were appended together.
struct Appended {
    values: Vec<(String, Option<i32>)>,
    since: Instant,
    deliveries: Deliveries,
}

impl Task {
    async fn run(mut self, topics: Vec<Loaded>, stop: Arc<AtomicBool>) -> Vec<Told> {
        while !stop.load(Ordering::Relaxed) {
            let topic = topics[self.random.usize(..topics.len())].clone();
            // Several requests under way at once: their order counts as well.
            let mut under_way = Vec::new();
            for _ in 0..self.random.usize(1..4) {
                let count = if self.random.u32(..20) == 0 { 100 } else { self.random.u64(1..6) };
                under_way.push(self.append(&topic, count).await);
            }
            for appended in under_way {
                self.settle(&topic, appended).await;
            }
            if self.random.u32(..4) == 0 {
                tokio::time::sleep(Duration::from_millis(self.random.u64(..5))).await;
            }
        }
        for topic in &topics {
            let mut tries = 0;
            loop {
                let appended = self.append(topic, 3).await;
                if self.settle(topic, appended).await {
                    break;
                }
                tries += 1;
                assert!(tries < 20, "nothing is written to {} although the faults are over", topic.name);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        self.told
    }

    async fn append(&mut self, topic: &Loaded, count: u64) -> Appended {
        let partition = topic.partitions.map(|count| self.random.i32(0..count));
        let values: Vec<_> =
            (0..count).map(|at| (format!("{}-{}", self.number, self.values + at), partition)).collect();
        self.values += count;
        let padding = if self.random.u32(..10) == 0 { 20_000 } else { 0 };
        let record = |(value, partition): &(String, Option<i32>)| Record {
            partition: partition.map(PartitionId),
            value: Some(Bytes::from(format!("{value}{}", ".".repeat(padding)))),
            ..Record::default()
        };
        let admitted = self.inflight.admit(values.iter().map(record).collect()).await.expect("fits");
        Appended { values, since: Instant::now(), deliveries: self.cluster.append(&topic.name, admitted) }
    }

    /// Keeps what is told; whether all of it was written.
    async fn settle(&mut self, topic: &Loaded, appended: Appended) -> bool {
        let Appended { values, since, deliveries } = appended;
        let outcomes = tokio::time::timeout(Duration::from_secs(60), deliveries).await;
        let outcomes = outcomes.expect("every record has an answer soon after its delivery timeout");
        let all_written = outcomes.iter().all(Result::is_ok);
        for ((value, partition), outcome) in values.into_iter().zip(outcomes) {
            let outcome = outcome.map_err(|error| error.fate);
            self.told.push(Told { topic: topic.name.clone(), task: self.number, value, partition, since, outcome });
        }
        all_written
    }
}
