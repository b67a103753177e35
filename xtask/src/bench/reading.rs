//! Reading: a consumer instance of API v2 beside a native librdkafka consumer of the same topic, how soon a record reaches who waits for it, and
//! what streams of server-sent events carry (`read_load`, an example of `crates/http`).

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::{create_topic, load, median_of, usage};
use crate::{
    Outcome,
    cluster::Postern,
    process,
    workspace::{self, Profile},
};

/// Records of each topic that is read.
const RECORDS: u32 = 300_000;
const ROUNDS: u32 = 3;
/// Answers of about 100 records of 200 bytes, fewer of avro, where the text counts; and large ones.
const MAX_BYTES: [(&str, u32); 2] = [("20,000 bytes", 20_000), ("1 MiB", 1 << 20)];
/// Name, topic, format and aim.
const FORMATS: [(&str, &str, &str, f64); 4] = [
    ("binary, 200 bytes", "read-json-200", "binary", 0.50),
    ("json, 200 bytes", "read-json-200", "json", 0.50),
    ("avro, 200 bytes", "read-avro-200", "avro", 0.35),
    ("avro, the record of the other lines", "read-avro", "avro", 0.35),
];
/// Readers of streams, records that each reads, and milliseconds between records that they wait for.
const STREAMS: [(u32, u32, u32); 3] = [(1, 200_000, 10), (100, 5_000, 10), (1_000, 500, 100)];
/// Records that are waited for by one reader, or by each of many.
const WAITED: u32 = 300;

/// One kind of read.
struct Line {
    name: String,
    topic: &'static str,
    format: &'static str,
    max_bytes: u32,
    aim: f64,
    /// Records per second, and microseconds of CPU per record.
    runs: Vec<(f64, f64)>,
}

pub(super) fn run() -> Outcome {
    let postern = Postern::embedded(Profile::Release, "bench-reading", &[])?;
    let address = postern.rest.trim_start_matches("http://").to_owned();
    for (topic, format, bytes) in
        [("read-json-200", "json", 200), ("read-avro-200", "avro", AVRO_TEXT_OF_200), ("read-avro", "avro", 0)]
    {
        create_topic(&postern, topic)?;
        fill(&address, topic, format, bytes, RECORDS)?;
    }
    lists(&postern, &address)?;
    waiting(&postern, &address)?;
    postern.stop()?;
    streams()
}

/// JSON text that becomes about 200 bytes of Avro, frame included.
const AVRO_TEXT_OF_200: u32 = 285;

fn lists(postern: &Postern, address: &str) -> Outcome {
    let mut lines = Vec::new();
    for (answers, max_bytes) in MAX_BYTES {
        for (name, topic, format, aim) in FORMATS {
            let name = format!("{name}, answers of {answers}");
            lines.push(Line { name, topic, format, max_bytes, aim, runs: Vec::new() });
        }
    }
    let mut native: Vec<(&str, Vec<f64>)> = Vec::new();
    for (_, topic, ..) in FORMATS {
        if native.iter().all(|(known, _)| *known != topic) {
            native.push((topic, Vec::new()));
        }
    }
    for round in 1..=ROUNDS {
        eprintln!("reading: round {round} of {ROUNDS}");
        for (topic, runs) in &mut native {
            runs.push(native_consumer(&postern.bootstrap, topic)?);
        }
        for line in &mut lines {
            let (max_bytes, records) = (line.max_bytes.to_string(), RECORDS.to_string());
            let before = usage::cpu(postern.pid())?;
            let [read, micros, _] =
                measured(read_load(&["lists", address, line.topic, line.format, &max_bytes, &records]))?;
            let cpu = usage::cpu(postern.pid())? - before;
            line.runs.push((read / micros * 1e6, cpu.as_secs_f64() * 1e6 / f64::from(RECORDS)));
        }
    }
    println!("\n{:<62}{:>12}{:>11}{:>7}{:>12}", "Reading", "records/s", "of native", "aim", "CPU us/rec");
    for (topic, runs) in &native {
        println!("{:<62}{:>12.0}", format!("native librdkafka consumer, {topic}"), median_of(runs.clone()));
    }
    for Line { name, topic, aim, runs, .. } in &lines {
        let native = native.iter().find(|(known, _)| known == topic).map_or(0.0, |(_, runs)| median_of(runs.clone()));
        let per_second = median_of(runs.iter().map(|run| run.0).collect());
        let cpu = median_of(runs.iter().map(|run| run.1).collect());
        let (share, aim) = (per_second / native * 100.0, format!("{:.0} %", aim * 100.0));
        println!("{name:<62}{per_second:>12.0}{:>11}{aim:>7}{cpu:>12.2}", format!("{share:.1} %"));
    }
    Ok(())
}

/// A reader that waits, beside a native one of the same records.
fn waiting(postern: &Postern, address: &str) -> Outcome {
    create_topic(postern, "read-waiting")?;
    let reader = Waiting::start(&["waiting", address, "read-waiting", &WAITED.to_string()])?;
    let [native, native_p99] = native_latency(&postern.bootstrap, "read-waiting", WAITED, 10)?;
    let [p50, p99, _] = reader.measured()?;
    println!("\n{:<46}{:>12}{:>12}", "From writing to reading, a record every 10 ms", "p50 ms", "p99 ms");
    println!("{:<46}{:>12.2}{:>12.2}", "native librdkafka", native / 1e3, native_p99 / 1e3);
    println!("{:<46}{:>12.2}{:>12.2}", "a waiting consumer instance", p50 / 1e3, p99 / 1e3);
    println!("{:<46}{:>12.2} ms (aim: 3)", "    beyond the native one", (p50 - native) / 1e3);
    Ok(())
}

/// A process for each number of readers, so that its memory is theirs.
fn streams() -> Outcome {
    println!(
        "\n{:<30}{:>12}{:>16}{:>12}{:>22}{:>12}",
        "Server-sent events", "events/s", "MiB above idle", "p50/p99 ms", "native p50/p99 ms", "waiting MiB"
    );
    for (readers, records, pause) in STREAMS {
        eprintln!("server-sent events: {readers} readers");
        let postern = Postern::embedded(Profile::Release, "bench-events", &[])?;
        let address = postern.rest.trim_start_matches("http://");
        create_topic(&postern, "events")?;
        create_topic(&postern, "read-waiting")?;
        sleep(Duration::from_secs(1));
        let idle = usage::resident(postern.pid())?;

        let waited = WAITED.min(10_000 / pause / 2);
        let (count, each) = (readers.to_string(), waited.to_string());
        let waiting = Waiting::start(&["events", address, "read-waiting", "latest", &count, &each])?;
        let [native, native_p99] = native_latency(&postern.bootstrap, "read-waiting", waited, pause)?;
        let held = usage::resident(postern.pid())? - idle;
        let [p50, p99, _] = waiting.measured()?;

        fill(address, "events", "json", 200, records)?;
        let each = records.to_string();
        let [read, micros, _] = measured(read_load(&["events", address, "events", "earliest", &count, &each]))?;
        let grown = usage::resident_peak(postern.pid())? - idle;
        postern.stop()?;
        println!(
            "{:<30}{:>12.0}{grown:>16.1}{:>12}{:>22}{held:>12.1}",
            format!("{readers} readers"),
            read / micros * 1e6,
            format!("{:.2}/{:.2}", p50 / 1e3, p99 / 1e3),
            format!("{:.2}/{:.2}", native / 1e3, native_p99 / 1e3),
        );
    }
    Ok(())
}

fn fill(address: &str, topic: &str, format: &str, bytes: u32, records: u32) -> Outcome {
    let (bytes, records) = (bytes.max(1).to_string(), records.to_string());
    process::run(&mut read_load(&["fill", address, topic, format, &bytes, &records]))
}

fn read_load(arguments: &[&str]) -> Command {
    let mut command = Command::new(workspace::example(Profile::Release, "read_load"));
    command.args(arguments);
    command
}

/// Records per second of a librdkafka consumer.
fn native_consumer(bootstrap: &str, topic: &str) -> Outcome<f64> {
    let mut consumer = Command::new(workspace::program(Profile::Release, "native_consumer"));
    load::records_per_second(&process::output(consumer.args([bootstrap, topic, &RECORDS.to_string()]))?)
}

/// Median and 99th percentile of the microseconds from writing to reading.
fn native_latency(bootstrap: &str, topic: &str, records: u32, pause: u32) -> Outcome<[f64; 2]> {
    let mut program = Command::new(workspace::program(Profile::Release, "native_latency"));
    program.args([bootstrap, topic, &records.to_string(), &pause.to_string()]);
    numbers(&process::output(&mut program)?)
}

fn measured(mut command: Command) -> Outcome<[f64; 3]> {
    numbers(&process::output(&mut command)?)
}

/// Those of the line `measured …`.
fn numbers<const N: usize>(printed: &str) -> Outcome<[f64; N]> {
    let line = printed.lines().find_map(|line| line.strip_prefix("measured "));
    let numbers: Option<Vec<f64>> = line.and_then(|line| line.split(' ').map(|number| number.parse().ok()).collect());
    numbers
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| format!("expected a line of {N} measurements, found:\n{printed}"))
}

/// Readers that wait for records. Killed when dropped.
struct Waiting {
    child: Child,
    printed: BufReader<std::process::ChildStdout>,
}

impl Waiting {
    /// Returns when they are ready.
    fn start(arguments: &[&str]) -> Outcome<Waiting> {
        let failed = |error: std::io::Error| format!("read_load {}: {error}", arguments.join(" "));
        let mut child = read_load(arguments).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let printed = child.stdout.take().ok_or("read_load has no output")?;
        let mut waiting = Waiting { child, printed: BufReader::new(printed) };
        let mut line = String::new();
        waiting.printed.read_line(&mut line).map_err(failed)?;
        match line.trim_end() {
            "ready" => Ok(waiting),
            line => Err(format!("read_load {} printed {line:?} in place of ready", arguments.join(" "))),
        }
    }

    fn measured(mut self) -> Outcome<[f64; 3]> {
        let mut printed = String::new();
        self.printed.read_to_string(&mut printed).map_err(|error| format!("read_load: {error}"))?;
        numbers(&printed)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
