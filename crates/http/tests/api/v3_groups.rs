//! API v3: groups of consumers and how far they are behind. Groups with members: `conformance/v3-groups.json`.

use postern_kafka::{CommittedOffset, Offset, PartitionId, TopicName};
use serde_json::json;

use crate::app::TestApp;

/// Commits for a group that nobody joins: topic, partition, offset.
async fn commit(app: &TestApp, group: &str, offsets: &[(&str, i32, i64)]) {
    let offset = |(topic, partition, offset): &(&str, i32, i64)| CommittedOffset {
        topic: TopicName::parse(topic).expect("legal"),
        partition: PartitionId(*partition),
        offset: Offset(*offset),
    };
    let offsets: Vec<_> = offsets.iter().map(offset).collect();
    let results = app.cluster.set_group_offsets(group, &offsets).await.expect("answered");
    assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
}

async fn produce(app: &TestApp, topic: &str, records: usize) {
    let records = json!({"records": vec![json!({"partition": 0, "value": "eA=="}); records]});
    let call = app.request(hyper::Method::POST, &format!("/topics/{topic}")).json(&records);
    assert_eq!(call.header("Content-Type", "application/vnd.kafka.binary.v2+json").send().await.status, 200);
}

#[tokio::test]
async fn a_group_that_only_commits_is_simple_and_has_lags() {
    let app = TestApp::start().await;
    for topic in ["a", "b", "c"] {
        app.topic(topic, 2).await;
    }
    produce(&app, "a", 3).await;
    produce(&app, "b", 5).await;
    commit(&app, "g x", &[("a", 0, 1), ("a", 1, 0), ("b", 0, 2), ("c", 0, 7)]).await;
    let (url, id) = (app.url(), &app.cluster_id);
    let group = format!(
        r#"{{"kind":"KafkaConsumerGroup","metadata":{{"self":"{url}/v3/clusters/{id}/consumer-groups/g%20x","resource_name":"crn:///kafka={id}/consumer-group=g x"}},"cluster_id":"{id}","consumer_group_id":"g x","is_simple":true,"partition_assignor":"","state":"EMPTY","type":"CLASSIC","is_mixed_consumer_group":false,"coordinator":{{"related":"{url}/v3/clusters/{id}/brokers/1"}},"consumers":{{"related":"{url}/v3/clusters/{id}/consumer-groups/g%20x/consumers"}},"lag_summary":{{"related":"{url}/v3/clusters/{id}/consumer-groups/g%20x/lag-summary"}}}}"#
    );
    assert_eq!(app.get(&app.v3("consumer-groups/g%20x")).await.text(), group);
    let listed = app.get(&app.v3("consumer-groups")).await;
    assert!(listed.text().contains(&group), "{listed:?}");
    assert_eq!(app.get(&app.v3("consumer-groups/g%20x/consumers")).await.json()["data"], json!([]));

    // The greatest lag first, then by topic and partition; never below nothing.
    let lags = app.get(&app.v3("consumer-groups/g%20x/lags")).await.json();
    let found: Vec<_> = lags["data"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|lag| (lag["topic_name"].as_str().unwrap_or_default(), lag["partition_id"].clone(), lag["lag"].clone()))
        .collect();
    let expected = [("b", 0, 3), ("a", 0, 2), ("a", 1, 0), ("c", 0, 0)];
    assert_eq!(found, expected.map(|(topic, partition, lag)| (topic, json!(partition), json!(lag))));
    assert_eq!(
        app.get(&app.v3("consumer-groups/g%20x/lags/a/partitions/0")).await.text(),
        format!(
            r#"{{"kind":"KafkaConsumerLag","metadata":{{"self":"{url}/v3/clusters/{id}/consumer-groups/g%20x/lags/a/partitions/0","resource_name":"crn:///kafka={id}/consumer-group=g x/lag=a/partition=0"}},"cluster_id":"{id}","consumer_group_id":"g x","topic_name":"a","partition_id":0,"consumer_id":"","instance_id":null,"client_id":"","current_offset":1,"log_end_offset":3,"lag":2}}"#
        )
    );
    assert_eq!(
        app.get(&app.v3("consumer-groups/g%20x/lag-summary")).await.text(),
        format!(
            r#"{{"kind":"KafkaConsumerGroupLagSummary","metadata":{{"self":"{url}/v3/clusters/{id}/consumer-groups/g%20x/lag-summary","resource_name":"crn:///kafka={id}/consumer-group=g x/lag-summary"}},"cluster_id":"{id}","consumer_group_id":"g x","max_lag":3,"total_lag":5,"max_lag_consumer_id":"","max_lag_consumer":{{"related":"{url}/v3/clusters/{id}/consumer-groups/g%20x/consumers"}},"max_lag_client_id":"","max_lag_instance_id":null,"max_lag_topic_name":"b","max_lag_partition_id":0,"max_lag_partition":{{"related":"{url}/v3/clusters/{id}/topics/b/partitions/0"}}}}"#
        )
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    app.topic("gone", 1).await;
    commit(&app, "g", &[("t", 0, 0)]).await;
    commit(&app, "left", &[("gone", 0, 0)]).await;
    app.cluster.delete_topic(&TopicName::parse("gone").expect("legal")).await.expect("deleted");
    for path in [
        "nope",
        "nope/consumers",
        "nope/consumers/m",
        "nope/consumers/m/assignments",
        "nope/consumers/m/assignments/t/partitions/0",
        "nope/lags",
        "nope/lags/t/partitions/0",
        "nope/lag-summary",
        "g/consumers/m",
        "g/consumers/m/assignments",
        "g/consumers/m/assignments/t/partitions/0",
        "g/lags/t/partitions/1",
        "g/lags/t/partitions/x",
        "g/lags/nope/partitions/0",
        "left/lags",
        "left/lag-summary",
    ] {
        assert_eq!(app.get(&app.v3(&format!("consumer-groups/{path}"))).await.refusal(), (404, 404), "{path}");
    }
}

#[tokio::test]
async fn a_page_describes_its_own_groups_only() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    for group in ["a", "b", "c"] {
        commit(&app, group, &[("t", 0, 1)]).await;
    }
    let names = |page: &serde_json::Value| -> Vec<String> {
        let groups = page["data"].as_array().expect("a list").iter();
        groups.map(|group| group["consumer_group_id"].as_str().expect("a text").to_owned()).collect()
    };
    let whole = app.get(&app.v3("consumer-groups")).await.json();
    assert!(names(&whole) == ["a", "b", "c"] && whole["metadata"]["next"].is_null(), "{whole}");
    let first = app.get(&app.v3("consumer-groups?page_size=2")).await.json();
    assert_eq!((names(&first), &first["data"][1]), (vec!["a".to_owned(), "b".to_owned()], &whole["data"][1]));
    let next = first["metadata"]["next"].as_str().and_then(|next| next.strip_prefix(&app.url())).expect("a link");
    let second = app.get(next).await.json();
    assert!(names(&second) == ["c"] && second["metadata"]["next"].is_null(), "{second}");
}
