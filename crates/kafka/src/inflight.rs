//! The memory budget for records that no broker has acknowledged yet.
//!
//! Room is asked for once for all records of a request, never one by one: a request must not wait for room that it holds
//! itself. Who asked first is served first, so a large request is not starved by small ones. The room travels with the
//! records and is given back when the *broker* has answered the last of them; a client that hangs up does not make its
//! bytes vanish.

use std::{error, fmt, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{ByteCount, Record};

/// The memory budget for unacknowledged records. Cheap to clone; clones share the budget.
#[derive(Clone, Debug)]
pub struct Inflight {
    /// One permit per byte.
    room: Arc<Semaphore>,
    capacity: ByteCount,
}

impl Inflight {
    /// A budget of `capacity`, at most 4 GiB.
    pub fn new(capacity: ByteCount) -> Inflight {
        let capacity = ByteCount(capacity.0.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS));
        Inflight { room: Arc::new(Semaphore::new(capacity.0)), capacity }
    }

    /// Waits for room for all of `records` at once. Dropping the future gives up the place in the queue.
    ///
    /// # Errors
    /// [`TooLarge`] where the records exceed the whole budget, so that no waiting would help.
    pub async fn admit(&self, records: Vec<Record>) -> Result<Admitted, TooLarge> {
        let asked = ByteCount(records.iter().map(Record::footprint).sum());
        let too_large = TooLarge { asked, capacity: self.capacity };
        if asked > self.capacity {
            return Err(too_large);
        }
        let bytes = u32::try_from(asked.0).map_err(|_| too_large)?;
        let room = self.room.clone().acquire_many_owned(bytes).await.expect("the budget is never closed");
        Ok(Admitted { records, room: Room { _permit: room } })
    }

    /// As many records as could fit at all, empty ones.
    pub fn records_max(&self) -> usize {
        self.capacity.0 / Record::default().footprint()
    }

    /// What is in use now.
    pub fn used(&self) -> ByteCount {
        ByteCount(self.capacity.0 - self.room.available_permits())
    }

    /// The whole budget.
    pub fn capacity(&self) -> ByteCount {
        self.capacity
    }
}

/// Records with room in the budget. Made by [`Inflight::admit`] and nowhere else.
#[derive(Debug)]
pub struct Admitted {
    pub(crate) records: Vec<Record>,
    pub(crate) room: Room,
}

/// The room itself; dropping it gives the bytes back.
#[derive(Debug)]
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// More than the budget could ever hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// What the records would take.
    pub asked: ByteCount,
    /// The whole budget.
    pub capacity: ByteCount,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the records take {} in memory, more than the {} kept for all requests", self.asked, self.capacity)
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
    async fn room_is_counted_and_given_back() {
        let inflight = Inflight::new(ByteCount(10_000));
        assert_eq!(inflight.used(), ByteCount(0));
        let admitted = inflight.admit(records(1_000)).await.expect("fits");
        let used = inflight.used().0;
        assert!((1_000..1_500).contains(&used), "{used}");
        drop(admitted);
        assert_eq!(inflight.used(), ByteCount(0));
    }

    #[tokio::test]
    async fn without_room_one_waits_in_order() {
        let inflight = Inflight::new(ByteCount(10_000));
        let first = inflight.admit(records(9_000)).await.expect("fits");
        let patience = Duration::from_millis(20);
        assert!(timeout(patience, inflight.admit(records(5_000))).await.is_err(), "no room: it waits");

        let waiting = tokio::spawn({
            let inflight = inflight.clone();
            async move { inflight.admit(records(5_000)).await.map(|a| a.records.len()) }
        });
        tokio::time::sleep(patience).await;
        // A small one must not overtake the large one that waits.
        assert!(timeout(patience, inflight.admit(records(1))).await.is_err());
        drop(first);
        assert_eq!(timeout(Duration::from_secs(2), waiting).await.expect("woken").expect("joins"), Ok(1));
    }

    #[tokio::test]
    async fn what_can_never_fit_is_refused_at_once() {
        let inflight = Inflight::new(ByteCount(1_000));
        let refused = inflight.admit(records(5_000)).await.expect_err("too large");
        assert_eq!(refused.capacity, ByteCount(1_000));
        assert!(refused.asked.0 >= 5_000);
        assert_eq!(inflight.used(), ByteCount(0));
    }
}
