//! Feeds mutated bytes to the parsers of foreign bytes, on stable Rust: `fuzz TARGET [SECONDS] [SEED]`.
//!
//! A target has a few good inputs; each round changes one a little (bits, numbers of note, cuts, repeats, splices) and
//! keeps it when the target got further with it than before. What fails is a panic, whose input is written to
//! `failed-TARGET.bin`, or a round that takes longer than a second. The same seed gives the same rounds.
//!
//! This is not guided by coverage. What it gives up in cunning it gains in being run by everybody.

mod broker;
mod random;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::random::Random;

/// Something that reads bytes; it answers how far it got, and never panics.
struct Target {
    name: &'static str,
    good: fn() -> Vec<Vec<u8>>,
    read: fn(&[u8]) -> usize,
}

const TARGETS: &[Target] = &[
    Target { name: "broker-frames", good: broker::good_frames, read: broker::read_frames },
    Target { name: "broker-batches", good: broker::good_batches, read: broker::read_batch },
];

const MOST_KEPT: usize = 2000;
const LONGEST: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(Some(default), |text| text.parse().ok());
    let wanted = arguments.first().map_or("", String::as_str);
    let target = TARGETS.iter().find(|target| target.name == wanted);
    let (Some(target), Some(seconds), Some(seed)) = (target, number(1, 10), number(2, 1)) else {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("usage: fuzz TARGET [SECONDS] [SEED]; targets: {}", names.join(", "));
        return ExitCode::from(2);
    };
    run(target, Duration::from_secs(seconds), seed)
}

fn run(target: &Target, limit: Duration, seed: u64) -> ExitCode {
    let mut random = Random::new(seed);
    let mut inputs = (target.good)();
    let mut furthest = 0;
    for input in &inputs {
        let reached = (target.read)(input);
        assert!(reached > 0, "a good input of {} is refused", target.name);
        furthest = furthest.max(reached);
    }
    let begun = Instant::now();
    let (mut rounds, mut believed) = (0u64, 0u64);
    while begun.elapsed() < limit {
        let input = random.mutated(&inputs);
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.read)(&input)));
        let failure = match outcome {
            Err(_) => Some("a panic"),
            Ok(_) if started.elapsed() > LONGEST => Some("more than a second"),
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
            return ExitCode::FAILURE;
        }
        rounds += 1;
    }
    println!("{}: {rounds} rounds, {believed} believed, seed {seed}", target.name);
    ExitCode::SUCCESS
}
