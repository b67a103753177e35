//! URLs of the resources of the cluster, and their names in `crn:` notation (docs/reference/rest-v3.md §2.3, §2.4).

use std::fmt::Display;

use postern_proxy::Proxy;

use super::problem;
use super::resource::{Collection, Metadata, Related};
pub(super) use crate::path::segment;
use crate::problem::Problem;
use crate::request_context::RequestContext;

/// The cluster id of a path, not yet compared with that of the cluster.
pub(super) struct ClusterPath {
    base_url: String,
    cluster_id: String,
}

impl ClusterPath {
    pub(super) fn of(request: &RequestContext) -> ClusterPath {
        ClusterPath { base_url: request.base_url(), cluster_id: request.params.get("cluster").to_owned() }
    }

    /// 404 unless it is the id of this proxy's cluster.
    pub(super) async fn links(self, proxy: &Proxy) -> Result<Links, Problem> {
        let ours = proxy.cluster_id().await.map_err(problem)?;
        if self.cluster_id != ours {
            let message = format!("Cluster {} cannot be found. The cluster of this proxy is {ours}.", self.cluster_id);
            return Err(Problem::missing(message));
        }
        Ok(Links::new(&self.base_url, ours))
    }
}

/// Makes the links of the cluster.
pub(super) struct Links {
    cluster_id: String,
    /// Of the cluster itself.
    url: String,
    /// Of the cluster itself. The part after `crn://` is the authority, of which there is none.
    name: String,
}

impl Links {
    pub(super) fn new(base_url: &str, cluster_id: &str) -> Links {
        Links {
            cluster_id: cluster_id.to_owned(),
            url: format!("{base_url}/v3/clusters/{}", segment(cluster_id)),
            name: format!("crn:///kafka={cluster_id}"),
        }
    }

    /// For the cluster of the path; 404 unless it is the one of this proxy.
    pub(super) async fn of(proxy: &Proxy, request: &RequestContext) -> Result<Links, Problem> {
        ClusterPath::of(request).links(proxy).await
    }

    pub(super) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The cluster itself.
    pub(super) fn cluster(&self) -> Metadata {
        Metadata { url: self.url.clone(), resource_name: self.name.clone() }
    }

    /// The metadata of what lies at `path` below the cluster and has the resource name `name`, as in `brokers/1` and `broker=1`.
    pub(super) fn metadata(&self, path: impl Display, name: impl Display) -> Metadata {
        Metadata { url: self.url(path), resource_name: format!("{}/{name}", self.name) }
    }

    /// A link to what lies at `path` below the cluster.
    pub(super) fn related(&self, path: impl Display) -> Related {
        Related { related: self.url(path) }
    }

    /// The list that lies at `path` below the cluster.
    pub(super) fn list<T>(
        &self,
        kind: &'static str,
        path: impl Display,
        data: impl IntoIterator<Item = T>,
    ) -> Collection<T> {
        Collection::new(kind, self.url(path), data)
    }

    /// Of what lies at `path` below the cluster.
    pub(super) fn url(&self, path: impl Display) -> String {
        format!("{}/{path}", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_where_a_path_needs_it() {
        let links = Links::new("http://proxy:8082", "C1");
        let metadata = links.metadata(format_args!("topics/{}", segment("a-b.c_d")), "topic=a-b.c_d");
        assert_eq!(metadata.url, "http://proxy:8082/v3/clusters/C1/topics/a-b.c_d");
        assert_eq!(metadata.resource_name, "crn:///kafka=C1/topic=a-b.c_d");
    }
}
