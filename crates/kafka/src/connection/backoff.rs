//! Pauses between attempts: doubled each time, and a fifth more or less so that clients do not come back all at once.

use std::time::Duration;

/// Pauses that grow from `initial` to `max`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    initial: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// As Kafka's `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
    pub(crate) const RECONNECT: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    /// As Kafka's `retry.backoff.ms` and `retry.backoff.max.ms`, but sooner: a leader is often elected within milliseconds.
    pub(crate) const RETRY: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));

    const fn new(initial: Duration, max: Duration) -> Backoff {
        Backoff { initial, max, failures: 0 }
    }

    /// The pause after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.after(self.failures);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// The pause after so many failures before this one.
    pub(crate) fn after(&self, failures: u32) -> Duration {
        let pause = self.initial.saturating_mul(1 << failures.min(16)).min(self.max);
        pause.mul_f64(0.8 + 0.4 * fastrand::f64())
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound() {
        let mut backoff = Backoff::RECONNECT;
        for expected in [50, 100, 200, 400, 800, 1000, 1000] {
            let pause = backoff.next().as_millis() as u64;
            assert!((expected * 4 / 5..=expected * 6 / 5).contains(&pause), "{pause} for {expected}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(60));
    }
}
