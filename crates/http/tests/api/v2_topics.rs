//! What API v2 shows of the cluster.

use hyper::Method;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_listed_and_shown() {
    let app = TestApp::start().await;
    app.topic("b", 2).await;
    app.topic("a", 1).await;
    let listed = app.get("/topics").await;
    assert_eq!(listed.text(), r#"["_schemas","a","b"]"#);
    let replica = json!([{"broker": 1, "leader": true, "in_sync": true}]);
    let partition = |id: i32| json!({"partition": id, "leader": 1, "replicas": replica});
    assert_eq!(app.get("//topics//b/partitions/").await.json(), json!([partition(0), partition(1)]));
    assert_eq!(app.get("/topics/b/partitions/1").await.json(), partition(1));
    let shown = app.get("/topics/b").await.json();
    assert_eq!((&shown["name"], &shown["partitions"]), (&json!("b"), &json!([partition(0), partition(1)])));
    assert_eq!(shown["configs"]["cleanup.policy"], "delete");
    assert_eq!(app.get("/topics/b/partitions/0/offsets").await.text(), r#"{"beginning_offset":0,"end_offset":0}"#);
    assert_eq!(app.get("/brokers").await.text(), r#"{"brokers":[1]}"#);
    assert_eq!(app.get("/").await.text(), "{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_apart() {
    let app = TestApp::start().await;
    app.topic("a", 1).await;
    for (path, refusal) in [
        ("/topics/none", (404, 40403)),
        ("/topics/none/partitions", (404, 40403)),
        ("/topics/none/partitions/0/offsets", (404, 40403)),
        ("/topics/a/partitions/1", (404, 40402)),
        ("/topics/a/partitions/-1/offsets", (404, 40402)),
        ("/topics/a/partitions/one", (404, 404)),
        ("/topics/a%20b", (400, 40002)),
        ("/nothing", (404, 404)),
    ] {
        let reply = app.get(path).await;
        assert_eq!(reply.refusal(), refusal, "{path}: {}", reply.text());
    }
    for (path, says) in [
        ("/topics/none", "There is no topic 'none'"),
        ("/topics/none/partitions/0", "There is no topic 'none'"),
        ("/topics/a%20b", "'a b' is no legal name of a topic"),
        ("/topics/a/partitions/one", "partition in the path must be a whole number, found 'one'"),
    ] {
        assert!(app.get(path).await.message().contains(says), "{path}: {}", app.get(path).await.message());
    }
    let accepts = app.request(Method::GET, "/topics").header("accept", "text/html").send().await;
    assert_eq!(accepts.refusal(), (406, 406));
    assert!(accepts.message().contains("Accept is text/html, expected one of application/vnd.kafka.v2+json"));
    let reply = app.request(Method::DELETE, "/topics/a").send().await;
    assert_eq!((reply.refusal(), reply.header("allow")), ((405, 405), "GET,POST,HEAD,OPTIONS"));
    assert_eq!(app.partitions("a").await, Some(1));
    let head = app.request(Method::HEAD, "/topics").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_takes_an_object_of_texts() {
    let app = TestApp::start().await;
    for (body, status) in [
        ("", 200),
        ("{}", 200),
        (r#"{"a":"b","c":1,"d":null}"#, 200),
        (r#"{"a":{}}"#, 400),
        (r#"{"a":[1]}"#, 400),
        ("[]", 400),
        ("1", 400),
        ("{", 400),
    ] {
        let call = app.request(Method::POST, "/").body(body).header("content-type", "application/vnd.kafka.v2+json");
        assert_eq!(call.send().await.status, status, "{body}");
    }
}
