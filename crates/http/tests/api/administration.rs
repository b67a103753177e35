//! `/admin/v1`: what API v3 has no paths for.

use hyper::Method;
use postern_kafka::{CommittedOffset, Offset, PartitionId, TopicName};
use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

fn topic(name: &str) -> TopicName {
    TopicName::parse(name).expect("legal")
}

async fn commit(app: &TestApp, group: &str, of: &str, partition: i32, offset: i64) {
    let offset = CommittedOffset { topic: topic(of), partition: PartitionId(partition), offset: Offset(offset) };
    let results = app.cluster.set_group_offsets(group, &[offset]).await.expect("answered");
    assert_eq!(results[0].1, Ok(()));
}

async fn committed(app: &TestApp, group: &str) -> Vec<(String, i32, i64)> {
    let offsets = app.cluster.committed_offsets(group).await.expect("fetched");
    offsets.into_iter().map(|o| (o.topic.to_string(), o.partition.0, o.offset.0)).collect()
}

async fn produce(app: &TestApp, to: &str, records: usize) {
    let body = json!({"records": vec![json!({"partition": 0, "value": "eA=="}); records]});
    let call = app.request(Method::POST, &format!("/topics/{to}")).json(&body);
    assert_eq!(call.header("Content-Type", "application/vnd.kafka.binary.v2+json").send().await.status, 200);
}

async fn post(app: &TestApp, path: &str, body: Value) -> Reply {
    app.post(&format!("/admin/v1/clusters/{}/{path}", app.cluster_id), body).await
}

#[tokio::test]
async fn offsets_of_a_group_are_reset_after_a_dry_run() {
    let app = TestApp::start().await;
    app.topic("t", 2).await;
    produce(&app, "t", 5).await;
    commit(&app, "g", "t", 0, 3).await;
    let path = "consumer-groups/g/offsets:reset";
    let before = committed(&app, "g").await;
    let dry = post(&app, path, json!({"to": "earliest"})).await;
    assert_eq!(
        (dry.status, dry.text()),
        (
            200,
            r#"{"consumer_group_id":"g","dry_run":true,"data":[{"topic_name":"t","partition_id":0,"current_offset":3,"new_offset":0}]}"#
        )
    );
    assert_eq!(committed(&app, "g").await, before, "it was a dry run");
    for (body, expected) in [
        (json!({"to": "earliest", "dry_run": false}), vec![("t".to_owned(), 0, 0)]),
        (json!({"offset": 99, "dry_run": false}), vec![("t".to_owned(), 0, 5)]),
        (json!({"timestamp_ms": 0, "dry_run": false}), vec![("t".to_owned(), 0, 0)]),
        (json!({"timestamp_ms": 99_999_999_999_999i64, "dry_run": false}), vec![("t".to_owned(), 0, 5)]),
        (
            json!({"to": "latest", "topics": ["t"], "dry_run": false}),
            vec![("t".to_owned(), 0, 5), ("t".to_owned(), 1, 0)],
        ),
    ] {
        assert_eq!(post(&app, path, body.clone()).await.status, 200, "{body}");
        assert_eq!(committed(&app, "g").await, expected, "{body}");
    }
    for (path, body, expected) in [
        (path, json!({}), (400, 400)),
        (path, json!({"to": "earliest", "offset": 1}), (400, 400)),
        (path, json!({"to": "earliest", "topics": ["nope"]}), (404, 40403)),
        ("consumer-groups/nobody/offsets:reset", json!({"to": "earliest"}), (404, 404)),
    ] {
        assert_eq!(post(&app, path, body.clone()).await.refusal(), expected, "{path} {body}");
    }
    let elsewhere = app.post("/admin/v1/clusters/nope/consumer-groups/g/offsets:reset", json!({"to": "latest"})).await;
    assert_eq!(elsewhere.refusal(), (404, 404));
}

#[tokio::test]
async fn offsets_and_groups_are_deleted() {
    let app = TestApp::start().await;
    app.topic("t", 2).await;
    commit(&app, "g", "t", 0, 0).await;
    commit(&app, "g", "t", 1, 0).await;
    let body = json!({"partitions": [{"topic_name": "t", "partition_id": 0}]});
    assert_eq!(post(&app, "consumer-groups/g/offsets:delete", body.clone()).await.status, 200);
    assert_eq!(committed(&app, "g").await, [("t".to_owned(), 1, 0)]);
    assert_eq!(post(&app, "consumer-groups/nope/offsets:delete", body).await.refusal(), (404, 404));
    let path = |group: &str| format!("/admin/v1/clusters/{}/consumer-groups/{group}", app.cluster_id);
    assert_eq!(app.delete(&path("g")).await.status, 204);
    assert_eq!(app.get(&app.v3("consumer-groups/g")).await.refusal(), (404, 404));
    assert_eq!(app.delete(&path("g")).await.refusal(), (404, 404));
}

#[tokio::test]
async fn records_are_deleted_up_to_an_offset() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    produce(&app, "t", 5).await;
    let delete = |before: Value| {
        let body = json!({"partitions": [{"partition_id": 0, "before_offset": before}]});
        post(&app, "topics/t/records:delete", body)
    };
    let range = async || app.cluster.offsets(&topic("t"), PartitionId(0)).await.expect("there");
    let deleted = delete(json!(3)).await;
    assert_eq!(deleted.text(), r#"{"topic_name":"t","data":[{"partition_id":0,"earliest_offset":3}]}"#);
    assert_eq!((range().await.earliest, range().await.latest), (Offset(3), Offset(5)));
    let beyond = delete(json!(6)).await;
    assert_eq!((beyond.status, &beyond.json()["data"][0]["error_code"]), (207, &json!(40002)), "{beyond:?}");
    assert_eq!(range().await.earliest, Offset(3));
    assert_eq!(delete(json!(-2)).await.refusal(), (400, 400));
    assert_eq!(delete(json!(-1)).await.status, 200);
    assert_eq!(range().await.earliest, Offset(5));
    let body = json!({"partitions": [{"partition_id": 7, "before_offset": 0}]});
    assert_eq!(post(&app, "topics/t/records:delete", body.clone()).await.json()["data"][0]["error_code"], 40403);
    assert_eq!(post(&app, "topics/nope/records:delete", body.clone()).await.refusal(), (404, 40403));
    assert_eq!(post(&app, "topics/_schemas/records:delete", body).await.refusal(), (403, 40301));
}
