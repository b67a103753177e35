//! Postern: a REST proxy for Kafka and a Schema Registry, with a Kafka broker inside where no cluster is named.
//!
//! This crate connects the other crates to the process: arguments, variables and a file (`config`), signals and exit codes
//! (here and in `signals`), the log (`log`), and the wiring of all parts (`server`).
//!
//! Exit codes: 0 after an orderly shutdown, 1 the start failed, 2 the configuration is invalid. A second signal ends the
//! process immediately, with 128 plus the number of the signal, as shells report it.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use certificates::Certificates;
use config::{AccessConfig, Command, Config, HttpAddress, Question};
use listen::Sockets;
use log::Log;
use reload::Reload;
use server::Server;
use signals::{Received, Signals, StopSignal};

mod access;
mod certificates;
mod commands;
mod config;
mod health;
mod listen;
mod log;
mod metrics;
mod notify;
mod open_files;
mod reload;
mod server;
mod signals;
mod telemetry;
mod unix_sockets;

fn main() -> ExitCode {
    let arguments = match reload::arguments() {
        Ok(arguments) => arguments,
        Err(sentence) => {
            print_error(&sentence);
            return ExitCode::from(2);
        }
    };
    match config::read(&arguments, &config::Process) {
        Ok(Command::Run(config)) => run(*config),
        Ok(Command::Print(text)) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Ok(Command::Check { report, config, connect }) => check(&report, config.as_deref(), connect),
        Ok(Command::Explain { access, question }) => explain(&access, &question),
        Ok(Command::Healthcheck(address)) => healthcheck(address),
        Err(errors) => {
            print_error(&errors);
            ExitCode::from(2)
        }
    }
}

/// Prints what the configuration is. Connects only if it can be used and `connect` says so.
fn check(report: &str, config: Option<&Config>, connect: bool) -> ExitCode {
    print(report);
    let Some(config) = config else { return ExitCode::FAILURE };
    if !connect {
        return ExitCode::SUCCESS;
    }
    match commands::connect(config) {
        Ok(sentence) => {
            print(&format!("{sentence}\n"));
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            print_error(&sentence);
            ExitCode::FAILURE
        }
    }
}

/// Ends with 0 if the caller may do it.
fn explain(access: &AccessConfig, question: &Question) -> ExitCode {
    match commands::explain(access, question) {
        Ok((is_allowed, sentence)) => {
            print(&format!("{sentence}\n"));
            if is_allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(sentence) => {
            print_error(&sentence);
            ExitCode::from(2)
        }
    }
}

/// Ends with 0 if the process with this management listener is ready.
fn healthcheck(address: Option<HttpAddress>) -> ExitCode {
    let Some(address) = address else {
        print_error(&"management-listen is off: nothing can be asked");
        return ExitCode::FAILURE;
    };
    let address = server::connectable(address);
    match commands::healthcheck(address) {
        Ok(Ok(ready)) => {
            print(&ready);
            ExitCode::SUCCESS
        }
        Ok(Err(not_ready)) => {
            print(&not_ready);
            ExitCode::FAILURE
        }
        Err(error) => {
            print_error(&format_args!("nothing answers at {address}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> ExitCode {
    let sockets = match Sockets::handed_over() {
        Ok(sockets) => sockets,
        Err(error) => {
            print_error(&error);
            return ExitCode::FAILURE;
        }
    };
    let log = match Log::start(&config.log, config.log_format) {
        Ok(log) => log,
        Err(error) => {
            print_error(&format_args!("cannot start threads: {error}"));
            return ExitCode::FAILURE;
        }
    };
    for note in &config.notes {
        match note.is_warning {
            true => tracing::warn!("{}", note.text),
            false => tracing::info!("{}", note.text),
        }
    }
    let outcome = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let outcome = runtime.block_on(run_until_signal(config, sockets, &log));
            // Work that outlasts the timeout, such as a blocked disk write, is not waited for.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(format!("cannot start threads: {error}")),
    };
    log.flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            print_error(&sentence);
            ExitCode::FAILURE
        }
    }
}

/// Starts the server, runs it until a signal arrives, and shuts it down. Errors are complete messages for the terminal.
async fn run_until_signal(config: Config, sockets: Sockets, log: &Log) -> Result<(), String> {
    let (shutdown_delay, shutdown_timeout) = (config.shutdown_delay, config.shutdown_timeout);
    let mut signals = Signals::listen().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let mut reload = Reload::default();
    reload.add("levels of the log", log.levels());
    let certificates = Certificates::load(&config).map_err(|reason| format!("HTTPS: {reason}"))?;
    reload.add("certificates of HTTPS", certificates.reload());
    let server = tokio::select! {
        server = Server::start(config, sockets, certificates) => server.map_err(|error| error.to_string())?,
        _ = signals.stop() => return Ok(()),
    };
    reload.add("who may do what", server.look_at_files());
    let reload = Arc::new(reload);
    print(&server.startup_banner());
    notify::ready();

    let name = loop {
        match signals.next().await {
            Received::Stop(StopSignal { name, .. }) => break name,
            Received::Reload => {
                notify::reloading();
                reload.run().await;
                notify::ready();
            }
        }
    };
    notify::stopping();
    server.announce_shutdown();
    if !shutdown_delay.is_zero() {
        tracing::info!("{name}: not ready any more, but requests are taken for {} s", shutdown_delay.as_secs_f32());
        tokio::select! {
            () = tokio::time::sleep(shutdown_delay) => {}
            second = signals.stop() => exit_immediately(&second, log),
        }
    }
    tracing::info!("{name}: finishing what is under way, for {} s at most", shutdown_timeout.as_secs_f32());
    tokio::select! {
        finished = server.shutdown(shutdown_timeout) => {
            if !finished {
                tracing::warn!("something was still under way after {} s, and was given up", shutdown_timeout.as_secs_f32());
            }
            tracing::info!("stopped");
            Ok(())
        }
        second = signals.stop() => exit_immediately(&second, log),
    }
}

/// Ends the process without an orderly shutdown, on a second signal.
#[expect(clippy::disallowed_methods, reason = "the one place where records may be lost: a second signal requests it")]
fn exit_immediately(received: &StopSignal, log: &Log) -> ! {
    tracing::warn!("{}: stopping at once", received.name);
    log.flush();
    std::process::exit(received.exit_code());
}

/// Prints to standard output. An error, such as a closed pipe, is ignored: it is no reason to end.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints to standard error. An error is ignored for the same reason.
fn print_error(text: &dyn std::fmt::Display) {
    let _ = writeln!(io::stderr(), "postern: {text}");
}
