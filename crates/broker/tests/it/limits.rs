//! The bounds, and what happens at them: mostly that one client waits and others do not.
//!
//! Elsewhere: elements of a request (`request_layout`), open files (`log::disk`), keys of a round of compaction (`log::upkeep`),
//! batches that are bombs (`log::codec`).

use std::time::Duration;

use crate::wire::batches::batch;
use crate::wire::{Client, TestBroker, text, topic};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, Request};
use tokio::io::AsyncWriteExt;

const MIB: usize = 1 << 20;

async fn create(client: &mut Client) {
    let large = CreatableTopicConfig::default().with_name(text("max.message.bytes")).with_value(Some(text("99999999")));
    let wanted = CreatableTopic::default()
        .with_name(topic("t"))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(vec![large]);
    assert_eq!(client.call(7, CreateTopicsRequest::default().with_topics(vec![wanted])).await.topics[0].error_code, 0);
}

/// A produce request with one record of this size.
fn produce(bytes: usize) -> ProduceRequest {
    let records = batch(&["x".repeat(bytes).as_str()], (-1, -1, -1));
    let partition = PartitionProduceData::default().with_records(Some(records));
    let data = TopicProduceData::default().with_name(topic("t")).with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![data])
}

fn offset(answer: &ProduceResponse) -> (i16, i64) {
    let part = &answer.responses[0].partition_responses[0];
    (part.error_code, part.base_offset)
}

fn fetch(wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_partition_max_bytes(i32::MAX);
    let wanted = FetchTopic::default().with_topic(topic("t")).with_partitions(vec![partition]);
    let request = FetchRequest::default().with_max_wait_ms(wait_ms).with_min_bytes(1).with_max_bytes(i32::MAX);
    request.with_topics(vec![wanted])
}

fn fetched(answer: &FetchResponse) -> usize {
    answer.responses[0].partitions[0].records.as_ref().map_or(0, Bytes::len)
}

/// The frame of a request, to be sent in pieces.
fn frame<R: Request>(version: i16, request: &R) -> Bytes {
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version)).unwrap();
    request.encode(&mut body, version).unwrap();
    let mut frame = BytesMut::new();
    frame.put_u32(body.len() as u32);
    frame.put_slice(&body);
    frame.freeze()
}

/// Nothing comes for a while: what can be said of an answer that is held back.
async fn is_silent<R: Request>(client: &mut Client, version: i16) -> bool {
    tokio::time::timeout(Duration::from_millis(300), client.receive::<R>(version)).await.is_err()
}

#[tokio::test]
async fn a_connection_too_many_waits_for_another_to_end() {
    let test = TestBroker::with(|settings| settings.max_connections = 2).await;
    let (mut first, mut second) = (test.client().await, test.client().await);
    for client in [&mut first, &mut second] {
        assert_eq!(client.call(2, ApiVersionsRequest::default()).await.error_code, 0);
    }
    // The system lets it in, the broker does not read.
    let mut third = test.client().await;
    third.send(2, ApiVersionsRequest::default()).await;
    assert!(is_silent::<ApiVersionsRequest>(&mut third, 2).await);
    drop(first);
    assert_eq!(third.receive::<ApiVersionsRequest>(2).await.unwrap().error_code, 0);
    assert_eq!(second.call(2, ApiVersionsRequest::default()).await.error_code, 0);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_waiting_one_is_not() {
    let test = TestBroker::with(|settings| settings.idle_timeout = Duration::from_millis(300)).await;
    let (mut idle, mut waiting) = (test.client().await, test.client().await);
    create(&mut waiting).await;
    assert_eq!(idle.call(2, ApiVersionsRequest::default()).await.error_code, 0);
    waiting.send(11, fetch(1500)).await;
    assert!(idle.receive::<ApiVersionsRequest>(2).await.is_none());
    assert_eq!(fetched(&waiting.receive::<FetchRequest>(11).await.unwrap()), 0);
}

#[tokio::test]
async fn a_request_too_large_closes_its_connection() {
    // Half of what may be in flight is for requests.
    for (request, in_flight) in [(MIB, 100 * MIB), (100 * MIB, 2 * MIB)] {
        let test = TestBroker::with(|settings| {
            settings.max_request_bytes = request;
            settings.max_bytes_in_flight = in_flight;
        })
        .await;
        let client = &mut test.client().await;
        create(client).await;
        assert_eq!(offset(&client.call(9, produce(MIB - 200)).await), (0, 0));
        let too_large = frame(9, &produce(MIB));
        client.socket.write_all(&too_large[..100]).await.unwrap();
        assert!(client.receive::<ProduceRequest>(9).await.is_none());
        assert_eq!(offset(&test.client().await.call(9, produce(1)).await), (0, 1));
    }
}

#[tokio::test]
async fn stalled_clients_do_not_stop_large_produces() {
    let test = TestBroker::with(|settings| settings.max_bytes_in_flight = 4 * MIB).await;
    let (mut large, mut small) = (test.client().await, test.client().await);
    create(&mut small).await;
    let whole = frame(9, &produce(3 * MIB / 2));
    // Announced lengths hold nothing, so any number of them does no harm.
    let mut announced = Vec::new();
    for _ in 0..8 {
        let mut client = test.client().await;
        client.socket.write_all(&whole[..100]).await.unwrap();
        announced.push(client);
    }
    for n in 0..3 {
        let answer = tokio::time::timeout(Duration::from_secs(20), large.call(9, produce(3 * MIB / 2))).await;
        assert_eq!(offset(&answer.expect("an announcement holds nothing")), (0, n));
    }
    // These hold all there is, also the right to exceed the budget. They are disconnected when a large request waits.
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut client = test.client().await;
        client.socket.write_all(&whole[..MIB]).await.unwrap();
        stalled.push(client);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(offset(&small.call(9, produce(1000)).await), (0, 3), "a small request never waits");
    assert!(fetched(&small.call(11, fetch(0)).await) > 0);
    let answer = tokio::time::timeout(Duration::from_secs(20), large.call(9, produce(MIB))).await;
    assert_eq!(offset(&answer.expect("the stalled clients lose their permits")), (0, 4));
}

#[tokio::test]
async fn a_large_request_that_arrives_too_slowly_ends_its_connection() {
    // A twentieth of this, a second, is what a client has to send the next 64 KiB.
    let test = TestBroker::with(|settings| settings.idle_timeout = Duration::from_secs(20)).await;
    let (mut slow, mut steady) = (test.client().await, test.client().await);
    create(&mut steady).await;
    let whole = frame(9, &produce(MIB));
    let mut pieces = whole.chunks(80 * 1024);
    steady.socket.write_all(pieces.next().unwrap()).await.unwrap();
    slow.socket.write_all(&whole[..1000]).await.unwrap();
    let trickle = async {
        for byte in &whole[1000..1100] {
            if slow.socket.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        slow.receive::<ProduceRequest>(9).await
    };
    let steady = async {
        for piece in pieces {
            tokio::time::sleep(Duration::from_millis(300)).await;
            steady.socket.write_all(piece).await.unwrap();
        }
        steady.receive::<ProduceRequest>(9).await
    };
    let (slow, steady) = tokio::join!(tokio::time::timeout(Duration::from_secs(8), trickle), steady);
    assert!(slow.expect("it is disconnected long before it is idle").is_none());
    assert_eq!(offset(&steady.expect("this one keeps the pace")), (0, 0));
}

#[tokio::test]
async fn a_client_that_disconnects_in_the_middle_of_a_request_returns_its_permits() {
    let test = TestBroker::with(|settings| settings.max_bytes_in_flight = 4 * MIB).await;
    let mut large = test.client().await;
    create(&mut large).await;
    let whole = frame(9, &produce(3 * MIB / 2));
    for n in 0..5 {
        for _ in 0..3 {
            let mut client = test.client().await;
            client.socket.write_all(&whole[..MIB]).await.unwrap();
        }
        assert_eq!(offset(&large.call(9, produce(3 * MIB / 2)).await), (0, n));
    }
}

/// A topic with 40 batches of a mebibyte.
async fn filled(settings: impl FnOnce(&mut postern_broker::Settings)) -> TestBroker {
    let test = TestBroker::with(settings).await;
    let client = &mut test.client().await;
    create(client).await;
    for n in 0..40 {
        assert_eq!(offset(&client.call(9, produce(MIB)).await), (0, n));
    }
    test
}

#[tokio::test]
async fn a_fetch_returns_as_much_as_the_budget_allows() {
    let test = filled(|settings| settings.max_bytes_in_flight = 64 * MIB).await;
    let (mut unread, mut next, mut other) = (test.client().await, test.client().await, test.client().await);
    // More than the system buffers: the answer stays here until the client reads.
    unread.send(11, fetch(0)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    // What is left is less than a batch, so this one waits. Requests for lists use the rest.
    next.send(11, fetch(0)).await;
    assert!(is_silent::<FetchRequest>(&mut next, 11).await);
    assert_eq!(offset(&other.call(9, produce(10)).await), (0, 40), "a produce does not");
    let answer = fetched(&unread.receive::<FetchRequest>(11).await.unwrap());
    assert!((30 * MIB..=32 * MIB).contains(&answer), "{answer}");
    let answer = fetched(&next.receive::<FetchRequest>(11).await.unwrap());
    assert!((MIB..=32 * MIB).contains(&answer), "{answer}");
    // All of it came back.
    assert!(fetched(&other.call(11, fetch(0)).await) >= 30 * MIB);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_when_others_wait() {
    let test = filled(|settings| {
        settings.max_bytes_in_flight = 64 * MIB;
        settings.idle_timeout = Duration::from_secs(20);
    })
    .await;
    let (mut unread, mut next) = (test.client().await, test.client().await);
    unread.send(11, fetch(0)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(fetched(&next.call(11, fetch(0)).await) >= MIB);
    assert!(unread.receive::<FetchRequest>(11).await.is_none(), "its answer is not whole");
}

#[tokio::test]
async fn readers_and_writers_beyond_the_budget_do_not_deadlock() {
    let test = TestBroker::with(|settings| settings.max_bytes_in_flight = 4 * MIB).await;
    create(&mut test.client().await).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16 {
        let mut client = test.client().await;
        tasks.spawn(async move {
            let mut bytes = 0;
            for _ in 0..10 {
                match n % 2 {
                    0 => assert_eq!(offset(&client.call(9, produce(MIB)).await).0, 0),
                    _ => bytes += fetched(&client.call(11, fetch(10_000)).await),
                }
            }
            assert!(n % 2 == 0 || bytes >= 10 * MIB, "{bytes}");
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_fetch_response_is_bounded_whatever_is_requested() {
    let test = filled(|_| ()).await;
    let client = &mut test.client().await;
    for n in 40..60 {
        assert_eq!(offset(&client.call(9, produce(MIB)).await), (0, n));
    }
    let answer = fetched(&client.call(11, fetch(0)).await);
    assert!((50 * MIB..=55 * MIB).contains(&answer), "{answer}");
}

/// A request for the end of this many partitions that do not exist.
fn list_offsets(partitions: i32) -> ListOffsetsRequest {
    let partitions = (0..partitions).map(|index| ListOffsetsPartition::default().with_partition_index(index));
    let wanted = ListOffsetsTopic::default().with_name(topic("none")).with_partitions(partitions.collect());
    ListOffsetsRequest::default().with_topics(vec![wanted])
}

#[tokio::test]
async fn requests_of_many_elements_count_with_what_they_take_when_decoded() {
    // A quarter of this is for decoded requests: 8,192 elements of 512 bytes.
    let test = TestBroker::with(|settings| settings.max_bytes_in_flight = 16 * MIB).await;
    let (mut first, mut second, mut small) = (test.client().await, test.client().await, test.client().await);
    let known = |answer: ListOffsetsResponse| answer.topics[0].partitions.len();
    assert_eq!(known(first.call(8, list_offsets(6_000)).await), 6_000);
    test.broker.faults().add(postern_broker::ApiKey::ListOffsets, None, postern_broker::Fault::NeverAnswer, 1);
    first.send(8, list_offsets(6_000)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    second.send(8, list_offsets(6_000)).await;
    assert!(is_silent::<ListOffsetsRequest>(&mut second, 8).await);
    assert_eq!(known(small.call(8, list_offsets(200)).await), 200, "few elements are not counted");
    drop(first);
    assert_eq!(known(second.receive::<ListOffsetsRequest>(8).await.unwrap()), 6_000);
}
