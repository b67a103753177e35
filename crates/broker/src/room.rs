//! Bytes in flight: what all connections together hold of requests and of answers.
//!
//! A request that fits into its connection's own buffer needs no room, so a heartbeat or a fetch never waits for
//! somebody's large produce. A larger one takes room before the rest of it is read, and gives it back when it was
//! answered. A fetch takes room for its answer before it reads records, at most what it may answer with; it keeps what
//! it does answer with until the client has it, and nothing while it waits for records. Other answers are made, then
//! counted; who asks for a list waits while nothing is free.
//!
//! Requests and answers have half of the bytes each, and nobody waits for room in a half of which he holds some: so
//! nobody waits in a circle. Room for answers comes back when clients read them, or are cut off (`connection`).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that are taken; given back when dropped.
pub(crate) type Taken = OwnedSemaphorePermit;

#[derive(Debug)]
pub(crate) struct Room {
    requests: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    half: usize,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Room {
        // One request or answer is counted in 32 bits.
        let half = (bytes / 2).clamp(1, u32::MAX as usize);
        Room { requests: Arc::new(Semaphore::new(half)), answers: Arc::new(Semaphore::new(half)), half }
    }

    /// The largest request that there can ever be room for.
    pub(crate) fn largest_request(&self) -> usize {
        self.half
    }

    /// Waits for room for a request.
    pub(crate) async fn request(&self, bytes: usize) -> Taken {
        self.take(&self.requests, bytes).await
    }

    /// Waits for room for an answer; one larger than all the room there is takes all of it.
    pub(crate) async fn answer(&self, bytes: usize) -> Taken {
        self.take(&self.answers, bytes).await
    }

    /// Waits until something is free, then takes what there is, at most `bytes`.
    pub(crate) async fn answer_up_to(&self, bytes: usize) -> Taken {
        let mut taken = self.answer(1).await;
        if let Some(more) = self.answer_now(bytes.saturating_sub(1)) {
            taken.merge(more);
        }
        taken
    }

    /// Takes what is free, at most `bytes`.
    pub(crate) fn answer_now(&self, bytes: usize) -> Option<Taken> {
        let bytes = bytes.min(self.answers.available_permits());
        // Somebody else may have been faster.
        self.answers.clone().try_acquire_many_owned(bytes as u32).ok()
    }

    /// Whether an answer would have to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.answers.available_permits() == 0
    }

    async fn take(&self, of: &Arc<Semaphore>, bytes: usize) -> Taken {
        let taken = of.clone().acquire_many_owned(bytes.min(self.half) as u32).await;
        taken.expect("the semaphores are never closed")
    }
}

/// Gives back all but `bytes`.
pub(crate) fn keep(taken: &mut Taken, bytes: usize) {
    drop(taken.split(taken.num_permits().saturating_sub(bytes)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_takes_what_is_free_and_gives_back_what_it_does_not_need() {
        let room = Room::new(200);
        let mut first = room.answer_up_to(70).await;
        assert_eq!(first.num_permits(), 70);
        assert_eq!(room.answer_up_to(70).await.num_permits(), 30);
        let rest = room.answer(30).await;
        assert!(room.is_full());
        keep(&mut first, 10);
        assert_eq!(room.answer_up_to(1000).await.num_permits(), 60);
        drop((first, rest));
        assert_eq!(room.answer(1000).await.num_permits(), 100, "more than there is: all of it");
        assert_eq!(room.request(100).await.num_permits(), 100, "requests have a half of their own");
    }
}
