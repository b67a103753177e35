//! Traces: what a collector gets, what records get, and that nobody gets anything where they are off.

use std::sync::mpsc::Receiver;

use base64::{Engine, engine::general_purpose::STANDARD};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message;

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const RECORD: &str = r#"{"value_schema":"{\"type\":\"record\",\"name\":\"canary_schema\",\"fields\":[{\"name\":\"n\",\"type\":\"string\"}]}","records":[{"value":{"n":"canary_value"}}]}"#;

/// A collector that takes everything.
struct Collector {
    url: String,
    exports: Receiver<(String, ExportTraceServiceRequest)>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let (taken, exports) = sync_channel(100);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (taken, stream) = (taken.clone(), stream.expect("a connection"));
                thread::spawn(move || {
                    let mut from = BufReader::new(stream);
                    while let Some((head, body)) = read_message(&mut from) {
                        let export = ExportTraceServiceRequest::decode(body.as_slice()).expect("an export");
                        let _ = taken.send((head, export));
                        from.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("answered");
                    }
                });
            }
        });
        Collector { url, exports }
    }

    /// The head of an export, and the spans of the trace up to the one of the request, which ends last.
    fn spans(&self) -> (String, Vec<Span>, Vec<KeyValue>) {
        let (mut spans, mut resource) = (Vec::new(), Vec::new());
        loop {
            let (head, export) = self.exports.recv_timeout(Duration::from_secs(30)).expect("an export");
            for of in export.resource_spans {
                resource = of.resource.expect("a resource").attributes;
                let own = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
                spans.extend(own.filter(|span| hex(&span.trace_id) == TRACE));
            }
            if spans.iter().any(|span: &Span| span.kind() == SpanKind::Server) {
                return (head, spans, resource);
            }
        }
    }
}

/// One request or answer with a `Content-Length`, `None` at the end of the connection.
fn read_message(from: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    from.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?.value.as_ref()
}

fn text(text: &str) -> Option<Value> {
    Some(Value::StringValue(text.to_owned()))
}

/// With an embedded broker that creates topics.
fn start(data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
    let mut command = postern(&ANY_PORTS);
    command.args(["--broker-auto-create-topics", "--management-listen=127.0.0.1:0", "--data-dir"]).arg(data);
    Running::spawn(command.args(arguments).envs(variables.iter().copied()))
}

/// Writes one record as part of the trace.
fn produce(to: SocketAddr, topic: &str) {
    let mut stream = TcpStream::connect(to).expect("connected");
    write!(
        stream,
        "POST /topics/{topic}?canary=query HTTP/1.1\r\nHost: p\r\nConnection: close\r\nUser-Agent: test/1\r\n\
         traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: vendor=7\r\nAuthorization: Bearer canary_token\r\n\
         Content-Type: application/vnd.kafka.avro.v2+json\r\nContent-Length: {}\r\n\r\n{RECORD}",
        RECORD.len()
    )
    .expect("sent");
    let (head, body) = read_message(&mut BufReader::new(stream)).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}{}", String::from_utf8_lossy(&body));
}

/// Names and values of the headers of the only record.
fn record_headers(of: SocketAddr, topic: &str) -> Vec<(String, String)> {
    let json = |path: &str| -> serde_json::Value {
        serde_json::from_str(&get(of, path).unwrap_or_else(|| panic!("{path} is answered"))).expect("JSON")
    };
    let clusters = json("/v3/clusters");
    let id = clusters["data"][0]["cluster_id"].as_str().expect("an id");
    let read =
        json(&format!("/v3/clusters/{id}/topics/{topic}/partitions/0/records?offset=0&format=binary&include=headers"));
    let headers = read["data"][0]["headers"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
    let decoded =
        |value: &serde_json::Value| String::from_utf8(STANDARD.decode(text(value)).expect("base64")).expect("UTF-8");
    headers.iter().map(|header| (text(&header["name"]), decoded(&header["value"]))).collect()
}

#[test]
fn a_collector_gets_the_spans_of_a_request_and_the_record_names_the_one_that_wrote_it() {
    let data = tempfile::tempdir().expect("a directory");
    let collector = Collector::start();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b"),
        ("OTEL_SERVICE_NAME", "edge"),
        ("OTEL_RESOURCE_ATTRIBUTES", "site=summit"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
    ];
    let running = start(data.path(), &["--trace-records"], &variables);
    produce(running.rest, "traced");

    let (head, spans, resource) = collector.spans();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n") && head.contains("x-key: a b\r\n"), "{head}");
    assert_eq!(attribute(&resource, "service.name"), text("edge").as_ref());
    assert_eq!(attribute(&resource, "site"), text("summit").as_ref());
    let server = spans.iter().find(|span| span.kind() == SpanKind::Server).expect("the request's");
    assert_eq!((server.name.as_str(), hex(&server.parent_span_id).as_str()), ("POST /topics/{topic}", PARENT));
    assert_eq!(server.trace_state, "vendor=7");
    for (name, expected) in [
        ("http.request.method", "POST"),
        ("http.route", "/topics/{topic}"),
        ("url.path", "/topics/traced"),
        ("client.address", "127.0.0.1"),
        ("user_agent.original", "test/1"),
    ] {
        assert_eq!(attribute(&server.attributes, name), text(expected).as_ref(), "{name}");
    }
    assert_eq!(attribute(&server.attributes, "http.response.status_code"), Some(&Value::IntValue(200)));
    let children: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == server.span_id).collect();
    let names: Vec<&str> = children.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["look up schemas", "look up traced", "register schemas", "send traced"]);
    let sent = children[3];
    assert_eq!(sent.kind(), SpanKind::Producer);
    assert_eq!(attribute(&sent.attributes, "messaging.destination.name"), text("traced").as_ref());
    assert_eq!(attribute(&sent.attributes, "messaging.batch.message_count"), Some(&Value::IntValue(1)));
    assert!(spans.iter().all(|span| span.status.as_ref().is_none_or(|status| status.code() == StatusCode::Unset)));
    let shown = format!("{spans:?}");
    assert!(!shown.contains("canary"), "neither record, schema, query nor token: {shown}");

    let by = format!("00-{TRACE}-{}-01", hex(&sent.span_id));
    let headers = [("traceparent".to_owned(), by), ("tracestate".to_owned(), "vendor=7".to_owned())];
    assert_eq!(record_headers(running.rest, "traced"), headers);
    let health = running.banner.iter().find_map(|line| line.trim().strip_prefix("Health")).expect("it is on");
    let address = health.trim().trim_start_matches("http://").trim_end_matches("/ready").parse().expect("an address");
    let metrics = get(address, "/metrics").expect("the metrics");
    let exported =
        metrics.lines().find_map(|line| line.strip_prefix("postern_trace_spans_total{outcome=\"exported\"} "));
    assert!(exported.is_some_and(|count| count.parse::<u64>().expect("a number") >= 5), "{metrics}");
}

#[test]
fn without_a_collector_nothing_is_sent_and_records_get_what_the_client_sends_if_that_is_wanted() {
    let data = tempfile::tempdir().expect("a directory");
    let collector = Collector::start();
    let off = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()), ("OTEL_SDK_DISABLED", "true")];
    let running = start(data.path(), &["--trace-records"], &off);
    produce(running.rest, "passed-on");
    let own = [("traceparent", format!("00-{TRACE}-{PARENT}-01")), ("tracestate", "vendor=7".to_owned())];
    assert_eq!(record_headers(running.rest, "passed-on"), own.map(|(name, value)| (name.to_owned(), value)));
    running.signal("-TERM");
    assert!(running.end(Duration::from_secs(30)).0.success());

    let running = start(data.path(), &[], &off);
    produce(running.rest, "plain");
    assert_eq!(record_headers(running.rest, "plain"), []);
    running.signal("-TERM");
    assert!(running.end(Duration::from_secs(30)).0.success());
    assert!(collector.exports.try_recv().is_err(), "nothing was sent");
}
