//! The memory budget for records that no broker has acknowledged yet.
//!
//! A request takes one permit for all of its records at once: were it to take them one by one, it could wait for bytes that it
//! holds itself. Waiting requests are served in order, so a large request is not starved by small ones. The permit travels with
//! the records and is released when the *broker* has answered the last of them; a client that hangs up does not make its bytes
//! vanish.

use std::{error, fmt, sync::Arc};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{ByteCount, Record};

/// The memory budget for unacknowledged records. Cheap to clone; clones share the budget.
#[derive(Clone, Debug)]
pub struct Inflight {
    /// One permit per byte.
    available: Arc<Semaphore>,
    capacity: ByteCount,
}

impl Inflight {
    /// A budget of `capacity`, at most 4 GiB.
    pub fn new(capacity: ByteCount) -> Inflight {
        let capacity = ByteCount(capacity.0.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS));
        Inflight { available: Arc::new(Semaphore::new(capacity.0)), capacity }
    }

    /// Waits until the budget holds all of `records`. Dropping the future gives up the place in the queue.
    ///
    /// # Errors
    /// [`TooLarge`] where the records exceed the whole budget, so that no waiting would help.
    pub async fn admit(&self, records: Vec<Record>) -> Result<Admitted, TooLarge> {
        let since = Instant::now();
        let requested = ByteCount(records.iter().map(Record::footprint).sum());
        let too_large = TooLarge { requested, capacity: self.capacity };
        if requested > self.capacity {
            return Err(too_large);
        }
        let bytes = u32::try_from(requested.0).map_err(|_| too_large)?;
        let permit = self.available.clone().acquire_many_owned(bytes).await.expect("the budget is never closed");
        Ok(Admitted { records, permit: Permit { _bytes: permit }, since })
    }

    /// As many records as could fit at all, empty ones.
    pub fn max_records(&self) -> usize {
        self.capacity.0 / Record::default().footprint()
    }

    /// What is in use now.
    pub fn used(&self) -> ByteCount {
        ByteCount(self.capacity.0 - self.available.available_permits())
    }

    /// The whole budget.
    pub fn capacity(&self) -> ByteCount {
        self.capacity
    }
}

/// Records with their share of the budget. Made by [`Inflight::admit`] and nowhere else.
#[derive(Debug)]
pub struct Admitted {
    pub(crate) records: Vec<Record>,
    pub(crate) permit: Permit,
    /// When admission was asked for: the time for delivery includes the wait for memory.
    pub(crate) since: Instant,
}

/// A share of the budget; dropping it releases the bytes.
#[derive(Debug)]
pub(crate) struct Permit {
    _bytes: OwnedSemaphorePermit,
}

/// More than the budget could ever hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// What the records would take.
    pub requested: ByteCount,
    /// The whole budget.
    pub capacity: ByteCount,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the records take {} in memory, more than the {} kept for all requests",
            self.requested, self.capacity
        )
    }
}

impl error::Error for TooLarge {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::time::timeout;

    use super::*;

    fn records(bytes: usize) -> Vec<Record> {
        vec![Record { value: Some(Bytes::from(vec![0; bytes])), ..Record::default() }]
    }

    #[tokio::test]
    async fn bytes_are_counted_and_released() {
        let inflight = Inflight::new(ByteCount(10_000));
        assert_eq!(inflight.used(), ByteCount(0));
        let admitted = inflight.admit(records(1_000)).await.expect("fits");
        let used = inflight.used().0;
        assert!((1_000..1_500).contains(&used), "{used}");
        drop(admitted);
        assert_eq!(inflight.used(), ByteCount(0));
    }

    #[tokio::test]
    async fn requests_wait_in_order() {
        let inflight = Inflight::new(ByteCount(10_000));
        let first = inflight.admit(records(9_000)).await.expect("fits");
        let a_moment = Duration::from_millis(20);
        assert!(timeout(a_moment, inflight.admit(records(5_000))).await.is_err(), "it waits");

        let waiting = tokio::spawn({
            let inflight = inflight.clone();
            async move { inflight.admit(records(5_000)).await.map(|a| a.records.len()) }
        });
        tokio::time::sleep(a_moment).await;
        // A small one must not overtake the large one that waits.
        assert!(timeout(a_moment, inflight.admit(records(1))).await.is_err());
        drop(first);
        assert_eq!(timeout(Duration::from_secs(2), waiting).await.expect("woken").expect("joins"), Ok(1));
    }

    #[tokio::test]
    async fn what_can_never_fit_is_refused_at_once() {
        let inflight = Inflight::new(ByteCount(1_000));
        let refused = inflight.admit(records(5_000)).await.expect_err("too large");
        assert_eq!(refused.capacity, ByteCount(1_000));
        assert!(refused.requested.0 >= 5_000);
        assert_eq!(inflight.used(), ByteCount(0));
    }
}
