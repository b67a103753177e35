//! The systems under test: a `postern` process on free ports, with its embedded broker or on an Apache Kafka started for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Outcome,
    process::{self, Server, free_port},
    workspace::{self, Profile},
};

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

/// A running Apache Kafka.
pub(crate) struct Kafka {
    server: Server,
    /// `127.0.0.1:…`
    pub(crate) bootstrap: String,
    /// The listener that wants client certificates, where there is one.
    pub(crate) mutual_tls: Option<String>,
}

/// How the Apache Kafka is configured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KafkaProfile {
    /// Unknown topics are refused and there is no authorizer.
    LikeEmbedded,
    /// Unknown topics are created and there is an authorizer.
    LikeRecorded,
    /// Every listener wants TLS and either a password or a certificate, and there is an authorizer.
    Secured,
}

/// The version that is downloaded.
pub(crate) const VERSION: &str = "4.1.1";

/// The jars come from Maven Central, by name; nothing but this file says which.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>postern</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>VERSION</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"#;

impl Kafka {
    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Why it is not available here, if so.
    pub(crate) fn missing() -> Option<&'static str> {
        if !process::exists("java", "-version") {
            return Some("there is no `java` (Debian: openjdk-17-jre-headless)");
        }
        let cached = jars().is_ok_and(|jars| jars.join("complete").exists());
        if !cached && !process::exists("mvn", "-version") {
            return Some("there is no `mvn` (Debian: maven)");
        }
        None
    }

    /// The folder of its jars, with its command line tools.
    pub(crate) fn jars() -> Outcome<PathBuf> {
        Ok(download()?.join("libs"))
    }

    /// One node in an empty folder.
    pub(crate) fn start(name: &str, like: KafkaProfile) -> Outcome<Kafka> {
        let jars = Kafka::jars()?;
        let folder = workspace::scratch(name)?;
        let (port, controller, mutual_tls) = (free_port()?, free_port()?, free_port()?);
        let properties = folder.join("server.properties");
        let data = folder.join("data");
        let listeners = match like {
            KafkaProfile::LikeEmbedded | KafkaProfile::LikeRecorded => format!("PLAINTEXT://127.0.0.1:{port}"),
            KafkaProfile::Secured => format!("SASL_SSL://127.0.0.1:{port},SSL://127.0.0.1:{mutual_tls}"),
        };
        let text = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners={listeners},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners={listeners}\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL\n\
             log.dirs={data}\n\
             offsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n\
             {further}",
            data = data.display(),
            further = match like {
                KafkaProfile::LikeEmbedded => "auto.create.topics.enable=false\n".to_owned(),
                KafkaProfile::LikeRecorded => {
                    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                     allow.everyone.if.no.acl.found=true\n\
                     super.users=User:ANONYMOUS\n"
                        .to_owned()
                }
                KafkaProfile::Secured => secured(),
            },
        );
        fs::write(&properties, text).map_err(|error| format!("{}: {error}", properties.display()))?;

        let java = || {
            let mut java = Command::new("java");
            java.arg("-Xmx512m").arg("-cp").arg(jars.join("*"));
            java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
            java
        };
        let cluster = "cG9zdGVybi10ZXN0LTAwMQ";
        let mut format = java();
        format.args(["kafka.tools.StorageTool", "format", "-t", cluster, "-c"]).arg(&properties);
        if like == KafkaProfile::Secured {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                format.arg("--add-scram").arg(format!("{mechanism}=[name={USER},password={PASSWORD},iterations=4096]"));
            }
        }
        process::output(&mut format)?;
        let mut server =
            Server::start("Apache Kafka", java().arg("kafka.Kafka").arg(&properties), &folder.join("kafka.log"))?;
        server.wait_for(port, Duration::from_secs(60))?;
        let mutual_tls = (like == KafkaProfile::Secured).then(|| format!("127.0.0.1:{mutual_tls}"));
        Ok(Kafka { server, bootstrap: format!("127.0.0.1:{port}"), mutual_tls })
    }
}

/// Who the tests of `crates/kafka` are on a secured cluster; `tests/cluster/target.rs` there says the same.
const USER: &str = "postern";
const PASSWORD: &str = "postern-secret";

/// The properties of [`KafkaProfile::Secured`], on the stores that the tests of `crates/kafka` read. Sessions are short, so that they are
/// renewed while the tests run.
fn secured() -> String {
    let stores = workspace::root().join("crates/kafka/tests/stores");
    let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required";
    format!(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS;User:{USER};User:CN=client\n\
         auto.create.topics.enable=false\n\
         inter.broker.listener.name=SASL_SSL\n\
         sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512\n\
         sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512\n\
         listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={jaas};\n\
         listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={jaas} username=\"{USER}\" password=\"{PASSWORD}\";\n\
         listener.name.sasl_ssl.connections.max.reauth.ms=2000\n\
         listener.name.ssl.ssl.client.auth=required\n\
         ssl.keystore.type=PKCS12\n\
         ssl.keystore.location={stores}/broker.p12\n\
         ssl.keystore.password=changeit\n\
         ssl.key.password=changeit\n\
         ssl.truststore.type=PKCS12\n\
         ssl.truststore.location={stores}/trust.p12\n\
         ssl.truststore.password=changeit\n",
        stores = stores.display()
    )
}

fn jars() -> Outcome<PathBuf> {
    Ok(workspace::cache()?.join(format!("kafka-{VERSION}")))
}

/// The folder with the jars, filled on first use.
fn download() -> Outcome<PathBuf> {
    let folder = jars()?;
    let complete = folder.join("complete");
    if !complete.exists() {
        println!("fetching Apache Kafka {VERSION} into {}", folder.display());
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        fs::write(folder.join("pom.xml"), POM.replace("VERSION", VERSION))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]).current_dir(&folder);
        process::run(&mut maven)?;
        fs::write(&complete, "").map_err(|error| format!("{}: {error}", complete.display()))?;
    }
    Ok(folder)
}
