//! The operations behind the HTTP APIs: producing records and administering topics, and how much memory both may use.
//!
//! Operations speak of topics, records and schemas. Nothing here knows a status code, a header or a version of the API: that is `http`'s.
//! Nothing here knows how a record reaches a broker: that is `kafka`'s. Callers are not told apart yet: there is no authentication.

mod administer;
mod encode;
mod error;
mod limits;
mod produce;

use std::sync::Arc;

use postern_kafka::{Cluster, Inflight};
use postern_registry::Schemas;
use tokio::sync::OnceCell;

pub use encode::Format;
pub use error::Error;
pub use limits::Limits;
pub use postern_kafka::{
    AppendError, Broker, ByteCount, ClusterDescription, ConfigEntry, ConfigSource, ConfigSynonym, CreatedTopic,
    Error as ClusterError, ErrorKind, Fate, InvalidTopicName, NewTopic, NodeId, Offset, OffsetRange,
    PartitionDescription, PartitionId, Receipt, TooLarge, TopicDescription, TopicName,
};
pub use postern_registry::{Error as RegistryError, ResolveError, SchemaId, SchemaRef, Side};
pub use postern_schema::SchemaKind;
pub use produce::{JsonText, ProduceRequest, Produced, RecordSpec};

/// All operations over one cluster and one registry. Cheap to clone.
#[derive(Clone)]
pub struct Proxy(Arc<Parts>);

struct Parts {
    cluster: Cluster,
    schemas: Schemas,
    inflight: Inflight,
    /// The id of the cluster, which never changes, once it is known.
    cluster_id: OnceCell<String>,
}

impl Proxy {
    /// A proxy to `cluster`, with the schemas of a registry, our own or a remote one, within `limits`.
    pub fn new(cluster: Cluster, schemas: impl Into<Schemas>, limits: Limits) -> Proxy {
        let inflight = Inflight::new(limits.unacknowledged);
        Proxy(Arc::new(Parts { cluster, schemas: schemas.into(), inflight, cluster_id: OnceCell::new() }))
    }

    fn cluster(&self) -> &Cluster {
        &self.0.cluster
    }

    fn schemas(&self) -> &Schemas {
        &self.0.schemas
    }

    fn inflight(&self) -> &Inflight {
        &self.0.inflight
    }
}
