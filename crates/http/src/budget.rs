//! A budget of bytes that many requests share, and the permits they hold of it.
//!
//! A permit grows with the body it is for: memory is accounted when it is used, not when a client announces it. Bodies that have been
//! received in part may therefore wait for each other. [`ByteBudget`] has one overflow place so that one of them always proceeds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Bytes per semaphore permit, so that a 32 bit count of permits suffices.
const UNIT: usize = 1024;

/// A budget of bytes. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ByteBudget {
    /// In units of [`UNIT`] bytes.
    units: Arc<Semaphore>,
    /// The place of one permit that may exceed the budget. Its holder never waits again, so it finishes.
    overflow: Arc<Semaphore>,
    /// In units.
    capacity: usize,
}

/// A share of a [`ByteBudget`], given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Permit {
    units: Option<OwnedSemaphorePermit>,
    overflow: Option<OwnedSemaphorePermit>,
}

/// Whether a permit could grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// At once.
    Immediate,
    /// After other permits were dropped.
    Waited,
    /// Not before the deadline.
    TimedOut,
}

impl ByteBudget {
    pub(crate) fn new(bytes: usize) -> ByteBudget {
        let units = bytes.div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        ByteBudget { units: Arc::new(Semaphore::new(units)), overflow: Arc::new(Semaphore::new(1)), capacity: units }
    }

    /// Bytes in use now, without those of the overflow place; and the whole budget.
    pub(crate) fn used_of(&self) -> (usize, usize) {
        ((self.capacity - self.units.available_permits()) * UNIT, self.capacity * UNIT)
    }

    /// A permit for `bytes`, if they are there at once and without the overflow place.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Permit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        let units = Arc::clone(&self.units).try_acquire_many_owned(units).ok()?;
        Some(Permit { units: Some(units), overflow: None })
    }

    /// Grows `permit` to `bytes`, for which it waits until other permits are dropped, but no longer than `max_wait` in all its calls
    /// together: `waited` adds them up. A future that is dropped leaves the permit as it was.
    pub(crate) async fn grow(
        &self,
        permit: &mut Permit,
        bytes: usize,
        waited: &mut Duration,
        max_wait: Duration,
    ) -> Growth {
        let held = permit.units.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(UNIT).saturating_sub(held);
        if missing == 0 || permit.overflow.is_some() {
            return Growth::Immediate;
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        if let Ok(units) = Arc::clone(&self.units).try_acquire_many_owned(missing) {
            permit.add(units);
            return Growth::Immediate;
        }
        let start = Instant::now();
        let acquire = async {
            tokio::select! {
                biased;
                Ok(units) = Arc::clone(&self.units).acquire_many_owned(missing) => permit.add(units),
                Ok(place) = Arc::clone(&self.overflow).acquire_owned() => permit.overflow = Some(place),
            }
        };
        let growth = match timeout_at(start + max_wait.saturating_sub(*waited), acquire).await {
            Ok(()) => Growth::Waited,
            Err(_) => Growth::TimedOut,
        };
        *waited += start.elapsed();
        growth
    }
}

impl Permit {
    fn add(&mut self, units: OwnedSemaphorePermit) {
        match &mut self.units {
            Some(held) => held.merge(units),
            none => *none = Some(units),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn one_permit_may_exceed_the_budget_and_the_next_one_waits_no_longer_than_allowed() {
        let budget = ByteBudget::new(10 * UNIT);
        let (mut first, mut second, mut third) = (Permit::default(), Permit::default(), Permit::default());
        let mut waited = Duration::ZERO;
        assert_eq!(budget.grow(&mut first, 10 * UNIT, &mut waited, SECOND).await, Growth::Immediate);
        assert_eq!(budget.grow(&mut second, UNIT, &mut waited, SECOND).await, Growth::Waited);
        assert_eq!(budget.grow(&mut second, 100 * UNIT, &mut waited, SECOND).await, Growth::Immediate);
        // The deadline is one for all calls: a body of many pieces does not wait anew for each.
        let mut waited = 3 * SECOND / 4;
        let start = Instant::now();
        assert_eq!(budget.grow(&mut third, UNIT, &mut waited, SECOND).await, Growth::TimedOut);
        assert!(start.elapsed() < SECOND / 2, "{:?}", start.elapsed());
        drop(first);
        assert_eq!(budget.grow(&mut third, UNIT, &mut waited, 2 * SECOND).await, Growth::Immediate);
    }
}
