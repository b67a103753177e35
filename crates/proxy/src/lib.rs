//! The operations behind the HTTP APIs: producing and reading records, administering topics, and how much memory they may use.
//!
//! Operations speak of topics, records and schemas. Nothing here knows a status code, a header or a version of the API: that is `http`'s.
//! Nothing here knows how a record reaches a broker: that is `kafka`'s. Callers are told apart as owners of consumer instances, and by their
//! Kafka identities where they have any (`identities`).

mod administer;
mod consumers;
mod decode;
mod encode;
mod error;
mod identities;
mod large_work;
mod limits;
mod produce;
mod schemas;
mod statistics;
mod subjects;
mod traces;

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use postern_kafka::{Cluster, Inflight};

use administer::PendingClusterId;
use consumers::{Directory, Replicas};
use produce::{FirstProduces, Witness};
use statistics::Counters;
use subjects::RecordNames;

pub use administer::{GroupLags, OffsetReset, PartitionLag, ResetTo};
pub use consumers::{
    AnswerShare, BegunStream, CommittedOffset, ConsumerError, ConsumerLimits, Holder, INSTANCE_NAME_MAX, InstanceName,
    InstanceSettings, Location, PartitionName, PartitionPosition, Position, PositionReset, ReadAnswer, ReadFormats,
    ReadLimits, ReadRecord, ReadSide, ReadStart, ReadText, RecordLayout, ReplicaSettings, SeekTarget,
    SubscriptionRequest, TopicReader, auto_offset_reset,
};
pub use decode::{DecodeError, Decoder, EncodedValue};
pub use encode::Format;
pub use error::Error;
pub use identities::{
    ConfiguredIdentities, Credentials, Identities, IdentityError, IdentitySettings, IdentityStatistics, KafkaIdentity,
    LoginError,
};
pub use large_work::run_large;
pub use limits::Limits;
pub use postern_kafka::{
    Acl, AclFilter, AclOperation, AclPatternType, AclPermission, AclResourceType, AppendError, Broker, ByteCount,
    ClusterDescription, ConfigAlteration, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym,
    CreatedTopic, Election, Error as ClusterError, ErrorKind, Fate, GroupDescription, GroupMember, GroupState,
    GroupType, InvalidTopicName, LATENCY_BOUNDS, Latencies, LatencyHistogram, ListedGroup, LogDir, LogDirReplica,
    Mechanism, NewTopic, NodeId, Offset, OffsetRange, PartitionDescription, PartitionId, Reassignment,
    ReassignmentChange, Receipt, ScramHash, ScramUser, SomeTopics, TooLarge, TopicDescription, TopicName,
};
pub use postern_registry::{
    Error as RegistryError, ResolveError, SchemaId, SchemaIdentifier, SchemaRef, Side, Subject,
    header_name as schema_header_name,
};
pub use postern_schema::SchemaKind;
pub use produce::{
    AppendedRecords, AppendedRequest, DataFormat, EncodedRecord, Made, ProduceRequest, Produced, RecordData,
    RecordGroup, RecordSpec, SingleRecord, Tell, TopicTemplate, WrittenData, WrittenRecord, WrittenSchema,
};
pub use schemas::Schemas;
pub use statistics::{FormatStatistics, Statistics};
pub use subjects::{SchemaSource, SubjectNameStrategy, SubjectRef};
pub use traces::Traces;

/// Where Kafka keeps what groups have committed, its transactions and the state of share groups.
pub const INTERNAL_TOPICS: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// All operations over one cluster and one registry. Cheap to clone. The second member is there for one request, and for what it leaves
/// behind: see [`Proxy::acting_as`] and [`Proxy::with_one_deadline`].
#[derive(Clone)]
pub struct Proxy(Arc<Parts>, Option<Acting>);

/// How the cluster is reached in place of the usual way.
#[derive(Clone)]
struct Acting {
    cluster: Cluster,
    /// Whose it is; kept so that it stays in use.
    identity: Option<KafkaIdentity>,
}

struct Parts {
    cluster: Cluster,
    schemas: Schemas,
    inflight: Inflight,
    record_names: RecordNames,
    consumers: Directory,
    /// Where other replicas serve the same instances.
    replicas: OnceLock<Replicas>,
    counters: Counters,
    first_produces: FirstProduces,
    /// Who is told what producing makes.
    witness: Witness,
    /// The id of the cluster, which never changes, once it is known.
    cluster_id: OnceLock<String>,
    /// The question for it, while it is not answered.
    pending_cluster_id: Mutex<Option<PendingClusterId>>,
    /// The topic of our own registry, which clients must not damage.
    registry_topic: Option<TopicName>,
}

impl Proxy {
    /// A proxy to `cluster`, with the schemas of a registry, our own or a remote one, within `limits`.
    pub fn new(cluster: Cluster, schemas: impl Into<Schemas>, limits: Limits) -> Proxy {
        let schemas = schemas.into();
        let registry_topic = match &schemas {
            Schemas::Embedded(registry) => Some(registry.topic().clone()),
            Schemas::Remote(_) => None,
        };
        let parts = Parts {
            cluster,
            schemas,
            inflight: Inflight::new(limits.unacknowledged),
            record_names: RecordNames::default(),
            consumers: Directory::new(limits.consumers),
            replicas: OnceLock::new(),
            counters: Counters::default(),
            first_produces: FirstProduces::default(),
            witness: Witness::default(),
            cluster_id: OnceLock::new(),
            pending_cluster_id: Mutex::new(None),
            registry_topic,
        };
        Proxy(Arc::new(parts), None)
    }

    /// The same for one administrative request: whatever it asks of the cluster, one call after the other, ends within the time for
    /// one call, counted from now.
    pub fn with_one_deadline(&self) -> Proxy {
        let cluster = self.cluster().with_one_deadline();
        Proxy(self.0.clone(), Some(Acting { cluster, identity: self.identity().cloned() }))
    }

    /// The same for a caller with a Kafka identity of its own: whatever it asks of the cluster, Kafka is asked by that identity, and so it is by
    /// the consumer instances and readers that it makes. Only the id of the cluster is common knowledge, and the registry has an identity of its
    /// own.
    pub fn acting_as(&self, identity: &KafkaIdentity) -> Proxy {
        let acting = Acting { cluster: identity.cluster().clone(), identity: Some(identity.clone()) };
        Proxy(self.0.clone(), Some(acting))
    }

    /// Refuses changes to the topics of our own, and to those in which Kafka keeps its own state.
    fn check_not_internal(&self, topic: &TopicName) -> Result<(), Error> {
        if INTERNAL_TOPICS.contains(&topic.as_str()) {
            return Err(Error::InternalTopic(topic.clone()));
        }
        if self.0.replicas.get().is_some_and(|replicas| replicas.topic() == topic) {
            return Err(Error::ReplicasTopic(topic.clone()));
        }
        match &self.0.registry_topic {
            Some(registry) if registry == topic => Err(Error::RegistryTopic(topic.clone())),
            Some(_) | None => Ok(()),
        }
    }

    fn cluster(&self) -> &Cluster {
        self.1.as_ref().map_or(&self.0.cluster, |acting| &acting.cluster)
    }

    fn identity(&self) -> Option<&KafkaIdentity> {
        self.1.as_ref()?.identity.as_ref()
    }

    fn schemas(&self) -> &Schemas {
        &self.0.schemas
    }

    fn record_names(&self) -> &RecordNames {
        &self.0.record_names
    }

    fn inflight(&self) -> &Inflight {
        &self.0.inflight
    }

    fn counters(&self) -> &Counters {
        &self.0.counters
    }
}
