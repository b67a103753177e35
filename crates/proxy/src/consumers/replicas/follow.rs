//! The tasks of a replica: one reads the topic, one says that the replica is there and takes back what nobody looks after.
//!
//! Needs no cluster at the start: what fails is tried again, with growing pauses.

use std::time::Duration;

use postern_kafka::{ErrorKind, NewTopic, PartitionId, Reader, StoredRecord};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::super::directory::{Directory, Ending};
use super::fold::Applied;
use super::record::{Key, Presence};
use super::{Claim, GONE, HEARTBEAT, Replicas};

/// Pauses between attempts grow from here …
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// … up to here.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// So many replicas of the topic where there are as many brokers.
const REPLICATION_MAX: i16 = 3;
/// A claim that holds is repeated before a late one can win by compaction.
const MIN_COMPACTION_LAG_MS: &str = "3600000";
/// Heartbeats are most of the topic: segments are closed, and so compacted, after six hours.
const SEGMENT_MS: &str = "21600000";
/// How often it is looked for what nobody looks after.
const SWEEP: Duration = Duration::from_secs(60);

/// Reads the topic, and closes instances here that are elsewhere or nowhere.
pub(super) async fn follow(replicas: Replicas, directory: Directory) {
    let (mut pause, mut next, mut reported) = (PAUSE_MIN, 0, String::new());
    loop {
        let obstacle = match open(&replicas).await {
            Ok((reader, end)) => {
                pause = PAUSE_MIN;
                reported.clear();
                read(&replicas, &directory, reader, end, &mut next).await
            }
            Err(obstacle) => obstacle,
        };
        if obstacle != reported {
            tracing::warn!(topic = %replicas.topic(), "the topic of consumer instances cannot be read: {obstacle}");
            reported.clone_from(&obstacle);
        }
        *replicas.0.obstacle.lock() = obstacle;
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// A reader of the topic, which is created if there is none, and its end.
async fn open(replicas: &Replicas) -> Result<(Reader, i64), String> {
    let (topic, cluster) = (replicas.topic(), &replicas.0.cluster);
    match cluster.topic(topic, false).await {
        Ok(found) if found.partitions.len() == 1 => {}
        Ok(found) => {
            let count = found.partitions.len();
            return Err(format!(
                "topic {topic} has {count} partitions: expected one, because the order of all records matters"
            ));
        }
        Err(error) if error.kind == ErrorKind::UnknownTopic => create(replicas).await?,
        Err(error) => return Err(error.to_string()),
    }
    let range = cluster.offsets(topic, PartitionId(0)).await.map_err(|error| error.to_string())?;
    let end = if range.latest > range.earliest { range.latest.0 } else { 0 };
    let reader = cluster.reader(topic, PartitionId(0)).map_err(|error| error.to_string())?;
    Ok((reader, end))
}

async fn create(replicas: &Replicas) -> Result<(), String> {
    let cluster = &replicas.0.cluster;
    let brokers = cluster.describe_cluster().await.map_err(|error| error.to_string())?.brokers.len();
    let config = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    let topic = NewTopic {
        name: replicas.topic().clone(),
        partitions: Some(1),
        replication_factor: Some(i16::try_from(brokers).unwrap_or(REPLICATION_MAX).clamp(1, REPLICATION_MAX)),
        assignments: None,
        configs: vec![
            config("cleanup.policy", "compact"),
            config("min.compaction.lag.ms", MIN_COMPACTION_LAG_MS),
            config("segment.ms", SEGMENT_MS),
        ],
        validate_only: false,
    };
    match cluster.create_topic(&topic).await {
        Ok(_) => {
            tracing::info!(topic = %topic.name, "created the topic of consumer instances");
            Ok(())
        }
        // Another replica was faster.
        Err(error) if error.kind == ErrorKind::TopicExists => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Applies records as they come, until reading fails. A new reader begins with the first record: what was applied is skipped.
async fn read(replicas: &Replicas, directory: &Directory, mut reader: Reader, end: i64, next: &mut i64) -> String {
    loop {
        if *next >= end {
            replicas.0.next.send_replace(Some(*next));
        }
        match reader.next().await {
            Ok(records) => {
                for record in records.iter().filter(|record| record.offset.0 >= *next) {
                    apply(replicas, directory, record);
                }
                *next = records.last().map_or(*next, |last| (*next).max(last.offset.0 + 1));
            }
            Err(error) => return error.to_string(),
        }
    }
}

fn apply(replicas: &Replicas, directory: &Directory, record: &StoredRecord) {
    let applied = replicas.0.fold.lock().apply(record.key.as_deref(), record.value.as_deref(), Instant::now());
    match applied {
        Ok(Applied::Holds(at, holder)) if holder != replicas.id() => {
            if directory.remove(&at, Ending::Moved).is_ok() {
                tracing::info!(group = at.group, name = at.name, "a consumer instance was opened by another replica");
            }
        }
        Ok(Applied::Gone(at)) => drop(directory.remove(&at, Ending::Deleted)),
        Ok(Applied::TooLate(at, holder)) if holder == replicas.id() => {
            let replicas = replicas.clone();
            tokio::spawn(async move {
                let Some(claim) = replicas.claim(&at).filter(|claim| claim.replica == replicas.id()) else { return };
                if let Err(error) = replicas.write(&at, &claim).await {
                    tracing::warn!("the claim for a consumer instance was not repeated: {error}");
                }
            });
        }
        Ok(Applied::Holds(..) | Applied::TooLate(..) | Applied::Presence) => {}
        Err(error) => tracing::warn!(
            topic = %replicas.topic(), offset = record.offset.0, "a record of the topic of consumer instances is skipped: {error}"
        ),
    }
}

/// Says that this replica is there, and takes back what nobody looks after.
pub(super) async fn keep(replicas: Replicas, directory: Directory) {
    let mut heartbeats = interval(HEARTBEAT);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = Instant::now();
    loop {
        heartbeats.tick().await;
        let presence = Presence { address: replicas.address().to_owned() };
        if let Err(error) = replicas.append(vec![Key::Replica(replicas.id()).record(Some(&presence))]).await {
            tracing::debug!("other replicas could not be told that this one is there: {error}");
            continue;
        }
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            sweep(&replicas, &directory).await;
        }
    }
}

async fn sweep(replicas: &Replicas, directory: &Directory) {
    let keep = directory.limits().idle.max(2 * GONE);
    let Some(since) = Instant::now().checked_sub(keep) else { return };
    let abandoned = replicas.0.fold.lock().abandoned(since);
    let records = abandoned.into_iter().map(|key| key.record(None::<&Claim>)).collect();
    if let Err(error) = replicas.append(records).await {
        tracing::debug!("what nobody looks after could not be taken back: {error}");
    }
    // What this replica holds and does not have: its end could not be written, or it was not known whether the claim was.
    let held = replicas.0.fold.lock().held_by(replicas.id(), since);
    for (at, claim) in held {
        let _opening = replicas.opening(&at).await;
        if !directory.has(&at) && replicas.holds(&at, claim.incarnation) {
            drop(replicas.take_back(&at).await);
        }
    }
}
