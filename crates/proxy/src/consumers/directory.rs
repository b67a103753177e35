//! All instances, by group and name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postern_kafka::{Error as ClusterError, FetchBudget};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::memory::AnswerBudget;
use super::operation::Operation;
use super::{ConsumerError, ConsumerLimits, InstanceName, ReadFormats};
use crate::{Error, KafkaIdentity};

/// Operations that may wait for one instance.
const MAILBOX: usize = 16;
/// How long the log is left alone with what it was told of empty reads.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// All instances of a proxy. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Directory(Arc<Parts>);

struct Parts {
    instances: Mutex<Instances>,
    limits: ConsumerLimits,
    fetched: FetchBudget,
    answers: AnswerBudget,
    /// When the log was told last that reads are empty because Kafka does not answer.
    told_unanswered: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Instances {
    by_name: HashMap<InstanceName, Handle>,
    /// Distinguishes an instance from a later one of the same name.
    next_id: u64,
    stopped: bool,
}

/// An instance as others see it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Handle {
    id: u64,
    at: InstanceName,
    /// The Kafka identity that it has; `None`: that of this server.
    identity: Option<KafkaIdentity>,
    formats: ReadFormats,
    mailbox: mpsc::Sender<Operation>,
    /// `Some`: the instance shall end.
    stop: watch::Sender<Option<Ending>>,
    /// The number of the last stream of it.
    streams: watch::Sender<u64>,
}

/// Why an instance ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It exists no longer.
    Deleted,
    /// It is not open here any longer; it may be elsewhere.
    Moved,
}

/// What the task of an instance gets of its [`Handle`].
pub(super) struct Mailbox {
    pub(super) operations: mpsc::Receiver<Operation>,
    pub(super) stop: Stop,
    /// The number of the last stream: reads of earlier ones have ended.
    pub(super) streams: watch::Receiver<u64>,
    /// The task's own entry.
    pub(super) entry: EntryGuard,
}

/// Tells when an instance shall end. Cheap to clone.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<Option<Ending>>);

impl Stop {
    /// Waits for it. Cancel safe.
    pub(super) async fn requested(&mut self) -> Ending {
        match self.0.wait_for(Option::is_some).await {
            Ok(ending) => ending.unwrap_or(Ending::Deleted),
            // Nobody can find the instance any more, which is a reason to end, too.
            Err(_) => Ending::Deleted,
        }
    }
}

/// Removes the instance from the directory when it is dropped, if it is still there.
pub(super) struct EntryGuard {
    directory: Directory,
    at: InstanceName,
    id: u64,
}

impl Directory {
    pub(crate) fn new(limits: ConsumerLimits) -> Directory {
        Directory(Arc::new(Parts {
            instances: Mutex::default(),
            limits,
            fetched: FetchBudget::new(limits.fetched_ahead),
            answers: AnswerBudget::new(limits.answers.0),
            told_unanswered: Mutex::default(),
        }))
    }

    /// Instances now.
    pub(crate) fn count(&self) -> usize {
        self.0.instances.lock().by_name.len()
    }

    /// An instance is answered that there is nothing, because no broker says what there is. Whether the log was told.
    pub(super) fn tell_unanswered(&self, error: &ClusterError) -> bool {
        let now = Instant::now();
        let mut told = self.0.told_unanswered.lock();
        let is_due = told.is_none_or(|told| now - told >= TELL_AGAIN);
        if is_due {
            *told = Some(now);
            tracing::warn!(%error, "Kafka does not answer: reads of consumer instances find nothing meanwhile");
        }
        is_due
    }

    pub(crate) fn limits(&self) -> &ConsumerLimits {
        &self.0.limits
    }

    pub(crate) fn fetched(&self) -> &FetchBudget {
        &self.0.fetched
    }

    pub(crate) fn answers(&self) -> &AnswerBudget {
        &self.0.answers
    }

    /// Enters an instance; `make` is called while nobody else can enter one.
    ///
    /// # Errors
    /// [`ConsumerError::NameTaken`], [`ConsumerError::TooMany`], [`Error::Stopping`], and those of `make`.
    pub(super) fn enter<T>(
        &self,
        at: &InstanceName,
        identity: Option<&KafkaIdentity>,
        formats: ReadFormats,
        make: impl FnOnce() -> Result<T, Error>,
    ) -> Result<(T, Mailbox), Error> {
        let mut instances = self.0.instances.lock();
        if instances.stopped {
            return Err(Error::Stopping);
        }
        let count = instances.by_name.len();
        let id = instances.next_id;
        let Entry::Vacant(place) = instances.by_name.entry(at.clone()) else {
            return Err(ConsumerError::NameTaken(at.clone()).into());
        };
        if count >= self.0.limits.instances {
            return Err(ConsumerError::TooMany(count).into());
        }
        let made = make()?;
        let ((mailbox, operations), (stop, stopping)) = (mpsc::channel(MAILBOX), watch::channel(None));
        let (streams, last_stream) = watch::channel(0);
        let identity = identity.cloned();
        place.insert(Handle { id, at: at.clone(), identity, formats, mailbox, stop, streams });
        instances.next_id += 1;
        let entry = EntryGuard { directory: self.clone(), at: at.clone(), id };
        Ok((made, Mailbox { operations, stop: Stop(stopping), streams: last_stream, entry }))
    }

    /// # Errors
    /// [`ConsumerError::NotFound`], [`Error::Stopping`].
    pub(super) fn find(&self, at: &InstanceName) -> Result<Handle, Error> {
        let instances = self.0.instances.lock();
        match instances.by_name.get(at) {
            Some(handle) => Ok(handle.clone()),
            None if instances.stopped => Err(Error::Stopping),
            None => Err(ConsumerError::NotFound(at.clone()).into()),
        }
    }

    /// Ends an instance that has another Kafka identity than this one: its caller is somebody else for Kafka meanwhile.
    pub(super) fn end_of_another(&self, at: &InstanceName, identity: Option<&KafkaIdentity>, ending: Ending) {
        let mut instances = self.0.instances.lock();
        let is_same = |has: &Option<KafkaIdentity>| match (has, identity) {
            (Some(has), Some(identity)) => has.is_same(identity),
            (has, identity) => has.is_none() && identity.is_none(),
        };
        if let Entry::Occupied(place) = instances.by_name.entry(at.clone())
            && !is_same(&place.get().identity)
        {
            place.remove().stop.send_replace(Some(ending));
        }
    }

    /// Whether an instance is open here.
    pub(super) fn has(&self, at: &InstanceName) -> bool {
        self.0.instances.lock().by_name.contains_key(at)
    }

    /// Whether nobody can enter an instance any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.0.instances.lock().stopped
    }

    /// # Errors
    /// [`ConsumerError::TooMany`].
    pub(super) fn check_room(&self) -> Result<(), Error> {
        match self.count() {
            count if count >= self.0.limits.instances => Err(ConsumerError::TooMany(count).into()),
            _ => Ok(()),
        }
    }

    /// Takes an instance out, and tells it to end.
    ///
    /// # Errors
    /// [`ConsumerError::NotFound`].
    pub(super) fn remove(&self, at: &InstanceName, ending: Ending) -> Result<Handle, Error> {
        let removed = self.0.instances.lock().by_name.remove(at);
        let handle = removed.ok_or_else(|| ConsumerError::NotFound(at.clone()))?;
        handle.stop.send_replace(Some(ending));
        Ok(handle)
    }

    /// Tells all instances to end, and lets nobody enter another one.
    pub(super) fn stop(&self) -> Vec<Handle> {
        let mut instances = self.0.instances.lock();
        instances.stopped = true;
        let all: Vec<Handle> = instances.by_name.drain().map(|(_, handle)| handle).collect();
        for handle in &all {
            handle.stop.send_replace(Some(Ending::Moved));
        }
        all
    }
}

impl Handle {
    pub(super) fn formats(&self) -> ReadFormats {
        self.formats
    }

    /// The number of a new stream, with which the one before ends.
    pub(super) fn next_stream(&self) -> u64 {
        self.streams.send_modify(|last| *last += 1);
        *self.streams.borrow()
    }

    /// # Errors
    /// [`ConsumerError::Busy`], [`ConsumerError::NotFound`].
    pub(super) fn send(&self, operation: Operation) -> Result<(), Error> {
        self.mailbox.try_send(operation).map_err(|error| match error {
            TrySendError::Full(_) => ConsumerError::Busy.into(),
            TrySendError::Closed(_) => ConsumerError::NotFound(self.at.clone()).into(),
        })
    }

    /// Waits until the instance has ended.
    pub(super) async fn closed(&self) {
        self.stop.closed().await;
    }
}

impl EntryGuard {
    /// Takes the entry out, so that nobody finds an instance that is about to end.
    pub(super) fn leave(&self) {
        let mut instances = self.directory.0.instances.lock();
        if instances.by_name.get(&self.at).is_some_and(|handle| handle.id == self.id) {
            instances.by_name.remove(&self.at);
        }
    }
}

impl Drop for EntryGuard {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use postern_kafka::ErrorKind;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_log_is_told_of_empty_reads_once_a_minute() {
        let directory = Directory::new(ConsumerLimits::default());
        let (kind, name, message) = (ErrorKind::BrokerUnavailable, "BROKER_NOT_AVAILABLE".to_owned(), String::new());
        let error = ClusterError { kind, name, message };
        assert!(directory.tell_unanswered(&error));
        tokio::time::advance(TELL_AGAIN / 2).await;
        assert!(!directory.tell_unanswered(&error));
        tokio::time::advance(TELL_AGAIN / 2).await;
        assert!(directory.tell_unanswered(&error));
    }
}
