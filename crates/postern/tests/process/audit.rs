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
        ("DELETE", format!("{topics}/__consumer_offsets"), V3, &lab, 403),
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
