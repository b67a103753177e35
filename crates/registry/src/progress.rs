//! How far the topic has been read, and whether the state has ever caught up with it.

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::model::error::Error;

/// The position in the topic up to which the state is complete.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The next offset: all records before it are applied. `None`: not caught up yet.
    next: watch::Sender<Option<i64>>,
    /// Why it has not caught up, as a clause.
    obstacle: Mutex<String>,
    /// Wakes the task that rewrites winners.
    pub(crate) rejected: Notify,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress {
            next: watch::Sender::new(None),
            obstacle: Mutex::new("it waits for Kafka".to_owned()),
            rejected: Notify::new(),
        }
    }

    pub(crate) fn check_ready(&self) -> Result<(), Error> {
        match *self.next.borrow() {
            Some(_) => Ok(()),
            None => Err(Error::NotReady(self.obstacle.lock().clone())),
        }
    }

    /// The state begins anew.
    pub(crate) fn restart(&self) {
        self.next.send_replace(None);
    }

    /// All records before `next` are applied.
    pub(crate) fn set(&self, next: i64) {
        self.next.send_replace(Some(next));
    }

    /// The next offset to be applied; `None`: not caught up yet.
    pub(crate) fn next(&self) -> Option<i64> {
        *self.next.borrow()
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.next.borrow().is_some()
    }

    /// Why it cannot catch up at the moment.
    pub(crate) fn set_obstacle(&self, obstacle: String) {
        *self.obstacle.lock() = obstacle;
    }

    pub(crate) async fn ready(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.next.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until all records before `offset` are applied. False: not by the deadline.
    pub(crate) async fn reached(&self, offset: i64, deadline: Instant) -> bool {
        let mut next = self.next.subscribe();
        timeout_at(deadline, next.wait_for(|next| next.is_some_and(|next| next >= offset))).await.is_ok()
    }
}
