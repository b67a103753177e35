//! A single-node broker that speaks the Kafka protocol, inside the process and the runtime of its caller.
//!
//! It is what Postern uses when no cluster is named, and what tests run on. The model for behaviour is Apache Kafka 4.1
//! (KRaft): the same requests, the same answers, for what `ApiVersions` announces. Anything past one machine
//! (replication, transactions, authentication, quotas) is Apache Kafka's job and is not announced.
//!
//! A request's way: `connection` (bytes) → `frame`, `shape` (one request, believed) → `api` (a file per API) →
//! `topics`, `groups` → the crate `postern-log` (batches on disk).

mod api;
mod configs;
mod connection;
mod faults;
mod frame;
#[doc(hidden)]
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod groups;
mod node;
mod output;
mod room;
mod shape;
mod topics;
mod upkeep;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::node::Node;

pub use crate::faults::{Fault, Faults};
/// Kafka's error codes, to name one in a fault rule.
pub use kafka_protocol::error::ResponseError as ErrorCode;
/// The APIs of the Kafka protocol, to name one in a fault rule.
pub use kafka_protocol::messages::ApiKey;

/// How the broker is to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen. Port 0 takes a free one; [`Broker::address`] tells which. Default 127.0.0.1:9092.
    pub listen: SocketAddr,
    /// Where everything is kept; made if missing. One process at a time. Default `./postern-data/broker`.
    pub data_dir: PathBuf,
    /// Whether a client that asks for the metadata of an unknown topic, and allows it, has it made. Default off.
    pub auto_create_topics: bool,
    /// Whether a topic that wants more replicas than there are brokers is refused, as Apache Kafka does, rather than
    /// given the one there is. Default off.
    pub strict_replication: bool,
    /// Partitions of a topic whose maker does not say. Default 1.
    pub default_partitions: i32,
    /// Largest request, in bytes; a longer one closes its connection. Default 100 MiB.
    pub max_request_bytes: usize,
    /// Bytes that requests and answers of all connections take together, besides what fits into a connection's own
    /// buffer; half of it for requests, half for answers. At the limit the others wait; a request larger than its half
    /// closes its connection. Default 256 MiB.
    pub max_bytes_in_flight: usize,
    /// Connections at one time; the next one is not accepted before another ends. Default 4096.
    pub max_connections: usize,
    /// Partition files open at one time. Default 512.
    pub max_open_files: usize,
    /// When the disk is to have what was acknowledged. Default [`Flush::System`].
    pub flush: Flush,
    /// How often retention and compaction look at the logs. Default 15 seconds.
    pub upkeep_interval: Duration,
    /// How long the commits of a group without members are kept. Default 7 days.
    pub offsets_retention: Duration,
    /// A connection on which nothing happens this long is closed. Default 10 minutes.
    pub idle_timeout: Duration,
    /// How long [`Broker::shutdown`] lets requests finish. Default 5 seconds.
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
#[derive(Debug)]
pub enum StartError {
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Another process uses the data directory.
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The data directory was written by a version that lays it out in another way.
    Format {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// A file cannot be read or written.
    Storage {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Listen { address, error } => write!(f, "the broker cannot listen on {address}: {error}"),
            StartError::InUse { path } => {
                write!(f, "the data directory {} is in use by another process", path.display())
            }
            StartError::Format { path, found } => {
                write!(f, "{} says \"{found}\": not a data directory that this version understands", path.display())
            }
            StartError::Storage { path, error } => write!(f, "the broker's data at {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Listen { error, .. } | StartError::Storage { error, .. } => Some(error),
            StartError::InUse { .. } | StartError::Format { .. } => None,
        }
    }
}

/// A running broker. Dropping it without [`Broker::shutdown`] ends it as a crash would: nothing acknowledged is lost,
/// the next start reads more.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    /// Holds the connections; there until `shutdown` takes it.
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
        let upkeep = tokio::spawn(upkeep::run(node.clone()));
        Ok(Broker { node, accepting, deadlines, upkeep })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.node.address
    }

    /// 22 characters, made when the data directory was.
    pub fn cluster_id(&self) -> &str {
        &self.node.cluster_id
    }

    /// Rules for tests: which requests are to fail, and how.
    pub fn faults(&self) -> &Faults {
        &self.node.faults
    }

    /// Stops accepting, lets what was accepted finish within [`Settings::shutdown_timeout`], and writes down where
    /// everything stands, so that the next start need not read the logs. Dropping the future stops as a crash would.
    pub async fn shutdown(mut self) {
        self.node.stop();
        // The accepting task ends when its connections have; past the limit they are cut off.
        if let Some(mut accepting) = self.accepting.take()
            && tokio::time::timeout(self.node.settings.shutdown_timeout, &mut accepting).await.is_err()
        {
            accepting.abort();
            let _ = accepting.await;
        }
        // Awaited, both: afterwards nobody holds the node, and the data directory is free.
        self.deadlines.abort();
        let _ = (&mut self.deadlines).await;
        let _ = (&mut self.upkeep).await;
        let node = self.node.clone();
        match tokio::task::spawn_blocking(move || node.close()).await {
            Ok(Ok(())) => tracing::info!("broker stopped"),
            Ok(Err(error)) => tracing::error!(%error, "the broker's state could not be written down at its end"),
            Err(error) => tracing::error!(%error, "the broker's end was cut short"),
        }
    }
}

/// Accepts until the broker stops, then waits for the connections.
async fn accept(node: Arc<Node>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(node.settings.max_connections));
    let mut connections = JoinSet::new();
    let mut stopping = std::pin::pin!(node.stopping());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => break,
            accepted = async {
                let permit = room.clone().acquire_owned().await;
                (listener.accept().await, permit)
            } => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            (Ok((socket, peer)), permit) => {
                let node = node.clone();
                connections.spawn(async move {
                    connection::serve(node, socket, peer).await;
                    drop(permit);
                });
            }
            (Err(error), _) => {
                // Out of descriptors, most likely: the others go on, this one waits.
                tracing::warn!(%error, "a connection could not be accepted");
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
