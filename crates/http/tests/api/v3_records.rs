//! Records through API v3, in a stream and in a batch: each answered by itself, in its place.

use std::time::Duration;

use hyper::Method;
use postern_broker::{ApiKey, ErrorCode, Fault};
use postern_http::{Bounds, ProduceBounds};
use serde_json::{Value, json};

use crate::app::TestApp;

/// The answers to a stream.
async fn stream(app: &TestApp, topic: &str, body: &str) -> Vec<Value> {
    let call = app.request(Method::POST, &app.v3(&format!("topics/{topic}/records")));
    let reply = call.body(body.to_owned()).header("Content-Type", "application/json").send().await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{}", reply.text());
    let lines = reply.text().split_terminator("\r\n");
    lines.map(|line| serde_json::from_str(line).expect("each answer is a line of JSON")).collect()
}

/// Code of each answer.
fn codes(answers: &[Value]) -> Vec<i64> {
    answers.iter().map(|answer| answer["error_code"].as_i64().expect("each answer has one")).collect()
}

fn message(answer: &Value) -> &str {
    answer["message"].as_str().expect("an error has a sentence")
}

fn text(value: &str) -> String {
    json!({"value": {"type": "STRING", "data": value}}).to_string()
}

/// The values of partition 0.
async fn values(app: &TestApp, topic: &str) -> Vec<String> {
    let records = app.records(topic).await.into_iter();
    records.map(|(_, value)| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_is_answered_in_its_place_and_the_stream_goes_on() {
    let app = TestApp::start().await;
    app.topic("lab", 2).await;
    let bad = [
        (r#"{"value":{"type":"BINARY","data":"***"}}"#, 400, "value.data: expected standard base64"),
        (r#"{"value":{"type":"STRING","data":5}}"#, 400, "value.data: expected a string, found 5"),
        (r#"{"value":{"type":"STRING","data":"\ud800"}}"#, 400, "half of a surrogate pair"),
        (r#"{"partition_id":-1}"#, 40402, "partition_id: expected 0 or more"),
        (r#"{"partition_id":7}"#, 40402, "The record was not written."),
        (r#"{"x":1}"#, 400, "Unrecognized field: x"),
        (r#"{"headers":[{"name":"h","value":"MQ"}]}"#, 400, "headers[0].value: expected a string of standard base64"),
        (r#"{"timestamp":1700000000000}"#, 400, "not of milliseconds"),
        (r#"{"value":{"schema":"\"int\"","data":1}}"#, 400, "schema needs a type"),
        ("null", 400, "A record is expected, which is an object, found null."),
        (r#"{"value":{"schema_id":99999,"data":1}}"#, 422, "Schema 99999 not found"),
        (r#"{"value":{"schema_version":3,"data":1}}"#, 400, "'lab-value' has no version 3"),
        (r#"{"value":{"subject_name_strategy":"RECORD_NAME","data":1}}"#, 400, "give schema_id, or type and schema"),
        (r#"{"value":{"type":"AVRO","schema":"nonsense","data":1}}"#, 422, "Invalid schema"),
    ];
    let good = r#"{"partition_id":0,"value":{"type":"STRING","data":"a"}}"#;
    let body: String = bad.iter().map(|(record, ..)| format!("{good}{record}\n")).collect();
    let answers = stream(&app, "lab", &body).await;
    assert_eq!(answers.len(), 2 * bad.len());
    for (n, ((record, code, sentence), answers)) in bad.iter().zip(answers.chunks(2)).enumerate() {
        assert_eq!((answers[0]["error_code"].as_i64(), answers[0]["offset"].as_u64()), (Some(200), Some(n as u64)));
        assert_eq!(answers[1]["error_code"], *code, "{record}: {}", answers[1]);
        assert!(message(&answers[1]).contains(sentence), "{record}: {}", answers[1]);
    }
    assert_eq!(values(&app, "lab").await, vec!["a"; bad.len()]);
    assert_eq!(app.end_offset("lab", 1).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_json_ends_the_stream_with_one_answer() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let mut written = 0;
    for broken in [",", "{\"value\":}", "{\"value\":{\"type\":\"STR", "nonsense", "]", "\u{1}"] {
        let answers = stream(&app, "lab", &format!("{}{broken}{}", text("a"), text("never"))).await;
        assert_eq!(codes(&answers), [200, 400], "{broken}: {answers:?}");
        written += 1;
        assert_eq!(values(&app, "lab").await, vec!["a"; written], "{broken}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subjects_are_those_of_the_strategy_and_versions_are_told() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let schema = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"x","type":"int"}]}"#;
    let record = |strategy: &str| {
        let value = json!({"type": "AVRO", "schema": schema, "subject_name_strategy": strategy, "data": {"x": 1}});
        json!({"value": value}).to_string()
    };
    let body = ["TOPIC_NAME", "RECORD_NAME", "TOPIC_RECORD_NAME", "RECORD_NAME"].map(record).concat();
    let answers = stream(&app, "lab", &body).await;
    let written: Vec<_> = answers.iter().map(|answer| answer["value"].clone()).collect();
    let id = written[0]["schema_id"].as_i64().expect("an id");
    let expected = ["lab-value", "n.R", "lab-n.R", "n.R"]
        .map(|subject| json!({"type": "AVRO", "subject": subject, "schema_id": id, "schema_version": 1, "size": 6}));
    assert_eq!(written, expected, "{answers:?}");

    // By id, under a subject that is made of the record's name; by version; the latest.
    let body = [
        json!({"value": {"schema_id": id, "subject_name_strategy": "RECORD_NAME", "data": {"x": 2}}}),
        json!({"value": {"schema_version": 1, "data": {"x": 3}}}),
        json!({"value": {"subject": "n.R", "data": {"x": 4}}}),
        json!({"value": {"schema_id": id, "subject": "elsewhere", "data": {"x": 5}}}),
        json!({"value": {"type": "AVRO", "schema": "\"int\"", "subject_name_strategy": "RECORD_NAME", "data": 1}}),
    ];
    let answers = stream(&app, "lab", &body.map(|record| record.to_string()).concat()).await;
    assert_eq!(codes(&answers), [200, 200, 200, 422, 422], "{answers:?}");
    let subjects: Vec<_> = answers[..3].iter().map(|answer| answer["value"]["subject"].clone()).collect();
    assert_eq!(subjects, ["n.R", "lab-value", "n.R"]);
    let last: Vec<u8> = app
        .records("lab")
        .await
        .iter()
        .map(|(_, value)| *value.as_ref().expect("a value").last().expect("a byte"))
        .collect();
    assert_eq!(last, [2, 2, 2, 2, 4, 6, 8], "the numbers as Avro writes them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_open_for_too_long_takes_no_further_records() {
    let produce = ProduceBounds {
        stream_duration: Duration::ZERO,
        stream_grace: Duration::from_secs(60),
        ..ProduceBounds::default()
    };
    let app = TestApp::bounded(Bounds { produce, ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    assert_eq!(codes(&stream(&app, "lab", &text("a").repeat(2)).await), [408, 408]);
    assert_eq!(app.end_offset("lab", 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_above_the_limit_ends_the_stream_and_one_above_kafkas_does_not() {
    let produce = ProduceBounds { record: Some(100), ..ProduceBounds::default() };
    let app = TestApp::bounded(Bounds { produce, ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    let answers = stream(&app, "lab", &[text("a"), text(&"x".repeat(100)), text("b")].concat()).await;
    assert_eq!(codes(&answers), [200, 400], "{answers:?}");
    assert_eq!(values(&app, "lab").await, ["a"]);

    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let answers = stream(&app, "lab", &[text("a"), text(&"x".repeat(1_100_000)), text("b")].concat()).await;
    assert_eq!(codes(&answers), [200, 413, 200]);
    assert!(message(&answers[1]).contains("The record was not written."), "{}", answers[1]);
    assert_eq!(values(&app, "lab").await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_refuses_is_said_in_its_words_and_with_its_fate() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.broker.faults().add(ApiKey::Produce, Some("lab"), Fault::Error(ErrorCode::PolicyViolation), 1);
    let answers = stream(&app, "lab", &text("a")).await;
    assert_eq!(answers[0]["error_code"], 40002, "{answers:?}");
    assert!(message(&answers[0]).contains("POLICY_VIOLATION"), "{}", answers[0]);
    assert!(message(&answers[0]).ends_with("The record was not written."), "{}", answers[0]);
    assert_eq!(app.end_offset("lab", 0).await, 0);

    let answers = stream(&app, "nowhere", &text("a")).await;
    assert_eq!(answers[0]["error_code"], 40401);
    let answers = stream(&app, "no%20name", &text("a")).await;
    assert_eq!(answers[0]["error_code"], 40002);
    let answers = stream(&app, "_schemas", &text("a")).await;
    assert_eq!(answers[0]["error_code"], 40301);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_content_type_is_read_as_json() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let call = || app.request(Method::POST, &app.v3("topics/lab/records"));
    assert_eq!(call().body(text("a")).send().await.status, 200);
    assert_eq!(values(&app, "lab").await, ["a"]);
    assert_eq!(call().send().await.refusal(), (422, 42206));
    let other = call().body(text("a")).header("Content-Type", "application/json; charset=utf-16").send().await;
    assert_eq!(other.refusal(), (400, 400));
    assert_eq!(app.end_offset("lab", 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_batch_are_independent_of_each_other() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let batch = json!({"entries": [
        {"id": "1", "key": {"type": "STRING", "data": "k"}, "value": {"type": "JSON", "data": {"a": 1}}},
        {"id": "2", "value": {"type": "BINARY", "data": "***"}},
        {"id": "3", "value": {"type": "STRING", "data": "c"}, "timestamp": "2026-01-31T12:00:00.500Z"},
        {"id": "4", "partition_id": -1},
    ]});
    let reply = app.post(&app.v3("topics/lab/records:batch"), batch).await;
    assert_eq!(reply.status, 207, "{}", reply.text());
    let answer = reply.json();
    let successes = answer["successes"].as_array().expect("a list");
    let told: Vec<_> =
        successes.iter().map(|entry| (&entry["id"], &entry["offset"], &entry["value"]["size"])).collect();
    assert_eq!(told, [(&json!("1"), &json!(0), &json!(7)), (&json!("3"), &json!(1), &json!(1))]);
    assert_eq!(successes[1]["timestamp"], "2026-01-31T12:00:00.500Z");
    let failures = answer["failures"].as_array().expect("a list");
    let told: Vec<_> = failures.iter().map(|entry| (&entry["id"], &entry["error_code"])).collect();
    assert_eq!(told, [(&json!("2"), &json!(400)), (&json!("4"), &json!(40402))]);
    assert_eq!(values(&app, "lab").await, ["{\"a\":1}", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_answered_entry_by_entry_is_refused_as_a_whole() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let good = json!({"id": "1", "value": {"type": "STRING", "data": "a"}});
    let with = |bad: Value| json!({"entries": [good, bad]});
    for (batch, refusal, sentence) in [
        (with(json!({"id": "1"})), (422, 42208), "stands there twice"),
        (with(json!({"id": 2})), (422, 42208), "entries[1].id: expected a string of 1 to 80"),
        (with(json!({"value": null})), (400, 400), "entries[1].id is missing"),
        (with(json!({"id": "2", "x": 1})), (422, 422), "Unrecognized field: x"),
        (
            with(json!({"id": "2", "value": {"type": "AVRO", "data": 1}})),
            (400, 400),
            "entries[1].value: with this type",
        ),
        (json!({"entries": vec![good.clone(); 11]}), (422, 42208), "twice"),
        (
            json!({"entries": (0..11).map(|n| json!({"id": n.to_string()})).collect::<Vec<_>>()}),
            (422, 42208),
            "at most 10",
        ),
        (json!({"entries": []}), (422, 42208), "must not be empty"),
        (json!([]), (400, 400), "expected an object with entries, found an array"),
    ] {
        let reply = app.post(&app.v3("topics/lab/records:batch"), batch.clone()).await;
        assert_eq!(reply.refusal(), refusal, "{batch}: {}", reply.text());
        assert!(reply.message().contains(sentence), "{batch}: {}", reply.message());
    }
    assert_eq!(app.end_offset("lab", 0).await, 0);
}
