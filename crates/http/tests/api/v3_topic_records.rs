//! Reading a topic through API v3.

use hyper::Method;
use serde_json::{Value, json};

use crate::app::TestApp;

impl TestApp {
    /// Produces one record through API v3.
    async fn produce_v3(&self, topic: &str, record: Value) -> Value {
        let reply = self.post(&self.v3(&format!("topics/{topic}/records")), record).await;
        assert_eq!(reply.json()["error_code"], 200, "{}", reply.text());
        reply.json()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_produced_is_read_with_its_types_and_can_be_produced_again() {
    let app = TestApp::start().await;
    app.topic("lab", 2).await;
    let record = json!({
        "partition_id": 1, "timestamp": "2026-01-31T12:00:00.123Z", "headers": [{"name": "h", "value": "AA=="}],
        "key": {"type": "STRING", "data": "k"},
        "value": {"type": "AVRO", "schema": "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"i\",\"type\":\"int\"}]}", "data": {"i": 5}},
    });
    let receipt = app.produce_v3("lab", record).await;
    let id = receipt["value"]["schema_id"].as_i64().expect("an id");
    app.produce_v3("lab", json!({"partition_id": 1, "value": {"schema_id": id, "data": {"i": 6}}})).await;
    let path = app.v3("topics/lab/partitions/1/records");
    let read = app.get(&format!("{path}?format=avro&key_format=string&include=headers&max_bytes=8")).await;
    assert_eq!((read.status, read.header("content-type")), (200, "application/json"), "{}", read.text());
    let url = format!("{}{path}", app.url());
    assert_eq!(
        read.json(),
        json!({
            "kind": "KafkaRecordList",
            "metadata": {
                "self": url,
                "next": format!("{url}?offset=1:1&format=avro&key_format=string&include=headers&max_bytes=8"),
            },
            "data": [{
                "topic_name": "lab", "partition_id": 1, "offset": 0, "timestamp": "2026-01-31T12:00:00.123Z",
                "headers": [{"name": "h", "value": "AA=="}],
                "key": {"type": "STRING", "data": "k"},
                "value": {"schema_id": id, "data": {"i": 5}},
            }],
        })
    );
    // The link goes on where this answer ends, and a key that is Kafka's null has no type.
    let next = read.json()["metadata"]["next"].as_str().expect("a URL").to_owned();
    let second = app.get(next.strip_prefix(&app.url()).expect("it is here")).await.json();
    assert_eq!(second["data"][0]["value"]["data"], json!({"i": 6}));
    assert_eq!((&second["data"][0]["key"], second["data"].as_array().map(Vec::len)), (&Value::Null, Some(1)));
    // What is read is what can be produced.
    let again = &read.json()["data"][0];
    let copy = json!({"partition_id": 0, "key": again["key"], "value": again["value"], "headers": again["headers"]});
    app.produce_v3("lab", copy).await;
    let all = app.get(&app.v3("topics/lab/records?format=avro&key_format=string&last=1")).await.json();
    let mut values: Vec<i64> = all["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|record| record["value"]["data"]["i"].as_i64())
        .collect();
    values.sort_unstable();
    assert_eq!(values, [5, 6]);
    let lines = app.request(Method::HEAD, &path).header("Accept", "application/x-ndjson").send().await;
    assert_eq!((lines.status, lines.text()), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_named() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    for (path, refusal, says) in [
        (app.v3("topics/none/records"), (404, 40403), "none"),
        (app.v3("topics/lab/partitions/7/records"), (404, 40402), "Partition 7 of topic lab"),
        (app.v3("topics/lab/records?partitions=7"), (404, 40402), "Partition 7 of topic lab"),
        (app.v3("topics/lab/records?format=xml"), (422, 422), "format: expected string"),
        (app.v3("topics/lab/records?offset=7"), (400, 40002), "expected 0 to 0"),
        ("/v3/clusters/other/topics/lab/records".to_owned(), (404, 404), "Cluster other"),
    ] {
        let refused = app.get(&path).await;
        assert_eq!(refused.refusal(), refusal, "{path}: {}", refused.text());
        assert!(refused.message().contains(says), "{path}: {}", refused.message());
    }
    let empty = app.get(&app.v3("topics/lab/records?timeout=1")).await.json();
    assert_eq!(empty["data"], json!([]));
    assert!(
        empty["metadata"]["next"].as_str().is_some_and(|next| next.ends_with("/records?offset=0:0&timeout=1")),
        "{empty}"
    );
}
