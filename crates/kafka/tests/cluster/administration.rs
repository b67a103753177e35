//! Configs, groups seen from outside, ACLs, reassignments.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use postern_kafka::{
    AclFilter, AclOperation, AclPatternType, AclPermission, AclResourceType, Cluster, CommittedOffset,
    ConfigAlteration, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ErrorKind, GroupState, GroupType,
    ListedGroup, NodeId, Offset, OffsetTime, PartitionId, Record, Settings, TopicName,
};

use crate::target::{Target, fresh_name, new_topic, value};

/// Harmless, and dynamic on Apache Kafka and here.
const BROKER_CONFIG: &str = "log.cleaner.backoff.ms";

fn set(name: &str, value: &str) -> ConfigAlteration {
    ConfigAlteration { name: name.to_owned(), change: ConfigChange::Set(Some(value.to_owned())) }
}

fn unset(name: &str) -> ConfigAlteration {
    ConfigAlteration { name: name.to_owned(), change: ConfigChange::Delete }
}

async fn config(target: &Target, resource: &ConfigResource, name: &str) -> Option<ConfigEntry> {
    let configs = target.cluster.configs(resource).await.expect("described");
    configs.into_iter().find(|config| config.name == name)
}

/// Another broker learns of a change a moment later than the one that made it.
async fn until(target: &Target, resource: &ConfigResource, name: &str, value: Option<&str>) {
    let end = Instant::now() + Duration::from_secs(8);
    loop {
        let found = config(target, resource, name).await.and_then(|config| config.value);
        if found.as_deref() == value {
            return;
        }
        assert!(Instant::now() < end, "{name} of {resource:?} is {found:?}, not {value:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn configs_of_topics_are_altered_each_topic_by_itself() {
    let target = Target::start().await;
    let resource = |topic: &TopicName| ConfigResource::Topic(topic.clone());
    let (good, bad, missing) = (target.topic(1).await, target.topic(1).await, fresh_name());
    let resources = [
        (resource(&good), vec![set("retention.ms", "1000"), set("cleanup.policy", "compact")]),
        (resource(&bad), vec![set("cleanup.policy", "compact"), set("retention.ms", "soon")]),
        (resource(&missing), vec![set("retention.ms", "1000")]),
    ];
    let only_asked = target.cluster.alter_configs(&resources[..1], true).await;
    assert_eq!(only_asked, [Ok(())]);
    let default = config(&target, &resource(&good), "retention.ms").await.expect("known");
    assert_eq!(default.source, ConfigSource::Default, "only validated");

    let results = target.cluster.alter_configs(&resources, false).await;
    assert_eq!(results[0], Ok(()));
    let refused = results[1].clone().expect_err("no number");
    // Kafka before 3 calls it an invalid request.
    assert!(["INVALID_CONFIG", "INVALID_REQUEST"].contains(&refused.name.as_str()), "{refused}");
    assert_eq!(refused.kind, ErrorKind::InvalidRequest, "{refused}");
    assert!(refused.message.contains("soon"), "the broker's own sentence: {refused}");
    // Kafka 2.4 has no code for it, and answers UNKNOWN_SERVER_ERROR.
    let unknown = results[2].clone().expect_err("missing");
    assert!(matches!(unknown.kind, ErrorKind::UnknownTopic | ErrorKind::InvalidRequest), "{unknown}");

    until(&target, &resource(&good), "retention.ms", Some("1000")).await;
    assert_eq!(
        config(&target, &resource(&good), "cleanup.policy").await.expect("known").value.as_deref(),
        Some("compact")
    );
    let untouched = config(&target, &resource(&bad), "cleanup.policy").await.expect("known");
    assert_eq!(untouched.source, ConfigSource::Default, "all or nothing");

    let reset = [(resource(&good), vec![unset("retention.ms")])];
    assert_eq!(target.cluster.alter_configs(&reset, false).await, [Ok(())]);
    until(&target, &resource(&good), "retention.ms", Some("604800000")).await;
    let kept = config(&target, &resource(&good), "cleanup.policy").await.expect("known");
    assert_eq!(kept.value.as_deref(), Some("compact"), "what is not named stays");

    let described = target.cluster.topics_configs(&[good, missing]).await.expect("described");
    assert!(described[0].as_ref().is_ok_and(|configs| configs.len() > 20));
    assert_eq!(described[1].as_ref().expect_err("missing").kind, ErrorKind::UnknownTopic);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brokers_own_config_beats_that_of_all_brokers() {
    let target = Target::start().await;
    let id = target.cluster.describe_cluster().await.expect("described").brokers[0].id;
    let (one, all) = (ConfigResource::Broker(id), ConfigResource::AllBrokers);
    let alter = async |resource: &ConfigResource, alteration| {
        let results = target.cluster.alter_configs(&[(resource.clone(), vec![alteration])], false).await;
        assert_eq!(results, [Ok(())]);
    };
    alter(&all, set(BROKER_CONFIG, "14000")).await;
    until(&target, &all, BROKER_CONFIG, Some("14000")).await;
    until(&target, &one, BROKER_CONFIG, Some("14000")).await;
    alter(&one, set(BROKER_CONFIG, "13000")).await;
    until(&target, &one, BROKER_CONFIG, Some("13000")).await;
    let entry = config(&target, &one, BROKER_CONFIG).await.expect("known");
    assert_eq!(entry.source, ConfigSource::DynamicBroker);
    let sources: Vec<_> = entry.synonyms.iter().map(|synonym| synonym.source).collect();
    assert_eq!(sources, [ConfigSource::DynamicBroker, ConfigSource::DynamicDefaultBroker, ConfigSource::Default]);
    alter(&one, unset(BROKER_CONFIG)).await;
    until(&target, &one, BROKER_CONFIG, Some("14000")).await;
    alter(&all, unset(BROKER_CONFIG)).await;
    until(&target, &all, BROKER_CONFIG, None).await;

    let missing = ConfigResource::Broker(NodeId(4711));
    assert_eq!(target.cluster.configs(&missing).await.expect_err("no such broker").kind, ErrorKind::UnknownBroker);
    let refused = target.cluster.alter_configs(&[(missing, vec![set(BROKER_CONFIG, "1")])], false).await.remove(0);
    assert_eq!(refused.expect_err("no such broker").kind, ErrorKind::UnknownBroker);
}

fn offset(topic: &TopicName, partition: i32, offset: i64) -> CommittedOffset {
    CommittedOffset { topic: topic.clone(), partition: PartitionId(partition), offset: Offset(offset) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_only_commits_is_found_its_offsets_set_and_deleted() {
    let target = Target::start().await;
    let cluster = &target.cluster;
    let (topic, gone) = (target.topic(2).await, target.topic(1).await);
    let to_1 = Record { partition: Some(PartitionId(1)), ..value("x") };
    target.append(&topic, vec![to_1.clone(), to_1.clone(), to_1]).await.remove(2).expect("written");
    let id = fresh_name().to_string();
    assert_eq!(cluster.consumer_group(&id).await, Ok(None));
    assert_eq!(cluster.committed_offsets(&id).await, Ok(Vec::new()));
    assert_eq!(cluster.delete_group(&id).await.expect_err("none").kind, ErrorKind::UnknownGroup);

    let wanted = [offset(&topic, 0, 0), offset(&topic, 1, 2), offset(&gone, 0, 5)];
    let set = cluster.set_group_offsets(&id, &wanted).await.expect("answered");
    assert!(set.len() == 3 && set.iter().all(|(_, result)| result.is_ok()), "{set:?}");
    let unknown = cluster.set_group_offsets(&id, &[offset(&fresh_name(), 0, 0)]).await.expect("answered").remove(0);
    assert_eq!(unknown.1.expect_err("no such topic").kind, ErrorKind::UnknownTopic);

    let group = cluster.consumer_group(&id).await.expect("described").expect("it is there");
    assert_eq!((group.state, group.group_type, group.is_simple()), (GroupState::Empty, GroupType::Classic, true));
    assert!(group.members.is_empty() && group.assignor.is_empty());
    let coordinator =
        cluster.describe_cluster().await.expect("described").brokers.iter().any(|b| b.id == group.coordinator);
    assert!(coordinator, "{group:?}");
    let listed = cluster.groups().await.expect("listed");
    let listed = listed.iter().find(|listed| listed.id == id).expect("it is there");
    let no_longer_there = ListedGroup { id: fresh_name().to_string(), ..listed.clone() };
    assert_eq!(cluster.describe_groups(&[&no_longer_there, listed]).await.expect("described"), [group]);

    // What is committed of a topic that is gone may go with it; there is no end of it in any case.
    cluster.delete_topic(&gone).await.expect("deleted");
    let committed = cluster.committed_offsets(&id).await.expect("fetched");
    assert_eq!(committed[..].iter().filter(|o| o.topic == topic).cloned().collect::<Vec<_>>(), wanted[..2]);
    let ends = [(gone, PartitionId(0)), (topic.clone(), PartitionId(0)), (topic.clone(), PartitionId(1))];
    let ends: Vec<_> = cluster.list_offsets(&ends, OffsetTime::Latest).await.expect("listed").into_iter().collect();
    assert_eq!(ends, [((topic.clone(), PartitionId(0)), Offset(0)), ((topic.clone(), PartitionId(1)), Offset(3))]);

    let partition = (topic.clone(), PartitionId(0));
    let deleted = cluster.delete_group_offsets(&id, std::slice::from_ref(&partition)).await.expect("answered");
    assert_eq!(deleted, [(partition, Ok(()))]);
    let left = cluster.committed_offsets(&id).await.expect("fetched");
    assert!(left.contains(&wanted[1]) && !left.contains(&wanted[0]), "{left:?}");
    cluster.delete_group(&id).await.expect("deleted");
    assert_eq!(cluster.consumer_group(&id).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_deleted_up_to_an_offset() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    target.append(&topic, vec![value("a"), value("b"), value("c")]).await.remove(2).expect("written");
    let delete = async |partition, offset| {
        let before = BTreeMap::from([(PartitionId(partition), Offset(offset))]);
        let results = target.cluster.delete_records(&topic, &before).await.expect("answered");
        results[&PartitionId(partition)].clone()
    };
    assert_eq!(delete(0, 2).await, Ok(Offset(2)));
    assert_eq!(target.range(&topic, 0).await, (2, 3));
    assert_eq!(delete(0, 4).await.expect_err("beyond the end").kind, ErrorKind::InvalidRequest);
    assert_eq!(delete(1, 0).await.expect_err("no such partition").kind, ErrorKind::UnknownPartition);
    assert_eq!(target.range(&topic, 0).await, (2, 3));
    assert_eq!(delete(0, -1).await, Ok(Offset(3)));
    let partition = [(topic, PartitionId(0))];
    let earliest = target.cluster.list_offsets(&partition, OffsetTime::Earliest).await.expect("listed");
    assert_eq!(earliest[&partition[0]], Offset(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_authorizer_acls_are_refused_in_the_brokers_words() {
    let target = Target::start().await;
    let all = AclFilter {
        resource_type: AclResourceType::Any,
        resource_name: None,
        pattern_type: AclPatternType::Any,
        principal: Some("User:nobody-at-all".to_owned()),
        host: None,
        operation: AclOperation::Any,
        permission: AclPermission::Any,
    };
    match target.cluster.acls(&all).await {
        Ok(found) => assert_eq!(found, [], "the cluster has an authorizer"),
        Err(refused) => {
            assert_eq!((refused.kind, refused.name.as_str()), (ErrorKind::InvalidRequest, "SECURITY_DISABLED"));
            assert!(refused.message.contains("Authorizer"), "{refused}");
            let refused = target.cluster.delete_acls(&all).await.expect_err("no authorizer");
            assert_eq!(refused.name, "SECURITY_DISABLED");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_being_reassigned() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    let moving = target.cluster.reassignments().await.expect("listed");
    assert!(moving.iter().all(|reassignment| reassignment.topic != topic), "{moving:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_with_one_deadline_take_no_longer_together_than_one() {
    let one_call = Duration::from_secs(3);
    // Nobody listens there, and nothing is given up before the call is.
    let settings =
        Settings { call_timeout: one_call, unreachable_timeout: one_call * 10, ..Settings::new("127.0.0.1:1") };
    let cluster = Cluster::connect(settings).expect("sound").with_one_deadline();
    let began = Instant::now();
    cluster.topics(false).await.expect_err("nobody is there");
    let refused = cluster.create_topic(&new_topic(&fresh_name(), 1)).await.expect_err("nobody is there");
    assert_eq!(refused.kind, ErrorKind::BrokerUnavailable);
    cluster.delete_topic(&fresh_name()).await.expect_err("nobody is there");
    assert!(began.elapsed() < one_call * 2, "{:?}", began.elapsed());
}
