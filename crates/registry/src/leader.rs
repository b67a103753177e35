//! Whether a Confluent registry leads on our topic. It elects one writer, and undoes the records of others
//! (docs/reference/schema-registry.md §12.4, §12.8); so while its group has members this registry only reads.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// Who may write the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForeignLeader {
    /// The group has not been looked at yet.
    Unknown,
    /// The group has no members: every Postern may write.
    Absent,
    /// The group has members: their leader is the only writer.
    Present,
}

/// The looks at the group: begun by one task ([`crate::tasks`]), waited for by every write.
#[derive(Debug)]
pub(crate) struct LeaderWatcher {
    /// How many looks have begun.
    begun: AtomicU64,
    last: watch::Sender<Look>,
    /// Somebody waits for a look.
    pub(crate) wanted: Notify,
}

/// The last look that succeeded.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// Its number, counted from 1.
    number: u64,
    found: ForeignLeader,
}

impl LeaderWatcher {
    pub(crate) fn new() -> LeaderWatcher {
        let last = watch::Sender::new(Look { number: 0, found: ForeignLeader::Unknown });
        LeaderWatcher { begun: AtomicU64::new(0), last, wanted: Notify::new() }
    }

    /// What the last look found; waits for the first one. `Unknown`: there was none by the deadline.
    pub(crate) async fn last_seen(&self, deadline: Instant) -> ForeignLeader {
        self.look(1, deadline).await
    }

    /// What a look finds that begins after this call. `Unknown`: there was none by the deadline.
    pub(crate) async fn look_again(&self, deadline: Instant) -> ForeignLeader {
        let number = self.begun.load(Ordering::SeqCst) + 1;
        self.wanted.notify_one();
        self.look(number, deadline).await
    }

    /// What the look with this number, or a later one, finds.
    async fn look(&self, number: u64, deadline: Instant) -> ForeignLeader {
        let mut last = self.last.subscribe();
        let done = timeout_at(deadline, last.wait_for(|look| look.number >= number)).await;
        // The sender lives as long as `self`, so waiting can only fail because time runs out.
        done.ok().and_then(Result::ok).map_or(ForeignLeader::Unknown, |look| look.found)
    }

    /// What is known without waiting.
    pub(crate) fn known(&self) -> ForeignLeader {
        self.last.borrow().found
    }

    /// A look begins; the answer is its number.
    pub(crate) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The look with this number has found this.
    pub(crate) fn finish(&self, number: u64, found: ForeignLeader) {
        self.last.send_replace(Look { number, found });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A look that began before does not count: a registry may have joined between.
    #[tokio::test(start_paused = true)]
    async fn only_a_look_that_begins_later_confirms_a_write() {
        let watcher = LeaderWatcher::new();
        let soon = || Instant::now() + Duration::from_millis(10);
        assert_eq!(watcher.last_seen(soon()).await, ForeignLeader::Unknown);
        let first = watcher.begin();
        {
            let confirmed = watcher.look_again(soon());
            watcher.finish(first, ForeignLeader::Absent);
            assert_eq!(watcher.last_seen(soon()).await, ForeignLeader::Absent);
            assert_eq!(confirmed.await, ForeignLeader::Unknown);
        }
        let (one, other) = (watcher.look_again(soon()), watcher.look_again(soon()));
        let look = async {
            watcher.wanted.notified().await;
            watcher.finish(watcher.begin(), ForeignLeader::Present);
        };
        assert_eq!(tokio::join!(one, other, look), (ForeignLeader::Present, ForeignLeader::Present, ()));
    }
}
