//! The topics of the load, and what they hold afterwards.

use std::collections::HashMap;

use super::{
    clients::{Record, Tally, bulk},
    http::{self, AVRO, JSON},
};
use crate::Outcome;

/// Creates the topics, with what slow readers read. For writers one partition: the order does not matter here.
pub(super) fn prepare(rest: &str, body: usize) -> Outcome {
    let clusters = http::get(rest, "/v3/clusters", "*/*").map_err(|error| format!("/v3/clusters: {error}"))?.body;
    let cluster = clusters.split("\"cluster_id\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let cluster = cluster.ok_or_else(|| format!("no cluster id in {clusters}"))?;
    for topic in ["overload", "bulk", "large"] {
        let retention =
            r#"[{"name":"retention.bytes","value":"268435456"},{"name":"segment.bytes","value":"67108864"}]"#;
        let body =
            format!(r#"{{"topic_name":"{topic}","partitions_count":1,"replication_factor":1,"configs":{retention}}}"#);
        let created = http::post(rest, &format!("/v3/clusters/{cluster}/topics"), "application/json", body.as_bytes());
        match created {
            Ok(answer) if answer.status == 201 => {}
            Ok(answer) => return Err(format!("the topic {topic} is not created: {}", answer.body)),
            Err(error) => return Err(format!("the topic {topic} is not created: {error}")),
        }
    }
    match http::post(rest, "/topics/large", JSON, &bulk(body)) {
        Ok(answer) if answer.is_acknowledged() => Ok(()),
        Ok(answer) => Err(format!("the topic for readers is not filled: {}", answer.body)),
        Err(error) => Err(format!("the topic for readers is not filled: {error}")),
    }
}

/// What is acknowledged and not in the topic, or in it more than once.
pub(super) fn lost(rest: &str, tally: &Tally) -> Outcome<Vec<String>> {
    let mut found: HashMap<Record, usize> = HashMap::new();
    let mut offset = 0;
    loop {
        let path = format!("/topics/overload/partitions/0/records?offset={offset}&max_bytes=1048576");
        let answer = http::get(rest, &path, AVRO).map_err(|error| format!("{path}: {error}"))?;
        if answer.status != 200 {
            return Err(format!("{path}: {}", answer.body));
        }
        let records = records(&answer.body);
        if records.is_empty() {
            break;
        }
        offset += records.len();
        for record in records {
            *found.entry(record).or_default() += 1;
        }
    }
    let lost = tally.acknowledged.iter().filter(|record| !found.contains_key(record)).count();
    let twice = found.values().filter(|times| **times > 1).count();
    let mut faults = Vec::new();
    if lost > 0 {
        faults.push(format!("{lost} records were acknowledged and are not there"));
    }
    if twice > 0 {
        faults.push(format!("{twice} records are there more than once"));
    }
    Ok(faults)
}

/// Those of an answer, by the members that make them unique.
fn records(body: &str) -> Vec<Record> {
    let number = |text: &str, name: &str| {
        let rest = text.split(&format!("\"{name}\":")).nth(1)?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let values = body.split("\"value\":{").skip(1);
    values.filter_map(|value| Some((number(value, "client")?, number(value, "round")?))).collect()
}
