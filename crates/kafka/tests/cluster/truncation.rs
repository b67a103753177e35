//! Logs that have lost what was read, because a leader without all records was elected.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use postern_broker::ApiKey;
use postern_kafka::{
    Cluster, CommitOffset, Consumer, ConsumerSettings, ErrorKind, NewTopic, NodeId, Offset, OffsetReset, PartitionId,
    SeekTo, TopicName,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    chaos::{
        nodes::Nodes,
        wire_faults::{FaultyWay, WireFault},
    },
    consuming::{at, read, settings, soon},
    target::{Embedded, Target, append, connect, fresh_name, new_topic, topic, value},
};

/// The last version of Fetch whose answer does not say where logs part.
const WITHOUT_EPOCHS: i16 = 11;

fn consumer(cluster: &Cluster, group: &TopicName, auto_offset_reset: OffsetReset) -> Consumer {
    cluster.consumer(ConsumerSettings { auto_offset_reset, auto_commit: None, ..settings(group) }).expect("made")
}

fn beginning(cluster: &Cluster, topic: &TopicName, auto_offset_reset: OffsetReset) -> Consumer {
    let mut consumer = consumer(cluster, &fresh_name(), auto_offset_reset);
    consumer.assign(vec![at(topic, 0)]);
    consumer.seek(&at(topic, 0), SeekTo::Beginning).expect("assigned");
    consumer
}

async fn expect_truncation(consumer: &mut Consumer) {
    let told = async {
        loop {
            if let Err(error) = consumer.poll(soon()).await {
                return error;
            }
        }
    };
    let told = timeout(Duration::from_secs(60), told).await.expect("in time");
    assert_eq!((told.kind, told.name.as_str()), (ErrorKind::NoOffset, "LOG_TRUNCATED"), "{told}");
}

/// A leader without all records was elected: what was read and is no longer there is told, or reading goes on from where the logs
/// part, as the reset policy says.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_log_is_noticed() {
    let embedded = Embedded::start().await;
    let way = FaultyWay::to(&embedded.broker.address().to_string()).await;
    let cluster = connect(&way.bootstrap);
    let topic = topic(&cluster, 1).await;
    append(&cluster, &topic, ["a", "b", "c"].map(value).into()).await.remove(2).expect("written");
    let mut reader = cluster.reader(&topic, PartitionId(0)).expect("starts");
    assert_eq!(reader.next().await.expect("read").len(), 3);
    let mut resetting = beginning(&cluster, &topic, OffsetReset::Earliest);
    let mut strict = beginning(&cluster, &topic, OffsetReset::None);
    for consumer in [&mut resetting, &mut strict] {
        assert_eq!(read(consumer, 3).await, ["a", "b", "c"]);
    }
    // Again and again: a request of one of the others may be under way, and meet the fault instead of the one that is waited for.
    let faults = Arc::clone(&way.faults);
    let mut diverging = JoinSet::new();
    diverging.spawn(async move {
        loop {
            faults.add(ApiKey::Fetch, WireFault::Diverging(1));
            sleep(Duration::from_millis(300)).await;
        }
    });
    expect_truncation(&mut strict).await;
    assert_eq!(
        strict.position(&at(&topic, 0), soon()).await,
        Ok(Offset(3)),
        "it is the caller's to say where to go on"
    );
    assert_eq!(read(&mut resetting, 2).await, ["b", "c"]);
    let again = timeout(Duration::from_secs(10), reader.next()).await.expect("in time").expect("read");
    assert_eq!((again.len(), again[0].offset), (2, Offset(1)));
}

/// Commits carry the epoch, whether the caller names the offset or not, and a member that begins there notices that the log has lost what
/// was read: from Fetch, and by asking a leader that has an older Fetch.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_beyond_a_truncated_log_is_noticed() {
    let target = Target::start().await;
    let topic = target.topic(1).await;
    target.append(&topic, ["a", "b", "c"].map(value).into()).await.remove(2).expect("written");
    let group = fresh_name();
    let mut committing = beginning(&target.cluster, &topic, OffsetReset::Earliest);
    let named = |offset, leader_epoch| CommitOffset {
        partition: at(&topic, 0),
        offset: Offset(offset),
        leader_epoch,
        metadata: String::new(),
    };
    assert_eq!(read(&mut committing, 2).await, ["a", "b"]);
    for (commit, epoch) in [(None, Some(0)), (Some(vec![named(1, None)]), None), (Some(vec![named(2, None)]), Some(0))]
    {
        committing.commit(commit, soon()).await.expect("committed");
        let committed = committing.committed(&[at(&topic, 0)], soon()).await.expect("answered");
        assert_eq!(committed[0].leader_epoch, epoch, "{committed:?}");
    }

    let mut member = consumer(&target.cluster, &group, OffsetReset::Earliest);
    let mut clusters = vec![target.another()];
    let way = match target.is_secured() {
        true => None,
        false => Some(FaultyWay::to(&target.address).await),
    };
    if let Some(way) = &way {
        way.faults.fetch_version.store(WITHOUT_EPOCHS, Relaxed);
        clusters.push(connect(&way.bootstrap));
    }
    for cluster in &clusters {
        member.commit(Some(vec![named(5, Some(0))]), soon()).await.expect("committed");
        let mut strict = consumer(cluster, &group, OffsetReset::None);
        strict.assign(vec![at(&topic, 0)]);
        for _ in 0..2 {
            expect_truncation(&mut strict).await;
        }
        strict.seek(&at(&topic, 0), SeekTo::Offset(Offset(2))).expect("assigned");
        assert_eq!(read(&mut strict, 1).await, ["c"]);
        let mut resetting = consumer(cluster, &group, OffsetReset::Earliest);
        resetting.assign(vec![at(&topic, 0)]);
        // Not from the beginning: the log is read on from where it ends.
        assert_eq!(resetting.poll(tokio::time::Instant::now() + Duration::from_secs(1)).await, Ok(false));
        assert_eq!(resetting.position(&at(&topic, 0), soon()).await, Ok(Offset(3)));

        // Without the epoch it is an offset that is out of range.
        member.commit(Some(vec![named(5, None)]), soon()).await.expect("committed");
        let mut unaware = consumer(cluster, &group, OffsetReset::Earliest);
        unaware.assign(vec![at(&topic, 0)]);
        assert_eq!(read(&mut unaware, 1).await, ["a"]);
    }
}

/// A reader that finds another leader asks it, where its Fetch says nothing of epochs.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_with_an_older_fetch_is_asked() {
    let embedded = Embedded::start().await;
    let way = FaultyWay::to(&embedded.broker.address().to_string()).await;
    way.faults.fetch_version.store(WITHOUT_EPOCHS, Relaxed);
    let cluster = connect(&way.bootstrap);
    let topic = topic(&cluster, 1).await;
    append(&cluster, &topic, ["a", "b", "c"].map(value).into()).await.remove(2).expect("written");
    let mut reader = cluster.reader(&topic, PartitionId(0)).expect("starts");
    assert_eq!(reader.next().await.expect("read").len(), 3);
    way.faults.add(ApiKey::OffsetForLeaderEpoch, WireFault::Diverging(1));
    way.faults.add(ApiKey::Fetch, WireFault::CloseAfter);
    let again = timeout(Duration::from_secs(20), reader.next()).await.expect("in time").expect("read");
    assert_eq!((again.len(), again[0].offset), (2, Offset(1)));
}

/// Two of three nodes away, one after the other, so that the one without the last records is elected: whoever has read them notices, and
/// goes on where the logs part; what the producer appends afterwards stands where it was told.
#[tokio::test(flavor = "multi_thread")]
async fn an_unclean_election_is_noticed() {
    let Some(nodes) = Nodes::find() else {
        eprintln!("SKIPPED: it needs three nodes that it may kill, which POSTERN_TEST_NODES names");
        return;
    };
    let cluster = connect(&nodes.bootstrap);
    let name = fresh_name();
    let unclean = [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")];
    let wanted = NewTopic {
        partitions: None,
        assignments: Some(vec![vec![1, 2]]),
        configs: unclean.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).into(),
        ..new_topic(&name, 1)
    };
    cluster.create_topic(&wanted).await.expect("created");
    append(&cluster, &name, ["a", "b", "c"].map(value).into()).await.remove(2).expect("written");
    let group = fresh_name();
    let mut resetting = beginning(&cluster, &name, OffsetReset::Latest);
    let mut strict = beginning(&cluster, &name, OffsetReset::None);
    let mut member = consumer(&cluster, &group, OffsetReset::Latest);
    member.assign(vec![at(&name, 0)]);
    member.seek(&at(&name, 0), SeekTo::Beginning).expect("assigned");
    let mut reader = cluster.reader(&name, PartitionId(0)).expect("starts");
    // The topic of commits is made while all nodes are there.
    assert_eq!(member.committed(&[at(&name, 0)], soon()).await, Ok(Vec::new()));

    nodes.signal(2, "-KILL");
    wait_for(&cluster, &name, |in_sync, _| in_sync == [1]).await;
    let lost = append(&cluster, &name, ["lost", "lost too"].map(value).into()).await;
    assert_eq!(lost[1].as_ref().map(|receipt| receipt.offset), Ok(Offset(4)));
    for consumer in [&mut resetting, &mut strict, &mut member] {
        assert_eq!(read(consumer, 5).await, ["a", "b", "c", "lost", "lost too"]);
    }
    member.commit(None, soon()).await.expect("committed");
    let mut read_by_reader = 0;
    while read_by_reader < 5 {
        read_by_reader += reader.next().await.expect("read").len();
    }

    nodes.signal(1, "-KILL");
    nodes.start(2);
    wait_for(&cluster, &name, |_, leader| leader == Some(2)).await;
    // The next sequence is one that this leader does not expect: it has lost those before.
    let receipt = append(&cluster, &name, vec![value("after")]).await.remove(0).expect("written");
    assert_eq!(receipt.offset, Offset(3));
    expect_truncation(&mut strict).await;
    assert_eq!(read(&mut resetting, 1).await, ["after"]);
    let again = timeout(Duration::from_secs(20), reader.next()).await.expect("in time").expect("read");
    assert_eq!((again.len(), again[0].offset), (1, Offset(3)));
    drop(member);
    let mut next = consumer(&cluster, &group, OffsetReset::Latest);
    next.assign(vec![at(&name, 0)]);
    assert_eq!(read(&mut next, 1).await, ["after"], "from where the logs part, not from the end");

    nodes.start(1);
    wait_for(&cluster, &name, |in_sync, _| in_sync.len() == 2).await;
    let mut whole = beginning(&cluster, &name, OffsetReset::None);
    assert_eq!(read(&mut whole, 4).await, ["a", "b", "c", "after"], "and nothing of what was lost comes back");
}

/// Waits until the partition has these replicas in sync, and this leader.
async fn wait_for(cluster: &Cluster, topic: &TopicName, is_so: impl Fn(&[i32], Option<i32>) -> bool) {
    let end = Instant::now() + Duration::from_secs(90);
    loop {
        if let Ok(described) = cluster.topic(topic, false).await {
            let partition = &described.partitions[0];
            let in_sync: Vec<i32> = partition.in_sync.iter().map(|node| node.0).collect();
            if is_so(&in_sync, partition.leader.map(|NodeId(node)| node)) {
                return;
            }
        }
        assert!(Instant::now() < end, "the partition is not as it should be");
        sleep(Duration::from_millis(100)).await;
    }
}
