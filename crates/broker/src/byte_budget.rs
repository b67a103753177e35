//! A budget of bytes that many tasks share, and the permits they hold of it.
//!
//! The node has two, one for requests and one for responses, each shared by all connections:
//!
//! - A request that fits into its connection's own buffer needs no permit, so a heartbeat or a fetch never waits for
//!   another client's large produce. A larger one gets its permit before the rest of it is read, and holds it until it
//!   has been answered.
//! - A fetch gets its permit before it reads records, for at most what it may return. It holds it for what it does
//!   return until the client has received that, and holds nothing while it waits for records.
//! - Other responses are encoded first and counted afterwards; a request for a list waits while the budget is used up.
//!
//! A task never waits on a budget that it already holds a permit of, so tasks cannot deadlock. Permits for responses
//! come back when clients read, or are disconnected (`connection`).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes held of a [`ByteBudget`]; dropping it returns them.
pub(crate) type Permit = OwnedSemaphorePermit;

#[derive(Debug)]
pub(crate) struct ByteBudget {
    available: Arc<Semaphore>,
    capacity: usize,
}

impl ByteBudget {
    pub(crate) fn new(capacity: usize) -> ByteBudget {
        // The semaphore counts what one task acquires in 32 bits.
        let capacity = capacity.clamp(1, u32::MAX as usize);
        ByteBudget { available: Arc::new(Semaphore::new(capacity)), capacity }
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

    /// Whether the next task would have to wait.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.available.available_permits() == 0
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
}
