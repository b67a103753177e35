//! One instance: a task that owns a Kafka consumer and does one operation at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use postern_kafka::{CommitOffset, Consumer, Offset, PartitionId, SeekTo, Subscription, TopicName, TopicPartition};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::directory::{Ending, Mailbox};
use super::instance_stream::StreamPlaces;
use super::operation::Operation;
use super::pattern;
use super::replicas::StoredReads;
use super::settings::ResolvedSettings;
use super::{
    CommittedOffset, ConsumerError, InstanceName, OPERATION_TIMEOUT, PartitionName, Position, SeekTarget,
    SubscriptionRequest,
};
use crate::{Error, Proxy};

/// How long an instance that ends waits for its group.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// After so long without a read, what was fetched ahead is dropped: others can use the memory.
pub(super) const KEEP_FETCHED: Duration = Duration::from_secs(2);

/// The state of one instance.
pub(super) struct Instance {
    pub(super) proxy: Proxy,
    pub(super) settings: ResolvedSettings,
    pub(super) consumer: Consumer,
    pub(super) reads: Reads,
    pub(super) stream: StreamPlaces,
    at: InstanceName,
    /// Another replica had it before, and nothing was read since: what was read there and not committed comes again.
    pub(super) is_opened_again: bool,
}

/// What an instance was told to read.
pub(super) enum Reads {
    Nothing,
    /// These topics, sorted.
    Topics(Vec<String>),
    /// The topics that match this.
    Pattern(String),
    /// These partitions, sorted, as the client named them.
    Partitions(Vec<PartitionName>),
}

impl Instance {
    pub(super) fn new(proxy: Proxy, at: InstanceName, settings: ResolvedSettings, consumer: Consumer) -> Instance {
        Instance {
            proxy,
            settings,
            consumer,
            reads: Reads::Nothing,
            stream: StreamPlaces::default(),
            at,
            is_opened_again: false,
        }
    }

    /// Goes on with what another replica has read.
    ///
    /// # Errors
    /// A pattern that only a later version understands.
    pub(super) fn resume(&mut self, reads: StoredReads) -> Result<(), Error> {
        self.is_opened_again = true;
        match reads {
            StoredReads::Nothing => Ok(()),
            StoredReads::Topics(topics) => self.subscribe(SubscriptionRequest::Topics(topics)),
            StoredReads::Pattern(pattern) => self.subscribe(SubscriptionRequest::Pattern(pattern)),
            StoredReads::Partitions(partitions) => {
                let partition = |(topic, partition)| PartitionName { topic, partition };
                self.assign(partitions.into_iter().map(partition).collect())
            }
        }
    }

    /// Does operations until it is told to end or is idle for too long; then leaves the group.
    pub(super) async fn run(mut self, mut mailbox: Mailbox) {
        let idle = self.proxy.consumers().limits().idle;
        let mut stop = mailbox.stop.clone();
        let mut used = Instant::now();
        let mut has_fetched = false;
        let ending = loop {
            tokio::select! {
                biased;
                ending = stop.requested() => break ending,
                operation = mailbox.operations.recv() => match operation {
                    Some(operation) => {
                        has_fetched |= matches!(operation, Operation::Read(..));
                        self.perform(operation, &mut mailbox).await;
                        used = Instant::now();
                    }
                    None => break Ending::Deleted,
                },
                () = sleep_until(used + KEEP_FETCHED), if has_fetched => {
                    self.consumer.discard_fetched();
                    has_fetched = false;
                }
                () = sleep_until(used + idle) => {
                    // Before it leaves the directory: whoever looks for it then would open it again.
                    if let Some(replicas) = self.proxy.replicas()
                        && let Err(error) = replicas.take_back(&self.at).await
                    {
                        tracing::debug!(%error, "other replicas could not be told that a consumer instance has ended");
                    }
                    break Ending::Deleted;
                }
            }
        };
        mailbox.entry.leave();
        // Operations that were sent before are answered, for the want of an instance, with their senders.
        mailbox.operations.close();
        while mailbox.operations.try_recv().is_ok() {}
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        let left = async {
            match ending {
                Ending::Deleted => self.consumer.leave(deadline).await,
                Ending::Moved => self.consumer.close(deadline).await,
            }
        };
        if let Ok(Err(error)) = timeout_at(deadline, left).await {
            tracing::debug!(%error, "a consumer instance has not left its group in time");
        }
    }

    async fn perform(&mut self, operation: Operation, mailbox: &mut Mailbox) {
        // Whoever wanted the answer may have gone.
        match operation {
            Operation::Subscribe(request, reply) => {
                let subscribed = self.subscribe(request);
                drop(reply.send(self.noted(subscribed).await));
            }
            Operation::Subscription(reply) => drop(reply.send(Ok(self.subscription()))),
            Operation::Unsubscribe(reply) => {
                self.unsubscribe();
                drop(reply.send(self.noted(Ok(())).await));
            }
            Operation::Assign(partitions, reply) => {
                let assigned = self.assign(partitions);
                drop(reply.send(self.noted(assigned).await));
            }
            Operation::Assignment(reply) => drop(reply.send(Ok(self.assignment()))),
            Operation::Read(limits, layout, reply) => self.read(limits, &*layout, reply, mailbox).await,
            Operation::CheckReadable(reply) => drop(reply.send(self.check_readable())),
            Operation::BeginStream(resumed, reply) => {
                let begun = self.check_readable().and_then(|()| self.stream.begin(&mut self.consumer, resumed));
                drop(reply.send(begun));
            }
            Operation::Commit(offsets, reply) => drop(reply.send(self.commit(offsets).await)),
            Operation::Committed(partitions, reply) => drop(reply.send(self.committed(partitions).await)),
            Operation::Seek(target, reply) => drop(reply.send(self.seek(target))),
        }
    }

    /// Tells other replicas what is read from now on.
    async fn noted(&mut self, changed: Result<(), Error>) -> Result<(), Error> {
        match self.proxy.replicas() {
            Some(replicas) if changed.is_ok() => replicas.note_reads(&self.at, StoredReads::from(&self.reads)).await,
            _ => changed,
        }
    }

    fn subscribe(&mut self, request: SubscriptionRequest) -> Result<(), Error> {
        match request {
            SubscriptionRequest::Topics(topics) if topics.is_empty() => self.unsubscribe(),
            SubscriptionRequest::Topics(topics) => {
                if let Reads::Pattern(_) | Reads::Partitions(_) = self.reads {
                    return Err(self.reads.exclusive());
                }
                let topics: BTreeSet<String> = topics.into_iter().collect();
                let legal = topics.iter().filter_map(|topic| TopicName::parse(topic).ok()).collect();
                self.consumer.subscribe(Subscription::Topics(legal));
                self.reads = Reads::Topics(topics.into_iter().collect());
            }
            SubscriptionRequest::Pattern(pattern) => {
                let matches = pattern::compile(pattern.clone())?;
                if let Reads::Topics(_) | Reads::Partitions(_) = self.reads {
                    return Err(self.reads.exclusive());
                }
                self.consumer.subscribe(Subscription::Pattern(matches));
                self.reads = Reads::Pattern(pattern);
            }
        }
        Ok(())
    }

    fn subscription(&self) -> Vec<String> {
        match &self.reads {
            Reads::Topics(topics) => topics.clone(),
            Reads::Pattern(_) => {
                let mut topics: Vec<String> =
                    self.consumer.subscription().iter().map(|topic| topic.as_str().to_owned()).collect();
                topics.sort_unstable();
                topics
            }
            Reads::Nothing | Reads::Partitions(_) => Vec::new(),
        }
    }

    fn unsubscribe(&mut self) {
        self.consumer.unsubscribe();
        self.reads = Reads::Nothing;
    }

    fn assign(&mut self, partitions: Vec<PartitionName>) -> Result<(), Error> {
        let partitions: BTreeSet<PartitionName> = partitions.into_iter().collect();
        // No partitions end a subscription as well, as no topics end an assignment.
        if partitions.is_empty() {
            self.unsubscribe();
            return Ok(());
        }
        if let Reads::Topics(_) | Reads::Pattern(_) = self.reads {
            return Err(self.reads.exclusive());
        }
        let possible = partitions.iter().filter(|at| at.partition >= 0).filter_map(possible);
        self.consumer.assign(possible.collect());
        self.reads = Reads::Partitions(partitions.into_iter().collect());
        Ok(())
    }

    fn assignment(&self) -> Vec<PartitionName> {
        match &self.reads {
            Reads::Partitions(partitions) => partitions.clone(),
            Reads::Nothing => Vec::new(),
            Reads::Topics(_) | Reads::Pattern(_) => {
                let mut partitions: Vec<PartitionName> =
                    self.consumer.assignment().iter().map(PartitionName::from).collect();
                partitions.sort_unstable();
                partitions
            }
        }
    }

    async fn commit(&mut self, offsets: Option<Vec<CommittedOffset>>) -> Result<(), Error> {
        let deadline = Instant::now() + OPERATION_TIMEOUT;
        let offsets = match offsets {
            None if self.is_opened_again => return Err(ConsumerError::OpenedAgain.into()),
            None => None,
            Some(offsets) if offsets.is_empty() => return Ok(()),
            Some(offsets) => Some(offsets.into_iter().map(commit_offset).collect::<Result<_, _>>()?),
        };
        Ok(self.consumer.commit(offsets, deadline).await?)
    }

    async fn committed(&mut self, partitions: Vec<PartitionName>) -> Result<Vec<CommittedOffset>, Error> {
        let asked: Vec<TopicPartition> = partitions.iter().filter_map(possible).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.consumer.committed(&asked, Instant::now() + OPERATION_TIMEOUT).await?;
        found.sort_by_key(|found| asked.iter().position(|asked| *asked == found.partition));
        let committed = |found: CommitOffset| CommittedOffset {
            partition: PartitionName::from(&found.partition),
            offset: found.offset.0,
            metadata: found.metadata,
        };
        Ok(found.into_iter().map(committed).collect())
    }

    /// All partitions are checked before the first is moved.
    fn seek(&mut self, target: SeekTarget) -> Result<(), Error> {
        let assigned: BTreeSet<TopicPartition> = self.consumer.assignment().into_iter().collect();
        let moves: Vec<(TopicPartition, Position)> = match target {
            SeekTarget::AllAssigned(to) => assigned.into_iter().map(|at| (at, to)).collect(),
            SeekTarget::Partitions(moves) => {
                let checked = |(at, to): (PartitionName, Position)| match possible(&at) {
                    Some(partition) if assigned.contains(&partition) => Ok((partition, to)),
                    Some(_) | None => Err(Error::from(ConsumerError::NotAssigned(at))),
                };
                moves.into_iter().map(checked).collect::<Result<_, _>>()?
            }
        };
        let moved = moves.iter().map(|(partition, _)| partition.clone()).collect();
        for (partition, to) in moves {
            let to = match to {
                Position::Beginning => SeekTo::Beginning,
                Position::End => SeekTo::End,
                Position::Offset(offset) => SeekTo::Offset(Offset(offset)),
                Position::Timestamp(ms) => SeekTo::Timestamp(ms),
            };
            self.consumer.seek(&partition, to)?;
        }
        self.stream.sought(&self.consumer, &moved);
        Ok(())
    }
}

impl From<&Reads> for StoredReads {
    fn from(reads: &Reads) -> StoredReads {
        match reads {
            Reads::Nothing => StoredReads::Nothing,
            Reads::Topics(topics) => StoredReads::Topics(topics.clone()),
            Reads::Pattern(pattern) => StoredReads::Pattern(pattern.clone()),
            Reads::Partitions(partitions) => {
                let partition = |at: &PartitionName| (at.topic.clone(), at.partition);
                StoredReads::Partitions(partitions.iter().map(partition).collect())
            }
        }
    }
}

impl Reads {
    fn exclusive(&self) -> Error {
        let held = match self {
            Reads::Nothing => "nothing",
            Reads::Topics(_) => "a subscription to topics",
            Reads::Pattern(_) => "a subscription to a pattern",
            Reads::Partitions(_) => "an assignment of partitions",
        };
        ConsumerError::Exclusive { held }.into()
    }

    /// The first name that no topic can have.
    pub(super) fn illegal_topic(&self) -> Option<&str> {
        let mut names: Box<dyn Iterator<Item = &str>> = match self {
            Reads::Nothing | Reads::Pattern(_) => return None,
            Reads::Topics(topics) => Box::new(topics.iter().map(String::as_str)),
            Reads::Partitions(partitions) => Box::new(partitions.iter().map(|at| at.topic.as_str())),
        };
        names.find(|name| TopicName::parse(name).is_err())
    }
}

/// The partition, where its topic can have a name like that.
fn possible(at: &PartitionName) -> Option<TopicPartition> {
    let topic = TopicName::parse(&at.topic).ok()?;
    Some(TopicPartition { topic, partition: PartitionId(at.partition) })
}

fn commit_offset(offset: CommittedOffset) -> Result<CommitOffset, Error> {
    let partition =
        possible(&offset.partition).ok_or_else(|| ConsumerError::IllegalTopic(offset.partition.topic.clone()))?;
    Ok(CommitOffset { partition, offset: Offset(offset.offset), leader_epoch: None, metadata: offset.metadata })
}
