//! The broker answers as Apache Kafka 4.1 does: the same requests, the answers compared field by field.
//!
//! `answers/*.txt` is what Apache Kafka 4.1.1 answered. By default the requests go to a broker of ours and the answers must
//! be the recorded ones, but for what `differences.txt` lists. With `POSTERN_TEST_BOOTSTRAP` they go to the cluster it
//! names, which must be an Apache Kafka without an authorizer that creates no topics by itself, and the answers must be the
//! recorded ones to the letter. With `POSTERN_RECORD_ANSWERS` as well they are recorded anew:
//!
//! ```text
//! POSTERN_RECORD_ANSWERS=1 cargo xtask test "apache: tests"
//! ```
//!
//! Every version of every API that the broker announces must have been answered in some scenario.

mod batches;
mod cluster;
mod compare;
mod configs;
mod data;
mod groups;
mod idempotence;
mod offsets;
mod reduce;
mod session;
mod topics;

use std::collections::BTreeSet;
use std::path::Path;

use self::compare::Listed;
use self::session::{Entry, Session};
use crate::wire::{Client, TestBroker};
use kafka_protocol::messages::ApiVersionsRequest;

/// Runs the scenarios against a cluster; `done` gets the name and the transcript of each. Answers what was answered.
async fn run(address: &str, mut done: impl FnMut(&str, &[Entry])) -> BTreeSet<(i16, i16)> {
    let mut answered = BTreeSet::new();
    macro_rules! scenarios {
        ($($module:ident),*) => {$(
            let mut session = Session::connect(address).await;
            $module::run(&mut session).await;
            answered.append(&mut session.answered);
            done(stringify!($module), &session.entries);
        )*};
    }
    scenarios!(cluster, topics, data, idempotence, configs, groups, offsets);
    answered
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/answers")
}

fn recorded(scenario: &str) -> Vec<Entry> {
    let path = folder().join("recorded").join(format!("{scenario}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    compare::read(&text)
}

fn fail_on(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} differences:\n{}\n", complaints.len(), complaints.join("\n"));
}

#[tokio::test]
async fn the_answers_are_those_of_apache_kafka() {
    match std::env::var("POSTERN_TEST_BOOTSTRAP") {
        Ok(address) => apache_kafka_answers_as_recorded(&address).await,
        Err(_) => our_answers_are_the_recorded_ones().await,
    }
}

async fn apache_kafka_answers_as_recorded(address: &str) {
    let records = std::env::var_os("POSTERN_RECORD_ANSWERS").is_some();
    let mut complaints = Vec::new();
    run(address, |scenario, entries| {
        if records {
            let path = folder().join("recorded").join(format!("{scenario}.txt"));
            std::fs::write(path, compare::written(entries)).expect("the recording can be written");
        }
        complaints.extend(Listed::read("").unlisted(scenario, &recorded(scenario), entries));
    })
    .await;
    fail_on(&complaints);
}

async fn our_answers_are_the_recorded_ones() {
    let test = TestBroker::with(|settings| settings.strict_replication = true).await;
    let address = test.broker.address();
    let path = folder().join("differences.txt");
    let mut listed = Listed::read(&std::fs::read_to_string(path).expect("the list is there"));
    let mut complaints = Vec::new();
    let compared = |scenario: &str, entries: &[Entry]| {
        complaints.extend(listed.unlisted(scenario, &recorded(scenario), entries));
    };
    let answered = run(&address.to_string(), compared).await;
    complaints.extend(listed.unmet().into_iter().map(|line| format!("differences.txt: nothing differs so: {line}")));

    let announced = Client::connect(address).await.unwrap().call(0, ApiVersionsRequest::default()).await.api_keys;
    // Announced for a client that would not compress otherwise, and closed: the scenario `cluster` shows it.
    let is_refused = |key: i16, version: i16| key == 0 && version < 3;
    let unasked = announced
        .iter()
        .flat_map(|api| (api.min_version..=api.max_version).map(|version| (api.api_key, version)))
        .filter(|&(key, version)| !is_refused(key, version) && !answered.contains(&(key, version)));
    complaints.extend(unasked.map(|(key, version)| format!("no scenario has API {key} in version {version}")));
    fail_on(&complaints);
    test.broker.shutdown().await;
}
