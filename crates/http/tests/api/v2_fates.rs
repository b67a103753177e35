//! When the broker fails: every failure says whether the record was written.

use std::time::Duration;

use hyper::Method;
use postern_broker::{ApiKey, ErrorCode, Fault};
use serde_json::{Value, json};

use crate::app::TestApp;

async fn produce(app: &TestApp, value: i32) -> Value {
    let body = json!({"records": [{"value": value}]});
    let call = app.request(Method::POST, "/topics/lab").json(&body);
    let reply = call.header("Content-Type", "application/vnd.kafka.json.v2+json").send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["offsets"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_trouble_of_the_broker_is_outlived_without_duplicates() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    assert_eq!(produce(&app, 0).await["offset"], 0);
    for (n, fault) in
        [Fault::Error(ErrorCode::NotLeaderOrFollower), Fault::Close, Fault::LoseAnswer].into_iter().enumerate()
    {
        app.broker.faults().add(ApiKey::Produce, Some("lab"), fault, 1);
        let written = produce(&app, n as i32 + 1).await;
        assert_eq!(written["error_code"], Value::Null, "{fault:?}: {written}");
        assert_eq!(app.broker.faults().left(), 0, "{fault:?} was met");
    }
    let values: Vec<_> = app.records("lab").await.into_iter().map(|(_, value)| value.expect("a value")).collect();
    assert_eq!(values, ["0", "1", "2", "3"], "each once, also the one whose answer was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trouble_that_passes_after_some_tries_leaves_each_record_once_and_in_order() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let troubles = [ErrorCode::NotLeaderOrFollower, ErrorCode::NotEnoughReplicas, ErrorCode::KafkaStorageError];
    for (n, error) in troubles.into_iter().enumerate() {
        app.broker.faults().add(ApiKey::Produce, Some("lab"), Fault::Error(error), 3);
        let written = produce(&app, n as i32).await;
        assert_eq!((&written["error_code"], written["offset"].as_u64()), (&Value::Null, Some(n as u64)), "{error:?}");
        assert_eq!(app.broker.faults().left(), 0, "{error:?} was met three times");
    }
    let values: Vec<_> = app.records("lab").await.into_iter().map(|(_, value)| value.expect("a value")).collect();
    assert_eq!(values, ["0", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_was_not_written_and_an_unanswered_one_may_have_been() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    assert_eq!(produce(&app, 0).await["offset"], 0);
    app.broker.faults().add(ApiKey::Produce, Some("lab"), Fault::Error(ErrorCode::PolicyViolation), 1);
    let refused = produce(&app, 1).await;
    assert_eq!(refused["error_code"], 50002);
    assert!(refused["error"].as_str().expect("a sentence").ends_with("The record was not written."), "{refused}");
    assert_eq!(app.end_offset("lab", 0).await, 1, "it was not");

    app.broker.faults().add(ApiKey::Produce, Some("lab"), Fault::NeverAnswer, 1000);
    let started = std::time::Instant::now();
    let unanswered = produce(&app, 2).await;
    assert_eq!(unanswered["error_code"], 50003, "{unanswered}");
    let sentence = unanswered["error"].as_str().expect("a sentence");
    assert!(sentence.ends_with("Whether the record was written is not known."), "{sentence}");
    assert!(started.elapsed() < Duration::from_secs(20), "bounded: {:?}", started.elapsed());

    // When the broker answers again the next record is written, and the doubtful one at most once.
    app.broker.faults().clear();
    let next = produce(&app, 3).await;
    assert_eq!(next["error_code"], Value::Null, "{next}");
    let values: Vec<_> = app.records("lab").await.into_iter().map(|(_, value)| value.expect("a value")).collect();
    assert!(values == ["0", "3"] || values == ["0", "2", "3"], "{values:?}");
}
