//! Log lines about what clients do that the broker does not support, with the setting that helps.
//!
//! A client that is refused tries again, often many times a second, so each kind of line appears at most once a minute.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    UnknownTopic,
    Transactions,
    InvalidRequest,
    /// A connection that speaks another protocol than Kafka's.
    OtherProtocol,
    Accept,
}

/// When each kind was last logged.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    last: Mutex<[Option<Instant>; Notice::Accept as usize + 1]>,
}

impl Notices {
    /// Whether this kind is to be logged now.
    pub(crate) fn is_due(&self, notice: Notice) -> bool {
        let now = Instant::now();
        let last = &mut self.last.lock()[notice as usize];
        let is_due = last.is_none_or(|last| now.duration_since(last) >= INTERVAL);
        if is_due {
            *last = Some(now);
        }
        is_due
    }

    pub(crate) fn unknown_topic(&self, topic: &str) {
        if self.is_due(Notice::UnknownTopic) {
            tracing::warn!(
                topic,
                "a client uses a topic that does not exist: create it, or start with --broker-auto-create-topics"
            );
        }
    }

    pub(crate) fn transactions(&self, transactional_id: &str) {
        if self.is_due(Notice::Transactions) {
            tracing::warn!(
                transactional_id,
                "a client wants transactions, which this broker does not support: use an idempotent producer, or Apache Kafka"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_due_once_a_minute() {
        let notices = Notices::default();
        assert!(notices.is_due(Notice::UnknownTopic));
        assert!(!notices.is_due(Notice::UnknownTopic));
        assert!(notices.is_due(Notice::Accept));
        tokio::time::advance(INTERVAL).await;
        assert!(notices.is_due(Notice::UnknownTopic));
        assert!(!notices.is_due(Notice::UnknownTopic));
    }
}
