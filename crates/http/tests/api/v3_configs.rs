//! API v3: settings of topics, brokers and of all brokers, read and changed.

use hyper::Method;
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

/// As wherever else a topic is named: another cluster has no topics to judge.
#[tokio::test]
async fn an_unknown_cluster_is_told_before_an_illegal_name_of_a_topic() {
    let app = TestApp::start().await;
    let configs = "topics/a%20b/configs";
    let one = format!("{configs}/retention.ms");
    for (method, path, body) in [
        (Method::GET, configs, None),
        (Method::GET, &one, None),
        (Method::PUT, &one, Some(json!({"value": "1"}))),
        (Method::DELETE, &one, None),
        (Method::POST, &format!("{configs}:alter"), Some(json!({"data": [{"name": "retention.ms", "value": "1"}]}))),
    ] {
        for (path, status) in [(format!("/v3/clusters/other/{path}"), 404), (app.v3(path), 400)] {
            let mut request = app.request(method.clone(), &path);
            if let Some(body) = &body {
                request = request.json(body);
            }
            assert_eq!(request.send().await.status, status, "{method} {path}");
        }
    }
}

/// Value and whether it is the default.
async fn value(app: &TestApp, path: &str) -> (Value, Value) {
    let config = app.get(&app.v3(path)).await.json();
    (config["value"].clone(), config["is_default"].clone())
}

async fn put(app: &TestApp, path: &str, body: Value) -> (u16, i64) {
    app.request(Method::PUT, &app.v3(path)).json(&body).send().await.refusal()
}

async fn alter(app: &TestApp, path: &str, body: Value) -> (u16, i64) {
    app.post(&app.v3(path), body).await.refusal()
}

#[tokio::test]
async fn a_setting_of_a_topic_is_set_and_reset() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    let path = "topics/t/configs/retention.ms";
    let default = (json!("604800000"), json!(true));
    assert_eq!(put(&app, path, json!({"value": 90000})).await, (204, 0));
    assert_eq!(value(&app, path).await, (json!("90000"), json!(false)));
    for (body, expected) in [
        (json!({"value": ["1"]}), (400, 400)),
        (json!({"value": "1", "operation": "SET"}), (422, 422)),
        (json!({"value": null}), (400, 40002)),
        (json!({}), (400, 40002)),
        (json!({"value": "1d"}), (400, 40002)),
        (json!(null), (422, 42206)),
        (json!({"value": "x".repeat(32768)}), (400, 400)),
    ] {
        assert_eq!(put(&app, path, body.clone()).await, expected, "{body}");
    }
    let refused = app.request(Method::PUT, &app.v3(path)).json(&json!({"value": "1d"})).send().await;
    assert!(refused.message().contains("1d") && refused.message().ends_with("(INVALID_CONFIG)"), "{refused:?}");
    assert_eq!(app.request(Method::PUT, &app.v3(path)).send().await.refusal(), (422, 42206));
    assert_eq!(value(&app, path).await, (json!("90000"), json!(false)), "nothing that was refused was done");
    for _ in 0..2 {
        assert_eq!(app.delete(&app.v3(path)).await.refusal(), (204, 0));
        assert_eq!(value(&app, path).await, default);
    }
    for (path, expected) in [
        ("topics/t/configs/no.such.config", (404, 404)),
        ("topics/nope/configs/retention.ms", (404, 40403)),
        ("topics/a%20b/configs/retention.ms", (400, 40002)),
    ] {
        assert_eq!(put(&app, path, json!({"value": "1"})).await, expected, "{path}");
        assert_eq!(app.delete(&app.v3(path)).await.refusal(), expected, "{path}");
    }
}

#[tokio::test]
async fn settings_are_altered_together_or_not_at_all() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    let (path, retention) = ("topics/t/configs:alter", "topics/t/configs/retention.ms");
    let body = json!({"data": [{"name": "cleanup.policy", "value": "compact"}, {"name": "retention.ms", "value": "5000", "operation": "SET"}]});
    assert_eq!(alter(&app, path, body).await, (204, 0));
    for (body, expected) in [
        (
            json!({"data": [{"name": "retention.ms", "operation": "DELETE"}, {"name": "segment.ms", "value": "soon"}]}),
            (400, 40002),
        ),
        (
            json!({"data": [{"name": "retention.ms", "operation": "DELETE"}, {"name": "no.such", "value": "1"}]}),
            (404, 404),
        ),
        (
            json!({"data": [{"name": "retention.ms", "value": "1"}, {"name": "retention.ms", "value": "2"}]}),
            (400, 40002),
        ),
        (json!({"data": [{"name": "retention.ms"}]}), (400, 40002)),
        (json!({"data": [{"name": "retention.ms", "value": "1"}], "validate_only": true}), (204, 0)),
        (json!({"data": [{"name": "retention.ms", "value": "x"}], "validate_only": true}), (400, 40002)),
        (json!({"data": []}), (204, 0)),
        (json!({"data": [null]}), (400, 400)),
    ] {
        assert_eq!(alter(&app, path, body.clone()).await, expected, "{body}");
        assert_eq!(value(&app, retention).await, (json!("5000"), json!(false)), "{body}");
    }
    let body = json!({"data": [{"name": "retention.ms", "value": "ignored", "operation": "DELETE"}]});
    assert_eq!(alter(&app, path, body).await, (204, 0));
    assert_eq!(value(&app, retention).await.1, json!(true));
    assert_eq!(value(&app, "topics/t/configs/cleanup.policy").await.0, json!("compact"));
}

#[tokio::test]
async fn of_several_topics_each_is_altered_by_itself() {
    let app = TestApp::start().await;
    app.topic("a", 1).await;
    app.topic("b", 1).await;
    let path = "topics/-/configs:alter";
    let entry =
        |topic: &str, value: &str| json!({"topic_name": topic, "configs": [{"name": "retention.ms", "value": value}]});
    let reply = app.post(&app.v3(path), json!({"data": [entry("a", "1000"), entry("b", "soon")]})).await;
    assert_eq!(reply.status, 207);
    let failures = &reply.json()["failures"];
    assert_eq!((failures.as_array().map(Vec::len), &failures[0]["topic_name"]), (Some(1), &json!("b")));
    assert_eq!(failures[0]["error_code"], 40002);
    assert_eq!(value(&app, "topics/a/configs/retention.ms").await.0, json!("1000"));
    assert_eq!(value(&app, "topics/b/configs/retention.ms").await.1, json!(true));
    for (data, expected) in [
        (json!([entry("a", "2000"), entry("nope", "1")]), (404, 40403)),
        (json!([entry("a", "2000"), {"topic_name": "b", "configs": [{"name": "no.such", "value": "1"}]}]), (404, 404)),
        (json!([entry("a", "2000"), {"topic_name": "b"}]), (400, 400)),
        (json!([entry("a", "2000"), entry("_schemas", "1")]), (403, 40301)),
        (json!([]), (204, 0)),
    ] {
        assert_eq!(alter(&app, path, json!({"data": data})).await, expected);
    }
    assert_eq!(value(&app, "topics/a/configs/retention.ms").await.0, json!("1000"), "nothing at all was done");
    assert_eq!(alter(&app, path, json!({"data": [entry("a", "3000"), entry("a", "4000")]})).await, (204, 0));
    assert_eq!(value(&app, "topics/a/configs/retention.ms").await.0, json!("4000"), "the last one counts");
}

#[tokio::test]
async fn settings_of_a_broker_and_of_all_brokers() {
    let app = TestApp::start().await;
    let (one, all) = ("brokers/1/configs/log.cleaner.backoff.ms", "broker-configs/log.cleaner.backoff.ms");
    assert_eq!(app.get(&app.v3(all)).await.refusal(), (404, 404), "nothing is set for all");
    assert_eq!(app.delete(&app.v3(all)).await.refusal(), (404, 404));
    assert_eq!(put(&app, all, json!({"value": "14000"})).await, (204, 0));
    let (url, id) = (app.url(), &app.cluster_id);
    assert_eq!(
        app.get(&app.v3(all)).await.text(),
        format!(
            r#"{{"kind":"KafkaClusterConfig","metadata":{{"self":"{url}/v3/clusters/{id}/broker-configs/log.cleaner.backoff.ms","resource_name":"crn:///kafka={id}/broker-config=log.cleaner.backoff.ms"}},"cluster_id":"{id}","name":"log.cleaner.backoff.ms","value":"14000","is_read_only":false,"is_sensitive":false,"source":"DYNAMIC_DEFAULT_BROKER_CONFIG","synonyms":[{{"name":"log.cleaner.backoff.ms","value":"14000","source":"DYNAMIC_DEFAULT_BROKER_CONFIG"}}],"config_type":"BROKER","is_default":false}}"#
        )
    );
    assert_eq!(column(&app.get(&app.v3("broker-configs")).await.json(), "name"), ["log.cleaner.backoff.ms"]);
    assert_eq!(put(&app, one, json!({"value": "13000"})).await, (204, 0));
    assert_eq!(value(&app, one).await.0, json!("13000"));
    assert_eq!(app.delete(&app.v3(one)).await.refusal(), (204, 0));
    assert_eq!(value(&app, one).await.0, json!("14000"));
    assert_eq!(app.delete(&app.v3(all)).await.refusal(), (204, 0));
    assert_eq!(value(&app, one).await, (json!("15000"), json!(true)));

    let listed = app.get(&app.v3("brokers/1/configs")).await.json();
    assert_eq!(listed["kind"], "KafkaBrokerConfigList");
    assert!(column(&listed, "name").is_sorted() && listed["data"][0]["broker_id"] == 1, "{listed}");
    let password = app.get(&app.v3("brokers/1/configs/ssl.keystore.password")).await.json();
    assert_eq!((&password["value"], &password["is_sensitive"]), (&Value::Null, &json!(true)));
    let everywhere = app.get(&app.v3("brokers/-/configs")).await.json();
    assert_eq!(everywhere["data"].as_array().map(Vec::len), listed["data"].as_array().map(Vec::len));

    for path in ["brokers/1/configs:alter", "broker-configs:alter"] {
        let body = json!({"data": [{"name": "log.cleaner.backoff.ms", "value": "14500"}], "validate_only": true});
        assert_eq!(alter(&app, path, body).await, (204, 0), "{path}");
        assert_eq!(value(&app, one).await.1, json!(true), "{path}: it was validated only");
    }
    let body = json!({"data": [{"name": "log.cleaner.threads", "value": "many"}]});
    assert_eq!(alter(&app, "brokers/1/configs:alter", body.clone()).await, (400, 40002));
    assert_eq!(alter(&app, "broker-configs:alter", body).await, (400, 40002));
    assert_eq!(put(&app, "brokers/1/configs/no.such", json!({"value": "1"})).await, (404, 404));
    assert_eq!(put(&app, "brokers/1/configs/log.dirs", json!({"value": "/tmp"})).await, (400, 40002));
    for path in ["brokers/x/configs", "brokers/4711/configs", "brokers/4711/configs/log.dirs"] {
        assert_eq!(app.get(&app.v3(path)).await.refusal(), (404, 404), "{path}");
    }
    assert_eq!(alter(&app, "brokers/4711/configs:alter", json!({"data": []})).await, (404, 404));
}

fn column(list: &Value, member: &str) -> Vec<String> {
    list["data"].as_array().into_iter().flatten().filter_map(|item| Some(item[member].as_str()?.to_owned())).collect()
}
