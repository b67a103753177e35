//! What is sent to do harm: too deep, too large, too many, in a circle. Each gets an answer that says what is wrong, and costs little more than
//! to read it. What a schema itself may cost is tested where schemas are (`postern-schema`).

use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::registry::{app, get, post, put};

/// Registers a text that is no schema; the answer is short, whatever was sent.
async fn refused(app: &TestApp, body: Value) -> String {
    let reply = post(app, "/subjects/s/versions", body).await;
    assert_eq!(reply.status / 100, 4, "{}", &reply.text()[..reply.text().len().min(300)]);
    let message = reply.message();
    assert!(message.len() < 1000, "{} bytes of message", message.len());
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_is_refused_before_it_is_parsed_and_unknown_members_cost_nothing() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let register = async |body: String| {
        let request = app.registry(Method::POST, "/subjects/s/versions").body(body);
        request.header("Content-Type", "application/json").send().await
    };
    let numbers = |count: usize| format!("[{}0]", "0,".repeat(count));
    let text = json!(numbers(600_000)).to_string();
    assert_eq!(register(format!("{{\"schema\":{text}}}")).await.refusal(), (422, 42209));
    // Refused by the length that it announces; a client library might still be sending it.
    let mut stream = TcpStream::connect(app.registry_url().trim_start_matches("http://")).await.expect("it listens");
    let head = "POST /subjects/s/versions HTTP/1.1\r\nHost: p\r\nContent-Length: 6000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("it answers");
    assert_eq!(status, *b"HTTP/1.1 413");
    assert_eq!(app.registry(Method::GET, "/subjects").send().await.json(), json!([]));
    let produce = app
        .request(Method::POST, "/topics/lab")
        .body(format!("{{\"value_schema\":{text},\"records\":[{{\"value\":1}}]}}"));
    let refused = produce.header("Content-Type", "application/vnd.kafka.avro.v2+json").send().await;
    assert_eq!(refused.refusal(), (422, 42205), "{}", refused.text());
    let produce = format!("{{\"value_schema\":\"{{}}\",\"records\":[{{\"value\":{}}}]}}", numbers(1_200_000));
    let produce = app.request(Method::POST, "/topics/lab").body(produce);
    let refused = produce.header("Content-Type", "application/vnd.kafka.jsonschema.v2+json").send().await;
    assert_eq!(refused.refusal(), (413, 413), "{}", refused.text());
    assert_eq!(app.end_offset("lab", 0).await, 0);
    // Deeper than any parser of trees would go.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(register(format!("{{\"zzz\":{deep},\"schema\":\"\\\"int\\\"\"}}")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_nest_too_deep_are_refused() {
    let app = app().await;
    // Deeper ones would be refused for their length.
    for depth in [1000, 40_000] {
        let nested = |open: &str, close: &str| open.repeat(depth) + "0" + &close.repeat(depth);
        for (kind, text) in [
            ("AVRO", nested(r#"{"type":"array","items":"#, "}")),
            ("AVRO", nested("[", "]")),
            ("JSON", nested(r#"{"not":"#, "}")),
            ("JSON", nested("[", "")),
            ("PROTOBUF", "syntax=\"proto3\";".to_owned() + &nested("message A{", "}")),
            ("PROTOBUF", format!("option a = {};", nested("{b:", "}"))),
        ] {
            let message = refused(&app, json!({ "schemaType": kind, "schema": text })).await;
            assert!(message.contains("expected"), "{kind}: {message}");
        }
        // The body itself, and what stands in it beside the schema.
        for body in ["[".repeat(depth), format!(r#"{{"schema":"\"int\"","metadata":{}}}"#, nested(r#"{"a":"#, "}"))] {
            let call = app.registry(Method::POST, "/subjects/s/versions").header("Content-Type", "application/json");
            assert_eq!(call.body(body).send().await.refusal(), (400, 400));
        }
    }
    assert_eq!(get(&app, "/subjects").await.text(), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn megabytes_are_not_sent_back() {
    let app = app().await;
    let long = "x".repeat(3 << 20);
    for body in [
        json!({ "schema": format!("{long:?}") }),
        json!({ "schema": format!(r#"{{"type":"record","name":"1{long}","fields":[]}}"#) }),
        json!({ "schema": format!(r#"{{"type":{long:?}}}"#), "schemaType": "JSON" }),
        json!({ "schema": format!(r#"{{"$ref":{long:?}}}"#), "schemaType": "JSON" }),
        json!({ "schema": format!("message {long} {{ nothing }}"), "schemaType": "PROTOBUF" }),
        json!({ "schema": long, "schemaType": "PROTOBUF" }),
        json!({ "schema": "\"int\"", "schemaType": long }),
        json!({ "schema": "\"int\"", "version": long }),
        json!({ "schema": "\"int\"", "references": [{"name": "a", "subject": long, "version": 1}] }),
        json!({ "schema": "\"int\"", "references": [{"name": long, "subject": "nobody", "version": 1}] }),
        // A schema, but more than a record of the topic may be.
        json!({ "schema": format!(r#"{{"type":"fixed","name":"F","size":1,"doc":{long:?}}}"#) }),
    ] {
        refused(&app, body).await;
    }
    assert!(put(&app, "/config/s", json!({ "compatibility": long })).await.message().len() < 1000);
    assert!(put(&app, "/mode/s", json!({ "mode": long })).await.message().len() < 1000);
    assert_eq!(get(&app, "/subjects").await.text(), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn references_have_a_bound_and_no_end_in_a_circle() {
    let app = app().await;
    let record = r#"{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}"#;
    assert_eq!(post(&app, "/subjects/r/versions", json!({ "schema": record })).await.status, 200);
    for count in [5000, 100_000] {
        let references = vec![json!({"name": "R", "subject": "r", "version": 1}); count];
        let message = refused(&app, json!({ "schema": "\"int\"", "references": references })).await;
        assert!(message.contains("more than 4096 references"), "{message}");
    }
    // A schema that refers to another version of itself is its name; one that defines that name in another way is none.
    let references = json!([{"name": "R", "subject": "r", "version": 1}]);
    let reply = post(&app, "/subjects/itself/versions", json!({ "schema": record, "references": references })).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let stored = get(&app, "/subjects/itself/versions/1/schema").await;
    assert_eq!((stored.status, stored.text()), (200, "\"R\""));
    let other = r#"{"type":"record","name":"R","fields":[]}"#;
    assert!(refused(&app, json!({ "schema": other, "references": references })).await.contains("can't redefine"));
    // Names that lead to one another.
    for (name, alias) in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "d")] {
        put(&app, &format!("/config/{name}"), json!({ "alias": alias })).await;
    }
    for name in ["a", "d"] {
        let reply = get(&app, &format!("/subjects/{name}/versions/latest")).await;
        assert_eq!(reply.status, 404, "{}", reply.text());
    }
    // Each refers to the one before twice: to write them out would take longer than anybody lives.
    for n in 0..60 {
        let (text, references) = match n {
            0 => (r#"{"type":"record","name":"R0","fields":[]}"#.to_owned(), json!([])),
            _ => {
                let before = n - 1;
                let fields = format!(r#"{{"name":"a","type":"R{before}"}},{{"name":"b","type":"R{before}"}}"#);
                let reference =
                    json!({"name": format!("R{before}"), "subject": format!("chain{before}"), "version": 1});
                (format!(r#"{{"type":"record","name":"R{n}","fields":[{fields}]}}"#), json!([reference, reference]))
            }
        };
        let path = format!("/subjects/chain{n}/versions");
        let reply = post(&app, &path, json!({ "schema": text, "references": references })).await;
        assert_eq!(reply.status, 200, "{n}: {}", reply.text());
    }
    let resolved = get(&app, "/subjects/chain59/versions/1?format=resolved").await;
    assert_eq!(resolved.status, 200);
    assert!(resolved.text().len() < 20_000, "{} bytes", resolved.text().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_may_have_any_character_or_is_refused() {
    let app = app().await;
    let long = "a".repeat(5000);
    let mut registered = Vec::new();
    for (path, status) in [
        ("%F0%9F%92%A5", 200),
        ("%E2%80%AE", 200),
        ("%22%5C%7B%7D", 200),
        ("a%2F..%2Fb", 200),
        ("%3F%23%25", 200),
        (&*long, 200),
        ("%00", 422),
        ("%0A", 422),
        ("a%7F", 422),
    ] {
        let reply = post(&app, &format!("/subjects/{path}/versions"), json!({ "schema": "\"int\"" })).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
        if status == 200 {
            assert_eq!(get(&app, &format!("/subjects/{path}/versions")).await.text(), "[1]");
            registered.push(path);
        }
    }
    assert_eq!(get(&app, "/subjects").await.json().as_array().map(Vec::len), Some(registered.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_that_explode_do_not_keep_the_server_busy() {
    let app = app().await;
    // A topic for each, so that no schema is compared with another.
    let produce = async |topic: &str, schema: &Value, value: &Value| {
        app.topic(topic, 1).await;
        let body = json!({ "value_schema": schema.to_string(), "records": [{ "value": value }] });
        let call = app.request(Method::POST, &format!("/topics/{topic}")).json(&body);
        call.header("Content-Type", "application/vnd.kafka.jsonschema.v2+json").send().await
    };
    let long = "a".repeat(2000);
    let names: Value = (0..2000).map(|n| (format!("{long}{n}"), json!(""))).collect::<serde_json::Map<_, _>>().into();
    let texts = json!(vec![format!("{long}!"); 5000]);
    let hostile = [
        (json!({"patternProperties": {"(?<=(a+)+)b": {}}}), names.clone()),
        (json!({"propertyNames": {"not": {"pattern": "(?<=(a+)+)b"}}}), names),
        (json!({"items": {"not": {"pattern": "^(?=(a+)+$)(a+)+\\1$"}}}), texts),
        (json!({"not": {"pattern": "(?:[ab]{1,50}){1,100}c"}}), json!("ab".repeat(100_000))),
        (json!({"anyOf": vec![json!({"pattern": "(?:a{1,50}){1,100}c"}); 300]}), json!(long)),
    ];
    for (n, (schema, value)) in hostile.iter().enumerate() {
        let topic = format!("lab-{n}");
        let reply = produce(&topic, schema, value).await;
        assert_eq!(reply.status, 400, "{schema}: {}", reply.text());
        assert!(reply.message().contains("regular expressions"), "{}", reply.message());
        assert_eq!(app.end_offset(&topic, 0).await, 0);
    }
    let ordinary = json!({"items": {"pattern": "^(?!b)[a-z]{1,40}$"}});
    let fits = produce("lab", &ordinary, &json!(vec!["abcdefgh"; 1000])).await;
    assert_eq!((fits.status, fits.json()["offsets"][0]["offset"].clone()), (200, json!(0)), "{}", fits.text());
}
