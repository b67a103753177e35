//! Topics and their cluster: looked up, created, described, widened, deleted.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use postern_kafka::{ConfigResource, ConfigSource, ErrorKind, NewTopic, Offset, PartitionId, Record, TopicName};

use crate::target::{Target, fresh_name, new_topic, replication_factor, value};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_topic_is_known_to_be_unknown_within_a_second() {
    let target = Target::start().await;
    let topic = fresh_name();
    target.cluster.describe_cluster().await.expect("is there"); // not measured: the first connection
    let started = Instant::now();
    let askers: Vec<_> = (0..50)
        .map(|_| {
            let (cluster, topic) = (target.cluster.clone(), topic.clone());
            tokio::spawn(async move { cluster.partitions_for_produce(&topic).await })
        })
        .collect();
    for asker in askers {
        assert_eq!(asker.await.expect("joins").expect_err("does not exist").kind, ErrorKind::UnknownTopic);
    }
    let took = started.elapsed();
    assert!((Duration::from_millis(400)..Duration::from_secs(1)).contains(&took), "{took:?}");
    assert_eq!(target.cluster.known_partitions(&topic), None);
    // No question has created it.
    assert_eq!(target.cluster.topic(&topic, false).await.expect_err("still missing").kind, ErrorKind::UnknownTopic);
    assert!(target.cluster.topics(false).await.expect("listed").iter().all(|t| t.name != topic.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_for_produce_creates_the_topic_where_the_cluster_does_that() {
    let Some(target) = Target::creating_topics().await else { return };
    let topic = fresh_name();
    assert_eq!(target.cluster.topic(&topic, false).await.expect_err("missing").kind, ErrorKind::UnknownTopic);
    let partitions = target.cluster.partitions_for_produce(&topic).await.expect("created");
    assert!(partitions >= 1);
    let receipt = target.append(&topic, vec![value("first")]).await.remove(0).expect("written");
    assert_eq!(receipt.offset, Offset(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_created_described_widened_and_deleted() {
    let target = Target::start().await;
    let (topic, replicas) = (fresh_name(), replication_factor());
    let asked = NewTopic {
        replication_factor: i16::try_from(replicas).ok(),
        configs: vec![("cleanup.policy".into(), Some("compact".into())), ("retention.ms".into(), Some("12345".into()))],
        ..new_topic(&topic, 3)
    };
    let validated = NewTopic { validate_only: true, ..asked.clone() };
    assert_eq!(target.cluster.create_topic(&validated).await.expect("could be created").partitions, 3);
    let default = NewTopic { partitions: None, replication_factor: None, ..validated.clone() };
    let expected = target.cluster.create_topic(&default).await.expect("could be created");
    assert_eq!(
        (expected.partitions, expected.replication_factor),
        (1, replicas),
        "the defaults of both kinds of cluster"
    );
    assert_eq!(target.cluster.topic(&topic, false).await.expect_err("only validated").kind, ErrorKind::UnknownTopic);

    let created = target.cluster.create_topic(&asked).await.expect("created");
    assert_eq!((created.partitions, created.replication_factor), (3, replicas));
    let again = target.cluster.create_topic(&asked).await.expect_err("is there");
    assert_eq!((again.kind, again.name.as_str()), (ErrorKind::TopicExists, "TOPIC_ALREADY_EXISTS"));
    assert!(again.message.contains(topic.as_str()), "{}", again.message);
    let again = target.cluster.create_topic(&validated).await.expect_err("is there");
    assert_eq!(again.kind, ErrorKind::TopicExists);

    let described = target.cluster.topic(&topic, false).await.expect("described");
    assert_eq!((described.name.as_str(), described.is_internal), (topic.as_str(), false));
    assert_eq!(described.authorized_operations, Vec::<&str>::new());
    assert_eq!(described.partitions.iter().map(|p| p.id.0).collect::<Vec<_>>(), [0, 1, 2]);
    for partition in &described.partitions {
        let leader = partition.leader.expect("has a leader");
        assert!(partition.replicas.contains(&leader), "{partition:?}");
        assert_eq!(partition.replicas.len(), usize::try_from(replicas).expect("few"));
        assert_eq!(partition.in_sync.iter().collect::<BTreeSet<_>>(), partition.replicas.iter().collect());
    }
    let listed = target.cluster.topics(true).await.expect("listed");
    let listed = listed.iter().find(|t| t.name == topic.as_str()).expect("among them");
    assert_eq!(listed.partitions, described.partitions);
    // The embedded broker, which lets everybody do everything, does not say so (yet).
    assert!(listed.authorized_operations.contains(&"WRITE"), "{listed:?}");

    assert_eq!(target.cluster.partitions_for_produce(&topic).await, Ok(3));
    target.cluster.add_partitions(&topic, 5).await.expect("widened");
    assert_eq!(target.cluster.known_partitions(&topic), Some(5));
    let widest = Record { partition: Some(PartitionId(4)), key: Some(Bytes::from_static(b"k")), ..value("x") };
    assert_eq!(target.append(&topic, vec![widest]).await.remove(0).expect("written").offset, Offset(0));
    let narrower = target.cluster.add_partitions(&topic, 2).await.expect_err("has more");
    assert_eq!(narrower.kind, ErrorKind::InvalidRequest);

    target.cluster.delete_topic(&topic).await.expect("deleted");
    assert_eq!(target.cluster.known_partitions(&topic), None);
    assert_eq!(target.cluster.topic(&topic, false).await.expect_err("gone").kind, ErrorKind::UnknownTopic);
    assert_eq!(target.cluster.delete_topic(&topic).await.expect_err("gone").kind, ErrorKind::UnknownTopic);
    // A controller with ZooKeeper calls a topic invalid whose deletion has not ended.
    let widened = target.cluster.add_partitions(&topic, 9).await.expect_err("gone");
    assert!(matches!(widened.kind, ErrorKind::UnknownTopic | ErrorKind::InvalidTopic), "{widened}");
    assert_eq!(
        target.cluster.configs(&ConfigResource::Topic(topic.clone())).await.expect_err("gone").kind,
        ErrorKind::UnknownTopic
    );
    assert_eq!(target.cluster.partitions_for_produce(&topic).await.expect_err("gone").kind, ErrorKind::UnknownTopic);

    // The same name again is another topic: it begins at 0 and takes records of the same producer.
    // A controller with ZooKeeper keeps the name until all of the old one is gone.
    let started = Instant::now();
    while let Err(error) = target.cluster.create_topic(&new_topic(&topic, 1)).await {
        assert!(error.kind == ErrorKind::TopicExists && started.elapsed() < Duration::from_secs(20), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let receipts = target.append(&topic, vec![value("a"), value("b")]).await;
    assert_eq!(receipts.into_iter().map(|r| r.expect("written").offset.0).collect::<Vec<_>>(), [0, 1]);
}

/// A topic in use is asked for anew in the background: what others do with it is seen within seconds.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_with_a_topic_is_noticed() {
    let target = Target::start().await;
    let others = target.another();
    let topic = target.topic(1).await;
    assert_eq!(target.cluster.partitions_for_produce(&topic).await, Ok(1));

    others.add_partitions(&topic, 2).await.expect("widened");
    let mut never_waited = true;
    eventually(|| {
        let known = target.cluster.known_partitions(&topic);
        never_waited &= known.is_some();
        known == Some(2)
    })
    .await;
    assert!(never_waited, "the count was known all the time");
    let to_the_new_one = Record { partition: Some(PartitionId(1)), ..value("x") };
    assert_eq!(target.append(&topic, vec![to_the_new_one]).await.remove(0).expect("written").offset, Offset(0));

    others.delete_topic(&topic).await.expect("deleted");
    eventually(|| target.cluster.known_partitions(&topic).is_none()).await;
    assert_eq!(target.cluster.partitions_for_produce(&topic).await.expect_err("gone").kind, ErrorKind::UnknownTopic);
}

async fn eventually(mut true_now: impl FnMut() -> bool) {
    let started = Instant::now();
    while !true_now() {
        assert!(started.elapsed() < Duration::from_secs(6), "not within 6 seconds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_listed_in_order_some_at_a_time() {
    let target = Target::start().await;
    let base = fresh_name();
    // Of 4 partitions at once the second topic is cut, and the third is longer than an answer.
    let topics = [("-a", 3), ("-b", 3), ("-c", 9), ("-d", 1)].map(|(end, count)| (format!("{base}{end}"), count));
    for (name, count) in &topics {
        let name = TopicName::parse(name).expect("legal");
        let new = NewTopic { replication_factor: Some(1), ..new_topic(&name, i32::try_from(*count).expect("few")) };
        target.cluster.create_topic(&new).await.expect("created");
    }
    let mut found = Vec::new();
    let mut next = Some(base.to_string());
    while let Some(from) = next.filter(|from| from.starts_with(base.as_str())) {
        let some = target.cluster.topics_from(&from, 4, false).await.expect("listed");
        found.push(some.topics);
        next = some.next;
    }
    // Kafka before 3.8 tells all of them.
    assert!([1, 3].contains(&found.len()), "{} answers", found.len());
    let found: Vec<_> = found.into_iter().flatten().filter(|topic| topic.name.starts_with(base.as_str())).collect();
    let sizes: Vec<_> = found.iter().map(|topic| (topic.name.clone(), topic.partitions.len())).collect();
    assert_eq!(sizes, topics);
    for topic in &found {
        let name = TopicName::parse(&topic.name).expect("legal");
        let ids: Vec<i32> = topic.partitions.iter().map(|partition| partition.id.0).collect();
        assert_eq!(ids, (0..).take(ids.len()).collect::<Vec<i32>>());
        assert_eq!(*topic, target.cluster.topic(&name, false).await.expect("described"), "as it is by itself");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_topics_are_refused() {
    let target = Target::start().await;
    let refusal = |topic: NewTopic| {
        let cluster = target.cluster.clone();
        async move { cluster.create_topic(&topic).await.expect_err("refused").kind }
    };
    let topic = fresh_name();
    assert_eq!(refusal(new_topic(&topic, 0)).await, ErrorKind::InvalidRequest);
    assert_eq!(
        refusal(NewTopic { replication_factor: Some(0), ..new_topic(&topic, 1) }).await,
        ErrorKind::InvalidRequest
    );
    let unknown_config = vec![("no.such.config".to_owned(), Some("1".to_owned()))];
    assert_eq!(refusal(NewTopic { configs: unknown_config, ..new_topic(&topic, 1) }).await, ErrorKind::InvalidRequest);
    let unknown_broker = NewTopic { assignments: Some(vec![vec![4711]]), partitions: None, ..new_topic(&topic, 1) };
    let refused = refusal(unknown_broker).await;
    // A controller with ZooKeeper makes the topic, and waits in vain for a leader.
    if refused != ErrorKind::Retriable {
        assert_eq!(refused, ErrorKind::InvalidReplicaAssignment);
        let never_created = target.cluster.topic(&topic, false).await.expect_err("never created");
        assert_eq!(never_created.kind, ErrorKind::UnknownTopic);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_may_be_assigned_to_brokers_or_left_to_their_defaults() {
    let target = Target::start().await;
    let cluster = target.cluster.describe_cluster().await.expect("described");
    let node = cluster.brokers[0].id;
    let assigned = fresh_name();
    let assignments = Some(vec![vec![node.0], vec![node.0]]);
    let created = NewTopic { assignments, partitions: None, replication_factor: None, ..new_topic(&assigned, 1) };
    let created = target.cluster.create_topic(&created).await.expect("created");
    assert_eq!((created.partitions, created.replication_factor), (2, 1));

    let left = fresh_name();
    let defaults = NewTopic { partitions: None, replication_factor: None, ..new_topic(&left, 1) };
    let created = target.cluster.create_topic(&defaults).await.expect("created");
    let described = target.cluster.topic(&left, false).await.expect("described");
    assert_eq!(created.partitions, i32::try_from(described.partitions.len()).expect("few"));
    assert_eq!(created.replication_factor, replication_factor());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_describes_itself() {
    let target = Target::start().await;
    let cluster = target.cluster.describe_cluster().await.expect("described");
    assert_eq!(cluster.cluster_id.len(), 22, "{}", cluster.cluster_id);
    assert!(cluster.brokers.iter().any(|broker| Some(broker.id) == cluster.controller), "{cluster:?}");
    let mut brokers = cluster.brokers;
    brokers.sort_by_key(|broker| broker.id);
    let addresses: Vec<_> = brokers.iter().map(|broker| format!("{}:{}", broker.host, broker.port)).collect();
    assert_eq!(addresses.join(","), target.address);
}

#[tokio::test(flavor = "multi_thread")]
async fn configs_tell_where_their_values_come_from() {
    let target = Target::start().await;
    let topic = fresh_name();
    let configs = vec![("cleanup.policy".into(), Some("compact".into()))];
    target.cluster.create_topic(&NewTopic { configs, ..new_topic(&topic, 1) }).await.expect("created");
    let configs = target.cluster.configs(&ConfigResource::Topic(topic.clone())).await.expect("described");
    let entry = |name: &str| configs.iter().find(|c| c.name == name).unwrap_or_else(|| panic!("no {name}"));

    let set = entry("cleanup.policy");
    assert_eq!((set.value.as_deref(), set.source), (Some("compact"), ConfigSource::DynamicTopic));
    assert_eq!((set.is_read_only, set.is_sensitive), (false, false));
    let synonyms: Vec<_> =
        set.synonyms.iter().map(|s| (s.name.as_str(), s.value.as_deref(), s.source.name())).collect();
    assert_eq!(
        synonyms,
        [
            ("cleanup.policy", Some("compact"), "DYNAMIC_TOPIC_CONFIG"),
            ("log.cleanup.policy", Some("delete"), "DEFAULT_CONFIG")
        ]
    );
    assert_eq!(entry("max.message.bytes").source, ConfigSource::Default);
    // The second is that of Kafka 2.4.
    assert!(["1048588", "1000012"].map(Some).contains(&entry("max.message.bytes").value.as_deref()));
    assert!(configs.len() > 20, "{}", configs.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_tell_where_a_partition_begins_and_ends() {
    let target = Target::start().await;
    let topic = target.topic(2).await;
    assert_eq!(target.range(&topic, 0).await, (0, 0));
    let to_0 = Record { partition: Some(PartitionId(0)), ..value("x") };
    target.append(&topic, vec![to_0.clone(), to_0]).await.remove(1).expect("written");
    assert_eq!(target.range(&topic, 0).await, (0, 2));
    assert_eq!(target.range(&topic, 1).await, (0, 0));
    let unknown = target.cluster.offsets(&topic, PartitionId(7)).await.expect_err("no such partition");
    assert_eq!(unknown.kind, ErrorKind::UnknownPartition, "{unknown}");
    let unknown = target.cluster.offsets(&fresh_name(), PartitionId(0)).await.expect_err("no such topic");
    assert_eq!(unknown.kind, ErrorKind::UnknownTopic, "{unknown}");
}
