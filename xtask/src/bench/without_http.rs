//! What needs no HTTP: the embedded broker beside Apache Kafka under the same producers, and the registry's fold.
//!
//! Each figure is printed by an example of the crate it belongs to, one program after the other.

use std::{path::Path, process::Command, time::Duration};

use super::{load, usage};
use crate::{
    Outcome,
    cluster::{Kafka, KafkaProfile, VERSION},
    process::{self, Server, free_port},
    workspace::{self, Profile},
};

/// Measures and prints.
pub(crate) fn run() -> Outcome {
    let folder = workspace::scratch("bench-apart")?;
    let port = free_port()?;
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(workspace::example(Profile::Release, "broker"));
    command.arg(&address).arg(folder.join("data")).arg("--auto-create-topics");
    let mut broker = Server::start("broker", &mut command, &folder.join("broker.log"))?;
    broker.wait_for(port, Duration::from_secs(5))?;
    println!("\nThe embedded broker, {:.1} MiB resident when idle", usage::resident(broker.pid())?);
    producers(&address)?;
    broker.stop(Duration::from_secs(8))?;

    match Kafka::missing() {
        Some(reason) => println!("\nApache Kafka: not measured, {reason}"),
        None => {
            let kafka = Kafka::start("bench-kafka", KafkaProfile::LikeRecorded)?;
            println!("\nApache Kafka {}, {:.1} MiB resident when idle", VERSION, usage::resident(kafka.pid())?);
            producers(&kafka.bootstrap)?;
        }
    }

    println!("\nThe registry");
    print(&workspace::example(Profile::Release, "fold_speed"), &[])
}

/// Single records from many tasks and many from a few, then a million from one producer without anything before it.
fn producers(bootstrap: &str) -> Outcome {
    print(&workspace::example(Profile::Release, "append_speed"), &[bootstrap])?;
    for bytes in [100, 200] {
        let native = load::native(bootstrap, &format!("native-{bytes}"), bytes)?;
        println!("native librdkafka, {bytes} bytes, linger 5 ms: {native:.0} records/s");
    }
    Ok(())
}

fn print(program: &Path, arguments: &[&str]) -> Outcome {
    print!("{}", process::output(Command::new(program).args(arguments))?);
    Ok(())
}
