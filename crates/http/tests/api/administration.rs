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

#[tokio::test]
async fn several_topics_are_created_at_once() {
    let app = TestApp::strict().await;
    app.topic("there", 1).await;
    let body = |validate_only: bool| json!({"topics": [{"topic_name": "a", "partitions_count": 2}, {"topic_name": "there"}], "validate_only": validate_only});
    let tried = post(&app, "topics:create", body(true)).await;
    assert_eq!(tried.status, 207, "{tried:?}");
    assert_eq!(app.partitions("a").await, None, "it was only validated");
    let created = post(&app, "topics:create", body(false)).await;
    assert_eq!(created.status, 207);
    let data = &created.json()["data"];
    assert_eq!(
        (&data[0]["topic_name"], &data[0]["partitions_count"], data[0].get("error_code")),
        (&json!("a"), &json!(2), None)
    );
    assert_eq!((&data[1]["partitions_count"], &data[1]["error_code"]), (&Value::Null, &json!(40002)), "{data}");
    assert_eq!(app.partitions("a").await, Some(2));
    let created = post(&app, "topics:create", json!({"topics": [{"topic_name": "b"}, {"topic_name": "c"}]})).await;
    assert_eq!((created.status, app.partitions("c").await.is_some()), (201, true), "{created:?}");
    for (body, expected) in [
        (json!({"topics": []}), (422, 422)),
        (json!({"topics": [{"topic_name": "d"}, {"topic_name": "a b"}]}), (422, 42206)),
        (json!({"topics": [{"topic_name": "d", "validate_only": true}]}), (422, 422)),
        (json!({"topics": [{"topic_name": "d"}, {"topic_name": "__consumer_offsets"}]}), (403, 40301)),
        (json!({}), (400, 400)),
    ] {
        assert_eq!(post(&app, "topics:create", body.clone()).await.refusal(), expected, "{body}");
    }
    assert_eq!(app.partitions("d").await, None, "what is refused as a whole creates nothing");
}

#[tokio::test]
async fn log_directories_say_how_large_partitions_are() {
    let app = TestApp::start().await;
    app.topic("t", 2).await;
    produce(&app, "t", 5).await;
    let path = format!("/admin/v1/clusters/{}/log-dirs", app.cluster_id);
    let found = app.get(&path).await;
    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json();
    let replicas = found["data"][0]["replicas"].as_array().expect("a list");
    let size = |partition: i32| {
        let replica = replicas.iter().find(|one| one["topic_name"] == "t" && one["partition_id"] == partition);
        replica.expect("it is there")["size_bytes"].as_i64().expect("a number")
    };
    assert!(size(0) > 0 && size(1) == 0, "{found}");
    let sum: i64 = replicas.iter().filter_map(|one| one["size_bytes"].as_i64()).sum();
    assert_eq!(found["data"][0]["size_bytes"], sum);
    assert_eq!(app.get("/admin/v1/clusters/nope/log-dirs").await.refusal(), (404, 404));
}

/// One broker has nothing to move and nobody to elect: it says so in Kafka's words.
#[tokio::test]
async fn what_the_embedded_broker_cannot_do_is_said_in_the_words_of_kafka() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    let moved = json!({"reassignments": [{"topic_name": "t", "partition_id": 0, "replicas": [1]}]});
    let elected = json!({"election": "PREFERRED", "partitions": [{"topic_name": "t", "partition_id": 0}]});
    for (path, body) in [("reassignments:alter", moved), ("leaders:elect", elected)] {
        let refused = post(&app, path, body).await;
        assert_eq!(refused.refusal(), (400, 40002), "{refused:?}");
        assert!(refused.message().contains("UNSUPPORTED_VERSION"), "{refused:?}");
    }
    for (path, body, name) in [
        (
            "reassignments:alter",
            json!({"reassignments": [{"topic_name": "t", "partition_id": 0}]}),
            "reassignments[0].replicas is missing: expected a list of the ids of brokers, or null.",
        ),
        (
            "reassignments:alter",
            json!({"reassignments": [{"topic_name": "t", "partition_id": 0, "replicas": ["x"]}]}),
            "reassignments[0].replicas",
        ),
        ("leaders:elect", json!({"election": "preferred", "partitions": []}), "election"),
        ("leaders:elect", json!({"partitions": []}), "election"),
    ] {
        let refused = post(&app, path, body).await;
        assert_eq!(refused.refusal(), (400, 400));
        assert!(refused.message().starts_with(name), "{refused:?}");
    }
}

/// An unclean election may lose records: not those of the registry and of Kafka's own topics. Others are the cluster's to decide.
#[tokio::test]
async fn unclean_elections_spare_internal_topics() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    for (election, topic, expected) in [
        ("UNCLEAN", "_schemas", (403, 40301)),
        ("UNCLEAN", "__consumer_offsets", (403, 40301)),
        ("UNCLEAN", "t", (400, 40002)),
        ("PREFERRED", "_schemas", (400, 40002)),
    ] {
        let both = json!([{"topic_name": "t", "partition_id": 0}, {"topic_name": topic, "partition_id": 0}]);
        let both = if topic == "t" { json!([both[0]]) } else { both };
        let refused = post(&app, "leaders:elect", json!({"election": election, "partitions": both})).await;
        assert_eq!(refused.refusal(), expected, "{election} {topic}: {}", refused.text());
        assert_eq!(refused.message().contains("UNSUPPORTED_VERSION"), expected.0 == 400, "{}", refused.text());
    }
}

/// The embedded broker has no users either; what no broker would accept is refused before.
#[tokio::test]
async fn passwords_of_users_are_checked() {
    let app = TestApp::start().await;
    let users = format!("/admin/v1/clusters/{}/scram-users", app.cluster_id);
    let refused = app.get(&users).await;
    assert!(refused.refusal() == (400, 40002) && refused.message().contains("UNSUPPORTED_VERSION"), "{refused:?}");
    let set = |mechanism: &str, body: Value| {
        app.request(Method::PUT, &format!("{users}/ana/credentials/{mechanism}")).json(&body).send()
    };
    let refused = set("SCRAM-SHA-256", json!({"password": "secret"})).await;
    assert!(refused.refusal() == (400, 40002) && !refused.text().contains("secret"), "{refused:?}");
    assert_eq!(set("PLAIN", json!({"password": "secret"})).await.refusal(), (404, 404));
    for (body, name) in [
        (json!({}), "password"),
        (json!({"password": ""}), "password"),
        (json!({"password": "secret", "iterations": 4095}), "iterations"),
        (json!({"password": "secret", "iterations": 16385}), "iterations"),
    ] {
        let refused = set("SCRAM-SHA-512", body).await;
        assert!(refused.refusal() == (400, 400) && refused.message().starts_with(name), "{refused:?}");
    }
}
