//! What the operator asked for: arguments, `POSTERN_*` variables and a TOML file become one [`Config`].
//!
//! Two steps. [`written`] collects what was written, where, and refuses what no setting is called; this file says what it
//! means. A [`Config`] holds no nonsense: whoever has one need not check it again. Every fault is found before the first is
//! reported, so that a start is mended in one go.
//! Precedence: argument, then variable, then file, then default.
//! Not here: what the settings do (each room has its own `Settings`, filled in `house.rs`).

use std::{net::SocketAddr, path::PathBuf};

use postern_kafka::TopicName;
use postern_registry::{Authorities, Credentials, Level, RegistryUrl};
use written::Written;

mod fault;
mod help;
mod setting;
mod source;
mod value;
mod written;

#[cfg(test)]
mod tests;

pub(crate) use fault::Faults;
pub(crate) use help::help;
pub(crate) use source::{Outside, Process};

/// What this start is for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// Run with this configuration.
    Run(Box<Config>),
    /// Print how the settings are spelt.
    Help,
    /// Print the version.
    Version,
}

/// A whole and consistent configuration.
#[derive(Debug, PartialEq)]
pub(crate) struct Config {
    /// The Kafka cluster behind everything.
    pub(crate) cluster: ClusterChoice,
    /// Where the REST proxy listens.
    pub(crate) rest_listen: SocketAddr,
    /// Where the Schema Registry listens.
    pub(crate) registry_listen: SocketAddr,
    /// Where the schemas are.
    pub(crate) schemas: SchemasChoice,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`.
    pub(crate) log: String,
}

/// Which schemas: exactly one of the two.
#[derive(Debug, PartialEq)]
pub(crate) enum SchemasChoice {
    /// Those of another registry; our own is not started.
    Remote {
        /// Its instances, at least one.
        urls: Vec<RegistryUrl>,
        /// Who we are there, where the URL does not say.
        credentials: Option<Credentials>,
        /// Who may vouch for them; `None`: whom the system believes.
        authorities: Option<Authorities>,
    },
    /// Those of the registry in this process.
    Own {
        /// The topic that keeps them.
        topic: TopicName,
        /// The group of registries that elect a leader on it.
        group: String,
        /// What new schemas are checked against where nobody says it.
        level: Level,
        /// Whether somebody else writes it.
        follower: bool,
    },
}

/// Which cluster: exactly one of the two.
#[derive(Debug, PartialEq)]
pub(crate) enum ClusterChoice {
    /// A cluster that runs elsewhere; no broker is started.
    Remote {
        /// `host:port`, separated by commas.
        bootstrap_servers: String,
    },
    /// The broker inside this process.
    Embedded {
        /// Where it listens, and what it tells its clients.
        listen: SocketAddr,
        /// Where it keeps its data.
        data_dir: PathBuf,
        /// Whether a look-up for a produce creates an unknown topic.
        auto_create_topics: bool,
        /// Whether more replicas than there are brokers are refused, instead of being made one.
        strict_replication: bool,
    },
}

/// Reads everything the outside world says about this start.
pub(crate) fn read(arguments: &[String], outside: &impl Outside) -> Result<Command, Faults> {
    let mut faults = Faults::default();
    let written = match written::collect(arguments, outside, &mut faults) {
        written::Asked::Run(written) => written,
        written::Asked::Help => return Ok(Command::Help),
        written::Asked::Version => return Ok(Command::Version),
    };
    let config = mean(&written, outside, &mut faults);
    if faults.is_empty() { Ok(Command::Run(Box::new(config))) } else { Err(faults) }
}

/// What was written, taken at its word; where a value makes no sense the default stands in, and a fault is noted.
fn mean(written: &Written, outside: &impl Outside, faults: &mut Faults) -> Config {
    let rest_listen = written.take(setting::REST_LISTEN, value::address, faults);
    let registry_listen = written.take(setting::REGISTRY_LISTEN, value::address, faults);
    let broker_listen = written.take(setting::BROKER_LISTEN, value::address, faults);
    let data_dir = written.take(setting::DATA_DIR, value::directory, faults);
    let auto_create_topics = written.take(setting::BROKER_AUTO_CREATE_TOPICS, value::switch, faults);
    let strict_replication = written.take(setting::BROKER_STRICT_REPLICATION, value::switch, faults);
    let log = written.take(setting::LOG, value::filter, faults);
    let bootstrap_servers = written.find(setting::BOOTSTRAP_SERVERS, value::bootstrap_servers, faults);

    if written.has(setting::BOOTSTRAP_SERVERS) {
        for broker in [setting::BROKER_LISTEN, setting::BROKER_AUTO_CREATE_TOPICS, setting::BROKER_STRICT_REPLICATION] {
            written.refuse_pair(broker, setting::BOOTSTRAP_SERVERS, "no broker is started then", faults);
        }
    }
    let cluster = match bootstrap_servers {
        Some(bootstrap_servers) => ClusterChoice::Remote { bootstrap_servers },
        None => ClusterChoice::Embedded { listen: broker_listen, data_dir, auto_create_topics, strict_replication },
    };

    let schemas = schemas(written, outside, faults);
    let mut listeners = vec![(setting::REST_LISTEN, rest_listen)];
    if let SchemasChoice::Own { .. } = schemas {
        listeners.push((setting::REGISTRY_LISTEN, registry_listen));
    }
    if let ClusterChoice::Embedded { listen, .. } = cluster {
        listeners.push((setting::BROKER_LISTEN, listen));
    }
    refuse_shared_addresses(&listeners, written, faults);

    Config { cluster, rest_listen, registry_listen, schemas, log }
}

fn schemas(written: &Written, outside: &impl Outside, faults: &mut Faults) -> SchemasChoice {
    use setting::{
        SCHEMA_REGISTRY_CA as CA, SCHEMA_REGISTRY_CREDENTIALS as BASIC, SCHEMA_REGISTRY_TOKEN as TOKEN,
        SCHEMA_REGISTRY_URL as URL,
    };
    let topic = written.take(setting::REGISTRY_TOPIC, value::topic, faults);
    let group = written.take(setting::REGISTRY_GROUP, value::group, faults);
    let level = written.take(setting::REGISTRY_COMPATIBILITY, value::level, faults);
    let follower = written.take(setting::REGISTRY_FOLLOWER, value::switch, faults);
    let urls = written.find(URL, value::registry_urls, faults);
    let basic = written.find(BASIC, value::credentials, faults);
    let token = written.find(TOKEN, value::token, faults);
    let authorities = written.file(CA, outside, Authorities::parse, faults);
    if written.has(URL) {
        for own in [
            setting::REGISTRY_LISTEN,
            setting::REGISTRY_TOPIC,
            setting::REGISTRY_GROUP,
            setting::REGISTRY_COMPATIBILITY,
            setting::REGISTRY_FOLLOWER,
        ] {
            written.refuse_pair(own, URL, "our own registry is not started then", faults);
        }
        written.refuse_pair(TOKEN, BASIC, "a registry is told who we are in one way", faults);
    } else {
        for remote in [BASIC, TOKEN, CA] {
            if written.has(remote) {
                faults.add(format!("{}: means nothing without {}", remote.name, URL.name));
            }
        }
    }
    match urls {
        Some(urls) => SchemasChoice::Remote { urls, credentials: basic.or(token), authorities },
        None => SchemasChoice::Own { topic, group, level, follower },
    }
}

/// Port 0 means any free port, so two listeners may both ask for it.
fn refuse_shared_addresses(listeners: &[(setting::Setting, SocketAddr)], written: &Written, faults: &mut Faults) {
    for (n, (later, address)) in listeners.iter().enumerate() {
        for (earlier, other) in &listeners[..n] {
            let overlap = address.ip() == other.ip() || address.ip().is_unspecified() || other.ip().is_unspecified();
            if address.port() != 0 && address.port() == other.port() && overlap {
                faults.add(format!(
                    "{later}: {address}{} is also {earlier}{}: expected an address of its own",
                    written.origin(*later),
                    written.origin(*earlier),
                    later = later.name,
                    earlier = earlier.name,
                ));
            }
        }
    }
}
