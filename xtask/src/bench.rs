//! `cargo xtask bench`: one table from one run, of a release `postern` on its embedded broker.
//!
//! What HTTP costs by itself on the same stack (`echo`, an example of `crates/http`), what a produce costs on top of it, and what the
//! broker carries when nobody speaks HTTP (`native_producer`, a workspace of its own in `xtask/librdkafka`). Runs are interleaved, so that a slow
//! minute of the machine meets all of them, and medians are shown. Then come streams of produce ([`streams`]), reading ([`reading`]), and what needs no
//! HTTP ([`without_http`]).

use std::{path::Path, process::Command, thread::sleep, time::Duration};

use crate::{
    Outcome,
    cluster::Postern,
    process::{self, Server, free_port},
    workspace::{self, Profile},
};

use load::{Load, Measured, RequestKind};

mod first;
mod load;
mod reading;
mod streams;
mod usage;
mod without_http;

pub(crate) use usage::{machine, resident_peak};

/// One line of the table.
struct Line {
    name: &'static str,
    load: Load,
    /// The line whose requests per second are the measure for this one, and how much of it is aimed at.
    against: Option<(usize, f64)>,
    runs: Vec<Measured>,
}

/// `cargo xtask bench [--rounds N] [--seconds N]`, or a part of it: `--streams`, `--reading`.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    let part: Option<fn() -> Outcome> = match arguments {
        [part] if part == "--streams" => Some(streams::run),
        [part] if part == "--reading" => Some(reading::run),
        _ => None,
    };
    if let Some(part) = part {
        process::build(Profile::Release)?;
        load::build_native()?;
        println!("{}; server and load on the same machine", usage::machine());
        return part();
    }
    let (mut rounds, mut seconds) = (3, 5);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let number = rest.next().and_then(|text| text.parse().ok()).filter(|&number: &u32| number > 0);
        match (argument.as_str(), number) {
            ("--rounds", Some(number)) => rounds = number,
            ("--seconds", Some(number)) => seconds = number,
            _ => {
                return Err(format!("{argument}: expected --rounds N or --seconds N, or --streams or --reading alone"));
            }
        }
    }
    if !process::exists("wrk", "-v") && !process::exists("which", "wrk") {
        return Err("there is no `wrk` (Debian: wrk)".into());
    }
    process::build(Profile::Release)?;
    load::build_native()?;
    run(rounds, seconds)
}

fn run(rounds: u32, seconds: u32) -> Outcome {
    let folder = workspace::scratch("bench")?;
    let fresh = starts(5, || workspace::scratch("bench-first"))?;
    let again = starts(5, || Ok(workspace::target().join("xtask/bench-first")))?;

    let postern = Postern::embedded(Profile::Release, "bench-postern", &[])?;
    sleep(Duration::from_secs(2));
    let idle = usage::resident(postern.pid())?;
    let (echo, echo_url) = start_echo(&folder)?;
    for topic in ["one", "bulk", "native"] {
        create_topic(&postern, topic)?;
    }

    let mut lines = lines(&postern, &echo, &echo_url);
    let mut native = Vec::new();
    for round in 1..=rounds {
        for line in &mut lines {
            eprintln!("round {round} of {rounds}: {}", line.name);
            line.runs.push(line.load.run(seconds)?);
        }
        eprintln!("round {round} of {rounds}: native producer");
        native.push(load::native(&postern.bootstrap, "native", 100)?);
    }
    let after = usage::resident(postern.pid())?;
    check_written(&postern, &lines)?;
    postern.stop()?;

    println!(
        "{}; {rounds} rounds of {seconds} s, interleaved, medians; server and load on the same machine\n",
        usage::machine()
    );
    table(&lines);
    let bulk =
        lines.iter().find(|line| line.name.starts_with("(d)")).map_or(0.0, |line| median(line, |m| m.per_second));
    let (bulk, native) = (bulk * f64::from(RECORDS), median_of(native));
    println!("\n{:<46}{bulk:>12.0} records/s", "(d) 100 records a request, 8 connections");
    println!("{:<46}{native:>12.0} records/s", "    native librdkafka, 100 bytes, linger 5 ms");
    println!("{:<46}{:>12.1} % (aim: 60 %)", "    of native", bulk / native * 100.0);
    println!("\n{:<46}{idle:>12.1} MiB (aim: 12)", "resident memory, idle");
    println!("{:<46}{after:>12.1} MiB", "resident memory, after all of this");
    println!("{:<46}{:>12.0} ms (aim: 40)", "exec to first acknowledged record, empty data", fresh.as_secs_f64() * 1e3);
    println!("{:<46}{:>12.0} ms", "the same, data of an earlier run", again.as_secs_f64() * 1e3);
    streams::run()?;
    reading::run()?;
    without_http::run()
}

/// Records a request carries in (d).
const RECORDS: u32 = 100;

fn lines(postern: &Postern, echo: &Server, echo_url: &str) -> Vec<Line> {
    let line = |name, url: String, kind, connections, closing, against| {
        let pid = if url == echo_url { echo.pid() } else { postern.pid() };
        Line { name, load: Load { url, pid, connections, kind, closing }, against, runs: Vec::new() }
    };
    let echoed = |name, connections, closing| {
        line(name, echo_url.to_owned(), RequestKind::Produce(1), connections, closing, None)
    };
    let one = |name, connections, closing, against| {
        line(name, format!("{}/topics/one", postern.rest), RequestKind::Produce(1), connections, closing, Some(against))
    };
    let bulk = format!("{}/topics/bulk", postern.rest);
    // What the lines before have registered.
    let known = format!("{}/schemas/ids/1", postern.registry);
    let subject = format!("{}/subjects/one-value/versions", postern.registry);
    vec![
        echoed("(a) echo, 16 connections", 16, false),
        one("(b) one record, 16 connections", 16, false, (0, 0.45)),
        echoed("(a) echo, 64 connections", 64, false),
        one("(b) one record, 64 connections", 64, false, (2, 0.60)),
        echoed("(a) echo, 16, new connections", 16, true),
        one("(c) one record, 16, new connections", 16, true, (4, 0.75)),
        echoed("(a) echo, 64, new connections", 64, true),
        one("(c) one record, 64, new connections", 64, true, (6, 0.75)),
        line("(d) 100 records, 8 connections", bulk, RequestKind::Produce(RECORDS), 8, false, None),
        line("(e) schema by id, 16 connections", known.clone(), RequestKind::Read, 16, false, Some((0, 0.60))),
        line("(e) schema by id, 64 connections", known, RequestKind::Read, 64, false, Some((2, 0.60))),
        line("(f) known schema, 16 connections", subject.clone(), RequestKind::Register, 16, false, Some((0, 0.60))),
        line("(f) known schema, 64 connections", subject, RequestKind::Register, 64, false, Some((2, 0.60))),
    ]
}

fn start_echo(folder: &Path) -> Outcome<(Server, String)> {
    let port = free_port()?;
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(workspace::example(Profile::Release, "echo"));
    let mut echo = Server::start("echo", command.arg(&address), &folder.join("echo.log"))?;
    echo.wait_for(port, Duration::from_secs(5))?;
    Ok((echo, format!("http://{address}/")))
}

/// Through Kafka's own protocol would need a client here; `curl`, which everybody has, does it through the proxy.
fn create_topic(postern: &Postern, topic: &str) -> Outcome {
    let url = format!("{}/v3/clusters/{}/topics", postern.rest, cluster_id(postern)?);
    let body = format!(r#"{{"topic_name":"{topic}","partitions_count":1,"replication_factor":1}}"#);
    curl(&["-H", "Content-Type: application/json", "-d", &body, &url]).map(drop)
}

fn cluster_id(postern: &Postern) -> Outcome<String> {
    let clusters = curl(&[&format!("{}/v3/clusters", postern.rest)])?;
    let cluster = clusters.split("\"cluster_id\":\"").nth(1).and_then(|rest| rest.split('"').next());
    cluster.map(str::to_owned).ok_or_else(|| format!("no cluster id in {clusters}"))
}

/// Every request was answered with 200; now that the records are there, too.
fn check_written(postern: &Postern, lines: &[Line]) -> Outcome {
    for topic in ["one", "bulk"] {
        let of_topic = lines.iter().filter(|line| line.load.url.ends_with(&format!("/topics/{topic}")));
        let records = |line: &Line| match line.load.kind {
            RequestKind::Produce(records) => f64::from(records),
            RequestKind::Read | RequestKind::Register => 0.0,
        };
        let least: f64 = of_topic.flat_map(|line| line.runs.iter().map(|run| run.requests * records(line))).sum();
        let offsets = curl(&[&format!("{}/topics/{topic}/partitions/0/offsets", postern.rest)])?;
        let end =
            offsets.split("\"end_offset\":").nth(1).and_then(|rest| rest.trim_end_matches('}').parse::<f64>().ok());
        match end {
            Some(end) if end >= least => {}
            _ => return Err(format!("{topic}: {least} records were acknowledged, the topic says {offsets}")),
        }
    }
    Ok(())
}

fn curl(arguments: &[&str]) -> Outcome<String> {
    process::output(Command::new("curl").args(["-sS", "--fail-with-body"]).args(arguments))
}

/// The median of several starts.
fn starts(times: u32, folder: impl Fn() -> Outcome<std::path::PathBuf>) -> Outcome<Duration> {
    let mut took = Vec::new();
    for _ in 0..times {
        took.push(first::acknowledged(&folder()?)?.as_secs_f64());
    }
    Ok(Duration::from_secs_f64(median_of(took)))
}

fn table(lines: &[Line]) {
    println!(
        "{:<38}{:>12}{:>9}{:>7}{:>9}{:>9}{:>9}{:>12}",
        "", "requests/s", "of echo", "aim", "p50 ms", "p99 ms", "p99.9", "CPU us/req"
    );
    for line in lines {
        let per_second = median(line, |m| m.per_second);
        let (share, aim) = match line.against {
            Some((echo, aim)) => {
                let share = per_second / median(&lines[echo], |m| m.per_second) * 100.0;
                (format!("{share:.1} %"), format!("{:.0} %", aim * 100.0))
            }
            None => (String::new(), String::new()),
        };
        println!(
            "{:<38}{per_second:>12.0}{share:>9}{aim:>7}{:>9.2}{:>9.2}{:>9.2}{:>12.1}",
            line.name,
            median(line, |m| m.p50_ms),
            median(line, |m| m.p99_ms),
            median(line, |m| m.p999_ms),
            median(line, |m| m.cpu_us),
        );
    }
}

fn median(line: &Line, of: impl Fn(&Measured) -> f64) -> f64 {
    median_of(line.runs.iter().map(of).collect())
}

fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
