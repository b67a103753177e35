//! A disk without room: the broker as a process of its own, whose files may not grow past a size that the test sets.
//!
//! A limit on the size of files (`RLIMIT_FSIZE`) needs no file system of its own and no root, and a write that meets it
//! does what one does that meets a full disk: it takes what fits, and then fails.

use std::path::Path;
use std::process::Command;

use crate::process::{Process, program};
use crate::wire::batches::batch;
use crate::wire::{Client, topic};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use postern_broker::ErrorCode;

/// The broker, without the signal that goes with this limit: it would end the process, and a full disk sends none.
fn start(dir: &Path) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program());
    Process::start_by(&mut command, "127.0.0.1:0", dir, &[])
}

/// No file grows past this.
fn limit_files(broker: &Process, bytes: &str) {
    let done = Command::new("prlimit")
        .args(["--pid", &broker.id().to_string(), &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(done.unwrap().success(), "prlimit");
}

async fn connect(broker: &Process) -> Client {
    Client::connect(&broker.address).await.unwrap()
}

/// Sends batch number `n` of an idempotent producer; answers error and offset.
async fn produce(client: &mut Client, n: i32) -> (Option<ErrorCode>, i64) {
    let records = batch(&[&format!("{n:<1000}")], (7, 0, n));
    let partition = PartitionProduceData::default().with_records(Some(records));
    let data = TopicProduceData::default().with_name(topic("t")).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![data]);
    let answer = client.call(9, request).await;
    let part = &answer.responses[0].partition_responses[0];
    (ErrorCode::try_from_code(part.error_code), part.base_offset)
}

/// The numbers of all records, in order.
async fn numbers(client: &mut Client) -> Vec<i32> {
    let mut found: Vec<i32> = Vec::new();
    loop {
        let partition =
            FetchPartition::default().with_fetch_offset(found.len() as i64).with_partition_max_bytes(1 << 20);
        let wanted = FetchTopic::default().with_topic(topic("t")).with_partitions(vec![partition]);
        let answer = client.call(11, FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![wanted])).await;
        let part = &answer.responses[0].partitions[0];
        assert_eq!(part.error_code, 0);
        let mut rest = &part.records.as_ref().unwrap()[..];
        if rest.is_empty() {
            assert_eq!(found.len() as i64, part.high_watermark);
            return found;
        }
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(12 + u32::from_be_bytes(rest[8..12].try_into().unwrap()) as usize);
            let digits = batch[61..].iter().skip_while(|byte| !byte.is_ascii_digit());
            let digits: Vec<u8> = digits.take_while(|byte| byte.is_ascii_digit()).copied().collect();
            found.push(String::from_utf8(digits).unwrap().parse().unwrap());
            rest = after;
        }
    }
}

#[tokio::test]
async fn without_room_appends_are_refused_for_now_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path());
    let client = &mut connect(&broker).await;
    let wanted = CreatableTopic::default().with_name(topic("t")).with_num_partitions(1).with_replication_factor(1);
    assert_eq!(client.call(7, CreateTopicsRequest::default().with_topics(vec![wanted])).await.topics[0].error_code, 0);
    // Twice: the disk fills up, somebody makes room, it fills up again.
    let mut acknowledged = 0;
    for limit in ["50000", "123456"] {
        limit_files(&broker, limit);
        let refused = loop {
            match produce(client, acknowledged).await {
                (None, offset) => assert_eq!(offset, i64::from(acknowledged)),
                (Some(error), _) => break error,
            }
            acknowledged += 1;
        };
        assert_eq!(refused, ErrorCode::KafkaStorageError);
        assert!(refused.is_retriable());
        for _ in 0..3 {
            assert_eq!(produce(client, acknowledged).await.0, Some(ErrorCode::KafkaStorageError), "still no room");
        }
        assert_eq!(numbers(client).await, (0..acknowledged).collect::<Vec<_>>(), "what there is can be read");
    }
    assert!(acknowledged > 100, "{acknowledged}");
    // The batch that was refused is the next one that is taken, once.
    limit_files(&broker, "unlimited");
    assert_eq!(produce(client, acknowledged).await, (None, i64::from(acknowledged)));
    assert_eq!(produce(client, acknowledged).await, (None, i64::from(acknowledged)), "a duplicate");
    // And if the process dies while there is no room.
    limit_files(&broker, "150000");
    while produce(client, acknowledged + 1).await.0.is_none() {
        acknowledged += 1;
    }
    drop(broker);
    let broker = start(dir.path());
    let client = &mut connect(&broker).await;
    assert_eq!(numbers(client).await, (0..=acknowledged).collect::<Vec<_>>());
    assert_eq!(produce(client, acknowledged + 1).await, (None, i64::from(acknowledged) + 1));
}
