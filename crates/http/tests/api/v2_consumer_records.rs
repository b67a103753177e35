//! What consumer instances of API v2 read: formats, bounds, waiting, records that cannot be decoded, clients that hang up.

use std::time::{Duration, Instant};

use hyper::Method;
use postern_broker::{ApiKey, Fault};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::app::TestApp;
use crate::v2_consumers::{JSON, V2};

const BINARY: &str = "application/vnd.kafka.binary.v2+json";
const AVRO: &str = "application/vnd.kafka.avro.v2+json";
const JSON_SCHEMA: &str = "application/vnd.kafka.jsonschema.v2+json";
const PROTOBUF: &str = "application/vnd.kafka.protobuf.v2+json";

/// Produces `body` and reads it back as the same format; the text of the whole answer.
async fn round_trip(app: &TestApp, topic: &str, format: &str, body: Value) -> String {
    app.topic(topic, 1).await;
    let produced =
        app.request(Method::POST, &format!("/topics/{topic}")).json(&body).header("Content-Type", format).send().await;
    assert_eq!(produced.status, 200, "{}", produced.text());
    let name = format.split('.').nth(2).expect("a format");
    let at = app.consumer_with(json!({"name": topic, "format": name})).await;
    app.assign(&at, topic).await;
    let read = app.read_as(&at, "", format).await;
    assert_eq!((read.status, read.header("content-type")), (200, format), "{}", read.text());
    read.text().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_is_read_back_as_it_was_produced() {
    let app = TestApp::start().await;
    let records = json!([{"key": "aw==", "value": "dg=="}, {"value": null}]);
    assert_eq!(
        round_trip(&app, "b", BINARY, json!({"records": records})).await,
        r#"[{"topic":"b","key":"aw==","value":"dg==","partition":0,"offset":0},{"topic":"b","key":null,"value":null,"partition":0,"offset":1}]"#
    );
    let records = json!([{"key": "k", "value": {"a": [1, 2.5, null, "é"]}}]);
    assert_eq!(
        round_trip(&app, "j", JSON, json!({"records": records})).await,
        r#"[{"topic":"j","key":"k","value":{"a":[1,2.5,null,"é"]},"partition":0,"offset":0}]"#
    );
    let schema =
        json!({"type": "record", "name": "r", "fields": [{"name": "u", "type": ["null", "string"]}]}).to_string();
    let records = json!([{"key": "k", "value": {"u": {"string": "x"}}}, {"key": "l", "value": {"u": null}}]);
    let body = json!({"key_schema": "\"string\"", "value_schema": schema, "records": records});
    assert_eq!(
        round_trip(&app, "a", AVRO, body).await,
        r#"[{"topic":"a","key":"k","value":{"u":{"string":"x"}},"partition":0,"offset":0},{"topic":"a","key":"l","value":{"u":null},"partition":0,"offset":1}]"#
    );
    let body = json!({"value_schema": "{\"type\":\"object\"}", "records": [{"value": {"a": 1, "b": [true]}}]});
    assert_eq!(
        round_trip(&app, "s", JSON_SCHEMA, body).await,
        r#"[{"topic":"s","key":null,"value":{"a":1,"b":[true]},"partition":0,"offset":0}]"#
    );
    let body = json!({"value_schema": "syntax = \"proto3\"; message M { int32 i = 1; string s = 2; }", "records": [{"value": {"i": 5}}]});
    assert_eq!(
        round_trip(&app, "p", PROTOBUF, body).await,
        r#"[{"topic":"p","key":null,"value":{"i":5,"s":""},"partition":0,"offset":0}]"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_format_of_the_instance_and_accept_have_to_agree() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(1)]).await;
    for (format, good, bad) in [
        ("binary", &["", V2, BINARY, "*/*"][..], &[JSON, AVRO][..]),
        ("json", &[JSON][..], &["", V2, BINARY, PROTOBUF, "*/*"][..]),
        ("avro", &[AVRO, JSON_SCHEMA, PROTOBUF][..], &["", BINARY, JSON, V2][..]),
    ] {
        let at = app.consumer_with(json!({"name": format, "format": format, "auto.offset.reset": "latest"})).await;
        app.assign(&at, "lab").await;
        for accept in bad {
            let refused = app.read_as(&at, "?timeout=1", accept).await;
            assert_eq!(refused.refusal(), (406, 40601), "{format} as {accept}");
            assert!(refused.message().contains(&format!("its format is {format}")), "{}", refused.message());
        }
        for accept in good {
            let read = app.read_as(&at, "?timeout=1", accept).await;
            assert_eq!((read.status, read.text()), (200, "[]"), "{format} as {accept}");
        }
    }
    let missing = app.read_as("/consumers/g/instances/none", "", BINARY).await;
    assert_eq!((missing.refusal(), missing.header("content-type")), ((404, 40403), BINARY));
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_headers_and_string_keys_are_given_where_they_are_asked_for() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let record = postern_kafka::Record {
        key: Some("schlüssel".into()),
        value: Some("{\"a\":1}".into()),
        headers: vec![("h".to_owned(), Some("\0".into())), ("h".to_owned(), None)],
        timestamp_ms: Some(1_700_000_000_000),
        ..postern_kafka::Record::default()
    };
    let budget = postern_kafka::Inflight::new(postern_kafka::ByteCount(1 << 20));
    let admitted = budget.admit(vec![record]).await.expect("it fits");
    let topic = postern_kafka::TopicName::parse("lab").expect("a name");
    app.cluster.partitions_for_produce(&topic).await.expect("it is there");
    assert!(app.cluster.append(&topic, admitted).await[0].is_ok());
    let at = app.consumer_with(json!({"format": "json", "key_format": "string"})).await;
    app.assign(&at, "lab").await;
    assert_eq!(
        app.read_as(&at, "?include=timestamp,headers", JSON).await.text(),
        r#"[{"topic":"lab","key":"schlüssel","value":{"a":1},"partition":0,"offset":0,"timestamp":1700000000000,"headers":[{"name":"h","value":"AA=="},{"name":"h","value":null}]}]"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn max_bytes_bounds_a_read_and_one_record_always_comes() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let long = "x".repeat(40);
    app.produce_json("lab", &[json!(long), json!(long), json!(long), json!("y")]).await;
    let at = app.consumer("json").await;
    app.assign(&at, "lab").await;
    assert_eq!(app.values(&at, "?max_bytes=100").await, [&long[..], &long[..]]);
    assert_eq!(app.values(&at, "?max_bytes=10").await, [&long[..]], "it is larger, and comes alone");
    assert_eq!(app.values(&at, "?max_bytes=0").await, ["y"], "0 is not given");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_data_and_no_longer_than_it_may() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let at = app.consumer("json").await;
    app.v2(Method::POST, &format!("{at}/subscription"), json!({"topics": ["lab"]})).await;
    let began = Instant::now();
    assert_eq!(app.values(&at, "?timeout=300").await, [] as [Value; 0]);
    assert!((Duration::from_millis(300)..Duration::from_secs(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
    let (read, ()) = tokio::join!(app.values(&at, ""), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        app.produce_json("lab", &[json!("late")]).await;
    });
    assert_eq!(read, ["late"], "it was woken");
    // Without a least number of bytes a read lasts as long as it may, even if data is there.
    let patient = json!({"name": "p", "format": "json", "fetch.min.bytes": -1, "consumer.request.timeout.ms": 1000});
    let patient = app.consumer_with(patient).await;
    app.assign(&patient, "lab").await;
    let began = Instant::now();
    assert_eq!(app.values(&patient, "").await, ["late"]);
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_read_of_a_subscription_waits_for_its_partitions() {
    let app = TestApp::start().await;
    app.topic("pat.a", 2).await;
    app.produce_json("pat.a", &[json!(1)]).await;
    let at = app.consumer("json").await;
    app.v2(Method::POST, &format!("{at}/subscription"), json!({"topic_pattern": "pat\\..*"})).await;
    assert_eq!(app.values(&at, "").await, [1]);
    assert_eq!(app.get(&format!("{at}/subscription")).await.json(), json!({"topics": ["pat.a"]}));
    let both = json!({"partitions": [{"topic": "pat.a", "partition": 0}, {"topic": "pat.a", "partition": 1}]});
    assert_eq!(app.get(&format!("{at}/assignments")).await.json(), both);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_before_a_bad_record_is_read_and_a_seek_passes_it() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let records = json!({"records": [{"value": "MQ=="}, {"value": "bm90IGpzb24="}, {"value": "Mw=="}]});
    app.request(Method::POST, "/topics/lab").json(&records).header("Content-Type", BINARY).send().await;
    for (format, media_type, good) in [("json", JSON, true), ("avro", AVRO, false)] {
        let at = app.consumer_with(json!({"name": format, "format": format})).await;
        app.assign(&at, "lab").await;
        if good {
            assert_eq!(app.values(&at, "").await, [1]);
        }
        let offset = usize::from(good);
        for _ in 0..2 {
            let refused = app.read_as(&at, "", media_type).await;
            assert_eq!((refused.refusal(), refused.header("content-type")), ((408, 40801), media_type));
            let place = format!("Error deserializing VALUE for partition lab-0 at offset {offset}: ");
            assert!(refused.message().starts_with(&place), "{}", refused.message());
        }
        let past = json!({"offsets": [{"topic": "lab", "partition": 0, "offset": 2}]});
        assert_eq!(app.v2(Method::POST, &format!("{at}/positions"), past).await.status, 204);
        if good {
            assert_eq!(app.values(&at, "").await, [3]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_client_that_hangs_up_are_not_lost() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let at = app.consumer("json").await;
    app.assign(&at, "lab").await;
    let mut gone = app.connect().await;
    let said = format!("GET {at}/records HTTP/1.1\r\nHost: p\r\nAccept: {JSON}\r\n\r\n");
    gone.write_all(said.as_bytes()).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(gone);
    // Nothing else is done on the instance while the read waits: this is answered when it has ended.
    assert_eq!(app.get(&format!("{at}/assignments")).await.status, 200);
    app.produce_json("lab", &[json!(1)]).await;
    assert_eq!(app.values(&at, "").await, [1]);
    // The answer to HEAD has no records, so they come again.
    app.produce_json("lab", &[json!(2)]).await;
    let head = app.request(Method::HEAD, &format!("{at}/records")).header("Accept", JSON).send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(app.values(&at, "").await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_of_one_instance_do_not_overlap_and_few_of_them_wait() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &(0..40).map(|n| json!(n)).collect::<Vec<_>>()).await;
    let at = app.consumer("json").await;
    app.assign(&at, "lab").await;
    let reads = (0..4).map(|_| app.values(&at, "?max_bytes=15"));
    let mut read: Vec<Value> = Vec::new();
    for values in futures(reads).await {
        read.extend(values);
    }
    read.sort_by_key(Value::as_i64);
    let whole: Vec<Value> = (0..read.len()).map(|n| json!(n)).collect();
    assert_eq!(read, whole, "none twice, none skipped");

    let waiting = futures((0..40).map(|_| app.read_as(&at, "?timeout=400&max_bytes=1000", JSON))).await;
    let busy = waiting.iter().filter(|reply| reply.refusal() == (503, 50302)).count();
    let answered = waiting.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(busy + answered, 40);
    assert!(answered >= 16, "{answered}");
}

/// All of them at once.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, done) in all.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(found) = one.as_mut().poll(context) {
                *done = Some(found);
            }
        }
        if all.iter().all(|(_, done)| done.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_finds_nothing_while_no_broker_answers_and_goes_on_afterwards() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(1)]).await;
    let settings = json!({"format": "json", "auto.offset.reset": "earliest", "consumer.request.timeout.ms": 300});
    let at = app.consumer_with(settings).await;
    app.assign(&at, "lab").await;
    app.broker.faults().add(ApiKey::Fetch, None, Fault::Close, u64::MAX);
    for _ in 0..2 {
        let read = app.request(Method::GET, &format!("{at}/records")).header("Accept", JSON).send().await;
        assert_eq!((read.status, read.text()), (200, "[]"));
    }
    app.broker.faults().clear();
    let values = async {
        loop {
            let values = app.values(&at, "").await;
            if !values.is_empty() {
                break values;
            }
        }
    };
    assert_eq!(timeout(Duration::from_secs(30), values).await.expect("it goes on"), [json!(1)]);
}
