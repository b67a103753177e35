//! Administration: what the cluster holds, and topics made, widened and deleted.
//!
//! These verbs add grants to what `kafka` does and nothing else; what is true is asked of the cluster each time.

use postern_kafka::{
    ClusterDescription, ConfigEntry, CreatedTopic, ErrorKind, NewTopic, OffsetRange, PartitionId, TopicDescription,
    TopicName,
};

use crate::{Describe, Error, ManageTopic, Proxy};

impl Proxy {
    /// The cluster, its controller and its brokers.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn describe_cluster(&self, _: Describe) -> Result<ClusterDescription, Error> {
        Ok(self.cluster().describe_cluster().await?)
    }

    /// The id of the cluster. Asked for once.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn cluster_id(&self, grant: Describe) -> Result<&str, Error> {
        let ask = || async { Ok::<_, Error>(self.describe_cluster(grant).await?.cluster_id) };
        Ok(self.0.cluster_id.get_or_try_init(ask).await?)
    }

    /// All topics, internal ones included, sorted by name.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn topics(&self, _: Describe, authorized_operations: bool) -> Result<Vec<TopicDescription>, Error> {
        let mut topics = self.cluster().topics(authorized_operations).await?;
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// One topic, its partitions in their order.
    ///
    /// # Errors
    /// [`Error::Cluster`], of kind `UnknownTopic` where there is none of this name.
    pub async fn topic(
        &self,
        _: Describe,
        topic: &TopicName,
        authorized_operations: bool,
    ) -> Result<TopicDescription, Error> {
        let mut topic = self.cluster().topic(topic, authorized_operations).await?;
        topic.partitions.sort_unstable_by_key(|partition| partition.id);
        Ok(topic)
    }

    /// All settings of a topic, inherited and default ones included, sorted by name.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn topic_configs(&self, _: Describe, topic: &TopicName) -> Result<Vec<ConfigEntry>, Error> {
        let mut entries = self.cluster().topic_configs(topic).await?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// The settings of every topic that is not internal, sorted by topic and name.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn configs_of_topics(&self, _: Describe) -> Result<Vec<(TopicName, Vec<ConfigEntry>)>, Error> {
        let mut names: Vec<TopicName> = Vec::new();
        for topic in self.cluster().topics(false).await? {
            // The cluster has no topics whose names it would not take.
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
                // Deleted a moment ago: it has none any more.
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
    pub async fn offsets(&self, _: Describe, topic: &TopicName, partition: PartitionId) -> Result<OffsetRange, Error> {
        Ok(self.cluster().offsets(topic, partition).await?)
    }

    /// Creates the topic of `new` (or only checks it); the answer tells the counts that are true afterwards.
    ///
    /// # Errors
    /// [`Error::Cluster`], of kind `TopicExists` where it is there already.
    pub async fn create_topic(&self, _: ManageTopic, new: &NewTopic) -> Result<CreatedTopic, Error> {
        Ok(self.cluster().create_topic(new).await?)
    }

    /// Widens the topic of `grant` to `total` partitions.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn add_partitions(&self, grant: ManageTopic, total: i32) -> Result<(), Error> {
        Ok(self.cluster().add_partitions(grant.topic(), total).await?)
    }

    /// Deletes the topic of `grant` and its records.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn delete_topic(&self, grant: ManageTopic) -> Result<(), Error> {
        Ok(self.cluster().delete_topic(grant.topic()).await?)
    }
}
