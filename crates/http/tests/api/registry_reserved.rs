//! Fields that metadata keeps free, looked at where the configuration says `validateFields` (docs/reference/schema-compatibility.md §5).

use serde_json::{Value, json};

use crate::registry::{app, get, post, put};

const A: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
const A_B: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}"#;

fn reserving(schema: &str, names: &str) -> Value {
    json!({"schema": schema, "metadata": {"properties": {"confluent:reserved": names}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_fields_stay_reserved_and_unused_at_every_level() {
    let app = app().await;
    put(&app, "/config/s", json!({"compatibility": "NONE", "validateFields": true})).await;
    assert_eq!(post(&app, "/subjects/s/versions", reserving(A, "x, b")).await.status, 200);
    assert_eq!(post(&app, "/subjects/s/versions", reserving(A_B, "b,x")).await.refusal(), (409, 40901));
    let checked = post(&app, "/compatibility/subjects/s/versions?verbose=true", reserving(A_B, "b")).await.json();
    let messages: Vec<&str> =
        checked["messages"].as_array().expect("messages").iter().flat_map(Value::as_str).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages[0].contains(" x,") && messages[1].contains(" b,"), "{messages:?}");
    assert_eq!(messages[2], "{validateFields: 'true', compatibility: 'NONE'}");
    // Metadata that is not given is that of the version before: the field stays reserved.
    assert_eq!(post(&app, "/subjects/s/versions", json!({ "schema": A_B })).await.refusal(), (409, 40901));
    assert_eq!(get(&app, "/subjects/s/versions").await.text(), "[1]");
    put(&app, "/config/s", json!({"validateFields": false})).await;
    assert_eq!(post(&app, "/subjects/s/versions", json!({ "schema": A_B })).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_language_has_fields_at_its_top() {
    let app = app().await;
    put(&app, "/config", json!({"validateFields": true})).await;
    let json = r#"{"type":"object","properties":{"b":{}}}"#;
    let protobuf = "syntax = \"proto3\"; message A { int32 a = 1; } message B { oneof o { int32 b = 1; } message C { int32 c = 1; } }";
    for (kind, schema, name, status) in [
        ("JSON", json, "b", 409),
        ("JSON", json, "type", 200),
        ("PROTOBUF", protobuf, "b", 409),
        ("PROTOBUF", protobuf, "c", 200),
    ] {
        let mut body = reserving(schema, name);
        body["schemaType"] = json!(kind);
        let answer = post(&app, &format!("/subjects/{kind}-{name}/versions"), body).await;
        assert_eq!(answer.status, status, "{kind} {name}: {}", answer.text());
    }
    let marked = json!({"schemaType": "JSON", "schema": r#"{"properties":{"$$a":{}}}"#});
    assert_eq!(post(&app, "/subjects/m/versions", marked.clone()).await.refusal(), (422, 42201));
    put(&app, "/config", json!({"validateFields": null})).await;
    assert_eq!(post(&app, "/subjects/m/versions", marked).await.status, 200);
}
