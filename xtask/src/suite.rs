//! `cargo xtask suite`: the tests of the client on an Apache Kafka that `cargo xtask test` has no time for: older and newer versions,
//! three nodes. `cargo xtask chaos`: the tests under faults for as long as one likes.

use std::time::Duration;

use crate::{
    Outcome,
    cluster::{Kafka, KafkaProfile, ThreeNodes, VERSION},
    process, test,
};

/// Beyond it a test hangs.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The tests that kill and freeze nodes: they have the cluster for themselves.
const BROKER_FAULTS: &str = "every_answer_is_true_whatever_happens_to_brokers";
const UNCLEAN_ELECTION: &str = "an_unclean_election_is_noticed";
const REQUEST_FAULTS: &str = "every_answer_is_true_whatever_happens_to_requests";

/// `cargo xtask suite [--nodes 3 | --kafka VERSION] [WORD…]`: all tests, or those with one of the words in their name.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    match arguments {
        [option, version, words @ ..] if option == "--kafka" => {
            let kafka = Kafka::start_version(&format!("suite-kafka-{version}"), KafkaProfile::LikeEmbedded, version)?;
            run(&[("POSTERN_TEST_BOOTSTRAP", &kafka.bootstrap)], words)
        }
        [option, count, words @ ..] if option == "--nodes" && count == "3" => {
            run(&on_nodes(&ThreeNodes::start("suite-three-nodes")?), words)
        }
        [option, ..] if option.starts_with('-') => {
            Err(format!("expected --nodes 3 or --kafka VERSION (such as {VERSION}), found {}", arguments.join(" ")))
        }
        words => {
            let kafka = Kafka::start("suite-kafka", KafkaProfile::LikeEmbedded)?;
            run(&[("POSTERN_TEST_BOOTSTRAP", &kafka.bootstrap)], words)
        }
    }
}

/// The tests with one of `words` in their name on three nodes, what `clients` does with them, and then faults of those nodes for so many seconds.
pub(crate) fn on_three_nodes(
    words: &[String],
    clients: impl FnOnce(&ThreeNodes) -> Outcome,
    chaos_seconds: &str,
) -> Outcome {
    let nodes = ThreeNodes::start("suite-three-nodes")?;
    run(&on_nodes(&nodes), words)?;
    clients(&nodes)?;
    broker_faults(&nodes, &[("POSTERN_CHAOS_SECONDS", chaos_seconds)], &[BROKER_FAULTS])
}

/// `cargo xtask chaos [--seed N] [--faults N] [--seconds N]`: so many faults of requests on the embedded broker, and faults of brokers
/// for so long on three nodes. What each of them did, and what became of how many records, is printed.
pub(crate) fn chaos(arguments: &[String]) -> Outcome {
    let (mut seed, mut faults, mut seconds) = ("20261130", "2000", "300");
    for pair in arguments.chunks(2) {
        match pair {
            [option, value] if value.parse::<u64>().is_ok() => match option.as_str() {
                "--seed" => seed = value,
                "--faults" => faults = value,
                "--seconds" => seconds = value,
                _ => return Err(format!("expected --seed, --faults or --seconds, found {option}")),
            },
            _ => return Err(format!("expected an option and a number, found {}", pair.join(" "))),
        }
    }
    let words = [REQUEST_FAULTS, "--nocapture"].map(str::to_owned);
    run(&[("POSTERN_CHAOS_SEED", seed), ("POSTERN_CHAOS_FAULTS", faults)], &words)?;
    let nodes = ThreeNodes::start("chaos-three-nodes")?;
    let further = [("POSTERN_CHAOS_SEED", seed), ("POSTERN_CHAOS_SECONDS", seconds)];
    broker_faults(&nodes, &further, &[UNCLEAN_ELECTION, BROKER_FAULTS])
}

fn on_nodes(nodes: &ThreeNodes) -> Vec<(&'static str, &str)> {
    vec![("POSTERN_TEST_BOOTSTRAP", &nodes.bootstrap), ("POSTERN_TEST_REPLICATION", "3")]
}

/// One test after the other.
fn broker_faults(nodes: &ThreeNodes, further: &[(&'static str, &str)], tests: &[&str]) -> Outcome {
    let folder = nodes.folder.display().to_string();
    let mut environment = on_nodes(nodes);
    environment.push(("POSTERN_TEST_NODES", &folder));
    environment.extend(further);
    let words = tests.iter().chain(&["--nocapture", "--test-threads=1"]);
    run(&environment, &words.map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

fn run(environment: &[(&str, &str)], words: &[String]) -> Outcome {
    let mut tests = test::suite();
    tests.args(["--test", "cluster", "--"]).args(words);
    process::run_within(TIMEOUT, tests.envs(environment.iter().copied()))
}
