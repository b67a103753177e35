//! The cluster itself: its id, its brokers.

use super::Admin;
use crate::{Error, NodeId, native::Request};

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

/// A broker, as it wants to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: NodeId,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where it stands, if it says so.
    pub rack: Option<String>,
}

impl Admin {
    pub(crate) async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        self.call(Request::DescribeCluster).await?.cluster()
    }
}
