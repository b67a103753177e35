//! `GET …/partitions/{partition}/reassignment` and the same of a topic and of all — which partitions are being moved
//! (docs/reference/rest-v3.md §8).
//!
//! The client library has no call to list reassignments. A partition that is being moved has the old and the new brokers
//! among its replicas, so one with a single replica is not being moved. With more replicas the response is 501 rather than
//! one that may be wrong.

use postern_proxy::{ClusterError, Error, ErrorKind, PartitionDescription, PartitionId, Proxy, TopicName};

use super::links::{Links, segment};
use super::problem;
use super::resource::Collection;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

pub(super) async fn of_all_topics(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let topics = proxy.topics(false).await.map_err(problem)?;
    check_single_replicas(topics.iter().flat_map(|topic| &topic.partitions))?;
    Ok(Reply::ok(&empty_list(&links, "-")))
}

/// An unknown topic has no reassignments, which is not an error.
pub(super) async fn of_topic(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let name = request.params.get("topic");
    check_single_replicas(&partitions(&proxy, name).await?)?;
    Ok(Reply::ok(&empty_list(&links, name)))
}

pub(super) async fn of_partition(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let id = PartitionId(request.params.number("partition")?);
    Links::of(&proxy, &request).await?;
    let name = request.params.get("topic");
    check_single_replicas(partitions(&proxy, name).await?.iter().filter(|partition| partition.id == id))?;
    Err(Problem::missing(format!("Partition {id} of topic '{name}' is not being reassigned.")))
}

/// The partitions of a topic; none if there is no such topic.
async fn partitions(proxy: &Proxy, name: &str) -> Result<Vec<PartitionDescription>, Problem> {
    let Ok(name) = TopicName::parse(name) else { return Ok(Vec::new()) };
    match proxy.topic(&name, false).await {
        Ok(topic) => Ok(topic.partitions),
        Err(Error::Cluster(ClusterError { kind: ErrorKind::UnknownTopic, .. })) => Ok(Vec::new()),
        Err(error) => Err(problem(error)),
    }
}

/// 501 if a partition has several replicas.
fn check_single_replicas<'a>(partitions: impl IntoIterator<Item = &'a PartitionDescription>) -> Result<(), Problem> {
    match partitions.into_iter().all(|partition| partition.replicas.len() < 2) {
        true => Ok(()),
        false => Err(Problem::not_built("Listing reassignments of partitions with several replicas")),
    }
}

/// The list's own link ends in the plural, as Confluent's does.
fn empty_list(links: &Links, topic: &str) -> Collection<()> {
    links.list("KafkaReassignmentList", format_args!("topics/{}/partitions/-/reassignments", segment(topic)), [])
}

#[cfg(test)]
mod tests {
    use postern_proxy::NodeId;

    use super::*;

    #[test]
    fn with_several_replicas_it_is_not_built() {
        let partition = |replicas: &[i32]| PartitionDescription {
            id: PartitionId(0),
            leader: None,
            replicas: replicas.iter().copied().map(NodeId).collect(),
            in_sync: Vec::new(),
        };
        assert!(check_single_replicas(&[]).is_ok());
        assert!(check_single_replicas(&[partition(&[1]), partition(&[])]).is_ok());
        let problem = check_single_replicas(&[partition(&[1]), partition(&[1, 2])]).expect_err("not built");
        assert_eq!(problem.code, 501);
    }
}
