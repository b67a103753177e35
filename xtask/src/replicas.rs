//! `cargo xtask replicas [--records N] [--instances N] [--rounds N] [--seconds N]`: three replicas on one Apache Kafka end one after the other,
//! by kill -9 and by SIGTERM, while consumer instances read through all of them (`conformance/clients/replicas.py`).

use crate::{
    Outcome,
    cluster::{Kafka, KafkaProfile},
    process, python,
    workspace::{self, Profile},
};

const PROFILE: Profile = Profile::Checked;

pub(crate) fn command(arguments: &[String]) -> Outcome {
    let is_known = |name: &str| ["--records", "--groups", "--instances", "--rounds", "--seconds"].contains(&name);
    if !arguments.chunks(2).all(|pair| pair.len() == 2 && is_known(&pair[0])) {
        return Err("expected --records N, --groups N, --instances N (of each group), --rounds N or --seconds N".into());
    }
    process::build(PROFILE)?;
    let kafka = Kafka::start("replicas-kafka", KafkaProfile::LikeEmbedded)?;
    for signal in ["KILL", "TERM"] {
        let mut command = python::script("clients/replicas.py")?;
        command.arg("--postern").arg(workspace::program(PROFILE, "postern"));
        command.arg("--folder").arg(workspace::scratch(&format!("replicas-{signal}"))?);
        command.args(["--bootstrap", &kafka.bootstrap, "--signal", signal]);
        process::run(command.args(arguments))?;
    }
    Ok(())
}
