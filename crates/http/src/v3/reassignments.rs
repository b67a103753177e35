//! `GET …/partitions/{partition}/reassignment` and the same of a topic and of all — which partitions are being moved
//! (docs/reference/rest-v3.md §8).

use postern_access::Right;
use postern_proxy::{NodeId, Proxy, Reassignment};
use schemars::JsonSchema;
use serde::Serialize;

use super::links::{Links, segment};
use super::problem;
use super::resource::{Collection, Metadata, Related};
use crate::operation::{Operation, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KafkaReassignment")]
struct Resource<'a> {
    kind: &'static str,
    metadata: Metadata,
    cluster_id: &'a str,
    topic_name: &'a str,
    partition_id: i32,
    adding_replicas: Vec<i32>,
    removing_replicas: Vec<i32>,
    replicas: Related,
}

/// In lists the links of Confluent end in the plural, a path that exists here as well.
const IN_LIST: &str = "reassignments";
const SINGLE: &str = "reassignment";

pub(super) const OF_ALL_TOPICS: Operation =
    operation("listReassignments", "The partitions that are being moved").returns::<Collection<Resource>>();
pub(super) const OF_TOPIC: Operation =
    operation("listReassignmentsOfTopic", "The partitions of a topic that are being moved")
        .returns::<Collection<Resource>>();
pub(super) const OF_PARTITION: Operation =
    operation("getReassignment", "How a partition is being moved; 404 where it is not").returns::<Resource>();

pub(super) async fn of_all_topics(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let all = proxy.reassignments().await.map_err(problem)?;
    let permissions = request.params.permissions();
    Ok(list(&links, "-", all.iter().filter(|one| permissions.may(Right::Describe, one.topic.as_str()))))
}

/// An unknown topic has no reassignments, which is not an error.
pub(super) async fn of_topic(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let links = Links::of(&proxy, &request).await?;
    let topic = request.params.get("topic");
    let all = proxy.reassignments().await.map_err(problem)?;
    Ok(list(&links, topic, all.iter().filter(|one| one.topic.as_str() == topic)))
}

pub(super) async fn of_partition(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    let id: i32 = request.params.number("partition")?;
    let links = Links::of(&proxy, &request).await?;
    let topic = request.params.get("topic");
    let all = proxy.reassignments().await.map_err(problem)?;
    match all.iter().find(|one| one.topic.as_str() == topic && one.partition.0 == id) {
        Some(one) => Ok(Reply::ok(&resource_of(&links, one, SINGLE))),
        None => Err(Problem::missing(format!("Partition {id} of topic '{topic}' is not being reassigned."))),
    }
}

fn list<'a>(links: &'a Links, topic: &str, reassignments: impl Iterator<Item = &'a Reassignment>) -> Reply {
    let path = format!("topics/{}/partitions/-/{IN_LIST}", segment(topic));
    let resources = reassignments.map(|one| resource_of(links, one, IN_LIST));
    Reply::ok(&links.list("KafkaReassignmentList", path, resources))
}

fn resource_of<'a>(links: &'a Links, reassignment: &'a Reassignment, end: &str) -> Resource<'a> {
    let Reassignment { topic, partition, adding, removing } = reassignment;
    let path = format!("topics/{topic}/partitions/{partition}");
    let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
    Resource {
        kind: "KafkaReassignment",
        metadata: links
            .metadata(format_args!("{path}/{end}"), format_args!("topic={topic}/partition={partition}/{end}")),
        cluster_id: links.cluster_id(),
        topic_name: topic.as_str(),
        partition_id: partition.0,
        adding_replicas: ids(adding),
        removing_replicas: ids(removing),
        replicas: links.related(format_args!("{path}/replicas")),
    }
}

#[cfg(test)]
mod tests {
    use postern_proxy::{PartitionId, TopicName};

    use super::*;

    #[test]
    fn a_partition_on_the_move_names_both_sides() {
        let links = Links::new("http://p", "C");
        let moving = Reassignment {
            topic: TopicName::parse("t").expect("legal"),
            partition: PartitionId(0),
            adding: vec![NodeId(3), NodeId(4)],
            removing: vec![NodeId(1)],
        };
        let json = serde_json::to_string(&resource_of(&links, &moving, SINGLE)).expect("writes");
        let expected = r#"{"kind":"KafkaReassignment","metadata":{"self":"http://p/v3/clusters/C/topics/t/partitions/0/reassignment","resource_name":"crn:///kafka=C/topic=t/partition=0/reassignment"},"cluster_id":"C","topic_name":"t","partition_id":0,"adding_replicas":[3,4],"removing_replicas":[1],"replicas":{"related":"http://p/v3/clusters/C/topics/t/partitions/0/replicas"}}"#;
        assert_eq!(json, expected);
    }
}
