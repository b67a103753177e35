//! No secret and no record in what others get to read: the log in both formats, metrics, `check-config`; and no credentials in answers. Errors
//! may show to whoever sent a body what was found in it.

use serde_json::{Map, Value};

use super::*;

/// In every password, token, key, value, header and query that is sent.
const CANARY: &str = "canary";
/// In those that are no part of a body.
const CREDENTIALS: [&str; 6] =
    ["canary-password", "canary-user", "canary-wrong", "canary-token", "canary-cookie", "canary-query"];
/// ana:canary-password
const AUTHORIZATION: &str = "Basic YW5hOmNhbmFyeS1wYXNzd29yZA==";

/// Answers one request: its status and its body, as far as it is not a stream.
fn send(to: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(to).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: p\r\nConnection: close\r\nX-Request-Id: r-1\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("sent");
    let mut from = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(from.read_line(&mut head).expect("a head"), 0, "{method} {target} is answered: {head}");
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if method != "HEAD" {
        from.read_exact(&mut body).expect("the body");
    }
    (head[9..12].parse().expect("a status"), String::from_utf8(body).expect("UTF-8"))
}

/// The same text in all strings of an example whose member is one of a record or of a schema; other members are names.
fn poisoned(example: &Value) -> Value {
    let secret = |name: &str| ["key", "value", "data", "records", "name_of_header"].contains(&name);
    match example {
        Value::Object(members) => {
            let poison = |(name, value): (&String, &Value)| {
                let value = match value {
                    Value::String(_) if secret(name) => Value::from(format!("{CANARY}-{name}")),
                    Value::String(schema) if name.contains("schema") && schema.starts_with('{') => {
                        Value::from(schema.replacen('{', &format!("{{\"doc\":\"{CANARY}-schema\","), 1))
                    }
                    other => poisoned(other),
                };
                (name.clone(), value)
            };
            Value::Object(members.iter().map(poison).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(poisoned).collect()),
        other => other.clone(),
    }
}

/// Sends every example of an API well and badly, and as somebody else. Returns the refusals that show credentials.
fn exercise(at: SocketAddr, cluster: &str) -> Vec<String> {
    let known = ("Authorization", AUTHORIZATION);
    let (status, text) = send(at, "GET", "/openapi.json", &[known], "");
    assert_eq!(status, 200, "{text}");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let mut shown = Vec::new();
    let mut requests = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let method = method.to_uppercase();
            let mut target = path.clone();
            for parameter in operation["parameters"].as_array().expect("parameters") {
                let name = parameter["name"].as_str().expect("a name");
                let example = match &parameter["example"] {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let value = if name == "cluster" { cluster } else { &example };
                target = target.replace(&format!("{{{name}}}"), value);
            }
            let secret = format!("{target}{}token={CANARY}-query", if target.contains('?') { '&' } else { '?' });
            let mut attempts: Vec<(&str, String, &str)> = vec![
                (AUTHORIZATION, String::new(), ""),
                ("Basic Y2FuYXJ5LXVzZXI6Y2FuYXJ5LXdyb25n", String::new(), ""),
                ("Bearer canary-token", String::new(), ""),
            ];
            let content = operation["requestBody"]["content"].as_object();
            for (media_type, body) in content.into_iter().flatten() {
                let example = poisoned(&body["example"]).to_string();
                let broken = example.get(..example.len() / 2).unwrap_or_default().to_owned();
                attempts.push((AUTHORIZATION, example, media_type));
                attempts.push((AUTHORIZATION, format!("{broken}{CANARY}-broken"), media_type));
                attempts.push((AUTHORIZATION, format!("{{\"records\":\"{CANARY}-type\"}}"), media_type));
            }
            for (authorization, body, media_type) in attempts {
                let mut headers = vec![("Authorization", authorization), ("Cookie", "s=canary-cookie")];
                if !media_type.is_empty() {
                    headers.push(("Content-Type", media_type));
                }
                let (status, answer) = send(at, &method, &secret, &headers, &body);
                requests += 1;
                // The links of an answer repeat the query of its request.
                if status >= 400 && CREDENTIALS.iter().any(|secret| answer.contains(secret)) {
                    shown.push(format!("{method} {target} {body}: {status} {answer}"));
                }
            }
        }
    }
    assert!(requests > 100, "all routes, {requests} requests");
    shown
}

#[test]
fn no_secret_and_no_record_is_in_the_log_in_refusals_or_in_metrics() {
    let shown = |format: &'static str, logged: &'static str| thread::spawn(move || exercise_logged(format, logged));
    let both = [shown("text", "caller=ana "), shown("json", "\"caller\":\"ana\"")];
    both.into_iter().for_each(|one| one.join().expect("nothing is shown"));
}

/// Sends everything to a process that logs all it can in this `format`; `logged` names the caller there.
fn exercise_logged(format: &str, logged: &str) {
    let data = tempfile::tempdir().expect("a directory");
    let users = data.path().join("users");
    std::fs::write(&users, format!("ana: {CANARY}-password,admin\n")).expect("written");
    let mut command = postern(&ANY_PORTS);
    let log = data.path().join("log");
    command.stderr(std::fs::File::create(&log).expect("a file"));
    command.args(["--log=debug", "--request-log=all", "--log-format", format, "--broker-auto-create-topics"]);
    command.args(["--authentication=basic", "--management-listen=127.0.0.1:0"]);
    command.arg("--basic-properties").arg(&users).arg("--data-dir").arg(data.path().join("data"));
    let running = Running::spawn(&mut command);
    let known = [("Authorization", AUTHORIZATION)];
    let (_, clusters) = send(running.rest, "GET", "/v3/clusters", &known, "");
    let clusters: Value = serde_json::from_str(&clusters).expect("JSON");
    let cluster = clusters["data"][0]["cluster_id"].as_str().expect("an id");
    let address = |n: usize| {
        let last = running.banner[n].split_whitespace().last().expect("a word");
        last.trim_start_matches("http://").trim_end_matches("/ready").parse::<SocketAddr>().expect("an address")
    };
    let health = running.banner.iter().position(|line| line.trim().starts_with("Health")).expect("it is on");
    let shown = [exercise(running.rest, cluster), exercise(address(2), cluster)].concat();
    assert!(shown.is_empty(), "{} refusals show credentials:\n{}", shown.len(), shown.join("\n"));
    let metrics = get(address(health), "/metrics").expect("the metrics");
    assert!(metrics.contains("postern_http_requests_total") && !metrics.contains(CANARY), "{metrics}");
    running.signal("-TERM");
    assert!(running.end(Duration::from_secs(30)).0.success());
    let text = std::fs::read_to_string(&log).expect("the log");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(lines.is_empty(), "{} lines show what was sent:\n{}", lines.len(), lines.join("\n"));
    assert!(text.contains(logged), "requests are logged with who sent them: {text}");
}

#[test]
fn no_secret_is_in_the_report_of_check_config() {
    let secrets = [
        ("POSTERN_KAFKA_SASL_PASSWORD", "canary-sasl"),
        ("POSTERN_SCHEMA_REGISTRY_URL", "http://u:canary-url@127.0.0.1:1"),
        ("POSTERN_SCHEMA_REGISTRY_CREDENTIALS", "u:canary-credentials"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary-otlp"),
    ];
    let (_, out, err) = output(postern(&["check-config"]).envs(secrets));
    assert!(out.contains("kafka-sasl-password") && !out.contains(CANARY) && !err.contains(CANARY), "{out}{err}");
}
