//! Producing with the schemas of another registry: two Posterns, one using the registry of the other.

use hyper::Method;
use serde_json::{Value, json};

use crate::app::{Reply, TestApp};
use crate::registry::{get, post};

const READING: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"}]}"#;

async fn produce(app: &TestApp, body: Value) -> Reply {
    let call = app.request(Method::POST, "/topics/lab").json(&body);
    call.header("Content-Type", "application/vnd.kafka.avro.v2+json").send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_resolved_registered_and_refused_by_the_other_registry() {
    let other = TestApp::start().await;
    // Ids that nobody would guess here.
    for text in ["\"int\"", "\"long\""] {
        post(&other, "/subjects/else/versions?force=true", json!({ "schema": text })).await;
    }
    let inner = r#"{"type":"record","name":"Inner","fields":[{"name":"i","type":"int"}]}"#;
    let outer = r#"{"type":"record","name":"Outer","fields":[{"name":"o","type":"Inner"}]}"#;
    post(&other, "/subjects/inner/versions", json!({ "schema": inner })).await;
    let references = json!([{"name": "Inner", "subject": "inner", "version": 1}]);
    let outer = post(&other, "/subjects/lab-key/versions", json!({ "schema": outer, "references": references })).await;
    let outer = outer.json()["id"].clone();
    assert_eq!(outer, 4);

    // The first instance is none; the second answers.
    let app = TestApp::with_schemas_of(&format!("http://127.0.0.1:1,{}", other.registry_url())).await;
    app.topic("lab", 1).await;
    let body = json!({"key_schema_id": outer, "value_schema": READING, "records": [{"key": {"o": {"i": 1}}, "value": {"t": 2}}]});
    let written = produce(&app, body.clone()).await;
    assert_eq!((written.status, written.json()["value_schema_id"].clone()), (200, json!(5)), "{}", written.text());
    let records = app.records("lab").await;
    assert_eq!(records[0].0.as_deref(), Some(&[0, 0, 0, 0, 4, 2][..]));
    assert_eq!(records[0].1.as_deref(), Some(&[0, 0, 0, 0, 5, 4][..]));
    assert_eq!(get(&other, "/subjects/lab-value/versions").await.text(), "[1]");
    assert_eq!(get(&app, "/subjects").await.text(), "[]");

    // Refusals of the other registry, and nothing written.
    let by_id = |id: i32| json!({"value_schema_id": id, "records": [{"value": {"t": 2}}]});
    for id in [999, 1] {
        let refused = produce(&app, by_id(id)).await;
        assert_eq!(refused.refusal(), (422, 42207), "id {id}: {}", refused.message());
    }
    let misfit = json!({"value_schema": "\"string\"", "records": [{"value": "a"}]});
    let refused = produce(&app, misfit).await;
    assert_eq!(refused.refusal(), (422, 42207));
    assert!(refused.message().contains("incompatible") && refused.message().contains("40901"), "{}", refused.message());
    let broken = produce(&app, json!({"value_schema": "{", "records": [{"value": "a"}]})).await;
    assert_eq!(broken.refusal(), (422, 42205));
    assert_eq!(app.end_offset("lab", 0).await, 1);

    // What is known goes on when it is away; what is not is told why.
    drop(other);
    let again = produce(&app, body).await;
    assert_eq!(again.status, 200, "{}", again.text());
    let refused = produce(&app, by_id(77)).await;
    assert_eq!(refused.refusal(), (503, 50302));
    assert!(refused.message().contains("no schema registry can be reached"), "{}", refused.message());
}
