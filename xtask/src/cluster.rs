//! The systems under test: a `postern` process on free ports, with its embedded broker or on an Apache Kafka started for it.

use std::{path::Path, process::Command, time::Duration};

use crate::{
    Outcome,
    process::Server,
    workspace::{self, Profile},
};

mod apache;
mod three_nodes;

pub(crate) use apache::{Kafka, KafkaProfile, VERSION};
pub(crate) use three_nodes::ThreeNodes;

/// The kind of Kafka cluster behind Postern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The broker inside the process.
    Embedded,
    /// Apache Kafka, one node, broker and controller.
    Apache,
}

impl Kind {
    /// As written in file names and arguments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Embedded => "embedded",
            Kind::Apache => "apache",
        }
    }
}

/// A running `postern`.
pub(crate) struct Postern {
    server: Server,
    /// `http://127.0.0.1:…` of the REST proxy.
    pub(crate) rest: String,
    /// `http://127.0.0.1:…` of the registry.
    pub(crate) registry: String,
    /// `127.0.0.1:…` of the cluster behind it.
    pub(crate) bootstrap: String,
    /// `127.0.0.1:…` of the management listener, unless it is off.
    pub(crate) management: Option<String>,
}

impl Postern {
    /// With its embedded broker, on an empty data directory, with further `arguments`.
    pub(crate) fn embedded(profile: Profile, name: &str, arguments: &[&str]) -> Outcome<Postern> {
        let folder = workspace::scratch(name)?;
        let mut settings = vec!["--broker-listen=127.0.0.1:0".to_owned(), "--data-dir".to_owned()];
        settings.push(folder.join("data").display().to_string());
        settings.extend(arguments.iter().map(|&argument| argument.to_owned()));
        Postern::start(profile, &folder, &settings, &[])
    }

    /// On a cluster that is already running.
    pub(crate) fn over(name: &str, kafka: &Kafka) -> Outcome<Postern> {
        let arguments = ["--bootstrap-servers", &kafka.bootstrap];
        Postern::with_variables(Profile::Checked, name, &arguments, &[])
    }

    /// With `arguments` that say which cluster, and with `variables`. Its working directory is an empty one.
    pub(crate) fn with_variables(
        profile: Profile,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Outcome<Postern> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Postern::start(profile, &workspace::scratch(name)?, &arguments, variables)
    }

    /// The system chooses the ports, and the banner names them.
    fn start(profile: Profile, folder: &Path, settings: &[String], variables: &[(&str, &str)]) -> Outcome<Postern> {
        let mut command = Command::new(workspace::program(profile, "postern"));
        command.arg("--rest-listen=127.0.0.1:0");
        if !settings.iter().any(|setting| setting.starts_with("--registry-listen")) {
            command.arg("--registry-listen=127.0.0.1:0");
        }
        command.args(settings).envs(variables.iter().copied()).current_dir(folder);
        let mut server = Server::start("postern", &mut command, &folder.join("postern.log"))?;
        let banner = server.wait_for_line("Try: ", Duration::from_secs(20))?;
        let address = |label: &str| {
            let line = banner.iter().find(|line| line.trim_start().starts_with(label));
            let address = line.and_then(|line| line.split_whitespace().last()).map(str::to_owned);
            address.ok_or_else(|| format!("the banner has no line for {label}:\n{}", banner.join("\n")))
        };
        let bootstrap = address("embedded broker").or_else(|_| address("Kafka"))?;
        let management = address("Health").ok();
        let management = management.map(|url| url.trim_start_matches("http://").trim_end_matches("/ready").to_owned());
        Ok(Postern {
            rest: address("REST proxy")?,
            registry: address("Schema Registry")?,
            bootstrap,
            management,
            server,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// The three addresses, as the scripts of `conformance/` take them.
    pub(crate) fn addresses(&self) -> [&str; 6] {
        ["--rest", &self.rest, "--registry", &self.registry, "--kafka", &self.bootstrap]
    }

    /// Shuts it down with SIGTERM; it must end within its shutdown timeout of 5 s.
    pub(crate) fn stop(self) -> Outcome {
        self.server.stop(Duration::from_secs(8))
    }
}
