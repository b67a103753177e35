//! API v3: partitions, offsets, replicas, reassignments.

use hyper::Method;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn partitions_and_replicas_are_shown() {
    let app = TestApp::start().await;
    let (url, id) = (app.url(), &app.cluster_id);
    app.topic("t", 2).await;
    let partition = |n: i32| {
        let path = format!("{url}/v3/clusters/{id}/topics/t/partitions/{n}");
        format!(
            r#"{{"kind":"KafkaPartition","metadata":{{"self":"{path}","resource_name":"crn:///kafka={id}/topic=t/partition={n}"}},"cluster_id":"{id}","topic_name":"t","partition_id":{n},"leader":{{"related":"{path}/replicas/1"}},"replicas":{{"related":"{path}/replicas"}},"reassignment":{{"related":"{path}/reassignment"}}}}"#
        )
    };
    let list = format!(
        r#"{{"kind":"KafkaPartitionList","metadata":{{"self":"{url}/v3/clusters/{id}/topics/t/partitions","next":null}},"data":[{},{}]}}"#,
        partition(0),
        partition(1)
    );
    assert_eq!(app.get(&app.v3("topics/t/partitions")).await.text(), list);
    assert_eq!(app.get(&app.v3("topics/t/partitions/01")).await.text(), partition(1));

    let replica = format!(
        r#"{{"kind":"KafkaReplica","metadata":{{"self":"{url}/v3/clusters/{id}/topics/t/partitions/1/replicas/1","resource_name":"crn:///kafka={id}/topic=t/partition=1/replica=1"}},"cluster_id":"{id}","topic_name":"t","partition_id":1,"broker_id":1,"is_leader":true,"is_in_sync":true,"broker":{{"related":"{url}/v3/clusters/{id}/brokers/1"}}}}"#
    );
    assert_eq!(app.get(&app.v3("topics/t/partitions/1/replicas/1")).await.text(), replica);
    let replicas = format!(
        r#"{{"kind":"KafkaReplicaList","metadata":{{"self":"{url}/v3/clusters/{id}/topics/t/partitions/1/replicas","next":null}},"data":[{replica}]}}"#
    );
    assert_eq!(app.get(&app.v3("topics/t/partitions/1/replicas")).await.text(), replicas);
    let kept = app.get(&app.v3("brokers/1/partition-replicas")).await.json();
    let kept = kept["data"].as_array().expect("a list").iter().filter(|replica| replica["topic_name"] == "t");
    assert_eq!(kept.map(|replica| replica["partition_id"].as_i64()).collect::<Vec<_>>(), [Some(0), Some(1)]);
    assert_eq!(app.get(&app.v3("brokers/99/partition-replicas")).await.refusal(), (404, 404));
}

#[tokio::test]
async fn offsets_grow_with_the_records() {
    let app = TestApp::start().await;
    app.topic("t", 2).await;
    let path = app.v3("topics/t/partitions/1/offset");
    let offsets = |latest: i64| {
        format!(
            r#"{{"kind":"KafkaPartitionWithOffsets","metadata":{{"self":"{url}{path}","resource_name":"crn:///kafka={id}/topic=t/partition=1/offset_type=earliest_and_latest"}},"cluster_id":"{id}","topic_name":"t","partition_id":1,"earliest_offset":0,"latest_offset":{latest}}}"#,
            url = app.url(),
            id = app.cluster_id
        )
    };
    assert_eq!(app.get(&path).await.text(), offsets(0));
    let records = json!({"records": [{"value": "a"}, {"value": "b"}]});
    let produce = app.request(Method::POST, "/topics/t/partitions/1").json(&records);
    assert_eq!(produce.header("content-type", "application/vnd.kafka.json.v2+json").send().await.status, 200);
    assert_eq!(app.get(&format!("{path}?offset_type=earliest_and_latest")).await.text(), offsets(2));
    assert_eq!((app.end_offset("t", 0).await, app.end_offset("t", 1).await), (0, 2));
    for offset_type in ["latest", "EARLIEST_AND_LATEST", ""] {
        let reply = app.get(&format!("{path}?offset_type={offset_type}")).await;
        assert_eq!(reply.refusal(), (400, 400), "{offset_type}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_by_its_number() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    for (path, status, code) in [
        ("topics/t/partitions/1", 404, 404),
        ("topics/t/partitions/-1", 404, 404),
        ("topics/t/partitions/x", 404, 404),
        ("topics/t/partitions/2147483648", 404, 404),
        ("topics/t/partitions/1/offset", 404, 40402),
        ("topics/t/partitions/-1/offset", 404, 40402),
        ("topics/t/partitions/x/offset", 404, 404),
        ("topics/t/partitions/1/replicas", 404, 404),
        ("topics/t/partitions/0/replicas/2", 404, 404),
        ("topics/t/partitions/0/replicas/x", 404, 404),
        ("topics/nope/partitions", 404, 40403),
        ("topics/nope/partitions/0", 404, 40403),
        ("topics/nope/partitions/0/offset", 404, 40403),
        ("topics/nope/partitions/0/replicas", 404, 40403),
        ("topics/nope/partitions/0/replicas/1", 404, 40403),
    ] {
        assert_eq!(app.get(&app.v3(path)).await.refusal(), (status, code), "{path}");
    }
    assert_eq!(app.partitions("nope").await, None, "looking makes no topic");
}

#[tokio::test]
async fn nothing_is_being_reassigned() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    for topic in ["-", "t", "nope", "a%20b"] {
        let path = format!("topics/{topic}/partitions/-/reassignment");
        let reply = app.get(&app.v3(&path)).await;
        let url = format!("{}{}s", app.url(), app.v3(&path));
        let list = format!(r#"{{"kind":"KafkaReassignmentList","metadata":{{"self":"{url}","next":null}},"data":[]}}"#);
        assert_eq!((reply.status, reply.text()), (200, list.as_str()), "{topic}");
        assert_eq!(app.get(&app.v3(&format!("{path}s"))).await.text(), list, "its own link leads to it");
    }
    for path in ["topics/t/partitions/0", "topics/t/partitions/1", "topics/t/partitions/x", "topics/nope/partitions/0"]
    {
        assert_eq!(app.get(&app.v3(&format!("{path}/reassignment"))).await.refusal(), (404, 404), "{path}");
    }
}
