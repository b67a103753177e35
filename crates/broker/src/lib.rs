//! A single-node broker that speaks the Kafka protocol, inside the process and the runtime of its caller.
//!
//! It is what Postern uses when no cluster is named, and what tests run on. The model for behaviour is Apache Kafka 4.1
//! (KRaft): the same requests, the same answers, for what `ApiVersions` announces. Anything past one machine
//! (replication, transactions, authentication, quotas) is Apache Kafka's job and is not announced.
//!
//! The path of a request: `connection` (bytes) → `frame`, `request_layout` (one request, validated) → `api` (a file per
//! API) → `topics`, `groups` → the crate `postern-log` (batches on disk).

mod api;
mod blocking;
mod byte_budget;
mod configs;
mod connection;
#[cfg(feature = "faults")]
mod faults;
mod frame;
#[doc(hidden)]
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod groups;
mod maintenance;
mod node;
mod notices;
mod output;
mod request_layout;
mod syncs;
mod topics;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::node::Node;
use crate::notices::Notice;

#[cfg(feature = "faults")]
pub use crate::faults::{Fault, Faults};
/// Kafka's error codes, to name one in a fault rule.
pub use kafka_protocol::error::ResponseError as ErrorCode;
/// The APIs of the Kafka protocol, to name one in a fault rule.
pub use kafka_protocol::messages::ApiKey;

/// How the broker is to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on. Port 0 takes a free one; [`Broker::address`] returns it. Default 127.0.0.1:9092.
    pub listen: SocketAddr,
    /// Host and port under which clients reach the broker, where that is not what they connect to first, as behind port mapping. Clients on
    /// this machine are told the address that they connected to all the same, as everybody is without it. Default none.
    pub advertise: Option<(String, u16)>,
    /// The data directory; created if missing, used by one process at a time. Default `./postern-data/broker`.
    pub data_dir: PathBuf,
    /// Whether an unknown topic is created when a client requests its metadata and allows that. Default off.
    pub auto_create_topics: bool,
    /// Whether a topic with more replicas than there are brokers is refused, as Apache Kafka does, rather than created with
    /// one. Default off.
    pub strict_replication: bool,
    /// Partitions of a topic that is created without a number of partitions. Default 1.
    pub default_partitions: i32,
    /// Largest request, in bytes; a longer one closes its connection. Default 100 MiB.
    pub max_request_bytes: usize,
    /// Bytes that the requests and responses of all connections may hold together, besides what fits into a connection's
    /// own buffers; half of it for requests, half for responses, and a quarter as much again for decoded requests with many
    /// elements. At the limit others wait; a request larger than its half closes its connection. Default 256 MiB.
    pub max_bytes_in_flight: usize,
    /// Connections at the same time; the next one is accepted when another ends. Default 4096.
    pub max_connections: usize,
    /// Partition files open at the same time. Default 512.
    pub max_open_files: usize,
    /// When the disk is to have what was acknowledged. Default [`Flush::System`].
    pub flush: Flush,
    /// How often retention and compaction look at the logs. Default 15 seconds.
    pub upkeep_interval: Duration,
    /// How long the commits of a group without members are kept. Default 7 days.
    pub offsets_retention: Duration,
    /// How long a connection may be idle before it is closed. Default 10 minutes.
    pub idle_timeout: Duration,
    /// How long [`Broker::shutdown`] waits for requests in progress. Default 5 seconds.
    pub shutdown_timeout: Duration,
}

/// When the disk is to have what was acknowledged. In any case nothing acknowledged is lost with the process; what the
/// power takes with it depends on this. Topics may ask for more (`flush.messages`, `flush.ms`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// When the operating system sees fit, and at an orderly stop.
    System,
    /// Before it is acknowledged; appends that wait at the same time share one flush.
    EveryAppend,
    /// At the latest this long after.
    Interval(Duration),
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 9092)),
            advertise: None,
            data_dir: PathBuf::from("postern-data/broker"),
            auto_create_topics: false,
            strict_replication: false,
            default_partitions: 1,
            max_request_bytes: 100 * 1024 * 1024,
            max_bytes_in_flight: 256 * 1024 * 1024,
            max_connections: 4096,
            max_open_files: 512,
            flush: Flush::System,
            upkeep_interval: Duration::from_secs(15),
            offsets_retention: Duration::from_secs(7 * 86_400),
            idle_timeout: Duration::from_secs(600),
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}

impl Settings {
    /// Any free port on loopback, everything below `data_dir`, the rest by default.
    pub fn for_test(data_dir: impl Into<PathBuf>) -> Settings {
        Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), data_dir: data_dir.into(), ..Settings::default() }
    }
}

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("the broker cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        #[source]
        error: io::Error,
    },
    /// Another process uses the data directory.
    #[error("the data directory {} is in use by another process", path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The data directory has another layout: a different version has written it.
    #[error("{} says \"{found}\": not a data directory that this version understands", path.display())]
    Format {
        /// The file with the version.
        path: PathBuf,
        /// Its contents.
        found: String,
    },
    /// A file cannot be read or written.
    #[error("the broker's data at {}: {error}", path.display())]
    Storage {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        error: io::Error,
    },
}

/// A running broker. Dropping it without [`Broker::shutdown`] is like a crash of the process: nothing acknowledged is
/// lost, and the next start reads through the logs.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    /// The task that accepts connections and owns theirs. `None` once `shutdown` has taken it.
    accepting: Option<JoinHandle<()>>,
    deadlines: JoinHandle<()>,
    /// Ends when the broker stops.
    upkeep: JoinHandle<()>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.node.stop();
        self.deadlines.abort();
        self.upkeep.abort();
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

impl Broker {
    /// Recovers the data directory, then listens. When this returns clients can connect.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running. Dropping the future may leave the data directory locked for as long
    /// as its recovery takes.
    pub async fn start(settings: Settings) -> Result<Broker, StartError> {
        let address = settings.listen;
        let listen = |error| StartError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let opening = tokio::task::spawn_blocking(move || Node::open(settings, address));
        let node = Arc::new(opening.await.expect("opening the node does not panic and is not cancelled")?);
        tracing::info!(%address, cluster_id = node.cluster_id, "broker listening");
        let accepting = Some(tokio::spawn(accept(node.clone(), listener)));
        let watched = node.clone();
        let deadlines = tokio::spawn(async move { watched.groups.run_deadlines().await });
        let upkeep = tokio::spawn(maintenance::run(node.clone()));
        Ok(Broker { node, accepting, deadlines, upkeep })
    }

    /// The address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.node.address
    }

    /// 22 characters, generated with the data directory.
    pub fn cluster_id(&self) -> &str {
        &self.node.cluster_id
    }

    /// Tells what the logs hold, for as long as the broker runs.
    pub fn observer(&self) -> Observer {
        Observer(Arc::downgrade(&self.node))
    }

    /// Injected faults, for tests: which requests fail, and how.
    #[cfg(feature = "faults")]
    pub fn faults(&self) -> &Faults {
        &self.node.faults
    }

    /// Stops accepting connections, lets requests in progress finish within [`Settings::shutdown_timeout`], and writes the
    /// state of all logs, so that the next start need not read them. Dropping the future stops as a crash would.
    pub async fn shutdown(mut self) {
        self.node.stop();
        // The accepting task ends when its connections have; after the timeout they are closed.
        if let Some(mut accepting) = self.accepting.take()
            && tokio::time::timeout(self.node.settings.shutdown_timeout, &mut accepting).await.is_err()
        {
            accepting.abort();
            let _ = accepting.await;
        }
        // Both are awaited: afterwards no task holds the node, and the data directory is unlocked.
        self.deadlines.abort();
        let _ = (&mut self.deadlines).await;
        let _ = (&mut self.upkeep).await;
        let node = self.node.clone();
        match tokio::task::spawn_blocking(move || node.close()).await {
            Ok(Ok(())) => tracing::info!("broker stopped"),
            Ok(Err(error)) => tracing::error!(%error, "the broker's state could not be written when it stopped"),
            Err(error) => tracing::error!(%error, "the broker could not write its state: the task failed"),
        }
    }
}

/// Tells what the logs of a broker hold. It does not keep the broker alive. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Observer(Weak<Node>);

/// What the logs of a broker hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Topics, internal ones included.
    pub topics: usize,
    /// Their partitions.
    pub partitions: usize,
    /// Bytes of their logs on disk.
    pub log_bytes: u64,
}

impl Observer {
    /// Takes the lock of each log for a moment: not for the path of a request. `None`: the broker has stopped.
    pub fn statistics(&self) -> Option<Statistics> {
        let topics = self.0.upgrade()?.topics.all();
        let mut statistics = Statistics { topics: topics.len(), ..Statistics::default() };
        for topic in &topics {
            let partitions = topic.partitions();
            statistics.partitions += partitions.len();
            statistics.log_bytes += partitions.iter().map(|partition| partition.bytes()).sum::<u64>();
        }
        Some(statistics)
    }
}

/// Accepts until the broker stops, then waits for the connections.
async fn accept(node: Arc<Node>, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(node.settings.max_connections));
    let mut connections = JoinSet::new();
    let mut stopping = std::pin::pin!(node.stopping());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => break,
            accepted = async {
                let slot = slots.clone().acquire_owned().await;
                (listener.accept().await, slot)
            } => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            (Ok((socket, peer)), slot) => {
                let node = node.clone();
                connections.spawn(async move {
                    connection::serve(node, socket, peer).await;
                    drop(slot);
                });
            }
            (Err(error), _) => {
                // Out of file descriptors, most likely: open connections go on, this one waits.
                if node.notices.is_due(Notice::Accept) {
                    tracing::warn!(%error, "connections cannot be accepted: clients wait until others disconnect");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The code of an error as it goes over the wire.
const fn code(error: ResponseError) -> i16 {
    error.code()
}
