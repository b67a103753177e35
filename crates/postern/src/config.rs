//! Configuration: arguments, `POSTERN_*` environment variables and a TOML file become one [`Config`].
//!
//! Two steps. [`arguments`], [`variables`] and [`file`] collect the texts and where each was given ([`raw`]), and refuse unknown
//! names; this file parses the texts and checks them against each other. A [`Config`] is consistent and need not be checked again. All errors are collected before
//! any is reported, so that one start shows everything that has to be changed.
//! Precedence: argument, then `POSTERN_*` variable, then file, then variables of Confluent's images, then their properties file, then default.
//! Not here: what the settings do (each crate has its own `Settings`, filled in by `server.rs`).

use std::{net::SocketAddr, path::PathBuf, time::Duration};

pub(crate) use arguments::Question;
use arguments::Request;
use declaration::Setting;
use foreign::{Connection, Connections};
use ipnet::IpNet;
use postern_broker::Flush;
use postern_http::front::FrontSettings;
use postern_http::observe::RequestLog;
use postern_kafka::{Security, TopicName};
use postern_registry::CompatibilityLevel;
use postern_registry_client::{Authorities, Credentials, RegistryUrl};
use raw::RawConfig;

mod access;
mod arguments;
mod called;
mod confluent;
mod declaration;
#[cfg(test)]
mod document;
mod env;
mod errors;
mod file;
mod foreign;
mod front;
mod front_settings;
mod https;
mod https_settings;
mod jaas;
mod kafka_identities;
mod kafka_security;
mod named_listeners;
mod pass_through;
mod pass_through_settings;
mod properties;
mod raw;
mod realm;
mod records;
mod replicas;
mod report;
mod security;
mod security_settings;
mod setting;
mod telemetry;
mod translate;
mod value;
mod variables;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use access::UsersFile;
pub(crate) use access::{AccessConfig, KeysFrom, Way};
pub(crate) use called::as_called;
pub(crate) use env::{Env, Process};
pub(crate) use errors::ConfigErrors;
pub(crate) use https::{Clients, Https};
pub(crate) use kafka_identities::ConfiguredLogins;
pub(crate) use raw::Note;
pub(crate) use records::Records;
pub(crate) use replicas::Replicas;
pub(crate) use security::RegistryKafka;
pub(crate) use telemetry::Collector;
pub(crate) use value::HttpAddress;

/// What this start is for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// Run with this configuration.
    Run(Box<Config>),
    /// Print this: the list of settings, or the version.
    Print(String),
    /// `check-config`.
    Check {
        /// What it prints.
        report: String,
        /// The configuration, if it can be used.
        config: Option<Box<Config>>,
        /// Whether to connect to the cluster.
        connect: bool,
    },
    /// `explain`: what this caller may do.
    Explain {
        /// What decides.
        access: Box<AccessConfig>,
        /// Who asks, with which groups, what.
        question: Question,
    },
    /// `healthcheck`, of the process with this management listener.
    Healthcheck(Option<HttpAddress>),
}

/// A complete and consistent configuration.
#[derive(Debug, PartialEq)]
pub(crate) struct Config {
    /// The Kafka cluster behind everything.
    pub(crate) cluster: ClusterChoice,
    /// How long is waited for the cluster, and how much is sent to it.
    pub(crate) client: Client,
    /// Where the REST proxy listens; empty: nowhere.
    pub(crate) rest_listen: Vec<HttpAddress>,
    /// Where the Schema Registry listens; empty: nowhere.
    pub(crate) registry_listen: Vec<HttpAddress>,
    /// The Unix sockets that they listen on as well.
    pub(crate) unix_sockets: UnixSockets,
    /// TLS of all listeners but the registry's; `None`: none of them speaks it.
    pub(crate) https: Option<Https>,
    /// TLS of the registry's.
    pub(crate) registry_https: Option<Https>,
    /// Whose connections begin with a header of the PROXY protocol.
    pub(crate) proxy_protocol: Vec<IpNet>,
    /// What stands in front of the REST proxy.
    pub(crate) front: FrontSettings,
    /// What stands in front of the registry.
    pub(crate) registry_front: FrontSettings,
    /// The bounds of each address listened on.
    pub(crate) http: Http,
    /// How records are read and written.
    pub(crate) records: Records,
    /// How other replicas of this server are found; `None`: there are none.
    pub(crate) replicas: Option<Replicas>,
    /// The source of schemas.
    pub(crate) schemas: SchemasChoice,
    /// Whether other processes may listen on the same addresses.
    pub(crate) reuse_port: bool,
    /// Where health is asked for; `None`: nowhere.
    pub(crate) management: Option<Management>,
    /// How long requests are still taken after a signal, not ready any more.
    pub(crate) shutdown_delay: Duration,
    /// How long an orderly shutdown may take.
    pub(crate) shutdown_timeout: Duration,
    /// TLS and SASL towards the cluster; neither for the broker in this process.
    pub(crate) security: Security,
    /// The registry's own way to its schemas; `None`: the same as everything else's.
    pub(crate) registry_kafka: Option<RegistryKafka>,
    /// Who callers are.
    pub(crate) access: AccessConfig,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`.
    pub(crate) log: String,
    /// How it is written.
    pub(crate) log_format: LogFormat,
    /// What is logged of requests.
    pub(crate) request_log: RequestLog,
    /// Where spans of traces are sent; `None`: nowhere.
    pub(crate) collector: Option<Collector>,
    /// Whether written records get the context of their trace.
    pub(crate) trace_records: bool,
    /// Values that were ignored, and why: to be logged once the log has started.
    pub(crate) notes: Vec<Note>,
}

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// An object per line.
    Json,
}

/// The Unix sockets that are listened on.
#[derive(Debug, PartialEq)]
pub(crate) struct UnixSockets {
    pub(crate) rest: Vec<PathBuf>,
    pub(crate) registry: Vec<PathBuf>,
    /// The permissions of their files.
    pub(crate) mode: u32,
}

impl UnixSockets {
    fn all(&self) -> impl Iterator<Item = &PathBuf> + Clone {
        self.rest.iter().chain(&self.registry)
    }
}

/// The listener for whoever supervises the process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Management {
    pub(crate) listen: HttpAddress,
    /// Whether the address was chosen: the default one may be in use by another process on this machine.
    pub(crate) is_chosen: bool,
}

/// What is chosen about the Kafka client; the meaning of each is that of the field of `postern_kafka::Settings`.
#[derive(Debug, PartialEq)]
pub(crate) struct Client {
    pub(crate) unreachable_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) delivery_timeout: Duration,
    /// In bytes.
    pub(crate) max_request_size: usize,
    /// In bytes: `postern_proxy::Limits::unacknowledged`.
    pub(crate) unacknowledged: usize,
}

/// What is chosen about listeners; the meaning of each is that of the field of `postern_http::Bounds`.
#[derive(Debug, PartialEq)]
pub(crate) struct Http {
    pub(crate) connections: usize,
    pub(crate) idle: Duration,
    /// In bytes, as the next ones: `postern_http::Bounds::bodies`.
    pub(crate) body_memory: usize,
    /// `postern_http::Bounds::responses`.
    pub(crate) answer_memory: usize,
    pub(crate) body: usize,
    pub(crate) compression: bool,
}

/// Which schema registry the REST proxy uses: exactly one of the two.
#[derive(Debug, PartialEq)]
pub(crate) enum SchemasChoice {
    /// A registry elsewhere; the embedded one is not started.
    Remote {
        /// Its instances, at least one.
        urls: Vec<RegistryUrl>,
        /// Credentials for it, unless the URL has them.
        credentials: Option<Credentials>,
        /// Certificate authorities to trust; `None`: those of the system.
        authorities: Option<Authorities>,
        /// How long one call may take.
        timeout: Duration,
    },
    /// The registry in this process.
    Own {
        /// The topic that stores the schemas.
        topic: TopicName,
        /// The group in which Confluent registries on the same topic elect their leader.
        group: String,
        /// The compatibility level where no config record sets one.
        level: CompatibilityLevel,
        /// Read-only: another process writes the topic.
        follower: bool,
        /// Replicas of the topic when it has to be created.
        replication_factor: u16,
        /// How long a write may take.
        write_timeout: Duration,
    },
}

/// Which Kafka cluster: exactly one of the two.
#[derive(Debug, PartialEq)]
pub(crate) enum ClusterChoice {
    /// A cluster that runs elsewhere; no broker is started.
    Remote {
        /// `host:port`, separated by commas.
        bootstrap_servers: String,
    },
    /// The broker inside this process.
    Embedded {
        /// The address it listens on.
        listen: SocketAddr,
        /// Host and port that clients on other machines are told; `None`: what they connected to.
        advertise: Option<(String, u16)>,
        /// Where it keeps its data.
        data_dir: PathBuf,
        /// Whether a metadata request of a producer creates an unknown topic.
        auto_create_topics: bool,
        /// Whether a replication factor above 1 is refused instead of being reduced to 1.
        strict_replication: bool,
        /// When the disk has what was acknowledged.
        flush: Flush,
    },
}

/// Reads the configuration of this start.
pub(crate) fn read(arguments: &[String], env: &impl Env) -> Result<Command, ConfigErrors> {
    let mut errors = ConfigErrors::default();
    let mut raw = RawConfig::default();
    // In the order of precedence: the first text of a setting is kept.
    let request = arguments::read(arguments, &mut raw, &mut errors);
    if let Request::Print(text) = request {
        return Ok(Command::Print(text));
    }
    variables::read(env, &mut raw, &mut errors);
    file::read(env, &mut raw, &mut errors);
    let foreign = foreign::read(env, &mut raw, &mut errors);
    realm::read(env, &mut raw, &mut errors);
    let config = Box::new(resolve(&mut raw, foreign, env, &mut errors));
    match request {
        Request::Check { connect } => {
            let report = report::report(&raw, &errors);
            Ok(Command::Check { report, config: errors.is_empty().then_some(config), connect })
        }
        _ if !errors.is_empty() => Err(errors),
        Request::Explain(question) => Ok(Command::Explain { access: Box::new(config.access), question }),
        Request::Healthcheck => Ok(Command::Healthcheck(config.management.map(|management| management.listen))),
        Request::Run | Request::Print(_) => Ok(Command::Run(config)),
    }
}

/// Parses the raw values. Where one is invalid an error is added and the default stands in, so that the rest can be checked.
fn resolve(raw: &mut RawConfig, foreign: Connections, env: &impl Env, errors: &mut ConfigErrors) -> Config {
    exclude(raw, errors);
    let client = Client {
        unreachable_timeout: raw.take(setting::KAFKA_UNREACHABLE_TIMEOUT, value::time, errors),
        call_timeout: raw.take(setting::KAFKA_CALL_TIMEOUT, value::time, errors),
        request_timeout: raw.take(setting::KAFKA_REQUEST_TIMEOUT, value::time, errors),
        delivery_timeout: raw.take(setting::KAFKA_DELIVERY_TIMEOUT, value::time, errors),
        max_request_size: raw.take(setting::MAX_REQUEST_SIZE, value::bytes, errors),
        unacknowledged: raw.take(setting::UNACKNOWLEDGED_MEMORY, value::bytes, errors),
    };
    let http = Http {
        body_memory: raw.take(setting::HTTP_BODY_MEMORY, value::bytes, errors),
        answer_memory: raw.take(setting::HTTP_ANSWER_MEMORY, value::bytes, errors),
        connections: usize::from(raw.take(setting::HTTP_CONNECTIONS, value::count, errors)),
        idle: raw.take(setting::HTTP_IDLE_TIMEOUT, value::time, errors),
        body: raw.take(setting::HTTP_MAX_BODY, value::bytes, errors),
        compression: raw.take(setting::HTTP_COMPRESSION, value::switch, errors),
    };
    let mut records = Records::resolve(raw, errors);
    front::produce(&mut records.produce, raw, errors);
    let (rest_listen, rest_sockets) = raw.take(setting::REST_LISTEN, value::listen, errors);
    let (mut registry_listen, mut registry_sockets) = raw.take(setting::REGISTRY_LISTEN, value::listen, errors);
    let reuse_port = raw.take(setting::LISTEN_REUSE_PORT, value::switch, errors);
    let shutdown_timeout = raw.take(setting::SHUTDOWN_TIMEOUT, value::time, errors);
    let log = raw.take(setting::LOG, value::filter, errors);
    let log_format = raw.take(setting::LOG_FORMAT, value::log_format, errors);
    let request_log = RequestLog {
        requests: raw.take(setting::REQUEST_LOG, value::logged_requests, errors),
        slow: raw.take(setting::SLOW_REQUEST, value::time, errors),
    };
    let collector = telemetry::read(env, raw, errors);
    let trace_records = raw.take(setting::TRACE_RECORDS, value::switch, errors);
    let cluster = cluster(raw, errors);
    let (security, registry_kafka) = connections(foreign, raw, errors);
    let schemas = schemas(raw, env, errors);
    let management = raw.take(setting::MANAGEMENT_LISTEN, value::address_or_off, errors);
    let is_chosen = raw.has(setting::MANAGEMENT_LISTEN);
    let management = management.map(|listen| Management { listen, is_chosen });
    let shutdown_delay = raw.find(setting::SHUTDOWN_DELAY, value::time, errors).unwrap_or_default();
    if let SchemasChoice::Remote { .. } = schemas {
        registry_listen.clear();
        registry_sockets.clear();
    }
    let mode = raw.take(setting::UNIX_SOCKET_MODE, value::mode, errors);
    let unix_sockets = UnixSockets { rest: rest_sockets, registry: registry_sockets, mode };
    if rest_listen.is_empty() && registry_listen.is_empty() && unix_sockets.all().next().is_none() {
        errors.add(
            "rest-listen: nothing would listen for HTTP: expected an address here or in registry-listen".to_owned(),
        );
    }
    let named = |setting: Setting, addresses: &[HttpAddress]| -> Vec<(Setting, HttpAddress)> {
        addresses.iter().map(|address| (setting, *address)).collect()
    };
    let mut http_listeners = named(setting::REST_LISTEN, &rest_listen);
    let registry_listeners = named(setting::REGISTRY_LISTEN, &registry_listen);
    let plain = |listeners: &[(Setting, HttpAddress)]| -> Vec<(Setting, SocketAddr)> {
        listeners.iter().map(|(setting, address)| (*setting, address.address)).collect()
    };
    let mut listeners = [plain(&http_listeners), plain(&registry_listeners)].concat();
    if let ClusterChoice::Embedded { listen, .. } = cluster {
        listeners.push((setting::BROKER_LISTEN, listen));
    }
    let registry_topic = match &schemas {
        SchemasChoice::Own { topic, .. } => topic.as_str(),
        SchemasChoice::Remote { .. } => "_schemas",
    };
    let replicas = Replicas::resolve(raw, env, errors);
    let own_topics = [Some(registry_topic), replicas.as_ref().map(|replicas| replicas.topic.as_str())];
    let access = AccessConfig::read(raw, env, own_topics.into_iter().flatten(), &security, errors);
    if let Way::PassThrough(pass_through) = &access.way {
        pass_through.check(&security, raw, errors);
    }
    warn_of_open_listeners(&listeners, access.asks(), raw);
    if let Some(Management { listen, is_chosen: true }) = management {
        http_listeners.push((setting::MANAGEMENT_LISTEN, listen));
        listeners.push((setting::MANAGEMENT_LISTEN, listen.address));
    }
    if let Some(replicas) = &replicas {
        listeners.push((setting::REPLICA_LISTEN, replicas.listen));
    }
    refuse_shared_addresses(&listeners, raw, errors);
    let mut paths: Vec<_> = unix_sockets.all().collect();
    paths.sort();
    if let Some(twice) = paths.windows(2).find(|two| two[0] == two[1]) {
        errors.add(format!("rest-listen, registry-listen: unix:{} stands there twice", twice[0].display()));
    }
    let proxy_protocol = front::proxy_protocol(raw, errors);
    let (front, registry_front) = front::both(&records.produce, raw, errors);
    let (https, registry_https) = https::both(&http_listeners, &registry_listeners, raw, errors);
    if matches!(access.way, Way::Certificate { .. }) {
        for (setting, listen, https) in [
            (setting::REST_LISTEN, &rest_listen, &https),
            (setting::REGISTRY_LISTEN, &registry_listen, &registry_https),
        ] {
            https::demand_certificates(setting, listen, https.as_ref(), raw, errors);
        }
    }

    let notes = raw.notes().to_vec();
    Config {
        cluster,
        client,
        rest_listen,
        registry_listen,
        unix_sockets,
        https,
        registry_https,
        proxy_protocol,
        front,
        registry_front,
        http,
        records,
        replicas,
        schemas,
        reuse_port,
        management,
        shutdown_delay,
        shutdown_timeout,
        security,
        registry_kafka,
        access,
        log,
        log_format,
        request_log,
        collector,
        trace_records,
        notes,
    }
}

/// How the cluster is reached, and how the registry reaches its own if that differs: what our own settings say, else what those of Confluent's
/// servers do. Servers named in our own way are those of both.
fn connections(
    foreign: Connections,
    raw: &mut RawConfig,
    errors: &mut ConfigErrors,
) -> (Security, Option<RegistryKafka>) {
    for (server, connection) in [("REST proxy", &foreign.rest), ("Schema Registry", &foreign.registry)] {
        if let Some(Connection { security, .. }) = connection {
            let mechanism =
                security.sasl.as_ref().map_or_else(String::new, |sasl| format!(" with {}", sasl.mechanism()));
            raw.note(format!("the settings of the {server} ask for {}{mechanism} towards Kafka", security.protocol()));
        }
    }
    let (own, own_registry) = security::both(raw, errors);
    let is_theirs = raw.text(setting::BOOTSTRAP_SERVERS).is_some_and(|(_, source)| source.is_confluent());
    let (security, registry) = match (foreign.rest, foreign.registry) {
        (Some(rest), Some(mut registry)) => {
            if !is_theirs || registry.servers.is_empty() {
                registry.servers.clone_from(&rest.servers);
            }
            let is_apart = registry != rest && !registry.servers.is_empty();
            let Connection { servers: bootstrap_servers, security } = registry;
            (rest.security, is_apart.then_some(RegistryKafka { bootstrap_servers, security }))
        }
        (Some(one), None) | (None, Some(one)) => (one.security, None),
        (None, None) => (Security::default(), None),
    };
    if own != Security::default() {
        return (own, own_registry.or(registry));
    }
    // Where only servers are said in our own way, the connection is secured as theirs asks for.
    let own_registry = own_registry.map(|own| match &registry {
        _ if own.security != Security::default() => own,
        Some(theirs) => RegistryKafka { security: theirs.security.clone(), ..own },
        None => RegistryKafka { security: security.clone(), ..own },
    });
    (security, own_registry.or(registry))
}

fn cluster(raw: &RawConfig, errors: &mut ConfigErrors) -> ClusterChoice {
    let listen = raw.take(setting::BROKER_LISTEN, value::address, errors);
    let advertise = raw.find(setting::BROKER_ADVERTISE, value::host_and_port, errors);
    let data_dir = raw.take(setting::DATA_DIR, value::directory, errors);
    let auto_create_topics = raw.take(setting::BROKER_AUTO_CREATE_TOPICS, value::switch, errors);
    let strict_replication = raw.take(setting::BROKER_STRICT_REPLICATION, value::switch, errors);
    let flush = raw.take(setting::BROKER_FLUSH, value::flush, errors);
    match raw.find(setting::BOOTSTRAP_SERVERS, value::bootstrap_servers, errors) {
        Some(bootstrap_servers) => ClusterChoice::Remote { bootstrap_servers },
        None => ClusterChoice::Embedded { listen, advertise, data_dir, auto_create_topics, strict_replication, flush },
    }
}

/// Settings that have no effect beside others.
fn exclude(raw: &mut RawConfig, errors: &mut ConfigErrors) {
    use setting::{
        BOOTSTRAP_SERVERS, BROKER_ADVERTISE, BROKER_AUTO_CREATE_TOPICS, BROKER_FLUSH, BROKER_LISTEN,
        BROKER_STRICT_REPLICATION, REGISTRY_BOOTSTRAP_SERVERS, REGISTRY_COMPATIBILITY, REGISTRY_FOLLOWER,
        REGISTRY_GROUP, REGISTRY_LISTEN, REGISTRY_REPLICATION_FACTOR, REGISTRY_TOPIC, REGISTRY_WRITE_TIMEOUT,
        SCHEMA_REGISTRY_CA, SCHEMA_REGISTRY_CREDENTIALS, SCHEMA_REGISTRY_TIMEOUT, SCHEMA_REGISTRY_TOKEN,
        SCHEMA_REGISTRY_URL,
    };
    let broker = [BROKER_LISTEN, BROKER_ADVERTISE, BROKER_AUTO_CREATE_TOPICS, BROKER_STRICT_REPLICATION, BROKER_FLUSH];
    raw.exclude(BOOTSTRAP_SERVERS, &broker, "with which no embedded broker is started", errors);
    for remote in [SCHEMA_REGISTRY_CREDENTIALS, SCHEMA_REGISTRY_TOKEN, SCHEMA_REGISTRY_CA, SCHEMA_REGISTRY_TIMEOUT] {
        if raw.has(remote) && !raw.has(SCHEMA_REGISTRY_URL) {
            errors.add(format!("{}: has no effect without {}", remote.name, SCHEMA_REGISTRY_URL.name));
        }
    }
    let registry = [
        REGISTRY_LISTEN,
        REGISTRY_TOPIC,
        REGISTRY_GROUP,
        REGISTRY_COMPATIBILITY,
        REGISTRY_FOLLOWER,
        REGISTRY_REPLICATION_FACTOR,
        REGISTRY_WRITE_TIMEOUT,
        REGISTRY_BOOTSTRAP_SERVERS,
    ];
    raw.exclude(SCHEMA_REGISTRY_URL, &registry, "with which no registry is started in this process", errors);
    let token = [SCHEMA_REGISTRY_TOKEN];
    raw.exclude(SCHEMA_REGISTRY_CREDENTIALS, &token, "because a request has one kind of authentication", errors);
}

fn schemas(raw: &RawConfig, env: &impl Env, errors: &mut ConfigErrors) -> SchemasChoice {
    let topic = raw.take(setting::REGISTRY_TOPIC, value::topic, errors);
    let group = raw.take(setting::REGISTRY_GROUP, value::group, errors);
    let level = raw.take(setting::REGISTRY_COMPATIBILITY, value::level, errors);
    let follower = raw.take(setting::REGISTRY_FOLLOWER, value::switch, errors);
    let replication_factor = raw.take(setting::REGISTRY_REPLICATION_FACTOR, value::count, errors);
    let write_timeout = raw.take(setting::REGISTRY_WRITE_TIMEOUT, value::time, errors);
    let timeout = raw.take(setting::SCHEMA_REGISTRY_TIMEOUT, value::time, errors);
    let urls = raw.find(setting::SCHEMA_REGISTRY_URL, value::registry_urls, errors);
    let basic = raw.find(setting::SCHEMA_REGISTRY_CREDENTIALS, value::credentials, errors);
    let token = raw.find(setting::SCHEMA_REGISTRY_TOKEN, value::token, errors);
    let authorities = raw.file(setting::SCHEMA_REGISTRY_CA, env, Authorities::parse, errors);
    match urls {
        Some(urls) => SchemasChoice::Remote { urls, credentials: basic.or(token), authorities, timeout },
        None => SchemasChoice::Own { topic, group, level, follower, replication_factor, write_timeout },
    }
}

/// Where nobody is asked who they are, whoever reaches a listener may do everything. The broker never asks.
fn warn_of_open_listeners(listeners: &[(Setting, SocketAddr)], asks: bool, raw: &mut RawConfig) {
    let open = listeners.iter().filter(|(setting, address)| {
        !address.ip().to_canonical().is_loopback() && (!asks || *setting == setting::BROKER_LISTEN)
    });
    let open: Vec<String> = open.map(|(setting, address)| format!("{} {address}", setting.name)).collect();
    if !open.is_empty() {
        raw.warn(format!(
            "whoever reaches this machine may read, write and delete: nobody is asked who they are at {}",
            open.join(", ")
        ));
    }
}

/// Port 0 means any free port, so two listeners may both ask for it.
fn refuse_shared_addresses(listeners: &[(Setting, SocketAddr)], raw: &RawConfig, errors: &mut ConfigErrors) {
    for (n, (later, address)) in listeners.iter().enumerate() {
        for (earlier, other) in &listeners[..n] {
            let overlap = address.ip() == other.ip() || address.ip().is_unspecified() || other.ip().is_unspecified();
            if address.port() != 0 && address.port() == other.port() && overlap {
                errors.add(format!(
                    "{later}: {address}{} is also {earlier}{}: expected an address of its own",
                    raw.source(*later),
                    raw.source(*earlier),
                    later = later.name,
                    earlier = earlier.name,
                ));
            }
        }
    }
}
