//! Which of several refusals a client gets: the order of the checks (docs/reference/schema-registry.md §6.1, §8.4, §9.4, §10).

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::registry::{app, delete, get, post, put};

const READING: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"}]}"#;
const LONGER: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"},{"name":"u","type":"string","default":""}]}"#;

async fn register(app: &TestApp, subject: &str, body: Value) -> (u16, i64) {
    post(app, &format!("/subjects/{subject}/versions"), body).await.refusal()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_no_schema_is_told_before_the_mode_and_an_empty_one_after_it() {
    let app = app().await;
    put(&app, "/mode/s", json!({ "mode": "READONLY" })).await;
    for body in [json!({"schema": "{"}), json!({"schema": READING, "schemaType": "THRIFT"})] {
        assert_eq!(register(&app, "s", body).await, (422, 42201));
    }
    for body in [json!({}), json!({"schema": READING}), json!({"schema": READING, "id": 4})] {
        assert_eq!(register(&app, "s", body).await, (422, 42205));
    }
    assert_eq!(put(&app, "/config/s", json!({ "compatibility": "SIDEWAYS" })).await.refusal(), (422, 42203));
    assert_eq!(put(&app, "/config/s", json!({ "compatibility": "NONE" })).await.refusal(), (422, 42205));
    assert_eq!(delete(&app, "/config/s").await.refusal(), (404, 40401));
    assert_eq!(delete(&app, "/subjects/s").await.refusal(), (404, 40401));
    assert_eq!(get(&app, "/subjects").await.text(), "[]");
    // Where metadata is merged in nothing is looked up beforehand, and the mode comes first.
    put(&app, "/config/t", json!({ "defaultMetadata": { "properties": { "a": "1" } } })).await;
    assert_eq!(post(&app, "/subjects/t/versions", json!({ "schema": READING })).await.status, 200);
    put(&app, "/mode/t", json!({ "mode": "READONLY" })).await;
    for schema in [READING, "{"] {
        assert_eq!(register(&app, "t", json!({ "schema": schema })).await, (422, 42205));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_of_a_missing_version_before_it_looks_at_the_schema() {
    let app = app().await;
    post(&app, "/subjects/s/versions", json!({ "schema": READING })).await;
    for body in [
        json!({"schema": READING}),
        json!({"schema": "{"}),
        json!({}),
        json!({"schema": READING, "schemaType": "THRIFT"}),
        json!({"schema": READING, "references": [{"name": "a"}]}),
    ] {
        for path in ["/compatibility/subjects/s/versions/2", "/compatibility/subjects/none/versions/1?verbose=true"] {
            assert_eq!(post(&app, path, body.clone()).await.refusal(), (404, 40402), "{path} {body}");
        }
    }
    let wrong = json!({ "schema": {} });
    assert_eq!(post(&app, "/compatibility/subjects/s/versions/2", wrong).await.refusal(), (400, 400));
    assert_eq!(post(&app, "/compatibility/subjects/s/versions/0", json!({})).await.refusal(), (422, 42202));
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_tell_what_is_missing_then_the_mode_then_what_is_not_deleted_yet() {
    let app = app().await;
    for schema in [READING, LONGER] {
        post(&app, "/subjects/s/versions", json!({ "schema": schema })).await;
    }
    delete(&app, "/subjects/s/versions/2").await;
    put(&app, "/mode/s", json!({ "mode": "READONLY" })).await;
    for (path, code) in [
        ("/subjects/s/versions/0", 42202),
        ("/subjects/none/versions/x", 42202),
        ("/subjects/s/versions/2", 40406),
        ("/subjects/s/versions/9", 40402),
        ("/subjects/s/versions/2?permanent=true", 42205),
        ("/subjects/s/versions/1?permanent=true", 42205),
        ("/subjects/s?permanent=true", 42205),
    ] {
        assert_eq!(delete(&app, path).await.refusal().1, code, "{path}");
    }
    put(&app, "/mode/s", json!({ "mode": null })).await;
    for (path, code) in [("/subjects/s/versions/latest?permanent=true", 40407), ("/subjects/s?permanent=true", 40405)] {
        assert_eq!(delete(&app, path).await.refusal().1, code, "{path}");
    }
    assert_eq!(delete(&app, "/subjects/s").await.text(), "[1]");
    put(&app, "/mode/s", json!({ "mode": "READONLY" })).await;
    for (path, code) in [
        ("/subjects/s", 40404),
        ("/subjects/s/versions/latest", 40402),
        ("/subjects/s/versions/latest?permanent=true", 40402),
        ("/subjects/s?permanent=true", 42205),
    ] {
        assert_eq!(delete(&app, path).await.refusal().1, code, "{path}");
    }
    assert_eq!(get(&app, "/subjects/s/versions?deletedAsNegative=true").await.text(), "[-1,-2]");
}

/// What is softly deleted where an import begins is deleted for good, with all that goes with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_begins_on_clean_ground() {
    let app = app().await;
    post(&app, "/subjects/s/versions", json!({ "schema": READING })).await;
    put(&app, "/config/s", json!({ "compatibility": "FULL" })).await;
    assert_eq!(put(&app, "/mode/s", json!({ "mode": "IMPORT" })).await.refusal(), (422, 42205));
    delete(&app, "/subjects/s").await;
    assert_eq!(put(&app, "/mode/s", json!({ "mode": "import" })).await.text(), r#"{"mode":"import"}"#);
    assert_eq!(get(&app, "/subjects/s/versions?deleted=true").await.refusal(), (404, 40401));
    assert_eq!(get(&app, "/config/s").await.refusal(), (404, 40408));
    assert_eq!(get(&app, "/mode/s").await.text(), r#"{"mode":"IMPORT"}"#);
}

/// An import may take the greatest id there is: ids are then given out below it. The greatest version is refused, because the subject
/// could have no further one.
#[tokio::test(flavor = "multi_thread")]
async fn imports_of_the_greatest_numbers_do_not_end_registration() {
    let app = app().await;
    put(&app, "/mode/:.c:", json!({ "mode": "IMPORT" })).await;
    let records = app.records("_schemas").await.len();
    let last = json!({ "schema": READING, "id": i32::MAX, "version": i32::MAX });
    assert_eq!(post(&app, "/subjects/:.c:s/versions", last).await.refusal(), (422, 42201));
    assert_eq!(app.records("_schemas").await.len(), records);
    let first = json!({ "schema": READING, "id": i32::MAX, "version": 1 });
    assert_eq!(post(&app, "/subjects/:.c:s/versions", first).await.json()["id"], i32::MAX);
    put(&app, "/mode/:.c:", json!({ "mode": "READWRITE" })).await;
    let next = post(&app, "/subjects/:.c:t/versions", json!({ "schema": LONGER })).await.json();
    assert_eq!((&next["id"], &next["version"]), (&json!(i32::MAX - 1), &json!(1)));
    let again = post(&app, "/subjects/:.c:u/versions", json!({ "schema": READING })).await.json();
    assert_eq!((&again["id"], &again["version"]), (&json!(i32::MAX), &json!(1)));
}
