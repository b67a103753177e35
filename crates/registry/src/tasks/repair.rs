//! Keeps rejected records from winning after compaction, which keeps the last record of a key: where a rejected record came
//! last, the winner is rewritten; where it is alone under its key, it gets a tombstone. These records are marked: should another
//! writer change the version before they are in the log, they have no effect on the state, and the key is repaired again.

use std::collections::HashSet;
use std::time::Duration;

use crate::log::{self, LogKey};
use crate::operations::write::Operation;
use crate::registry::Registry;

/// The pause after a repair that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Rewrites winners where a rejected record is the last one under their key, so that compaction keeps the winner.
pub(crate) async fn rewrite_winners(registry: Registry) {
    loop {
        registry.core().progress.rejected.notified().await;
        let rewritten = async {
            let lease = registry.lease_write(Operation::Repair).await?;
            let records = registry.read(|state| {
                Ok(state
                    .winners_to_rewrite()
                    .filter_map(|(subject, version)| state.rewritten(subject, *version, None))
                    .map(log::repair)
                    .collect::<Vec<_>>())
            })?;
            lease.commit(records).await
        };
        if let Err(error) = rewritten.await {
            tracing::warn!("{error}");
            tokio::time::sleep(PAUSE).await;
            registry.core().progress.rejected.notify_one();
        }
    }
}

/// Writes tombstones for rejected records that have been alone under their keys for longer than their writers may take.
pub(crate) async fn tombstone_orphans(registry: Registry) {
    let mut seen = HashSet::new();
    loop {
        tokio::time::sleep(registry.core().settings.orphan_grace).await;
        let now = registry.read(|state| Ok(state.orphaned_keys().cloned().collect::<HashSet<_>>())).unwrap_or_default();
        if now.intersection(&seen).next().is_some() {
            let removed = async {
                let lease = registry.lease_write(Operation::Repair).await?;
                let records = registry.read(|state| {
                    let left = state.orphaned_keys().filter(|key| seen.contains(*key)).cloned();
                    let keys = left.map(|(subject, version)| LogKey::Schema { subject, version });
                    Ok(keys.flat_map(|key| state.tombstones(&key)).map(log::repair).collect())
                })?;
                lease.commit(records).await
            };
            if let Err(error) = removed.await {
                tracing::warn!("{error}");
            }
        }
        seen = now;
    }
}
