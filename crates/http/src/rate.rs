//! At most so much in a second: the generic cell rate algorithm.
//!
//! One time says at which everything that was taken is paid for. What was not used in the last second may be used at once, and what is larger
//! than a second's worth is taken when nothing else is owed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;

/// What times are measured from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(Instant);

/// A time since an [`Epoch`], in nanoseconds: a year has 2^55.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now(u64);

impl Epoch {
    pub(crate) fn start() -> Epoch {
        Epoch(Instant::now())
    }

    pub(crate) fn now(self) -> Now {
        Now(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// When everything that was taken is paid for.
#[derive(Debug, Default)]
pub(crate) struct PaidUntil(AtomicU64);

impl PaidUntil {
    /// Takes `units` of `per_second`, or returns how long to wait before they could be taken; they are not counted then.
    pub(crate) fn take(&self, units: u64, per_second: u32, now: Now) -> Option<Duration> {
        let (cost, Now(now)) = (cost(units, per_second), now);
        let end = now + SECOND;
        let taken = self.0.fetch_update(Relaxed, Relaxed, |paid_until| {
            let next = paid_until.max(now).saturating_add(cost);
            (next <= end || paid_until <= now).then_some(next)
        });
        // Nothing is owed any more when `paid_until` has come, so no wait is longer.
        let wait = |paid_until: u64| paid_until.saturating_add(cost).saturating_sub(end).min(paid_until - now);
        taken.err().map(|paid_until| Duration::from_nanos(wait(paid_until)))
    }

    /// Counts `units` that cannot be refused any more.
    pub(crate) fn owe(&self, units: u64, per_second: u32, Now(now): Now) {
        let cost = cost(units, per_second);
        self.0.fetch_max(now, Relaxed);
        self.0.fetch_add(cost, Relaxed);
    }

    /// How long to wait until no more is owed than a second pays for.
    pub(crate) fn wait(&self, Now(now): Now) -> Option<Duration> {
        let wait = self.0.load(Relaxed).saturating_sub(now + SECOND);
        (wait > 0).then(|| Duration::from_nanos(wait))
    }
}

/// The time that pays for `units`, an hour at most.
fn cost(units: u64, per_second: u32) -> u64 {
    let cost = u128::from(units) * u128::from(SECOND) / u128::from(per_second.max(1));
    u64::try_from(cost).unwrap_or(u64::MAX).min(3600 * SECOND)
}

/// Whole seconds for `Retry-After`.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_nanos().div_ceil(u128::from(SECOND)) as u64
}
