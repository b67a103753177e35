//! The task that reads the topic and keeps the state: opens or creates the topic, catches up, then follows it.
//!
//! Needs no cluster at the start: what fails is tried again, with growing pauses. A topic that cannot be used (wrong cleanup
//! policy, records in several partitions) is refused with the command that corrects it, and looked at again.
//!
//! Source: docs/reference/schema-registry.md §12.1, §12.5.

use std::sync::Arc;
use std::time::Duration;

use postern_kafka::{
    ConfigResource, ErrorKind, NewTopic, OffsetRange, PartitionDescription, PartitionId, Reader, StoredRecord,
};
use tokio::time::Instant;

use crate::core::Core;
use crate::log;
use crate::operations::write::topic_gone;
use crate::state::changes::{ApplyOutcome, StateChange};

/// Pauses between attempts grow from here …
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// … up to here.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Neither winners nor rejected records are compacted away before this.
const MIN_COMPACTION_LAG_MS: &str = "3600000";

/// Reads the topic until the registry is dropped.
pub(crate) async fn read_topic(core: Arc<Core>) {
    let mut pause = PAUSE_MIN;
    let mut next = 0;
    let mut reported = String::new();
    loop {
        let obstacle = match open(&core, next > 0).await {
            Ok((reader, range)) => {
                pause = PAUSE_MIN;
                reported.clear();
                if range.latest.0 < next {
                    tracing::error!(topic = %core.settings.topic, end = range.latest.0, read_up_to = next, "the schema topic is shorter than what was read of it before, so it is another topic: the registry begins anew");
                    core.reset();
                    next = 0;
                }
                let end = if range.latest > range.earliest { range.latest.0 } else { 0 };
                read(&core, reader, end, &mut next).await
            }
            Err(obstacle) => obstacle,
        };
        if obstacle != reported {
            tracing::warn!(topic = %core.settings.topic, "the registry cannot read its topic: {obstacle}");
            reported.clone_from(&obstacle);
        }
        core.progress.set_obstacle(obstacle);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// A reader of a topic that is as it must be, and where the topic begins and ends: that is to be reached before the first answer.
/// `was_read`: it was there before, so it is not created again.
async fn open(core: &Core, was_read: bool) -> Result<(Reader, OffsetRange), String> {
    let topic = &core.settings.topic;
    match core.cluster.topic(topic, false).await {
        Ok(found) => {
            check_partitions(core, &found.partitions).await?;
            check_policy(core).await?;
        }
        Err(error) if error.kind == ErrorKind::UnknownTopic && was_read => return Err(topic_gone(topic)),
        Err(error) if error.kind == ErrorKind::UnknownTopic && core.settings.follower => {
            return Err(format!("topic {topic} does not exist yet, and a follower does not create it"));
        }
        Err(error) if error.kind == ErrorKind::UnknownTopic => create(core).await?,
        Err(error) => return Err(error.to_string()),
    }
    let range = core.cluster.offsets(topic, PartitionId(0)).await.map_err(|error| error.to_string())?;
    let reader = core.cluster.reader(topic, PartitionId(0)).map_err(|error| error.to_string())?;
    Ok((reader, range))
}

/// The order of all records matters, so they must all be in partition 0. Further partitions, which cannot be taken away again, must
/// be empty.
async fn check_partitions(core: &Core, partitions: &[PartitionDescription]) -> Result<(), String> {
    let topic = &core.settings.topic;
    for partition in partitions.iter().map(|partition| partition.id).filter(|id| *id != PartitionId(0)) {
        let range = core.cluster.offsets(topic, partition).await.map_err(|error| error.to_string())?;
        if range.latest > range.earliest {
            return Err(format!(
                "topic {topic} has {} partitions with records in partition {partition}, but the order of all records matters, so they must all be in partition 0. Copy the records into a topic with one partition, in the order of their timestamps, and name that topic",
                partitions.len()
            ));
        }
    }
    if partitions.len() > 1 {
        let partitions = partitions.len();
        tracing::warn!(%topic, partitions, "the schema topic has more than one partition: only partition 0 is used, and Confluent's registry refuses such a topic");
    }
    Ok(())
}

async fn check_policy(core: &Core) -> Result<(), String> {
    let topic = &core.settings.topic;
    let configs = match core.cluster.configs(&ConfigResource::Topic(topic.clone())).await {
        Ok(configs) => configs,
        Err(error) if error.kind == ErrorKind::Authorization => {
            tracing::warn!(%topic, "not allowed to look at the configs of the topic; cleanup.policy=compact is assumed");
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    };
    let policy =
        configs.iter().find(|config| config.name == "cleanup.policy").and_then(|config| config.value.as_deref());
    match policy {
        None | Some("compact") => Ok(()),
        Some(other) => Err(format!(
            "topic {topic} has cleanup.policy={other}, so schemas would be lost in time. Change it: kafka-configs.sh --bootstrap-server … --alter --topic {topic} --add-config cleanup.policy=compact"
        )),
    }
}

async fn create(core: &Core) -> Result<(), String> {
    let brokers = core.cluster.describe_cluster().await.map_err(|error| error.to_string())?.brokers.len();
    let brokers = i16::try_from(brokers).unwrap_or(i16::MAX).max(1);
    let topic = NewTopic {
        name: core.settings.topic.clone(),
        partitions: Some(1),
        replication_factor: Some(core.settings.replication_factor.min(brokers)),
        assignments: None,
        configs: vec![
            ("cleanup.policy".to_owned(), Some("compact".to_owned())),
            ("min.compaction.lag.ms".to_owned(), Some(MIN_COMPACTION_LAG_MS.to_owned())),
        ],
        validate_only: false,
    };
    match core.cluster.create_topic(&topic).await {
        Ok(_) => {
            tracing::info!(topic = %topic.name, "created the schema topic");
            Ok(())
        }
        // Another instance was faster.
        Err(error) if error.kind == ErrorKind::TopicExists => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Applies records as they come, until reading fails. `next` is the next offset to apply: a new reader starts at the beginning
/// of the topic, and what it brings again is skipped.
async fn read(core: &Core, mut reader: Reader, end: i64, next: &mut i64) -> String {
    let started = Instant::now();
    loop {
        if *next >= end && !core.progress.is_caught_up() {
            tracing::info!(topic = %core.settings.topic, offset = *next, elapsed_ms = started.elapsed().as_millis(), "the registry has caught up");
        }
        if *next >= end {
            core.progress.set(*next);
            if core.state.read().winners_to_rewrite().next().is_some() {
                core.progress.rejected.notify_one();
            }
        }
        match reader.next().await {
            Ok(records) => apply(core, &records, next),
            Err(error) => return error.to_string(),
        }
    }
}

/// Applies a batch of records. Caches drop what changed before anyone can see the new state.
fn apply(core: &Core, records: &[StoredRecord], next: &mut i64) {
    let decoded: Vec<_> = records
        .iter()
        .filter(|record| record.offset.0 >= *next)
        .map(|record| (record, log::decode(record.key.as_deref(), record.value.as_deref())))
        .collect();
    let mut state = core.state.write();
    for (record, decoded) in decoded {
        let offset = record.offset.0;
        match decoded {
            Ok(decoded) => match state.apply(
                record.key.as_deref().unwrap_or_default(),
                decoded,
                record.timestamp_ms,
                log::is_repair(&record.headers),
            ) {
                ApplyOutcome::Applied(StateChange::Minor) => {}
                ApplyOutcome::Applied(StateChange::Removed) => {
                    core.resolved.clear();
                    core.compiled.clear_contents();
                }
                ApplyOutcome::Rejected(conflict) => {
                    tracing::warn!(offset, "a schema record came too late and is ignored: {conflict}");
                }
            },
            Err(reason) => tracing::warn!(offset, "a record of the schema topic is skipped: {reason}"),
        }
        *next = offset + 1;
    }
}
