//! The door: every verb of this crate, each one line long.

use std::{fmt, sync::Arc, time::Duration};

use tokio::runtime::Handle;

use crate::{
    Admitted, ClusterDescription, ConfigEntry, CreatedTopic, Deliveries, Error, ErrorKind, GroupMembers, NewTopic,
    NodeId, OffsetRange, PartitionId, Reader, Settings, TopicDescription, TopicName, admin::Admin, producer::Producers,
};

/// A Kafka cluster. Cheap to clone; one producer and one administrative client per cluster.
///
/// When the last clone goes, its clients are ended in the background; records still under way are given up then, and
/// answered so. [`Cluster::flush`] first to avoid that.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    settings: Settings,
    producers: Arc<Producers>,
    admin: Admin,
}

impl Cluster {
    /// Starts the clients; needs no reachable broker. To be called inside a tokio runtime, which then carries their tasks.
    ///
    /// # Errors
    /// A setting that librdkafka does not take; no runtime.
    pub fn connect(settings: Settings) -> Result<Cluster, Error> {
        let runtime = Handle::try_current()
            .map_err(|error| Error::new(ErrorKind::Other, "_STATE", format!("no runtime to run in: {error}")))?;
        let producers = Producers::start(settings.clone(), runtime)?;
        let admin = Admin::start(&settings)?;
        Ok(Cluster(Arc::new(Inner { settings, producers, admin })))
    }

    /// The partition count, if a fresh one is known: the way of the hot path. Asks nobody; a count that begins to age is
    /// renewed in the background.
    pub fn known_partitions(&self, topic: &TopicName) -> Option<i32> {
        self.0.producers.current().topics().fresh(topic)
    }

    /// The partition count, looked up for a produce: may create the topic where the cluster does that. Dropping the future
    /// does not end the look-up.
    ///
    /// # Errors
    /// `UnknownTopic` after the topic was missing for about 500 ms (longer, if it was created from here a moment ago); what the
    /// cluster says against the topic; no broker within the call timeout.
    pub async fn partitions_for_produce(&self, topic: &TopicName) -> Result<i32, Error> {
        self.0.producers.current().topics().partitions(topic).await
    }

    /// Appends in the order given. Not async on purpose: order of records is order of calls. The topic should be known
    /// (`known_partitions`, `partitions_for_produce`); one that is not waits in the producer's queue for its fate.
    pub fn append(&self, topic: &TopicName, records: Admitted) -> Deliveries {
        self.0.producers.current().append(topic, records)
    }

    /// The cluster's id and brokers.
    ///
    /// # Errors
    /// The cluster's refusal, or no answer within the call timeout; so with all calls below. A future that is dropped forgets
    /// the answer, but the cluster may still do what it was told.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        self.0.admin.describe_cluster().await
    }

    /// All topics, internal ones included, in no particular order.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn topics(&self, authorized_operations: bool) -> Result<Vec<TopicDescription>, Error> {
        self.0.admin.topics(authorized_operations).await
    }

    /// One topic.
    ///
    /// # Errors
    /// `UnknownTopic`; see [`Cluster::describe_cluster`].
    pub async fn topic(&self, topic: &TopicName, authorized_operations: bool) -> Result<TopicDescription, Error> {
        self.0.admin.topic(topic, authorized_operations).await
    }

    /// Creates a topic and reads back what is true, which may not be what was asked for.
    ///
    /// # Errors
    /// `TopicExists` and what else the cluster has against it; see [`Cluster::describe_cluster`].
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<CreatedTopic, Error> {
        let created = self.0.admin.create_topic(topic).await?;
        if !topic.validate_only {
            self.0.producers.current().topics().created(&topic.name);
        }
        Ok(created)
    }

    /// Deletes a topic, and waits a while for it to be gone.
    ///
    /// # Errors
    /// `UnknownTopic`; see [`Cluster::describe_cluster`].
    pub async fn delete_topic(&self, topic: &TopicName) -> Result<(), Error> {
        self.0.admin.delete_topic(topic).await?;
        self.0.producers.current().topics().deleted(topic);
        Ok(())
    }

    /// Widens a topic to `total` partitions. Afterwards they can be appended to.
    ///
    /// # Errors
    /// `InvalidRequest` where it has as many already; see [`Cluster::describe_cluster`].
    pub async fn add_partitions(&self, topic: &TopicName, total: i32) -> Result<(), Error> {
        self.0.admin.add_partitions(topic, total).await?;
        self.0.producers.current().topics().partitions_added(topic, total).await;
        Ok(())
    }

    /// The configs of a topic, defaults included.
    ///
    /// # Errors
    /// `UnknownTopic`; see [`Cluster::describe_cluster`].
    pub async fn topic_configs(&self, topic: &TopicName) -> Result<Vec<ConfigEntry>, Error> {
        self.0.admin.topic_configs(topic).await
    }

    /// The configs of a broker, defaults included.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`]; a broker that does not exist is asked for until the call's time is over.
    pub async fn broker_configs(&self, broker: NodeId) -> Result<Vec<ConfigEntry>, Error> {
        self.0.admin.broker_configs(broker).await
    }

    /// The members of a group, whatever they are members for; `None`: there is no such group.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn group_members(&self, group: &str) -> Result<Option<GroupMembers>, Error> {
        self.0.admin.group_members(group).await
    }

    /// Where a partition begins and ends now.
    ///
    /// # Errors
    /// `UnknownTopic`, `UnknownPartition`; see [`Cluster::describe_cluster`].
    pub async fn offsets(&self, topic: &TopicName, partition: PartitionId) -> Result<OffsetRange, Error> {
        self.0.admin.offsets(topic, partition).await
    }

    /// Reads one partition from its beginning, without a group.
    ///
    /// # Errors
    /// A partition number below 0; a setting that librdkafka does not take.
    pub fn reader(&self, topic: &TopicName, partition: PartitionId) -> Result<Reader, Error> {
        Reader::start(&self.0.settings, topic, partition)
    }

    /// Waits until everything appended is answered, at most `patience`. True: nothing is left.
    pub async fn flush(&self, patience: Duration) -> bool {
        self.0.producers.current().flush(patience).await
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.0.settings.bootstrap_servers).finish()
    }
}
