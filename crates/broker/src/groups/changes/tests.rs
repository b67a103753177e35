//! What is promised of commits while the disk hangs, fails, or others delete.

use std::task::{Context, Poll, Waker};

use postern_log::fs::{Injection, Memory, Survival};

use super::*;
use crate::groups::tests::{heartbeat, join, text};

fn open(fs: &Memory, syncs: bool) -> Arc<Groups> {
    Arc::new(Groups::open(Arc::new(fs.clone()), "offsets".into(), syncs).unwrap())
}

fn offsets(topic: &'static str, offset: i64) -> Vec<((StrBytes, i32), Committed)> {
    let committed = Committed { offset, leader_epoch: -1, metadata: text(""), committed_ms: 0 };
    vec![((text(topic), 0), committed)]
}

/// Commits for partition 0 of the topic, as a client that is not a member.
async fn commit(groups: &Arc<Groups>, id: &StrBytes, topic: &'static str, offset: i64) -> Result<(), ChangeError> {
    groups.commit(id, true, |_| Ok(()), offsets(topic, offset)).await
}

fn committed(groups: &Groups, id: &StrBytes, topic: &'static str) -> Option<i64> {
    groups.with_sessions(id, |group| group.offsets.get(&(text(topic), 0)).map(|one| one.offset))?
}

/// Polls it once: it checks and queues what it has to.
fn begin<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(matches!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    future
}

/// On a runtime with one thread, which a commit that waited for the disk itself would block.
#[tokio::test]
async fn a_disk_that_hangs_holds_up_commits_alone_and_they_share_a_sync() {
    let fs = Memory::new(1);
    let groups = open(&fs, true);
    let ids: Vec<_> = (0..100).map(|id| StrBytes::from_string(format!("g{id}"))).collect();
    let joined = join(&groups, &ids[0]);
    let before = fs.calls();
    let hangs = fs.hang();
    let first = begin(commit(&groups, &ids[0], "t", 1));
    let others: Vec<_> = ids.iter().map(|id| begin(commit(&groups, id, "t", 2))).collect();
    assert_eq!(heartbeat(&groups, &ids[0], &joined), Some(Ok(())));
    let other = text("other");
    let joined = join(&groups, &other);
    assert_eq!(heartbeat(&groups, &other, &joined), Some(Ok(())));
    assert_eq!(committed(&groups, &ids[0], "t"), None, "not before it is written");
    drop(hangs);
    first.await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    // A write and a sync for what the writer found at first, and for what had come meanwhile.
    assert!(fs.calls() - before <= 4, "{} calls", fs.calls() - before);
    fs.restart(Survival::PowerFailed);
    let again = open(&fs, true);
    assert_eq!(
        (again.count(), committed(&again, &ids[0], "t"), committed(&again, &ids[99], "t")),
        (100, Some(2), Some(2))
    );
}

#[tokio::test]
async fn a_refused_commit_changes_nothing_and_a_group_with_members_stays() {
    let groups = open(&Memory::new(1), false);
    let id = text("g");
    let refuse = |_: Option<&mut Group>| Err(ResponseError::IllegalGeneration);
    let refused = groups.commit(&id, true, refuse, offsets("t", 1)).await;
    assert!(matches!(refused, Err(ChangeError::Refused(ResponseError::IllegalGeneration))));
    assert_eq!(groups.count(), 0);
    join(&groups, &id);
    let exists = |group: Option<&mut Group>| group.map(drop).ok_or(ResponseError::GroupIdNotFound);
    groups.commit(&id, true, exists, offsets("t", 2)).await.unwrap();
    let refused = groups.delete(&id).await;
    assert!(matches!(refused, Err(ChangeError::Refused(ResponseError::NonEmptyGroup))));
    assert_eq!(committed(&groups, &id, "t"), Some(2));
}

/// What is deleted is decided behind the commits that were taken before.
#[tokio::test]
async fn deletions_respect_commits_that_wait_for_the_disk() {
    let fs = Memory::new(1);
    let groups = open(&fs, false);
    let id = text("g");
    commit(&groups, &id, "old", 1).await.unwrap();
    let hangs = fs.hang();
    // Committed again before the old offset expires: the topic that is kept by it is not forgotten.
    let mut fresh = offsets("old", 2);
    fresh[0].1.committed_ms = 1_000_000;
    let again = begin(groups.commit(&id, true, |_| Ok(()), fresh));
    let expiry = begin(groups.expire_offsets(Duration::from_secs(1), 1_000_000));
    let doomed = begin(commit(&groups, &id, "doomed", 3));
    let forgotten = groups.delete_topic_offsets(text("doomed"));
    let recreated = begin(commit(&groups, &id, "doomed", 4));
    drop(hangs);
    again.await.unwrap();
    expiry.await.unwrap();
    doomed.await.unwrap();
    forgotten.await.unwrap();
    recreated.await.unwrap();
    assert_eq!((committed(&groups, &id, "old"), committed(&groups, &id, "doomed")), (Some(2), Some(4)));
    groups.delete_topic_offsets(text("doomed")).await.unwrap();
    groups.expire_offsets(Duration::from_secs(1), 2_000_001).await.unwrap();
    assert_eq!(groups.count(), 0);
    assert_eq!(open(&fs, false).count(), 0);
}

#[tokio::test]
async fn a_member_that_joins_while_its_group_is_deleted_stays() {
    let fs = Memory::new(1);
    let groups = open(&fs, false);
    let id = text("g");
    commit(&groups, &id, "t", 1).await.unwrap();
    let hangs = fs.hang();
    let deletion = begin(groups.delete(&id));
    let joined = join(&groups, &id);
    drop(hangs);
    deletion.await.unwrap();
    assert_eq!(heartbeat(&groups, &id, &joined), Some(Ok(())));
    assert_eq!(committed(&groups, &id, "t"), None);
}

#[tokio::test]
async fn what_waits_for_the_disk_is_bounded_and_what_fails_is_not_applied() {
    let fs = Memory::new(1);
    let groups = open(&fs, false);
    let id = text("g");
    let large = |count: i64| (0..count).map(|at| ((text("t"), at as i32), offsets("t", at).remove(0).1)).collect();
    let hangs = fs.hang();
    let first = begin(groups.commit(&id, true, |_| Ok(()), large(200_000)));
    let refused = groups.commit(&id, true, |_| Ok(()), large(200_000)).await.unwrap_err().to_string();
    assert!(refused.contains("wait for the disk"), "{refused}");
    drop(hangs);
    first.await.unwrap();
    // Taken once the file, which has grown long, was rewritten.
    commit(&groups, &id, "t", 6).await.unwrap();
    fs.inject(0, Injection::Errno(28));
    assert!(matches!(commit(&groups, &id, "t", 7).await, Err(ChangeError::Storage(_))));
    assert_eq!(committed(&groups, &id, "t"), Some(6));
    commit(&groups, &id, "t", 8).await.unwrap();
    groups.close().unwrap();
    assert!(commit(&groups, &id, "t", 9).await.is_err(), "the broker has stopped");
    assert_eq!(committed(&open(&fs, false), &id, "t"), Some(8));
}
