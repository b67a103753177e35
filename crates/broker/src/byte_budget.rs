//! A budget of bytes that many tasks share, and the permits they hold of it.
//!
//! The node has two, one for requests and one for responses, each shared by all connections:
//!
//! - A request that fits into its connection's own buffer needs no permit, so a heartbeat or a fetch never waits for
//!   another client's large produce. The permit of a larger one grows with the bytes that arrive ([`GrowingPermit`]) and is
//!   held until it has been answered. An announced length alone holds nothing.
//! - A fetch gets its permit before it reads records, for at most what it may return. It holds it for what it does
//!   return until the client has received that, and holds nothing while it waits for records.
//! - Other responses are encoded first and counted afterwards; a request for a list waits while the budget is used up.
//!
//! Apart from growing permits, one of which may always exceed the budget, a task never waits on a budget that it already
//! holds a permit of. So tasks cannot deadlock. Permits come back when clients read and send, or are disconnected
//! (`connection`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes held of a [`ByteBudget`]; dropping it returns them.
pub(crate) type Permit = OwnedSemaphorePermit;

#[derive(Debug)]
pub(crate) struct ByteBudget {
    available: Arc<Semaphore>,
    capacity: usize,
    /// The right of one growing permit to exceed the budget.
    overdraft: Arc<Semaphore>,
    /// Tasks that wait in [`ByteBudget::grow`].
    waiting: AtomicUsize,
}

/// Bytes held for something that arrives in pieces. Several of them may use up the budget before any is complete; then one
/// at a time may exceed the budget and so completes. Dropping it returns everything.
#[derive(Debug, Default)]
pub(crate) struct GrowingPermit {
    held: Option<Permit>,
    overdraft: Option<OwnedSemaphorePermit>,
}

impl ByteBudget {
    pub(crate) fn new(capacity: usize) -> ByteBudget {
        // The semaphore counts what one task acquires in 32 bits.
        let capacity = capacity.clamp(1, u32::MAX as usize);
        ByteBudget {
            available: Arc::new(Semaphore::new(capacity)),
            capacity,
            overdraft: Arc::new(Semaphore::new(1)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// The largest permit there can be.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Waits for a permit for `bytes`; if that is more than the capacity, for all of it. Waiting tasks are served in
    /// order. Dropping the future gives up the place in that order.
    pub(crate) async fn acquire(&self, bytes: usize) -> Permit {
        let permit = self.available.clone().acquire_many_owned(bytes.min(self.capacity) as u32).await;
        permit.expect("the semaphore is never closed")
    }

    /// Waits until `permit` is for at least `bytes` (or the capacity), or may exceed the budget. Returns whether it had to
    /// wait. Dropping the future leaves the permit as it was.
    pub(crate) async fn grow(&self, permit: &mut GrowingPermit, bytes: usize) -> bool {
        let held = permit.held.as_ref().map_or(0, Permit::num_permits);
        let missing = bytes.min(self.capacity).saturating_sub(held) as u32;
        if missing == 0 || permit.overdraft.is_some() {
            return false;
        }
        let (added, waited) = match self.available.clone().try_acquire_many_owned(missing) {
            Ok(added) => (added, false),
            Err(_) => {
                let _waiting = Counted::new(&self.waiting);
                tokio::select! {
                    biased;
                    Ok(added) = self.available.clone().acquire_many_owned(missing) => (added, true),
                    Ok(overdraft) = self.overdraft.clone().acquire_owned() => {
                        permit.overdraft = Some(overdraft);
                        return true;
                    }
                    else => unreachable!("the semaphores are never closed"),
                }
            }
        };
        match &mut permit.held {
            Some(held) => held.merge(added),
            None => permit.held = Some(added),
        }
        waited
    }

    /// Waits until anything is available, then takes as much of it as there is, at most `bytes`.
    pub(crate) async fn acquire_up_to(&self, bytes: usize) -> Permit {
        let mut permit = self.acquire(1).await;
        if let Some(more) = self.try_acquire_up_to(bytes.saturating_sub(1)) {
            permit.merge(more);
        }
        permit
    }

    /// Takes what is available, at most `bytes`. `None` if another task was faster.
    pub(crate) fn try_acquire_up_to(&self, bytes: usize) -> Option<Permit> {
        let bytes = bytes.min(self.available.available_permits());
        self.available.clone().try_acquire_many_owned(bytes as u32).ok()
    }

    /// Whether growing permits wait.
    pub(crate) fn is_contended(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Whether the next task would have to wait.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.available.available_permits() == 0
    }
}

/// Counts a task for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Counted<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl GrowingPermit {
    /// Whether it holds anything.
    pub(crate) fn is_used(&self) -> bool {
        self.held.is_some() || self.overdraft.is_some()
    }
}

/// Returns all but `bytes` of the permit.
pub(crate) fn shrink_to(permit: &mut Permit, bytes: usize) {
    drop(permit.split(permit.num_permits().saturating_sub(bytes)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_permit_is_for_what_is_available_and_can_shrink() {
        let budget = ByteBudget::new(100);
        let mut first = budget.acquire_up_to(70).await;
        assert_eq!(first.num_permits(), 70);
        assert_eq!(budget.acquire_up_to(70).await.num_permits(), 30);
        let rest = budget.acquire(30).await;
        assert!(budget.is_exhausted());
        shrink_to(&mut first, 10);
        assert_eq!(budget.acquire_up_to(1000).await.num_permits(), 60);
        drop((first, rest));
        assert_eq!(budget.acquire(1000).await.num_permits(), 100, "more than the capacity: all of it");
    }

    #[tokio::test]
    async fn growing_permits_that_use_up_the_budget_complete_one_after_the_other() {
        let budget = ByteBudget::new(100);
        let mut permits: [GrowingPermit; 3] = Default::default();
        for permit in &mut permits[..2] {
            assert!(!budget.grow(permit, 50).await);
        }
        let [first, second, third] = &mut permits;
        assert!(budget.grow(first, 80).await, "the budget is used up: this one exceeds it");
        assert!(!budget.grow(first, 1000).await);
        let mut others = std::pin::pin!(async { tokio::join!(budget.grow(second, 60), budget.grow(third, 1)) });
        let is_waiting = tokio::time::timeout(std::time::Duration::from_millis(50), &mut others).await.is_err();
        assert!(is_waiting && budget.is_contended());
        *first = GrowingPermit::default();
        assert_eq!(others.await, (true, true));
        assert!(!budget.is_contended());
    }
}
