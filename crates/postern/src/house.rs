//! The rooms and how they stand to each other: opened in order, closed in the opposite one.
//!
//! Opening is quick because nothing waits for what it does not need. The two HTTP listeners are bound first, so that a port in use
//! is known before a broker touches its data, and so that early clients queue in the kernel instead of being refused. The
//! broker comes next, because a client library that meets it before it listens would pause and try again.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::{Duration, Instant},
};

use postern_broker::Broker;
use postern_http::Bounds;
use postern_kafka::Cluster;
use postern_proxy::{Limits, Proxy};
use postern_registry::{Registry, Remote, RemoteSettings, Schemas};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

use crate::config::{ClusterChoice, Config, SchemasChoice};

/// Everything that runs.
pub(crate) struct House {
    rest: SocketAddr,
    /// Where the schemas are, for people.
    registry: String,
    data_dir: Option<PathBuf>,
    broker: Option<Broker>,
    bootstrap: String,
    cluster: Cluster,
    /// Set once: the listeners stop accepting.
    stop: watch::Sender<bool>,
    /// The two listeners; true: all their requests were answered.
    doors: Vec<JoinHandle<bool>>,
}

/// Why it could not be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// An address cannot be listened on.
    Listen { what: &'static str, address: SocketAddr, error: std::io::Error },
    /// The broker did not start.
    Broker(postern_broker::StartError),
    /// The Kafka clients could not be made.
    Clients(postern_kafka::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Listen { what, address, error } => write!(f, "the {what} cannot listen on {address}: {error}"),
            OpenError::Broker(error) => error.fmt(f),
            OpenError::Clients(error) => write!(f, "the Kafka clients cannot be started: {error}"),
        }
    }
}

impl House {
    /// Opens every room. Dropping the future ends what was opened, as a crash would.
    pub(crate) async fn open(config: Config) -> Result<House, OpenError> {
        let rest_listener = listen("REST proxy", config.rest_listen).await?;
        let registry_listener = match &config.schemas {
            SchemasChoice::Own { .. } => Some(listen("Schema Registry", config.registry_listen).await?),
            SchemasChoice::Remote { .. } => None,
        };
        let rest = address(&rest_listener);
        let (broker, data_dir, bootstrap) = match config.cluster {
            ClusterChoice::Remote { bootstrap_servers } => (None, None, bootstrap_servers),
            ClusterChoice::Embedded { listen, data_dir, auto_create_topics, strict_replication } => {
                let settings = postern_broker::Settings {
                    listen,
                    // A folder of its own: others may want to keep something, too.
                    data_dir: data_dir.join("broker"),
                    auto_create_topics,
                    strict_replication,
                    shutdown_timeout: BROKER_GRACE,
                    ..postern_broker::Settings::default()
                };
                let broker = Broker::start(settings).await.map_err(OpenError::Broker)?;
                let bootstrap = reachable(broker.address()).to_string();
                (Some(broker), Some(data_dir), bootstrap)
            }
        };

        let settings = postern_kafka::Settings::new(bootstrap.clone());
        let cluster = Cluster::connect(settings).map_err(OpenError::Clients)?;
        let (schemas, own, registry) = match config.schemas {
            SchemasChoice::Remote { urls, credentials, authorities } => {
                let names: Vec<String> = urls.iter().map(ToString::to_string).collect();
                let settings = RemoteSettings { credentials, authorities, ..RemoteSettings::new(urls) };
                (Schemas::from(Remote::new(settings)), None, names.join(", "))
            }
            SchemasChoice::Own { topic, group, level, follower } => {
                let settings = postern_registry::Settings {
                    topic,
                    group,
                    level,
                    follower,
                    ..postern_registry::Settings::default()
                };
                let registry = Registry::start(cluster.clone(), settings);
                // Who comes before the schemas are read waits at the door, in the kernel's queue. With the cluster away the doors
                // open all the same, and say what is wrong.
                if timeout(SCHEMAS_PATIENCE, registry.ready()).await.is_err() {
                    tracing::warn!("the schemas are not read yet: the registry answers when the cluster does");
                }
                let at = registry_listener.as_ref().map(address);
                let at = at.map_or_else(String::new, |at| format!("http://{at}"));
                (Schemas::from(registry.clone()), Some(registry), at)
            }
        };
        let proxy = Proxy::new(cluster.clone(), schemas, Limits::default());

        let (stop, stopped) = watch::channel(false);
        let bounds = Bounds::default();
        let mut doors = vec![door(rest_listener, postern_http::rest(proxy, &bounds), bounds.clone(), stopped.clone())];
        if let (Some(listener), Some(schemas)) = (registry_listener, own) {
            doors.push(door(listener, postern_http::registry(schemas, &bounds), bounds, stopped));
        }
        Ok(House { rest, registry, data_dir, broker, bootstrap, cluster, stop, doors })
    }

    /// What listens where, where the data is, and something to try.
    pub(crate) fn greeting(&self) -> String {
        let (kafka, data) = match &self.data_dir {
            Some(folder) => ("embedded broker", format!("  Data             {}\n", folder.display())),
            None => ("Kafka", String::new()),
        };
        let rest = reachable(self.rest);
        format!(
            "Postern {version}\n  REST proxy       http://{rest_listen}\n  Schema Registry  {registry}\n  {kafka:<15}  {bootstrap}\n{data}\
             Try:  curl http://{rest}/topics\n",
            version = env!("CARGO_PKG_VERSION"),
            rest_listen = self.rest,
            registry = self.registry,
            bootstrap = self.bootstrap,
        )
    }

    /// Takes no more requests, finishes those under way and what they wrote, and closes. True: nothing was given up.
    pub(crate) async fn close(self, grace: Duration) -> bool {
        let end = Instant::now() + grace;
        let left = || end.saturating_duration_since(Instant::now()).saturating_sub(BROKER_GRACE);
        self.stop.send_replace(true);
        let mut finished = true;
        for mut door in self.doors {
            match timeout(left(), &mut door).await {
                Ok(answered) => finished &= answered.unwrap_or(false),
                Err(_) => {
                    door.abort();
                    finished = false;
                }
            }
        }
        finished &= self.cluster.flush(left()).await;
        // Our own clients hang up before the broker waits for its connections to end.
        drop(self.cluster);
        if let Some(broker) = self.broker {
            // Past its own limit the broker cuts connections off; what remains is to write down where everything stands.
            finished &= timeout(end.saturating_duration_since(Instant::now()), broker.shutdown()).await.is_ok();
        }
        finished
    }
}

/// How long the start waits for the registry to catch up.
const SCHEMAS_PATIENCE: Duration = Duration::from_secs(2);

/// The share of the grace that is kept for the broker, which closes last.
const BROKER_GRACE: Duration = Duration::from_secs(1);

async fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, OpenError> {
    TcpListener::bind(address).await.map_err(|error| OpenError::Listen { what, address, error })
}

/// Where it really listens: port 0 was any free port.
fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a socket that was bound a moment ago has an address")
}

/// Where this machine reaches what listens on `address`: nobody connects to "all interfaces".
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Serves one API until told to stop. Its patience is not counted here: [`House::close`] ends what takes too long.
fn door(
    listener: TcpListener,
    api: postern_http::Api,
    bounds: Bounds,
    mut stopped: watch::Receiver<bool>,
) -> JoinHandle<bool> {
    tokio::spawn(async move {
        let stop = async move {
            // An error says that the house is gone: as good a reason to stop.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        postern_http::serve::serve(listener, api, bounds, stop, Duration::MAX).await
    })
}
