//! Whether a registry of the kind we replace leads on our topic. It elects one writer, and undoes records of others (docs/reference/schema-registry.md
//! §12.4, §12.8); so while its group has members this one only reads, and takes over when the group is empty.
//!
//! Source: docs/reference/schema-registry.md §12.5 (rule 9).

use std::sync::Arc;
use std::time::Duration;

use postern_kafka::ErrorKind;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::core::Core;

/// The protocol that members of such a group speak.
const PROTOCOL: &str = "sr";
/// How often the group is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// The same while nothing is known yet.
const LOOK_SOON: Duration = Duration::from_millis(200);

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    /// Not looked yet.
    Unknown,
    /// Nobody but our kind: all may write.
    Nobody,
    /// A registry that elects, and wants to be alone.
    Upstream,
}

/// What was seen last.
#[derive(Debug)]
pub(crate) struct Upstream(watch::Sender<Leader>);

impl Upstream {
    pub(crate) fn new() -> Upstream {
        Upstream(watch::Sender::new(Leader::Unknown))
    }

    /// Who writes; waits for the first look. `Unknown`: not known by the deadline.
    pub(crate) async fn leader(&self, deadline: Instant) -> Leader {
        let mut seen = self.0.subscribe();
        let known = timeout_at(deadline, seen.wait_for(|leader| *leader != Leader::Unknown)).await;
        // The sender lives as long as `self`, so waiting cannot fail but by time.
        known.ok().and_then(Result::ok).map_or(Leader::Unknown, |leader| *leader)
    }
}

/// Looks at the group until the registry is dropped. A look that fails changes nothing: who led may still lead.
pub(crate) async fn watch(core: Arc<Core>) {
    let group = &core.settings.group;
    loop {
        let before = *core.upstream.0.borrow();
        let now = match core.cluster.group_members(group).await {
            Ok(Some(found)) if found.protocol_type == PROTOCOL && found.members > 0 => Leader::Upstream,
            Ok(_) => Leader::Nobody,
            Err(error) if error.kind == ErrorKind::Authorization => {
                if before == Leader::Unknown {
                    tracing::warn!(%group, "not allowed to look at the group of other registries; that there are none is taken for granted");
                }
                Leader::Nobody
            }
            Err(_) => before,
        };
        match (before, now) {
            (Leader::Nobody | Leader::Unknown, Leader::Upstream) => {
                tracing::warn!(%group, "another registry leads on the topic of schemas: this one only reads until the group is empty");
            }
            (Leader::Upstream, Leader::Nobody) => {
                tracing::info!(%group, "no other registry leads any more: this one writes")
            }
            _ => {} // nothing changed that anybody must know
        }
        core.upstream.0.send_replace(now);
        tokio::time::sleep(if now == Leader::Unknown { LOOK_SOON } else { LOOK_AGAIN }).await;
    }
}
