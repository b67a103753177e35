//! The handle through which everything is called.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use postern_kafka::{Error as ClusterError, Fate, PartitionId, TopicName};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::core::Core;
use crate::model::error::Error;
use crate::state::State;

/// The registry. Cheap to clone; when the last clone is dropped, its background tasks end.
#[derive(Clone)]
pub struct Registry {
    core: Arc<Core>,
    /// `None` in the clones that the background tasks hold, so that these do not keep themselves alive.
    _tasks: Option<Arc<TaskHandles>>,
}

/// What [`Registry::statistics`] tells. Counts are since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// Subjects, those with deleted versions only included.
    pub subjects: usize,
    /// Their versions, deleted ones included.
    pub versions: usize,
    /// Different schemas, over all contexts.
    pub schemas: usize,
    /// The offset of the topic from which on nothing is applied; `None`: the topic is being read for the first time.
    pub next_offset: Option<i64>,
    /// Schemas of producers that were known already.
    pub cache_hits: u64,
    /// Those that were not, or had changed.
    pub cache_misses: u64,
}

/// Ends the tasks when it is dropped.
pub(crate) struct TaskHandles(pub(crate) Vec<AbortHandle>);

impl Drop for TaskHandles {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Registry {
    pub(crate) fn new(core: Arc<Core>, tasks: Option<TaskHandles>) -> Registry {
        Registry { core, _tasks: tasks.map(Arc::new) }
    }

    /// Waits until the state has caught up with the topic. Dropping the future does nothing.
    pub async fn ready(&self) {
        self.core.progress.ready().await;
    }

    /// Whether calls are answered.
    ///
    /// # Errors
    /// `NotReady`, with what is missing.
    pub fn check_ready(&self) -> Result<(), Error> {
        self.core.progress.check_ready()
    }

    /// The id of the cluster that stores the topic. Waits at most as long as a write may take; dropping the future does nothing.
    ///
    /// # Errors
    /// `Store`: the cluster refuses or does not answer.
    pub async fn cluster_id(&self) -> Result<String, Error> {
        let failed = |cause: String, timed_out| Error::Store {
            operation: "describe the cluster",
            cause,
            fate: Fate::NotWritten,
            timed_out,
        };
        let described = timeout(self.core.settings.write_timeout, self.core.cluster.describe_cluster()).await;
        let described = described.map_err(|_| failed("Kafka does not answer".to_owned(), true))?;
        described.map(|cluster| cluster.cluster_id).map_err(|error| failed(error.to_string(), false))
    }

    /// The consumer group in which registries that elect a leader find each other; also the name of this registry's cluster.
    pub fn group(&self) -> &str {
        &self.core.settings.group
    }

    /// The topic in which the schemas are stored.
    pub fn topic(&self) -> &TopicName {
        &self.core.settings.topic
    }

    /// What is known and was counted so far. Takes the state's lock for the time of one look at all subjects.
    pub fn statistics(&self) -> Statistics {
        let (subjects, versions, schemas) = self.core.state.read().counts();
        Statistics {
            subjects,
            versions,
            schemas,
            next_offset: self.core.progress.next(),
            cache_hits: self.core.resolved.hits.load(Relaxed),
            cache_misses: self.core.resolved.misses.load(Relaxed),
        }
    }

    /// The offset that the next record of the topic will get, asked of the cluster. Dropping the future does nothing.
    ///
    /// # Errors
    /// The cluster's refusal, or no answer within its call timeout.
    pub async fn end_offset(&self) -> Result<i64, ClusterError> {
        Ok(self.core.cluster.offsets(&self.core.settings.topic, PartitionId(0)).await?.latest.0)
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Reads the state as it is now. The closure must not call the registry again: it runs under the state's lock.
    pub(crate) fn read<T>(&self, query: impl FnOnce(&State) -> Result<T, Error>) -> Result<T, Error> {
        self.check_ready()?;
        query(&self.core.state.read())
    }
}
