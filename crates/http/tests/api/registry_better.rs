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
