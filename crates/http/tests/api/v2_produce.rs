//! Produce over API v2: what is written, what is refused, and that what is refused leaves nothing behind.

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

const BINARY: &str = "application/vnd.kafka.binary.v2+json";
const JSON: &str = "application/vnd.kafka.json.v2+json";
const AVRO: &str = "application/vnd.kafka.avro.v2+json";
const PLAIN: &str = "application/vnd.kafka.v2+json";

/// One field, so that the bytes can be written by hand.
fn kelvin() -> String {
    json!({"type": "record", "name": "Temperature", "fields": [{"name": "kelvin", "type": "int"}]}).to_string()
}

async fn produce(app: &TestApp, path: &str, format: &str, body: impl Into<Bytes>) -> Reply {
    app.request(Method::POST, path).body(body).header("Content-Type", format).send().await
}

async fn produce_json(app: &TestApp, path: &str, format: &str, body: Value) -> Reply {
    produce(app, path, format, body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_avro_record_is_framed_and_its_schema_registered() {
    let app = TestApp::start().await;
    app.topic("lab.temps", 1).await;
    let body = json!({"records": [{"value": {"kelvin": 4}}, {"value": {"kelvin": -1, "dropped": [1]}}], "value_schema": kelvin()});
    let reply = produce_json(&app, "/topics/lab.temps", AVRO, body).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, PLAIN));
    let id = reply.json()["value_schema_id"].as_i64().expect("an id");
    assert_eq!(
        reply.text(),
        format!(
            r#"{{"offsets":[{{"partition":0,"offset":0,"error_code":null,"error":null}},{{"partition":0,"offset":1,"error_code":null,"error":null}}],"key_schema_id":null,"value_schema_id":{id}}}"#
        )
    );

    let framed = |payload: u8| Some(Bytes::from([&[0, 0, 0, 0, id as u8][..], &[payload]].concat()));
    assert_eq!(app.records("lab.temps").await, [(None, framed(8)), (None, framed(1))]);
    let stored = app.registry(Method::GET, "/subjects/lab.temps-value/versions/latest").send().await.json();
    assert_eq!((stored["id"].as_i64(), stored["version"].as_i64()), (Some(id), Some(1)));

    // By id, and by a text that says the same in other words.
    let by_id = json!({"records": [{"value": {"kelvin": 5}}], "value_schema_id": id});
    assert_eq!(produce_json(&app, "/topics/lab.temps", AVRO, by_id).await.json()["value_schema_id"], id);
    let respelt = kelvin().replace(',', " ,\n");
    let by_text = json!({"records": [{"value": {"kelvin": 6}}], "value_schema": respelt});
    assert_eq!(produce_json(&app, "/topics/lab.temps", AVRO, by_text).await.json()["value_schema_id"], id);
    assert_eq!(app.end_offset("lab.temps", 0).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_json_with_a_schema_is_refused() {
    let app = TestApp::start().await;
    app.topic("lab.temps", 1).await;
    for schema in ["value_schema", "key_schema"] {
        let body = json!({schema: kelvin(), "records": [{"value": {"kelvin": 4}}]});
        let reply = produce_json(&app, "/topics/lab.temps", JSON, body).await;
        assert_eq!(reply.refusal(), (422, 422));
        assert!(reply.message().contains(AVRO), "{}", reply.message());
    }
    assert_eq!(app.end_offset("lab.temps", 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_does_not_fit_is_named_and_nothing_of_the_request_is_written() {
    let app = TestApp::start().await;
    app.topic("lab.temps", 1).await;
    let body = json!({"value_schema": kelvin(), "records": [{"value": {"kelvin": 4}}, {"value": {"kelvin": "cold"}}]});
    let reply = produce_json(&app, "/topics/lab.temps", AVRO, body).await;
    assert_eq!(reply.refusal(), (400, 400));
    assert_eq!(
        reply.message(),
        r#"Bad Request: records[1].value.kelvin: expected int, found string "cold". Nothing was written."#
    );
    assert_eq!(app.end_offset("lab.temps", 0).await, 0);
}

/// What people send who write JSON by hand, or with `str()`.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_made_of_whole_sentences_and_says_that_nothing_was_written() {
    let app = TestApp::start().await;
    app.topic("lab.temps", 1).await;
    let envelope = "The request body is not the JSON that is expected: expected JSON, found";
    let schema = "value_schema: Invalid schema: this is no AVRO schema: expected JSON, found";
    for (body, message) in [
        (
            "{'records':[]}",
            format!(
                "{envelope} '\\'' at byte 1; strings stand in double quotes: did you use str() where json.dumps() is meant?"
            ),
        ),
        (
            "{\"records\":[{\"value\":\"a\nb\"}]}",
            format!("{envelope} the control character U+000A within a string at byte 23; there it stands as \\n."),
        ),
        ("[1]", "expected the request to be an object with records, found an array.".to_owned()),
        (
            r#"{"value_schema":"string","records":[{"value":"x"}]}"#,
            format!("{schema} 's' at byte 0; the name of a type stands in quotes: \"string\"."),
        ),
        (
            r#"{"value_schema":"{'type': 'string'}","records":[{"value":"x"}]}"#,
            format!(
                "{schema} '\\'' at byte 1; strings stand in double quotes: did you use str() where json.dumps() is meant?"
            ),
        ),
    ] {
        let reply = produce(&app, "/topics/lab.temps", AVRO, body).await;
        assert_eq!(reply.message(), format!("{message} Nothing was written."), "{body}");
    }
    assert_eq!(app.end_offset("lab.temps", 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_does_not_fit_its_subject_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    app.topic("lab.temps", 1).await;
    let first = json!({"value_schema": kelvin(), "records": [{"value": {"kelvin": 4}}]});
    assert_eq!(produce_json(&app, "/topics/lab.temps", AVRO, first).await.status, 200);
    let renamed =
        json!({"value_schema": kelvin().replace("kelvin", "celsius"), "records": [{"value": {"celsius": 4}}]});
    let reply = produce_json(&app, "/topics/lab.temps", AVRO, renamed).await;
    assert_eq!(reply.refusal(), (422, 42207));
    assert!(reply.message().contains("READER_FIELD_MISSING_DEFAULT_VALUE"), "{}", reply.message());
    assert_eq!(app.end_offset("lab.temps", 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learnt_of_a_subject_is_dropped_when_it_is_deleted() {
    let app = TestApp::start().await;
    app.topic("lab.temps", 1).await;
    let body = json!({"value_schema": kelvin(), "records": [{"value": {"kelvin": 4}}]});
    let first = produce_json(&app, "/topics/lab.temps", AVRO, body.clone()).await.json();
    let deleted = app.registry(Method::DELETE, "/subjects/lab.temps-value").send().await;
    assert_eq!(deleted.json(), json!([1]));
    let second = produce_json(&app, "/topics/lab.temps", AVRO, body).await.json();
    assert_eq!(second["value_schema_id"], first["value_schema_id"], "the same content keeps its id");
    let versions = app.registry(Method::GET, "/subjects/lab.temps-value/versions").send().await;
    assert_eq!(versions.json(), json!([2]), "and was registered anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_asked_for_where_there_is_something_to_encode() {
    let app = TestApp::start().await;
    app.topic("lab.temps", 1).await;
    let both = json!({"value_schema": kelvin(), "value_schema_id": 1, "records": [{"value": {"kelvin": 4}}]});
    for (body, refusal) in [
        (json!({"records": [{"value": {"kelvin": 4}}]}), (422, 42202)),
        (json!({"records": [{"key": "k"}]}), (422, 42201)),
        (both, (422, 422)),
        (json!({"value_schema_id": 4711, "records": [{"value": 1}]}), (422, 42207)),
        (json!({"value_schema": "{\"type\": \"int\",}", "records": [{"value": 1}]}), (422, 42205)),
        (json!({"value_schema": {"type": "int"}, "records": [{"value": 1}]}), (400, 400)),
    ] {
        let reply = produce_json(&app, "/topics/lab.temps", AVRO, body.clone()).await;
        assert_eq!(reply.refusal(), refusal, "{body}: {}", reply.text());
    }
    assert_eq!(app.end_offset("lab.temps", 0).await, 0);

    // Nulls need no schema; under a schema whose top allows it null is Kafka's null as well.
    for body in [
        json!({"records": [{"key": null}]}),
        json!({"value_schema": "[\"null\",\"string\"]", "records": [{"value": null}]}),
    ] {
        assert_eq!(produce_json(&app, "/topics/lab.temps", AVRO, body).await.status, 200);
    }
    assert_eq!(app.records("lab.temps").await, [(None, None), (None, None)]);
}

/// Key schema, value schema, then the records one by one; the first refusal is the answer, and nothing stays of the request.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_worked_off_in_order() {
    let app = TestApp::start().await;
    app.topic("lab.temps", 1).await;
    let broken = json!({"value_schema": "{", "records": [{"key": "k", "value": {"kelvin": 4}}]});
    assert_eq!(produce_json(&app, "/topics/lab.temps", AVRO, broken).await.refusal(), (422, 42205));
    let versions = async || app.registry(Method::GET, "/subjects/lab.temps-value/versions").send().await.status;
    assert_eq!(versions().await, 404);
    let misfit_first = json!({"value_schema": kelvin(), "records": [{"value": {"kelvin": "cold"}}, {"key": "k"}]});
    assert_eq!(produce_json(&app, "/topics/lab.temps", AVRO, misfit_first).await.refusal(), (400, 400));
    assert_eq!(versions().await, 404, "a refused request registers nothing");
    let no_key_schema = json!({"value_schema": kelvin(), "records": [{"key": "k", "value": {"kelvin": "cold"}}]});
    assert_eq!(produce_json(&app, "/topics/lab.temps", AVRO, no_key_schema).await.refusal(), (422, 42201));
    assert_eq!(app.end_offset("lab.temps", 0).await, 0);
}

/// An illegal name fails the records, but only those that a legal one would have taken.
#[tokio::test(flavor = "multi_thread")]
async fn an_illegal_name_of_a_topic_fails_each_record() {
    let app = TestApp::start().await;
    let illegal = produce_json(&app, "/topics/a%2Fb", JSON, json!({"records": [{"value": 1}, {"value": 2}]})).await;
    assert_eq!(illegal.status, 200);
    let failed = &illegal.json()["offsets"][1];
    assert_eq!(failed["error_code"], 50002);
    assert!(failed["error"].as_str().expect("a sentence").starts_with("'a/b' is no legal name"), "{failed}");
    for (format, body, refusal) in [
        (JSON, json!({"records": [{"value": 1, "partition": -1}]}), (422, 422)),
        (BINARY, json!({"records": [{"value": "?"}]}), (400, 400)),
        (AVRO, json!({"records": [{"value": 1}]}), (422, 42202)),
        (AVRO, json!({"value_schema": "{", "records": [{"value": {"kelvin": 1}}]}), (422, 42205)),
        (AVRO, json!({"value_schema_id": 99, "records": [{"value": {"kelvin": 1}}]}), (422, 42207)),
        (AVRO, json!({"value_schema": kelvin(), "records": [{"value": {"kelvin": "cold"}}]}), (400, 400)),
    ] {
        assert_eq!(produce_json(&app, "/topics/a%20b", format, body).await.refusal(), refusal, "{format}");
    }
}

/// A schema that was registered before is told; one that is new is not registered for a topic that cannot be.
#[tokio::test(flavor = "multi_thread")]
async fn an_illegal_name_of_a_topic_registers_no_schema() {
    let app = TestApp::start().await;
    let body = json!({"value_schema": kelvin(), "records": [{"value": {"kelvin": 4}}]});
    let produced = async || {
        let failed = produce_json(&app, "/topics/a%20b", AVRO, body.clone()).await;
        assert_eq!((failed.status, failed.json()["offsets"][0]["error_code"].as_i64()), (200, Some(50002)));
        failed.json()["value_schema_id"].clone()
    };
    assert_eq!(produced().await, Value::Null);
    assert_eq!(app.registry(Method::GET, "/subjects").send().await.json(), json!([]));
    let schema = json!({"schema": kelvin()});
    let registered = app.registry(Method::POST, "/subjects/a%20b-value/versions").json(&schema).send().await.json();
    assert_eq!(produced().await, registered["id"]);
}

/// What cannot be told apart in JSON from what it is, is written as it is.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_surrogate_pair_stays_an_escape_in_json_and_is_no_text_in_avro() {
    let app = TestApp::start().await;
    app.topic("plain", 1).await;
    let body = r#"{"records":[{"value":"\ud83d"}]}"#;
    assert_eq!(produce(&app, "/topics/plain", JSON, body).await.status, 200);
    assert_eq!(app.records("plain").await, [(None, Some(Bytes::from_static(br#""\uD83D""#)))]);
    let body = r#"{"value_schema":"\"string\"","records":[{"value":"\ud83d"}]}"#;
    let reply = produce(&app, "/topics/plain", AVRO, body).await;
    assert_eq!(reply.refusal(), (400, 400));
    assert!(reply.message().contains("surrogate"), "{}", reply.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_avro_record_without_fields_may_be_null() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let body = json!({"value_schema": r#"{"type":"record","name":"E","fields":[]}"#, "records": [{"value": null}, {"value": {"x": 1}}]});
    let id = produce_json(&app, "/topics/lab", AVRO, body).await.json()["value_schema_id"].as_i64().expect("an id");
    let framed = Some(Bytes::from(vec![0, 0, 0, 0, id as u8]));
    assert_eq!(app.records("lab").await, [(None, framed.clone()), (None, framed)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_and_binary_need_no_schema() {
    let app = TestApp::start().await;
    app.topic("plain", 1).await;
    let body = r#"{"records":[{"key":"k","value":{ "b":1.10, "a":[ 1e2, "\u00fc😀" ]}},{"value":null}]}"#;
    assert_eq!(produce(&app, "/topics/plain", JSON, body).await.status, 200);
    let body = json!({"records": [{"key": "", "value": "AAH+/w"}]});
    assert_eq!(produce_json(&app, "/topics/plain", BINARY, body).await.status, 200);
    let bytes = |text: &'static [u8]| Some(Bytes::from_static(text));
    assert_eq!(
        app.records("plain").await,
        [
            (bytes(b"\"k\""), bytes("{\"b\":1.1,\"a\":[100.0,\"ü\\uD83D\\uDE00\"]}".as_bytes())),
            (None, None),
            (bytes(b""), bytes(&[0, 1, 0xFE, 0xFF])),
        ]
    );
    for value in [json!(1), json!("not base64!"), json!("_-_-")] {
        let reply = produce_json(&app, "/topics/plain", BINARY, json!({"records": [{"value": value}]})).await;
        assert_eq!(reply.refusal(), (400, 400), "{value}");
        assert!(reply.message().contains("records[0].value"), "{}", reply.message());
        assert!(reply.message().contains("are binary"), "{}", reply.message());
    }
    let untyped = json!({"value_schema": kelvin(), "records": [{"value": {"kelvin": 1}}]});
    let reply = app.request(Method::POST, "/topics/plain").body(untyped.to_string()).send().await;
    assert_eq!(reply.refusal(), (400, 400));
    assert!(reply.message().contains("no Content-Type") && reply.message().contains(AVRO), "{}", reply.message());
    assert_eq!(app.end_offset("plain", 0).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_is_wrong_is_refused_by_name() {
    let app = TestApp::start().await;
    app.topic("plain", 1).await;
    for (body, refusal, says) in [
        ("", (422, 422), "must not be null"),
        ("{}", (422, 422), "records must not be empty"),
        (r#"{"records":[]}"#, (422, 422), "records must not be empty"),
        (r#"{"records":{"value":1}}"#, (400, 400), "records to be a list"),
        (r#"{"records":[1]}"#, (400, 400), "records[0] to be an object"),
        (r#"{"records":[{"value":1,"headers":[]}]}"#, (422, 422), "Unrecognized field: headers. records[0] may"),
        (r#"{"record":[{"value":1}]}"#, (422, 422), "Unrecognized field: record"),
        (r#"{"records":[{"value":1}],}"#, (400, 400), "not the JSON"),
        (r#"{"records":[{"value":NaN}]}"#, (400, 400), "found NaN at byte"),
        (r#"{"records":[{"value":-Infinity}]}"#, (400, 400), "found -Infinity at byte"),
        (r#"{"records":[{"value":1}]} x"#, (400, 400), "not the JSON"),
        (
            r#"{"records":[{"value":1,"partition":"one"}]}"#,
            (400, 400),
            "records[0].partition: expected a 32 bit integer",
        ),
        (r#"{"records":[{"value":1},{"value":1,"partition":-1}]}"#, (422, 422), "records[1].partition"),
    ] {
        let reply = produce(&app, "/topics/plain", JSON, body).await;
        assert_eq!(reply.refusal(), refusal, "{body}: {}", reply.text());
        assert!(reply.message().contains(says), "{body}: {}", reply.message());
    }
    let deep = format!(r#"{{"records":[{{"value":{}}}]}}"#, "[".repeat(100_000));
    let reply = produce(&app, "/topics/plain", JSON, deep).await;
    assert_eq!(reply.refusal(), (400, 400));
    assert!(reply.message().contains("1000 levels"), "{}", reply.message());
    let broken = produce(&app, "/topics/plain", JSON, &b"{\"records\":[{\"value\":\"\xFF\"}]}"[..]).await;
    assert_eq!(broken.refusal(), (400, 400));
    let wrong_type = produce(&app, "/topics/plain", "application/json", r#"{"records":[{"value":1}]}"#).await;
    assert_eq!((wrong_type.refusal(), wrong_type.header("content-type")), ((415, 415), "application/json"));
    assert_eq!(app.end_offset("plain", 0).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_where_they_say_and_a_partition_that_is_not_there_fails_alone() {
    let app = TestApp::start().await;
    app.topic("wide", 2).await;
    let body = json!({"records": [{"value": 1, "partition": 1}, {"value": 2, "partition": 7}, {"value": 3, "partition": "0"}, {"value": 4}]});
    let reply = produce_json(&app, "/topics/wide/partitions/1", JSON, body).await.json();
    let offsets = reply["offsets"].as_array().expect("a list");
    let short = |entry: &Value| json!([entry["partition"], entry["offset"], entry["error_code"]]);
    assert_eq!(
        offsets.iter().map(short).collect::<Vec<_>>(),
        [json!([1, 0, null]), json!([null, null, 50003]), json!([0, 0, null]), json!([1, 1, null])]
    );
    assert!(offsets[1]["error"].as_str().expect("a sentence").ends_with("The record was not written."), "{offsets:?}");
    assert_eq!(
        produce_json(&app, "/topics/wide/partitions/x", JSON, json!({"records": [{}]})).await.refusal(),
        (404, 404)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_does_not_exist_is_told_soon_and_not_made() {
    let app = TestApp::start().await;
    let started = std::time::Instant::now();
    let reply = produce_json(&app, "/topics/nowhere", JSON, json!({"records": [{"value": 1}]})).await;
    assert_eq!(reply.refusal(), (404, 40401));
    assert!(started.elapsed() < std::time::Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(app.partitions("nowhere").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_cluster_makes_topics_produce_makes_them_and_nothing_else_does() {
    let app = TestApp::start_with(|settings| settings.auto_create_topics = true).await;
    assert_eq!(app.get("/topics/made").await.refusal(), (404, 40403));
    assert_eq!(app.partitions("made").await, None);
    let misfit = json!({"value_schema": kelvin(), "records": [{"value": {"kelvin": "cold"}}]});
    assert_eq!(produce_json(&app, "/topics/made", AVRO, misfit).await.status, 400);
    assert_eq!(app.partitions("made").await, None, "a refused request makes no topic");
    assert_eq!(produce_json(&app, "/topics/made", JSON, json!({"records": [{"value": 1}]})).await.status, 200);
    assert_eq!(app.end_offset("made", 0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_fails_alone() {
    let app = TestApp::start().await;
    app.topic("plain", 1).await;
    let body = json!({"records": [{"value": "small"}, {"value": "x".repeat(1_100_000)}, {"value": "after"}]});
    let reply = produce_json(&app, "/topics/plain", JSON, body).await.json();
    let codes: Vec<_> =
        reply["offsets"].as_array().expect("a list").iter().map(|entry| entry["error_code"].clone()).collect();
    assert_eq!(codes, [Value::Null, json!(50002), Value::Null]);
    assert_eq!(app.end_offset("plain", 0).await, 2);
}
