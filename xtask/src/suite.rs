//! `cargo xtask suite`: the tests of the Kafka client on one Apache Kafka, also of a version that `cargo xtask test` has no time for.

use std::time::Duration;

use crate::{
    Outcome,
    cluster::{Kafka, KafkaProfile, VERSION},
    process, test,
};

/// Beyond it a test hangs.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// `cargo xtask suite [--kafka VERSION] [WORD…]`: all tests, or those with one of the words in their name.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    let (version, words) = match arguments {
        [option, version, words @ ..] if option == "--kafka" => (version.as_str(), words),
        [option, ..] if option.starts_with('-') => {
            return Err(format!("expected --kafka VERSION (such as {VERSION}), found {}", arguments.join(" ")));
        }
        words => (VERSION, words),
    };
    let kafka = Kafka::start_version(&format!("suite-kafka-{version}"), KafkaProfile::LikeEmbedded, version)?;
    let mut tests = test::suite();
    tests.args(["--test", "cluster", "--"]).args(words).env("POSTERN_TEST_BOOTSTRAP", &kafka.bootstrap);
    process::run_within(TIMEOUT, &mut tests)
}
