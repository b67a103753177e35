//! The registry's API: what a client sees, step by step. The recorded scenarios cover it more broadly.

use hyper::Method;
use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

const READING: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"}]}"#;
const READING_MUST: &str =
    r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"},{"name":"must","type":"string"}]}"#;

/// An app whose registry has caught up.
pub(crate) async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.schemas.ready().await;
    app
}

pub(crate) async fn get(app: &TestApp, path: &str) -> Reply {
    app.registry(Method::GET, path).send().await
}

pub(crate) async fn post(app: &TestApp, path: &str, body: Value) -> Reply {
    app.registry(Method::POST, path).json(&body).send().await
}

pub(crate) async fn put(app: &TestApp, path: &str, body: Value) -> Reply {
    app.registry(Method::PUT, path).json(&body).send().await
}

pub(crate) async fn delete(app: &TestApp, path: &str) -> Reply {
    app.registry(Method::DELETE, path).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_registered_and_read_in_every_way() {
    let app = app().await;
    let registered = post(&app, "/subjects/s/versions", json!({ "schema": READING })).await;
    let guid = registered.json()["guid"].as_str().expect("a guid").to_owned();
    let text = serde_json::to_string(READING).expect("a text");
    assert_eq!(
        registered.text(),
        format!(r#"{{"id":1,"version":1,"guid":"{guid}","schemaType":"AVRO","schema":{text}}}"#)
    );
    assert_eq!(registered.header("content-type"), "application/vnd.schemaregistry.v1+json");
    assert_eq!(registered.header("vary"), "Accept-Encoding");
    assert_eq!(registered.header("x-request-id").len(), 36);

    let ts = get(&app, "/subjects/s/versions/latest").await.json()["ts"].as_i64().expect("a time");
    assert_eq!(
        get(&app, "/subjects/s/versions/1").await.text(),
        format!(
            r#"{{"subject":"s","version":1,"id":1,"guid":"{guid}","schemaType":"AVRO","schema":{text},"ts":{ts},"deleted":false}}"#
        )
    );
    let by_id = format!(
        r#"{{"subject":"s","version":1,"guid":"{guid}","schemaType":"AVRO","schema":{text},"ts":{ts},"deleted":false}}"#
    );
    assert_eq!(get(&app, "/schemas/ids/1").await.text(), by_id);
    assert_eq!(get(&app, "/schemas/ids/1/schema").await.text(), READING);
    assert_eq!(get(&app, "/schemas/ids/1/subjects").await.text(), r#"["s"]"#);
    assert_eq!(get(&app, "/schemas/ids/1/versions").await.text(), r#"[{"subject":"s","version":1}]"#);
    assert_eq!(get(&app, &format!("/schemas/guids/{guid}/ids")).await.text(), r#"[{"context":".","id":1}]"#);
    assert_eq!(get(&app, &format!("/schemas/guids/{guid}")).await.json()["schema"], READING);
    assert_eq!(get(&app, "/subjects").await.text(), r#"["s"]"#);
    let found = post(&app, "/subjects/s", json!({ "schema": READING.replace(':', " :") })).await;
    assert_eq!(
        found.text(),
        format!(r#"{{"subject":"s","version":1,"id":1,"guid":"{guid}","schemaType":"AVRO","schema":{text}}}"#)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let app = app().await;
    post(&app, "/subjects/s/versions", json!({ "schema": READING })).await;
    let refused = post(&app, "/subjects/s/versions", json!({ "schema": READING_MUST })).await;
    assert_eq!(refused.refusal(), (409, 40901));
    assert!(refused.message().contains("READER_FIELD_MISSING_DEFAULT_VALUE"), "{}", refused.message());
    let checked =
        post(&app, "/compatibility/subjects/s/versions/latest?verbose=true", json!({ "schema": READING_MUST })).await;
    let messages = checked.json()["messages"].as_array().expect("messages").len();
    assert_eq!((checked.json()["is_compatible"].clone(), messages), (json!(false), 4));
    // Who asks for reasons is told so, too, where there is no schema to check.
    for body in [json!({"schema": "{"}), json!({}), json!({"schema": "a", "schemaType": "THRIFT"})] {
        assert_eq!(post(&app, "/compatibility/subjects/s/versions", body.clone()).await.refusal(), (422, 42201));
        let checked = post(&app, "/compatibility/subjects/s/versions?verbose=true", body).await;
        assert_eq!((checked.status, checked.json()["is_compatible"].clone()), (200, json!(false)));
    }
    let broken = post(
        &app,
        "/subjects/s/versions",
        json!({ "schema": r#"{"type":"record","name":"R","fields":[{"name":"a","type":"integer"}]}"# }),
    )
    .await;
    assert_eq!(broken.refusal(), (422, 42201));
    assert!(broken.message().contains("fields[0]"), "{}", broken.message());
    assert_eq!(
        post(&app, "/subjects/s/versions", json!({ "schema": "{}", "schemaType": "JSON" })).await.refusal(),
        (409, 40901),
        "a subject keeps its language"
    );
    assert_eq!(get(&app, "/subjects/s/versions").await.text(), "[1]");
    assert_eq!(get(&app, "/schemas?subjectPrefix=:*:").await.json().as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_decoded_once() {
    let app = app().await;
    for (path, name) in
        [("a%2Fb", "a/b"), ("c%2520d", "c%20d"), ("e+f", "e+f"), ("g%20h", "g h"), ("%3A.x%3Ai", ":.x:i")]
    {
        let registered = post(&app, &format!("/subjects/{path}/versions"), json!({ "schema": "\"int\"" })).await;
        assert_eq!(registered.status, 200, "{path}");
        assert_eq!(get(&app, &format!("/subjects/{path}/versions/1")).await.json()["subject"], name);
    }
    assert_eq!(get(&app, "/subjects").await.text(), r#"[":.x:i","a/b","c%20d","e+f","g h"]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_context_every_path_speaks_of_it() {
    let app = app().await;
    for context in ["x", ".x", ":.x:"] {
        let registered =
            post(&app, &format!("/contexts/{context}/subjects/s/versions"), json!({ "schema": READING })).await;
        assert_eq!((registered.status, registered.json()["id"].clone()), (200, json!(1)), "{context}");
    }
    assert_eq!(get(&app, "/subjects").await.text(), r#"[":.x:s"]"#);
    assert_eq!(get(&app, "/contexts/x/subjects").await.text(), r#"[":.x:s"]"#);
    assert_eq!(get(&app, "/schemas/ids/1").await.refusal(), (404, 40403));
    assert_eq!(get(&app, "/contexts/x/schemas/ids/1").await.json()["subject"], ":.x:s");
    assert_eq!(
        put(&app, "/contexts/x/config", json!({ "compatibility": "full" })).await.text(),
        r#"{"compatibility":"FULL"}"#
    );
    assert_eq!(get(&app, "/config/:.x:").await.text(), r#"{"compatibilityLevel":"FULL"}"#);
    assert_eq!(get(&app, "/config").await.text(), r#"{"compatibilityLevel":"BACKWARD"}"#);
    for default in [".", ":.:"] {
        assert_eq!(get(&app, &format!("/contexts/{default}/subjects")).await.text(), r#"[":.x:s"]"#, "as without");
    }
    assert_eq!(get(&app, "/contexts/a:b/subjects").await.refusal(), (400, 400));
    assert_eq!(get(&app, "/contexts/x").await.refusal(), (405, 405));
    assert_eq!(delete(&app, "/contexts/x").await.refusal(), (422, 42211));
    assert_eq!(delete(&app, "/contexts/none").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_is_a_clean_404() {
    let app = app().await;
    for path in ["/exporters", "/dek-registry/v1/keks", "/Subjects", "/schemas/ids/x"] {
        assert_eq!(get(&app, path).await.refusal(), (404, 404), "{path}");
    }
    // By the first, Java clients look up the subjects of a topic.
    for path in [
        "/associations/resources/-/t?resourceType=topic&associationType=value",
        "/associations/resources/t",
        "/associations/subjects/s",
    ] {
        let none = get(&app, path).await;
        assert_eq!((none.status, none.json()), (200, json!([])), "{path}");
    }
    for path in ["/associations", "/associations:batchMutate", "/contexts/x/associations"] {
        let refused = post(&app, path, json!({})).await;
        assert_eq!(refused.refusal(), (501, 501), "{path}");
        assert!(refused.message().starts_with("Associating subjects"), "{}", refused.message());
    }
    assert_eq!(put(&app, "/associations/resources/t", json!({})).await.status, 501);
    assert_eq!(delete(&app, "/associations/resources/t").await.status, 501);
    assert_eq!(
        get(&app, "/v1/metadata/id").await.json()["scope"]["clusters"]["kafka-cluster"],
        app.cluster_id.as_str()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_make_new_versions_and_can_be_found() {
    let app = app().await;
    let tag = |path: &str, part: &str, tag: &str| json!({"schemaEntity": {"entityPath": path, "entityType": part}, "tags": [tag]});
    let tagged = json!({"schema": READING, "schemaTagsToAdd": [tag("Reading.t", "sr_field", "PII")]});
    let registered = post(&app, "/subjects/s/versions", tagged).await.json();
    assert_eq!(registered["metadata"], json!({"properties": {"confluent:version": "1"}}));
    let second = post(
        &app,
        "/subjects/s/versions/1/tags",
        json!({"tagsToAdd": [tag("Reading", "sr_record", "T")], "tagsToRemove": [tag("Reading.t", "sr_field", "PII")]}),
    )
    .await;
    assert_eq!((second.status, second.json()["version"].clone()), (200, json!(2)));
    let found = |version: u32, wanted: &str| format!("/subjects/s/versions/{version}?findTags={wanted}");
    let shown = get(&app, &found(1, "*")).await.json();
    assert_eq!(shown["schemaTags"], json!([tag("Reading.t", "sr_field", "PII")]));
    assert_eq!(get(&app, &found(2, "T")).await.json()["schemaTags"], json!([tag("Reading", "sr_record", "T")]));
    assert_eq!(get(&app, &found(2, "PII")).await.json().get("schemaTags"), None);
    // The plain text of a later registration takes them over where it is asked to.
    let propagated = json!({"schema": READING, "propagateSchemaTags": true});
    assert_eq!(post(&app, "/subjects/s/versions", propagated).await.json()["version"], 2);
    let nowhere = json!({"tagsToAdd": [tag("Reading.u", "sr_field", "T")]});
    assert_eq!(post(&app, "/subjects/s/versions/1/tags", nowhere).await.refusal(), (422, 42201));
    let nothing = json!({"tagsToAdd": [tag("Reading", "sr_thing", "T")]});
    assert_eq!(post(&app, "/subjects/s/versions/1/tags", nothing).await.refusal(), (400, 400));
    assert_eq!(get(&app, "/subjects/s/versions").await.text(), "[1,2]");

    // In Protobuf they are options; a file without a package is as good as any.
    let file = json!({"schemaType": "PROTOBUF", "schema": "syntax = \"proto3\"; message A { int32 x = 1; }"});
    post(&app, "/subjects/p/versions", file).await;
    let tagged =
        post(&app, "/subjects/p/versions/1/tags", json!({"tagsToAdd": [tag(".A.x", "sr_field", "PII")]})).await.json();
    let text = "syntax = \"proto3\";\n\nmessage A {\n  int32 x = 1 [(confluent.field_meta) = {\n    tags: [\n      \"PII\"\n    ]\n  }];\n}\n";
    assert_eq!((&tagged["version"], &tagged["schema"]), (&json!(2), &json!(text)));
    let shown = get(&app, "/subjects/p/versions/2?findTags=PII").await.json();
    assert_eq!(shown["schemaTags"], json!([tag("A.x", "sr_field", "PII")]));
}
