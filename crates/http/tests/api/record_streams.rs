//! Streams of records: server-sent events and lines, of a topic and of a consumer instance.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use postern_http::Bounds;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::app::TestApp;
use crate::v2_consumers::JSON;

const EVENTS: (&str, &str) = ("Accept", "text/event-stream");
const LINES: (&str, &str) = ("Accept", "application/x-ndjson");
/// The longest wait for what should come at once.
const SOON: Duration = Duration::from_secs(30);

/// An answer that is read while it comes.
struct Stream {
    status: u16,
    headers: HeaderMap,
    body: Incoming,
    unread: Vec<u8>,
}

/// One event: its id, its type, its data.
#[derive(Debug)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

impl Stream {
    async fn open(stream: TcpStream, path: &str, headers: &[(&str, &str)]) -> Stream {
        let mut request = Request::builder().uri(path).header("Host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.expect("it answers").into_parts();
        Stream { status: head.status.as_u16(), headers: head.headers, body, unread: Vec::new() }
    }

    /// The text before the next `end`; `None`: the answer has ended.
    async fn until(&mut self, end: &[u8]) -> Option<String> {
        // What was searched is not searched again.
        let mut from = 0;
        loop {
            let found = self.unread[from..].windows(end.len()).position(|window| window == end);
            if let Some(at) = found.map(|at| from + at) {
                let rest = self.unread.split_off(at + end.len());
                let text = std::mem::replace(&mut self.unread, rest);
                return Some(String::from_utf8(text[..at].to_vec()).expect("text"));
            }
            from = self.unread.len().saturating_sub(end.len() - 1);
            let frame = timeout(SOON, self.body.frame()).await.expect("something comes")?;
            let data = frame.expect("the answer is whole").into_data().expect("data");
            self.unread.extend_from_slice(&data);
        }
    }

    async fn line(&mut self) -> Option<String> {
        self.until(b"\n").await
    }

    /// The id of the next event, whether it has data or not.
    async fn id(&mut self) -> String {
        loop {
            let block = self.until(b"\n\n").await.expect("it goes on");
            if let Some(id) = block.lines().find_map(|line| line.strip_prefix("id: ")) {
                return id.to_owned();
            }
        }
    }

    /// The next event with data; others are passed.
    async fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.until(b"\n\n").await?;
            let field = |name: &str| {
                let found = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                found.unwrap_or_default().to_owned()
            };
            if let Ok(data) = serde_json::from_str(&field("data")) {
                return Some(Event { id: field("id"), kind: field("event"), data });
            }
        }
    }
}

impl TestApp {
    async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        Stream::open(self.connect().await, path, headers).await
    }

    async fn produce_to(&self, partition: i32, value: Value) {
        let call = self.request(Method::POST, &format!("/topics/lab/partitions/{partition}"));
        let call = call.json(&json!({"records": [{"value": value}]})).header("Content-Type", JSON);
        assert_eq!(call.send().await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_topic_resume_at_exactly_the_next_record() {
    let app = TestApp::start().await;
    app.topic("lab", 2).await;
    app.produce_to(0, json!("a")).await;
    let mut stream = app.stream("/topics/lab/records?offset=earliest&format=json", &[EVENTS]).await;
    assert_eq!((stream.status, &stream.headers["content-type"]), (200, &"text/event-stream".parse().expect("a value")));
    assert_eq!(stream.headers["cache-control"], "no-store");
    assert_eq!(stream.until(b"\n\n").await.as_deref(), Some("retry: 2000\nid: 0:0,1:0"));
    let first = stream.event().await.expect("a record");
    assert_eq!((first.id.as_str(), first.kind.as_str()), ("0:1,1:0", ""));
    assert_eq!(first.data, json!({"topic": "lab", "key": null, "value": "a", "partition": 0, "offset": 0}));
    app.produce_to(1, json!("b")).await;
    let second = stream.event().await.expect("a record");
    assert_eq!((second.id.as_str(), &second.data["value"]), ("0:1,1:1", &json!("b")));
    drop(stream);
    app.produce_to(0, json!("c")).await;
    app.produce_to(1, json!("d")).await;
    // After the first: the second comes again; after the second: it does not.
    for (id, expected) in [(&first.id, &["b", "c", "d"][..]), (&second.id, &["c", "d"])] {
        let headers = [EVENTS, ("Last-Event-ID", id)];
        let mut stream = app.stream("/topics/lab/records?offset=earliest&format=json", &headers).await;
        let (mut values, mut last) = (BTreeSet::new(), String::new());
        for _ in expected {
            let event = stream.event().await.expect("a record");
            values.insert(event.data["value"].as_str().expect("text").to_owned());
            last = event.id;
        }
        assert_eq!(values.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        assert_eq!(last, "0:2,1:2");
    }
    let refused = app.request(Method::GET, "/topics/lab/records").header("Accept", EVENTS.1);
    let refused = refused.header("Last-Event-ID", "canary").send().await;
    assert_eq!(refused.refusal(), (400, 400));
    assert!(refused.message().contains("expected the id of an event of this stream, found 'canary'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_begin_at_the_end_and_an_empty_one_keeps_the_connection_alive() {
    let app = TestApp::bounded(Bounds { keep_alive: Duration::from_millis(50), ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    app.produce_to(0, json!("before")).await;
    let mut stream = app.stream("/topics/lab/records?format=json&include=headers,schema_id", &[LINES]).await;
    assert_eq!(stream.line().await.as_deref(), Some(""));
    app.produce_to(0, json!({"a": 1})).await;
    let line = loop {
        match stream.line().await.expect("it goes on") {
            line if line.is_empty() => {}
            line => break line,
        }
    };
    assert_eq!(
        line,
        r#"{"topic":"lab","key":null,"value":{"a":1},"partition":0,"offset":1,"headers":[],"key_schema_id":null,"value_schema_id":null}"#
    );
    // A partition that the topic gets later is read from its beginning, however much comes from the others.
    let topic = postern_kafka::TopicName::parse("lab").expect("a name");
    app.cluster.add_partitions(&topic, 2).await.expect("they can be added");
    app.produce_to(1, json!("new")).await;
    let busy = async {
        for n in 0.. {
            app.produce_to(0, json!(n)).await;
        }
    };
    let found = async {
        loop {
            let line = stream.line().await.expect("it goes on");
            let record = serde_json::from_str::<Value>(&line).unwrap_or_default();
            if record["partition"] == 1 {
                break record;
            }
        }
    };
    let found = tokio::select! {
        found = timeout(SOON, found) => found.expect("it comes"),
        () = busy => unreachable!("it goes on"),
    };
    assert_eq!(found["value"], json!("new"));
    app.cluster.delete_topic(&topic).await.expect("it can be deleted");
    let last = loop {
        match stream.line().await.expect("it says why it ends") {
            line if line.contains("error_code") => break line,
            _ => {}
        }
    };
    assert_eq!(serde_json::from_str::<Value>(&last).expect("JSON")["error_code"], 40403, "{last}");
    assert!(stream.line().await.is_none(), "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_where_it_is_when_its_last_event_is_not_there() {
    let app = TestApp::start().await;
    app.topic("lab", 2).await;
    for value in ["a", "b"] {
        app.produce_to(0, json!(value)).await;
    }
    let headers = [EVENTS, ("Last-Event-ID", "0:9,1:0")];
    let mut stream = app.stream("/topics/lab/records?format=json", &headers).await;
    let reset = stream.event().await.expect("an event");
    assert_eq!(
        (reset.kind.as_str(), reset.id.as_str()),
        ("reset", ""),
        "before the id that would let a client forget it"
    );
    assert_eq!(stream.id().await, "0:0,1:0");
    let of = |member: &str| reset.data[member].as_i64();
    assert_eq!((of("partition"), of("asked"), of("earliest"), of("latest")), (Some(0), Some(9), Some(0), Some(2)));
    assert_eq!(stream.event().await.expect("a record").data["value"], json!("a"));
    assert_eq!(stream.event().await.expect("a record").data["value"], json!("b"));
    // Records that are gone are said to be.
    let topic = postern_kafka::TopicName::parse("lab").expect("a name");
    let before = [(postern_kafka::PartitionId(0), postern_kafka::Offset(1))].into();
    app.cluster.delete_records(&topic, &before).await.expect("it is deleted");
    let mut stream = app.stream("/topics/lab/records?format=json", &[EVENTS, ("Last-Event-ID", "0:0,1:0")]).await;
    assert_eq!(stream.event().await.expect("an event").data["earliest"], 1);
    assert_eq!(stream.event().await.expect("a record").data["value"], json!("b"));
}

/// Retention overtakes a client that reads slowly.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_so_when_the_records_that_come_next_are_deleted() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    for n in 0..100 {
        app.produce_to(0, json!({"n": n, "value": "x".repeat(256 << 10)})).await;
    }
    let mut stream = app.stream("/topics/lab/records?format=json&offset=earliest", &[EVENTS]).await;
    assert_eq!(stream.event().await.expect("a record").data["offset"], 0);
    let topic = postern_kafka::TopicName::parse("lab").expect("a name");
    let before = [(postern_kafka::PartitionId(0), postern_kafka::Offset(99))].into();
    app.cluster.delete_records(&topic, &before).await.expect("they are deleted");
    let mut next = 1;
    let reset = loop {
        let event = stream.event().await.expect("an event");
        if event.kind == "reset" {
            break event;
        }
        assert_eq!(event.data["offset"], next);
        next += 1;
    };
    assert!(next < 99, "it was sent {next} records");
    assert_eq!((&reset.data["earliest"], &reset.data["latest"]), (&json!(99), &json!(100)));
    assert_eq!(reset.data["asked"], next);
    assert_eq!(stream.event().await.expect("a record").data["offset"], 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_topic() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let mut stream = app.stream("/topics/lab/records?format=json", &[EVENTS]).await;
    assert_eq!(stream.id().await, "0:0");
    let topic = postern_kafka::TopicName::parse("lab").expect("a name");
    app.cluster.delete_topic(&topic).await.expect("it can be deleted");
    // Well before a keep-alive, which comes after 15 s.
    let last = timeout(Duration::from_secs(10), stream.event()).await.expect("at once").expect("a reason");
    assert_eq!((last.kind.as_str(), &last.data["error_code"]), ("failure", &json!(40403)));
    assert!(stream.event().await.is_none(), "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_topic_goes_on_behind_what_cannot_be_decoded() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let binary = json!({"records": [{"value": "eA=="}]});
    let call = app.request(Method::POST, "/topics/lab").json(&binary);
    assert_eq!(call.header("Content-Type", "application/vnd.kafka.binary.v2+json").send().await.status, 200);
    app.produce_to(0, json!(2)).await;
    let mut stream = app.stream("/topics/lab/records?offset=0&format=json", &[EVENTS]).await;
    let bad = stream.event().await.expect("an event");
    assert_eq!((bad.id.as_str(), bad.kind.as_str(), &bad.data["error_code"]), ("0:1", "undecodable", &json!(40801)));
    assert!(bad.data["message"].as_str().is_some_and(|text| text.contains("partition lab-0 at offset 0")), "{bad:?}");
    let good = stream.event().await.expect("an event");
    assert_eq!((good.id.as_str(), &good.data["value"]), ("0:2", &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_acceptable_is_not_opened() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    for (accept, expected) in [("text/event-stream;q=0", 406), ("text/event-stream; Q=0.0, */*", 200)] {
        let read = app.request(Method::GET, "/topics/lab/records?timeout=1").header("Accept", accept).send();
        let read = timeout(SOON, read).await.expect("it is no stream");
        assert_eq!(read.status, expected, "{accept}: {}", read.text());
        assert_ne!(read.header("content-type"), EVENTS.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_as_many_as_allowed_and_end_with_their_clients() {
    let app = TestApp::bounded(Bounds { record_streams: 1, ..Bounds::default() }).await;
    app.topic("lab", 1).await;
    let first = app.stream("/topics/lab/records", &[EVENTS]).await;
    assert_eq!(first.status, 200);
    let refused = app.request(Method::GET, "/topics/lab/records").header("Accept", EVENTS.1).send().await;
    assert_eq!((refused.status, refused.error_code()), (503, Some(503)));
    assert!(refused.message().starts_with("There are 1 streams of records"), "{}", refused.message());
    drop(first);
    let again = async {
        while app.stream("/topics/lab/records", &[EVENTS]).await.status != 200 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, again).await.expect("the place is free without anything being sent");
    let head = app.request(Method::HEAD, "/topics/lab/records").header("Accept", EVENTS.1);
    let head = head.send().await;
    assert!(matches!(head.status, 200 | 503), "it is answered, not held");
    if head.status == 200 {
        assert_eq!(head.header("content-type"), EVENTS.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_nobody_and_misses_nothing() {
    const RECORDS: usize = 64;
    let app = TestApp::with_consumers(|consumers| consumers.fetched_ahead = postern_kafka::ByteCount(1 << 20)).await;
    app.topic("lab", 1).await;
    app.topic("other", 1).await;
    let value = "x".repeat(256 << 10);
    for n in 0..RECORDS {
        app.produce_to(0, json!({"n": n, "value": value})).await;
    }
    app.produce_json("other", &[json!(1)]).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(app.stream("/topics/lab/records?offset=earliest&format=json", &[LINES]).await);
    }
    let at = app.consumer("json").await;
    app.assign(&at, "other").await;
    assert_eq!(timeout(SOON, app.values(&at, "")).await.expect("it is not held up"), [json!(1)]);
    for stream in &mut slow[..2] {
        for n in 0..RECORDS {
            let line = stream.line().await.expect("it goes on");
            let record: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(record["value"]["n"], json!(n));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_streams_hold_for_clients_that_do_not_read_has_a_bound_and_leaves_room_for_others() {
    const RECORDS: usize = 24;
    let limits = postern_proxy::Limits {
        consumers: postern_proxy::ConsumerLimits {
            answers: postern_kafka::ByteCount(8 << 20),
            fetched_ahead: postern_kafka::ByteCount(4 << 20),
            ..postern_proxy::ConsumerLimits::default()
        },
        ..postern_proxy::Limits::default()
    };
    let bounds = Bounds { idle: Duration::from_secs(3), keep_alive: Duration::from_millis(500), ..Bounds::default() };
    let app = TestApp::limited(bounds, limits).await;
    app.topic("lab", 1).await;
    let value = "x".repeat(900 << 10);
    for n in 0..RECORDS {
        app.produce_to(0, json!({"n": n, "value": value})).await;
    }
    let path = "/topics/lab/records?offset=earliest&format=json";
    let mut idle = Vec::new();
    for _ in 0..12 {
        idle.push(app.stream(path, &[LINES]).await);
    }
    // As much as streams may have, and no more.
    let full = async {
        while app.proxy.statistics().answers.0.0 < 5 << 20 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, full).await.expect("they take what they can get");
    for _ in 0..20 {
        let (used, all) = app.proxy.statistics().answers;
        assert!(used.0 <= 6 << 20, "{used:?} of {all:?}");
        sleep(Duration::from_millis(10)).await;
    }
    let list = app.request(Method::GET, "/topics/lab/records?last=1&timeout=20000").header("Accept", JSON).send().await;
    assert_eq!((list.status, &list.json()[0]["value"]["n"]), (200, &json!(RECORDS - 1)), "others have their part");
    // Those who do not read are ended, so that one who does has its turn.
    let mut reader = app.stream(path, &[LINES]).await;
    let read = async {
        for n in 0..RECORDS {
            // Empty ones while it waits.
            let line = loop {
                match reader.line().await.expect("it goes on") {
                    line if line.is_empty() => {}
                    line => break line,
                }
            };
            let record: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(record["value"]["n"], json!(n));
        }
    };
    timeout(3 * SOON, read).await.expect("it is not held up for ever");
    drop((idle, reader));
    let free = async {
        while app.proxy.statistics().answers.0.0 > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, free).await.expect("nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_a_stream_that_resumes_behind_the_last_event() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(0), json!(1), json!(2)]).await;
    let at = app.consumer_with(json!({"name": "c", "format": "json", "consumer.request.timeout.ms": 0})).await;
    let path = format!("{at}/records");
    let refused = app.request(Method::GET, &path).header("Accept", EVENTS.1).send().await;
    assert_eq!(refused.refusal(), (409, 40903), "it has nothing to read");
    app.assign(&at, "lab").await;
    let mut stream = app.stream(&path, &[EVENTS]).await;
    let mut events = Vec::new();
    for n in 0..3 {
        let event = stream.event().await.expect("a record");
        assert_eq!((event.id, &event.data["value"]), (format!("lab:0:{}", n + 1), &json!(n)));
        events.push(event.data);
    }
    // Other operations have their turn, and what was sent counts as read.
    let committed = app.v2(Method::POST, &format!("{at}/offsets"), Value::Null).await;
    assert_eq!(committed.status, 200);
    app.produce_json("lab", &[json!(3)]).await;
    assert_eq!(stream.event().await.expect("a record").data["value"], json!(3));
    drop(stream);
    let mut again = app.stream(&path, &[EVENTS, ("Last-Event-ID", "lab:0:2,gone:0:7")]).await;
    assert_eq!(again.event().await.expect("a record").data["value"], json!(2), "what the client does not have");
    assert_eq!(again.event().await.expect("a record").data["value"], json!(3));
    let other = app.request(Method::GET, &path).header("Accept", EVENTS.1).header("Last-Event-ID", "0:1");
    assert_eq!(other.send().await.refusal(), (400, 400), "the id is that of another stream");
    assert_eq!(app.delete(&at).await.status, 204);
    let last = again.event().await.expect("a failure");
    assert_eq!((last.kind.as_str(), &last.data["error_code"]), ("failure", &json!(40403)));
    assert!(again.event().await.is_none(), "it has ended");
    let gone = app.request(Method::GET, &path).header("Accept", EVENTS.1).send().await;
    assert_eq!(gone.refusal(), (404, 40403));
}

/// The values of the next events of a stream, sorted.
async fn next_values(stream: &mut Stream, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(stream.event().await.expect("a record").data["value"].as_str().expect("text").to_owned());
    }
    values.sort_unstable();
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_an_instance_resumes_in_partitions_of_which_the_client_has_no_record() {
    let app = TestApp::start().await;
    app.topic("lab", 3).await;
    for (partition, values) in [(0, ["a", "b"]), (1, ["c", "d"]), (2, ["e", "f"])] {
        for value in values {
            app.produce_to(partition, json!(value)).await;
        }
    }
    let settings = || json!({"name": "c", "format": "json", "auto.offset.reset": "earliest"});
    let at = app.consumer_with(settings()).await;
    let subscribe = async || {
        let body = json!({"topics": ["lab"]});
        assert_eq!(app.v2(Method::POST, &format!("{at}/subscription"), body).await.status, 204);
    };
    subscribe().await;
    let path = format!("{at}/records");
    let mut stream = app.stream(&path, &[EVENTS]).await;
    let first = stream.event().await.expect("a record");
    assert_eq!(first.id.split(',').count(), 3, "it names all partitions that are assigned: {}", first.id);
    let first_value = first.data["value"].as_str().expect("text");
    // All of them were sent, and count as read, before the connection breaks.
    assert_eq!(next_values(&mut stream, 5).await.len(), 5);
    drop(stream);
    let rest: Vec<&str> = ["a", "b", "c", "d", "e", "f"].into_iter().filter(|value| *value != first_value).collect();
    let resumed = [EVENTS, ("Last-Event-ID", first.id.as_str())];
    let mut stream = app.stream(&path, &resumed).await;
    assert_eq!(next_values(&mut stream, 5).await, rest);
    drop(stream);
    // The same where nothing is assigned yet: the instance is made again, and its group has committed all of it.
    assert_eq!(app.v2(Method::POST, &format!("{at}/offsets"), Value::Null).await.status, 200);
    assert_eq!(app.delete(&at).await.status, 204);
    assert_eq!(app.consumer_with(settings()).await, at);
    subscribe().await;
    let mut stream = app.stream(&path, &resumed).await;
    assert_eq!(stream.id().await, first.id, "the client is where it was");
    assert_eq!(next_values(&mut stream, 5).await, rest);
}

/// As an `EventSource` does, which sends the last id whenever it connects anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_resumes_goes_on_where_somebody_has_moved_its_instance() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    app.produce_json("lab", &[json!(0), json!(1)]).await;
    let bad = json!({"records": [{"value": "bm8gSlNPTg=="}]});
    let call = app.request(Method::POST, "/topics/lab").json(&bad);
    assert_eq!(call.header("Content-Type", "application/vnd.kafka.binary.v2+json").send().await.status, 200);
    app.produce_json("lab", &[json!(3), json!(4)]).await;
    let at = app.consumer_with(json!({"name": "c", "format": "json", "auto.offset.reset": "earliest"})).await;
    app.assign(&at, "lab").await;
    let path = format!("{at}/records");
    let mut stream = app.stream(&path, &[EVENTS]).await;
    let read = [stream.event().await.expect("a record"), stream.event().await.expect("a record")];
    assert_eq!((read[1].id.as_str(), &read[1].data["value"]), ("lab:0:2", &json!(1)));
    assert_eq!(stream.event().await.expect("a failure").kind, "failure");
    let resumed = |id| [EVENTS, ("Last-Event-ID", id)];
    let mut stream = app.stream(&path, &resumed("lab:0:2")).await;
    assert_eq!(stream.event().await.expect("a failure").kind, "failure", "it is there still");
    let body = json!({"offsets": [{"topic": "lab", "partition": 0, "offset": 3}]});
    assert_eq!(app.v2(Method::POST, &format!("{at}/positions"), body).await.status, 204);
    // Also where the first attempt after it breaks off before anything has come.
    drop(app.stream(&path, &resumed("lab:0:2")).await);
    let mut stream = app.stream(&path, &resumed("lab:0:2")).await;
    assert_eq!(stream.id().await, "lab:0:3");
    assert_eq!(stream.event().await.expect("a record").data["value"], json!(3));
    assert_eq!(stream.event().await.expect("a record").data["value"], json!(4));
    drop(stream);
    let mut stream = app.stream(&path, &resumed("lab:0:4")).await;
    assert_eq!(stream.event().await.expect("a record").data["value"], json!(4), "what came after the move counts");
    drop(stream);
    // Backwards, and to a place that has to be looked up.
    let all = json!({"partitions": [{"topic": "lab", "partition": 0}]});
    assert_eq!(app.v2(Method::POST, &format!("{at}/positions/beginning"), all).await.status, 204);
    let mut stream = app.stream(&path, &resumed("lab:0:5")).await;
    assert_eq!(stream.event().await.expect("a record").data["value"], json!(0));
    drop(stream);
    let mut stream = app.stream(&path, &resumed("lab:0:1")).await;
    assert_eq!(stream.event().await.expect("a record").data["value"], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_comes_to_a_stream_is_named_first_and_comes_again_to_a_client_that_missed_that() {
    let app = TestApp::with_consumers(|consumers| consumers.session_timeout = Duration::from_secs(6)).await;
    app.topic("lab", 2).await;
    let mut instances = Vec::new();
    for name in ["c", "d"] {
        let settings = json!({"name": name, "format": "json", "auto.offset.reset": "earliest"});
        let at = app.consumer_with(settings).await;
        let body = json!({"topics": ["lab"]});
        assert_eq!(app.v2(Method::POST, &format!("{at}/subscription"), body).await.status, 204);
        instances.push(at);
    }
    let [at, other] = &instances[..] else { unreachable!("two were made") };
    let path = format!("{at}/records");
    let mut stream = app.stream(&path, &[EVENTS]).await;
    // Whichever joined first had both for a while.
    let alone = async {
        loop {
            let id = stream.id().await;
            if id.split(',').count() == 1 {
                break id;
            }
        }
    };
    let one = timeout(SOON, alone).await.expect("each gets one partition");
    let (mine, theirs) = if one == "lab:0:0" { (0, 1) } else { (1, 0) };
    assert_eq!(one, format!("lab:{mine}:0"));
    app.produce_to(mine, json!("mine")).await;
    let before = stream.event().await.expect("a record").id;
    assert_eq!(before, format!("lab:{mine}:1"));
    app.produce_to(theirs, json!("theirs")).await;
    assert_eq!(app.delete(other).await.status, 204);
    let after = stream.id().await;
    assert_eq!(
        after,
        if mine == 0 { "lab:0:1,1:0" } else { "lab:0:0,1:1" },
        "before any record of the other partition"
    );
    let event = stream.event().await.expect("a record");
    assert_eq!((event.id.as_str(), &event.data["value"]), ("lab:0:1,1:1", &json!("theirs")));
    assert_eq!(app.v2(Method::POST, &format!("{at}/offsets"), Value::Null).await.status, 200);
    drop(stream);
    // For a client to which neither of the two came it is sent again, although it was committed.
    let mut stream = app.stream(&path, &[EVENTS, ("Last-Event-ID", &before)]).await;
    assert_eq!(stream.event().await.expect("a record").data["value"], json!("theirs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_has_one_stream_and_a_later_one_takes_over_what_was_not_read() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    for n in 0..100 {
        app.produce_to(0, json!({"n": n, "value": "x".repeat(256 << 10)})).await;
    }
    let settings = json!({"name": "c", "format": "json", "auto.offset.reset": "earliest"});
    let at = app.consumer_with(settings).await;
    app.assign(&at, "lab").await;
    let path = format!("{at}/records");
    // Its client reads one record and then nothing, as one does that is cut off without a word.
    let mut first = app.stream(&path, &[EVENTS]).await;
    let read = first.event().await.expect("a record");
    assert_eq!(read.id, "lab:0:1");
    let headers = [EVENTS, ("Last-Event-ID", read.id.as_str())];
    let second = app.stream(&path, &headers);
    let mut second = timeout(Duration::from_secs(10), second).await.expect("it does not wait for the first");
    for n in 1..20 {
        assert_eq!(second.event().await.expect("a record").data["value"]["n"], json!(n));
    }
    let last = async {
        loop {
            match first.event().await {
                Some(event) if event.kind == "failure" => break event,
                Some(_) => {}
                None => panic!("it ended without a reason"),
            }
        }
    };
    let last = timeout(SOON, last).await.expect("the first has ended");
    assert_eq!(last.data["error_code"], 40903, "{last:?}");
    assert!(last.data["message"].as_str().is_some_and(|text| text.contains("opened later")), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_can_be_streamed_with_its_schema() {
    let app = TestApp::start().await;
    for (format, schema, value) in [
        ("avro", "\"string\"".to_owned(), json!("x")),
        ("jsonschema", r#"{"type":"object"}"#.to_owned(), json!({"a": [1]})),
        ("protobuf", "syntax = \"proto3\"; message M { int32 i = 1; }".to_owned(), json!({"i": 5})),
    ] {
        app.topic(format, 1).await;
        let body = json!({"value_schema": schema, "records": [{"value": value}]});
        let media_type = format!("application/vnd.kafka.{format}.v2+json");
        let call = app.request(Method::POST, &format!("/topics/{format}")).json(&body);
        let produced = call.header("Content-Type", &media_type).send().await;
        assert_eq!(produced.status, 200, "{}", produced.text());
        let path = format!("/topics/{format}/records?offset=earliest&format={format}&include=schema_id");
        let event = app.stream(&path, &[EVENTS]).await.event().await.expect("a record");
        assert_eq!(
            (&event.data["value"], &event.data["value_schema_id"]),
            (&value, &produced.json()["value_schema_id"])
        );
        assert_eq!(event.data["key_schema_id"], Value::Null);
    }
    let bad = app.request(Method::GET, "/topics/avro/records?format=xml").header("Accept", LINES.1).send().await;
    assert_eq!(bad.refusal(), (422, 422));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_server_is_stopped() {
    let app = TestApp::start().await;
    app.topic("lab", 1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let bounds = Bounds::default();
    let api = postern_http::rest(app.proxy.clone(), &bounds);
    let stopped = async move { drop(stopped.await) };
    let serving = tokio::spawn(postern_http::serve::serve(listener, api, bounds, stopped, SOON));
    let connect = async || TcpStream::connect(address).await.expect("it listens");
    let mut events = Stream::open(connect().await, "/topics/lab/records", &[EVENTS]).await;
    assert_eq!(events.until(b"\n\n").await.as_deref(), Some("retry: 2000\nid: 0:0"));
    stop.send(()).expect("it is served");
    assert!(events.event().await.is_none(), "it ends as a whole answer");
    assert!(serving.await.expect("no panic"), "nothing was cut off");
}
