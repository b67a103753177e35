//! The background tasks of a registry: one reads the topic, one watches for other leaders, two keep the topic safe for compaction.

mod read_topic;
mod repair;
mod watch_leader;

use std::sync::Arc;

use postern_kafka::Cluster;

use crate::core::Core;
use crate::registry::{Registry, TaskHandles};
use crate::settings::Settings;

impl Registry {
    /// Starts to read the topic in the background. Needs no reachable cluster: until it has caught up every call answers
    /// `Error::NotReady`, afterwards reads are answered whatever happens to the cluster. Must be called inside a tokio runtime.
    pub fn start(cluster: Cluster, settings: Settings) -> Registry {
        let core = Arc::new(Core::new(cluster, settings));
        let inner = Registry::new(core.clone(), None);
        let mut tasks = vec![tokio::spawn(read_topic::read_topic(core.clone())).abort_handle()];
        if !core.settings.follower {
            tasks.push(tokio::spawn(watch_leader::watch_leader(core.clone())).abort_handle());
            tasks.push(tokio::spawn(repair::rewrite_winners(inner.clone())).abort_handle());
            tasks.push(tokio::spawn(repair::tombstone_orphans(inner)).abort_handle());
        }
        Registry::new(core, Some(TaskHandles(tasks)))
    }
}
