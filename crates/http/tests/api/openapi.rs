//! `/openapi.json`: every example in it is sent, and what is answered is what it says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hyper::Method;
use postern_broker::{ApiKey, Fault};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::app::{Call, Reply, TestApp};

/// Examples that are refused where they are sent here, by the begin of their ids, and how.
const REFUSED: &[(&str, u16)] = &[
    // The embedded broker has no authorizer and no users, and does not move partitions.
    ("listAcls", 400),
    ("createAcl", 400),
    ("deleteAcls", 400),
    ("getReassignment", 404),
    ("alterReassignments", 400),
    ("electLeaders", 400),
    ("listScramUsers", 400),
    ("setScramPassword", 400),
    ("deleteScramPassword", 400),
    // The group has no members.
    ("getConsumer", 404),
    ("listConsumerAssignments", 404),
    // It is not empty.
    ("deleteContext", 422),
    // Not built yet.
    ("changeAssociations", 501),
];

/// Whether the example of an operation is answered all the same although its id begins like those.
const TAKEN: &[&str] = &["getConsumerGroup", "getConsumerLag"];

async fn described(call: Call) -> Value {
    let reply = call.send().await;
    assert_eq!((reply.status, reply.header("Content-Type")), (200, "application/json"));
    reply.json()
}

/// All operations of a description: method, path, and the rest.
fn operations(document: &Value) -> Vec<(Method, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("operations");
        operations.iter().map(move |(method, operation)| {
            let method = method.to_uppercase().parse().expect("a method");
            (method, path.as_str(), operation)
        })
    });
    operations.collect()
}

/// Where a property is described by `true` or `false`, which generators of clients do not understand.
fn bool_properties(described: &Value) -> Vec<&str> {
    match described {
        Value::Array(items) => items.iter().flat_map(bool_properties).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| {
                let properties = member.as_object().filter(|_| name == "properties").into_iter().flatten();
                let here = properties.filter(|(_, property)| property.is_boolean()).map(|(name, _)| name.as_str());
                here.chain(bool_properties(member))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The path of an example, with its query.
fn target(path: &str, operation: &Value, known: &BTreeMap<&str, String>) -> String {
    let (mut target, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().expect("parameters") {
        let name = parameter["name"].as_str().expect("a name");
        let example = match &parameter["example"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match parameter["in"].as_str() {
            Some("path") => {
                target = target.replace(&format!("{{{name}}}"), known.get(name).unwrap_or(&example));
            }
            _ if parameter["required"] == true => query.push(format!("{name}={example}")),
            _ => {}
        }
    }
    if query.is_empty() { target } else { format!("{target}?{}", query.join("&")) }
}

/// The bodies of an example, with their media types; one without where there is none.
fn bodies(operation: &Value) -> Vec<Option<(&str, &Value)>> {
    match operation["requestBody"]["content"].as_object() {
        None => vec![None],
        Some(content) => {
            content.iter().map(|(media_type, body)| Some((media_type.as_str(), &body["example"]))).collect()
        }
    }
}

/// What is wrong with an answer.
fn check(document: &Value, operation: &Value, reply: &Reply) -> Result<(), String> {
    let id = operation["operationId"].as_str().expect("an id");
    let is_taken = TAKEN.iter().any(|taken| id.starts_with(taken));
    let refused = REFUSED.iter().find(|(refused, _)| id.starts_with(refused) && !is_taken).map(|(_, status)| *status);
    if refused.unwrap_or(reply.status) != reply.status || refused.is_none() && reply.status >= 400 {
        return Err(format!("{} {}", reply.status, reply.text()));
    }
    let responses = &operation["responses"];
    let wildcard = format!("{}XX", reply.status / 100);
    let response = responses.get(reply.status.to_string()).or(responses.get(&wildcard));
    let response = response.ok_or_else(|| format!("{} is not described", reply.status))?;
    let Some(content) = response.get("content") else {
        return if reply.body.is_empty() { Ok(()) } else { Err(format!("a body: {}", reply.text())) };
    };
    let described = content.get(reply.header("Content-Type"));
    let described = described.ok_or_else(|| format!("the type {} is not described", reply.header("Content-Type")))?;
    if reply.header("Content-Type") == "text/html" {
        return Ok(()); // which JSON Schema says nothing about
    }
    let Some(schema) = described.get("schema") else { return Ok(()) }; // anything
    let mut schema = schema.clone();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("components".to_owned(), document["components"].clone());
    }
    let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
    let answer = reply.json();
    let found: Vec<String> =
        validator.iter_errors(&answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if found.is_empty() { Ok(()) } else { Err(format!("{} in {}", found.join("; "), reply.text())) }
}

/// Makes what the examples of the REST proxy name.
async fn arrange_rest(app: &TestApp, id: &str) {
    if app.partitions("lab").await.is_none() {
        app.topic("lab", 3).await;
    }
    if id.starts_with("createTopic") && app.partitions("lamps").await.is_some() {
        app.delete(&app.v3("topics/lamps")).await;
    }
    if id.starts_with("produce") {
        // Each media type has a schema in another language.
        app.registry(Method::DELETE, "/subjects/lab-value").send().await;
    }
    if id == "getConfigForAllBrokers" {
        let call = app.request(Method::PUT, &app.v3("broker-configs/log.retention.ms"));
        assert_eq!(call.json(&json!({"value": "86400000"})).send().await.status, 204);
    }
    let v2 = "application/vnd.kafka.v2+json";
    let instance = "/consumers/readers/instances/reader-1";
    app.delete(instance).await;
    if id == "createConsumer" {
        return;
    }
    let create = app.request(Method::POST, "/consumers/readers").json(&json!({"name": "reader-1"}));
    assert_eq!(create.header("Content-Type", v2).send().await.status, 200);
    if !id.to_lowercase().contains("subscri") {
        let body = json!({"partitions": [{"topic": "lab", "partition": 0}], "offsets": [{"topic": "lab", "partition": 0, "offset": 0}]});
        for (path, name) in [("assignments", "partitions"), ("offsets", "offsets")] {
            let call = app.request(Method::POST, &format!("{instance}/{path}")).json(&json!({name: body[name]}));
            let reply = call.header("Content-Type", v2).send().await;
            assert!(reply.status < 300, "{reply:?}");
        }
    }
}

/// The same of the registry.
async fn arrange_registry(app: &TestApp) -> String {
    let schema = json!({"schema": r#"{"type":"record","name":"Lamp","fields":[{"name":"lumens","type":"int"}]}"#});
    let mut guid = String::new();
    for context in ["", "/contexts/.lab"] {
        for (method, path, body) in [
            (Method::PUT, "/mode", json!({"mode": "READWRITE"})),
            (Method::POST, "/subjects/lab-value/versions", schema.clone()),
            (Method::PUT, "/config", json!({"compatibility": "FULL"})),
            (Method::PUT, "/config/lab-value", json!({"compatibility": "FULL"})),
            (Method::PUT, "/mode/lab-value", json!({"mode": "READWRITE"})),
        ] {
            let reply = app.registry(method, &format!("{context}{path}")).json(&body).send().await;
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            if path.ends_with("versions") {
                guid = reply.json()["guid"].as_str().expect("a guid").to_owned();
            }
        }
    }
    guid
}

#[tokio::test]
async fn the_page_has_every_operation_and_runs_nothing() {
    let app = TestApp::start().await;
    for (to_page, to_document) in [
        (app.request(Method::GET, "/docs"), app.request(Method::GET, "/openapi.json")),
        (app.registry(Method::GET, "/docs"), app.registry(Method::GET, "/openapi.json")),
    ] {
        let reply = to_page.header("Accept", "text/html,*/*;q=0.8").send().await;
        assert_eq!((reply.status, reply.header("Content-Type")), (200, "text/html"));
        assert!(reply.header("Content-Security-Policy").starts_with("default-src 'none';"));
        let page = reply.text();
        assert!(!page.contains("<script"));
        let document = described(to_document).await;
        for (_, path, operation) in operations(&document) {
            let summary = operation["summary"].as_str().expect("a summary").replace('"', "&quot;");
            assert!(page.contains(&format!("<code>{path}</code>")) && page.contains(&summary), "{path}: {summary}");
        }
    }
}

#[tokio::test]
async fn every_example_of_the_rest_proxy_is_answered_as_described() {
    let app = TestApp::start().await;
    let document = described(app.request(Method::GET, "/openapi.json")).await;
    assert_eq!(bool_properties(&document), Vec::<&str>::new());
    let known = BTreeMap::from([("cluster", app.cluster_id.clone())]);
    let mut wrong = Vec::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        for body in bodies(operation) {
            arrange_rest(&app, id).await;
            let call = app.request(method.clone(), &target(path, operation, &known));
            let call = match body {
                Some((media_type, body)) => call.json(body).header("Content-Type", media_type),
                None => call,
            };
            if let Err(found) = check(&document, operation, &call.send().await) {
                wrong.push(format!("{id}: {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_example_of_the_registry_is_answered_as_described() {
    let app = TestApp::start().await;
    let document = described(app.registry(Method::GET, "/openapi.json")).await;
    let mut wrong = Vec::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        let known = BTreeMap::from([("guid", arrange_registry(&app).await)]);
        let call = app.registry(method, &target(path, operation, &known));
        let call = match bodies(operation)[0] {
            Some((media_type, body)) => call.json(body).header("Content-Type", media_type),
            None => call,
        };
        if let Err(found) = check(&document, operation, &call.send().await) {
            wrong.push(format!("{id}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What administration asks brokers for.
const ASKED: &[ApiKey] = &[
    ApiKey::Metadata,
    ApiKey::DescribeCluster,
    ApiKey::ListOffsets,
    ApiKey::OffsetFetch,
    ApiKey::OffsetCommit,
    ApiKey::OffsetDelete,
    ApiKey::FindCoordinator,
    ApiKey::ListGroups,
    ApiKey::DescribeGroups,
    ApiKey::DeleteGroups,
    ApiKey::CreateTopics,
    ApiKey::CreatePartitions,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::IncrementalAlterConfigs,
];

/// Operations that ask for something else, which the broker answers.
const ASK_OTHERWISE: &[&str] = &["listAcls", "createAcl", "deleteAcls", "Reassignment", "electLeaders", "Scram"];

/// A call that needs several answers waits for all of them together no longer than for one.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_administration_ends_in_time_with_a_broker_that_never_answers() {
    let app = TestApp::start().await;
    let document = described(app.request(Method::GET, "/openapi.json")).await;
    let known = BTreeMap::from([("cluster", app.cluster_id.clone())]);
    assert_eq!(app.get(&app.v3("topics")).await.status, 200, "and the id of the cluster is known from now on");
    for api in ASKED {
        app.broker.faults().add(*api, None, Fault::NeverAnswer, u64::MAX);
    }
    let (started, mut calls) = (Instant::now(), JoinSet::new());
    for (method, path, operation) in operations(&document) {
        let of_administration = path.starts_with("/v3/") || path.starts_with("/admin/");
        if !of_administration || path.contains("/records") && !path.ends_with(":delete") {
            continue;
        }
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        let call = app.request(method, &target(path, operation, &known));
        let call = match bodies(operation)[0] {
            Some((media_type, body)) => call.json(body).header("Content-Type", media_type),
            None => call,
        };
        calls.spawn(async move { (id, call.send().await, started.elapsed()) });
    }
    assert!(calls.len() > 50, "{}", calls.len());
    let mut wrong = Vec::new();
    while let Some(ended) = calls.join_next().await {
        let (id, reply, after) = ended.expect("it ended");
        let asks_otherwise = ASK_OTHERWISE.iter().any(|part| id.contains(part));
        // One call of the tests takes 8 s, two in a row 16 s.
        if after > Duration::from_secs(14) || reply.status < 500 && !asks_otherwise {
            wrong.push(format!("{id} after {after:?}: {} {}", reply.status, reply.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
