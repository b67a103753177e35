//! The task that looks at the group in which Confluent registries elect their leader.
//!
//! Source: docs/reference/schema-registry.md §12.5, §12.8.

use std::sync::Arc;
use std::time::Duration;

use postern_kafka::ErrorKind;
use tokio::time::timeout;

use crate::core::Core;
use crate::leader::ForeignLeader;

/// The protocol type of such a group.
const PROTOCOL: &str = "sr";
/// How often the group is looked at.
const INTERVAL: Duration = Duration::from_secs(3);
/// The pause after a look that failed.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// Looks at the group at an interval and whenever a write asks for it, until the registry is dropped. A look that fails changes
/// nothing: a leader seen before may still lead.
pub(crate) async fn watch_leader(core: Arc<Core>) {
    let group = &core.settings.group;
    let mut may_describe = true;
    loop {
        let before = core.leader.known();
        let number = core.leader.begin();
        let found = match core.cluster.group_members(group).await {
            Ok(Some(found)) if found.protocol_type == PROTOCOL && found.members > 0 => Some(ForeignLeader::Present),
            Ok(_) => Some(ForeignLeader::Absent),
            Err(error) if error.kind == ErrorKind::Authorization => {
                if may_describe {
                    tracing::warn!(%group, "not allowed to describe the group of other registries; it is assumed to be empty");
                }
                may_describe = false;
                Some(ForeignLeader::Absent)
            }
            Err(error) => {
                tracing::debug!(%group, "the group of other registries cannot be looked at: {error}");
                None
            }
        };
        let Some(found) = found else {
            tokio::time::sleep(RETRY_INTERVAL).await;
            continue;
        };
        match (before, found) {
            (ForeignLeader::Absent | ForeignLeader::Unknown, ForeignLeader::Present) => {
                tracing::warn!(%group, "another registry leads on the schema topic: this one only reads until the group is empty");
            }
            (ForeignLeader::Present, ForeignLeader::Absent) => {
                tracing::info!(%group, "no other registry leads any more: this one writes")
            }
            _ => {} // nothing changed that anybody must know
        }
        core.leader.finish(number, found);
        // A write that asked for a look after this one began has left its notification.
        let _ = timeout(INTERVAL, core.leader.wanted.notified()).await;
    }
}
