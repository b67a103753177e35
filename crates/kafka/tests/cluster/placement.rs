//! Where partitions are: log directories, moves to other brokers, leaders; and several topics created at once.

use postern_kafka::{
    Election, Error, ErrorKind, NewTopic, NodeId, PartitionDescription, PartitionId, ReassignmentChange, Record,
    TopicName,
};

use crate::target::{Target, fresh_name, new_topic, value};

/// What the embedded broker says of requests that a single broker has no use for.
fn is_not_there<T>(answered: &Result<T, Error>) -> bool {
    answered.as_ref().is_err_and(|error| error.name == "UNSUPPORTED_VERSION" && error.kind == ErrorKind::InvalidRequest)
}

#[tokio::test(flavor = "multi_thread")]
async fn several_topics_are_created_at_once_each_by_itself() {
    let target = Target::start().await;
    let there = target.topic(1).await;
    let news = [new_topic(&fresh_name(), 2), new_topic(&there, 1), new_topic(&fresh_name(), 1)];
    let tried = target.cluster.create_topics(&news, true).await.expect("answered");
    assert!(tried[0].is_ok() && tried[1].is_err() && tried[2].is_ok(), "{tried:?}");
    target.cluster.topic(&news[0].name, false).await.expect_err("it was only validated");
    let created = target.cluster.create_topics(&news, false).await.expect("answered");
    assert_eq!(created[1].as_ref().expect_err("it is there").kind, ErrorKind::TopicExists);
    let partitions = |at: usize| created[at].as_ref().expect("created").partitions;
    assert_eq!((partitions(0), partitions(2)), (2, 1));
    assert_eq!(target.cluster.topic(&news[0].name, false).await.expect("described").partitions.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_directories_say_how_large_each_replica_is() {
    let target = Target::start().await;
    let topic = target.topic(2).await;
    let record = Record { partition: Some(PartitionId(0)), ..value("a record") };
    assert!(target.append(&topic, vec![record]).await[0].is_ok());
    let dirs = target.cluster.log_dirs().await.expect("described");
    assert!(dirs.iter().all(|dir| dir.error.is_none() && !dir.path.is_empty()), "{dirs:?}");
    let replicas = dirs.iter().flat_map(|dir| &dir.replicas).filter(|replica| replica.topic == topic);
    let sizes: Vec<_> = replicas.map(|replica| (replica.partition.0, replica.size_bytes, replica.is_future)).collect();
    assert!(sizes.iter().any(|(partition, size, _)| *partition == 0 && *size > 60), "{sizes:?}");
    assert!(sizes.iter().all(|(partition, size, future)| (*partition == 0 || *size == 0) && !future), "{sizes:?}");
}

fn change(topic: &TopicName, replicas: Option<Vec<NodeId>>) -> ReassignmentChange {
    ReassignmentChange { topic: topic.clone(), partition: PartitionId(0), replicas }
}

/// A new topic with one partition on one broker, and the other brokers.
async fn on_one_broker(target: &Target) -> (TopicName, NodeId, Vec<NodeId>) {
    let new = NewTopic { replication_factor: Some(1), ..new_topic(&fresh_name(), 1) };
    target.cluster.create_topic(&new).await.expect("created");
    let [replica] = partition(target, &new.name).await.replicas[..] else { panic!("one replica") };
    let brokers = target.cluster.describe_cluster().await.expect("described").brokers;
    let others = brokers.iter().map(|broker| broker.id).filter(|id| *id != replica).collect();
    (new.name, replica, others)
}

async fn partition(target: &Target, topic: &TopicName) -> PartitionDescription {
    target.cluster.topic(topic, false).await.expect("described").partitions.remove(0)
}

/// Until it is as it shall be: the broker that is asked hears of a change a moment later.
async fn until(target: &Target, topic: &TopicName, is_expected: impl Fn(&PartitionDescription) -> bool) {
    while !is_expected(&partition(target, topic).await) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_moved_where_there_are_brokers_for_them() {
    let target = Target::start().await;
    let (topic, replica, others) = on_one_broker(&target).await;
    let nobody = change(&topic, Some(vec![NodeId(9999)]));
    let answered = target.cluster.alter_reassignments(std::slice::from_ref(&nobody)).await;
    if is_not_there(&answered) {
        return;
    }
    let refused = answered.expect("answered").remove(0).expect_err("no such broker");
    assert_eq!(refused.kind, ErrorKind::InvalidReplicaAssignment);
    let changes = [change(&topic, Some(vec![replica])), change(&fresh_name(), Some(vec![replica]))];
    let results = target.cluster.alter_reassignments(&changes).await.expect("answered");
    assert_eq!(results[0], Ok(()), "it is where it shall be");
    assert_eq!(results[1].as_ref().expect_err("no such topic").kind, ErrorKind::UnknownTopic);
    let results = target.cluster.alter_reassignments(&[change(&topic, None)]).await.expect("answered");
    assert_eq!(results[0].as_ref().expect_err("nothing to cancel").name, "NO_REASSIGNMENT_IN_PROGRESS");

    let Some(other) = others.first() else { return };
    assert!(target.append(&topic, vec![value("moves along")]).await[0].is_ok());
    let moved = target.cluster.alter_reassignments(&[change(&topic, Some(vec![*other]))]).await.expect("answered");
    assert_eq!(moved, [Ok(())]);
    until(&target, &topic, |partition| partition.replicas == [*other] && partition.leader == Some(*other)).await;
    assert_eq!(target.read(&topic, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preferred_leader_is_elected() {
    let target = Target::start().await;
    let (topic, replica, others) = on_one_broker(&target).await;
    let elect = async |election, topic: &TopicName| {
        target.cluster.elect_leaders(election, &[(topic.clone(), PartitionId(0))]).await
    };
    for election in [Election::Preferred, Election::Unclean] {
        let asked = [(topic.clone(), PartitionId(0)), (fresh_name(), PartitionId(0))];
        let answered = target.cluster.elect_leaders(election, &asked).await;
        if is_not_there(&answered) {
            return;
        }
        let results = answered.expect("answered");
        assert_eq!(results[0], Ok(()), "it leads already");
        assert_eq!(results[1].as_ref().expect_err("no such topic").kind, ErrorKind::UnknownTopic);
    }

    // Another replica becomes the preferred one, and the leader stays until it is told.
    let Some(other) = others.first() else { return };
    for replicas in [vec![replica, *other], vec![*other, replica]] {
        let moved = target.cluster.alter_reassignments(&[change(&topic, Some(replicas.clone()))]).await;
        assert_eq!(moved.expect("answered"), [Ok(())]);
        until(&target, &topic, |partition| partition.replicas == replicas && partition.in_sync.len() == 2).await;
    }
    assert_eq!(partition(&target, &topic).await.leader, Some(replica));
    assert_eq!(elect(Election::Preferred, &topic).await.expect("answered"), [Ok(())]);
    until(&target, &topic, |partition| partition.leader == Some(*other)).await;
}
