//! Load from outside: `wrk` against HTTP, a plain librdkafka producer against the broker.

use std::process::Command;

use crate::{
    Outcome,
    bench::usage,
    process,
    workspace::{self, Profile},
};

/// One kind of request, against one server.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) url: String,
    /// The process whose CPU time is counted.
    pub(crate) pid: u32,
    pub(crate) connections: u32,
    pub(crate) kind: RequestKind,
    /// A new connection per request.
    pub(crate) closing: bool,
}

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// Produces so many Avro records, with their schema as text.
    Produce(u32),
    /// Reads the URL.
    Read,
    /// Registers the same schema again under the subject of the URL.
    Register,
}

/// The measurements of one run.
#[derive(Clone, Copy, Default)]
pub(crate) struct Measured {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    /// Of the server, per request.
    pub(crate) cpu_us: f64,
}

impl Load {
    /// Runs for `seconds`. Fails if a single answer is not a success.
    pub(crate) fn run(&self, seconds: u32) -> Outcome<Measured> {
        let script = workspace::root().join("xtask/bench/load.lua");
        let mut wrk = Command::new("wrk");
        // One thread of load: the cores are the server's.
        wrk.args(["--threads", "1", "--connections", &self.connections.to_string()]);
        wrk.args(["--duration", &format!("{seconds}s"), "--timeout", "10s", "--script"]).arg(script).arg(&self.url);
        let kind = match self.kind {
            RequestKind::Produce(records) => records.to_string(),
            RequestKind::Read => "read".to_owned(),
            RequestKind::Register => "register".to_owned(),
        };
        wrk.arg("--").arg(kind).arg(if self.closing { "close" } else { "keep" });
        let before = usage::cpu(self.pid)?;
        let printed = process::output(&mut wrk)?;
        let spent = usage::cpu(self.pid)? - before;

        let line = printed.lines().find_map(|line| line.strip_prefix("measured "));
        let numbers: Option<Vec<f64>> =
            line.and_then(|line| line.split_whitespace().map(|number| number.parse().ok()).collect());
        let Some([requests, duration_us, p50, p99, p999, errors]) = numbers.as_deref() else {
            return Err(format!("wrk printed no measurement:\n{printed}"));
        };
        if *errors > 0.0 || *requests == 0.0 {
            return Err(format!("{errors} of {requests} requests to {} failed:\n{printed}", self.url));
        }
        Ok(Measured {
            requests: *requests,
            per_second: requests / duration_us * 1e6,
            p50_ms: p50 / 1e3,
            p99_ms: p99 / 1e3,
            p999_ms: p999 / 1e3,
            cpu_us: spent.as_secs_f64() * 1e6 / requests,
        })
    }
}

/// The workspace of the librdkafka clients: the only place where that library is built.
const NATIVE: &str = "xtask/librdkafka/Cargo.toml";

/// Builds the librdkafka clients.
pub(crate) fn build_native() -> Outcome {
    let mut build = process::cargo();
    build.args(["build", "--release", "--locked", "--manifest-path", NATIVE, "--target-dir"]).arg(workspace::target());
    process::run(&mut build)
}

/// Records per second of a librdkafka producer without anything before it, on the same broker.
pub(crate) fn native(bootstrap: &str, topic: &str, bytes: u32) -> Outcome<f64> {
    const RECORDS: &str = "1000000";
    let mut producer = Command::new(workspace::program(Profile::Release, "native_producer"));
    records_per_second(&process::output(producer.args([bootstrap, topic, RECORDS, &bytes.to_string()]))?)
}

/// What a native client has printed.
pub(crate) fn records_per_second(printed: &str) -> Outcome<f64> {
    printed
        .lines()
        .find_map(|line| line.strip_suffix(" records/s")?.trim().parse().ok())
        .ok_or_else(|| format!("a native client printed no measurement:\n{printed}"))
}
