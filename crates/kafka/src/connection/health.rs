//! What the log is told about brokers that cannot be reached.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Whether brokers can be reached, logged when that changes.
///
/// An address that fails is named after a second, so that a restart or an orderly stop is not worth a line, and again each
/// minute.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failing: Mutex<HashMap<String, Failing>>,
    closing: AtomicBool,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    logged: Option<Instant>,
}

impl Health {
    const LOG_AFTER: Duration = Duration::from_secs(1);
    const LOG_AGAIN_AFTER: Duration = Duration::from_secs(60);

    pub(crate) fn failed(&self, address: &str, reason: &str) {
        let now = Instant::now();
        let mut failing = self.failing.lock();
        let state = failing.entry(address.to_owned()).or_insert_with(|| Failing { since: now, logged: None });
        let is_due = match state.logged {
            None => now - state.since >= Health::LOG_AFTER,
            Some(logged) => now - logged >= Health::LOG_AGAIN_AFTER,
        };
        if is_due && !self.closing.load(Ordering::Relaxed) {
            state.logged = Some(now);
            tracing::warn!(%address, for_s = (now - state.since).as_secs(), "Kafka: {reason}");
        }
    }

    pub(crate) fn reached(&self, address: &str) {
        let failed = self.failing.lock().remove(address);
        if let Some(Failing { since, logged: Some(_), .. }) = failed {
            tracing::info!(%address, after_s = since.elapsed().as_secs(), "Kafka: {address} can be reached again");
        }
    }

    /// One that tells the log nothing.
    pub(crate) fn quiet() -> Health {
        Health { closing: AtomicBool::new(true), ..Health::default() }
    }

    /// From now on failures are expected and not logged.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_state_is_logged_once_until_it_changes() {
        let health = Health::default();
        let logged = |health: &Health| health.failing.lock().get("a:1").map(|failing| failing.logged.is_some());
        health.failed("a:1", "refused");
        assert_eq!(logged(&health), Some(false), "a moment is not worth a line");
        tokio::time::advance(Health::LOG_AFTER).await;
        health.failed("a:1", "refused");
        assert_eq!(logged(&health), Some(true));
        health.reached("a:1");
        assert_eq!(logged(&health), None);
        health.close();
        health.failed("a:1", "refused");
        tokio::time::advance(Health::LOG_AFTER).await;
        health.failed("a:1", "refused");
        assert_eq!(logged(&health), Some(false), "an orderly stop is not worth one either");
    }
}
