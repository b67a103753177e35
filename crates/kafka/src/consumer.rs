//! Reading many partitions: those that a consumer group assigns, or those that the caller names, with offsets in a group.
//!
//! A [`Consumer`] is owned by one task, whose calls drive the reading; membership of the group lives in a task of its own, so
//! heartbeats, rebalances and automatic commits go on while nobody polls.
//!
//! - `settings`, `offsets`: what a caller says.
//! - `fetcher`: which partition is asked for when, and where; `fetch_connection`: a fetch and its answer.
//! - `positions`: where reading begins.

mod fetch_connection;
mod fetcher;
mod offsets;
mod positions;
mod settings;

use std::{fmt, sync::Arc};

use tokio::time::{Instant, sleep};

use crate::{
    Error, Offset, PartitionId, StoredRecord, TopicName, TopicPartition,
    connection::Backoff,
    error::ErrorCode,
    group::{
        GroupLink, Member,
        assignment::{Assignment, LookUp, Owned, Position},
    },
    log_position::{LogPosition, NO_EPOCH},
    metadata::Metadata,
    network::Network,
};
use fetcher::Fetcher;
use positions::Positions;

pub use offsets::{CommitOffset, SeekTo};
pub use settings::{Assignor, ConsumerSettings, FetchBudget, IsolationLevel, OffsetReset, Subscription};

/// A record and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionId,
    /// The record. Key and value are slices of what the broker sent: whoever keeps them keeps the whole answer in memory.
    pub record: StoredRecord,
}

/// A partition that a consumer reads, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// Another number after the partition was given up, so that others may have read it, and was assigned anew.
    pub acquired: u64,
    /// The offset of the record to be taken next; `None`: it has to be looked up, and nothing was taken yet.
    pub position: Option<Offset>,
    /// The position that the log did not have, where the reset policy has led away from it and the caller has not moved it since.
    pub reset_from: Option<Offset>,
}

/// A reader of many partitions. Dropping it commits what was confirmed, where commits are automatic, and leaves the group, in
/// the background; [`Consumer::close`] waits for that.
///
/// Records are handed out in two steps so that none is skipped when whoever they were for goes away: [`Consumer::take`] hands out,
/// [`Consumer::confirm`] says that all taken so far have arrived, [`Consumer::rewind`] that they have not. Only what is confirmed
/// is committed by itself or by `commit(None)`.
pub struct Consumer {
    positions: Positions,
    assignment: Arc<Assignment>,
    fetcher: Fetcher,
    member: Member,
}

impl Consumer {
    /// Must be called inside a runtime.
    pub(crate) fn start(network: Arc<Network>, metadata: Arc<Metadata>, settings: ConsumerSettings) -> Consumer {
        let (group, instance) = (settings.group.clone(), settings.group_instance_id.clone());
        let link = Arc::new(GroupLink::new(network.clone(), group, instance));
        let (settings, assignment) = (Arc::new(settings), Arc::<Assignment>::default());
        let member = Member::start(settings.clone(), link.clone(), metadata.clone(), assignment.clone());
        let positions = Positions { network, metadata, link, settings };
        let fetcher = Fetcher::new(positions.clone(), assignment.clone());
        Consumer { positions, assignment, fetcher, member }
    }

    /// Becomes a member of the group, in the background, and reads what it is assigned. Replaces an earlier subscription or
    /// assignment, after what was confirmed is committed where commits are automatic. Call it again only with another subscription.
    pub fn subscribe(&mut self, subscription: Subscription) {
        let topics = match &subscription {
            Subscription::Topics(topics) => topics.clone(),
            Subscription::Pattern(_) => Vec::new(),
        };
        let epoch = self.assignment.subscribe(topics);
        self.member.subscribe(epoch, subscription);
    }

    /// Reads these partitions and joins no group. Replaces an earlier subscription or assignment; a partition that stays keeps its
    /// position. Nothing is checked: partitions that do not exist are read from when they appear.
    pub fn assign(&mut self, partitions: Vec<TopicPartition>) {
        self.assignment.assign(partitions);
        self.member.alone();
    }

    /// Drops subscription and assignment; leaves the group, in the background.
    pub fn unsubscribe(&mut self) {
        self.assign(Vec::new());
    }

    /// The topics subscribed to, those that do not exist included; of a pattern those that it has matched so far.
    pub fn subscription(&self) -> Vec<TopicName> {
        self.assignment.topics()
    }

    /// The partitions that are read now: named by the caller, or assigned by the group. In order.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.assignment.partitions()
    }

    /// What is read now and where, in order, with the number of the last change of it; `None`: nothing has changed since the change `last`.
    /// Taking records is no change. Of a partition that is new here no record can be taken before the next [`Consumer::poll`].
    pub fn assigned_since(&self, last: u64) -> Option<(u64, Vec<AssignedPartition>)> {
        let (change, owned) = self.assignment.since(last)?;
        let assigned = |(partition, owned): (TopicPartition, Owned)| AssignedPartition {
            partition,
            acquired: owned.acquired,
            position: if let Position::At(at) = owned.position { Some(Offset(at.offset)) } else { None },
            reset_from: owned.reset_from.map(Offset),
        };
        Some((change, owned.into_iter().map(assigned).collect()))
    }

    /// Waits until a record can be taken (true) or `deadline` has come (false). It is woken by what arrives; nothing is polled.
    /// Cancel safe: what was fetched meanwhile is there with the next call.
    ///
    /// # Errors
    /// What the cluster has against the group or a partition, each error once per call: `NO_OFFSET` (kind `NoOffset`) where nothing
    /// was committed and the reset policy is `None`, or the offset is out of range; `LOG_TRUNCATED` (the same kind) where that policy
    /// is `None` and a leader without all records was elected; `CORRUPT_MESSAGE`; a refusal of access; `FENCED_INSTANCE_ID`. Later calls try again; other partitions are read on. That no broker can be reached is no error: it is
    /// tried until `deadline`. A consumer that reads nothing (no subscription, no assignment) waits until `deadline`.
    pub async fn poll(&mut self, deadline: Instant) -> Result<bool, Error> {
        let polled = self.fetcher.wait(deadline).await;
        if polled.is_err() {
            self.member.wake(); // a group that could not be joined is tried again
        }
        polled
    }

    /// Whether the last [`Consumer::poll`] has ended without a record while an answer of a broker waited for memory of the budget: there may be
    /// records.
    pub fn lacks_memory(&self) -> bool {
        self.fetcher.lacks_memory()
    }

    /// Why no broker has answered a fetch since the last one did: it is tried again, and [`Consumer::poll`] says nothing of it.
    pub fn failing(&self) -> Option<&Error> {
        self.fetcher.failing()
    }

    /// The record that [`Consumer::take`] would hand out. `None`: nothing is fetched now, [`Consumer::poll`] waits for more.
    pub fn peek(&mut self) -> Option<&ConsumerRecord> {
        self.fetcher.peek()
    }

    /// Hands out the record that [`Consumer::peek`] has shown and moves the position past it. In order within a partition. `None`
    /// where nothing is fetched now, and where the partition was given up or sought since: then another may be shown.
    pub fn take(&mut self) -> Option<ConsumerRecord> {
        self.fetcher.take()
    }

    /// All records taken so far have arrived where they should. Those of partitions that were given up meanwhile are left out:
    /// their next owner reads them again.
    pub fn confirm(&mut self) {
        self.assignment.confirm();
    }

    /// The records taken since the last [`Consumer::confirm`] have not arrived: they will be handed out again.
    pub fn rewind(&mut self) {
        self.assignment.rewind();
    }

    /// Forgets what was fetched and not taken, to be fetched again, and closes the connections for it: for a consumer that nobody
    /// reads for a while. Membership of the group goes on.
    pub fn discard_fetched(&mut self) {
        self.fetcher.discard();
    }

    /// Moves the position of an assigned partition. It counts as confirmed.
    ///
    /// # Errors
    /// `InvalidRequest` (`NOT_ASSIGNED`) where the partition is not assigned now.
    pub fn seek(&mut self, partition: &TopicPartition, to: SeekTo) -> Result<(), Error> {
        let position = match to {
            SeekTo::Offset(offset) => Position::At(LogPosition::new(offset.0, NO_EPOCH)),
            SeekTo::Beginning => Position::LookUp(LookUp::Earliest),
            SeekTo::End => Position::LookUp(LookUp::Latest),
            SeekTo::Timestamp(time) => Position::LookUp(LookUp::Time(time)),
        };
        self.assignment.seek(partition, position)
    }

    /// The offset of the record to be taken next, looked up where that is not known yet.
    ///
    /// # Errors
    /// As [`Consumer::seek`], and as [`Consumer::poll`] for this partition; no answer by `deadline`.
    pub async fn position(&mut self, partition: &TopicPartition, deadline: Instant) -> Result<Offset, Error> {
        let mut backoff = Backoff::RETRY;
        loop {
            let (stamp, wanted) = self.assignment.position(partition)?;
            if let Position::At(position) = wanted {
                return Ok(Offset(position.offset));
            }
            let mut found = self.positions.find(vec![(partition.clone(), wanted)], deadline).await?;
            let error = match found.remove(partition) {
                Some(Ok(found)) => {
                    self.assignment.found(partition, stamp, found.position, found.is_committed);
                    continue;
                }
                Some(Err(error)) if !error.is_transient() => return Err(error),
                Some(Err(error)) => error,
                None => ErrorCode::LEADER_NOT_AVAILABLE.error(None),
            };
            let pause = backoff.next();
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    /// Commits `offsets`, or with `None` what was confirmed. A member of a group that is joining waits for that first.
    /// Dropping the future does not take the commit back.
    ///
    /// # Errors
    /// What the coordinator has against it, naming the partition; no answer by `deadline`, after which it may be committed.
    pub async fn commit(&mut self, offsets: Option<Vec<CommitOffset>>, deadline: Instant) -> Result<(), Error> {
        loop {
            let identity = self.member.identity(deadline).await?;
            // After a rebalance only what is still read counts, and only what was confirmed of it.
            let mut confirmed = self.assignment.confirmed();
            let chosen = match &offsets {
                None => confirmed.iter().map(CommitOffset::of).collect::<Vec<_>>(),
                Some(offsets) => {
                    let chosen: Vec<_> = offsets.iter().map(|offset| with_epoch(offset, &confirmed)).collect();
                    confirmed.clear();
                    chosen
                }
            };
            if chosen.is_empty() {
                return Ok(());
            }
            let failed = match self.positions.link.commit(&identity, &chosen, deadline).await {
                Ok(()) => {
                    self.assignment.committed(&confirmed);
                    return Ok(());
                }
                Err(failed) => failed,
            };
            match failed.code {
                Some(ErrorCode::REBALANCE_IN_PROGRESS) if Instant::now() < deadline => {
                    self.member.after(&identity, deadline).await;
                }
                Some(ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID) => {
                    self.member.wake();
                    return Err(failed.error);
                }
                _ => return Err(failed.error),
            }
        }
    }

    /// What the group has committed for these partitions. Partitions without a commit, or that do not exist, are left out.
    ///
    /// # Errors
    /// What the coordinator has against it; no answer by `deadline`.
    pub async fn committed(
        &mut self,
        partitions: &[TopicPartition],
        deadline: Instant,
    ) -> Result<Vec<CommitOffset>, Error> {
        self.positions.link.committed(partitions, deadline).await
    }

    /// Commits what was confirmed, where commits are automatic, and leaves the group. A static member (`group_instance_id`) does not leave:
    /// whoever joins under its name within its session has its partitions at once.
    ///
    /// # Errors
    /// It was not done by `deadline`; it goes on in the background, and the session ends by itself at the latest.
    pub async fn close(self, deadline: Instant) -> Result<(), Error> {
        self.member.close(false, deadline).await
    }

    /// As [`Consumer::close`], but a static member leaves as well: nobody will come back under its name.
    ///
    /// # Errors
    /// As [`Consumer::close`].
    pub async fn leave(self, deadline: Instant) -> Result<(), Error> {
        self.member.close(true, deadline).await
    }
}

/// An offset that the caller names, with the epoch where it is the one that was confirmed (`confirmed` is in order).
fn with_epoch(offset: &CommitOffset, confirmed: &[(TopicPartition, LogPosition)]) -> CommitOffset {
    let mut offset = offset.clone();
    let known = confirmed.binary_search_by(|(partition, _)| partition.cmp(&offset.partition));
    if let (None, Ok(known)) = (offset.leader_epoch, known)
        && confirmed[known].1.offset == offset.offset.0
    {
        offset.leader_epoch = CommitOffset::of(&confirmed[known]).leader_epoch;
    }
    offset
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("group", &self.positions.settings.group).finish_non_exhaustive()
    }
}
