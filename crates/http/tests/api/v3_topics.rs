//! API v3: topics created, listed, widened, deleted; and what is refused leaves nothing behind.

use hyper::Method;
use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_of_the_registry_cannot_be_damaged() {
    let app = TestApp::start().await;
    let schema = json!({"schema": "\"string\""});
    assert_eq!(app.registry(hyper::Method::POST, "/subjects/s/versions").json(&schema).send().await.status, 200);
    let end = app.end_offset("_schemas", 0).await;
    let path = app.v3("topics/_schemas");
    let refused = app.patch(&path, json!({"partitions_count": 2})).await;
    assert_eq!(refused.refusal(), (403, 40301));
    assert!(refused.message().contains("holds the schemas"), "{}", refused.message());
    assert_eq!(app.delete(&path).await.refusal(), (403, 40301));
    for path in ["/topics/_schemas", "/topics/_schemas/partitions/0"] {
        let produce = app.request(hyper::Method::POST, path).json(&json!({"records": [{"value": 1}]}));
        let produce = produce.header("Content-Type", "application/vnd.kafka.json.v2+json");
        assert_eq!(produce.send().await.refusal(), (403, 40301), "{path}");
    }
    assert_eq!((app.partitions("_schemas").await, app.end_offset("_schemas", 0).await), (Some(1), end));
    assert_eq!(app.get(&path).await.status, 200, "it is read like any other");
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_with_the_state_of_kafka_and_of_the_registry_are_not_changed_over_http() {
    let app = TestApp::start().await;
    let created = app.post(&app.v3("topics"), json!({"topic_name": "__transaction_state"})).await;
    assert_eq!((created.refusal(), app.partitions("__transaction_state").await), ((403, 40301), None));
    app.topic("__consumer_offsets", 1).await;
    for name in ["__consumer_offsets", "_schemas"] {
        let end = app.end_offset(name, 0).await;
        let topic = app.v3(&format!("topics/{name}"));
        let before = app.get(&format!("{topic}/configs")).await.text().to_owned();
        let value = json!({"value": "60000"});
        let change = json!({"name": "retention.ms", "value": "60000"});
        let records = json!({"records": [{"value": "eA=="}]});
        let produced = app.request(Method::POST, &format!("/topics/{name}")).json(&records);
        for refused in [
            app.delete(&topic).await,
            app.patch(&topic, json!({"partitions_count": 9})).await,
            app.request(Method::PUT, &format!("{topic}/configs/retention.ms")).json(&value).send().await,
            app.delete(&format!("{topic}/configs/retention.ms")).await,
            app.post(&format!("{topic}/configs:alter"), json!({"data": [change]})).await,
            app.post(&app.v3("topics/-/configs:alter"), json!({"data": [{"topic_name": name, "configs": [change]}]}))
                .await,
            app.post(
                &format!("/admin/v1/clusters/{}/topics/{name}/records:delete", app.cluster_id),
                json!({"partitions": [{"partition_id": 0, "before_offset": 1}]}),
            )
            .await,
            produced.header("Content-Type", "application/vnd.kafka.binary.v2+json").send().await,
        ] {
            assert_eq!(refused.refusal(), (403, 40301), "{name}: {}", refused.text());
        }
        let streamed = app.post(&format!("{topic}/records"), json!({"value": {"type": "STRING", "data": "x"}})).await;
        assert_eq!(streamed.error_code(), Some(40301));
        assert_eq!((app.partitions(name).await, app.end_offset(name, 0).await), (Some(1), end), "{name}");
        assert_eq!(app.get(&format!("{topic}/configs")).await.text(), before, "{name}");
    }
}

#[tokio::test]
async fn a_topic_is_created_shown_listed_and_deleted() {
    let app = TestApp::start().await;
    let (url, id) = (app.url(), &app.cluster_id);
    let name = "lsst.example.skyFluxMetric";
    let topic = format!(
        r#"{{"kind":"KafkaTopic","metadata":{{"self":"{url}/v3/clusters/{id}/topics/{name}","resource_name":"crn:///kafka={id}/topic={name}"}},"cluster_id":"{id}","topic_name":"{name}","is_internal":false,"replication_factor":1,"partitions_count":2,"partitions":{{"related":"{url}/v3/clusters/{id}/topics/{name}/partitions"}},"configs":{{"related":"{url}/v3/clusters/{id}/topics/{name}/configs"}},"partition_reassignments":{{"related":"{url}/v3/clusters/{id}/topics/{name}/partitions/-/reassignment"}},"authorized_operations":[]}}"#
    );
    // One broker keeps one replica, and the answer says what is true.
    let body = json!({"topic_name": name, "partitions_count": 2, "replication_factor": 3});
    let created = app.post(&app.v3("topics"), body.clone()).await;
    assert_eq!((created.status, created.text()), (201, topic.as_str()));
    assert_eq!(created.header("location"), format!("{url}/v3/clusters/{id}/topics/{name}"));
    assert_eq!(app.partitions(name).await, Some(2));

    assert_eq!(app.post(&app.v3("topics"), body).await.refusal(), (400, 40002));
    assert_eq!(app.get(&app.v3(&format!("topics/{name}"))).await.text(), topic);
    let list = format!(
        r#"{{"kind":"KafkaTopicList","metadata":{{"self":"{url}/v3/clusters/{id}/topics","next":null}},"data":["#
    );
    let listed = app.get(&app.v3("topics")).await;
    assert!(listed.text().starts_with(&list), "{listed:?}");
    assert!(listed.text().contains(&topic), "{listed:?}");

    let deleted = app.delete(&app.v3(&format!("topics/{name}"))).await;
    assert_eq!((deleted.status, deleted.text()), (204, ""));
    assert_eq!(app.partitions(name).await, None);
    assert_eq!(app.delete(&app.v3(&format!("topics/{name}"))).await.refusal(), (404, 40403));
    assert_eq!(app.get(&app.v3(&format!("topics/{name}"))).await.refusal(), (404, 40403));
}

#[tokio::test]
async fn with_strict_replication_more_replicas_than_brokers_are_refused() {
    let app = TestApp::strict().await;
    let reply = app.post(&app.v3("topics"), json!({"topic_name": "t", "replication_factor": 3})).await;
    assert_eq!(reply.refusal(), (400, 40002));
    assert_eq!(app.partitions("t").await, None);
}

#[tokio::test]
async fn validate_only_creates_nothing() {
    let app = TestApp::start().await;
    let body = json!({"topic_name": "t", "partitions_count": 2, "replication_factor": 1, "validate_only": true});
    let reply = app.post(&app.v3("topics"), body).await;
    assert_eq!(reply.status, 200);
    assert_eq!((&reply.json()["partitions_count"], &reply.json()["replication_factor"]), (&json!(2), &json!(1)));
    assert_eq!(reply.header("location"), format!("{}{}", app.url(), app.v3("topics/t")));
    assert_eq!(app.partitions("t").await, None);
    let wrong =
        json!({"topic_name": "t", "configs": [{"name": "retention.ms", "value": "soon"}], "validate_only": true});
    assert_eq!(app.post(&app.v3("topics"), wrong).await.refusal(), (400, 40002));
}

#[tokio::test]
async fn replicas_are_assigned_by_hand() {
    let app = TestApp::start().await;
    let body =
        json!({"topic_name": "t", "replicas_assignments": {"1": [1], "0": [1], "2": [1]}, "partitions_count": 9});
    let reply = app.post(&app.v3("topics"), body).await;
    assert_eq!((reply.status, &reply.json()["partitions_count"]), (201, &json!(3)));
    assert_eq!(app.partitions("t").await, Some(3));
}

#[tokio::test]
async fn what_cannot_be_created_is_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    let long = "x".repeat(32768);
    let configs = |configs: Value| json!({"topic_name": "t", "configs": configs});
    let assigned = |assignments: Value| json!({"topic_name": "t", "replicas_assignments": assignments});
    let refusals = [
        (json!({}), 400, 400),
        (json!({"topic_name": null}), 400, 400),
        (json!({"topicName": "t"}), 400, 400),
        (json!({"topic_name": ["t"]}), 400, 400),
        (json!({"topic_name": "t", "partitions": 3}), 422, 422),
        (json!({"topic_name": "a/b"}), 422, 42206),
        (json!({"topic_name": ""}), 422, 42206),
        (json!({"topic_name": "x".repeat(250)}), 422, 42206),
        (json!({"topic_name": "t", "partitions_count": "two"}), 400, 400),
        (json!({"topic_name": "t", "partitions_count": 4294967296u64}), 400, 400),
        (json!({"topic_name": "t", "partitions_count": 0}), 400, 40002),
        (json!({"topic_name": "t", "partitions_count": -2}), 400, 40002),
        (json!({"topic_name": "t", "replication_factor": 32768}), 400, 400),
        (json!({"topic_name": "t", "replication_factor": -5}), 400, 40002),
        (configs(json!([{"name": "no.such.config", "value": "1"}])), 400, 40002),
        (configs(json!([{"name": "cleanup.policy"}])), 400, 40002),
        (configs(json!([{"value": "compact"}])), 400, 400),
        (configs(json!([null])), 400, 400),
        (configs(json!({"cleanup.policy": "compact"})), 400, 400),
        // The proxy we replace answers 500 to these, or does not answer at all.
        (configs(json!([{"name": "retention.ms", "value": "1"}, {"name": "retention.ms", "value": "2"}])), 400, 40002),
        (configs(json!([{"name": "cleanup.policy", "value": long}])), 400, 400),
        (configs(json!([{"name": long, "value": "1"}])), 400, 400),
        (configs(json!([{"name": "cleanup.policy", "value": "com\u{0}pact"}])), 400, 40002),
        (assigned(json!({"0": null})), 400, 400),
        (assigned(json!({"0": [null]})), 400, 400),
        (assigned(json!({"0": [7]})), 400, 40002),
        (assigned(json!({"1": [1]})), 400, 40002),
        (assigned(json!({"0": [1, 1]})), 400, 40002),
        (assigned(json!({"0": []})), 400, 40002),
    ];
    for (body, status, code) in refusals {
        let reply = app.post(&app.v3("topics"), body.clone()).await;
        assert_eq!(reply.refusal(), (status, code), "{:.100} {:.300}", body.to_string(), reply.message());
    }
    assert_eq!(app.partitions("t").await, None);
    assert_eq!(app.get("/v3/clusters").await.status, 200, "administration goes on");
}

#[tokio::test]
async fn names_that_collide_are_refused() {
    let app = TestApp::start().await;
    app.topic("a.b", 1).await;
    assert_eq!(app.post(&app.v3("topics"), json!({"topic_name": "a_b"})).await.refusal(), (400, 40002));
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused() {
    let app = TestApp::start().await;
    for (body, status, code) in [
        ("", 422, 42206),
        (" ", 422, 42206),
        ("null", 422, 42206),
        ("[]", 400, 400),
        ("\"t\"", 400, 400),
        ("{", 400, 400),
        ("nonsense", 400, 400),
        ("{\"topic_name\":\"t\"} x", 400, 400),
    ] {
        let reply = app.request(Method::POST, &app.v3("topics")).body(body).send().await;
        assert_eq!(reply.refusal(), (status, code), "{body}");
    }
    assert_eq!(app.partitions("t").await, None);
}

#[tokio::test]
async fn partitions_are_added_and_never_taken_away() {
    let app = TestApp::start().await;
    app.topic("t", 2).await;
    let widened = app.patch(&app.v3("topics/t"), json!({"partitions_count": "5"})).await;
    assert_eq!((widened.status, &widened.json()["partitions_count"]), (200, &json!(5)));
    assert_eq!(app.partitions("t").await, Some(5));
    for (path, body, status, code) in [
        ("topics/t", json!({"partitions_count": 5}), 400, 40002),
        ("topics/t", json!({"partitions_count": 2}), 400, 40002),
        ("topics/t", json!({"partitions_count": 0}), 400, 40002),
        ("topics/t", json!({"partitions_count": null}), 400, 400),
        ("topics/t", json!({"partitions": 9}), 400, 400),
        ("topics/t", json!({"partitions_count": 9, "validate_only": true}), 422, 422),
        ("topics/nope", json!({"partitions_count": 9}), 404, 40403),
        ("topics/a%20b", json!({"partitions_count": 9}), 404, 40403),
    ] {
        assert_eq!(app.patch(&app.v3(path), body.clone()).await.refusal(), (status, code), "{path} {body}");
    }
    let empty = app.request(Method::PATCH, &app.v3("topics/t")).send().await;
    assert_eq!(empty.refusal(), (422, 42206));
    assert_eq!(app.partitions("t").await, Some(5));
}

#[tokio::test]
async fn the_list_is_sorted_by_name() {
    let app = TestApp::start().await;
    for name in ["b", "a", "C", "a.b", "a-b"] {
        app.topic(name, 1).await;
    }
    let listed = app.get(&app.v3("topics")).await.json();
    let names: Vec<&str> =
        listed["data"].as_array().into_iter().flatten().filter_map(|t| t["topic_name"].as_str()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.starts_with('_')).collect();
    assert_eq!(names, ["C", "a", "a-b", "a.b", "b"]);
}

#[tokio::test]
async fn illegal_names_are_told_apart_where_one_only_looks() {
    let app = TestApp::start().await;
    for path in ["topics/a%20b", "topics/a:b", "topics/%C3%BC/partitions", "topics/a%2Fb/configs", "topics/%2E%2E"] {
        assert_eq!(app.get(&app.v3(path)).await.refusal(), (400, 40002), "{path}");
    }
    assert_eq!(app.delete(&app.v3("topics/a%20b")).await.refusal(), (404, 40403));
}

/// The names on each page from `path` on.
async fn pages(app: &TestApp, path: &str, name: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = app.get(&path).await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let names = page["data"].as_array().expect("a list").iter();
        pages.push(names.map(|one| one[name].to_string().replace('"', "")).collect());
        next = page["metadata"]["next"].as_str().map(|url| url.strip_prefix(&app.url()).expect("a link").to_owned());
    }
    pages
}

#[tokio::test]
async fn long_lists_have_pages_where_they_are_asked_for() {
    let app = TestApp::start().await;
    for topic in ["a", "b", "b-1", "c", "d"] {
        app.topic(topic, 3).await;
    }
    assert_eq!(pages(&app, &app.v3("topics"), "topic_name").await, [["_schemas", "a", "b", "b-1", "c", "d"]]);
    let path = app.v3("topics?includeAuthorizedOperations=true&page_size=2");
    assert_eq!(pages(&app, &path, "topic_name").await, [["_schemas", "a"], ["b", "b-1"], ["c", "d"]]);
    let path = app.v3("topics/c/partitions?page_size=2");
    assert_eq!(pages(&app, &path, "partition_id").await, [&["0", "1"][..], &["2"]]);
    let brokers = app.get(&app.v3("brokers")).await.json();
    let path = app.v3(&format!("brokers/{}/partition-replicas", brokers["data"][0]["broker_id"]));
    let whole = pages(&app, &path, "metadata").await.concat();
    let paged = pages(&app, &format!("{path}?page_size=4"), "metadata").await;
    assert!(paged.len() > 3 && paged.concat() == whole, "{paged:?}");
    let path = app.v3("topics/-/configs");
    let whole = pages(&app, &path, "metadata").await.concat();
    let paged = pages(&app, &format!("{path}?page_size=50"), "metadata").await;
    assert!(paged.len() > 3 && paged.concat() == whole, "{} pages", paged.len());

    let first = app.get(&app.v3("topics?page_size=2")).await.json();
    let next =
        first["metadata"]["next"].as_str().and_then(|url| url.strip_prefix(&app.url())).expect("a link").to_owned();
    app.delete(&app.v3("topics/b")).await;
    app.topic("A", 1).await;
    assert_eq!(pages(&app, &next, "topic_name").await, [&["b-1", "c"][..], &["d"]], "neither twice nor left out");

    for (query, name) in [("page_size=0", "page_size"), ("page_size=x", "page_size"), ("page_token=%21", "page_token")]
    {
        let refused = app.get(&app.v3(&format!("topics?{query}"))).await;
        assert!(refused.refusal() == (400, 400) && refused.message().starts_with(name), "{refused:?}");
    }
}
