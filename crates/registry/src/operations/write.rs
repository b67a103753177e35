//! Writing to the topic: one write of this instance at a time, answered when the state has passed it.
//!
//! Other Posterns are not locked out; the order of the log decides between them (`state`). An operation that may lose looks at
//! the state after its write and starts over. Confluent registries are: a write is only acknowledged if none of them had joined
//! its group when the record was read back. What is in the log before one joins it reads before it leads; what comes later it
//! may undo. Source: docs/reference/schema-registry.md §6.1 (step 6), §12.5.

use std::fmt;
use std::time::Duration;

use postern_kafka::{ErrorKind, Fate, PartitionId, Record};
use tokio::sync::MutexGuard;
use tokio::time::{Instant, timeout_at};

use crate::leader::ForeignLeader;
use crate::model::error::{Error, NotPermitted};
use crate::registry::Registry;

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
    Repair,
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
            Operation::Repair => "repair the topic",
        }
    }
}

/// The exclusive right of this instance's tasks to write, with a state that has everything that was in the topic a moment ago.
pub(crate) struct WriteLease<'a> {
    registry: &'a Registry,
    operation: Operation,
    deadline: Instant,
    guard: MutexGuard<'a, ()>,
}

impl Registry {
    /// Waits for the lease. The whole write must be done within the time limit, the waiting included.
    pub(crate) async fn lease_write(&self, operation: Operation) -> Result<WriteLease<'_>, Error> {
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
        match core.leader.last_seen(deadline).await {
            ForeignLeader::Absent => {}
            ForeignLeader::Present => return Err(NotPermitted::Led(core.settings.group.clone()).into()),
            ForeignLeader::Unknown => {
                return Err(failed("the group of other registries cannot be looked at".to_owned(), true));
            }
        }
        let guard = timeout_at(deadline, core.writes.lock()).await;
        let guard = guard.map_err(|_| failed("other writes took too long".to_owned(), true))?;
        let topic = &core.settings.topic;
        let end = timeout_at(deadline, core.cluster.offsets(topic, PartitionId(0))).await;
        let end =
            end.map_err(|_| failed("Kafka does not answer".to_owned(), true))?.map_err(|error| match error.kind {
                ErrorKind::UnknownTopic | ErrorKind::UnknownPartition => failed(topic_gone(topic), false),
                _ => failed(error.to_string(), false),
            })?;
        if end.latest > end.earliest && !core.progress.reached(end.latest.0, deadline).await {
            return Err(failed("reading the topic takes too long".to_owned(), true));
        }
        Ok(WriteLease { registry: self, operation, deadline, guard })
    }
}

impl Registry {
    /// Waits until the state has everything that is in the topic now, at most as long as a write may take. False: it may not.
    pub(crate) async fn catch_up(&self) -> bool {
        let core = self.core();
        let deadline = Instant::now() + core.settings.write_timeout;
        match timeout_at(deadline, core.cluster.offsets(&core.settings.topic, PartitionId(0))).await {
            Ok(Ok(range)) => range.latest == range.earliest || core.progress.reached(range.latest.0, deadline).await,
            Ok(Err(_)) | Err(_) => false,
        }
    }
}

/// Why nothing can be written after the topic was deleted, and what to do.
pub(crate) fn topic_gone(topic: &impl fmt::Display) -> String {
    format!(
        "topic {topic} does not exist any more. Restore it, or create an empty one (kafka-topics.sh --bootstrap-server … --create --topic {topic} --partitions 1 --config cleanup.policy=compact) and restart this registry, which then begins without schemas"
    )
}

impl WriteLease<'_> {
    /// Appends the records in order, and waits until the state has passed the last of them. The write is not to be
    /// acknowledged before [`WriteLease::confirm`].
    pub(crate) async fn append(&self, records: Vec<Record>) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let core = self.registry.core();
        let admitted = timeout_at(self.deadline, core.inflight.admit(records)).await;
        // Records whose fate is unknown still count against the budget.
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
                // Some of several records may be in the log when a later one is not.
                Err(failure) => {
                    let fate = if last.is_some() { Fate::Unknown } else { failure.fate };
                    return Err(match failure.error.kind {
                        ErrorKind::UnknownTopic => self.failed(topic_gone(&core.settings.topic), fate, false),
                        _ => self.failed(failure.error, fate, false),
                    });
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

    /// Ends the lease, and waits for a look at the group that began after the records were read back. Other writes go on
    /// meanwhile, and one look confirms all that wait for it.
    ///
    /// # Errors
    /// Another registry has joined: whether it keeps the records is not known. Or the group could not be looked at in time.
    pub(crate) async fn confirm(self) -> Result<(), Error> {
        let WriteLease { registry, operation, deadline, guard } = self;
        drop(guard);
        let core = registry.core();
        let failed = |cause: String, timed_out| Error::Store {
            operation: operation.words(),
            cause,
            fate: Fate::Unknown,
            timed_out,
        };
        match core.leader.look_again(deadline).await {
            ForeignLeader::Absent => Ok(()),
            ForeignLeader::Present => {
                let group = &core.settings.group;
                Err(failed(
                    format!("another registry joined the group '{group}' meanwhile, and writes from now on"),
                    false,
                ))
            }
            ForeignLeader::Unknown => {
                Err(failed("the group of other registries cannot be looked at again".to_owned(), true))
            }
        }
    }

    /// Appends the records of a write that is complete with them, and confirms it.
    pub(crate) async fn commit(self, records: Vec<Record>) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        self.append(records).await?;
        self.confirm().await
    }

    fn failed(&self, cause: impl fmt::Display, fate: Fate, timed_out: bool) -> Error {
        Error::Store { operation: self.operation.words(), cause: cause.to_string(), fate, timed_out }
    }

    /// Other writers were faster until the time was over.
    pub(crate) fn out_of_time(&self) -> Error {
        self.failed("other writers were always faster", Fate::NotWritten, true)
    }

    /// Whether there is time left to start over.
    pub(crate) fn has_time(&self) -> bool {
        self.deadline > Instant::now() + Duration::from_millis(1)
    }
}
