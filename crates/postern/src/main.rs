//! Postern: a REST proxy for Kafka and a Schema Registry, with a Kafka broker inside where no cluster is named.
//!
//! This crate is where the outside world comes in: arguments, variables and a file (`config`), signals and exit codes (here), the log
//! (`log`), and how the rooms stand to each other (`house`). What any of them does is theirs.
//!
//! Exit codes: 0 ended as asked, 1 could not start, 2 the configuration makes no sense. A second
//! signal ends the process at once, with 128 and the number of the signal, as shells count.

use std::{io::Write, process::ExitCode, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};

use config::{Command, Config};
use house::House;

mod config;
mod house;
mod log;

/// How long requests under way, and records not acknowledged yet, may take after a signal.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    // What is not UTF-8 names no setting, and is shown with its foreign bytes replaced.
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    match config::read(&arguments, &config::Process) {
        Ok(Command::Run(config)) => run(*config),
        Ok(Command::Help) => {
            say(&config::help());
            ExitCode::SUCCESS
        }
        Ok(Command::Version) => {
            say(concat!("postern ", env!("CARGO_PKG_VERSION"), "\n"));
            ExitCode::SUCCESS
        }
        Err(faults) => {
            eprintln!("postern: {faults}");
            ExitCode::from(2)
        }
    }
}

fn run(config: Config) -> ExitCode {
    log::start(&config.log);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("postern: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(open_until_told(config));
    // Work that outlives the grace, such as a blocked write to a disk, is not waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("postern: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Opens the house, keeps it open until a signal comes, and closes it. An error is a sentence.
async fn open_until_told(config: Config) -> Result<(), String> {
    let mut signals = Signals::listen().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let house = tokio::select! {
        house = House::open(config) => house.map_err(|error| error.to_string())?,
        _ = signals.next() => return Ok(()),
    };
    say(&house.greeting());

    let name = signals.next().await.name;
    tracing::info!("{name}: finishing what is under way, for {} s at most", GRACE.as_secs());
    tokio::select! {
        finished = house.close(GRACE) => {
            if !finished {
                tracing::warn!("something was still under way after {} s, and was given up", GRACE.as_secs());
            }
            tracing::info!("stopped");
            Ok(())
        }
        second = signals.next() => end_at_once(&second),
    }
}

/// What somebody wants who asks twice: no matter what is lost.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where records may be lost: it was asked for, twice"
)]
fn end_at_once(told: &Told) -> ! {
    tracing::warn!("{}: stopping at once", told.name);
    std::process::exit(128 + told.number);
}

/// The two signals that ask us to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// One of them.
struct Told {
    name: &'static str,
    number: i32,
}

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told { name: "SIGINT", number: SignalKind::interrupt().as_raw_value() },
            _ = self.terminate.recv() => Told { name: "SIGTERM", number: SignalKind::terminate().as_raw_value() },
        }
    }
}

/// Prints to standard output. If nobody reads it, that is no reason to end.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
