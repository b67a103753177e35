//! Members of one group: who reads what, rebalances, members that vanish, coordinators that refuse.

use std::{collections::BTreeSet, time::Duration};

use postern_broker::{ApiKey, ErrorCode, Fault};
use postern_kafka::{
    Assignor, Cluster, Consumer, ConsumerSettings, ErrorKind, Offset, PartitionId, Record, Subscription, TopicName,
    TopicPartition,
};
use tokio::time::{Instant, timeout};

use crate::{
    consuming::{at, read, settings, soon},
    target::{Embedded, Target, append, connect, fresh_name, topic, value},
};

/// Lets all members run until `done` says so of their assignments. Nothing is taken.
async fn until(members: &mut [&mut Consumer], mut done: impl FnMut(&[Vec<TopicPartition>]) -> bool) {
    let end = soon();
    loop {
        let assigned: Vec<_> = members.iter().map(|member| member.assignment()).collect();
        if done(&assigned) {
            return;
        }
        assert!(Instant::now() < end, "{assigned:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Everything has one owner, and each has so many.
fn shared(counts: &'static [usize]) -> impl Fn(&[Vec<TopicPartition>]) -> bool {
    move |assigned| {
        let mut sizes: Vec<_> = assigned.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        let distinct: BTreeSet<_> = assigned.iter().flatten().collect();
        sizes == counts && distinct.len() == counts.iter().sum::<usize>()
    }
}

fn member(target: &Target, settings: ConsumerSettings, topic: &TopicName) -> Consumer {
    let mut member = target.cluster.consumer(settings).expect("made");
    member.subscribe(Subscription::Topics(vec![topic.clone()]));
    member
}

#[tokio::test(flavor = "multi_thread")]
async fn members_share_partitions_as_they_come_and_go() {
    let target = Target::start().await;
    for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky] {
        let assignors = vec![assignor];
        let (topic, group) = (target.topic(6).await, fresh_name());
        let settings = ConsumerSettings { assignors, ..settings(&group) };
        let mut first = member(&target, settings.clone(), &topic);
        until(&mut [&mut first], shared(&[6])).await;
        let mut second = member(&target, settings.clone(), &topic);
        until(&mut [&mut first, &mut second], shared(&[3, 3])).await;
        let mut third = member(&target, settings.clone(), &topic);
        until(&mut [&mut first, &mut second, &mut third], shared(&[2, 2, 2])).await;
        second.close(soon()).await.expect("left");
        until(&mut [&mut first, &mut third], shared(&[3, 3])).await;
        first.unsubscribe();
        assert_eq!(first.assignment(), []);
        until(&mut [&mut third], shared(&[6])).await;
        drop(third);
        first.subscribe(Subscription::Topics(vec![topic.clone()]));
        until(&mut [&mut first], shared(&[6])).await;
    }
}

/// Members come and go while records are written: each record is read, and in the end all are committed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_members_come_and_go() {
    const RECORDS: usize = 1_200;
    let target = Target::start().await;
    let (topic, group) = (target.topic(4).await, fresh_name());
    let settings = ConsumerSettings { auto_commit: None, ..settings(&group) };
    let (seen, mut all_seen) = tokio::sync::mpsc::channel(100 * RECORDS);
    let (stop, stopped) = tokio::sync::watch::channel(0_usize);
    let mut tasks = Vec::new();
    for number in 0..4_usize {
        let mut consumer = member(&target, settings.clone(), &topic);
        let (seen, mut stopped) = (seen.clone(), stopped.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                tokio::select! {
                    polled = consumer.poll(soon()) => drop(polled.expect("polled")),
                    stop = stopped.wait_for(|stopped| *stopped > number) => { drop(stop); break }
                }
                while let Some(record) = consumer.take() {
                    seen.try_send((record.partition, record.record.offset)).expect("room");
                }
                consumer.confirm();
                // What could not be committed is read again, by whoever owns it then.
                let _ = consumer.commit(None, soon()).await;
            }
            consumer.close(soon()).await.expect("left");
        }));
        let records = (0..RECORDS / 4).map(|at| Record { partition: Some(PartitionId((at % 4) as i32)), ..value("x") });
        for receipt in target.append(&topic, records.collect()).await {
            receipt.expect("written");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        if number > 0 {
            stop.send_replace(number - 1); // the first ones leave while others come
        }
    }
    let mut observer = target.cluster.consumer(settings).expect("made");
    let partitions: Vec<_> = (0..4).map(|partition| at(&topic, partition)).collect();
    let end = soon();
    loop {
        let committed = observer.committed(&partitions, soon()).await.expect("answered");
        if committed.iter().map(|committed| committed.offset.0).eq([RECORDS as i64 / 4; 4]) {
            break;
        }
        assert!(Instant::now() < end, "{committed:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.send_replace(4);
    for task in tasks {
        task.await.expect("joins");
    }
    drop(seen);
    let mut read = BTreeSet::new();
    while let Some(at) = all_seen.recv().await {
        read.insert(at);
    }
    assert_eq!(read.len(), RECORDS, "committed means read");
}

/// What was taken and not confirmed when a rebalance began can still be confirmed where the partition stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_stays_keeps_its_position() {
    let target = Target::start().await;
    let (topic, group) = (target.topic(2).await, fresh_name());
    let records = (0..2).map(|partition| Record { partition: Some(PartitionId(partition)), ..value("x") });
    target.append(&topic, records.clone().collect()).await;
    let settings = ConsumerSettings { auto_commit: None, ..settings(&group) };
    let mut first = member(&target, settings.clone(), &topic);
    assert_eq!(read(&mut first, 2).await.len(), 2);
    let mut second = member(&target, settings, &topic);
    until(&mut [&mut first, &mut second], shared(&[1, 1])).await;
    let kept = first.assignment().remove(0);
    assert_eq!(first.position(&kept, soon()).await, Ok(Offset(1)), "not read again, though not committed");
    let moved = second.assignment().remove(0);
    assert_eq!(second.position(&moved, soon()).await, Ok(Offset(0)), "nobody has committed it");
}

/// Cooperatively only what moves is given up, after it is committed, and the others are read on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_cooperative_rebalance_takes_only_what_moves() {
    let target = Target::start().await;
    let (topic, group) = (target.topic(4).await, fresh_name());
    let settings = ConsumerSettings { assignors: vec![Assignor::CooperativeSticky], ..settings(&group) };
    let to_each = || (0..4).map(|partition| Record { partition: Some(PartitionId(partition)), ..value("x") }).collect();
    target.append(&topic, to_each()).await;
    let mut first = member(&target, settings.clone(), &topic);
    assert_eq!(read(&mut first, 4).await.len(), 4);

    let mut second = member(&target, settings.clone(), &topic);
    let mut least = 4;
    until(&mut [&mut first, &mut second], |assigned| {
        least = least.min(assigned[0].len());
        shared(&[2, 2])(assigned)
    })
    .await;
    assert_eq!(least, 2, "two stayed all the time");
    for kept in first.assignment() {
        assert_eq!(first.position(&kept, soon()).await, Ok(Offset(1)), "read on where it was");
    }
    for moved in second.assignment() {
        assert_eq!(second.position(&moved, soon()).await, Ok(Offset(1)), "committed before it was given up");
    }
    target.append(&topic, to_each()).await;
    assert_eq!((read(&mut first, 2).await.len(), read(&mut second, 2).await.len()), (2, 2));

    // Whoever stays takes over without a break.
    second.close(soon()).await.expect("left");
    until(&mut [&mut first], shared(&[4])).await;
    for partition in first.assignment() {
        assert_eq!(first.position(&partition, soon()).await, Ok(Offset(2)));
    }
}

/// Members that offer several assignors agree on one that all of them know.
#[tokio::test(flavor = "multi_thread")]
async fn members_with_different_assignors_agree_on_one() {
    let target = Target::start().await;
    let (topic, group) = (target.topic(4).await, fresh_name());
    let with = |assignors: &[Assignor]| ConsumerSettings { assignors: assignors.to_vec(), ..settings(&group) };
    let mut first = member(&target, with(&[Assignor::CooperativeSticky, Assignor::Range]), &topic);
    until(&mut [&mut first], shared(&[4])).await;
    let mut second = member(&target, with(&[Assignor::Range, Assignor::Sticky]), &topic);
    until(&mut [&mut first, &mut second], shared(&[2, 2])).await;
    let mut third = member(&target, with(&[Assignor::Sticky]), &topic);
    let refused = third.poll(soon()).await.expect_err("nothing in common");
    assert_eq!(refused.name, "INCONSISTENT_GROUP_PROTOCOL", "{refused}");
}

/// A member that vanishes without leaving is dropped when its session ends.
#[test]
fn what_a_vanished_member_read_goes_to_the_others() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs");
    let (main, doomed) = (runtime(), runtime());
    main.block_on(async {
        let target = Target::start().await;
        let (topic, group) = (target.topic(2).await, fresh_name());
        let (kafka, settings) = (target.settings(), settings(&group));
        let vanishing = doomed.spawn({
            let (topic, settings) = (topic.clone(), settings.clone());
            async move {
                let kafka = Cluster::connect(kafka).expect("the settings are sound");
                let mut member = kafka.consumer(settings).expect("made");
                member.subscribe(Subscription::Topics(vec![topic]));
                until(&mut [&mut member], shared(&[2])).await;
                member
            }
        });
        std::mem::forget(vanishing.await.expect("joins"));
        doomed.shutdown_background();
        let mut survivor = member(&target, settings, &topic);
        until(&mut [&mut survivor], shared(&[2])).await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_member_comes_back_to_what_it_had_and_fences_its_double() {
    let target = Target::start().await;
    let (topic, group) = (target.topic(2).await, fresh_name());
    // Longer than any wait here.
    let session_timeout = Duration::from_secs(45);
    let named = |instance: &str| ConsumerSettings {
        group_instance_id: Some(instance.to_owned()),
        session_timeout,
        ..settings(&group)
    };
    let mut a = member(&target, named("a"), &topic);
    until(&mut [&mut a], shared(&[2])).await;
    let mut b = member(&target, named("b"), &topic);
    until(&mut [&mut a, &mut b], shared(&[1, 1])).await;
    let had = (a.assignment(), b.assignment());
    b.close(soon()).await.expect("closed");
    let mut b = member(&target, named("b"), &topic);
    until(&mut [&mut a, &mut b], shared(&[1, 1])).await;
    assert_eq!((a.assignment(), b.assignment()), had);

    let mut double = member(&target, named("b"), &topic);
    let fenced = b.poll(soon()).await.expect_err("fenced");
    assert_eq!((fenced.kind, fenced.name.as_str()), (ErrorKind::Other, "FENCED_INSTANCE_ID"), "{fenced}");
    until(&mut [&mut a, &mut double], shared(&[1, 1])).await;
    assert_eq!(double.assignment(), had.1);
    assert_eq!(b.assignment(), []);

    // One that leaves for good does not wait for its session to end, as one does that is only closed.
    double.leave(soon()).await.expect("left");
    until(&mut [&mut a], shared(&[2])).await;
    let mut back = member(&target, named("b"), &topic);
    until(&mut [&mut a, &mut back], shared(&[1, 1])).await;
}

/// Whatever the coordinator answers once, the member is back soon, and reads on where it was.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_the_coordinator_are_got_over() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let (topic, group) = (topic(&cluster, 1).await, fresh_name());
    let mut consumer = cluster.consumer(settings(&group)).expect("made");
    consumer.subscribe(Subscription::Topics(vec![topic.clone()]));
    let faults = embedded.broker.faults();
    let refusals = [
        ErrorCode::NotCoordinator,
        ErrorCode::CoordinatorNotAvailable,
        ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::UnknownMemberId,
        ErrorCode::IllegalGeneration,
        ErrorCode::RebalanceInProgress,
    ];
    let mut number = 0;
    for api in [ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::Heartbeat, ApiKey::OffsetFetch, ApiKey::FindCoordinator] {
        for refusal in refusals {
            let passing = matches!(
                refusal,
                ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress
            );
            if matches!(api, ApiKey::OffsetFetch | ApiKey::FindCoordinator) && !passing {
                continue; // not an answer to these
            }
            faults.add(api, None, Fault::Error(refusal), 1);
            if api != ApiKey::Heartbeat {
                consumer.subscribe(Subscription::Topics(vec![topic.clone()]));
            }
            let end = soon();
            while faults.left() > 0 && api != ApiKey::FindCoordinator {
                assert!(Instant::now() < end, "{api:?} was not asked");
                let _ = timeout(Duration::from_millis(20), consumer.poll(soon())).await;
            }
            faults.clear();
            append(&cluster, &topic, vec![value(&number.to_string())]).await.remove(0).expect("written");
            assert_eq!(read(&mut consumer, 1).await, [number.to_string()], "{api:?} {refusal:?}");
            consumer.commit(None, soon()).await.expect("committed");
            number += 1;
        }
    }
    for fault in [Fault::Close, Fault::LoseAnswer] {
        for api in [ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::Heartbeat, ApiKey::OffsetCommit, ApiKey::Fetch] {
            faults.add(api, None, fault, 1);
            consumer.subscribe(Subscription::Topics(vec![topic.clone()]));
            append(&cluster, &topic, vec![value(&number.to_string())]).await.remove(0).expect("written");
            assert_eq!(read(&mut consumer, 1).await, [number.to_string()], "{api:?} {fault:?}");
            consumer.commit(None, soon()).await.expect("committed");
            faults.clear();
            number += 1;
        }
    }
    faults.add(ApiKey::OffsetCommit, None, Fault::Error(ErrorCode::RebalanceInProgress), 1);
    faults.add(ApiKey::Heartbeat, None, Fault::Error(ErrorCode::RebalanceInProgress), 1);
    append(&cluster, &topic, vec![value("during a rebalance")]).await.remove(0).expect("written");
    assert_eq!(read(&mut consumer, 1).await, ["during a rebalance"]);
    consumer.commit(None, soon()).await.expect("committed after the rebalance");
    let committed = consumer.committed(&[at(&topic, 0)], soon()).await.expect("answered");
    assert_eq!(committed[0].offset, Offset(number + 1));
}

/// A refusal that joining again would not cure is told; the group is tried again when the consumer is polled again.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_group_is_told_and_tried_again() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let (topic, group) = (topic(&cluster, 1).await, fresh_name());
    embedded.broker.faults().add(ApiKey::JoinGroup, None, Fault::Error(ErrorCode::GroupAuthorizationFailed), 1);
    let mut consumer = cluster.consumer(settings(&group)).expect("made");
    consumer.subscribe(Subscription::Topics(vec![topic.clone()]));
    let refused = consumer.poll(soon()).await.expect_err("refused");
    assert_eq!((refused.kind, refused.name.as_str()), (ErrorKind::Authorization, "GROUP_AUTHORIZATION_FAILED"));
    append(&cluster, &topic, vec![value("allowed")]).await.remove(0).expect("written");
    assert_eq!(read(&mut consumer, 1).await, ["allowed"]);
    let short = ConsumerSettings { session_timeout: Duration::from_secs(1), ..settings(&fresh_name()) };
    let mut short = cluster.consumer(short).expect("made");
    short.subscribe(Subscription::Topics(vec![topic]));
    assert_eq!(short.poll(soon()).await.expect_err("refused").name, "INVALID_SESSION_TIMEOUT");
}

/// A broker that goes away and comes back: the consumer reads on.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_for() {
    let embedded = Embedded::start().await;
    let cluster = connect(&embedded.broker.address().to_string());
    let (topic, group) = (topic(&cluster, 1).await, fresh_name());
    append(&cluster, &topic, vec![value("before")]).await.remove(0).expect("written");
    let mut consumer = cluster.consumer(settings(&group)).expect("made");
    consumer.subscribe(Subscription::Topics(vec![topic.clone()]));
    assert_eq!(read(&mut consumer, 1).await, ["before"]);
    consumer.commit(None, soon()).await.expect("committed");
    let stopped = embedded.stop().await;
    assert_eq!(consumer.poll(Instant::now() + Duration::from_millis(500)).await, Ok(false));
    let embedded = stopped.restart().await;
    append(&cluster, &topic, vec![value("after")]).await.remove(0).expect("written");
    assert_eq!(read(&mut consumer, 1).await, ["after"]);
    consumer.close(soon()).await.expect("left");
    drop(embedded);
}
