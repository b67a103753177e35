//! Contexts: what an unqualified name finds elsewhere, and what it does not (docs/reference/schema-registry.md §2.2).

use serde_json::{Value, json};

use crate::registry::{app, delete, get, post, put};

const READING: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"}]}"#;
const LONGER: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"},{"name":"u","type":"string","default":""}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn reading_looks_into_other_contexts_and_nothing_else_does() {
    let app = app().await;
    for schema in [READING, LONGER] {
        assert_eq!(post(&app, "/subjects/:.c:s/versions", json!({ "schema": schema })).await.status, 200);
    }
    let read = |path: &'static str| get(&app, path);
    assert_eq!(read("/subjects/s/versions/1").await.json()["subject"], ":.c:s");
    assert_eq!(read("/subjects/s/versions/latest/schema").await.text(), LONGER);
    assert_eq!(read("/subjects/s/versions/2/referencedby").await.text(), "[]");
    assert_eq!(read("/schemas/ids/2?subject=s").await.json()["subject"], ":.c:s");
    assert_eq!(post(&app, "/subjects/s", json!({ "schema": READING })).await.json()["subject"], ":.c:s");
    // What is not found elsewhere either is missing here: there is no such subject.
    for path in ["/subjects/s/versions/9", "/subjects/s/versions/9/schema", "/subjects/s/versions/9/referencedby"] {
        assert_eq!(read(path).await.refusal(), (404, 40401), "{path}");
    }
    for schema in ["\"int\"", ""] {
        assert_eq!(post(&app, "/subjects/s", json!({ "schema": schema })).await.refusal(), (404, 40401));
    }
    // Everything else speaks of this subject only.
    assert_eq!(read("/subjects/s/versions").await.refusal(), (404, 40401));
    assert_eq!(read("/subjects/s/metadata").await.refusal(), (404, 40401));
    assert_eq!(delete(&app, "/subjects/s/versions/1").await.refusal(), (404, 40401));
    assert_eq!(post(&app, "/subjects/s/versions/1/tags", json!({})).await.refusal(), (404, 40401));
    let checked = post(&app, "/compatibility/subjects/s/versions", json!({ "schema": "\"int\"" })).await;
    assert_eq!(checked.text(), r#"{"is_compatible":true}"#);
    assert_eq!(get(&app, "/subjects/:.c:s/versions").await.text(), "[1,2]");
    assert_eq!(get(&app, "/subjects").await.text(), r#"[":.c:s"]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_context_comes_first_version_by_version() {
    let app = app().await;
    for (subject, schema) in [(":.c:s", READING), (":.c:s", LONGER), ("s", READING)] {
        post(&app, &format!("/subjects/{subject}/versions"), json!({ "schema": schema })).await;
    }
    let subject_of = |reply: Value| reply["subject"].clone();
    for (path, subject) in [
        ("/subjects/s/versions/1", "s"),
        ("/subjects/s/versions/latest", "s"),
        ("/subjects/s/versions/2", ":.c:s"),
        ("/subjects/:.:s/versions/1", "s"),
    ] {
        assert_eq!(subject_of(get(&app, path).await.json()), subject, "{path}");
    }
    assert_eq!(subject_of(post(&app, "/subjects/s", json!({ "schema": LONGER })).await.json()), ":.c:s");
    assert_eq!(get(&app, "/subjects/s/versions/9").await.refusal(), (404, 40402));
    assert_eq!(get(&app, "/subjects/s/versions/9/referencedby").await.refusal(), (404, 40402));
    assert_eq!(post(&app, "/subjects/s", json!({ "schema": "\"int\"" })).await.refusal(), (404, 40403));
    assert_eq!(delete(&app, "/subjects/s").await.text(), "[1]");
    assert_eq!(subject_of(get(&app, "/subjects/s/versions/1").await.json()), ":.c:s");
    assert_eq!(subject_of(get(&app, "/subjects/s/versions/1?deleted=true").await.json()), "s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_is_deleted_keeps_its_settings_and_its_ids() {
    let app = app().await;
    post(&app, "/subjects/:.c:s/versions", json!({ "schema": READING })).await;
    put(&app, "/config/:.c:", json!({ "compatibility": "FULL" })).await;
    put(&app, "/mode/:.c:", json!({ "mode": "READWRITE" })).await;
    assert_eq!(delete(&app, "/contexts/c").await.refusal(), (422, 42211));
    delete(&app, "/subjects/:.c:s").await;
    assert_eq!(delete(&app, "/contexts/c").await.refusal(), (422, 42211), "what is softly deleted counts");
    delete(&app, "/subjects/:.c:s?permanent=true").await;
    assert_eq!(get(&app, "/contexts").await.text(), r#"[".",".c"]"#);
    assert_eq!(delete(&app, "/contexts/:.c:").await.status, 204);
    assert_eq!(get(&app, "/contexts").await.text(), r#"["."]"#);
    assert_eq!(get(&app, "/config/:.c:").await.text(), r#"{"compatibilityLevel":"FULL"}"#);
    assert_eq!(get(&app, "/mode/:.c:").await.text(), r#"{"mode":"READWRITE"}"#);
    assert_eq!(post(&app, "/subjects/:.c:t/versions", json!({ "schema": READING })).await.json()["id"], 2);
    assert_eq!(get(&app, "/contexts?contextPrefix=.c").await.text(), r#"[".c"]"#);
}

/// The nearest record counts, whole; only some members are filled in, from the one of the default context.
#[tokio::test(flavor = "multi_thread")]
async fn contexts_do_not_inherit_what_is_set_for_the_default_one() {
    let app = app().await;
    put(&app, "/config", json!({ "compatibility": "NONE", "normalize": true, "alias": "x" })).await;
    let in_force = |subject: &'static str| {
        let app = &app;
        async move { get(app, &format!("/config/{subject}?defaultToGlobal=true")).await.text().to_owned() }
    };
    assert_eq!(in_force("s").await, r#"{"alias":"x","normalize":true,"compatibilityLevel":"NONE"}"#);
    assert_eq!(in_force(":.c:s").await, r#"{"compatibilityLevel":"BACKWARD"}"#);
    put(&app, "/config/:.c:", json!({ "compatibility": "FULL" })).await;
    assert_eq!(in_force(":.c:s").await, r#"{"compatibilityLevel":"FULL"}"#);
    put(&app, "/config/:.c:s", json!({ "compatibilityGroup": "g" })).await;
    assert_eq!(
        in_force(":.c:s").await,
        r#"{"normalize":true,"compatibilityLevel":"BACKWARD","compatibilityGroup":"g"}"#
    );
    put(&app, "/config/:.__GLOBAL:", json!({ "compatibility": "FORWARD" })).await;
    assert_eq!(in_force(":.d:s").await, r#"{"compatibilityLevel":"FORWARD"}"#);
    assert_eq!(in_force("s").await, r#"{"alias":"x","normalize":true,"compatibilityLevel":"NONE"}"#);
    delete(&app, "/config").await;
    assert_eq!(get(&app, "/config").await.text(), r#"{"compatibilityLevel":"BACKWARD"}"#);
    assert_eq!(get(&app, "/config?defaultToGlobal=true").await.text(), r#"{"compatibilityLevel":"FORWARD"}"#);
    assert_eq!(in_force("s").await, r#"{"compatibilityLevel":"FORWARD"}"#);
}
