//! Feeds mutated bytes to the parsers of foreign bytes, on stable Rust: `fuzz TARGET [SECONDS] [SEED]`.
//!
//! A target has a few good inputs; each round changes one a little (bits, numbers of note, cuts, repeats, splices; in texts
//! also words and whole groups in brackets) and keeps it when the target got further with it than before. What fails is a
//! panic, a round that takes longer than a second, or one that takes a lot of memory; its input is written to
//! `failed-TARGET.bin`. The same seed gives the same rounds. `fuzz all` runs every target.
//!
//! This is not guided by coverage. What it gives up in cunning it gains in being run by everybody.

mod broker;
mod envelope;
mod kafka;
mod memory;
mod random;
mod schema;
mod topic;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::memory::Counting;
use crate::random::Random;
use crate::words::{AVRO, ENVELOPE, JSON, NUMBERS, PROTOBUF, TOPIC};

#[global_allocator]
static MEMORY: Counting = Counting::new();

/// Something that reads bytes; it answers how far it got, and never panics.
struct Target {
    name: &'static str,
    good: fn() -> Vec<Vec<u8>>,
    read: fn(&[u8]) -> usize,
    /// What its inputs are written with; empty: they are no texts.
    words: &'static str,
}

const TARGETS: &[Target] = &[
    target("broker-frames", broker::good_frames, broker::read_frames, ""),
    target("broker-batches", broker::good_batches, broker::read_batch, ""),
    target("kafka-answers", kafka::good_answers, kafka::read_answer, ""),
    target("kafka-batches", kafka::good_batches, kafka::read_batches, ""),
    target("kafka-groups", kafka::good_group_bytes, kafka::read_group_bytes, ""),
    target("avro", schema::good_avro, schema::read_avro, AVRO),
    target("avro-values", schema::good_avro_values, schema::read_avro_values, AVRO),
    target("json-schema", schema::good_json, schema::read_json, JSON),
    target("json-schema-values", schema::good_json_values, schema::read_json_values, JSON),
    target("protobuf", schema::good_protobuf, schema::read_protobuf, PROTOBUF),
    target("protobuf-descriptors", schema::good_descriptors, schema::read_descriptor, ""),
    target("protobuf-values", schema::good_protobuf_values, schema::read_protobuf_values, PROTOBUF),
    target("record-bytes", schema::good_record_bytes, schema::read_record_bytes, ""),
    target("plain-json", schema::good_plain_json, schema::read_plain_json, NUMBERS),
    target("schemas-topic", topic::good_records, topic::read_records, TOPIC),
    target("produce-envelope", envelope::good_envelopes, envelope::read_envelope, ENVELOPE),
];

const fn target(
    name: &'static str,
    good: fn() -> Vec<Vec<u8>>,
    read: fn(&[u8]) -> usize,
    words: &'static str,
) -> Target {
    Target { name, good, read, words }
}

const MOST_KEPT: usize = 2000;
const LONGEST: Duration = Duration::from_secs(1);
/// No input is longer than some ten kilobytes.
const MOST_MEMORY: usize = 256 << 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(Some(default), |text| text.parse().ok());
    let wanted = arguments.first().map_or("", String::as_str);
    let targets: Vec<_> = TARGETS.iter().filter(|target| wanted == target.name || wanted == "all").collect();
    let (false, Some(seconds), Some(seed)) = (targets.is_empty(), number(1, 10), number(2, 1)) else {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("usage: fuzz TARGET [SECONDS] [SEED]; targets: all, {}", names.join(", "));
        return ExitCode::from(2);
    };
    // Readers run on threads of a server, whose stacks are of this size.
    let runs = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        targets
            .into_iter()
            .map(|target| run(target, Duration::from_secs(seconds), seed))
            .fold(true, |all, one| all & one)
    });
    match runs.expect("a thread starts").join() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// Whether nothing was found.
fn run(target: &Target, limit: Duration, seed: u64) -> bool {
    let mut random = Random::new(seed);
    let words: Vec<&str> = target.words.split_whitespace().collect();
    let mut inputs = (target.good)();
    assert!(!inputs.is_empty(), "{} has no good input", target.name);
    let mut furthest = 0;
    for input in &inputs {
        let reached = (target.read)(input);
        assert!(reached > 0, "a good input of {} is refused", target.name);
        furthest = furthest.max(reached);
    }
    let begun = Instant::now();
    let (mut rounds, mut believed) = (0u64, 0u64);
    while begun.elapsed() < limit {
        let input = random.mutated(&inputs, &words);
        let before = MEMORY.start();
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.read)(&input)));
        let failure = match outcome {
            Err(_) => Some("a panic"),
            Ok(_) if started.elapsed() > LONGEST && takes_long(target, &input) => Some("more than a second"),
            Ok(_) if MEMORY.peak() - before > MOST_MEMORY => Some("a lot of memory"),
            Ok(reached) => {
                believed += u64::from(reached > 0);
                if reached > 0 && inputs.len() < MOST_KEPT && random.below(20) == 0 || reached > furthest {
                    furthest = furthest.max(reached);
                    inputs.push(input.clone());
                }
                None
            }
        };
        if let Some(failure) = failure {
            let path = format!("failed-{}.bin", target.name);
            eprintln!("{}: {failure} in round {rounds} of seed {seed}; the input is in {path}", target.name);
            if let Err(error) = std::fs::write(&path, &input) {
                eprintln!("it could not be written: {error}");
            }
            return false;
        }
        rounds += 1;
    }
    println!("{}: {rounds} rounds, {believed} believed, seed {seed}", target.name);
    true
}

/// On a busy machine anything may take a second, but not again and again.
fn takes_long(target: &Target, input: &[u8]) -> bool {
    (0..3).all(|_| {
        let started = Instant::now();
        (target.read)(input);
        started.elapsed() > LONGEST
    })
}
