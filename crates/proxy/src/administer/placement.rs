//! Where partitions are: log directories, moves to other brokers, leaders.

use postern_kafka::{Election, Error as ClusterError, LogDir, PartitionId, ReassignmentChange, TopicName};

use crate::{Error, Proxy};

impl Proxy {
    /// The log directories of all brokers that are up, and what they hold.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn log_dirs(&self) -> Result<Vec<LogDir>, Error> {
        Ok(self.cluster().log_dirs().await?)
    }

    /// Begins, changes or cancels moves of partitions; the result of each, in the order of `changes`.
    ///
    /// # Errors
    /// [`Error::Cluster`].
    pub async fn alter_reassignments(
        &self,
        changes: &[ReassignmentChange],
    ) -> Result<Vec<Result<(), ClusterError>>, Error> {
        Ok(self.cluster().alter_reassignments(changes).await?)
    }

    /// Elects leaders; the result of each partition, in their order. An unclean election may lose records, so it is not held over the topics of
    /// Kafka and of the registry.
    ///
    /// # Errors
    /// [`Error::Cluster`]; a topic that is not altered over HTTP.
    pub async fn elect_leaders(
        &self,
        election: Election,
        partitions: &[(TopicName, PartitionId)],
    ) -> Result<Vec<Result<(), ClusterError>>, Error> {
        if election == Election::Unclean {
            partitions.iter().try_for_each(|(topic, _)| self.check_not_internal(topic))?;
        }
        Ok(self.cluster().elect_leaders(election, partitions).await?)
    }
}
