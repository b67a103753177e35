//! Where the registry we replace answers badly, and this one does not: one test per note of the recorded defects
//! (`registry-defects.json`).

use hyper::Method;
use serde_json::json;

use crate::registry::{app, delete, get, post, put};

const READING: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"}]}"#;
const LONGER: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"},{"name":"u","type":"string","default":""}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_text_of_an_id_that_is_not_there_is_40403() {
    let app = app().await;
    assert_eq!(get(&app, "/schemas/ids/2000000000/schema").await.refusal(), (404, 40403));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_negative_offset_is_none() {
    let app = app().await;
    post(&app, "/subjects/s/versions", json!({ "schema": READING })).await;
    for (path, answer) in [
        ("/subjects?offset=-1", r#"["s"]"#),
        ("/contexts?offset=-1", r#"["."]"#),
        ("/subjects/s/versions?offset=-1", "[1]"),
        ("/subjects/s/versions/1/referencedby?offset=-1", "[]"),
    ] {
        let reply = get(&app, path).await;
        assert_eq!((reply.status, reply.text()), (200, answer), "{path}");
    }
    assert_eq!(get(&app, "/schemas?offset=-1").await.json().as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_must_be_given_and_must_be_one() {
    let app = app().await;
    assert_eq!(put(&app, "/mode/s", json!({})).await.refusal(), (422, 42204));
    assert_eq!(put(&app, "/mode/s", json!("READONLY")).await.refusal(), (400, 400));
    assert_eq!(put(&app, "/mode/s", json!({ "mode": "forward" })).await.refusal(), (422, 42204));
    assert_eq!(delete(&app, "/mode/s").await.refusal(), (404, 40401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_among_the_properties_is_the_clients_fault() {
    let app = app().await;
    let body = json!({ "schema": READING, "metadata": { "properties": { "a": null } } });
    let refused = post(&app, "/subjects/s/versions", body).await;
    assert_eq!(refused.refusal(), (400, 400));
    assert!(refused.message().starts_with("metadata.properties.a: "), "{}", refused.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_overwrites_nothing() {
    let app = app().await;
    assert_eq!(put(&app, "/mode/:.c:", json!({ "mode": "IMPORT" })).await.status, 200);
    let import = |text: &str, id: i32, version: i32| json!({ "schema": text, "id": id, "version": version });
    assert_eq!(post(&app, "/subjects/:.c:a/versions", import(READING, 11, 3)).await.status, 200);
    assert_eq!(post(&app, "/subjects/:.c:a/versions", import(LONGER, 13, 3)).await.refusal(), (422, 42205));
    assert_eq!(get(&app, "/schemas/ids/11?subject=:.c:").await.json()["schema"], READING);
    assert_eq!(post(&app, "/subjects/:.c:a/versions", import("", 44, 4)).await.refusal(), (422, 42201));
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_and_empty_segments_are_answered_in_json() {
    let app = app().await;
    assert_eq!(post(&app, "/subjects/a%0A/versions", json!({ "schema": READING })).await.refusal(), (422, 42208));
    assert_eq!(get(&app, "/subjects/a%09b/versions").await.refusal(), (404, 40401));
    assert_eq!(put(&app, "/config/a%7F", json!({ "compatibility": "FULL" })).await.refusal(), (422, 42208));
    let reply = app.registry(Method::GET, "//schemas/types").send().await;
    assert_eq!((reply.status, reply.text()), (200, r#"["JSON","PROTOBUF","AVRO"]"#));
    assert_eq!(post(&app, "/subjects//versions", json!({ "schema": "\"int\"" })).await.status, 404);
    assert_eq!(get(&app, &format!("/subjects/{}/versions", "a".repeat(8192))).await.refusal(), (414, 414));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_told_whatever_it_is_called() {
    let app = app().await;
    let property = |kind: &str| json!({"schemaType": "JSON", "schema": format!(r#"{{"type":"object","properties":{{"100%d":{{"type":"{kind}"}}}}}}"#)});
    post(&app, "/subjects/s/versions", property("string")).await;
    let check = "/compatibility/subjects/s/versions/latest";
    assert_eq!(post(&app, check, property("integer")).await.text(), r#"{"is_compatible":false}"#);
    let told = post(&app, &format!("{check}?verbose=true"), property("integer")).await;
    assert!(told.json()["messages"][0].as_str().is_some_and(|message| message.contains("100%d")), "{}", told.text());
    assert_eq!(post(&app, "/subjects/s/versions", property("integer")).await.refusal(), (409, 40901));
    let below = |maximum: u8| json!({"schemaType": "JSON", "schema": format!(r#"{{"type":"number","exclusiveMaximum":{maximum}}}"#)});
    post(&app, "/subjects/t/versions", below(5)).await;
    for (maximum, answer) in [(4, r#"{"is_compatible":false}"#), (6, r#"{"is_compatible":true}"#)] {
        assert_eq!(post(&app, "/compatibility/subjects/t/versions/latest", below(maximum)).await.text(), answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_schemas_are_not_taken_for_some() {
    let app = app().await;
    for (kind, schema) in [
        ("JSON", r#"{"type":"string"}}"#),
        ("JSON", r#"{"type":"string"} {"a":1}"#),
        ("PROTOBUF", "syntax = \"proto3\"; message A { int32 x = 0; }"),
        ("PROTOBUF", "syntax = \"proto3\"; message A { int32 x = 1; int32 y = 1; }"),
        ("PROTOBUF", "syntax = \"proto3\"; message A { int32 x = -1; }"),
    ] {
        let refused = post(&app, "/subjects/s/versions", json!({"schemaType": kind, "schema": schema})).await;
        assert_eq!(refused.refusal(), (422, 42201), "{schema}");
    }
    assert_eq!(get(&app, "/subjects").await.text(), "[]");
}
