//! What callers may do: every route without, with wrong and with foreign credentials; bodies, lists and limits.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::Method;
use postern_access::{Caller, Permissions, Roles, Rules, User, Users, Way};
use postern_http::{AccessControl, Authentication, Basic, Bounds};
use serde_json::{Value, json};

use crate::app::{Call, Reply, TestApp};

const RULES: &str = r#"
[[rule]]
who = ["ana"]
topics = ["own.*"]
groups = ["own-*"]
subjects = ["own.*"]
may = ["produce", "consume", "create", "alter", "delete", "join", "register", "remove"]
limits = { partitions = 2, replicas = 1, configs = ["retention.ms"] }
[[rule]]
who = ["ana"]
topics = ["made.*"]
may = ["produce", "create"]
limits = { default-partitions = 2, default-configs = { "retention.ms" = "60000" } }
on-first-produce = true
[[rule]]
who = ["ops"]
topics = ["own.*"]
may = ["describe", "settings"]
[[rule]]
who = ["all"]
topics = ["*"]
groups = ["*"]
subjects = ["*"]
may = ["produce", "consume", "create", "alter", "delete", "join", "register", "configure", "remove", "change-settings", "change-acls", "govern", "import"]
"#;

fn rules() -> Arc<Rules> {
    Arc::new(Rules::parse(RULES, &["_schemas"]).expect("good rules").0)
}

/// `ana` has a namespace, `ops` sees it and how brokers are set, `all` may everything, and `eve` is named by no rule. The password is the name.
async fn app() -> TestApp {
    let entries = ["ana", "ops", "all", "eve"].map(|name| User { name, value: name });
    let Ok((users, _)) = Users::realm(entries, Roles::Any) else { panic!("refused") };
    let basic = Authentication::Basic(Box::new(Basic::new(users, "R")));
    TestApp::with_access(AccessControl::new(basic, Some(rules()))).await
}

fn as_user(call: Call, name: &str) -> Call {
    call.header("Authorization", &format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{name}"))))
}

async fn send(app: &TestApp, name: &str, method: Method, path: &str, body: Value) -> Reply {
    let call = app.request(method, path);
    as_user(if body.is_null() { call } else { call.json(&body) }, name).send().await
}

async fn v2(app: &TestApp, name: &str, path: &str, kind: &str, body: Value) -> Reply {
    let call = app.request(Method::POST, path).json(&body);
    as_user(call.header("Content-Type", &format!("application/vnd.kafka.{kind}v2+json")), name).send().await
}

async fn registry(app: &TestApp, name: &str, method: Method, path: &str, body: Value) -> Reply {
    let call = app.registry(method, path);
    as_user(if body.is_null() { call } else { call.json(&body) }, name).send().await
}

/// A path with names in it that belong to somebody else.
fn foreign(path: &str, cluster: &str) -> String {
    let parameters = [
        ("{cluster}", cluster),
        ("{topic}", "foreign"),
        ("{group}", "foreign"),
        ("{subject}", "foreign"),
        ("{context}", ".c"),
        ("{guid}", "00000000-0000-0000-0000-000000000000"),
    ];
    let mut filled = parameters.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    while let (Some(from), Some(to)) = (filled.find('{'), filled.find('}')) {
        filled.replace_range(from..=to, "1");
    }
    filled
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_is_forgotten() {
    let app = app().await;
    let explained = |name: &str, method: &Method, path: &str| {
        let caller = Caller::new(Way::Basic, name, Vec::new()).expect("a name");
        let permissions = Permissions::new(Arc::new(caller), Some(rules()));
        postern_http::explain(&permissions, None, method.as_str(), path).expect("a path of an API").0
    };
    let rest = postern_http::rest(app.proxy.clone(), &Bounds::default());
    let schemas = postern_http::registry(app.schemas.clone(), &Bounds::default());
    let rest = rest.routes().map(|route| (route, false));
    for ((method, pattern, is_listed), is_registry) in rest.chain(schemas.routes().map(|route| (route, true))) {
        assert!(is_listed, "{method} {pattern} needs a row in crates/http/src/access/routes.rs");
        let path = foreign(pattern, &app.cluster_id);
        let call = || match is_registry {
            true => app.registry(method.clone(), &path),
            false => app.request(method.clone(), &path),
        };
        if method == Method::GET && path == "/" {
            assert_eq!(call().send().await.status, 200, "{pattern} is open");
            continue;
        }
        assert_eq!(call().send().await.refusal(), (401, 401), "{method} {pattern} without credentials");
        let wrong = call().header("Authorization", "Basic YW5hOndyb25n").send().await.status;
        assert!(matches!(wrong, 401 | 429), "{method} {pattern} with wrong credentials: {wrong}");
        let unnamed = as_user(call(), "eve").send().await;
        assert_eq!(unnamed.refusal(), (403, 40301), "{method} {pattern} with foreign credentials: {}", unnamed.text());
        assert!(!explained("eve", method, &path), "{method} {pattern}");
        // An instance is found by its owner only, whatever its group is called.
        let has_names = ["{topic}", "{group}", "{subject}"].iter().any(|name| pattern.contains(name));
        if has_names && !pattern.contains("{instance}") {
            let denied = as_user(call(), "ana").send().await;
            assert_eq!(denied.refusal(), (403, 40301), "{method} {pattern} beyond the namespace: {}", denied.text());
            assert!(!explained("ana", method, &path), "{method} {pattern}");
        }
    }
    assert_eq!(app.partitions("foreign").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_used_and_the_rest_is_neither_seen_nor_changed() {
    let app = app().await;
    app.topic("other", 1).await;
    let topics = app.v3("topics");
    let created = send(&app, "ana", Method::POST, &topics, json!({"topic_name": "own.t", "partitions_count": 2})).await;
    assert_eq!(created.status, 201, "{}", created.text());
    for (body, expected) in [
        (json!({"topic_name": "other.t"}), "It may create: own.* (access rule 1)"),
        (json!({"topic_name": "own.u", "partitions_count": 3}), "at most 2 partitions, found 3"),
        (
            json!({"topic_name": "own.u", "configs": [{"name": "cleanup.policy", "value": "compact"}]}),
            "found cleanup.policy",
        ),
    ] {
        let denied = send(&app, "ana", Method::POST, &topics, body).await;
        assert_eq!(denied.refusal(), (403, 40301));
        assert!(denied.message().contains(expected), "{}", denied.message());
    }
    let create_several = format!("/admin/v1/clusters/{}/topics:create", app.cluster_id);
    let body = json!({"topics": [{"topic_name": "own.u"}, {"topic_name": "other.t"}]});
    assert_eq!(send(&app, "ana", Method::POST, &create_several, body).await.refusal(), (403, 40301));
    assert_eq!((app.partitions("own.u").await, app.partitions("other.t").await), (None, None));

    let record = json!({"records": [{"value": "eA=="}]});
    assert_eq!(v2(&app, "ana", "/topics/own.t", "binary.", record.clone()).await.status, 200);
    assert_eq!(v2(&app, "ana", "/topics/other", "binary.", record).await.refusal(), (403, 40301));
    assert_eq!(app.end_offset("other", 0).await, 0, "a refused record is not written");
    let stream = app.v3("topics/other/records");
    let denied = send(&app, "ana", Method::POST, &stream, json!({"value": {"type": "STRING", "data": "x"}})).await;
    assert_eq!(denied.refusal(), (403, 40301));
    assert_eq!(app.end_offset("other", 0).await, 0);

    let list = send(&app, "ana", Method::GET, "/topics", Value::Null).await;
    assert_eq!(list.text(), r#"["own.t"]"#);
    let list = send(&app, "ana", Method::GET, &topics, Value::Null).await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    let alter = json!({"data": [
        {"topic_name": "own.t", "configs": [{"name": "retention.ms", "value": "60000"}]},
        {"topic_name": "other", "configs": [{"name": "retention.ms", "value": "60000"}]},
    ]});
    let several = app.v3("topics/-/configs:alter");
    assert_eq!(send(&app, "ana", Method::POST, &several, alter).await.refusal(), (403, 40301));
    let config = app.v3("topics/own.t/configs/retention.ms");
    let unchanged = send(&app, "ana", Method::GET, &config, Value::Null).await.json();
    assert_eq!(unchanged["is_default"], json!(true), "none of several was changed");
    let set = |name: &str| app.v3(&format!("topics/own.t/configs/{name}"));
    let put = send(&app, "ana", Method::PUT, &set("retention.ms"), json!({"value": "60000"})).await;
    assert_eq!(put.status, 204);
    let put = send(&app, "ana", Method::PUT, &set("cleanup.policy"), json!({"value": "compact"})).await;
    assert_eq!(put.refusal(), (403, 40301));
    assert_eq!(send(&app, "all", Method::DELETE, &app.v3("topics/own.t"), Value::Null).await.status, 204);
    let body = json!({"topics": [{"topic_name": "made.u"}]});
    let created = send(&app, "ana", Method::POST, &create_several, body).await;
    assert_eq!((created.status, app.partitions("made.u").await), (201, Some(2)), "{}", created.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_reads_what_its_owner_may() {
    let app = app().await;
    app.topic("own.t", 1).await;
    app.topic("other", 1).await;
    assert_eq!(v2(&app, "ana", "/consumers/other", "", json!({"name": "i"})).await.refusal(), (403, 40301));
    assert_eq!(v2(&app, "ana", "/consumers/own-g", "", json!({"name": "i"})).await.status, 200);
    let at = |end: &str| format!("/consumers/own-g/instances/i/{end}");
    let partition = |topic: &str| json!({"partitions": [{"topic": topic, "partition": 0}]});
    let offset = json!({"offsets": [{"topic": "other", "partition": 0, "offset": 1}]});
    for (end, body) in [
        ("subscription", json!({"topics": ["own.t", "other"]})),
        ("subscription", json!({"topic_pattern": ".*"})),
        ("assignments", partition("other")),
        ("positions", offset.clone()),
        ("positions/end", partition("other")),
        ("offsets", offset),
    ] {
        let denied = v2(&app, "ana", &at(end), "", body).await;
        assert_eq!(denied.refusal(), (403, 40301), "{end}: {}", denied.text());
    }
    assert_eq!(v2(&app, "ana", &at("assignments"), "", partition("own.t")).await.status, 204);
    let assigned = send(&app, "ana", Method::GET, &at("assignments"), Value::Null).await;
    assert_eq!(assigned.text(), r#"{"partitions":[{"topic":"own.t","partition":0}]}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_of_others_are_unknown() {
    let app = app().await;
    let app = &app;
    let post = |user: &'static str, subject: &str, body: Value| {
        let path = format!("/subjects/{subject}/versions");
        async move { registry(app, user, Method::POST, &path, body).await }
    };
    let schema = |name: &str| json!({"schema": format!(r#"{{"type":"record","name":"{name}","fields":[]}}"#)});
    let theirs = post("all", "other", schema("A")).await.json()["id"].clone();
    let ours = post("ana", "own.s", schema("B")).await.json()["id"].clone();
    assert_eq!(post("ana", "other", schema("C")).await.refusal(), (403, 40301));
    let get = |path: String| async move { registry(app, "ana", Method::GET, &path, Value::Null).await };
    assert_eq!(get("/subjects".to_owned()).await.text(), r#"["own.s"]"#);
    assert_eq!(get("/schemas".to_owned()).await.json().as_array().map(Vec::len), Some(1));
    assert_eq!(get(format!("/schemas/ids/{ours}")).await.status, 200);
    for path in ["", "/schema", "/subjects", "/versions"] {
        let unknown = get(format!("/schemas/ids/{theirs}{path}")).await;
        assert_eq!(unknown.refusal(), (404, 40403), "{path}: {}", unknown.text());
    }
    // One schema under two subjects is known to whoever may read one of them.
    assert_eq!(post("ana", "own.s2", schema("A")).await.json()["id"], theirs);
    assert_eq!(get(format!("/schemas/ids/{theirs}/subjects")).await.text(), r#"["own.s2"]"#);
    // Nor do the errors of a produce name them.
    let produced = json!({"value_schema_id": theirs, "records": [{"value": {}}]});
    app.topic("own.t", 1).await;
    let denied = v2(app, "ana", "/topics/own.t", "avro.", produced).await;
    assert!(denied.message().contains("own.s2") && !denied.message().contains("other"), "{}", denied.text());
    let mut referring = schema("D");
    referring["references"] = json!([{"name": "A", "subject": "other", "version": 1}]);
    assert_eq!(post("ana", "own.s", referring).await.refusal(), (403, 40301));
    let mut imported = schema("E");
    imported["id"] = json!(77);
    assert_eq!(post("ana", "own.i", imported).await.refusal(), (403, 40301));
    let global = registry(app, "ana", Method::PUT, "/config", json!({"compatibility": "NONE"})).await;
    assert_eq!(global.refusal(), (403, 40301));
    assert_eq!(get("/config".to_owned()).await.json()["compatibilityLevel"], json!("BACKWARD"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_record_makes_a_topic_where_a_rule_says_so() {
    let app = app().await;
    let records = |value: Value| json!({"records": [{"value": value}]});
    let junk = v2(&app, "ana", "/topics/made.a", "binary.", records(json!(1))).await;
    assert_eq!((junk.status, app.partitions("made.a").await), (400, None), "what is refused makes no topic");
    let produce = |topic: &'static str| v2(&app, "ana", topic, "binary.", records(json!("eA==")));
    let (one, other) = tokio::join!(produce("/topics/made.a"), produce("/topics/made.a"));
    assert_eq!((one.status, other.status), (200, 200), "{} {}", one.text(), other.text());
    assert_eq!(app.partitions("made.a").await, Some(2));
    assert_eq!(app.end_offset("made.a", 0).await + app.end_offset("made.a", 1).await, 2);
    let config = send(&app, "ana", Method::GET, &app.v3("topics/made.a/configs/retention.ms"), Value::Null).await;
    assert_eq!(config.json()["value"], json!("60000"));
    let record = json!({"partition_id": 1, "value": {"type": "STRING", "data": "x"}});
    let streamed = send(&app, "ana", Method::POST, &app.v3("topics/made.b/records"), record).await;
    assert_eq!(streamed.json()["error_code"], json!(200), "{}", streamed.text());
    assert_eq!(app.end_offset("made.b", 1).await, 1);
    let unknown = produce("/topics/own.unknown").await;
    assert_eq!((unknown.refusal(), app.partitions("own.unknown").await), ((404, 40401), None));
}

/// What directories hold together is no secret, what it is called is.
#[tokio::test(flavor = "multi_thread")]
async fn log_directories_show_the_topics_that_may_be_seen() {
    let app = app().await;
    for topic in ["own.t", "other"] {
        app.topic(topic, 1).await;
    }
    let path = format!("/admin/v1/clusters/{}/log-dirs", app.cluster_id);
    let mut sizes = Vec::new();
    for (name, expected) in [("ops", &["own.t"][..]), ("all", &["other", "own.t"])] {
        let found = send(&app, name, Method::GET, &path, Value::Null).await;
        assert_eq!(found.status, 200, "{}", found.text());
        let dir = found.json()["data"][0].clone();
        let replicas = dir["replicas"].as_array().cloned().unwrap_or_default();
        let mut topics: Vec<_> = replicas.iter().filter_map(|replica| replica["topic_name"].as_str()).collect();
        topics.sort_unstable();
        assert_eq!(topics, expected, "{name}");
        sizes.push(dir["size_bytes"].clone());
    }
    assert_eq!(sizes[0], sizes[1]);
    assert_eq!(send(&app, "ana", Method::GET, &path, Value::Null).await.refusal(), (403, 40301));
}

/// To Kafka -1 is a number that is left out, and so it is to rules: their defaults hold, and it exceeds nothing.
#[tokio::test(flavor = "multi_thread")]
async fn minus_one_is_a_number_that_is_left_out() {
    let app = app().await;
    for (topic, partitions) in [("made.m", 2), ("own.m", 1)] {
        let body = json!({"topic_name": topic, "partitions_count": -1, "replication_factor": -1});
        let created = send(&app, "ana", Method::POST, &app.v3("topics"), body).await;
        assert_eq!(created.status, 201, "{}", created.text());
        assert_eq!(app.partitions(topic).await, Some(partitions), "{topic}");
    }
}
