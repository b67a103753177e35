//! The cluster itself: its id, its brokers.

use kafka_protocol::messages::MetadataRequest;

use super::Admin;
use crate::{
    Error, NodeId, metadata,
    network::{Broker, Destination},
};

/// A cluster and its brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// 22 characters, made when the cluster was.
    pub cluster_id: String,
    /// The broker to be taken for the controller, where one is known.
    pub controller: Option<NodeId>,
    /// All brokers that are up.
    pub brokers: Vec<Broker>,
}

impl Admin {
    pub(crate) async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        let build = |_| MetadataRequest::default().with_topics(Some(Vec::new())).with_allow_auto_topic_creation(false);
        let response = self.read(Destination::Any, self.deadline(), build).await?;
        let (brokers, controller) = (metadata::brokers(&response), metadata::controller(&response));
        self.network.learn(&brokers, controller);
        let cluster_id = response.cluster_id.map(|id| id.to_string()).unwrap_or_default();
        Ok(ClusterDescription { cluster_id, controller, brokers })
    }
}
