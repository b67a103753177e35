//! Asking and administering a cluster. One file per group of verbs.
//!
//! No call here creates a topic except [`Cluster::create_topic`](crate::Cluster::create_topic), and every call ends within
//! `Settings::call_timeout`. They run on a client of their own: a broker that takes its time with one of them would otherwise
//! hold back records on the same connection.

mod cluster;
mod configs;
mod groups;
mod offsets;
mod topics;

use std::{sync::Arc, time::Duration};

pub use cluster::{Broker, ClusterDescription};
pub use configs::{ConfigEntry, ConfigSource, ConfigSynonym};
pub use groups::GroupMembers;
pub use offsets::OffsetRange;
pub use topics::{CreatedTopic, NewTopic, PartitionDescription, TopicDescription};

use crate::{
    Error, Settings,
    native::{AdminCall, Client, Reply, Request, Role},
};

/// The administrative client.
pub(crate) struct Admin {
    client: Arc<Client>,
    timeout: Duration,
}

impl Admin {
    pub(crate) fn start(settings: &Settings) -> Result<Admin, Error> {
        Ok(Admin { client: Arc::new(Client::start(Role::Consumer, settings)?), timeout: settings.call_timeout })
    }

    async fn call(&self, request: Request<'_>) -> Result<Reply, Error> {
        AdminCall::send(&self.client, request, self.timeout)?.reply().await
    }
}
