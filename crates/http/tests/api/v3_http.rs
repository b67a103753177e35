//! API v3: media types, methods, paths.

use hyper::Method;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn answers_are_json_or_nothing() {
    let app = TestApp::start().await;
    let path = app.v3("brokers");
    for accept in ["application/json", "*/*", "application/*", "text/html, application/json;q=0.5", "", "*/json"] {
        let reply = app.request(Method::GET, &path).header("accept", accept).send().await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{accept}");
    }
    for accept in ["text/html", "application/xml", "application/vnd.kafka.v2+json"] {
        let reply = app.request(Method::GET, &path).header("accept", accept).send().await;
        assert_eq!(reply.refusal(), (406, 406), "{accept}");
        assert_eq!(reply.header("content-type"), "application/json", "{accept}");
    }
}

#[tokio::test]
async fn bodies_are_json_whatever_is_said_or_refused() {
    let app = TestApp::start().await;
    let body = |name: &str| json!({"topic_name": name}).to_string();
    let create = |name: &str| app.request(Method::POST, &app.v3("topics")).body(body(name));
    assert_eq!(create("untold").send().await.status, 201);
    assert_eq!(create("parameters").header("content-type", "application/JSON; charset=utf-8").send().await.status, 201);
    for content_type in
        ["text/plain", "application/vnd.kafka.v2+json", "application/x-www-form-urlencoded", "json", "*/*"]
    {
        let reply = create("t").header("content-type", content_type).send().await;
        assert_eq!(reply.refusal(), (415, 415), "{content_type}");
        assert_eq!(reply.header("content-type"), "application/json", "{content_type}");
    }
    assert_eq!(app.partitions("t").await, None);
    // Where there is no body to be read its type does not matter.
    for (method, path, status) in [(Method::GET, "topics/untold", 200), (Method::DELETE, "topics/untold", 204)] {
        let reply = app.request(method, &app.v3(path)).header("content-type", "text/plain").send().await;
        assert_eq!(reply.status, status, "{path}");
    }
}

#[tokio::test]
async fn methods_are_told() {
    let app = TestApp::start().await;
    for (path, allow) in [
        (app.v3(""), "GET,HEAD,OPTIONS"),
        (app.v3("topics"), "GET,POST,HEAD,OPTIONS"),
        (app.v3("topics/t"), "GET,PATCH,DELETE,HEAD,OPTIONS"),
        (app.v3("acls"), "GET,POST,DELETE,HEAD,OPTIONS"),
        (app.v3("topics/t/records"), "POST,GET,HEAD,OPTIONS"),
    ] {
        let refused = app.request(Method::PUT, &path).json(&json!({})).send().await;
        assert_eq!((refused.refusal(), refused.header("allow")), ((405, 405), allow), "{path}");
        let told = app.request(Method::OPTIONS, &path).send().await;
        assert_eq!((told.status, told.header("allow"), told.text()), (200, allow, allow), "{path}");
        let silent = app.request(Method::OPTIONS, &path).header("accept", "application/json").send().await;
        assert_eq!((silent.status, silent.header("allow"), silent.text()), (200, allow, ""), "{path}");
    }
    let head = app.request(Method::HEAD, &app.v3("brokers")).send().await;
    assert_eq!((head.status, head.header("content-type"), head.text()), (200, "application/json", ""));
}

#[tokio::test]
async fn verbs_in_paths_are_literal() {
    let app = TestApp::start().await;
    for path in ["acls%3Abatch", "acls:Batch", "acls:nothing", "topics/t/configs%3Aalter", "links", "topics/t/nothing"]
    {
        assert_eq!(app.post(&app.v3(path), json!({})).await.refusal(), (404, 404), "{path}");
    }
    assert_eq!(app.post(&app.v3("topics/t:x"), json!({})).await.refusal(), (405, 405), "part of the name");
    for path in ["/v3", "/V3/clusters", "/v3/cluster", "/clusters"] {
        assert_eq!(app.get(path).await.refusal(), (404, 404), "{path}");
    }
}
