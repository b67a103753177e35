//! The handle through which everything is called.

use std::sync::Arc;

use postern_kafka::{Fate, TopicName};
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

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Reads the state as it is now. The closure must not call the registry again: it runs under the state's lock.
    pub(crate) fn read<T>(&self, query: impl FnOnce(&State) -> Result<T, Error>) -> Result<T, Error> {
        self.check_ready()?;
        query(&self.core.state.read())
    }
}
