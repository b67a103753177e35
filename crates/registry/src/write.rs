//! Writing to the topic: one write of this instance at a time, answered when the fold has gone past it.
//!
//! Other instances are not locked out; the log decides between them and us (`state`). A verb that may lose looks at the state
//! after its write and starts over. Source: docs/reference/schema-registry.md §6.1 (step 6), §12.5.

use std::fmt;
use std::time::Duration;

use postern_kafka::{ErrorKind, Fate, PartitionId, Record};
use tokio::sync::MutexGuard;
use tokio::time::{Instant, timeout_at};

use crate::upstream::Leader;
use crate::{Error, NotPermitted, Registry};

/// What is being written, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Register,
    DeleteVersion,
    DeleteSubject,
    DeleteContext,
    UpdateConfig,
    DeleteConfig,
    UpdateMode,
    DeleteMode,
    Mend,
}

impl Operation {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Operation::Register => "register the schema",
            Operation::DeleteVersion => "delete the version",
            Operation::DeleteSubject => "delete the subject",
            Operation::DeleteContext => "delete the context",
            Operation::UpdateConfig => "update the configuration",
            Operation::DeleteConfig => "delete the configuration",
            Operation::UpdateMode => "update the mode",
            Operation::DeleteMode => "delete the mode",
            Operation::Mend => "write the winner back",
        }
    }
}

/// The right to write, alone in this instance, with a fold that has seen everything that was in the topic a moment ago.
pub(crate) struct Turn<'a> {
    registry: &'a Registry,
    operation: Operation,
    deadline: Instant,
    _alone: MutexGuard<'a, ()>,
}

impl Registry {
    /// Waits for the turn to write. All of the write is to be done within the time limit, the waiting included.
    pub(crate) async fn writer(&self, operation: Operation) -> Result<Turn<'_>, Error> {
        let core = self.core();
        self.check_ready()?;
        if core.settings.follower {
            return Err(NotPermitted::Follower.into());
        }
        let deadline = Instant::now() + core.settings.write_timeout;
        let failed = |cause: String, timed_out| Error::Store {
            operation: operation.words(),
            cause,
            fate: Fate::NotWritten,
            timed_out,
        };
        match core.upstream.leader(deadline).await {
            Leader::Nobody => {}
            Leader::Upstream => return Err(NotPermitted::Led(core.settings.group.clone()).into()),
            Leader::Unknown => {
                return Err(failed("Kafka does not tell whether another registry leads".to_owned(), true));
            }
        }
        let alone = timeout_at(deadline, core.writes.lock()).await;
        let alone = alone.map_err(|_| failed("other writes took too long".to_owned(), true))?;
        let end = timeout_at(deadline, core.cluster.offsets(&core.settings.topic, PartitionId(0))).await;
        let end = end
            .map_err(|_| failed("Kafka does not answer".to_owned(), true))?
            .map_err(|error| failed(error.to_string(), false))?;
        if end.latest > end.earliest && !core.progress.reached(end.latest.0, deadline).await {
            return Err(failed("reading the topic takes too long".to_owned(), true));
        }
        Ok(Turn { registry: self, operation, deadline, _alone: alone })
    }
}

impl Turn<'_> {
    /// Appends the records in order, and waits until the fold is past the last of them.
    pub(crate) async fn append(&self, records: Vec<Record>) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let core = self.registry.core();
        let admitted = timeout_at(self.deadline, core.inflight.admit(records)).await;
        // Records whose fate is open still take up room.
        let admitted = admitted
            .map_err(|_| self.failed("Kafka has not acknowledged earlier records", Fate::NotWritten, true))?
            .map_err(|too_large| {
                Error::TooLarge(format!(
                    "{} bytes are more than the {} that are held at once",
                    too_large.requested.0, too_large.capacity.0
                ))
            })?;
        let outcomes = timeout_at(self.deadline, core.cluster.append(&core.settings.topic, admitted)).await;
        let outcomes =
            outcomes.map_err(|_| self.failed("Kafka does not acknowledge the record", Fate::Unknown, true))?;
        let mut last = None;
        for outcome in outcomes {
            match outcome {
                Ok(receipt) => last = last.max(Some(receipt.offset)),
                Err(failure) if failure.error.kind == ErrorKind::RecordTooLarge => {
                    return Err(Error::TooLarge(failure.error.to_string()));
                }
                // Of several records some may stand in the log when a later one does not.
                Err(failure) => {
                    let fate = if last.is_some() { Fate::Unknown } else { failure.fate };
                    return Err(self.failed(failure.error, fate, false));
                }
            }
        }
        match last {
            Some(offset) if !core.progress.reached(offset.0 + 1, self.deadline).await => {
                Err(self.failed("the record was written, but does not come back from the topic", Fate::Unknown, true))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn failed(&self, cause: impl fmt::Display, fate: Fate, timed_out: bool) -> Error {
        Error::Store { operation: self.operation.words(), cause: cause.to_string(), fate, timed_out }
    }

    /// Others were faster again and again.
    pub(crate) fn out_of_time(&self) -> Error {
        self.failed("other writers were always faster", Fate::NotWritten, true)
    }

    /// Whether there is time left to start over.
    pub(crate) fn has_time(&self) -> bool {
        self.deadline > Instant::now() + Duration::from_millis(1)
    }
}
