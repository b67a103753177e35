//! Reading a topic, or one partition, without a consumer instance.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::v2_consumers::JSON;

/// The values of a read of JSON.
async fn values(app: &TestApp, query: &str) -> Vec<Value> {
    let path = format!("/topics/lab/partitions/0/records{query}");
    let reply = app.request(hyper::Method::GET, &path).header("Accept", JSON).send().await;
    assert_eq!((reply.status, reply.header("content-type")), (200, JSON), "{query}: {}", reply.text());
    reply.json().as_array().expect("a list").iter().map(|record| record["value"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_from_an_offset_a_time_or_the_end() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(0), json!(1), json!(2), json!(3)]).await;
    for (query, expected) in [
        ("", &[0, 1, 2, 3][..]),
        ("?offset=2", &[2, 3]),
        ("?offset=4&timeout=100", &[]),
        ("?last=1", &[3]),
        ("?last=100", &[0, 1, 2, 3]),
        ("?timestamp=0", &[0, 1, 2, 3]),
        ("?timestamp=2001-01-01T00:00:00Z", &[0, 1, 2, 3]),
        ("?timestamp=2099-01-01T00:00:00Z&timeout=100", &[]),
        ("?offset=1&max_bytes=2", &[1]),
    ] {
        assert_eq!(values(&app, query).await, expected, "{query}");
    }
    let (read, ()) = tokio::join!(values(&app, "?offset=4&timeout=20000"), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        app.produce_json("lab", &[json!("next")]).await;
    });
    assert_eq!(read, ["next"], "it waits at the end");
    let whole = app.get("/topics/lab/partitions/0/records?last=1&include=headers").await;
    let expected = r#"[{"topic":"lab","key":null,"value":"Im5leHQi","partition":0,"offset":4,"headers":[]}]"#;
    assert_eq!(whole.text(), expected, "binary where nothing else is asked for");
    let consumers = app.cluster.group_members("").await;
    assert!(consumers.is_err() || consumers.is_ok_and(|group| group.is_none()), "there is no group");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_to_which_nothing_comes_in_time_does_not_say_that_there_is_nothing() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(0), json!(1)]).await;
    app.broker.faults().add(postern_broker::ApiKey::Fetch, Some("lab"), postern_broker::Fault::NeverAnswer, 1);
    let late = app.get("/topics/lab/records?offset=0:1&timeout=300").await;
    assert_eq!((late.refusal(), late.header("retry-after")), ((503, 50302), "1"));
    assert!(late.message().contains("Partition lab-0 has records from offset 1 on"), "{}", late.message());
    assert_eq!(app.broker.faults().left(), 0, "it was met");
    assert_eq!(values(&app, "?offset=1").await, [1]);
    assert_eq!(values(&app, "?offset=2&timeout=100").await, [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_named() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    for (path, refusal, says) in [
        ("none/partitions/0/records", (404, 40403), "There is no topic 'none'"),
        ("lab/partitions/1/records", (404, 40402), "no partition 1"),
        ("lab/partitions/x/records", (404, 404), "partition in the path"),
        ("lab/partitions/0/records?offset=1", (400, 40002), "expected 0 to 0"),
        ("lab/records?offset=1", (400, 40002), "expected 0 to 0, which partition 0 of topic lab has now, found 1"),
        ("lab/records?offset=0:1", (400, 40002), "expected 0 to 0, which partition 0 of topic lab has now, found 1"),
        ("lab/records?offset=0:0,1:0", (400, 40002), "names partition 1 of topic lab"),
        ("lab/partitions/0/records?offset=-1", (400, 400), "offset: expected a whole number from 0"),
        ("lab/records?offset=0:x", (400, 400), "offset: expected a whole number from 0"),
        ("lab/records?offset=t:0:1", (400, 400), "such as 0:17,1:4"),
        ("lab/records?partitions=0,1", (404, 40402), "no partition 1"),
        ("lab/records?partitions=x", (400, 400), "partitions: expected numbers"),
        ("lab/records?partitions=,", (400, 400), "partitions: expected 1 to 500"),
        ("lab/records?include=size", (400, 400), "include: expected timestamp"),
        ("lab/records?format=json", (400, 400), "format: Accept names the format"),
        ("none/records", (404, 40403), "There is no topic 'none'"),
        ("lab/partitions/0/records?last=0", (400, 400), "last: expected a whole number from 1"),
        ("lab/partitions/0/records?timestamp=x", (400, 400), "timestamp: expected a time"),
        ("lab/partitions/0/records?offset=0&last=1", (400, 400), "exclude each other"),
        ("lab/partitions/0/records?key_format=x", (422, 422), "key_format: expected string"),
        ("lab/partitions/0/records?timeout=x", (404, 404), "timeout in the query"),
    ] {
        let refused = app.get(&format!("/topics/{path}")).await;
        assert_eq!(refused.refusal(), refusal, "{path}: {}", refused.text());
        assert!(refused.message().contains(says), "{path}: {}", refused.message());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_read_from_all_its_partitions_or_some() {
    let app = TestApp::start().await;
    app.topic("lab", 3).await;
    for partition in 0..3 {
        let body = json!({"records": [{"value": partition}, {"value": 10 + partition}]});
        let call = app.request(hyper::Method::POST, &format!("/topics/lab/partitions/{partition}")).json(&body);
        assert_eq!(call.header("Content-Type", JSON).send().await.status, 200);
    }
    for (query, expected) in [
        ("", &[0, 1, 2, 10, 11, 12][..]),
        ("?partitions=0,2", &[0, 2, 10, 12]),
        ("?last=1", &[10, 11, 12]),
        ("?offset=1", &[10, 11, 12]),
        ("?offset=0:2,1:1", &[2, 11, 12]),
        ("?timestamp=0&partitions=1", &[1, 11]),
    ] {
        let reply =
            app.request(hyper::Method::GET, &format!("/topics/lab/records{query}")).header("Accept", JSON).send().await;
        let records = reply.json();
        let values = records.as_array().expect("a list").iter().map(|record| record["value"].as_i64());
        let mut values: Vec<i64> = values.map(|value| value.expect("a number")).collect();
        values.sort_unstable();
        assert_eq!(values, expected, "{query}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_must_be_one_that_each_partition_has_in_every_spelling() {
    let app = TestApp::start().await;
    app.topic("lab", 2).await;
    let call = app.request(hyper::Method::POST, "/topics/lab/partitions/0");
    let call = call.json(&json!({"records": [{"value": 0}, {"value": 1}, {"value": 2}]}));
    assert_eq!(call.header("Content-Type", JSON).send().await.status, 200);
    let topic = postern_kafka::TopicName::parse("lab").expect("a name");
    let before = [(postern_kafka::PartitionId(0), postern_kafka::Offset(1))].into();
    app.cluster.delete_records(&topic, &before).await.expect("they are deleted");
    for (query, asked) in [
        ("partitions/0/records?offset=0", 0),
        ("records?offset=0:0", 0),
        ("records?offset=0:9", 9),
        ("records?offset=9", 9),
        ("records?offset=9&partitions=0,1", 9),
    ] {
        for accept in [JSON, "text/event-stream"] {
            let refused =
                app.request(hyper::Method::GET, &format!("/topics/lab/{query}")).header("Accept", accept).send().await;
            assert_eq!(refused.refusal(), (400, 40002), "{query}: {}", refused.text());
            assert!(refused.message().contains("OFFSET_OUT_OF_RANGE"), "{}", refused.message());
            assert!(refused.message().contains(&format!("found {asked}")), "{query}: {}", refused.message());
        }
    }
    assert_eq!(values_of(&app, "/topics/lab/records?offset=0:1").await.len(), 2);
}

async fn values_of(app: &TestApp, path: &str) -> Vec<Value> {
    let reply = app.request(hyper::Method::GET, path).header("Accept", JSON).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json().as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_decoded_is_passed_with_an_offset_where_there_is_no_instance() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let call = app.request(hyper::Method::POST, "/topics/lab").json(&json!({"records": [{"value": "eA=="}]}));
    assert_eq!(call.header("Content-Type", "application/vnd.kafka.binary.v2+json").send().await.status, 200);
    app.produce_json("lab", &[json!(1)]).await;
    let refused = app.request(hyper::Method::GET, "/topics/lab/records").header("Accept", JSON).send().await;
    assert_eq!(refused.refusal(), (408, 40801));
    assert!(
        refused.message().ends_with("To read on behind it begin with offset=0:1, or read it in another format."),
        "{}",
        refused.message()
    );
    assert_eq!(values_of(&app, "/topics/lab/records?offset=0:1").await[0]["value"], json!(1));
}
