//! What a consumer reads now, and how far it has come: shared by the consumer, which moves the positions, and the task of its
//! member, which gives partitions and takes them.
//!
//! A partition carries a stamp from the moment it was assigned or sought: whatever was fetched or looked up under an older stamp
//! is void. Nothing of a partition is handed out after it was given up, because both happen under one lock.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{Error, ErrorKind, TopicName, TopicPartition, log_position::LogPosition};

/// What a consumer reads now.
#[derive(Default)]
pub(crate) struct Assignment {
    state: Mutex<State>,
    /// Tells the consumer that something has changed.
    pub(crate) changed: Notify,
}

#[derive(Default)]
struct State {
    /// The last stamp that was given.
    stamp: u64,
    /// Which subscription or assignment by the caller it is: what the task does for an older one is void.
    epoch: u64,
    /// Topics that the subscription names, or has matched so far.
    topics: Vec<TopicName>,
    partitions: BTreeMap<TopicPartition, Owned>,
    /// What was given up for a rebalance, and in which generation. It is kept where that generation or the next gives it back:
    /// nobody else has read it in between.
    given_up: Option<(i32, BTreeMap<TopicPartition, Owned>)>,
    /// Offsets to be committed of what the caller has given up.
    left: BTreeMap<TopicPartition, LogPosition>,
    /// Why there is no membership.
    failed: Option<Error>,
}

/// A partition that is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned {
    pub(crate) stamp: u64,
    /// The stamp under which it was assigned; another one after it was given up for good and came back.
    pub(crate) acquired: u64,
    pub(crate) position: Position,
    /// The offset that the log did not have, from which the reset policy has led away; `None` after the caller has moved the position.
    pub(crate) reset_from: Option<i64>,
    /// The position behind what the caller has confirmed.
    confirmed: Option<LogPosition>,
    /// What was committed last from here.
    committed: Option<i64>,
}

/// Where a partition is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// Where the group has committed; else where the reset policy says.
    Committed,
    /// At an end of the log or a time.
    LookUp(LookUp),
    At(LogPosition),
}

/// An offset that the leader of the partition knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookUp {
    Earliest,
    Latest,
    /// The first record of this time (ms since 1970) or later; the end where there is none.
    Time(i64),
}

impl Owned {
    fn new(stamp: u64, position: Position) -> Owned {
        let confirmed = if let Position::At(at) = position { Some(at) } else { None };
        Owned { stamp, acquired: stamp, position, reset_from: None, confirmed, committed: None }
    }

    /// The same partition at another position.
    fn moved(&self, stamp: u64, position: Position, committed: Option<i64>) -> Owned {
        Owned { acquired: self.acquired, committed, ..Owned::new(stamp, position) }
    }

    /// The position to be committed, where its offset is another than the last.
    fn uncommitted(&self) -> Option<LogPosition> {
        self.confirmed.filter(|confirmed| self.committed != Some(confirmed.offset))
    }
}

impl State {
    fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    /// The owned partition, unless it was given up or sought meanwhile.
    fn owned(&mut self, partition: &TopicPartition, stamp: u64) -> Option<&mut Owned> {
        self.partitions.get_mut(partition).filter(|owned| owned.stamp == stamp)
    }

    /// What the caller gives up is to be committed before the member goes on.
    fn leave_all(&mut self) {
        for (partition, owned) in std::mem::take(&mut self.partitions) {
            if let Some(position) = owned.uncommitted() {
                self.left.insert(partition, position);
            }
        }
        self.given_up = None;
    }
}

// === What the caller does ===

impl Assignment {
    /// A new subscription, whose epoch is returned: everything is given up.
    pub(crate) fn subscribe(&self, topics: Vec<TopicName>) -> u64 {
        let mut state = self.state.lock();
        state.leave_all();
        state.topics = topics;
        state.failed = None;
        state.epoch += 1;
        state.next_stamp();
        state.epoch
    }

    /// The caller names partitions; those that stay keep their position.
    pub(crate) fn assign(&self, partitions: Vec<TopicPartition>) -> u64 {
        let mut state = self.state.lock();
        let mut kept = std::mem::take(&mut state.partitions);
        let mut assigned = BTreeMap::new();
        for partition in partitions {
            let owned = match kept.remove(&partition) {
                Some(owned) => owned,
                None => Owned::new(state.next_stamp(), Position::Committed),
            };
            assigned.entry(partition).or_insert(owned);
        }
        state.partitions = kept;
        state.leave_all();
        state.partitions = assigned;
        state.topics = Vec::new();
        state.failed = None;
        state.epoch += 1;
        state.next_stamp();
        state.epoch
    }

    pub(crate) fn topics(&self) -> Vec<TopicName> {
        self.state.lock().topics.clone()
    }

    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.state.lock().partitions.keys().cloned().collect()
    }

    /// The partitions with their positions, if anything has changed since `stamp` was the last one; and the last one now.
    pub(crate) fn since(&self, stamp: u64) -> Option<(u64, Vec<(TopicPartition, Owned)>)> {
        let state = self.state.lock();
        if state.stamp == stamp {
            return None;
        }
        Some((state.stamp, state.partitions.iter().map(|(partition, owned)| (partition.clone(), *owned)).collect()))
    }

    /// Stamp and position of a partition.
    ///
    /// # Errors
    /// The partition is not assigned now.
    pub(crate) fn position(&self, partition: &TopicPartition) -> Result<(u64, Position), Error> {
        let state = self.state.lock();
        let owned = state.partitions.get(partition).ok_or_else(|| not_assigned(partition))?;
        Ok((owned.stamp, owned.position))
    }

    /// What was confirmed of the partitions that are read.
    pub(crate) fn confirmed(&self) -> Vec<(TopicPartition, LogPosition)> {
        let state = self.state.lock();
        state.partitions.iter().filter_map(|(partition, owned)| Some((partition.clone(), owned.confirmed?))).collect()
    }

    /// # Errors
    /// The partition is not assigned now.
    pub(crate) fn seek(&self, partition: &TopicPartition, to: Position) -> Result<(), Error> {
        let mut state = self.state.lock();
        let stamp = state.next_stamp();
        match state.partitions.get_mut(partition) {
            Some(owned) => {
                *owned = owned.moved(stamp, to, owned.committed);
                Ok(())
            }
            None => Err(not_assigned(partition)),
        }
    }

    /// A look-up has found the position; `is_committed`: because the group has committed it. It counts as confirmed, so that a group
    /// that reads from the end goes on there.
    pub(crate) fn found(&self, partition: &TopicPartition, stamp: u64, found: LogPosition, is_committed: bool) {
        let mut state = self.state.lock();
        let next = state.stamp + 1;
        if let Some(owned) = state.owned(partition, stamp) {
            let committed = if is_committed { Some(found.offset) } else { owned.committed };
            let reset_from = owned.reset_from;
            *owned = Owned { reset_from, ..owned.moved(next, Position::At(found), committed) };
            state.stamp = next;
        }
    }

    /// The log has lost what stood from `to` on: whatever was fetched is void, and nothing behind it counts as read.
    pub(crate) fn truncated(&self, partition: &TopicPartition, stamp: u64, to: LogPosition) {
        let back = |at: LogPosition| if at.offset < to.offset { at } else { to };
        let mut state = self.state.lock();
        let next = state.stamp + 1;
        if let Some(owned) = state.owned(partition, stamp) {
            owned.stamp = next;
            if let Position::At(at) = owned.position {
                owned.position = Position::At(back(at));
            }
            owned.confirmed = owned.confirmed.map(back);
            state.stamp = next;
        }
    }

    /// The position is not in the log, or nothing was committed: `to` says where to look.
    pub(crate) fn reset(&self, partition: &TopicPartition, stamp: u64, to: LookUp) {
        let mut state = self.state.lock();
        let next = state.stamp + 1;
        if let Some(owned) = state.owned(partition, stamp) {
            let reset_from = if let Position::At(at) = owned.position { Some(at.offset) } else { owned.reset_from };
            *owned = Owned { reset_from, ..owned.moved(next, Position::LookUp(to), owned.committed) };
            state.stamp = next;
        }
    }

    /// Moves the position to `next` if the partition is still read under this stamp.
    pub(crate) fn advance(&self, partition: &TopicPartition, stamp: u64, next: LogPosition) -> bool {
        match self.state.lock().owned(partition, stamp) {
            Some(owned) => {
                owned.position = Position::At(next);
                true
            }
            None => false,
        }
    }

    pub(crate) fn confirm(&self) {
        for owned in self.state.lock().partitions.values_mut() {
            if let Position::At(position) = owned.position {
                owned.confirmed = Some(position);
            }
        }
    }

    /// Back to what was confirmed.
    pub(crate) fn rewind(&self) {
        let mut state = self.state.lock();
        let stamp = state.next_stamp();
        for owned in state.partitions.values_mut() {
            if let (Position::At(position), Some(confirmed)) = (owned.position, owned.confirmed)
                && position.offset != confirmed.offset
            {
                (owned.position, owned.stamp) = (Position::At(confirmed), stamp);
            }
        }
    }

    /// Why there is no membership, once.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.state.lock().failed.take()
    }
}

// === What the task of the member does ===

impl Assignment {
    /// Gives everything up for a rebalance after `generation`, to be got back in the next one or not. Void where the subscription is
    /// another by now.
    pub(crate) fn give_up(&self, epoch: u64, generation: i32) {
        let mut state = self.state.lock();
        if state.epoch == epoch && !state.partitions.is_empty() {
            state.given_up = Some((generation, std::mem::take(&mut state.partitions)));
            state.next_stamp();
            self.changed.notify_one();
        }
    }

    /// What is read now, and goes on being read through a cooperative rebalance.
    pub(crate) fn kept(&self, epoch: u64) -> BTreeSet<TopicPartition> {
        let state = self.state.lock();
        if state.epoch == epoch { state.partitions.keys().cloned().collect() } else { BTreeSet::new() }
    }

    /// A cooperative round has ended with these: what is read already goes on, and what is read and not among them is given up, to be
    /// committed. Whether anything was given up: then the group must be told in another round.
    pub(crate) fn assigned_cooperatively(
        &self,
        epoch: u64,
        generation: i32,
        partitions: &BTreeSet<TopicPartition>,
    ) -> bool {
        let mut state = self.state.lock();
        if state.epoch != epoch {
            return false;
        }
        let stamp = state.next_stamp();
        let (kept, revoked): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut state.partitions).into_iter().partition(|(owned, _)| partitions.contains(owned));
        let gives_up = !revoked.is_empty();
        state.given_up = gives_up.then_some((generation, revoked));
        state.partitions = kept;
        for partition in partitions {
            let owned = || Owned::new(stamp, Position::Committed);
            state.partitions.entry(partition.clone()).or_insert_with(owned);
        }
        state.failed = None;
        self.changed.notify_one();
        gives_up
    }

    /// What was given up is another's now.
    pub(crate) fn forget_given_up(&self) {
        self.state.lock().given_up = None;
    }

    /// Everything is lost: others may read it already.
    pub(crate) fn lose(&self, epoch: u64) {
        let mut state = self.state.lock();
        if state.epoch == epoch {
            state.given_up = None;
            state.left.clear();
            state.partitions.clear();
            state.next_stamp();
            self.changed.notify_one();
        }
    }

    /// The positions to be committed: of all that is read, of what was given up for a rebalance, and of what the caller has left.
    pub(crate) fn to_commit(&self) -> Vec<(TopicPartition, LogPosition)> {
        let state = self.state.lock();
        let given_up = state.given_up.iter().flat_map(|(_, partitions)| partitions);
        let owned = given_up.chain(&state.partitions);
        let owned = owned.filter_map(|(partition, owned)| Some((partition.clone(), owned.uncommitted()?)));
        let mut positions: BTreeMap<_, _> = state.left.iter().map(|(partition, at)| (partition.clone(), *at)).collect();
        positions.extend(owned);
        positions.into_iter().collect()
    }

    /// Positions that [`Assignment::to_commit`] has named are committed.
    pub(crate) fn committed(&self, positions: &[(TopicPartition, LogPosition)]) {
        let mut state = self.state.lock();
        for (partition, LogPosition { offset, .. }) in positions {
            if state.left.get(partition).is_some_and(|left| left.offset == *offset) {
                state.left.remove(partition);
            }
            if let Some(owned) = state.partitions.get_mut(partition) {
                owned.committed = Some(*offset);
            }
            if let Some((_, given_up)) = &mut state.given_up
                && let Some(owned) = given_up.get_mut(partition)
            {
                owned.committed = Some(*offset);
            }
        }
    }

    /// What the caller has left is not to be committed any more.
    pub(crate) fn forget_left(&self) {
        self.state.lock().left.clear();
    }

    /// What a pattern has matched.
    pub(crate) fn matched(&self, epoch: u64, topics: Vec<TopicName>) {
        let mut state = self.state.lock();
        if state.epoch == epoch {
            state.topics = topics;
        }
    }

    /// The group has assigned these.
    pub(crate) fn assigned(&self, epoch: u64, generation: i32, partitions: BTreeSet<TopicPartition>) {
        let mut state = self.state.lock();
        if state.epoch != epoch {
            return;
        }
        let kept = match state.given_up.take() {
            Some((last, kept)) if last == generation || last.checked_add(1) == Some(generation) => kept,
            _ => BTreeMap::new(),
        };
        let stamp = state.next_stamp();
        let owned = partitions.into_iter().map(|partition| {
            // What was taken and not confirmed may still arrive: the position stays where it is.
            let owned = kept.get(&partition).copied();
            (partition, owned.unwrap_or(Owned::new(stamp, Position::Committed)))
        });
        state.partitions = owned.collect();
        state.failed = None;
        self.changed.notify_one();
    }

    /// There is no membership, for this reason.
    pub(crate) fn failed(&self, epoch: u64, error: Error) {
        let mut state = self.state.lock();
        if state.epoch == epoch {
            state.failed = Some(error);
            self.changed.notify_one();
        }
    }
}

fn not_assigned(partition: &TopicPartition) -> Error {
    let message = format!("No current assignment for {partition}");
    Error::new(ErrorKind::InvalidRequest, "NOT_ASSIGNED", message)
}
