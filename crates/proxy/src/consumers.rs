//! Consumer instances: Kafka consumers that are kept for clients between their requests, until deleted or idle for too long.
//!
//! An instance is found by group and name. It is one task ([`instance`]) with a bounded mailbox, so its operations never overlap; deleting it
//! and stopping the server end a read that waits. What was read moves the instance's position only when the caller has taken it
//! ([`ReadAnswer::accept`]): the records of a client that hangs up come again.
//!
//! Not here: the shape of requests and answers (`http`), the protocol of groups (`kafka`), values (`decode`).
//!
//! Source: docs/reference/rest-v2.md §7; differences in `docs/compatibility.md`.

mod answer;
mod directory;
mod error;
mod instance;
mod instance_stream;
mod locate;
mod memory;
mod operation;
mod pattern;
mod read;
mod record_decoders;
mod replicas;
mod settings;
mod topic_reader;

use std::sync::Arc;
use std::time::Duration;

use postern_kafka::{ConsumerSettings, TopicPartition};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

pub use answer::{ReadAnswer, ReadRecord, ReadSide, ReadText, RecordLayout};
pub use error::ConsumerError;
pub use instance_stream::BegunStream;
pub use locate::{Holder, Location};
pub use memory::AnswerShare;
pub use operation::ReadLimits;
pub use replicas::ReplicaSettings;
pub use settings::{InstanceSettings, ReadFormats, auto_offset_reset};
pub use topic_reader::{PositionReset, ReadStart, TopicReader};

pub use crate::limits::ConsumerLimits;

pub(crate) use directory::Directory;
pub(crate) use replicas::Replicas;

use crate::{Error, Proxy};
use directory::{Ending, Handle};
use instance::Instance;
use operation::Operation;
use replicas::Claim;
use settings::ResolvedSettings;

/// How long one operation of an instance waits for the cluster, reading excepted.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the name of a group or an instance.
pub const INSTANCE_NAME_MAX: usize = 1024;

/// Where an instance is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceName {
    /// The consumer group.
    pub group: String,
    /// The name within the group.
    pub name: String,
    /// The caller whose instance it is: others do not find it. `None` where callers are not told apart.
    pub owner: Option<Arc<str>>,
}

/// What an instance shall read, with partitions from its group.
#[derive(Clone, Debug)]
pub enum SubscriptionRequest {
    /// These topics, by name; names that no topic can have are kept and reported by the next read.
    Topics(Vec<String>),
    /// All topics whose whole name matches a regular expression.
    Pattern(String),
}

/// A partition as a client names it: neither part need exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionName {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// Where a partition is read: the offset of its next record.
pub type PartitionPosition = (PartitionName, i64);

/// An offset to be committed, or that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Of which partition.
    pub partition: PartitionName,
    /// The offset of the next record to read.
    pub offset: i64,
    /// What the client keeps with it.
    pub metadata: String,
}

/// A position to read on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The first record.
    Beginning,
    /// After the last record.
    End,
    /// Exactly here; outside of the log the reset policy decides.
    Offset(i64),
    /// The first record at or after this time, in milliseconds since 1970; the end where there is none.
    Timestamp(i64),
}

/// Which partitions a seek is for.
#[derive(Clone, Debug)]
pub enum SeekTarget {
    /// Each of these.
    Partitions(Vec<(PartitionName, Position)>),
    /// All that are assigned.
    AllAssigned(Position),
}

impl Proxy {
    /// Makes a consumer instance and returns its name within the group. Only its owner finds it; two owners may use one name.
    ///
    /// Nothing is asked of the cluster yet, unless there are other replicas, which are told. Dropping the future leaves it open whether the
    /// instance is made.
    ///
    /// # Errors
    /// [`ConsumerError::NameTaken`], [`ConsumerError::TooMany`], [`ConsumerError::InvalidSetting`]; [`Error::Stopping`];
    /// [`ConsumerError::ReplicasUnknown`], [`ConsumerError::NotRecorded`].
    pub async fn create_consumer(
        &self,
        group: &str,
        owner: Option<Arc<str>>,
        settings: InstanceSettings,
    ) -> Result<String, Error> {
        let name = settings.name.clone().unwrap_or_else(|| format!("rest-consumer-{}", Uuid::new_v4()));
        let at = InstanceName { group: group.to_owned(), name, owner };
        self.end_of_another(&at);
        match self.replicas() {
            None => self.open(&at, settings, None)?,
            Some(replicas) => self.create_shared(replicas, &at, settings).await?,
        }
        Ok(at.name)
    }

    /// Opens an instance in this process, with what its claim says, where there are other replicas.
    fn open(&self, at: &InstanceName, settings: InstanceSettings, claim: Option<&Claim>) -> Result<(), Error> {
        let (directory, formats) = (self.consumers(), settings.formats);
        let make = || {
            let settings = ResolvedSettings::new(settings, directory.limits())?;
            let consumer = ConsumerSettings {
                group_instance_id: claim.map(|claim| claim.member.clone()),
                ..settings.kafka(&at.group, directory.limits(), directory.fetched().clone())
            };
            let consumer = self.cluster().consumer(consumer)?;
            let mut instance = Instance::new(self.clone(), at.clone(), settings, consumer);
            if let Some(claim) = claim.filter(|claim| claim.incarnation > 1) {
                instance.resume(claim.reads.clone())?;
            }
            Ok(instance)
        };
        let (instance, mailbox) = directory.enter(at, self.identity(), formats, make)?;
        tokio::spawn(instance.run(mailbox));
        Ok(())
    }

    /// Ends an instance: a read that waits ends, and the group is left.
    ///
    /// Dropping the future does not keep the instance.
    ///
    /// # Errors
    /// [`ConsumerError::NotFound`]; [`ConsumerError::NotRecorded`].
    pub async fn delete_consumer(&self, at: &InstanceName) -> Result<(), Error> {
        let handle = self.find(at)?;
        if let Some(replicas) = self.replicas() {
            // Read back from the topic it ends the instance.
            replicas.take_back(at).await?;
        }
        let _ = self.consumers().remove(at, Ending::Deleted);
        handle.closed().await;
        Ok(())
    }

    /// Replaces the subscription of an instance; no topics at all drop it.
    ///
    /// # Errors
    /// [`ConsumerError::Exclusive`], [`ConsumerError::BadPattern`]; [`ConsumerError::NotFound`], [`ConsumerError::Busy`].
    pub async fn subscribe(&self, at: &InstanceName, request: SubscriptionRequest) -> Result<(), Error> {
        self.call(at, |reply| Operation::Subscribe(request, reply)).await
    }

    /// The topics that an instance is subscribed to, sorted; of a pattern those that it has matched so far.
    ///
    /// # Errors
    /// [`ConsumerError::NotFound`], [`ConsumerError::Busy`].
    pub async fn subscription(&self, at: &InstanceName) -> Result<Vec<String>, Error> {
        self.call(at, Operation::Subscription).await
    }

    /// Drops the subscription of an instance, and what was assigned to it by hand.
    ///
    /// # Errors
    /// [`ConsumerError::NotFound`], [`ConsumerError::Busy`].
    pub async fn unsubscribe(&self, at: &InstanceName) -> Result<(), Error> {
        self.call(at, Operation::Unsubscribe).await
    }

    /// Assigns partitions to an instance by hand, in place of those before; without any there is no assignment.
    ///
    /// # Errors
    /// [`ConsumerError::Exclusive`]; [`ConsumerError::NotFound`], [`ConsumerError::Busy`].
    pub async fn assign(&self, at: &InstanceName, partitions: Vec<PartitionName>) -> Result<(), Error> {
        self.call(at, |reply| Operation::Assign(partitions, reply)).await
    }

    /// The partitions that are assigned to an instance, by hand or by its group, sorted.
    ///
    /// # Errors
    /// [`ConsumerError::NotFound`], [`ConsumerError::Busy`].
    pub async fn assignment(&self, at: &InstanceName) -> Result<Vec<PartitionName>, Error> {
        self.call(at, Operation::Assignment).await
    }

    /// Reads what comes within `limits`, written with `layout`. `accepts` says whether the caller can take the instance's formats.
    ///
    /// If the future, or the answer, is dropped before [`ReadAnswer::accept`], the records come again with the next read.
    ///
    /// # Errors
    /// [`ConsumerError::WrongFormat`], [`ConsumerError::NothingToRead`], [`ConsumerError::Undecodable`];
    /// [`ConsumerError::NotFound`], [`ConsumerError::Busy`]; [`Error::Cluster`]. Only when nothing was read before it: else the read returns
    /// that, and the next one fails.
    pub async fn read(
        &self,
        at: &InstanceName,
        limits: ReadLimits,
        accepts: fn(ReadFormats) -> bool,
        layout: Box<dyn RecordLayout>,
    ) -> Result<ReadAnswer, Error> {
        let formats = self.find(at)?.formats();
        if !accepts(formats) {
            return Err(ConsumerError::WrongFormat(formats.value.name()).into());
        }
        self.call(at, |reply| Operation::Read(limits, layout, reply)).await
    }

    /// Whether an instance has something to read, without reading.
    ///
    /// # Errors
    /// [`ConsumerError::NothingToRead`], [`ConsumerError::IllegalTopic`]; [`ConsumerError::NotFound`], [`ConsumerError::Busy`].
    pub async fn check_readable(&self, at: &InstanceName) -> Result<(), Error> {
        self.call(at, Operation::CheckReadable).await
    }

    /// Begins a stream of reads ([`ReadLimits::stream`]), with which an earlier one of the instance ends. `resumed`: where the client is that
    /// has read an earlier stream. Each partition goes back to that, and those that it does not name to where the earlier stream has begun
    /// with them; where nothing is assigned at the moment, as soon as something is.
    ///
    /// If the future is dropped, the earlier stream has ended, and the positions may have moved.
    ///
    /// # Errors
    /// As [`Proxy::check_readable`].
    pub async fn begin_stream(
        &self,
        at: &InstanceName,
        resumed: Option<Vec<PartitionPosition>>,
    ) -> Result<BegunStream, Error> {
        let number = self.find(at)?.next_stream();
        let positions = self.call(at, |reply| Operation::BeginStream(resumed, reply)).await?;
        Ok(BegunStream { number, positions })
    }

    /// Before the next read of a stream, which may have about `bytes`: `None` at once where there is memory for it, else a share of it, as
    /// soon as others have given enough back. A read that was refused with [`ConsumerError::NoMemory`] says how much it needs.
    ///
    /// Dropping the future gives up the place in line.
    pub async fn stream_share(&self, bytes: usize) -> Option<AnswerShare> {
        self.consumers().answers().stream_share(bytes).await
    }

    /// Commits `offsets`, or with `None` the positions of an instance: what callers have accepted of it.
    ///
    /// If the future is dropped, the commit may be done all the same.
    ///
    /// # Errors
    /// [`ConsumerError::NotFound`], [`ConsumerError::Busy`]; [`Error::Cluster`]: the commit failed, or whether it was done is not known.
    pub async fn commit(&self, at: &InstanceName, offsets: Option<Vec<CommittedOffset>>) -> Result<(), Error> {
        self.call(at, |reply| Operation::Commit(offsets, reply)).await
    }

    /// What the group of an instance has committed of `partitions`, in their order; those without are left out.
    ///
    /// # Errors
    /// [`ConsumerError::NotFound`], [`ConsumerError::Busy`]; [`Error::Cluster`].
    pub async fn committed(
        &self,
        at: &InstanceName,
        partitions: Vec<PartitionName>,
    ) -> Result<Vec<CommittedOffset>, Error> {
        self.call(at, |reply| Operation::Committed(partitions, reply)).await
    }

    /// Moves the positions of an instance. Nothing is moved if one of the partitions is not assigned to it.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`]; [`ConsumerError::NotFound`], [`ConsumerError::Busy`]; [`Error::Cluster`].
    pub async fn seek(&self, at: &InstanceName, target: SeekTarget) -> Result<(), Error> {
        self.call(at, |reply| Operation::Seek(target, reply)).await
    }

    /// Ends all instances, so that they leave their groups, and refuses new ones. Reads that wait return what they have. Where there are other
    /// replicas, they are told that they may open the instances, which stay members of their groups. Returns whether all was done within
    /// `grace`.
    pub async fn close_consumers(&self, grace: Duration) -> bool {
        let end = Instant::now() + grace;
        let mut closed = true;
        let instances = self.consumers().stop();
        // What others are told must not wait for all of the time.
        let last = if self.replicas().is_some() { Instant::now() + grace / 2 } else { end };
        for instance in instances {
            closed &= timeout_at(last, instance.closed()).await.is_ok();
        }
        if let Some(replicas) = self.replicas() {
            closed &= timeout_at(end, replicas.release_all()).await.is_ok();
            replicas.end();
        }
        closed
    }

    /// Sends an operation to an instance and waits for its answer.
    async fn call<T>(
        &self,
        at: &InstanceName,
        operation: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Operation,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.find(at)?.send(operation(reply))?;
        // The instance ended before it came to this operation.
        answer.await.unwrap_or_else(|_| Err(self.not_here(at)))
    }

    fn find(&self, at: &InstanceName) -> Result<Handle, Error> {
        self.end_of_another(at);
        self.consumers().find(at).map_err(|error| match error {
            Error::Consumer(ConsumerError::NotFound(_)) => self.not_here(at),
            other => other,
        })
    }

    /// An instance is its caller's, as long as the caller has the Kafka identity that it was made with: another one's consumer would read what the
    /// caller may not. Where there are other replicas it is opened again, with the caller's identity.
    fn end_of_another(&self, at: &InstanceName) {
        let ending = if self.replicas().is_some() { Ending::Moved } else { Ending::Deleted };
        self.consumers().end_of_another(at, self.identity(), ending);
    }

    /// Why an instance is not here: there is none, or it is another replica's now.
    fn not_here(&self, at: &InstanceName) -> Error {
        match self.replicas() {
            Some(replicas) if replicas.knows(at) => ConsumerError::Moving(at.clone()).into(),
            _ => ConsumerError::NotFound(at.clone()).into(),
        }
    }

    fn replicas(&self) -> Option<&Replicas> {
        self.0.replicas.get()
    }

    pub(crate) fn consumers(&self) -> &Directory {
        &self.0.consumers
    }
}

impl From<&TopicPartition> for PartitionName {
    fn from(at: &TopicPartition) -> PartitionName {
        PartitionName { topic: at.topic.as_str().to_owned(), partition: at.partition.0 }
    }
}

impl std::fmt::Display for PartitionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
