//! The task that reads the topic and keeps the state: opens or creates the topic, catches up, then follows for ever.
//!
//! Needs no cluster at the start: what fails is tried again, with growing pauses. A topic that cannot serve (wrong cleanup
//! policy, more than one partition) is refused with the command that mends it, and looked at again.
//!
//! Losers do not stay where compaction would make winners of them: the winner is written back (`mend`), or the key is cleared (`bury`).
//!
//! Source: docs/reference/schema-registry.md §12.1, §12.5 (rule 7).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postern_kafka::{ErrorKind, NewTopic, OffsetRange, PartitionId, Reader, StoredRecord};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::core::Core;
use crate::log::{Entry, LogKey};
use crate::state::{Change, Verdict};
use crate::write::Operation;
use crate::{Error, Registry};

/// Pauses between attempts grow from here …
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// … up to here.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A loser is not compacted away (nor does it win) before this.
const MIN_COMPACTION_LAG_MS: &str = "3600000";

// === How far it is ===

/// How far the fold is, and whether it has ever caught up.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The offset that comes next: everything before it is folded. `None`: not caught up yet.
    next: watch::Sender<Option<i64>>,
    /// What keeps it from catching up, as a clause.
    obstacle: Mutex<String>,
    /// Wakes whoever writes winners back.
    pub(crate) lost: Notify,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress {
            next: watch::Sender::new(None),
            obstacle: Mutex::new("it waits for Kafka".to_owned()),
            lost: Notify::new(),
        }
    }

    pub(crate) fn check_ready(&self) -> Result<(), Error> {
        match *self.next.borrow() {
            Some(_) => Ok(()),
            None => Err(Error::NotReady(self.obstacle.lock().clone())),
        }
    }

    /// The fold begins anew.
    pub(crate) fn restart(&self) {
        self.next.send_replace(None);
    }

    pub(crate) async fn ready(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.next.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until everything before `offset` is folded; false: not by the deadline.
    pub(crate) async fn reached(&self, offset: i64, deadline: Instant) -> bool {
        let mut next = self.next.subscribe();
        timeout_at(deadline, next.wait_for(|next| next.is_some_and(|next| next >= offset))).await.is_ok()
    }
}

// === Reading ===

/// Reads the topic until the registry is dropped.
pub(crate) async fn follow(core: Arc<Core>) {
    let mut pause = PAUSE_MIN;
    let mut folded = 0;
    let mut reported = String::new();
    loop {
        let obstacle = match open(&core).await {
            Ok((reader, range)) => {
                pause = PAUSE_MIN;
                reported.clear();
                if range.latest.0 < folded {
                    tracing::error!(topic = %core.settings.topic, end = range.latest.0, folded, "the topic of schemas is not the one that was read before: the registry begins anew");
                    core.forget();
                    folded = 0;
                }
                let end = if range.latest > range.earliest { range.latest.0 } else { 0 };
                read(&core, reader, end, &mut folded).await
            }
            Err(obstacle) => obstacle,
        };
        if obstacle != reported {
            tracing::warn!(topic = %core.settings.topic, "the registry cannot read its topic: {obstacle}");
            reported.clone_from(&obstacle);
        }
        *core.progress.obstacle.lock() = obstacle;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// A reader of a topic that is as it must be, and where the topic begins and ends: that is to be reached before the first answer.
async fn open(core: &Core) -> Result<(Reader, OffsetRange), String> {
    let topic = &core.settings.topic;
    match core.cluster.topic(topic, false).await {
        Ok(found) if found.partitions.len() != 1 => {
            return Err(format!(
                "topic {topic} has {} partitions, but the order of all records matters, so it must have 1. Delete it if it holds nothing of worth: kafka-topics.sh --bootstrap-server … --delete --topic {topic}",
                found.partitions.len()
            ));
        }
        Ok(_) => check_policy(core).await?,
        Err(error) if error.kind == ErrorKind::UnknownTopic && core.settings.follower => {
            return Err(format!("topic {topic} is not there yet, and a follower does not make it"));
        }
        Err(error) if error.kind == ErrorKind::UnknownTopic => create(core).await?,
        Err(error) => return Err(error.to_string()),
    }
    let range = core.cluster.offsets(topic, PartitionId(0)).await.map_err(|error| error.to_string())?;
    let reader = core.cluster.reader(topic, PartitionId(0)).map_err(|error| error.to_string())?;
    Ok((reader, range))
}

async fn check_policy(core: &Core) -> Result<(), String> {
    let topic = &core.settings.topic;
    let configs = match core.cluster.topic_configs(topic).await {
        Ok(configs) => configs,
        Err(error) if error.kind == ErrorKind::Authorization => {
            tracing::warn!(%topic, "not allowed to look at the configs of the topic; cleanup.policy=compact is taken for granted");
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    };
    let policy =
        configs.iter().find(|config| config.name == "cleanup.policy").and_then(|config| config.value.as_deref());
    match policy {
        None | Some("compact") => Ok(()),
        Some(other) => Err(format!(
            "topic {topic} has cleanup.policy={other}, so schemas would be lost in time. Mend it: kafka-configs.sh --bootstrap-server … --alter --topic {topic} --add-config cleanup.policy=compact"
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
            tracing::info!(topic = %topic.name, "created the topic of schemas");
            Ok(())
        }
        // Another instance was faster.
        Err(error) if error.kind == ErrorKind::TopicExists => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Folds what comes, until reading fails. `folded` is the next offset; what a new reader brings again is passed over.
async fn read(core: &Core, mut reader: Reader, end: i64, folded: &mut i64) -> String {
    let started = Instant::now();
    loop {
        if *folded >= end && core.progress.next.borrow().is_none() {
            tracing::info!(topic = %core.settings.topic, offset = *folded, elapsed_ms = started.elapsed().as_millis(), "the registry has caught up");
        }
        if *folded >= end {
            core.progress.next.send_replace(Some(*folded));
            if core.state.read().unmended().next().is_some() {
                core.progress.lost.notify_one();
            }
        }
        match reader.next().await {
            Ok(records) => fold(core, &records, folded),
            Err(error) => return error.to_string(),
        }
    }
}

/// Applies a batch of records. Caches forget what changed before anyone can see the new state.
fn fold(core: &Core, records: &[StoredRecord], folded: &mut i64) {
    let entries: Vec<_> = records
        .iter()
        .filter(|record| record.offset.0 >= *folded)
        .map(|record| (record, Entry::decode(record.key.as_deref(), record.value.as_deref())))
        .collect();
    let mut state = core.state.write();
    for (record, entry) in entries {
        let offset = record.offset.0;
        match entry {
            Ok(entry) => match state.apply(record.key.as_deref().unwrap_or_default(), entry, record.timestamp_ms) {
                Verdict::Applied(Change::None) => {}
                Verdict::Applied(Change::Subject(subject)) => core.resolved.write().forget(&subject),
                Verdict::Applied(Change::Removed) => {
                    core.resolved.write().clear();
                    core.compiled.lock().clear();
                }
                Verdict::Lost(loss) => tracing::warn!(offset, "a schema record came too late and is ignored: {loss}"),
            },
            Err(reason) => tracing::warn!(offset, "a record of the topic of schemas is skipped: {reason}"),
        }
        *folded = offset + 1;
    }
}

// === Mending ===

/// Writes winners back where a loser is the last record of their key, so that compaction keeps the winner.
pub(crate) async fn mend(registry: Registry) {
    loop {
        registry.core().progress.lost.notified().await;
        let mended = async {
            let writer = registry.writer(Operation::Mend).await?;
            let records = registry.read(|state| {
                Ok(state
                    .unmended()
                    .filter_map(|(subject, version)| state.rewritten(subject, *version, None))
                    .collect::<Vec<_>>())
            })?;
            writer.append(records).await
        };
        if let Err(error) = mended.await {
            tracing::warn!("{error}");
            tokio::time::sleep(PAUSE_MAX).await;
            registry.core().progress.lost.notify_one();
        }
    }
}

/// Buries losers that stand alone under their keys since longer than their writers can live.
pub(crate) async fn bury(registry: Registry) {
    let mut seen = HashSet::new();
    loop {
        tokio::time::sleep(registry.core().settings.stray_rest).await;
        let now = registry.read(|state| Ok(state.strays().cloned().collect::<HashSet<_>>())).unwrap_or_default();
        if now.intersection(&seen).next().is_some() {
            let buried = async {
                let writer = registry.writer(Operation::Mend).await?;
                let records = registry.read(|state| {
                    let left = state.strays().filter(|key| seen.contains(*key)).cloned();
                    let keys = left.map(|(subject, version)| LogKey::Schema { subject, version });
                    Ok(keys.flat_map(|key| state.tombstones(&key)).collect())
                })?;
                writer.append(records).await
            };
            if let Err(error) = buried.await {
                tracing::warn!("{error}");
            }
        }
        seen = now;
    }
}
