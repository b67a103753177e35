//! What the records of one append became.
//!
//! One shared object per append, whatever the number of records: a slot per record, a count of those without an answer, a
//! waker. Records on their way carry [`DeliveryHandle`]s, each of which names the object and a run of its slots. When the last
//! slot is answered the permit of the memory budget is released and the future wakes, once.
//!
//! Price: per append one allocation for the object and one for its slots, none per record.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    AppendError, Error, ErrorKind, Fate, Offset, PartitionId, Receipt, inflight::Permit, statistics::RecordCounters,
};

/// What became of one record.
pub(crate) type Outcome = Result<Receipt, AppendError>;

/// What the records of one append became, in their order. Dropping it does not recall the records.
#[must_use = "whether the records were written is known only here"]
pub struct Deliveries(Arc<Append>);

impl Deliveries {
    /// The future, and the slots of its records, which have these timestamps. `permit` is released with the last answer.
    pub(crate) fn new(
        timestamps_ms: impl ExactSizeIterator<Item = i64>,
        permit: Permit,
        outstanding: &Arc<Outstanding>,
    ) -> (Deliveries, Slots) {
        let unanswered = timestamps_ms.len();
        let slots = timestamps_ms.map(|timestamp_ms| Slot { timestamp_ms, outcome: None }).collect();
        let permit = (unanswered > 0).then_some(permit);
        if unanswered > 0 {
            outstanding.appends.fetch_add(1, Ordering::AcqRel);
        }
        let append = Arc::new(Append {
            outstanding: outstanding.clone(),
            state: Mutex::new(AppendState { slots, unanswered, waker: None, permit }),
        });
        (Deliveries(append.clone()), Slots { append, next: 0 })
    }
}

impl Future for Deliveries {
    type Output = Vec<Result<Receipt, AppendError>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state.lock();
        if state.unanswered > 0 {
            match &mut state.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        let slots = std::mem::take(&mut state.slots);
        let outcomes = slots.into_iter().map(|slot| slot.outcome.expect("nothing is unanswered: every slot is filled"));
        Poll::Ready(outcomes.collect())
    }
}

/// Appends that have an unanswered record.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    appends: AtomicUsize,
    /// What became of all records.
    pub(crate) counters: RecordCounters,
    none_left: Notify,
}

impl Outstanding {
    pub(crate) fn count(&self) -> usize {
        self.appends.load(Ordering::Acquire)
    }

    /// Waits until every append is answered.
    pub(crate) async fn none_left(&self) {
        loop {
            let notified = self.none_left.notified();
            if self.count() == 0 {
                return;
            }
            notified.await;
        }
    }
}

struct Append {
    outstanding: Arc<Outstanding>,
    state: Mutex<AppendState>,
}

struct AppendState {
    slots: Vec<Slot>,
    unanswered: usize,
    waker: Option<Waker>,
    permit: Option<Permit>,
}

struct Slot {
    timestamp_ms: i64,
    outcome: Option<Outcome>,
}

impl Append {
    fn answer(&self, first: usize, count: usize, outcome: impl Fn(usize, i64) -> Outcome) {
        let mut state = self.state.lock();
        for (index, slot) in state.slots[first..first + count].iter_mut().enumerate() {
            slot.outcome = Some(outcome(index, slot.timestamp_ms));
        }
        state.unanswered -= count;
        if state.unanswered > 0 {
            return;
        }
        let (permit, waker) = (state.permit.take(), state.waker.take());
        // Both may run code of others: not under the lock.
        drop(state);
        drop(permit);
        if self.outstanding.appends.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.outstanding.none_left.notify_waiters();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The slots of an append that no handle was made for yet, in their order.
pub(crate) struct Slots {
    append: Arc<Append>,
    next: usize,
}

impl Slots {
    /// The handle of the next record.
    pub(crate) fn next(&mut self) -> DeliveryHandle {
        let first = self.next;
        self.next += 1;
        DeliveryHandle { append: self.append.clone(), first, count: 1 }
    }
}

/// A run of records that wait for their answer. Dropped without one (a client that ends with records in it), it answers that
/// nothing is known, so that no caller waits for ever.
pub(crate) struct DeliveryHandle {
    append: Arc<Append>,
    first: usize,
    count: usize,
}

impl DeliveryHandle {
    /// Takes `next` into this run, if it continues it; else gives it back.
    pub(crate) fn join(&mut self, next: DeliveryHandle) -> Option<DeliveryHandle> {
        if !Arc::ptr_eq(&self.append, &next.append) || self.first + self.count != next.first {
            return Some(next);
        }
        self.count += next.count;
        next.forget();
        None
    }

    /// One handle per record.
    pub(crate) fn split(self) -> impl Iterator<Item = DeliveryHandle> {
        let (append, slots) = (self.append.clone(), self.first..self.first + self.count);
        self.forget();
        slots.map(move |first| DeliveryHandle { append: append.clone(), first, count: 1 })
    }

    /// How many records it stands for.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// They are in the log from `offset` on. `append_time_ms`: the log's own time, where it does not keep the producer's.
    pub(crate) fn written(self, partition: PartitionId, offset: i64, append_time_ms: Option<i64>) {
        self.append.outstanding.counters.written(self.count);
        self.append.answer(self.first, self.count, |index, timestamp_ms| {
            let timestamp_ms = append_time_ms.unwrap_or(timestamp_ms);
            let offset = offset.saturating_add(i64::try_from(index).unwrap_or(0));
            Ok(Receipt { partition, offset: Offset(offset), timestamp_ms: (timestamp_ms >= 0).then_some(timestamp_ms) })
        });
        self.forget();
    }

    /// They failed.
    pub(crate) fn failed(self, error: &AppendError) {
        self.append.outstanding.counters.failed(self.count, error.error.kind, error.fate);
        self.append.answer(self.first, self.count, |_, _| Err(error.clone()));
        self.forget();
    }

    /// Ends it without an answer: it has one, or another handle has its slots.
    fn forget(mut self) {
        self.count = 0;
    }
}

impl Drop for DeliveryHandle {
    fn drop(&mut self) {
        if self.count > 0 {
            let error = Error::new(
                ErrorKind::Retriable,
                "REQUEST_TIMED_OUT",
                "the client was closed before the broker answered",
            );
            let error = AppendError { error, fate: Fate::Unknown };
            self.append.answer(self.first, self.count, |_, _| Err(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ByteCount, Inflight, Record};

    async fn two(inflight: &Inflight) -> (Deliveries, Slots) {
        let admitted = inflight.admit(vec![Record::default(), Record::default()]).await.expect("fits");
        Deliveries::new([5, 6].into_iter(), admitted.permit, &Arc::default())
    }

    fn receipt(offset: i64, timestamp_ms: i64) -> Outcome {
        Ok(Receipt { partition: PartitionId(3), offset: Offset(offset), timestamp_ms: Some(timestamp_ms) })
    }

    #[tokio::test]
    async fn answers_keep_the_order_of_records_and_release_the_permit_last() {
        let inflight = Inflight::new(ByteCount(10_000));
        let (deliveries, mut slots) = two(&inflight).await;
        let (first, second) = (slots.next(), slots.next());
        second.written(PartitionId(3), 8, None);
        assert_ne!(inflight.used(), ByteCount(0), "one record is still under way");
        let waiting = tokio::spawn(deliveries);
        tokio::task::yield_now().await;
        first.written(PartitionId(3), 7, Some(99));
        assert_eq!(inflight.used(), ByteCount(0));
        assert_eq!(waiting.await.expect("joins"), vec![receipt(7, 99), receipt(8, 6)]);
    }

    #[tokio::test]
    async fn a_run_of_records_is_answered_together_and_can_be_split() {
        let inflight = Inflight::new(ByteCount(10_000));
        let (deliveries, mut slots) = two(&inflight).await;
        let mut run = slots.next();
        assert!(run.join(slots.next()).is_none());
        assert_eq!(run.count(), 2);
        run.written(PartitionId(3), 7, None);
        assert_eq!(deliveries.await, vec![receipt(7, 5), receipt(8, 6)]);

        let (deliveries, mut slots) = two(&inflight).await;
        let mut run = slots.next();
        assert!(run.join(slots.next()).is_none());
        for (offset, one) in (20..).zip(run.split()) {
            one.written(PartitionId(3), offset, None);
        }
        assert_eq!(deliveries.await, vec![receipt(20, 5), receipt(21, 6)]);
    }

    #[tokio::test]
    async fn no_records_are_answered_at_once() {
        let admitted = Inflight::new(ByteCount(10)).admit(Vec::new()).await.expect("fits");
        let outstanding = Arc::default();
        let (deliveries, _) = Deliveries::new([].into_iter(), admitted.permit, &outstanding);
        assert_eq!(deliveries.await, vec![]);
        outstanding.none_left().await;
    }

    #[tokio::test]
    async fn a_dropped_handle_answers_unknown() {
        let inflight = Inflight::new(ByteCount(10_000));
        let (deliveries, mut slots) = two(&inflight).await;
        drop(slots.next());
        drop(slots.next());
        let outcomes = deliveries.await;
        assert_eq!(outcomes[0].as_ref().expect_err("lost").fate, Fate::Unknown);
        assert_eq!(inflight.used(), ByteCount(0));
    }
}
