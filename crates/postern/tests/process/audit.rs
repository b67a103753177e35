//! The audit: lines of the log that say who altered what, and who was refused.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ANY_PORTS, Running, ask_with, postern};

const V3: &str = "application/json";

#[test]
fn alterations_and_refusals_have_a_line_each_and_records_have_none() {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = postern(&ANY_PORTS);
    command.args(["--log-format=json", "--log=off,audit=info", "--data-dir"]).arg(data.path());
    let running = Running::spawn(&mut command);
    let call = |method: &str, path: &str, media_type: &str, body: Value| {
        ask_with(running.rest, method, path, media_type, &body.to_string())
    };
    let (_, clusters) = call("GET", "/v3/clusters", V3, json!({}));
    let clusters: Value = serde_json::from_str(&clusters).expect("JSON");
    let topics = format!("/v3/clusters/{}/topics", clusters["data"][0]["cluster_id"].as_str().expect("an id"));
    let lab = json!({"topic_name": "lab", "configs": [{"name": "retention.ms", "value": "1000000"}]});
    let records = json!({"records": [{"value": "a record"}]});
    let binary = "application/vnd.kafka.json.v2+json";
    let alterations = json!({"data": [{"name": "retention.ms", "value": "secret-value"}]});
    for (method, path, media_type, body, status) in [
        ("POST", topics.clone(), V3, &lab, 201),
        ("POST", topics.clone(), V3, &lab, 400),
        ("POST", "/topics/lab".to_owned(), binary, &records, 200),
        ("GET", topics.clone(), V3, &lab, 200),
        ("POST", format!("{topics}/lab/configs:alter?token=secret-query"), V3, &alterations, 400),
        // Whatever is left out when it is routed has no place in the audit.
        ("DELETE", format!("/{topics}//__consumer_offsets;{}/", "secret-".repeat(500)), V3, &lab, 403),
        ("POST", "/topics/_schemas".to_owned(), binary, &records, 403),
        ("DELETE", format!("{topics}/lab"), V3, &lab, 204),
    ] {
        let (found, answer) = call(method, &path, media_type, body.clone());
        assert_eq!(found, status, "{method} {path}: {answer}");
    }
    running.signal("-TERM");
    let (_, _, log) = running.end(Duration::from_secs(20));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let found: Vec<_> = lines
        .iter()
        .map(|line| {
            let said = [text(line, "message"), text(line, "operation"), text(line, "named")].join(" ");
            (said.trim_end().to_owned(), line["status"].as_u64().unwrap_or_default())
        })
        .collect();
    let expected = [
        ("audit: done createTopic topic lab", 201),
        ("audit: failed createTopic topic lab", 400),
        ("audit: failed alterConfigsOfTopic topic lab: configs retention.ms", 400),
        ("audit: refused deleteTopic", 403),
        ("audit: refused produce", 403),
        ("audit: done deleteTopic", 204),
    ];
    assert_eq!(found, expected.map(|(said, status)| (said.to_owned(), status)), "{log}");
    assert_eq!(text(&lines[0], "target"), "audit");
    assert_eq!(
        (text(&lines[3], "path"), text(&lines[3], "client")),
        (format!("{topics}/__consumer_offsets"), "127.0.0.1".to_owned())
    );
    assert!(!log.contains("secret-") && !log.contains("a record"), "{log}");
}

/// What producing makes on the way has a line when it is made, whatever becomes of the records, and none when it is there already.
#[test]
fn topics_and_schemas_that_producing_makes_have_a_line_each() {
    let data = tempfile::tempdir().expect("a directory");
    let rules = data.path().join("access.toml");
    let text = "[[rule]]\nwho = [\"anonymous\"]\ntopics = [\"lab*\"]\nmay = [\"produce\", \"create\"]\non-first-produce = true\n";
    std::fs::write(&rules, text).expect("written");
    let mut command = postern(&ANY_PORTS);
    command.args(["--log-format=json", "--log=off,audit=info", "--broker-auto-create-topics=false", "--data-dir"]);
    command.arg(data.path().join("data")).arg(format!("--access={}", rules.display()));
    let running = Running::spawn(&mut command);
    let schema = r#"{"type":"record","name":"Lamp","fields":[{"name":"lumens","type":"int"}]}"#;
    let v2 = |lumens: Value| json!({"value_schema": schema, "records": [{"value": {"lumens": lumens}}]}).to_string();
    let avro = "application/vnd.kafka.avro.v2+json";
    let v3 =
        |lumens: Value| json!({"value": {"type": "AVRO", "schema": schema, "data": {"lumens": lumens}}}).to_string();
    let stream = "/v3/clusters/any/topics/lab.b/records";
    for (path, media_type, body, status) in [
        ("/topics/lab.a", avro, v2(json!("secret-lumens")), 400),
        ("/topics/lab.a", avro, v2(json!(7)), 200),
        ("/topics/lab.a", avro, v2(json!(8)), 200),
        // A schema is registered before the record is looked at.
        (stream, V3, v3(json!("secret-lumens")), 200),
        (stream, V3, v3(json!(7)), 200),
        (stream, V3, v3(json!(8)), 200),
        ("/topics/other", avro, v2(json!(7)), 403),
    ] {
        let (found, answer) = ask_with(running.rest, "POST", path, media_type, &body);
        assert_eq!(found, status, "{path}: {answer}");
    }
    running.signal("-TERM");
    let (_, _, log) = running.end(Duration::from_secs(20));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let said =
        |line: &Value| ["message", "operation", "named", "path", "client"].map(|name| text(line, name)).join(" ");
    let expected = [
        "audit: done createTopic topic lab.a /topics/lab.a 127.0.0.1".to_owned(),
        "audit: done registerSchema subject lab.a-value version 1 id 1 /topics/lab.a 127.0.0.1".to_owned(),
        format!("audit: done registerSchema subject lab.b-value version 1 id 1 {stream} 127.0.0.1"),
        format!("audit: done createTopic topic lab.b {stream} 127.0.0.1"),
        "audit: refused produce  /topics/other 127.0.0.1".to_owned(),
    ];
    assert_eq!(lines.iter().map(said).collect::<Vec<_>>(), expected, "{log}");
    assert!(lines.iter().all(|line| !text(line, "request_id").is_empty()), "{log}");
    assert!(!log.contains("secret-"), "{log}");
}
