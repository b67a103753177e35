//! Settings of topics and of the broker over the wire, and what follows from them.

use std::time::Duration;

use crate::wire::batches::batch;
use crate::wire::{Client, TestBroker, text, topic};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use postern_broker::{Broker, ErrorCode, Flush, Settings};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Sets (or with `None` resets) one setting and answers the error.
async fn alter(client: &mut Client, kind: i8, resource: &str, name: &str, value: Option<&str>) -> Option<ErrorCode> {
    let config = AlterableConfig::default()
        .with_name(text(name))
        .with_config_operation(i8::from(value.is_none()))
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configs(vec![config]);
    let answer = client.call(1, IncrementalAlterConfigsRequest::default().with_resources(vec![resource])).await;
    ErrorCode::try_from_code(answer.responses[0].error_code)
}

/// A setting as `value source [synonym=value source, …]`; nothing if it is not shown.
async fn shown(client: &mut Client, kind: i8, resource: &str, name: &str) -> String {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configuration_keys(Some(vec![text(name)]));
    // Named a thousand times, it is described once.
    let request = DescribeConfigsRequest::default().with_resources(vec![resource; 1000]).with_include_synonyms(true);
    let answer = client.call(4, request).await;
    assert_eq!((answer.results.len(), answer.results[0].error_code), (1, 0));
    let Some(config) = answer.results[0].configs.first() else { return String::new() };
    let value = |value: &Option<_>| {
        value.as_ref().map_or("null".to_owned(), |value: &kafka_protocol::protocol::StrBytes| value.to_string())
    };
    let synonyms: Vec<_> =
        config.synonyms.iter().map(|s| format!("{}={} {}", s.name.as_str(), value(&s.value), s.source)).collect();
    format!("{} {} [{}]", value(&config.value), config.config_source, synonyms.join(", "))
}

async fn create(client: &mut Client, name: &str) {
    let wanted = CreatableTopic::default().with_name(topic(name)).with_num_partitions(1).with_replication_factor(1);
    assert_eq!(client.call(7, CreateTopicsRequest::default().with_topics(vec![wanted])).await.topics[0].error_code, 0);
}

async fn produce(client: &mut Client, name: &str) -> i16 {
    let partition = PartitionProduceData::default().with_records(Some(batch(&["v"], (-1, -1, -1))));
    let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![data]);
    client.call(9, request).await.responses[0].partition_responses[0].error_code
}

async fn earliest(client: &mut Client, name: &str) -> i64 {
    let part = ListOffsetsPartition::default().with_timestamp(-2);
    let wanted = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![part]);
    let answer = client.call(8, ListOffsetsRequest::default().with_topics(vec![wanted])).await;
    answer.topics[0].partitions[0].offset
}

#[tokio::test]
async fn settings_of_the_broker_and_the_cluster_are_changed_shown_inherited_and_kept() {
    let test = TestBroker::start().await;
    let client = &mut test.client().await;
    create(client, "t").await;
    let name = "log.cleaner.backoff.ms";
    assert_eq!(shown(client, BROKER, "1", name).await, format!("15000 5 [{name}=15000 5]"));
    assert_eq!(shown(client, BROKER, "", name).await, "");
    assert_eq!(alter(client, BROKER, "", name, Some("14000")).await, None);
    assert_eq!(alter(client, BROKER, "1", name, Some("13000")).await, None);
    assert_eq!(
        shown(client, BROKER, "1", name).await,
        format!("13000 2 [{name}=13000 2, {name}=14000 3, {name}=15000 5]")
    );
    assert_eq!(shown(client, BROKER, "", name).await, format!("14000 3 [{name}=14000 3]"));
    assert_eq!(alter(client, BROKER, "1", name, None).await, None);
    assert_eq!(shown(client, BROKER, "1", name).await, format!("14000 3 [{name}=14000 3, {name}=15000 5]"));

    assert_eq!(alter(client, BROKER, "1", "log.retention.ms", Some("12345")).await, None);
    let inherited = "12345 2 [log.retention.ms=12345 2, log.retention.hours=168 5]";
    assert_eq!(shown(client, TOPIC, "t", "retention.ms").await, inherited);
    assert_eq!(alter(client, TOPIC, "t", "retention.ms", Some("99")).await, None);
    let own = "99 1 [retention.ms=99 1, log.retention.ms=12345 2, log.retention.hours=168 5]";
    assert_eq!(shown(client, TOPIC, "t", "retention.ms").await, own);

    for (resource, name, value) in [
        ("1", "log.dirs", "/x"),
        ("1", "log.cleaner.threads", "many"),
        ("1", "no.such.config", "1"),
        ("", "listeners", "PLAINTEXT://:1"),
        ("7", name, "1"),
    ] {
        let refused = alter(client, BROKER, resource, name, Some(value)).await;
        assert_eq!(refused, Some(ErrorCode::InvalidRequest), "{name}");
    }
    assert_eq!(shown(client, BROKER, "1", "ssl.keystore.password").await, "null 5 []");
    assert_eq!(shown(client, BROKER, "1", "node.id").await, "1 4 [node.id=1 4]");

    let TestBroker { broker, dir, .. } = test;
    broker.shutdown().await;
    let broker = Broker::start(Settings::for_test(dir.path())).await.unwrap();
    let test = TestBroker::of(broker, dir);
    let client = &mut test.client().await;
    assert_eq!(shown(client, TOPIC, "t", "retention.ms").await, own);
    assert_eq!(shown(client, BROKER, "", name).await, format!("14000 3 [{name}=14000 3]"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_changes_of_different_settings_are_all_kept() {
    let test = TestBroker::start().await;
    let mut clients = [test.client().await, test.client().await, test.client().await, test.client().await];
    create(&mut clients[0], "t").await;
    let targets = [
        (TOPIC, "t", "retention.ms"),
        (TOPIC, "t", "segment.ms"),
        (BROKER, "1", "log.cleaner.backoff.ms"),
        (BROKER, "1", "log.retention.ms"),
    ];
    for round in 1..=50 {
        let value = &(100_000 + round).to_string();
        let [a, b, c, d] = &mut clients;
        let [first, second, third, fourth] = targets;
        let altered = tokio::join!(
            alter(a, first.0, first.1, first.2, Some(value)),
            alter(b, second.0, second.1, second.2, Some(value)),
            alter(c, third.0, third.1, third.2, Some(value)),
            alter(d, fourth.0, fourth.1, fourth.2, Some(value)),
        );
        assert_eq!(altered, (None, None, None, None));
        for (kind, resource, name) in targets {
            let shown = shown(&mut clients[0], kind, resource, name).await;
            assert!(shown.starts_with(&format!("{value} ")), "round {round}: {name} is {shown}");
        }
    }
}

#[tokio::test]
async fn old_records_go_by_themselves() {
    let test = TestBroker::with(|settings| settings.upkeep_interval = Duration::from_millis(20)).await;
    let client = &mut test.client().await;
    create(client, "t").await;
    for _ in 0..3 {
        assert_eq!(produce(client, "t").await, 0);
    }
    // The records are of the year 2023, and kept for a week unless somebody says otherwise.
    for _ in 0..200 {
        if earliest(client, "t").await == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(earliest(client, "t").await, 3);
    assert_eq!(alter(client, TOPIC, "t", "retention.ms", Some("-1")).await, None);
    assert_eq!(produce(client, "t").await, 0);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(earliest(client, "t").await, 3);
}

#[tokio::test]
async fn the_log_directory_is_named_by_its_absolute_path() {
    let dir = tempfile::tempdir().unwrap();
    // The way to it from here: up to the root, and down again.
    let here = std::env::current_dir().unwrap();
    let up: std::path::PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = up.join(dir.path().strip_prefix("/").unwrap());
    assert!(relative.is_relative() && relative.exists());
    let test = TestBroker::of(Broker::start(Settings::for_test(relative)).await.unwrap(), dir);
    let client = &mut test.client().await;
    let dirs = client.call(4, DescribeLogDirsRequest::default().with_topics(None)).await;
    let shown = dirs.results[0].log_dir.to_string();
    assert!(std::path::Path::new(&shown).is_absolute(), "{shown}");
    assert!(self::shown(client, BROKER, "1", "log.dirs").await.starts_with(&format!("{shown} ")));
}

#[tokio::test]
async fn every_way_to_flush_takes_records() {
    for flush in [Flush::EveryAppend, Flush::Interval(Duration::from_millis(5))] {
        let test = TestBroker::with(|settings| settings.flush = flush).await;
        let client = &mut test.client().await;
        create(client, "t").await;
        for _ in 0..5 {
            assert_eq!(produce(client, "t").await, 0);
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        test.broker.shutdown().await;
    }
}

#[tokio::test]
async fn without_an_authorizer_acls_are_refused_as_kafka_does() {
    let test = TestBroker::start().await;
    let client = &mut test.client().await;
    let disabled = Some(ErrorCode::SecurityDisabled);
    for version in 1..=3 {
        let described = client.call(version, DescribeAclsRequest::default()).await;
        assert_eq!(ErrorCode::try_from_code(described.error_code), disabled);
        let request = CreateAclsRequest::default().with_creations(vec![AclCreation::default(); 2]);
        let created = client.call(version, request).await;
        assert_eq!(created.results.len(), 2);
        assert_eq!(ErrorCode::try_from_code(created.results[1].error_code), disabled);
    }
    create(client, "t").await;
    assert_eq!(produce(client, "t").await, 0);
    let dirs = client.call(4, DescribeLogDirsRequest::default().with_topics(None)).await;
    assert_eq!(dirs.results[0].topics[0].partitions[0].partition_size, batch(&["v"], (-1, -1, -1)).len() as i64);
    let moving = client.call(0, ListPartitionReassignmentsRequest::default().with_topics(None)).await;
    assert_eq!((moving.error_code, moving.topics.len()), (0, 0));
}
