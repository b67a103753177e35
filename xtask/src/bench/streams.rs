//! Streams of records of API v3 (`stream_load`, an example of `crates/http`): one that is long, and many at once.

use std::{process::Command, thread::sleep, time::Duration};

use super::{cluster_id, create_topic, load, usage};
use crate::{
    Outcome,
    cluster::Postern,
    process,
    workspace::{self, Profile},
};

const RECORDS: u32 = 1_000_000;
const STREAMS: u32 = 100;

/// A process of its own, so that its memory is that of the streams.
pub(super) fn run() -> Outcome {
    let postern = Postern::embedded(Profile::Release, "bench-streams", &[])?;
    sleep(Duration::from_secs(2));
    for topic in ["stream", "streams", "native"] {
        create_topic(&postern, topic)?;
    }
    let idle = usage::resident(postern.pid())?;
    let (one, _) = stream(&postern, "stream", RECORDS, 1)?;
    let grown = usage::resident_peak(postern.pid())? - idle;
    let (many, slowest) = stream(&postern, "streams", RECORDS / STREAMS, STREAMS)?;
    let native = load::native(&postern.bootstrap, "native", 100)?;
    postern.stop()?;

    println!("\n{:<46}{one:>12.0} records/s", "API v3, one stream of 1,000,000 records");
    println!("{:<46}{:>12.1} % (aim: 40 %)", "    of native", one / native * 100.0);
    println!("{:<46}{grown:>12.1} MiB above idle (aim: 16)", "    resident memory at most");
    println!("{:<46}{many:>12.0} records/s", "API v3, 100 streams of 10,000 records");
    let share = slowest / f64::from(RECORDS / STREAMS) * 100.0;
    println!("{:<46}{share:>12.1} %", "    done by the slowest when the first ends");
    Ok(())
}

/// Records per second, and how many the slowest stream had written when the first was done.
fn stream(postern: &Postern, topic: &str, records: u32, streams: u32) -> Outcome<(f64, f64)> {
    let address = postern.rest.trim_start_matches("http://");
    let mut command = Command::new(workspace::example(Profile::Release, "stream_load"));
    command.args([address, &cluster_id(postern)?, topic, &records.to_string(), &streams.to_string()]);
    let printed = process::output(&mut command)?;
    let line = printed.lines().find_map(|line| line.strip_prefix("measured "));
    let numbers: Option<Vec<f64>> = line.and_then(|line| line.split(' ').map(|number| number.parse().ok()).collect());
    match numbers.as_deref() {
        Some([records, micros, slowest]) => Ok((records / micros * 1e6, *slowest)),
        _ => Err(format!("stream_load printed no measurement:\n{printed}")),
    }
}
