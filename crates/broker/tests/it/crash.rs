//! Kills at random moments under an idempotent load, while segments roll, old ones go and keys are compacted; then
//! everything is checked.
//!
//! A handful of kills by default. The long run:
//!
//! ```text
//! cargo build --release -p postern-broker --example broker
//! POSTERN_CRASH_KILLS=200 cargo test --release -p postern-broker --test it crash:: -- --nocapture
//! ```
//!
//! `POSTERN_CRASH_SEED` repeats the moments of a run, as far as the machine does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::process::Process;
use crate::wire::batches::varint;
use crate::wire::{Client, text, topic};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;

const PARTITIONS: i32 = 2;
const RECORDS_PER_BATCH: i64 = 10;
const KEYS: i64 = 50;
/// Enough for retention and compaction to have something to do, however few kills there are.
const MIN_RECORDS: i64 = 4_000;
const TOPICS: [(&str, &[(&str, &str)]); 3] = [
    ("plain", &[]),
    ("retained", &[("segment.bytes", "1048576"), ("retention.bytes", "2500000"), ("retention.ms", "-1")]),
    ("compacted", &[("segment.bytes", "1048576"), ("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.1")]),
];

/// Records `first..`, each with its number as value (and much filling) and its number modulo [`KEYS`] as key.
fn batch(first: i64, producer_id: i64) -> Bytes {
    let mut records = BytesMut::new();
    for at in 0..RECORDS_PER_BATCH {
        let (key, value) = (((first + at) % KEYS).to_string(), format!("{:<1500}", first + at));
        let mut record = BytesMut::new();
        record.put_u8(0);
        varint(&mut record, 0);
        varint(&mut record, at);
        for field in [key, value] {
            varint(&mut record, field.len() as i64);
            record.put_slice(field.as_bytes());
        }
        varint(&mut record, 0);
        varint(&mut records, record.len() as i64);
        records.put_slice(&record);
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let mut checked = BytesMut::new();
    checked.put_i16(0);
    checked.put_i32(RECORDS_PER_BATCH as i32 - 1);
    checked.put_i64(now);
    checked.put_i64(now);
    checked.put_i64(producer_id);
    checked.put_i16(0);
    checked.put_i32(first as i32);
    checked.put_i32(RECORDS_PER_BATCH as i32);
    checked.put_slice(&records);
    let mut batch = BytesMut::new();
    batch.put_i64(0);
    batch.put_i32(checked.len() as i32 + 9);
    batch.put_i32(-1);
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(&checked));
    batch.put_slice(&checked);
    batch.freeze()
}

/// Calls until there is an answer, over a new connection if the old one is gone.
async fn call<R>(client: &mut Option<Client>, address: &str, version: i16, request: R) -> R::Response
where
    R: kafka_protocol::protocol::Request + Clone,
{
    loop {
        if client.is_none() {
            *client = Client::connect(address).await.ok();
        }
        if let Some(connected) = client
            && let Some(answer) = connected.try_call(version, request.clone()).await
        {
            return answer;
        }
        *client = None;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Writes until told to stop; answers how many records and which commit were acknowledged.
async fn write(address: String, name: &'static str, partition: i32, stop: Arc<AtomicBool>) -> (i64, i64) {
    let mut client = None;
    let init = InitProducerIdRequest::default().with_transactional_id(None);
    let producer_id = call(&mut client, &address, 4, init).await.producer_id.0;
    let (mut next, mut committed) = (0, -1);
    while !stop.load(Ordering::Relaxed) || next < MIN_RECORDS {
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch(next, producer_id)));
        let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![data]);
        let answer = call(&mut client, &address, 9, request).await;
        let part = &answer.responses[0].partition_responses[0];
        assert_eq!((part.error_code, part.base_offset), (0, next), "{name} {partition}");
        next += RECORDS_PER_BATCH;
        if next % (10 * RECORDS_PER_BATCH) == 0 {
            let part =
                OffsetCommitRequestPartition::default().with_partition_index(partition).with_committed_offset(next);
            let wanted = OffsetCommitRequestTopic::default().with_name(topic(name)).with_partitions(vec![part]);
            let request = OffsetCommitRequest::default()
                .with_group_id(GroupId(text(&format!("{name}-{partition}"))))
                .with_generation_id_or_member_epoch(-1)
                .with_topics(vec![wanted]);
            let answer = call(&mut client, &address, 8, request).await;
            assert_eq!(answer.topics[0].partitions[0].error_code, 0);
            committed = next;
        }
    }
    (next, committed)
}

/// All records from the first there is on: offset and number.
async fn read(client: &mut Client, name: &str, partition: i32) -> (i64, Vec<(i64, i64)>) {
    let part = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(-2);
    let wanted = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![part]);
    let answer = client.call(8, ListOffsetsRequest::default().with_topics(vec![wanted])).await;
    let start = answer.topics[0].partitions[0].offset;
    let (mut offset, mut found) = (start, Vec::new());
    loop {
        let part = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1 << 22);
        let wanted = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![part]);
        let request = FetchRequest::default().with_max_bytes(1 << 22).with_topics(vec![wanted]);
        let answer = client.call(11, request).await;
        let part = &answer.responses[0].partitions[0];
        assert_eq!(part.error_code, 0);
        let mut rest = &part.records.as_ref().unwrap()[..];
        if rest.is_empty() {
            assert_eq!(offset, part.high_watermark, "{name} {partition}");
            return (start, found);
        }
        while !rest.is_empty() {
            let base = i64::from_be_bytes(rest[..8].try_into().unwrap());
            let bytes = 12 + u32::from_be_bytes(rest[8..12].try_into().unwrap()) as usize;
            let (batch, after) = rest.split_at(bytes);
            assert_eq!(crc32c::crc32c(&batch[21..]), u32::from_be_bytes(batch[17..21].try_into().unwrap()));
            assert!(base + RECORDS_PER_BATCH > offset);
            let mut body = &batch[61..];
            while !body.is_empty() {
                // Lengths beyond 63 take two bytes here, numbers below 64 one.
                let length = (usize::from(body[0] & 0x7f) | usize::from(body[1]) << 7) / 2;
                let record = &body[2..2 + length];
                let delta = i64::from(record[2 + usize::from(record[1] >= 0x80)] / 2);
                let text = record.iter().position(|byte| *byte == b' ').unwrap();
                let digits = record[..text].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
                let number = std::str::from_utf8(&record[text - digits..text]).unwrap().parse().unwrap();
                found.push((base + delta, number));
                body = &body[2 + length..];
            }
            offset = base + 1 + i64::from(i32::from_be_bytes(batch[23..27].try_into().unwrap()));
            rest = after;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_out_of_order() {
    let kills = number("POSTERN_CRASH_KILLS").unwrap_or(6);
    let limit = Duration::from_secs(180 + 5 * kills);
    tokio::time::timeout(limit, kill_and_check(kills)).await.expect("a broker that hangs fails here");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

async fn kill_and_check(kills: u64) {
    let mut seed = number("POSTERN_CRASH_SEED").unwrap_or(u64::from(std::process::id())) | 1;
    eprintln!("{kills} kills, POSTERN_CRASH_SEED={seed}");
    let dir = tempfile::tempdir().unwrap();
    let start = |listen: &str| Process::start(listen, dir.path(), &["--upkeep-ms=30"]);
    let mut broker = start("127.0.0.1:0");
    let address = broker.address.clone();
    let mut client = Client::connect(&address).await.unwrap();
    let wanted = TOPICS.map(|(name, configs)| {
        let configs = configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
        CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(PARTITIONS)
            .with_replication_factor(1)
            .with_configs(configs.collect())
    });
    let made = client.call(5, CreateTopicsRequest::default().with_topics(wanted.into())).await;
    assert!(made.topics.iter().all(|topic| topic.error_code == 0));
    let stop = Arc::new(AtomicBool::new(false));
    let places = TOPICS.iter().flat_map(|(name, _)| (0..PARTITIONS).map(|partition| (*name, partition)));
    let writers: Vec<_> = places
        .map(|(name, partition)| (name, partition, tokio::spawn(write(address.clone(), name, partition, stop.clone()))))
        .collect();
    for kill in 1..=kills {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        tokio::time::sleep(Duration::from_micros(50_000 + seed % 300_000)).await;
        broker.kill();
        broker = start(&address);
        if kill % 25 == 0 {
            eprintln!("{kill} kills");
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut client = Client::connect(&address).await.unwrap();
    for (name, partition, writer) in writers {
        let (written, committed) = writer.await.unwrap();
        let (start, found) = loop {
            let (start, found) = read(&mut client, name, partition).await;
            // Retention and compaction come round every 30 ms, and have to have done something in the end.
            let is_cleaned = match name {
                "retained" => start > 0,
                "compacted" => (found.len() as i64) < written,
                _ => true,
            };
            if is_cleaned {
                break (start, found);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        };
        assert!(found.iter().all(|(offset, number)| offset == number), "{name} {partition}");
        assert!(found.is_sorted_by(|a, b| a.0 < b.0), "{name} {partition}");
        eprintln!("{name} {partition}: {written} written, {} there, from {start}", found.len());
        match name {
            "compacted" => {
                let latest: BTreeMap<i64, i64> = found.iter().map(|(_, number)| (number % KEYS, *number)).collect();
                let expected: BTreeMap<i64, i64> = (0..written).map(|number| (number % KEYS, number)).collect();
                assert_eq!((start, latest), (0, expected));
            }
            _ => {
                assert_eq!(found.len() as i64, written - start, "{name} {partition}");
                assert!(start == 0 || name == "retained");
            }
        }
        let wanted = offset_fetch_request::OffsetFetchRequestTopic::default()
            .with_name(topic(name))
            .with_partition_indexes(vec![partition]);
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(text(&format!("{name}-{partition}"))))
            .with_topics(Some(vec![wanted]));
        let fetched = client.call(7, request).await;
        assert_eq!(fetched.topics[0].partitions[0].committed_offset, committed);
    }
    broker.kill();
}
