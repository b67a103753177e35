//! Small requests stay fast while others are large or stalled.
//!
//! The suite runs it for a moment with a generous bound. To measure:
//!
//! ```text
//! POSTERN_LATENCY_SECONDS=20 cargo test --release -p postern-broker --test it latency:: -- --nocapture
//! ```
//!
//! `POSTERN_LATENCY_BROKER=HOST:PORT` measures a broker that runs already, which must have none of the topics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::wire::batches::batch;
use crate::wire::{Client, Watchdog, text, topic};
use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use postern_broker::{Broker, Settings};
use tokio::io::AsyncWriteExt;

const LARGE_BYTES: usize = 20 << 20;
/// What the suite accepts on a machine that does other things, too.
const MAX_P99: Duration = Duration::from_secs(1);

fn produce(name: &str, records: &bytes::Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_records(Some(records.clone()));
    let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![data])
}

fn fetch() -> FetchRequest {
    let partition = FetchPartition::default().with_partition_max_bytes(LARGE_BYTES as i32 * 2);
    let wanted = FetchTopic::default().with_topic(topic("read")).with_partitions(vec![partition]);
    FetchRequest::default().with_min_bytes(1).with_max_bytes(i32::MAX).with_topics(vec![wanted])
}

async fn create(client: &mut Client, name: &str) {
    // The records are of the year 2023, which retention by time would delete.
    let configs = [("max.message.bytes", "99999999"), ("retention.bytes", "200000000"), ("retention.ms", "-1")]
        .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
    let wanted = CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(configs.to_vec());
    assert_eq!(client.call(7, CreateTopicsRequest::default().with_topics(vec![wanted])).await.topics[0].error_code, 0);
}

/// The latencies of alternating small produces and metadata requests, sorted.
async fn measure(address: SocketAddr, time: Duration) -> Vec<Duration> {
    let mut client = Client::connect(address).await.unwrap();
    let records = batch(&["small"], (-1, -1, -1));
    let mut latencies = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < time {
        let sent = Instant::now();
        let answer = client.call(9, produce("small", &records)).await;
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
        latencies.push(sent.elapsed());
        let sent = Instant::now();
        assert_eq!(client.call(12, MetadataRequest::default().with_topics(None)).await.topics.len(), 3);
        latencies.push(sent.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    latencies.sort_unstable();
    latencies
}

fn percentile(sorted: &[Duration], of_thousand: usize) -> Duration {
    sorted[(sorted.len() * of_thousand / 1000).min(sorted.len() - 1)]
}

fn runtime(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

#[test]
fn small_requests_stay_fast_beside_large_and_stalled_ones() {
    let seconds = std::env::var("POSTERN_LATENCY_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let time = seconds.map_or(Duration::from_millis(1500), Duration::from_secs);
    let dir = tempfile::tempdir().unwrap();
    let _watchdog = Watchdog::start();
    // The clients have a runtime of their own: encoding large requests must not look like a slow broker.
    let of_broker = runtime(2);
    let other = std::env::var("POSTERN_LATENCY_BROKER").ok().map(|address| address.parse().expect("HOST:PORT"));
    let broker = of_broker.block_on(Broker::start(Settings::for_test(dir.path()))).unwrap();
    let address: SocketAddr = other.unwrap_or(broker.address());
    let loaded = Arc::new(AtomicBool::new(true));
    let (produced, fetched) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (idle, busy) = runtime(4).block_on(async {
        let mut client = Client::connect(address).await.unwrap();
        // Retention deletes from `written` in a long run, so what is read is a topic of its own.
        for name in ["read", "written", "small"] {
            create(&mut client, name).await;
        }
        let records = batch(&["x".repeat(LARGE_BYTES).as_str()], (-1, -1, -1));
        client.call(9, produce("read", &records)).await;
        let idle = measure(address, time / 3).await;
        let mut stalled = Vec::new();
        for _ in 0..2 {
            let mut client = Client::connect(address).await.unwrap();
            let mut announced = BytesMut::new();
            announced.put_u32(64 << 20);
            announced.put_slice(&[0; 1000]);
            client.socket.write_all(&announced).await.unwrap();
            stalled.push(client);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..4 {
            let (loaded, records) = (loaded.clone(), records.clone());
            let (produced, fetched) = (produced.clone(), fetched.clone());
            tasks.spawn(async move {
                let mut client = Client::connect(address).await.unwrap();
                while loaded.load(Ordering::Relaxed) {
                    if n % 2 == 0 {
                        let answer = client.call(9, produce("written", &records)).await;
                        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
                        produced.fetch_add(1, Ordering::Relaxed);
                    } else {
                        let answer = client.call(11, fetch()).await;
                        assert!(answer.responses[0].partitions[0].records.as_ref().unwrap().len() >= LARGE_BYTES);
                        fetched.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let busy = measure(address, time).await;
        loaded.store(false, Ordering::Relaxed);
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        (idle, busy)
    });
    for (name, latencies) in [("idle", &idle), ("busy", &busy)] {
        let [half, p99, p999] = [500, 990, 999].map(|of_thousand| percentile(latencies, of_thousand));
        println!("{name}: {} requests, p50 {half:?}, p99 {p99:?}, p99.9 {p999:?}", latencies.len());
    }
    let [produced, fetched] = [produced, fetched].map(|count| count.load(Ordering::Relaxed));
    println!("beside {produced} produces and {fetched} fetches of 20 MiB, and two stalled connections");
    assert!(produced > 0 && fetched > 0);
    assert!(other.is_some() || percentile(&busy, 990) < MAX_P99);
    of_broker.block_on(broker.shutdown());
}
