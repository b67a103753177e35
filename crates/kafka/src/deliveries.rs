//! What the records of one append became.
//!
//! One shared object per append, whatever the number of records: a slot per record, a count of those without an answer, a
//! waker. Each record on its way carries a [`DeliveryHandle`], which names the object and its slot. When the last handle is answered
//! the permit of the memory budget is released and the future wakes, once.
//!
//! Price: per append one allocation for the object and one for its slots, per record one for its handle.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use crate::{AppendError, Error, ErrorKind, Fate, Receipt, inflight::Permit};

/// What became of one record.
pub(crate) type Outcome = Result<Receipt, AppendError>;

/// What the records of one append became, in their order. Dropping it does not recall the records.
#[must_use = "whether the records were written is known only here"]
pub struct Deliveries(Arc<Mutex<Pending>>);

impl Deliveries {
    /// The future, and one handle per record in their order. `permit` is released with the last answer.
    pub(crate) fn new(records: usize, permit: Permit) -> (Deliveries, impl Iterator<Item = DeliveryHandle>) {
        let pending = Pending {
            outcomes: vec![None; records],
            unanswered: records,
            waker: None,
            permit: (records > 0).then_some(permit),
        };
        let pending = Arc::new(Mutex::new(pending));
        let handles = (0..records).map({
            let pending = pending.clone();
            move |slot| DeliveryHandle { pending: pending.clone(), slot, answered: false }
        });
        (Deliveries(pending), handles)
    }
}

impl Future for Deliveries {
    type Output = Vec<Result<Receipt, AppendError>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut pending = self.0.lock();
        if pending.unanswered > 0 {
            match &mut pending.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        let outcomes = std::mem::take(&mut pending.outcomes);
        Poll::Ready(outcomes.into_iter().map(|o| o.expect("nothing is unanswered: every slot is filled")).collect())
    }
}

struct Pending {
    outcomes: Vec<Option<Outcome>>,
    unanswered: usize,
    waker: Option<Waker>,
    permit: Option<Permit>,
}

/// The claim of one record on its answer. Dropped without one (a client that dies with records in it), it answers that
/// nothing is known, so that nobody waits for ever.
pub(crate) struct DeliveryHandle {
    pending: Arc<Mutex<Pending>>,
    slot: usize,
    answered: bool,
}

impl DeliveryHandle {
    pub(crate) fn answer(mut self, outcome: Outcome) {
        self.settle(outcome);
    }

    fn settle(&mut self, outcome: Outcome) {
        self.answered = true;
        let mut pending = self.pending.lock();
        pending.outcomes[self.slot] = Some(outcome);
        pending.unanswered -= 1;
        if pending.unanswered > 0 {
            return;
        }
        let (permit, waker) = (pending.permit.take(), pending.waker.take());
        // Both may run code of others: not under the lock.
        drop(pending);
        drop(permit);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for DeliveryHandle {
    fn drop(&mut self) {
        if !self.answered {
            let error =
                Error::new(ErrorKind::Retriable, "_DESTROY", "the client was closed before the broker answered");
            self.settle(Err(AppendError { error, fate: Fate::Unknown }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ByteCount, Inflight, Offset, PartitionId, Record};

    fn receipt(offset: i64) -> Receipt {
        Receipt { partition: PartitionId(0), offset: Offset(offset), timestamp_ms: None }
    }

    #[tokio::test]
    async fn answers_keep_the_order_of_records_and_release_the_permit_last() {
        let inflight = Inflight::new(ByteCount(10_000));
        let admitted = inflight.admit(vec![Record::default(), Record::default()]).await.expect("fits");
        let (deliveries, handles) = Deliveries::new(2, admitted.permit);
        let mut handles: Vec<DeliveryHandle> = handles.collect();

        handles.pop().expect("two").answer(Ok(receipt(8)));
        assert_ne!(inflight.used(), ByteCount(0), "one record is still under way");
        let waiting = tokio::spawn(deliveries);
        tokio::task::yield_now().await;
        handles.pop().expect("two").answer(Ok(receipt(7)));
        assert_eq!(inflight.used(), ByteCount(0));
        assert_eq!(waiting.await.expect("joins"), vec![Ok(receipt(7)), Ok(receipt(8))]);
    }

    #[tokio::test]
    async fn no_records_are_answered_at_once() {
        let admitted = Inflight::new(ByteCount(10)).admit(Vec::new()).await.expect("fits");
        let (deliveries, handles) = Deliveries::new(0, admitted.permit);
        assert_eq!(handles.count(), 0);
        assert_eq!(deliveries.await, vec![]);
    }

    #[tokio::test]
    async fn a_dropped_handle_answers_unknown() {
        let admitted = Inflight::new(ByteCount(10_000)).admit(vec![Record::default()]).await.expect("fits");
        let (deliveries, handles) = Deliveries::new(1, admitted.permit);
        drop(handles.collect::<Vec<_>>());
        let outcomes = deliveries.await;
        assert_eq!(outcomes[0].as_ref().expect_err("lost").fate, Fate::Unknown);
    }
}
