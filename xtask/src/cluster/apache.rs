//! Apache Kafka on one node, in the version that everything is tested on or an older or newer one.
//!
//! Versions before 3 need a ZooKeeper, which comes with them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Outcome,
    process::{self, Server, free_port},
    workspace,
};

/// A running Apache Kafka.
pub(crate) struct Kafka {
    server: Server,
    /// Before version 3; it ends after the broker.
    _zookeeper: Option<Server>,
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

/// The version that everything is tested on.
pub(crate) const VERSION: &str = "4.1.1";

/// The id of every cluster.
const CLUSTER_ID: &str = "cG9zdGVybi10ZXN0LTAwMQ";

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
        let cached = jars(VERSION).is_ok_and(|jars| jars.join("complete").exists());
        if !cached && !process::exists("mvn", "-version") {
            return Some("there is no `mvn` (Debian: maven)");
        }
        None
    }

    /// The folder of its jars, with its command line tools.
    pub(crate) fn jars() -> Outcome<PathBuf> {
        Ok(download(VERSION)?.join("libs"))
    }

    /// The arguments with which a `postern` reaches a [`KafkaProfile::Secured`] as an administrator.
    pub(crate) fn secured_arguments(&self) -> Vec<String> {
        let trust = workspace::root().join("crates/kafka/tests/stores/trust.p12");
        let named = |name: &str, value: &str| format!("--{name}={value}");
        vec![
            named("bootstrap-servers", &self.bootstrap),
            named("kafka-security-protocol", "SASL_SSL"),
            named("kafka-ssl-truststore", &trust.display().to_string()),
            named("kafka-ssl-truststore-password", "changeit"),
            named("kafka-sasl-mechanism", "SCRAM-SHA-512"),
            named("kafka-sasl-username", USER),
            named("kafka-sasl-password", PASSWORD),
        ]
    }

    /// One node in an empty folder.
    pub(crate) fn start(name: &str, like: KafkaProfile) -> Outcome<Kafka> {
        Kafka::start_version(name, like, VERSION)
    }

    /// The same in another version.
    pub(crate) fn start_version(name: &str, like: KafkaProfile, version: &str) -> Outcome<Kafka> {
        let jars = download(version)?.join("libs");
        let folder = workspace::scratch(name)?;
        let (port, controller, mutual_tls) = (free_port()?, free_port()?, free_port()?);
        let has_zookeeper = major(version)? < 3;
        let properties = folder.join("server.properties");
        let data = folder.join("data");
        let listeners = match like {
            KafkaProfile::LikeEmbedded | KafkaProfile::LikeRecorded => format!("PLAINTEXT://127.0.0.1:{port}"),
            KafkaProfile::Secured => format!("SASL_SSL://127.0.0.1:{port},SSL://127.0.0.1:{mutual_tls}"),
        };
        let role = match has_zookeeper {
            true => format!("broker.id=1\nzookeeper.connect=127.0.0.1:{controller}\nlisteners={listeners}\n"),
            false => format!(
                "process.roles=broker,controller\n\
                 node.id=1\n\
                 controller.quorum.voters=1@127.0.0.1:{controller}\n\
                 listeners={listeners},CONTROLLER://127.0.0.1:{controller}\n\
                 controller.listener.names=CONTROLLER\n\
                 listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL\n"
            ),
        };
        let text = format!(
            "{role}\
             advertised.listeners={listeners}\n\
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

        let mut zookeeper = None;
        if has_zookeeper {
            let mut command = java(&jars);
            command.arg("org.apache.zookeeper.server.ZooKeeperServerMain").arg(controller.to_string());
            let command = command.arg(folder.join("zookeeper"));
            let mut server = Server::start("ZooKeeper", command, &folder.join("zookeeper.log"))?;
            server.wait_for(controller, Duration::from_secs(60))?;
            zookeeper = Some(server);
        } else {
            let mut format = format(&jars, &properties);
            if like == KafkaProfile::Secured {
                for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                    let user = format!("{mechanism}=[name={USER},password={PASSWORD},iterations=4096]");
                    format.arg("--add-scram").arg(user);
                }
            }
            process::output(&mut format)?;
        }
        let mut command = java(&jars);
        let command = command.arg("kafka.Kafka").arg(&properties);
        let mut server = Server::start("Apache Kafka", command, &folder.join("kafka.log"))?;
        server.wait_for(port, Duration::from_secs(60))?;
        let mutual_tls = (like == KafkaProfile::Secured).then(|| format!("127.0.0.1:{mutual_tls}"));
        Ok(Kafka { server, _zookeeper: zookeeper, bootstrap: format!("127.0.0.1:{port}"), mutual_tls })
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

/// Java with these jars, and little to say.
pub(super) fn java(jars: &Path) -> Command {
    let mut java = Command::new("java");
    java.arg("-Xmx512m").arg("-cp").arg(jars.join("*"));
    java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    java
}

/// Prepares the folder that `properties` names for a node.
pub(super) fn format(jars: &Path, properties: &Path) -> Command {
    let mut format = java(jars);
    format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(properties);
    format
}

fn major(version: &str) -> Outcome<u32> {
    let major = version.split('.').next().and_then(|major| major.parse().ok());
    major.ok_or_else(|| format!("expected a version of Apache Kafka such as {VERSION}, found {version:?}"))
}

fn jars(version: &str) -> Outcome<PathBuf> {
    Ok(workspace::cache()?.join(format!("kafka-{version}")))
}

/// The folder with the jars, filled on first use.
fn download(version: &str) -> Outcome<PathBuf> {
    let folder = jars(version)?;
    let complete = folder.join("complete");
    if !complete.exists() {
        println!("fetching Apache Kafka {version} into {}", folder.display());
        let failed = |error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::write(folder.join("pom.xml"), POM.replace("VERSION", version)).map_err(failed)?;
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]).current_dir(&folder);
        process::run(&mut maven)?;
        // Old versions bring bindings of their own for what the pom says how to log.
        for entry in fs::read_dir(folder.join("libs")).map_err(failed)? {
            let jar = entry.map_err(failed)?;
            let name = jar.file_name().to_string_lossy().into_owned();
            if name.starts_with("slf4j-log4j12") || name.starts_with("slf4j-reload4j") {
                fs::remove_file(jar.path()).map_err(failed)?;
            }
        }
        fs::write(&complete, "").map_err(failed)?;
    }
    Ok(folder)
}
