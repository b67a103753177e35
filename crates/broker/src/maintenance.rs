//! What the broker does by itself: flushing by time every second, retention and compaction every now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::Flush;
use crate::api::now_ms;
use crate::node::Node;
use postern_log::LogConfig;

const FLUSH_LOOKS: Duration = Duration::from_secs(1);

/// Runs until the broker stops.
pub(crate) async fn run(node: Arc<Node>) {
    let settings = &node.settings;
    let flush_ms = match settings.flush {
        Flush::System | Flush::EveryAppend => i64::MAX,
        Flush::Interval(limit) => limit.as_millis() as i64,
    };
    let pause = match settings.flush {
        Flush::System | Flush::EveryAppend => FLUSH_LOOKS,
        // Looked at twice as often, what is found is at most so late.
        Flush::Interval(limit) => FLUSH_LOOKS.min(limit / 2).max(Duration::from_millis(1)),
    }
    .min(settings.upkeep_interval);
    let mut next_cleaning = Instant::now() + settings.upkeep_interval;
    loop {
        tokio::select! {
            () = node.stopping() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let cleans = Instant::now() >= next_cleaning;
        let worker = node.clone();
        // A panic in here is a bug; the runtime prints it, and the next round goes on.
        let _ = tokio::task::spawn_blocking(move || round(&worker, flush_ms, cleans)).await;
        if cleans {
            if let Err(error) = node.groups.expire_offsets(settings.offsets_retention, now_ms()).await {
                tracing::error!(%error, "old commits could not be forgotten");
            }
            next_cleaning = Instant::now() + settings.upkeep_interval;
        }
    }
}

fn round(node: &Node, flush_ms: i64, cleans: bool) {
    for topic in node.topics.all() {
        let config = topic.config();
        let log = LogConfig { flush_ms: config.log.flush_ms.min(flush_ms), ..config.log.clone() };
        for partition in topic.partitions().iter() {
            if *node.stop_signal().borrow() {
                return;
            }
            partition.maintain(&log, now_ms(), cleans);
        }
    }
}
