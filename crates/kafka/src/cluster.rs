//! The public face of this crate: every call, each one line long.

use std::{fmt, sync::Arc, time::Duration};

use tokio::runtime::Handle;

use crate::{
    Admitted, ClusterDescription, ConfigEntry, Consumer, ConsumerSettings, CreatedTopic, Deliveries, Error, ErrorKind,
    GroupMembers, NewTopic, NodeId, OffsetRange, PartitionId, Reader, Settings, TopicDescription, TopicName,
    admin::Admin, metadata::Metadata, network::Network, producer::Producer,
};

/// A Kafka cluster. Cheap to clone; clones share connections, metadata and the producer.
///
/// When the last clone goes, records still under way are given up and answered so. [`Cluster::flush`] first to avoid that.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    settings: Settings,
    runtime: Handle,
    network: Arc<Network>,
    metadata: Arc<Metadata>,
    producer: Producer,
    admin: Arc<Admin>,
}

impl Cluster {
    /// Starts the client; needs no reachable broker. To be called inside a tokio runtime, which then carries its tasks.
    ///
    /// # Errors
    /// `InvalidRequest`: a setting that cannot be used; no runtime.
    pub fn connect(settings: Settings) -> Result<Cluster, Error> {
        settings.check()?;
        let runtime = Handle::try_current().map_err(|error| {
            Error::new(ErrorKind::Other, "INVALID_CONFIG", format!("no runtime to run in: {error}"))
        })?;
        let network = Arc::new(Network::start(&settings));
        let metadata = Arc::new(Metadata::new(network.clone(), settings.call_timeout, runtime.clone()));
        let producer = Producer::start(&settings, &network, &metadata, runtime.clone());
        let admin = Arc::new(Admin::new(network.clone(), metadata.clone(), &settings));
        Ok(Cluster(Arc::new(Inner { settings, runtime, network, metadata, producer, admin })))
    }

    /// The partition count, if a fresh one is known: for the hot path. Sends no request and does not
    /// wait; a count that begins to age is renewed in the background.
    pub fn known_partitions(&self, topic: &TopicName) -> Option<i32> {
        self.0.metadata.fresh(topic)
    }

    /// The partition count, looked up for a produce: may create the topic where the cluster does that. Dropping the future
    /// does not end the look-up.
    ///
    /// # Errors
    /// `UnknownTopic` after the topic was missing for about 500 ms (longer, if it was created from here a moment ago); what the
    /// cluster says against the topic; no broker within the call timeout.
    pub async fn partitions_for_produce(&self, topic: &TopicName) -> Result<i32, Error> {
        self.0.metadata.partitions(topic).await
    }

    /// Appends in the order given. Not async on purpose: order of records is order of calls. The topic should be known
    /// (`known_partitions`, `partitions_for_produce`); records of one that is not wait until it is.
    pub fn append(&self, topic: &TopicName, records: Admitted) -> Deliveries {
        self.0.producer.append(topic, records)
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
            self.0.metadata.created(&topic.name);
        }
        Ok(created)
    }

    /// Deletes a topic, and waits a while for it to be gone.
    ///
    /// # Errors
    /// `UnknownTopic`; see [`Cluster::describe_cluster`].
    pub async fn delete_topic(&self, topic: &TopicName) -> Result<(), Error> {
        self.0.admin.delete_topic(topic).await?;
        self.0.metadata.deleted(topic);
        Ok(())
    }

    /// Gives a topic `total` partitions. Afterwards they can be appended to.
    ///
    /// # Errors
    /// `InvalidRequest` where it has as many already; see [`Cluster::describe_cluster`].
    pub async fn add_partitions(&self, topic: &TopicName, total: i32) -> Result<(), Error> {
        self.0.admin.add_partitions(topic, total).await?;
        self.0.metadata.partitions_added(topic, total).await;
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
    /// See [`Cluster::describe_cluster`].
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

    /// A reader of many partitions, with a group. Asks nothing yet.
    ///
    /// # Errors
    /// `InvalidRequest`: a setting that cannot be used.
    pub fn consumer(&self, settings: ConsumerSettings) -> Result<Consumer, Error> {
        settings.check()?;
        let _runtime = self.0.runtime.enter();
        Ok(Consumer::start(self.0.network.clone(), self.0.metadata.clone(), settings))
    }

    /// Reads one partition from its beginning, without a group.
    ///
    /// # Errors
    /// None today: what the cluster has against reading is told by [`Reader::next`].
    pub fn reader(&self, topic: &TopicName, partition: PartitionId) -> Result<Reader, Error> {
        let Inner { network, metadata, admin, .. } = &*self.0;
        Ok(Reader::new(network.clone(), metadata.clone(), admin.clone(), topic, partition))
    }

    /// Waits until everything appended is answered, at most for `limit`. True: nothing is left.
    pub async fn flush(&self, limit: Duration) -> bool {
        self.0.producer.flush(limit).await
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.0.settings.bootstrap_servers).finish()
    }
}
