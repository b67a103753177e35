//! The broker alone: `broker LISTEN DATA_DIR [--auto-create-topics] [--strict-replication] [--upkeep-ms=N]`. Ends on Ctrl-C or SIGTERM.

use std::process::ExitCode;
use std::time::Duration;

use postern_broker::{Broker, Settings};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut settings = Settings::default();
    let mut places = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--auto-create-topics" => settings.auto_create_topics = true,
            "--strict-replication" => settings.strict_replication = true,
            _ => match argument.strip_prefix("--upkeep-ms=").and_then(|number| number.parse().ok()) {
                Some(number) => settings.upkeep_interval = Duration::from_millis(number),
                None => places.push(argument),
            },
        }
    }
    let [listen, data_dir] = places.as_slice() else {
        eprintln!("usage: broker LISTEN DATA_DIR [--auto-create-topics] [--strict-replication] [--upkeep-ms=N]");
        return ExitCode::from(2);
    };
    match listen.parse() {
        Ok(address) => settings.listen = address,
        Err(error) => {
            eprintln!("{listen}: {error}");
            return ExitCode::from(2);
        }
    }
    settings.data_dir = data_dir.into();
    // Before the address is told: who reads it may stop us at once.
    let mut terminate = signal(SignalKind::terminate()).expect("handlers can be installed");
    let mut interrupt = signal(SignalKind::interrupt()).expect("handlers can be installed");
    let broker = match Broker::start(settings).await {
        Ok(broker) => broker,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", broker.address());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    broker.shutdown().await;
    ExitCode::SUCCESS
}
