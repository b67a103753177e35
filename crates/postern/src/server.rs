//! Wires the crates together: starts the parts in order and shuts them down in reverse order.
//!
//! The two HTTP listeners are bound first, so that a port in use is noticed before the broker touches its data, and so that
//! early connections queue in the kernel instead of being refused. The broker comes next, because a client library that
//! connects before it listens backs off before it tries again.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::Method;
use postern_broker::Broker;
use postern_http::observe::ConnectionCounters;
use postern_http::{Bounds, Listener};
use postern_kafka::{ByteCount, Cluster, Security};
use postern_proxy::{ConfiguredIdentities, Identities, Limits, Proxy, ReplicaSettings, Schemas};
use postern_registry::Registry;
use postern_registry_client::{Remote, RemoteSettings};
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinHandle},
    time::timeout,
};

use crate::{
    access::Access,
    certificates::{Certificates, Tls},
    config::{ClusterChoice, Config, Http, HttpAddress, Management, RegistryKafka, SchemasChoice, UnixSockets, Way},
    health::Health,
    listen::{self, ListenError, Socket, Sockets},
    metrics::{Metrics, ObservedApi, ObservedRegistry, Sources},
    open_files,
    telemetry::Telemetry,
};

/// All running parts.
pub(crate) struct Server {
    rest: Vec<HttpAddress>,
    rest_paths: Vec<PathBuf>,
    /// Where the registry is, for the banner.
    registry: String,
    data_dir: Option<PathBuf>,
    broker: Option<Broker>,
    bootstrap: String,
    cluster: Cluster,
    proxy: Proxy,
    /// The callers whom Kafka knows.
    identities: Option<Identities>,
    /// The identities at Kafka that are configured for callers.
    configured: ConfiguredIdentities,
    /// Set once, on shutdown: the listeners stop accepting.
    stop: watch::Sender<bool>,
    health: Health,
    management_address: Option<HttpAddress>,
    /// What answers and keeps up `health` and certificates; aborted at the very end.
    management: Vec<AbortHandle>,
    /// The HTTP listeners; true: all their requests were answered.
    listeners: Vec<JoinHandle<bool>>,
    /// Asks for a look at the files that decide about callers.
    reload: Arc<Notify>,
    telemetry: Option<Telemetry>,
}

/// Why the start failed.
#[derive(Debug)]
pub(crate) enum StartError {
    /// There is no socket to listen on.
    Listen(ListenError),
    /// The broker did not start.
    Broker(postern_broker::StartError),
    /// A file that decides about callers cannot be used any more: it could when the configuration was read.
    Access(String),
    /// Traces cannot be sent.
    Traces(String),
    /// The Kafka clients could not be created.
    Clients(postern_kafka::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(error) => error.fmt(f),
            StartError::Broker(error @ postern_broker::StartError::Listen { .. }) => {
                write!(f, "{error}: choose another address with --broker-listen")
            }
            // All others are about its data.
            StartError::Broker(error) => write!(f, "{error}: choose another directory with --data-dir"),
            StartError::Access(fault) | StartError::Traces(fault) => f.write_str(fault),
            StartError::Clients(error) => write!(f, "the Kafka clients cannot be started: {error}"),
        }
    }
}

impl Server {
    /// Starts all parts, on the `sockets` that were handed over and others. Dropping the future stops those that were started, without an
    /// orderly shutdown.
    pub(crate) async fn start(
        config: Config,
        mut sockets: Sockets,
        certificates: Certificates,
    ) -> Result<Server, StartError> {
        let started = Instant::now();
        let open_files = open_files::raise_limit();
        sockets.reuse_port = config.reuse_port;
        let rest_listeners = sockets.listen(listen::REST, &config.rest_listen).map_err(StartError::Listen)?;
        let registry_listeners =
            sockets.listen(listen::REGISTRY, &config.registry_listen).map_err(StartError::Listen)?;
        let management_listener = management_listener(&mut sockets, config.management).map_err(StartError::Listen)?;
        let replica_addresses: Vec<HttpAddress> =
            config.replicas.iter().map(|replicas| HttpAddress { address: replicas.listen, is_tls: false }).collect();
        let replica_listener = sockets.listen(listen::REPLICAS, &replica_addresses).map_err(StartError::Listen)?.pop();
        let rest = rest_listeners.iter().map(Socket::address).collect();
        let chosen = client_settings(&config, "");
        let UnixSockets { rest: rest_paths, registry: registry_paths, mode } = config.unix_sockets;
        let rest_at_paths = listen::listen_at(listen::REST, &rest_paths, mode).map_err(StartError::Listen)?;
        let registry_at_paths =
            listen::listen_at(listen::REGISTRY, &registry_paths, mode).map_err(StartError::Listen)?;
        let callers = match &config.access.way {
            Way::PassThrough(chosen) => Some(chosen.clone()),
            _ => None,
        };
        let servers = match &config.cluster {
            ClusterChoice::Remote { bootstrap_servers } => bootstrap_servers.clone(),
            // Identities at Kafka are not for it.
            ClusterChoice::Embedded { .. } => String::new(),
        };
        let of_callers = postern_kafka::Settings { bootstrap_servers: servers, ..chosen.clone() };
        let access = Access::start(config.access, of_callers).map_err(StartError::Access)?;
        let telemetry =
            Telemetry::start(config.collector.as_ref(), config.trace_records).map_err(StartError::Traces)?;
        let (broker, data_dir, bootstrap) = match config.cluster {
            ClusterChoice::Remote { bootstrap_servers } => (None, None, bootstrap_servers),
            ClusterChoice::Embedded { listen, advertise, data_dir, auto_create_topics, strict_replication, flush } => {
                let settings = postern_broker::Settings {
                    listen,
                    advertise,
                    // A directory of its own, so that other parts can keep data beside it.
                    data_dir: data_dir.join("broker"),
                    auto_create_topics,
                    strict_replication,
                    flush,
                    shutdown_timeout: BROKER_SHUTDOWN_TIMEOUT,
                    max_open_files: open_files::partition_files(open_files),
                    ..postern_broker::Settings::default()
                };
                let broker = Broker::start(settings).await.map_err(StartError::Broker)?;
                let bootstrap = loopback(broker.address()).to_string();
                (Some(broker), Some(data_dir), bootstrap)
            }
        };

        let kafka = postern_kafka::Settings { bootstrap_servers: bootstrap.clone(), ..chosen };
        let cluster = Cluster::connect(kafka.clone()).map_err(StartError::Clients)?;
        if let (Some(chosen), Some(identities)) = (callers, &access.identities) {
            let bootstrap_servers = chosen.bootstrap_servers.unwrap_or_else(|| kafka.bootstrap_servers.clone());
            let security = Security { tls: kafka.security.tls.clone(), sasl: None };
            let nobody = postern_kafka::Settings { bootstrap_servers, security, ..kafka.clone() };
            identities.reach(Cluster::connect(nobody).map_err(StartError::Clients)?);
        }
        let (identities, configured) = (access.identities.clone(), access.configured.clone());
        let (schemas, own, registry) = match config.schemas {
            SchemasChoice::Remote { urls, credentials, authorities, timeout } => {
                let names: Vec<String> = urls.iter().map(ToString::to_string).collect();
                let settings = RemoteSettings { credentials, authorities, timeout, ..RemoteSettings::new(urls) };
                (Schemas::from(Remote::new(settings)), None, names.join(", "))
            }
            SchemasChoice::Own { topic, group, level, follower, replication_factor, write_timeout } => {
                let settings = postern_registry::Settings {
                    topic,
                    group,
                    level,
                    follower,
                    replication_factor: i16::try_from(replication_factor).unwrap_or(i16::MAX),
                    write_timeout,
                    ..postern_registry::Settings::default()
                };
                // Who writes schemas may be somebody else for Kafka than who writes records.
                let registry_cluster = match config.registry_kafka {
                    None => cluster.clone(),
                    Some(RegistryKafka { bootstrap_servers, security }) => {
                        let own = postern_kafka::Settings { bootstrap_servers, security, ..kafka };
                        Cluster::connect(own).map_err(StartError::Clients)?
                    }
                };
                let registry = Registry::start(registry_cluster, settings);
                // Requests that arrive before the schemas are read wait in the kernel's queue. If the cluster cannot be reached, the
                // listeners are served all the same and answer what is wrong.
                if timeout(REGISTRY_READY_TIMEOUT, registry.ready()).await.is_err() {
                    tracing::warn!("the schemas are not read yet: the registry answers when the cluster does");
                }
                let at = urls(registry_listeners.iter().map(Socket::address), &registry_paths);
                (Schemas::from(registry.clone()), Some(registry), at)
            }
        };
        let management_address = management_listener.as_ref().map(Socket::address);
        let health = Health::new(own.clone());
        let mut management = vec![health.probe(cluster.clone()).abort_handle()];
        management.extend(certificates.watch());
        let management_listener = management_listener.map(|socket| listener(socket, certificates.management()));
        let unacknowledged = ByteCount(config.client.unacknowledged);
        let limits = Limits { unacknowledged, consumers: config.records.consumers };
        let proxy = Proxy::new(cluster.clone(), schemas, limits);

        let (stop, stopped) = watch::channel(false);
        let paths = rest_paths.len() + registry_paths.len() + usize::from(replica_listener.is_some());
        let listener_count = rest_listeners.len() + registry_listeners.len() + paths;
        let bounds = Bounds {
            log: config.request_log,
            record_streams: config.records.streams,
            produce: config.records.produce,
            ..bounds(open_files, &config.http, listener_count)
        };
        let traces = telemetry.as_ref().map(|telemetry| &telemetry.traces);
        let restricted = |api: postern_http::Api| api.with_access(access.control.clone()).with_traces(traces.cloned());
        let replicas = config.replicas.zip(replica_listener).map(|(replicas, socket)| {
            let address = replicas.advertise.clone().unwrap_or_else(|| socket.address().address.to_string());
            proxy.share_consumers(ReplicaSettings { topic: replicas.topic.clone(), address: address.clone() });
            (replicas.secret(), address, socket)
        });
        let rest_api = match &replicas {
            None => postern_http::rest(proxy.clone(), &bounds),
            Some((secret, ..)) => postern_http::rest_among_replicas(proxy.clone(), &bounds, secret.clone()),
        };
        let rest_api = restricted(rest_api.with_front(config.front));
        let rest_api = observed("rest", rest_api);
        let registry_api = own.clone().map(|registry| {
            let api = postern_http::registry(registry, &bounds).with_front(config.registry_front);
            observed("registry", restricted(api))
        });
        let reload = access.reload.clone();
        management.extend(access.keep());
        let proxies = config.proxy_protocol;
        let rest_served = rest_listeners
            .into_iter()
            .map(|socket| listener(socket, certificates.rest()).with_proxy_protocol(&proxies))
            .chain(rest_at_paths.into_iter().map(Listener::from))
            .zip(std::iter::repeat(&rest_api));
        let registry_served = registry_listeners
            .into_iter()
            .map(|socket| listener(socket, certificates.registry()).with_proxy_protocol(&proxies))
            .chain(registry_at_paths.into_iter().map(Listener::from))
            .zip(registry_api.iter().cycle());
        let mut listeners: Vec<_> = rest_served
            .chain(registry_served)
            .map(|(listener, ObservedApi { api, connections, .. })| {
                let bounds = Bounds { counters: connections.clone(), ..bounds.clone() };
                spawn_listener(listener, api.clone(), bounds, stopped.clone())
            })
            .collect();
        if let Some((secret, address, socket)) = replicas {
            let api = rest_api.api.clone();
            let bounds = Bounds { counters: ConnectionCounters::default(), ..bounds.clone() };
            let stop = when_stopped(stopped.clone());
            listeners.push(tokio::spawn(postern_http::serve_replicas(
                Listener::from(socket.listener),
                api,
                secret,
                address,
                bounds,
                stop,
                Duration::MAX,
            )));
        }
        if let Some(listener) = management_listener {
            let metrics = Metrics::new(Sources {
                apis: std::iter::once(rest_api).chain(registry_api).collect(),
                cluster: cluster.clone(),
                proxy: proxy.clone(),
                identities: identities.clone(),
                configured: configured.clone(),
                registry: own.map(ObservedRegistry::new),
                broker: broker.as_ref().map(Broker::observer),
                spans: telemetry.as_ref().and_then(Telemetry::counters),
                started,
            });
            management.extend(metrics.follow_registry().map(|task| task.abort_handle()));
            management.push(spawn_management(listener, health.clone(), metrics));
        }
        Ok(Server {
            rest,
            rest_paths,
            registry,
            data_dir,
            broker,
            bootstrap,
            cluster,
            proxy,
            identities,
            configured,
            stop,
            health,
            management_address,
            management,
            listeners,
            reload,
            telemetry,
        })
    }

    /// The addresses, the data directory, and a command to try.
    pub(crate) fn startup_banner(&self) -> String {
        let (kafka, data) = match &self.data_dir {
            Some(folder) => ("embedded broker", format!("  Data             {}\n", folder.display())),
            None => ("Kafka", String::new()),
        };
        let rest = urls(self.rest.iter().copied(), &self.rest_paths);
        let example = match (self.rest.first(), self.rest_paths.first()) {
            (Some(address), _) => format!("{}/topics", connectable(*address)),
            (None, Some(path)) => format!("--unix-socket {} http://localhost/topics", path.display()),
            (None, None) => format!("{}/subjects", self.registry),
        };
        let health = self
            .management_address
            .map_or_else(String::new, |address| format!("  Health           {}/ready\n", connectable(address)));
        format!(
            "Postern {version}\n  REST proxy       {rest}\n  Schema Registry  {registry}\n  {kafka:<15}  {bootstrap}\n{data}{health}\
             Try:  curl {example}\n",
            version = env!("CARGO_PKG_VERSION"),
            registry = self.registry,
            bootstrap = self.bootstrap,
        )
    }

    /// Has the files that decide about callers looked at without waiting for the next time. What is wrong with them is logged then.
    pub(crate) fn look_at_files(&self) -> impl Fn(&Config) -> Result<(), String> + Send + Sync + use<> {
        let reload = Arc::clone(&self.reload);
        move |_| {
            reload.notify_one();
            Ok(())
        }
    }

    /// From now on `/ready` says that it is being stopped.
    pub(crate) fn announce_shutdown(&self) {
        self.health.stop();
    }

    /// Stops accepting requests, completes those in progress and delivers their records, then closes. Returns whether all of them
    /// were completed within `grace`. Dropping the future stops the rest without an orderly shutdown.
    pub(crate) async fn shutdown(self, grace: Duration) -> bool {
        let end = Instant::now() + grace;
        let left = || end.saturating_duration_since(Instant::now()).saturating_sub(BROKER_SHUTDOWN_TIMEOUT);
        self.stop.send_replace(true);
        // Reads that wait for records end with it, and so do not hold up the listeners; the groups are left.
        let mut finished = self.proxy.close_consumers(left()).await;
        drop(self.proxy);
        for mut listener in self.listeners {
            match timeout(left(), &mut listener).await {
                Ok(answered) => finished &= answered.unwrap_or(false),
                Err(_) => {
                    listener.abort();
                    finished = false;
                }
            }
        }
        finished &= self.cluster.flush(left()).await;
        finished &= self.configured.flush(left()).await;
        if let Some(identities) = self.identities {
            finished &= identities.flush(left()).await;
        }
        if let Some(telemetry) = self.telemetry {
            telemetry.shutdown(left().min(TELEMETRY_SHUTDOWN_TIMEOUT)).await;
        }
        self.management.iter().for_each(AbortHandle::abort);
        // The Kafka clients disconnect before the broker waits for its connections to end.
        drop(self.cluster);
        if let Some(broker) = self.broker {
            // After its own timeout the broker closes connections; the rest of the time is for its clean-shutdown checkpoint.
            finished &= timeout(end.saturating_duration_since(Instant::now()), broker.shutdown()).await.is_ok();
        }
        finished
    }
}

/// How long the start waits for the registry to read its topic.
const REGISTRY_READY_TIMEOUT: Duration = Duration::from_secs(2);

/// The share of the shutdown timeout that is reserved for the broker, which is shut down last.
const BROKER_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a collector may take for the last spans.
const TELEMETRY_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// How the cluster behind `bootstrap_servers` is reached.
pub(crate) fn client_settings(config: &Config, bootstrap_servers: &str) -> postern_kafka::Settings {
    postern_kafka::Settings {
        unreachable_timeout: config.client.unreachable_timeout,
        call_timeout: config.client.call_timeout,
        request_timeout: config.client.request_timeout,
        delivery_timeout: config.client.delivery_timeout,
        max_request_size: ByteCount(config.client.max_request_size),
        security: config.security.clone(),
        compression: config.records.compression,
        ..postern_kafka::Settings::new(bootstrap_servers)
    }
}

/// `None`: off, or its default address is in use, as where a second process runs on this machine.
fn management_listener(sockets: &mut Sockets, chosen: Option<Management>) -> Result<Option<Socket>, ListenError> {
    let Some(Management { listen: address, is_chosen }) = chosen else {
        return Ok(sockets.listen(listen::MANAGEMENT, &[])?.pop());
    };
    match sockets.listen(listen::MANAGEMENT, &[address]) {
        Ok(mut listeners) => Ok(listeners.pop()),
        Err(error) if is_chosen || !matches!(error, ListenError::Bind { .. }) => Err(error),
        Err(_) => {
            tracing::warn!(
                "{} is in use: /live, /ready and /metrics are not answered; --management-listen chooses another address",
                address.address
            );
            Ok(None)
        }
    }
}

/// An API with counters of its connections.
fn observed(name: &'static str, api: postern_http::Api) -> ObservedApi {
    ObservedApi { name, api, connections: ConnectionCounters::default() }
}

/// Answers until it is aborted. Its connections are few and its answers small.
fn spawn_management(listener: Listener, health: Health, metrics: Metrics) -> AbortHandle {
    let bounds = Bounds { connections: 64, idle: Duration::from_secs(10), ..Bounds::default() };
    let answer = move |request: hyper::Request<hyper::body::Incoming>| {
        // HEAD is GET without the body, which hyper omits.
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let is_metrics = is_read && request.uri().path() == "/metrics";
        let (health, metrics) = (health.clone(), metrics.clone());
        async move {
            match is_metrics {
                true => metrics.answer().await,
                false => health.answer(request.method(), request.uri().path()),
            }
        }
    };
    let serve = postern_http::serve::serve_with(listener, answer, bounds, std::future::pending(), Duration::ZERO);
    tokio::spawn(serve).abort_handle()
}

/// Speaks TLS on `socket` if it is one for that.
fn listener(socket: Socket, tls: Option<&Tls>) -> Listener {
    match tls {
        Some(tls) if socket.is_tls => Listener::from(socket.listener).with_tls(tls.current()),
        _ => Listener::from(socket.listener),
    }
}

/// The bounds of each of `listeners`: fewer connections than chosen where the limit of open files is low.
fn bounds(limit: Option<u64>, chosen: &Http, listeners: usize) -> Bounds {
    let connections = open_files::connections(limit, listeners, chosen.connections);
    if let Some(limit) = limit.filter(|_| connections < chosen.connections) {
        tracing::warn!("the limit of open files is {limit}: at most {connections} connections to each HTTP listener");
    }
    let Http { idle, body, body_memory: bodies, answer_memory: responses, .. } = *chosen;
    Bounds { connections, idle, body, bodies, responses, compression: chosen.compression, ..Bounds::default() }
}

/// URLs for the banner.
fn urls(addresses: impl Iterator<Item = HttpAddress>, paths: &[PathBuf]) -> String {
    let paths = paths.iter().map(|path| format!("unix:{}", path.display()));
    let urls: Vec<String> = addresses.map(|address| address.to_string()).chain(paths).collect();
    if urls.is_empty() { "off".to_owned() } else { urls.join(", ") }
}

/// An address that clients on this machine can connect to: the loopback address where `address` is unspecified.
pub(crate) fn connectable(address: HttpAddress) -> HttpAddress {
    HttpAddress { address: loopback(address.address), ..address }
}

fn loopback(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Serves one API until `stopped` is set. [`Server::shutdown`] aborts what takes too long.
fn spawn_listener(
    listener: Listener,
    api: postern_http::Api,
    bounds: Bounds,
    stopped: watch::Receiver<bool>,
) -> JoinHandle<bool> {
    tokio::spawn(postern_http::serve::serve(listener, api, bounds, when_stopped(stopped), Duration::MAX))
}

async fn when_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a reason to stop, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
