//! Administration: describing the cluster and its topics, creating topics, adding partitions, deleting topics.
//!
//! These operations sort what `kafka` returns and cache nothing but the id of the cluster.

use postern_kafka::{
    ClusterDescription, ConfigEntry, CreatedTopic, ErrorKind, NewTopic, OffsetRange, PartitionId, TopicDescription,
    TopicName,
};

use crate::{Error, Proxy};

impl Proxy {
    /// The cluster, its controller and its brokers.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        Ok(self.cluster().describe_cluster().await?)
    }

    /// The id of the cluster, requested once and kept.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn cluster_id(&self) -> Result<&str, Error> {
        let request = || async { Ok::<_, Error>(self.describe_cluster().await?.cluster_id) };
        Ok(self.0.cluster_id.get_or_try_init(request).await?)
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

    /// One topic, its partitions in their order.
    ///
    /// # Errors
    /// [`Error::Cluster`], of kind `UnknownTopic` where there is none of this name.
    pub async fn topic(&self, topic: &TopicName, authorized_operations: bool) -> Result<TopicDescription, Error> {
        let mut topic = self.cluster().topic(topic, authorized_operations).await?;
        topic.partitions.sort_unstable_by_key(|partition| partition.id);
        Ok(topic)
    }

    /// All settings of a topic, inherited and default ones included, sorted by name.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn topic_configs(&self, topic: &TopicName) -> Result<Vec<ConfigEntry>, Error> {
        let mut entries = self.cluster().topic_configs(topic).await?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// The settings of every topic that is not internal, sorted by topic and name.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn configs_of_topics(&self) -> Result<Vec<(TopicName, Vec<ConfigEntry>)>, Error> {
        let mut names: Vec<TopicName> = Vec::new();
        for topic in self.cluster().topics(false).await? {
            // A cluster has no topics with illegal names.
            names.extend(TopicName::parse(&topic.name).ok().filter(|_| !topic.is_internal));
        }
        names.sort_unstable();
        let mut configs = Vec::with_capacity(names.len());
        for name in names {
            match self.cluster().topic_configs(&name).await {
                Ok(mut entries) => {
                    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
                    configs.push((name, entries));
                }
                // Deleted since it was listed.
                Err(error) if error.kind == ErrorKind::UnknownTopic => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(configs)
    }

    /// The first offset and the one that the next record will get.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn offsets(&self, topic: &TopicName, partition: PartitionId) -> Result<OffsetRange, Error> {
        Ok(self.cluster().offsets(topic, partition).await?)
    }

    /// Creates the topic `new`, or only validates it; returns the counts that hold afterwards.
    ///
    /// # Errors
    /// [`Error::Cluster`], of kind `TopicExists` where it exists already.
    pub async fn create_topic(&self, new: &NewTopic) -> Result<CreatedTopic, Error> {
        Ok(self.cluster().create_topic(new).await?)
    }

    /// Adds partitions to `topic`, so that it has `total` afterwards.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn add_partitions(&self, topic: &TopicName, total: i32) -> Result<(), Error> {
        Ok(self.cluster().add_partitions(topic, total).await?)
    }

    /// Deletes `topic` and its records.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn delete_topic(&self, topic: &TopicName) -> Result<(), Error> {
        Ok(self.cluster().delete_topic(topic).await?)
    }
}
