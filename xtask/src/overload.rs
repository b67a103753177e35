//! `cargo xtask overload`: more clients than there is room for, while Kafka is away for a time in the middle.
//!
//! Clients that each open a connection, write one Avro record with its schema text and wait; others that read large answers slowly; others that
//! send large bodies again and again. Afterwards holds: every request was answered, either acknowledged or refused with 429 or 503, `Retry-After` and the
//! fate of its records; everything acknowledged is there, once; `/live` was always answered at once; resident memory stayed
//! below its bound; and after Kafka was back, new requests were acknowledged soon.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    bench::{machine, resident_peak},
    cluster::{Kafka, KafkaProfile, Postern},
    process,
    workspace::Profile,
};

use clients::{Load, Tally};

mod clients;
mod http;
mod verify;

/// How much of everything.
#[derive(Clone, Copy)]
struct Size {
    /// Clients with one Avro record each.
    writers: usize,
    /// How many records each of them writes, one after the other.
    rounds: usize,
    /// From one of its rounds to the next.
    pace: Duration,
    readers: usize,
    /// Clients with large bodies.
    bulks: usize,
    /// Bytes of such a body, about.
    body: usize,
    /// How long Kafka is away.
    outage: Duration,
    /// Whether how fast answers come is judged: not where other programs run on the machine.
    is_timed: bool,
}

const FULL: Size = Size {
    writers: 1700,
    rounds: 16,
    pace: Duration::from_secs(3),
    readers: 200,
    bulks: 50,
    body: 10 << 20,
    outage: Duration::from_secs(20),
    is_timed: true,
};

/// For a look in between, also while other programs run.
const SHORT: Size = Size {
    writers: 200,
    rounds: 4,
    pace: Duration::from_millis(1500),
    readers: 20,
    bulks: 5,
    body: 10 << 20,
    outage: Duration::from_secs(3),
    is_timed: false,
};

/// What `docs/deployment.md` says for 128 MiB.
const SETTINGS: [&str; 7] = [
    "--management-listen=127.0.0.1:0",
    "--http-connections=384",
    "--http-body-memory=8MiB",
    "--http-answer-memory=8MiB",
    "--unacknowledged-memory=12MiB",
    "--consumer-fetched-memory=4MiB",
    "--consumer-answer-memory=4MiB",
];

/// The same, for the allocator of glibc: memory that is not used any more goes back to the system.
const MALLOC: [(&str, &str); 2] = [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_ARENA_MAX", "2")];

/// Bounds on what is seen.
const MEMORY_MIB: f64 = 128.0;
const LIVE: Duration = Duration::from_millis(100);
const RECOVERY: Duration = Duration::from_secs(2);

/// What Kafka is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Setup {
    /// The broker inside the process, which cannot be away.
    Embedded,
    /// The embedded broker in a process of its own.
    Apart,
    /// Apache Kafka.
    Apache,
}

/// `cargo xtask overload [--short] [--embedded|--apart|--apache]`.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    let (mut size, mut setups) = (FULL, Vec::new());
    for argument in arguments {
        match argument.as_str() {
            "--short" => size = SHORT,
            "--embedded" => setups.push(Setup::Embedded),
            "--apart" => setups.push(Setup::Apart),
            "--apache" => setups.push(Setup::Apache),
            _ => return Err(format!("{argument}: expected --short, --embedded, --apart or --apache")),
        }
    }
    if setups.is_empty() {
        setups = vec![Setup::Embedded, Setup::Apart, Setup::Apache];
    }
    process::build(Profile::Release)?;
    println!("{}; server, Kafka and clients on the same machine", machine());
    for setup in setups {
        run(setup, size)?;
    }
    Ok(())
}

/// One run; an error names everything that does not hold.
fn run(setup: Setup, size: Size) -> Outcome {
    let start = |cluster: &[&str]| {
        let arguments = [&SETTINGS[..], cluster].concat();
        Postern::with_variables(Profile::Release, "overload", &arguments, &MALLOC)
    };
    match setup {
        Setup::Embedded => {
            measure("embedded broker", &start(&["--broker-listen=127.0.0.1:0", "--data-dir=data"])?, None, size)
        }
        Setup::Apart => {
            let kafka = Postern::embedded(
                Profile::Release,
                "overload-broker",
                &["--registry-listen=off", "--management-listen=off"],
            )?;
            let postern = start(&["--bootstrap-servers", &kafka.bootstrap])?;
            measure("embedded broker in another process", &postern, Some(kafka.pid()), size)
        }
        Setup::Apache => {
            let kafka = Kafka::start("overload-kafka", KafkaProfile::LikeEmbedded)?;
            let postern = start(&["--bootstrap-servers", &kafka.bootstrap])?;
            measure("Apache Kafka", &postern, Some(kafka.pid()), size)
        }
    }
}

fn measure(name: &str, postern: &Postern, kafka: Option<u32>, size: Size) -> Outcome {
    let rest = postern.rest.trim_start_matches("http://").to_owned();
    let live = postern.management.as_ref().ok_or("the banner names no management listener")?;
    verify::prepare(&rest, size.body)?;
    let stop = Arc::new(AtomicBool::new(false));
    let begin = Instant::now();
    let load = Load::start(&rest, size, &stop);
    let watch = {
        let (live, stop) = (live.clone(), Arc::clone(&stop));
        thread::spawn(move || watch_live(&live, &stop))
    };
    let mut recovered = None;
    if let Some(kafka) = kafka {
        sleep(size.pace * u32::try_from(size.rounds / 4).unwrap_or(1));
        recovered = Some(outage(kafka, &rest, size.outage)?);
    }
    let tally = load.join()?;
    let took = begin.elapsed();
    stop.store(true, Relaxed);
    let slowest = watch.join().map_err(|_| "the thread that asks for /live has panicked")??;
    let peak = resident_peak(postern.pid())?;
    let lost = verify::lost(&rest, &tally)?;

    report(name, size, &tally, took);
    println!("  /live answered within          {:>8.0} ms (aim: {})", slowest.as_secs_f64() * 1e3, LIVE.as_millis());
    println!("  resident memory at most        {peak:>8.1} MiB (aim: {MEMORY_MIB})");
    if let Some(recovered) = recovered {
        println!("  acknowledged again after       {:>8.2} s (aim: {})", recovered.as_secs_f64(), RECOVERY.as_secs());
    }
    let mut faults = tally.faults;
    faults.extend(lost);
    let checks = [
        (size.is_timed && slowest > LIVE, "/live was answered too late"),
        (peak > MEMORY_MIB, "too much memory was resident"),
        (
            size.is_timed && recovered.is_some_and(|recovered| recovered > RECOVERY),
            "requests were acknowledged again too late",
        ),
    ];
    faults.extend(checks.into_iter().filter(|(fails, _)| *fails).map(|(_, sentence)| sentence.to_owned()));
    if faults.is_empty() {
        return Ok(());
    }
    faults.sort();
    let number = faults.len();
    faults.dedup();
    faults.truncate(20);
    Err(format!("{name}: {number} faults:\n  {}\nthe end of its log:\n{}", faults.join("\n  "), postern.log_tail()))
}

fn report(name: &str, size: Size, tally: &Tally, took: Duration) {
    let Size { writers, rounds, readers, bulks, .. } = size;
    println!(
        "\n{name}: {writers} clients of {rounds} rounds, {readers} slow readers, {bulks} large bodies; {:.0} s",
        took.as_secs_f64()
    );
    println!("  records acknowledged           {:>8}", tally.acknowledged.len());
    println!("  requests refused for now       {:>8}", tally.refused);
    for (message, times) in &tally.refusals {
        println!("    {times:>8} times: {message}");
    }
    println!("  records that failed            {:>8}", tally.failed);
    println!("  large bodies acknowledged      {:>8}, refused for now {}", tally.bulks, tally.bulks_refused);
    println!("  answers of slow readers begun  {:>8}, refused for now {}", tally.reads, tally.reads_refused);
}

/// Asks for `/live` again and again until `stop`; the longest time that an answer took.
fn watch_live(address: &str, stop: &AtomicBool) -> Outcome<Duration> {
    let mut slowest = Duration::ZERO;
    while !stop.load(Relaxed) {
        let begin = Instant::now();
        let answer = http::get(address, "/live", "*/*").map_err(|error| format!("/live: {error}"))?;
        if answer.status != 200 {
            return Err(format!("/live: {}", answer.status));
        }
        slowest = slowest.max(begin.elapsed());
        sleep(Duration::from_millis(20));
    }
    Ok(slowest)
}

/// Stops Kafka for a time as a machine that hangs does. Returns after what time a request that began after it was acknowledged.
fn outage(kafka: u32, rest: &str, duration: Duration) -> Outcome<Duration> {
    let signal = |name: &str| process::run(Command::new("kill").args([name, &kafka.to_string()]));
    signal("-STOP")?;
    sleep(duration);
    signal("-CONT")?;
    let back = Instant::now();
    loop {
        let probe = http::post(rest, "/topics/bulk", http::JSON, br#"{"records":[{"value":"probe"}]}"#);
        if probe.is_ok_and(|answer| answer.is_acknowledged()) {
            return Ok(back.elapsed());
        }
        if back.elapsed() > Duration::from_secs(60) {
            return Err("no request is acknowledged a minute after Kafka is back".into());
        }
        sleep(Duration::from_millis(50));
    }
}
