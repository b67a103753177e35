//! API v3: settings of topics, read.

use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test]
async fn a_setting_tells_its_value_and_where_it_comes_from() {
    let app = TestApp::start().await;
    let (url, id) = (app.url(), &app.cluster_id);
    let body = json!({"topic_name": "t", "configs": [{"name": "cleanup.policy", "value": "compact"}]});
    assert_eq!(app.post(&app.v3("topics"), body).await.status, 201);
    assert_eq!(
        app.get(&app.v3("topics/t/configs/cleanup.policy")).await.text(),
        format!(
            r#"{{"kind":"KafkaTopicConfig","metadata":{{"self":"{url}/v3/clusters/{id}/topics/t/configs/cleanup.policy","resource_name":"crn:///kafka={id}/topic=t/config=cleanup.policy"}},"cluster_id":"{id}","name":"cleanup.policy","value":"compact","is_read_only":false,"is_sensitive":false,"source":"DYNAMIC_TOPIC_CONFIG","synonyms":[{{"name":"cleanup.policy","value":"compact","source":"DYNAMIC_TOPIC_CONFIG"}},{{"name":"log.cleanup.policy","value":"delete","source":"DEFAULT_CONFIG"}}],"topic_name":"t","is_default":false}}"#
        )
    );
    let default = app.get(&app.v3("topics/t/configs/retention.ms")).await.json();
    assert_eq!((&default["value"], &default["is_default"]), (&json!("604800000"), &json!(true)));
    for missing in ["topics/t/configs/no.such.config", "topics/t/configs/Cleanup.Policy"] {
        assert_eq!(app.get(&app.v3(missing)).await.refusal(), (404, 404), "{missing}");
    }
    for missing in ["topics/nope/configs", "topics/nope/configs/cleanup.policy"] {
        assert_eq!(app.get(&app.v3(missing)).await.refusal(), (404, 40403), "{missing}");
    }
}

#[tokio::test]
async fn lists_are_sorted_by_name() {
    let app = TestApp::start().await;
    app.topic("b", 1).await;
    app.topic("a", 1).await;
    let listed = app.get(&app.v3("topics/a/configs")).await.json();
    assert_eq!(listed["kind"], "KafkaTopicConfigList");
    assert_eq!(
        listed["metadata"],
        json!({"self": format!("{}{}", app.url(), app.v3("topics/a/configs")), "next": null})
    );
    let names = column(&listed, "name");
    assert!(names.is_sorted() && names.len() > 20, "{names:?}");

    let all = app.get(&app.v3("topics/-/configs")).await.json();
    assert_eq!(all["metadata"]["self"], format!("{}{}", app.url(), app.v3("topics/-/configs")));
    let of_b: Vec<&Value> =
        all["data"].as_array().into_iter().flatten().filter(|config| config["topic_name"] == "b").collect();
    assert_eq!(of_b.len(), names.len());
    assert!(column(&all, "topic_name").is_sorted());
}

fn column(list: &Value, member: &str) -> Vec<String> {
    list["data"].as_array().into_iter().flatten().filter_map(|item| Some(item[member].as_str()?.to_owned())).collect()
}
