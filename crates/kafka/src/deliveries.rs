//! What the records of one append became.
//!
//! One shared object per append, whatever the number of records: a slot per record, a count of those without an answer, a
//! waker. Each record on its way carries a [`Ticket`], which names the object and its slot. When the last ticket is answered
//! the room in the memory budget is given back and the future wakes, once.
//!
//! Price: per append one allocation for the object and one for its slots, per record one for its ticket.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use crate::{AppendError, Error, ErrorKind, Fate, Receipt, inflight::Room};

/// What became of one record.
pub(crate) type Outcome = Result<Receipt, AppendError>;

/// What the records of one append became, in their order. Dropping it does not recall the records.
#[must_use = "whether the records were written is known only here"]
pub struct Deliveries(Arc<Mutex<Pending>>);

impl Deliveries {
    /// The future, and one ticket per record in their order. `room` is given back with the last answer.
    pub(crate) fn new(records: usize, room: Room) -> (Deliveries, impl Iterator<Item = Ticket>) {
        let pending = Pending {
            outcomes: vec![None; records],
            unanswered: records,
            waker: None,
            room: (records > 0).then_some(room),
        };
        let pending = Arc::new(Mutex::new(pending));
        let tickets = (0..records).map({
            let pending = pending.clone();
            move |slot| Ticket { pending: pending.clone(), slot, answered: false }
        });
        (Deliveries(pending), tickets)
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
    room: Option<Room>,
}

/// The claim of one record on its answer. Dropped without one (a client that dies with records in it), it answers that
/// nothing is known, so that nobody waits for ever.
pub(crate) struct Ticket {
    pending: Arc<Mutex<Pending>>,
    slot: usize,
    answered: bool,
}

impl Ticket {
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
        let (room, waker) = (pending.room.take(), pending.waker.take());
        // Both may run code of others: not under the lock.
        drop(pending);
        drop(room);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Ticket {
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
    async fn answers_keep_the_order_of_records_and_free_the_room_last() {
        let inflight = Inflight::new(ByteCount(10_000));
        let admitted = inflight.admit(vec![Record::default(), Record::default()]).await.expect("fits");
        let (deliveries, tickets) = Deliveries::new(2, admitted.room);
        let mut tickets: Vec<Ticket> = tickets.collect();

        tickets.pop().expect("two").answer(Ok(receipt(8)));
        assert_ne!(inflight.used(), ByteCount(0), "one record is still under way");
        let waiting = tokio::spawn(deliveries);
        tokio::task::yield_now().await;
        tickets.pop().expect("two").answer(Ok(receipt(7)));
        assert_eq!(inflight.used(), ByteCount(0));
        assert_eq!(waiting.await.expect("joins"), vec![Ok(receipt(7)), Ok(receipt(8))]);
    }

    #[tokio::test]
    async fn no_records_are_answered_at_once() {
        let admitted = Inflight::new(ByteCount(10)).admit(Vec::new()).await.expect("fits");
        let (deliveries, tickets) = Deliveries::new(0, admitted.room);
        assert_eq!(tickets.count(), 0);
        assert_eq!(deliveries.await, vec![]);
    }

    #[tokio::test]
    async fn a_lost_ticket_is_an_answer_too() {
        let admitted = Inflight::new(ByteCount(10_000)).admit(vec![Record::default()]).await.expect("fits");
        let (deliveries, tickets) = Deliveries::new(1, admitted.room);
        drop(tickets.collect::<Vec<_>>());
        let outcomes = deliveries.await;
        assert_eq!(outcomes[0].as_ref().expect_err("lost").fate, Fate::Unknown);
    }
}
