//! `GET …/partitions/{partition}/reassignment` and the same of a topic and of all — which partitions are being moved
//! (docs/reference/rest-v3.md §8).
//!
//! The client library has no call that asks for reassignments. What can be told without one is told: a partition that is
//! being moved has the old and the new brokers among its replicas, so one with a single replica is not being moved. Where
//! there are more, the answer is that this is not built yet, rather than one that may be wrong.

use postern_proxy::{ClusterError, Error, ErrorKind, PartitionDescription, PartitionId, Proxy, TopicName};

use super::links::{Links, segment};
use super::resource::Collection;
use super::{may_describe, problem};
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::Reply;

pub(super) async fn of_all_topics(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &call).await?;
    let topics = proxy.topics(may_describe()?, false).await.map_err(problem)?;
    at_rest(topics.iter().flat_map(|topic| &topic.partitions))?;
    Ok(Reply::ok(&none(&links, "-")))
}

/// Of a topic that is not there nothing is being moved, which is no error.
pub(super) async fn of_topic(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &call).await?;
    let name = call.params.get("topic");
    at_rest(&partitions(&proxy, name).await?)?;
    Ok(Reply::ok(&none(&links, name)))
}

pub(super) async fn of_partition(proxy: Proxy, call: Call) -> Result<Reply, Problem> {
    let id = PartitionId(call.params.number("partition")?);
    Links::of(&proxy, &call).await?;
    let name = call.params.get("topic");
    at_rest(partitions(&proxy, name).await?.iter().filter(|partition| partition.id == id))?;
    Err(Problem::missing(format!("Partition {id} of topic '{name}' is not being reassigned.")))
}

/// The partitions of a topic; none where there is no such topic.
async fn partitions(proxy: &Proxy, name: &str) -> Result<Vec<PartitionDescription>, Problem> {
    let Ok(name) = TopicName::parse(name) else { return Ok(Vec::new()) };
    match proxy.topic(may_describe()?, &name, false).await {
        Ok(topic) => Ok(topic.partitions),
        Err(Error::Cluster(ClusterError { kind: ErrorKind::UnknownTopic, .. })) => Ok(Vec::new()),
        Err(error) => Err(problem(error)),
    }
}

/// Refuses to tell where more than one broker keeps a partition.
fn at_rest<'a>(partitions: impl IntoIterator<Item = &'a PartitionDescription>) -> Result<(), Problem> {
    match partitions.into_iter().all(|partition| partition.replicas.len() < 2) {
        true => Ok(()),
        false => Err(Problem::not_built("Telling whether partitions with several replicas are being reassigned")),
    }
}

/// The list's own link ends in the plural in the servers we replace, and clients may have kept it.
fn none(links: &Links, topic: &str) -> Collection<()> {
    links.list("KafkaReassignmentList", format_args!("topics/{}/partitions/-/reassignments", segment(topic)), [])
}

#[cfg(test)]
mod tests {
    use postern_proxy::NodeId;

    use super::*;

    #[test]
    fn where_several_brokers_keep_a_partition_nothing_is_claimed() {
        let partition = |replicas: &[i32]| PartitionDescription {
            id: PartitionId(0),
            leader: None,
            replicas: replicas.iter().copied().map(NodeId).collect(),
            in_sync: Vec::new(),
        };
        assert!(at_rest(&[]).is_ok());
        assert!(at_rest(&[partition(&[1]), partition(&[])]).is_ok());
        let problem = at_rest(&[partition(&[1]), partition(&[1, 2])]).expect_err("cannot be told");
        assert_eq!(problem.code, 501);
    }
}
