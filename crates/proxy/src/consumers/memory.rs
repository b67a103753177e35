//! The memory for answers of reads, from the first record that is written into one until the last byte has left.
//!
//! All reads share it. Streams share a part of it, so that clients that do not read what they asked for hold up each other before anybody
//! else. Whoever needs more than there is waits in line and holds nothing meanwhile; an answer of one record that is larger than all of it
//! counts as all of it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The unit in which memory is taken.
const UNIT: usize = 1 << 10;
/// What is taken at least, so that it is not asked for with each record.
const STEP: usize = 64 << 10;

/// The memory for all answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AnswerBudget {
    all: Arc<Semaphore>,
    capacity: usize,
    /// What streams may have of it.
    streamed: Arc<Semaphore>,
    streamed_capacity: usize,
}

/// A share of it, given back when it is dropped.
#[derive(Debug)]
pub struct AnswerShare {
    all: OwnedSemaphorePermit,
    streamed: Option<OwnedSemaphorePermit>,
}

/// The share of one answer, which grows with it.
pub(super) struct AnswerMemory {
    budget: AnswerBudget,
    is_streamed: bool,
    held: Option<AnswerShare>,
}

impl AnswerBudget {
    pub(crate) fn new(bytes: usize) -> AnswerBudget {
        let capacity = bytes.div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let streamed_capacity = (capacity - capacity / 4).max(1);
        AnswerBudget {
            all: Arc::new(Semaphore::new(capacity)),
            capacity,
            streamed: Arc::new(Semaphore::new(streamed_capacity)),
            streamed_capacity,
        }
    }

    /// Bytes in use now, and all of them.
    pub(crate) fn used_of(&self) -> (usize, usize) {
        ((self.capacity - self.all.available_permits()) * UNIT, self.capacity * UNIT)
    }

    /// For the next read of a stream, which may have about `bytes`: nothing where there is enough memory for it, else a share, as soon as
    /// there is one. Dropped, it gives up the place in line.
    pub(super) async fn stream_share(&self, bytes: usize) -> Option<AnswerShare> {
        let units = self.units(bytes.max(STEP), true);
        match self.try_take(units, true) {
            Some(_) => None,
            None => Some(self.take(units, true).await),
        }
    }

    fn units(&self, bytes: usize, is_streamed: bool) -> u32 {
        let capacity = if is_streamed { self.streamed_capacity } else { self.capacity };
        u32::try_from(bytes.div_ceil(UNIT).min(capacity)).unwrap_or(u32::MAX)
    }

    fn try_take(&self, units: u32, is_streamed: bool) -> Option<AnswerShare> {
        let streamed = match is_streamed {
            true => Some(Arc::clone(&self.streamed).try_acquire_many_owned(units).ok()?),
            false => None,
        };
        Some(AnswerShare { all: Arc::clone(&self.all).try_acquire_many_owned(units).ok()?, streamed })
    }

    async fn take(&self, units: u32, is_streamed: bool) -> AnswerShare {
        const OPEN: &str = "the budget is never closed";
        let streamed = match is_streamed {
            true => Some(Arc::clone(&self.streamed).acquire_many_owned(units).await.expect(OPEN)),
            false => None,
        };
        AnswerShare { all: Arc::clone(&self.all).acquire_many_owned(units).await.expect(OPEN), streamed }
    }
}

impl AnswerShare {
    fn units(&self) -> usize {
        self.all.num_permits()
    }

    fn merge(&mut self, more: AnswerShare) {
        self.all.merge(more.all);
        match (&mut self.streamed, more.streamed) {
            (Some(held), Some(more)) => held.merge(more),
            (held, more) => *held = more,
        }
    }
}

impl AnswerMemory {
    /// That of an answer; `held`: what a stream has waited for.
    pub(super) fn new(budget: AnswerBudget, is_streamed: bool, held: Option<AnswerShare>) -> AnswerMemory {
        AnswerMemory { budget, is_streamed, held }
    }

    /// Takes memory for an answer of `bytes` in all; false: there is none left.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let held = self.held.as_ref().map_or(0, AnswerShare::units);
        let wanted = self.budget.units(bytes, self.is_streamed) as usize;
        if wanted <= held {
            return true;
        }
        let exactly = u32::try_from(wanted - held).unwrap_or(u32::MAX);
        let step = self.budget.units(STEP, self.is_streamed).max(exactly);
        let more = self.budget.try_take(step, self.is_streamed);
        // The last of it is not a whole step.
        match more.or_else(|| self.budget.try_take(exactly, self.is_streamed)) {
            Some(more) => {
                match &mut self.held {
                    Some(held) => held.merge(more),
                    none => *none = Some(more),
                }
                true
            }
            None => false,
        }
    }

    /// Gives back what is held, and waits for `bytes`; false: they did not come by `deadline`. A stream waits elsewhere, where it holds up no
    /// other operation and does not lose its place in line.
    pub(super) async fn wait_unless_streamed(&mut self, bytes: usize, deadline: Instant) -> bool {
        self.held = None;
        if self.is_streamed {
            return false;
        }
        let units = self.budget.units(bytes, self.is_streamed);
        self.held = timeout_at(deadline, self.budget.take(units, self.is_streamed)).await.ok();
        self.held.is_some()
    }

    /// What is held.
    pub(super) fn into_share(self) -> Option<AnswerShare> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KIB: usize = 1 << 10;

    #[tokio::test(start_paused = true)]
    async fn streams_leave_some_memory_to_others_and_wait_in_line() {
        let budget = AnswerBudget::new(400 * KIB);
        let (mut first, mut second) =
            (AnswerMemory::new(budget.clone(), true, None), AnswerMemory::new(budget.clone(), true, None));
        assert!(budget.stream_share(0).await.is_none(), "there is enough");
        assert!(first.grow(250 * KIB) && !second.grow(100 * KIB), "300 KiB are for streams");
        let mut other = AnswerMemory::new(budget.clone(), false, None);
        assert!(other.grow(100 * KIB), "not those of others");
        assert_eq!(budget.used_of(), (350 * KIB, 400 * KIB));
        let soon = Instant::now() + Duration::from_secs(1);
        assert!(!AnswerMemory::new(budget.clone(), false, None).wait_unless_streamed(100 * KIB, soon).await);
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.stream_share(200 * KIB).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        drop(first);
        let share = waiting.await.expect("no panic").expect("a share");
        assert_eq!(budget.used_of().0, 300 * KIB);
        let mut read = AnswerMemory::new(budget.clone(), true, Some(share));
        assert!(read.grow(200 * KIB), "it was waited for");
        // What is larger than all of it has all of it.
        drop((read, other));
        assert!(second.grow(900 * KIB));
        assert_eq!(budget.used_of().0, 300 * KIB);
        drop(second);
        assert_eq!(budget.used_of().0, 0);
    }
}
