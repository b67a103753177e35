//! Subjects, versions, compatibility: a schema registry without storage of its own.
//!
//! Its state is a fold over the `_schemas` topic ([`log`](self) and `state`), in the record format of the Confluent Schema
//! Registry, so either could take over the topic from the other. Every instance may write; the order of the log decides, and
//! a write is answered when the fold has gone past it (`write`). Reads come from memory.
//!
//! [`Registry`] is the door: one verb, one file (`register`, `lookup`, `read`, `delete`, `config`, `mode`, `compatibility`), and
//! `resolve` for producers. Where the schemas are kept by another registry, [`Remote`] asks that one instead; [`Schemas`] is either.
//! What a schema *is* belongs to `schema`; how calls look over HTTP, and the numbers of errors, to
//! `http`; the wire to `kafka`.

mod cache;
mod compatibility;
mod compile;
mod config;
mod content;
mod core;
mod delete;
mod error;
mod fold;
mod format;
mod framing;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod log;
mod lookup;
mod metadata;
mod mode;
mod names;
mod read;
mod register;
mod remote;
mod reserved;
mod resolve;
mod rules;
mod schemas;
mod state;
mod tags;
mod upstream;
mod write;

use std::sync::Arc;
use std::time::Duration;

use postern_kafka::{Cluster, TopicName};
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use compatibility::Compatibility;
pub use compile::Draft;
pub use config::{Config, ConfigChange, Level, Policy};
pub use content::{Content, Reference, kind_name, kind_of};
pub use error::{Error, NotPermitted};
pub use framing::{Named, Writer, header_name, unframe};
pub use lookup::Found;
pub use metadata::{Metadata, Name, VERSION_PROPERTY};
pub use mode::Mode;
pub use names::{DEFAULT_CONTEXT, Guid, SchemaId, Side, Subject, VersionRef};
pub use postern_kafka::Fate;
pub use postern_schema::SchemaKind;
pub use read::Page;
pub use register::{RegisterOptions, Registered};
pub use remote::{Authorities, Credentials, RegistryUrl, Remote, RemoteSettings};
pub use resolve::{ResolveError, SchemaRef};
pub use rules::{RuleFault, check_rules, check_shape};
pub use schemas::Schemas;
pub use state::{Stored, Visible};
pub use tags::{Derived, Part, TagChanges, Tagged};

/// Where the schemas are kept, and how long a write may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The topic. Default `_schemas`.
    pub topic: TopicName,
    /// The group in which registries that elect a leader find each other; while it has members nothing is written here. Default
    /// `schema-registry`.
    pub group: String,
    /// What new schemas are checked against where no configuration says it. Default `BACKWARD`.
    pub level: Level,
    /// Somebody else writes the topic: it is only read, and not made either. Default false.
    pub follower: bool,
    /// How many replicas the topic gets if it has to be made, as far as there are brokers. Default 3.
    pub replication_factor: i16,
    /// How long a record that lost its id may stand alone under its key before it is buried. Longer than a write may take, so
    /// that whoever wrote it could come back with another id. Default 60 s.
    pub stray_rest: Duration,
    /// How long a write may take, waiting for others and for its own record to come back included. Default 10 s.
    pub write_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            topic: TopicName::parse("_schemas").expect("a legal name"),
            group: "schema-registry".to_owned(),
            level: Level::default(),
            follower: false,
            replication_factor: 3,
            stray_rest: Duration::from_secs(60),
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// The registry. Cheap to clone; the last clone that is dropped ends the reading.
#[derive(Clone)]
pub struct Registry {
    core: Arc<core::Core>,
    /// `None` in the clone that a task of our own holds.
    _tasks: Option<Arc<Tasks>>,
}

struct Tasks(Vec<AbortHandle>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Registry {
    /// Starts to read the topic in the background. Needs no reachable cluster: until it has caught up every call answers
    /// `Error::NotReady`, afterwards reads go on whatever happens to the cluster. To be called inside a tokio runtime.
    pub fn start(cluster: Cluster, settings: Settings) -> Registry {
        let core = Arc::new(core::Core::new(cluster, settings));
        let inner = Registry { core: core.clone(), _tasks: None };
        let mut tasks = vec![tokio::spawn(fold::follow(core.clone())).abort_handle()];
        if !core.settings.follower {
            tasks.push(tokio::spawn(upstream::watch(core.clone())).abort_handle());
            tasks.push(tokio::spawn(fold::mend(inner.clone())).abort_handle());
            tasks.push(tokio::spawn(fold::bury(inner)).abort_handle());
        }
        Registry { core, _tasks: Some(Arc::new(Tasks(tasks))) }
    }

    /// Waits until the fold has caught up.
    pub async fn ready(&self) {
        self.core.progress.ready().await;
    }

    /// Whether calls are answered, or why not yet.
    pub fn check_ready(&self) -> Result<(), Error> {
        self.core.progress.check_ready()
    }

    /// The id of the cluster that keeps the topic. Asked for as long as a write may take.
    pub async fn cluster_id(&self) -> Result<String, Error> {
        let failed = |cause: String, timed_out| Error::Store {
            operation: "tell the id of the cluster",
            cause,
            fate: Fate::NotWritten,
            timed_out,
        };
        let described = timeout(self.core.settings.write_timeout, self.core.cluster.describe_cluster()).await;
        let described = described.map_err(|_| failed("Kafka does not answer".to_owned(), true))?;
        described.map(|cluster| cluster.cluster_id).map_err(|error| failed(error.to_string(), false))
    }

    /// The group in which registries that elect a leader find each other: the name of this one among others.
    pub fn group(&self) -> &str {
        &self.core.settings.group
    }

    /// The topic in which the schemas are stored.
    pub fn topic(&self) -> &TopicName {
        &self.core.settings.topic
    }

    pub(crate) fn core(&self) -> &core::Core {
        &self.core
    }

    /// A question to the state as it is now. The closure must not come back to the registry.
    pub(crate) fn read<T>(&self, question: impl FnOnce(&state::State) -> Result<T, Error>) -> Result<T, Error> {
        self.check_ready()?;
        question(&self.core.state.read())
    }
}
