//! Parameters of the query: what each call understands, and what it does not (docs/reference/schema-registry.md §3).

use serde_json::json;

use crate::registry::{app, delete, get, post};

const READING: &str =
    r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long","confluent:tags":["PII"]}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_values_are_paired_by_their_place() {
    let app = app().await;
    let properties = json!({ "a": "1", "b": "", "c d": "+" });
    post(&app, "/subjects/s/versions", json!({ "schema": READING, "metadata": { "properties": properties } })).await;
    for (query, status) in [
        ("", 200),
        ("?key=none", 200),
        ("?key=a&value=1", 200),
        ("?key=a&value=2", 404),
        ("?value=1&value=&key=a&key=b", 200),
        ("?key=b&key=a&value&value=1", 200),
        ("?key=b&key=a&value=1&value", 404),
        ("?key=c+d&value=%2B", 200),
        ("?%6bey=a&value=2", 404),
    ] {
        assert_eq!(get(&app, &format!("/subjects/s/metadata{query}")).await.status, status, "{query}");
    }
    assert_eq!(get(&app, "/subjects/s/metadata?key=a&value=2").await.refusal(), (404, 40403));
    delete(&app, "/subjects/s").await;
    assert_eq!(get(&app, "/subjects/s/metadata").await.refusal(), (404, 40401));
    assert_eq!(get(&app, "/subjects/s/metadata?deleted=true&key=a&value=1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_only_shown_by_calls_that_look_for_them() {
    let app = app().await;
    let guid = post(&app, "/subjects/s/versions", json!({ "schema": READING })).await.json()["guid"].clone();
    let guid = format!("/schemas/guids/{}", guid.as_str().expect("a guid"));
    for (path, shown) in [
        ("/subjects/s/versions/1", true),
        ("/schemas/ids/1", true),
        ("/subjects/s/metadata", false),
        (guid.as_str(), false),
    ] {
        let answer = get(&app, &format!("{path}?findTags=*")).await.json();
        assert_eq!(answer.get("schemaTags").is_some(), shown, "{path}");
    }
    assert_eq!(get(&app, "/schemas?findTags=*").await.json()[0].get("schemaTags"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_take_what_makes_sense() {
    let app = app().await;
    for name in ["a", "b", "c"] {
        post(&app, &format!("/subjects/{name}/versions"), json!({ "schema": READING })).await;
    }
    let all = r#"["a","b","c"]"#;
    for (query, answer) in [
        ("limit=2", r#"["a","b"]"#),
        ("offset=1&limit=1", r#"["b"]"#),
        ("offset=%2B1&limit=007", r#"["b","c"]"#),
        ("offset=3", "[]"),
        ("offset=-1", all),
        ("limit=0", all),
        ("limit=-1", all),
        ("limit=2147483647", all),
        ("limit=2&limit=1", r#"["a","b"]"#),
        ("subjectPrefix=", all),
        ("subjectPrefix=:.:b", r#"["b"]"#),
        ("deleted=yes", all),
    ] {
        assert_eq!(get(&app, &format!("/subjects?{query}")).await.text(), answer, "{query}");
    }
    for query in ["limit=", "limit=2147483648", "offset=1.5", "offset=%20", "offset=abc"] {
        assert_eq!(get(&app, &format!("/subjects?{query}")).await.refusal(), (404, 404), "{query}");
    }
    let count = |query: &'static str| {
        let app = &app;
        async move { get(app, &format!("/schemas?{query}")).await.json().as_array().map(Vec::len) }
    };
    assert_eq!((count("limit=1001").await, count("limit=2").await), (Some(3), Some(2)));
}
