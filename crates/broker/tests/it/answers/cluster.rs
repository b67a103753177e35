//! What the cluster says of itself: versions, brokers, topics, directories, access lists; and requests that are none.

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::*;
use uuid::Uuid;

use super::session::Session;
use crate::wire::{text, topic};

pub(crate) async fn run(session: &mut Session) {
    versions(session).await;
    no_requests(session).await;
    metadata(session).await;
    topic_partitions(session).await;
    brokers(session).await;
    directories(session).await;
    access_lists(session).await;
}

async fn versions(session: &mut Session) {
    let client = |name: &str, version: &str| {
        ApiVersionsRequest::default().with_client_software_name(text(name)).with_client_software_version(text(version))
    };
    let plain = |version| if version < 3 { ApiVersionsRequest::default() } else { client("suite", "1.0") };
    session.each("what is served", 0..=4, plain).await;
    session.ask("a client without a name", 3, ApiVersionsRequest::default()).await;
    session.ask("a client with a bad name", 4, client("suite!", "1.0")).await;
    session.ask("a client with a bad version", 4, client("suite", "-1.0")).await;
    // Answered in version 0.
    session.ask_raw("a version nobody knows", 18, 99, &[0]).await;
}

async fn no_requests(session: &mut Session) {
    let too_new = [(0, 14), (1, 99), (2, 99), (3, 14), (8, 99), (9, 99), (10, 99), (11, 10), (12, 5), (13, 6), (14, 6)];
    let too_new = too_new.into_iter().chain([(15, 7), (16, 6), (19, 8), (20, 7), (21, 3), (22, 7), (23, 5), (32, 5)]);
    let too_new = too_new.chain([(33, 3), (35, 6), (37, 4), (42, 3), (44, 2), (46, 2), (47, 1), (60, 3), (75, 1)]);
    for (key, version) in too_new {
        session.ask_raw("a version that is too new", key, version, &[]).await;
    }
    for (key, version) in [(0, 2), (1, 3), (2, 0), (8, 1), (9, 0), (19, 1), (20, 0), (23, 1), (32, 0), (3, -1)] {
        session.ask_raw("a version that is no more", key, version, &[0, 0, 0, 0, 0, 0]).await;
    }
    session.ask_raw("an API nobody knows", 999, 0, &[]).await;
    session.ask_raw("a body that ends too early", 3, 1, &[0, 0]).await;
    session.ask_raw("a list that ends too early", 3, 1, &[0, 0, 0, 9]).await;
}

async fn metadata(session: &mut Session) {
    let known = session.topic("known", 2, &[]).await;
    let other = session.topic("other", 1, &[]).await;
    let by_name = |name: &TopicName| MetadataRequestTopic::default().with_name(Some(name.clone()));
    let by_id = |id| MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    let of = |topics: Vec<MetadataRequestTopic>| {
        MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(true)
    };
    session.each("a topic", 0..=13, |_| of(vec![by_name(&known.name)])).await;
    let absent = session.name("absent");
    session.each("an unknown topic", 0..=13, |_| of(vec![by_name(&absent)])).await;
    session.each("a topic by its id", 12..=13, |_| of(vec![by_id(known.id)])).await;
    session.each("an unknown id", 12..=13, |_| of(vec![by_id(Uuid::from_u128(7))])).await;
    session.ask("a known and an unknown one", 9, of(vec![by_name(&known.name), by_name(&absent)])).await;
    session.ask("the same topic twice", 9, of(vec![by_name(&known.name), by_name(&known.name)])).await;
    session.ask("a name that cannot be", 9, of(vec![by_name(&session.name("a b"))])).await;
    session.ask("an empty name", 9, of(vec![by_name(&topic(""))])).await;
    session.ask("a name of dots", 9, of(vec![by_name(&topic(".."))])).await;
    let long = "x".repeat(250);
    session.ask("a name that is too long", 9, of(vec![by_name(&topic(&long))])).await;
    session.each("no topic", 1..=13, |_| of(vec![])).await;
    for version in 0..=13 {
        let all = if version == 0 { Some(vec![]) } else { None };
        session.ask_all("every topic", version, MetadataRequest::default().with_topics(all)).await;
    }
    let with_rights = of(vec![by_name(&other.name), by_name(&absent)]).with_include_topic_authorized_operations(true);
    session.each("what may be done to a topic", 8..=13, |_| with_rights.clone()).await;
    let with_rights = of(vec![]).with_include_cluster_authorized_operations(true);
    session.each("what may be done to the cluster", 8..=10, |_| with_rights.clone()).await;
}

async fn topic_partitions(session: &mut Session) {
    let of = |names: &[&TopicName]| {
        let topics = names.iter().map(|name| TopicRequest::default().with_name((*name).clone()));
        DescribeTopicPartitionsRequest::default().with_topics(topics.collect()).with_response_partition_limit(100)
    };
    let (known, other, absent) = (session.name("known"), session.name("other"), session.name("absent"));
    session.ask("two topics", 0, of(&[&other, &known])).await;
    session.ask("an unknown topic", 0, of(&[&known, &absent])).await;
    session.ask("a name that cannot be", 0, of(&[&session.name("a b")])).await;
    session.ask("the same topic twice", 0, of(&[&known, &known])).await;
    // Others may have left topics: from the first of this session on, and no further than its last.
    let from =
        |name: &TopicName, index| Some(Cursor::default().with_topic_name(name.clone()).with_partition_index(index));
    session.ask_all("every topic", 0, of(&[]).with_cursor(from(&known, 0)).with_response_partition_limit(2)).await;
    session.ask("a limit within a topic", 0, of(&[&known, &other]).with_response_partition_limit(1)).await;
    session.ask("a limit between topics", 0, of(&[&known, &other]).with_response_partition_limit(2)).await;
    session.ask("a limit of none", 0, of(&[&known]).with_response_partition_limit(0)).await;
    session.ask("from the middle of a topic", 0, of(&[&known, &other]).with_cursor(from(&known, 1))).await;
    session.ask("from the second topic on", 0, of(&[&known, &other]).with_cursor(from(&other, 0))).await;
    session.ask("from behind the end", 0, of(&[&known, &other]).with_cursor(from(&known, 7))).await;
    session.ask("from before the beginning", 0, of(&[&known]).with_cursor(from(&known, -1))).await;
    session.ask("from a topic not asked for", 0, of(&[&other]).with_cursor(from(&known, 0))).await;
}

async fn brokers(session: &mut Session) {
    session.each("the brokers", 0..=2, |_| DescribeClusterRequest::default()).await;
    let of_type = |kind| DescribeClusterRequest::default().with_endpoint_type(kind);
    session.ask("the controllers, of a broker", 1, of_type(2)).await;
    session.ask("an unknown kind", 1, of_type(9)).await;
    session.ask("fenced ones, too", 2, DescribeClusterRequest::default().with_include_fenced_brokers(true)).await;
    let with_rights = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
    session.ask("what may be done to the cluster", 1, with_rights).await;
}

async fn directories(session: &mut Session) {
    let of = |name: &TopicName, partitions: &[i32]| {
        DescribableLogDirTopic::default().with_topic(name.clone()).with_partitions(partitions.to_vec())
    };
    let known = session.name("known");
    let asked = |topics| DescribeLogDirsRequest::default().with_topics(topics);
    session.each("two partitions", 1..=4, |_| asked(Some(vec![of(&known, &[0, 1])]))).await;
    session.ask("partitions that are not there", 4, asked(Some(vec![of(&known, &[1, 7])]))).await;
    session.ask("a topic that is not there", 4, asked(Some(vec![of(&session.name("absent"), &[0])]))).await;
    session.ask("no topic", 4, asked(Some(vec![]))).await;
    session.ask_all("every topic", 4, asked(None)).await;

    session.ask("every topic", 0, ListPartitionReassignmentsRequest::default().with_topics(None)).await;
    let of = |name: TopicName| {
        let wanted = ListPartitionReassignmentsTopics::default().with_name(name).with_partition_indexes(vec![0, 7]);
        ListPartitionReassignmentsRequest::default().with_topics(Some(vec![wanted]))
    };
    session.ask("a topic", 0, of(known)).await;
    session.ask("an unknown topic", 0, of(session.name("absent"))).await;
}

async fn access_lists(session: &mut Session) {
    let asked = DescribeAclsRequest::default()
        .with_resource_type_filter(2)
        .with_resource_name_filter(None)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1);
    session.each("those of topics", 1..=3, |_| asked.clone()).await;
    let creation = AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_principal(text("User:ana"))
        .with_host(text("*"))
        .with_operation(3)
        .with_permission_type(3);
    let made = CreateAclsRequest::default().with_creations(vec![creation.clone(), creation]);
    session.each("two", 1..=3, |_| made.clone()).await;
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(2)
        .with_resource_name_filter(Some(text("t")))
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1);
    let removed = DeleteAclsRequest::default().with_filters(vec![filter]);
    session.each("those of a topic", 1..=3, |_| removed.clone()).await;
}
