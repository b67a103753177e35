//! Configurations as they are printed and kept (docs/reference/schema-registry.md §1, §9.3).

use serde_json::json;

use crate::registry::{app, delete, get, put};

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_text_is_printed_only_to_who_writes_it() {
    let app = app().await;
    let empty = json!({"alias": "", "compatibilityGroup": ""});
    assert_eq!(put(&app, "/config/s", empty).await.text(), r#"{"alias":"","compatibilityGroup":""}"#);
    assert_eq!(get(&app, "/config/s").await.text(), r#"{"compatibilityLevel":"BACKWARD"}"#);
    assert_eq!(put(&app, "/config/s", json!({})).await.text(), "{}", "it is not kept either");
    let records = app.records("_schemas").await;
    let (_, value) = records.first().expect("a record");
    assert_eq!(value.as_deref(), Some(&br#"{"subject":"s"}"#[..]));
    assert_eq!(delete(&app, "/config/s").await.text(), r#"{"compatibilityLevel":"BACKWARD"}"#);
}
