//! The broker over a real socket, from a client that speaks every version it announces.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::*;
use postern_broker::{ErrorCode, Fault, StartError};
use tokio::io::AsyncWriteExt;

use crate::wire::batches::batch;
use crate::wire::{Client, TestBroker, text, topic};

async fn create(client: &mut Client, name: &str, configs: &[(&str, &str)]) -> uuid::Uuid {
    let configs = configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
    let wanted = CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(configs.collect());
    let response = client.call(7, CreateTopicsRequest::default().with_topics(vec![wanted])).await;
    assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
    response.topics[0].topic_id
}

fn produce_request(name: &str, id: uuid::Uuid, version: i16, records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(records));
    let data = TopicProduceData::default().with_partition_data(vec![partition]);
    let data = if version >= 13 { data.with_topic_id(id) } else { data.with_name(topic(name)) };
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![data])
}

async fn produce(client: &mut Client, name: &str, records: Bytes) -> PartitionProduceResponse {
    let response = client.call(9, produce_request(name, uuid::Uuid::nil(), 9, records)).await;
    response.responses[0].partition_responses[0].clone()
}

fn fetch_request(name: &str, id: uuid::Uuid, version: i16, offset: i64, wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let wanted = FetchTopic::default().with_partitions(vec![partition]);
    let wanted = if version >= 13 { wanted.with_topic_id(id) } else { wanted.with_topic(topic(name)) };
    let request = FetchRequest::default().with_max_wait_ms(wait_ms).with_min_bytes(1).with_max_bytes(1 << 20);
    request.with_topics(vec![wanted])
}

fn error(code: i16) -> Option<ErrorCode> {
    ErrorCode::try_from_code(code)
}

#[tokio::test]
async fn bad_frames_close_their_own_connection_only() {
    let test = TestBroker::start().await;
    let other = &mut test.client().await;
    let frames: [&[u8]; 6] = [
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff, 0, 0],
        &[0, 0, 0, 3, 1, 2, 3],
        &[0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        &[0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff],
        // Metadata, version 1, two thousand million topics.
        &[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
    ];
    for frame in frames {
        let client = &mut test.client().await;
        client.socket.write_all(frame).await.unwrap();
        assert!(client.receive::<MetadataRequest>(0).await.is_none(), "{frame:?}");
    }
    assert_eq!(other.call(0, ApiVersionsRequest::default()).await.error_code, 0);
}

#[tokio::test]
async fn a_waiting_fetch_is_woken_by_the_append() {
    let test = TestBroker::start().await;
    let (reader, writer) = (&mut test.client().await, &mut test.client().await);
    create(writer, "t", &[]).await;
    reader.send(12, fetch_request("t", uuid::Uuid::nil(), 12, 0, 30_000)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    assert_eq!(produce(writer, "t", batch(&["a", "b"], (-1, -1, -1))).await.base_offset, 0);
    let response = reader.receive::<FetchRequest>(12).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(500));
    assert_eq!(response.responses[0].partitions[0].high_watermark, 2);
    // Less than the client wants is not answered before there is more.
    let wanted = 2 * batch(&["a", "b"], (-1, -1, -1)).len();
    let request = fetch_request("t", uuid::Uuid::nil(), 12, 0, 30_000).with_min_bytes(wanted as i32);
    reader.send(12, request).await;
    let early = tokio::time::timeout(Duration::from_millis(200), reader.receive::<FetchRequest>(12)).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(produce(writer, "t", batch(&["a", "b"], (-1, -1, -1))).await.base_offset, 2);
    let response = reader.receive::<FetchRequest>(12).await.unwrap();
    assert_eq!(response.responses[0].partitions[0].records.as_ref().unwrap().len(), wanted);
    // With nothing new the answer comes when the time is up, and is empty.
    let begun = Instant::now();
    let response = reader.call(12, fetch_request("t", uuid::Uuid::nil(), 12, 4, 100)).await;
    assert!(begun.elapsed() >= Duration::from_millis(100));
    assert_eq!(response.responses[0].partitions[0].records.as_ref().unwrap().len(), 0);
    let response = reader.call(12, fetch_request("t", uuid::Uuid::nil(), 12, 5, 100)).await;
    assert_eq!(error(response.responses[0].partitions[0].error_code), Some(ErrorCode::OffsetOutOfRange));
}

#[tokio::test]
async fn invalid_batches_are_refused_and_not_stored() {
    let test = TestBroker::start().await;
    let client = &mut test.client().await;
    create(client, "t", &[("max.message.bytes", "100")]).await;
    create(client, "compacted", &[("cleanup.policy", "compact")]).await;
    let good = batch(&["v"], (-1, -1, -1));
    let mut flipped = good.to_vec();
    flipped[62] ^= 1;
    let mut old = good.to_vec();
    old[16] = 1;
    let two = [&good[..], &good[..]].concat();
    let cases = [
        ("t", Bytes::from(flipped), ErrorCode::CorruptMessage),
        ("t", good.slice(..40), ErrorCode::InvalidRecord),
        ("t", Bytes::new(), ErrorCode::InvalidRecord),
        ("t", Bytes::from(old), ErrorCode::InvalidRecord),
        ("t", Bytes::from(two), ErrorCode::InvalidRecord),
        ("t", batch(&["a value of fifty characters, or not very many less"], (-1, -1, -1)), ErrorCode::MessageTooLarge),
        ("t", batch(&["v"], (3, 0, -1)), ErrorCode::InvalidRecord),
        ("compacted", good.clone(), ErrorCode::InvalidRecord),
        ("absent", good.clone(), ErrorCode::UnknownTopicOrPartition),
    ];
    for (name, records, expected) in cases {
        let answer = produce(client, name, records).await;
        assert_eq!((error(answer.error_code), answer.base_offset), (Some(expected), -1));
    }
    assert_eq!(produce(client, "t", good).await.base_offset, 0);
}

#[tokio::test]
async fn idempotent_producers_are_deduplicated_also_after_a_crash() {
    let test = TestBroker::start().await;
    let client = &mut test.client().await;
    create(client, "t", &[]).await;
    let at = |sequence| batch(&["a", "b"], (77, 0, sequence));
    assert_eq!(produce(client, "t", at(0)).await.base_offset, 0);
    assert_eq!(produce(client, "t", at(2)).await.base_offset, 2);
    assert_eq!(produce(client, "t", at(0)).await.base_offset, 0);
    assert_eq!(error(produce(client, "t", at(6)).await.error_code), Some(ErrorCode::OutOfOrderSequenceNumber));
    let TestBroker { broker, dir, .. } = test;
    let settings = postern_broker::Settings::for_test(dir.path());
    assert!(matches!(postern_broker::Broker::start(settings.clone()).await, Err(StartError::InUse { .. })));
    let cluster_id = broker.cluster_id().to_owned();
    // Without a shutdown: the directory is as a crash leaves it.
    drop(broker);
    let broker = loop {
        match postern_broker::Broker::start(settings.clone()).await {
            Ok(broker) => break broker,
            Err(StartError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(broker.cluster_id(), cluster_id);
    assert_eq!(cluster_id.len(), 22);
    let test = TestBroker::of(broker, dir);
    let client = &mut test.client().await;
    assert_eq!(produce(client, "t", at(2)).await.base_offset, 2);
    assert_eq!(produce(client, "t", at(4)).await.base_offset, 4);
    let old_epoch = produce(client, "t", batch(&["x"], (77, 1, 0))).await;
    assert_eq!(old_epoch.base_offset, 6);
    assert_eq!(error(produce(client, "t", at(6)).await.error_code), Some(ErrorCode::InvalidProducerEpoch));
    test.broker.shutdown().await;
}

#[tokio::test]
async fn unknown_topics_are_created_only_if_settings_and_request_allow_it() {
    let ask = |allow: bool| {
        let wanted = MetadataRequestTopic::default().with_name(Some(topic("new")));
        MetadataRequest::default().with_topics(Some(vec![wanted])).with_allow_auto_topic_creation(allow)
    };
    let closed = TestBroker::start().await;
    let answer = closed.client().await.call(12, ask(true)).await;
    assert_eq!(error(answer.topics[0].error_code), Some(ErrorCode::UnknownTopicOrPartition));
    let open = TestBroker::with(|settings| settings.auto_create_topics = true).await;
    let client = &mut open.client().await;
    let answer = client.call(12, ask(false)).await;
    assert_eq!(error(answer.topics[0].error_code), Some(ErrorCode::UnknownTopicOrPartition));
    let answer = client.call(12, ask(true)).await;
    assert_eq!((answer.topics[0].error_code, answer.topics[0].partitions.len()), (0, 1));
    assert_eq!(client.call(12, MetadataRequest::default().with_topics(None)).await.topics.len(), 1);
    assert_eq!(client.call(12, MetadataRequest::default().with_topics(Some(vec![]))).await.topics.len(), 0);
}

#[tokio::test]
async fn more_replicas_than_brokers_become_one_unless_strict() {
    let wanted = || {
        let wanted = CreatableTopic::default().with_name(topic("t")).with_num_partitions(2).with_replication_factor(3);
        CreateTopicsRequest::default().with_topics(vec![wanted])
    };
    let lenient = TestBroker::start().await;
    let made = lenient.client().await.call(7, wanted()).await;
    assert_eq!(
        (made.topics[0].error_code, made.topics[0].num_partitions, made.topics[0].replication_factor),
        (0, 2, 1)
    );
    assert_eq!(made.topics[0].configs.as_ref().unwrap().len(), 33);
    let strict = TestBroker::with(|settings| settings.strict_replication = true).await;
    let client = &mut strict.client().await;
    let refused = client.call(7, wanted()).await;
    assert_eq!(error(refused.topics[0].error_code), Some(ErrorCode::InvalidReplicationFactor));
    assert_eq!(client.call(12, MetadataRequest::default().with_topics(None)).await.topics.len(), 0);
}

#[tokio::test]
async fn injected_faults_happen_as_often_as_they_say() {
    let test = TestBroker::start().await;
    let client = &mut test.client().await;
    create(client, "t", &[]).await;
    let faults = test.broker.faults();
    faults.add(ApiKey::Produce, Some("t"), Fault::Error(ErrorCode::NotLeaderOrFollower), 1);
    faults.add(ApiKey::Produce, Some("t"), Fault::LoseAnswer, 1);
    let answer = produce(client, "t", batch(&["v"], (-1, -1, -1))).await;
    assert_eq!(error(answer.error_code), Some(ErrorCode::NotLeaderOrFollower));
    client.send(9, produce_request("t", uuid::Uuid::nil(), 9, batch(&["v"], (-1, -1, -1)))).await;
    assert!(client.receive::<ProduceRequest>(9).await.is_none());
    let client = &mut test.client().await;
    assert_eq!(produce(client, "t", batch(&["v"], (-1, -1, -1))).await.base_offset, 1, "the lost one was stored");
    faults.add(ApiKey::Produce, None, Fault::NeverAnswer, 1);
    client.send(9, produce_request("t", uuid::Uuid::nil(), 9, batch(&["v"], (-1, -1, -1)))).await;
    let silence = tokio::time::timeout(Duration::from_millis(200), client.receive::<ProduceRequest>(9)).await;
    assert!(silence.is_err());
    let client = &mut test.client().await;
    assert_eq!(produce(client, "t", batch(&["v"], (-1, -1, -1))).await.base_offset, 2);
    assert_eq!(faults.left(), 0);
}

#[tokio::test]
async fn injected_errors_stand_where_clients_look_for_them() {
    let test = TestBroker::start().await;
    let client = &mut test.client().await;
    create(client, "t", &[]).await;
    create(client, "other", &[]).await;
    let faults = test.broker.faults();
    let busy = Fault::Error(ErrorCode::RequestTimedOut);
    for api in [ApiKey::DescribeConfigs, ApiKey::IncrementalAlterConfigs, ApiKey::AlterConfigs, ApiKey::DeleteRecords] {
        faults.add(api, Some("t"), busy, 1);
    }
    faults.add(ApiKey::DescribeCluster, None, busy, 1);
    for (name, expected) in [("other", 0), ("t", ErrorCode::RequestTimedOut.code()), ("t", 0)] {
        let asked = describe_configs_request::DescribeConfigsResource::default();
        let asked = asked.with_resource_type(2).with_resource_name(text(name)).with_configuration_keys(None);
        let answer = client.call(4, DescribeConfigsRequest::default().with_resources(vec![asked])).await;
        assert_eq!((answer.results[0].error_code, answer.results[0].configs.is_empty()), (expected, expected != 0));
        let asked = incremental_alter_configs_request::AlterConfigsResource::default();
        let asked = asked.with_resource_type(2).with_resource_name(text(name));
        let answer = client.call(1, IncrementalAlterConfigsRequest::default().with_resources(vec![asked])).await;
        assert_eq!(answer.responses[0].error_code, expected);
        let asked = alter_configs_request::AlterConfigsResource::default();
        let asked = asked.with_resource_type(2).with_resource_name(text(name));
        let answer = client.call(2, AlterConfigsRequest::default().with_resources(vec![asked])).await;
        assert_eq!(answer.responses[0].error_code, expected);
        let part = delete_records_request::DeleteRecordsPartition::default();
        let asked = delete_records_request::DeleteRecordsTopic::default();
        let asked = asked.with_name(topic(name)).with_partitions(vec![part]);
        let answer = client.call(2, DeleteRecordsRequest::default().with_topics(vec![asked])).await;
        assert_eq!(answer.topics[0].partitions[0].error_code, expected);
    }
    let answer = client.call(2, DescribeClusterRequest::default()).await;
    assert_eq!(error(answer.error_code), Some(ErrorCode::RequestTimedOut));
    assert_eq!(client.call(2, DescribeClusterRequest::default()).await.error_code, 0);
    assert_eq!(faults.left(), 0);
}

#[tokio::test]
async fn acks_0_gets_no_answer_and_pipelined_requests_are_answered_in_order() {
    let test = TestBroker::start().await;
    let client = &mut test.client().await;
    create(client, "t", &[]).await;
    let silent = produce_request("t", uuid::Uuid::nil(), 9, batch(&["v"], (-1, -1, -1))).with_acks(0);
    client.send(9, silent).await;
    for _ in 0..20 {
        client.send(9, produce_request("t", uuid::Uuid::nil(), 9, batch(&["v"], (-1, -1, -1)))).await;
    }
    for n in 0..20 {
        let response = client.receive::<ProduceRequest>(9).await.unwrap();
        assert_eq!(response.responses[0].partition_responses[0].base_offset, n + 1);
    }
}

/// What the broker logs in this thread, which is where a test's runtime runs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn refusals_are_logged_once_with_what_helps() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let test = TestBroker::start().await;
    let client = &mut test.client().await;
    for _ in 0..3 {
        let wanted = MetadataRequestTopic::default().with_name(Some(topic("absent")));
        let request = MetadataRequest::default().with_topics(Some(vec![wanted])).with_allow_auto_topic_creation(true);
        client.call(12, request).await;
        produce(client, "absent", batch(&["v"], (-1, -1, -1))).await;
        let request = InitProducerIdRequest::default().with_transactional_id(Some(text("tx-7").into()));
        client.call(4, request).await;
        for hello in [&b"\x16\x03\x01\x02\0\x01\0\x01"[..], b"GET / HTTP/1.1\r\n\r\n"] {
            let client = &mut test.client().await;
            client.socket.write_all(hello).await.unwrap();
            assert!(client.receive::<MetadataRequest>(0).await.is_none());
        }
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in ["--broker-auto-create-topics topic=\"absent\"", "transactional_id=\"tx-7\"", "this looks like TLS"]
    {
        assert_eq!(log.lines().filter(|line| line.contains(expected)).count(), 1, "{expected} in:\n{log}");
    }
}
