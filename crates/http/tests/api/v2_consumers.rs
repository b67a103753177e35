//! Consumer instances of API v2: making, subscribing, assigning, committing, seeking, ending.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

pub(crate) const V2: &str = "application/vnd.kafka.v2+json";
pub(crate) const JSON: &str = "application/vnd.kafka.json.v2+json";

impl TestApp {
    /// A request of API v2 with a body; null: without one.
    pub(crate) async fn v2(&self, method: Method, path: &str, body: Value) -> Reply {
        let call = self.request(method, path);
        let call = if body.is_null() { call } else { call.json(&body).header("Content-Type", V2) };
        call.send().await
    }

    /// Makes the instance `c` of the group `g`, which reads all of a topic and returns as soon as it has something.
    pub(crate) async fn consumer(&self, format: &str) -> String {
        self.consumer_with(json!({"name": "c", "format": format})).await
    }

    /// The same with other settings.
    pub(crate) async fn consumer_with(&self, settings: Value) -> String {
        let mut body = json!({
            "auto.offset.reset": "earliest", "auto.commit.enable": "false", "fetch.min.bytes": 1,
            "consumer.request.timeout.ms": 20_000,
        });
        for (name, value) in settings.as_object().expect("settings are an object") {
            body[name] = value.clone();
        }
        let reply = self.v2(Method::POST, "/consumers/g", body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let base = reply.json()["base_uri"].as_str().expect("a URL").to_owned();
        base.strip_prefix(&self.url()).expect("it is here").to_owned()
    }

    pub(crate) async fn produce_json(&self, topic: &str, values: &[Value]) {
        let records: Vec<Value> = values.iter().map(|value| json!({"value": value})).collect();
        let call = self.request(Method::POST, &format!("/topics/{topic}")).json(&json!({"records": records}));
        assert_eq!(call.header("Content-Type", JSON).send().await.status, 200);
    }

    /// Assigns partition 0 of a topic.
    pub(crate) async fn assign(&self, at: &str, topic: &str) {
        let body = json!({"partitions": [{"topic": topic, "partition": 0}]});
        assert_eq!(self.v2(Method::POST, &format!("{at}/assignments"), body).await.status, 204);
    }

    /// One read, in `format`.
    pub(crate) async fn read_as(&self, at: &str, query: &str, format: &str) -> Reply {
        self.request(Method::GET, &format!("{at}/records{query}")).header("Accept", format).send().await
    }

    /// The values of one read of JSON.
    pub(crate) async fn values(&self, at: &str, query: &str) -> Vec<Value> {
        let reply = self.read_as(at, query, JSON).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json().as_array().expect("a list").iter().map(|record| record["value"].clone()).collect()
    }

    /// What the group has committed of partition 0.
    async fn committed(&self, at: &str, topic: &str) -> Value {
        let body = json!({"partitions": [{"topic": topic, "partition": 0}]});
        let reply = self.v2(Method::GET, &format!("{at}/offsets"), body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["offsets"].clone()
    }

    /// How many members a group has.
    async fn members(&self, group: &str) -> usize {
        let found = self.cluster.group_members(group).await.expect("the coordinator answers");
        found.map_or(0, |group| group.members)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_made_and_ended() {
    let app = TestApp::start().await;
    let made = app.v2(Method::POST, "/consumers/a%2Fb", json!({"name": "c d/ü"})).await;
    assert_eq!(made.json()["instance_id"], "c d/ü");
    let base = made.json()["base_uri"].as_str().expect("a URL").to_owned();
    assert_eq!(base, format!("{}/consumers/a%2Fb/instances/c%20d%2F%C3%BC", app.url()), "it is escaped");
    let at = base.strip_prefix(&app.url()).expect("it is here");
    assert_eq!(app.get(&format!("{at}/subscription")).await.text(), r#"{"topics":[]}"#);
    let again = app.v2(Method::POST, "/consumers/a%2Fb", json!({"name": "c d/ü", "auto.offset.reset": "bad"})).await;
    assert_eq!(again.refusal(), (409, 40902), "the name comes before the settings");
    let other = app.v2(Method::POST, "/consumers/other", json!({"name": "c d/ü"})).await;
    assert_eq!(other.status, 200, "a name is one of its group");
    assert_eq!(app.delete(at).await.status, 204);
    assert_eq!(app.delete(at).await.refusal(), (404, 40403));
    let unnamed = app.v2(Method::POST, "/consumers/g", Value::Null).await.json();
    assert!(unnamed["instance_id"].as_str().is_some_and(|name| name.starts_with("rest-consumer-")), "{unnamed}");
    let bad = app.v2(Method::POST, "/consumers/g", json!({"name": "x", "auto.offset.reset": "bad"})).await;
    assert_eq!(bad.refusal(), (422, 42204));
    assert!(bad.message().contains("auto.offset.reset: expected earliest, latest, none"), "{}", bad.message());
    assert_eq!(app.get("/consumers/g/instances/x/subscription").await.refusal(), (404, 40403), "it was not made");
    assert_eq!(app.request(Method::PUT, "/consumers/g").send().await.header("allow"), "POST,OPTIONS");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_as_many_instances_as_allowed() {
    let app = TestApp::with_consumers(|consumers| consumers.instances = 2).await;
    for name in ["a", "b"] {
        assert_eq!(app.v2(Method::POST, "/consumers/g", json!({"name": name})).await.status, 200);
    }
    assert_eq!(app.v2(Method::POST, "/consumers/g", json!({"name": "a"})).await.refusal(), (409, 40902));
    assert_eq!(app.v2(Method::POST, "/consumers/g", json!({})).await.refusal(), (503, 50301));
    assert_eq!(app.delete("/consumers/g/instances/a").await.status, 204);
    assert_eq!(app.v2(Method::POST, "/consumers/g", json!({})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_nobody_uses_ends_and_leaves_its_group() {
    let app = TestApp::with_consumers(|consumers| consumers.idle = Duration::from_millis(1500)).await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(1)]).await;
    let at = app.consumer("json").await;
    app.v2(Method::POST, &format!("{at}/subscription"), json!({"topics": ["lab"]})).await;
    assert_eq!(app.values(&at, "").await, [1]);
    assert_eq!(app.members("g").await, 1);
    while app.members("g").await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(app.get(&format!("{at}/subscription")).await.refusal(), (404, 40403));
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_subscription_exclude_each_other_until_they_are_dropped() {
    let app = TestApp::start().await;
    let at = app.consumer("json").await;
    let path = |name: &str| format!("{at}/{name}");
    let assigned = json!({"partitions": [{"topic": "none", "partition": -1}, {"topic": "a b", "partition": "2"}]});
    let kinds = [
        ("subscription", json!({"topics": ["none", "a b"]})),
        ("subscription", json!({"topic_pattern": "no.*"})),
        ("assignments", assigned.clone()),
    ];
    for (held, (name, body)) in kinds.iter().enumerate() {
        assert_eq!(app.v2(Method::POST, &path(name), body.clone()).await.status, 204);
        for (other, (name, body)) in kinds.iter().enumerate().filter(|(other, _)| *other != held) {
            let refused = app.v2(Method::POST, &path(name), body.clone()).await;
            assert_eq!(refused.refusal(), (409, 40903), "{held} before {other}");
        }
        match held {
            0 => assert_eq!(app.get(&path("subscription")).await.json(), json!({"topics": ["a b", "none"]})),
            2 => assert_eq!(
                app.get(&path("assignments")).await.json(),
                json!({"partitions": [{"topic": "a b", "partition": 2}, {"topic": "none", "partition": -1}]})
            ),
            _ => {}
        }
        assert_eq!(app.delete(&path("subscription")).await.status, 204);
        assert_eq!(app.get(&path("subscription")).await.json(), json!({"topics": []}));
        assert_eq!(app.get(&path("assignments")).await.json(), json!({"partitions": []}));
    }
    // Empty lists drop any of them, too.
    for (name, body) in &kinds {
        for (empty, list) in [("subscription", json!({"topics": []})), ("assignments", json!({"partitions": []}))] {
            assert_eq!(app.v2(Method::POST, &path(name), body.clone()).await.status, 204, "{body}");
            assert_eq!(app.v2(Method::POST, &path(empty), list.clone()).await.status, 204, "{list} after {body}");
            assert_eq!(app.get(&path("subscription")).await.json(), json!({"topics": []}));
        }
    }
    assert_eq!(app.v2(Method::POST, &path("assignments"), assigned).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_operation_can_mean_is_refused_before_anything_is_done() {
    let app = TestApp::start().await;
    let at = app.consumer("json").await;
    let partition = json!({"topic": "lab", "partition": 0});
    for (method, name, body, refusal) in [
        (Method::POST, "subscription", Value::Null, (422, 422)),
        (Method::POST, "subscription", json!({"topic_pattern": "("}), (422, 422)),
        (Method::POST, "subscription", json!({"topic_pattern": ""}), (422, 422)),
        (Method::POST, "subscription", json!({"topics": [null]}), (422, 422)),
        (Method::POST, "subscription", json!({"topics": [" "]}), (422, 422)),
        (Method::POST, "subscription", json!({"topics": [{}]}), (400, 400)),
        (Method::POST, "subscription", json!({"topics": "x"}), (400, 400)),
        (Method::POST, "subscription", json!({"topic": "x"}), (422, 422)),
        (Method::POST, "assignments", json!({}), (422, 422)),
        (Method::POST, "assignments", json!({"partitions": null}), (422, 422)),
        (Method::POST, "assignments", json!({"partitions": [null]}), (422, 422)),
        (Method::POST, "assignments", json!({"partitions": [1]}), (400, 400)),
        (Method::POST, "assignments", json!({"partitions": [{"topic": "lab"}]}), (422, 422)),
        (Method::POST, "assignments", json!({"partitions": [{"topic": " ", "partition": 0}]}), (422, 422)),
        (Method::POST, "offsets", json!({}), (422, 422)),
        (Method::POST, "offsets", json!({"offsets": [partition.clone()]}), (422, 422)),
        (Method::POST, "offsets", json!({"offsets": [{"topic": "lab", "partition": 0, "offset": -2}]}), (422, 422)),
        (Method::POST, "offsets", json!({"offsets": [{"topic": "a b", "partition": 0, "offset": 1}]}), (400, 40002)),
        (Method::GET, "offsets", Value::Null, (404, 40402)),
        (Method::GET, "offsets", json!({}), (422, 422)),
        (Method::POST, "positions", Value::Null, (422, 422)),
        (Method::POST, "positions", json!({"offsets": [{"topic": "lab", "partition": 0, "offset": 1}]}), (409, 40903)),
        (Method::POST, "positions/end", json!({}), (422, 422)),
        (Method::POST, "positions/beginning", json!({"partitions": [partition.clone()]}), (409, 40903)),
        (Method::GET, "records", Value::Null, (406, 40601)),
    ] {
        let refused = app.v2(method.clone(), &format!("{at}/{name}"), body.clone()).await;
        assert_eq!(refused.refusal(), refusal, "{method} {name} {body}: {}", refused.text());
    }
    assert_eq!(app.read_as(&at, "", JSON).await.refusal(), (409, 40903), "nothing was subscribed to");
    for query in ["?timeout=x", "?timeout=", "?max_bytes=1.5"] {
        assert_eq!(app.read_as(&at, query, JSON).await.refusal(), (404, 404), "{query}");
    }
    assert_eq!(app.read_as(&at, "?include=key", JSON).await.refusal(), (400, 400));
    for (method, name, body) in [
        (Method::POST, "offsets", Value::Null),
        (Method::POST, "offsets", json!({"offsets": []})),
        (Method::GET, "offsets", json!({"partitions": []})),
        (Method::POST, "positions/end", json!({"partitions": []})),
        (Method::POST, "positions", json!({})),
    ] {
        let answered = app.v2(method, &format!("{at}/{name}"), body.clone()).await;
        assert!(answered.status < 300, "{name} {body}: {}", answered.text());
    }
}

/// As in the original: a body that cannot be read is refused first, then the instance is looked for, then what the body says too little of counts.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_in_a_body_is_told_for_an_instance_that_is_there() {
    let app = TestApp::start().await;
    let unreadable = [json!({"none": 1}), json!([])];
    for (method, name, too_little) in [
        (Method::POST, "subscription", json!({"topics": [null]})),
        (Method::POST, "assignments", json!({})),
        (Method::POST, "assignments", json!({"partitions": [null]})),
        (Method::POST, "assignments", json!({"partitions": [{"topic": "lab"}]})),
        (Method::POST, "offsets", json!({})),
        (Method::POST, "offsets", json!({"offsets": [{"topic": "lab", "partition": 0, "offset": -2}]})),
        (Method::GET, "offsets", json!({})),
        (Method::POST, "positions", json!({"offsets": [{"topic": "lab", "partition": 0}]})),
        (Method::POST, "positions/beginning", json!({})),
        (Method::POST, "positions/end", json!({"partitions": [{"partition": 0}]})),
    ] {
        let path = format!("/consumers/g/instances/none/{name}");
        let refused = app.v2(method.clone(), &path, too_little.clone()).await;
        assert_eq!(refused.refusal(), (404, 40403), "{method} {name} {too_little}: {}", refused.text());
        for body in &unreadable {
            let refused = app.v2(method.clone(), &path, body.clone()).await;
            assert!(matches!(refused.status, 400 | 422), "{method} {name} {body}: {}", refused.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_what_was_read_or_what_is_named() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!("zero"), json!("one"), json!("two")]).await;
    let at = app.consumer("json").await;
    app.assign(&at, "lab").await;
    assert_eq!(app.committed(&at, "lab").await, json!([]));
    // The other two are fetched, and wait here.
    assert_eq!(app.values(&at, "?max_bytes=8").await, ["zero"]);
    assert_eq!(app.v2(Method::POST, &format!("{at}/offsets"), Value::Null).await.text(), "[]");
    let committed =
        |offset: i64, metadata: &str| json!([{"topic": "lab", "partition": 0, "offset": offset, "metadata": metadata}]);
    assert_eq!(app.committed(&at, "lab").await, committed(1, ""), "what was delivered, not what was fetched");
    let named = json!({"offsets": [{"topic": "lab", "partition": 0, "offset": 1, "metadata": "m"}]});
    assert_eq!(app.v2(Method::POST, &format!("{at}/offsets?async=true"), named).await.text(), "[]");
    assert_eq!(app.committed(&at, "lab").await, committed(2, "m"), "the next one");
    assert_eq!(app.values(&at, "").await, ["one", "two"], "a commit does not move the position");
    assert_eq!(app.delete(&at).await.status, 204);

    let next = app.consumer_with(json!({"name": "next", "format": "json"})).await;
    app.v2(Method::POST, &format!("{next}/subscription"), json!({"topics": ["lab"]})).await;
    assert_eq!(app.values(&next, "").await, ["two"], "the next instance of the group goes on there");
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_move_and_drop_what_was_fetched() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(0), json!(1), json!(2), json!(3)]).await;
    let at = app.consumer("json").await;
    app.assign(&at, "lab").await;
    let seek = async |name: &str, body: Value| {
        let moved = app.v2(Method::POST, &format!("{at}/positions{name}"), body).await;
        assert_eq!(moved.status, 204, "{}", moved.text());
    };
    let partition = json!({"partitions": [{"topic": "lab", "partition": 0}]});
    assert_eq!(app.values(&at, "?max_bytes=2").await, [0]);
    seek("/end", partition.clone()).await;
    assert_eq!(app.values(&at, "?timeout=300").await, [] as [Value; 0]);
    seek("/beginning", json!({"partitions": []})).await;
    assert_eq!(app.values(&at, "").await, [0, 1, 2, 3]);
    seek("", json!({"offsets": [{"topic": "lab", "partition": 0, "offset": 2}]})).await;
    assert_eq!(app.values(&at, "").await, [2, 3]);
    let time = |time: &str| json!({"timestamps": [{"topic": "lab", "partition": 0, "timestamp": time}]});
    seek("", time("2001-01-01T00:00:00Z")).await;
    assert_eq!(app.values(&at, "").await, [0, 1, 2, 3]);
    seek("", time("2099-01-01T00:00:00Z")).await;
    app.produce_json("lab", &[json!("new")]).await;
    let read = app.values(&at, "").await;
    assert!(read.is_empty() || read == ["new"], "{read:?}");
    // Of two partitions one is not assigned: neither is moved.
    let both = json!({"offsets": [{"topic": "lab", "partition": 0, "offset": 0}, {"topic": "lab", "partition": 1, "offset": 0}]});
    assert_eq!(app.v2(Method::POST, &format!("{at}/positions"), both).await.refusal(), (409, 40903));
    app.produce_json("lab", &[json!("newer")]).await;
    assert_eq!(app.values(&at, "").await.last(), Some(&json!("newer")));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_and_stopping_end_a_read_that_waits_and_leave_the_group() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(1)]).await;
    for ending in ["delete", "stop"] {
        let at = app.consumer("json").await;
        app.v2(Method::POST, &format!("{at}/subscription"), json!({"topics": ["lab"]})).await;
        assert_eq!(app.values(&at, "").await, [1]);
        assert_eq!(app.members("g").await, 1);
        let read = app.read_as(&at, "", JSON);
        let end = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            match ending {
                "delete" => assert_eq!(app.delete(&at).await.status, 204),
                _ => assert!(app.proxy.close_consumers(Duration::from_secs(10)).await),
            }
        };
        let began = std::time::Instant::now();
        let (read, ()) = tokio::join!(read, end);
        assert!(began.elapsed() < Duration::from_secs(15), "it does not last its 20 s");
        assert_eq!((read.status, read.text()), (200, "[]"), "{ending}");
        assert_eq!(app.members("g").await, 0, "{ending}");
    }
    assert_eq!(app.v2(Method::POST, "/consumers/g", json!({})).await.status, 503, "no new one after the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_does_not_say_is_as_the_settings_say() {
    let app = TestApp::with_consumers(|consumers| {
        consumers.offset_reset = postern_kafka::OffsetReset::Earliest;
        consumers.auto_commit = None;
        consumers.min_bytes = Some(1);
        consumers.wait = Duration::from_secs(20);
    })
    .await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(1)]).await;
    for (settings, committed) in [(json!({}), 0), (json!({"auto.commit.enable": "true"}), 1)] {
        let mut body = settings.clone();
        body["format"] = json!("json");
        let made = app.v2(Method::POST, "/consumers/g", body).await.json();
        let base = made["base_uri"].as_str().expect("a URL").to_owned();
        let at = base.strip_prefix(&app.url()).expect("it is here");
        app.assign(at, "lab").await;
        assert_eq!(app.values(at, "").await, [json!(1)], "from the beginning, as soon as something is there");
        assert_eq!(app.delete(at).await.status, 204);
        let offsets = app.cluster.committed_offsets("g").await.expect("the coordinator answers");
        assert_eq!(offsets.len(), committed, "{settings}");
    }
}
