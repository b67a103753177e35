//! Administration: describing the cluster and its topics, creating topics, adding partitions, deleting topics; configs, groups of
//! consumers and ACLs in files of their own.
//!
//! These operations sort what `kafka` returns and cache nothing but the id of the cluster.

mod acls;
mod alter_groups;
mod configs;
mod groups;
mod placement;
mod users;

use postern_kafka::{
    ClusterDescription, CreatedTopic, Error as ClusterError, NewTopic, OffsetRange, PartitionId, Reassignment,
    SomeTopics, TopicDescription, TopicName,
};

use tokio::sync::watch;

use crate::{Error, INTERNAL_TOPICS, Proxy};

pub use alter_groups::{OffsetReset, ResetTo};
pub use groups::{GroupLags, PartitionLag};

/// A request for the id of the cluster; `None` until it is answered.
pub(crate) type PendingClusterId = watch::Receiver<Option<Result<String, ClusterError>>>;

/// What a broker tells of partitions in one answer, some 40 KB.
const PARTITIONS_AT_ONCE: i32 = 1000;

impl Proxy {
    /// The cluster, its controller and its brokers.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        Ok(self.cluster().describe_cluster().await?)
    }

    /// The id of the cluster, requested once and kept. Callers that wait for it share one request, so that each gets its error when that
    /// request fails. Dropping the future leaves the request to the others.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn cluster_id(&self) -> Result<&str, Error> {
        if let Some(id) = self.0.cluster_id.get() {
            return Ok(id);
        }
        let mut pending = self.pending_cluster_id();
        let answer = pending.wait_for(Option::is_some).await.map(|answer| (*answer).clone());
        match answer.ok().flatten() {
            Some(Ok(id)) => Ok(self.0.cluster_id.get_or_init(|| id)),
            Some(Err(error)) => Err(error.into()),
            // The task of the request ended with the runtime.
            None => Err(Error::Stopping),
        }
    }

    /// The request for the id that is being answered, or a new one.
    fn pending_cluster_id(&self) -> PendingClusterId {
        let mut pending = self.0.pending_cluster_id.lock();
        match &*pending {
            Some(request) if request.borrow().is_none() && request.has_changed().is_ok() => request.clone(),
            Some(_) | None => {
                let (answer, request) = watch::channel(None);
                let cluster = self.0.cluster.clone();
                tokio::spawn(async move {
                    answer.send_replace(Some(cluster.describe_cluster().await.map(|cluster| cluster.cluster_id)));
                });
                *pending = Some(request.clone());
                request
            }
        }
    }

    /// All topics, internal ones included, sorted by name.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn topics(&self, authorized_operations: bool) -> Result<Vec<TopicDescription>, Error> {
        let mut topics = self.cluster().topics(authorized_operations).await?;
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// The first topics whose names are not less than `from`, in their order, and from where there are others: as many as have 1000
    /// partitions together, one at least. Before Kafka 3.8 all of them.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn topics_from(&self, from: &str, authorized_operations: bool) -> Result<SomeTopics, Error> {
        Ok(self.cluster().topics_from(from, PARTITIONS_AT_ONCE, authorized_operations).await?)
    }

    /// One topic, its partitions in their order.
    ///
    /// # Errors
    /// [`Error::Cluster`], of kind `UnknownTopic` where there is none of this name.
    pub async fn topic(&self, topic: &TopicName, authorized_operations: bool) -> Result<TopicDescription, Error> {
        let mut topic = self.cluster().topic(topic, authorized_operations).await?;
        topic.partitions.sort_unstable_by_key(|partition| partition.id);
        Ok(topic)
    }

    /// The first offset and the one that the next record will get.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn offsets(&self, topic: &TopicName, partition: PartitionId) -> Result<OffsetRange, Error> {
        Ok(self.cluster().offsets(topic, partition).await?)
    }

    /// The partitions that are being moved to other brokers, by topic and number.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn reassignments(&self) -> Result<Vec<Reassignment>, Error> {
        Ok(self.cluster().reassignments().await?)
    }

    /// Creates the topic `new`, or only validates it; returns the counts that hold afterwards.
    ///
    /// # Errors
    /// [`Error::Cluster`], of kind `TopicExists` where it exists already; [`Error::InternalTopic`].
    pub async fn create_topic(&self, new: &NewTopic) -> Result<CreatedTopic, Error> {
        check_creatable(new)?;
        Ok(self.cluster().create_topic(new).await?)
    }

    /// Creates several topics at once, or only validates them; the result of each, in their order. Where one is internal, none is created.
    ///
    /// # Errors
    /// [`Error::InternalTopic`], [`Error::Cluster`].
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Vec<Result<CreatedTopic, ClusterError>>, Error> {
        topics.iter().try_for_each(check_creatable)?;
        Ok(self.cluster().create_topics(topics, validate_only).await?)
    }

    /// Adds partitions to `topic`, so that it has `total` afterwards.
    ///
    /// # Errors
    /// [`Error::Cluster`]; [`Error::RegistryTopic`], [`Error::InternalTopic`].
    pub async fn add_partitions(&self, topic: &TopicName, total: i32) -> Result<(), Error> {
        self.check_not_internal(topic)?;
        Ok(self.cluster().add_partitions(topic, total).await?)
    }

    /// Deletes `topic` and its records.
    ///
    /// # Errors
    /// [`Error::Cluster`]; [`Error::RegistryTopic`], [`Error::InternalTopic`].
    pub async fn delete_topic(&self, topic: &TopicName) -> Result<(), Error> {
        self.check_not_internal(topic)?;
        Ok(self.cluster().delete_topic(topic).await?)
    }
}

/// Kafka makes its internal topics by itself, with the settings that they need.
fn check_creatable(new: &NewTopic) -> Result<(), Error> {
    match INTERNAL_TOPICS.contains(&new.name.as_str()) {
        true => Err(Error::InternalTopic(new.name.clone())),
        false => Ok(()),
    }
}
