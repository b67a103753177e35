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
