//! Schemas of a produce that are refused: by whom, and that nothing is written (docs/reference/rest-v2.md §5.3).

use hyper::Method;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_cannot_be_read_is_another_fault_than_one_that_says_something_unlawful() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    for (format, schema, code) in [
        ("avro", "{", 42205),
        ("avro", r#"{"type":"nothing"}"#, 42205),
        ("jsonschema", "{", 42205),
        ("jsonschema", r#"{"type":"nothing"}"#, 42207),
        ("jsonschema", "[]", 42207),
        ("protobuf", "message {", 42205),
        ("protobuf", "syntax = \"proto3\"; message A { Nothing x = 1; }", 42207),
    ] {
        let call =
            app.request(Method::POST, "/topics/lab").json(&json!({"value_schema": schema, "records": [{"value": {}}]}));
        let refused = call.header("Content-Type", &format!("application/vnd.kafka.{format}.v2+json")).send().await;
        assert_eq!(refused.refusal(), (422, code), "{format} {schema}: {}", refused.text());
    }
    assert_eq!(app.end_offset("lab", 0).await, 0);
    assert_eq!(app.registry(Method::GET, "/subjects").send().await.text(), "[]");
}

/// A schema that was wrong for its values can be replaced by the right one, and a mistyped topic spends no id.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_leaves_no_schema_behind() {
    let app = TestApp::start().await;
    app.topic("run.log", 1).await;
    let schema = |t: &str, x: &str| {
        let fields = json!([{"name": "t", "type": t}, {"name": "x", "type": x}]);
        json!({"type": "record", "name": "Log", "fields": fields}).to_string()
    };
    let produce = async |topic: &str, schema: String| {
        let body = json!({
            "key_schema": "\"string\"",
            "value_schema": schema,
            "records": [{"key": "k", "value": {"t": 1_700_000_000_000_i64, "x": 1.5}}],
        });
        let call = app.request(Method::POST, &format!("/topics/{topic}")).body(body.to_string());
        call.header("Content-Type", "application/vnd.kafka.avro.v2+json").send().await
    };
    assert_eq!(produce("run.log", schema("int", "string")).await.refusal(), (400, 400));
    assert_eq!(produce("rum.log", schema("long", "double")).await.refusal(), (404, 40401));
    assert_eq!(app.registry(Method::GET, "/subjects").send().await.json(), json!([]));
    assert_eq!(app.end_offset("_schemas", 0).await, 0);
    let reply = produce("run.log", schema("long", "double")).await;
    assert_eq!(
        (reply.status, reply.json()["key_schema_id"].as_i64(), reply.json()["value_schema_id"].as_i64()),
        (200, Some(1), Some(2))
    );
    let records = app.records("run.log").await;
    assert_eq!(records[0].0.as_deref(), Some(&[0, 0, 0, 0, 1, 2, b'k'][..]));
    assert_eq!(records[0].1.as_deref().map(|value| value[..5].to_vec()), Some(vec![0, 0, 0, 0, 2]));
}
