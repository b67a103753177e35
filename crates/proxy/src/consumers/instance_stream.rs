//! Streams of an instance: where their client is in each partition, so that one that connects anew misses nothing.
//!
//! Records count as read when a connection has taken them, which says nothing of what has arrived. A client says that when it comes back, with
//! the positions of the last event that it has. They name every partition that was assigned then; a partition that came later, and of which
//! the client has not even got the position, goes back to where this stream began with it. A partition that somebody has moved since goes on
//! from there: what the client has of it may be older. What a client knows outlives the process, the other places do not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postern_kafka::{AssignedPartition, Consumer, Offset, SeekTo, TopicPartition};

use super::{PartitionName, PartitionPosition, RecordLayout};
use crate::Error;

/// A stream that was begun.
#[derive(Clone, Debug)]
pub struct BegunStream {
    /// What its reads are told by, from those of an earlier stream.
    pub number: u64,
    /// Where it begins in the partitions that are assigned now, as far as that is known, in order.
    pub positions: Vec<PartitionPosition>,
}

/// The places of one instance's streams.
#[derive(Default)]
pub(super) struct StreamPlaces {
    /// The last change of the assignment that was followed.
    followed: u64,
    /// Where the client surely has no later record of a partition, and under which number the consumer had acquired it then.
    starts: HashMap<TopicPartition, (u64, i64)>,
    /// Where somebody has moved a partition to, and the number likewise; `None`: it is being looked up.
    sought: HashMap<TopicPartition, (u64, Option<i64>)>,
    /// Where the client says that it is, until there are partitions.
    resumed: Option<Vec<PartitionPosition>>,
}

impl StreamPlaces {
    /// A stream begins: behind the records that its client has, or, where the client does not say, where the instance is.
    pub(super) fn begin(
        &mut self,
        consumer: &mut Consumer,
        resumed: Option<Vec<PartitionPosition>>,
    ) -> Result<Vec<PartitionPosition>, Error> {
        if resumed.is_none() {
            self.starts.clear();
            self.sought.clear();
        }
        self.resumed = resumed;
        self.followed = 0;
        Ok(self.changed(consumer)?.unwrap_or_default())
    }

    /// A read of a stream begins: its layout is told what is assigned.
    pub(super) fn begin_read(&mut self) {
        self.followed = 0;
    }

    /// Tells `layout` of partitions that came and went, before a record of one that came is taken.
    ///
    /// # Errors
    /// Those of [`RecordLayout::assigned`].
    pub(super) fn follow(
        &mut self,
        consumer: &mut Consumer,
        layout: &dyn RecordLayout,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match self.changed(consumer)? {
            Some(positions) => layout.assigned(&positions, out),
            None => Ok(()),
        }
    }

    /// Somebody has moved these partitions: the client goes on from there.
    pub(super) fn sought(&mut self, consumer: &Consumer, partitions: &BTreeSet<TopicPartition>) {
        let assigned = consumer.assigned_since(0).map(|(_, assigned)| assigned).unwrap_or_default();
        for AssignedPartition { partition, acquired, position, .. } in assigned {
            if partitions.contains(&partition) {
                self.starts.remove(&partition);
                self.sought.insert(partition, (acquired, position.map(|position| position.0)));
            }
        }
    }

    /// The positions, if anything has changed.
    fn changed(&mut self, consumer: &mut Consumer) -> Result<Option<Vec<PartitionPosition>>, Error> {
        let mut positions = None;
        while let Some((change, assigned)) = consumer.assigned_since(self.followed) {
            self.followed = change;
            if !assigned.is_empty() {
                self.keep_sought(&assigned);
                if let Some(resumed) = self.resumed.take()
                    && self.go_back(consumer, &assigned, resumed)?
                {
                    continue;
                }
                self.keep_starts(&assigned);
            }
            let position = |at: &AssignedPartition| Some((PartitionName::from(&at.partition), at.position?.0));
            positions = Some(assigned.iter().filter_map(position).collect());
        }
        Ok(positions)
    }

    /// Moves each partition to what its client may not have. False: all are there.
    fn go_back(
        &mut self,
        consumer: &mut Consumer,
        assigned: &[AssignedPartition],
        resumed: Vec<PartitionPosition>,
    ) -> Result<bool, Error> {
        let mut is_moved = false;
        let resumed: BTreeMap<PartitionName, i64> = resumed.into_iter().collect();
        for AssignedPartition { partition, acquired, position, .. } in assigned {
            let named = resumed.get(&PartitionName::from(partition)).copied();
            let begun = self.starts.get(partition).filter(|(under, _)| under == acquired).map(|(_, start)| *start);
            let next = match self.sought.get(partition) {
                // Its id was given out after the move if it lies between that and what was taken since.
                Some((_, Some(start))) => {
                    let taken = position.map_or(*start, |position| position.0);
                    Some(named.filter(|next| (*start..=taken).contains(next)).unwrap_or(*start))
                }
                Some((_, None)) => None,
                None => named.or(begun),
            };
            if let Some(next) = next {
                self.starts.insert(partition.clone(), (*acquired, next));
                if *position != Some(Offset(next)) {
                    consumer.seek(partition, SeekTo::Offset(Offset(next)))?;
                    is_moved = true;
                }
            }
        }
        Ok(is_moved)
    }

    /// Of what is still assigned; what was looked up is known before a record is taken.
    fn keep_sought(&mut self, assigned: &[AssignedPartition]) {
        let mut kept = HashMap::with_capacity(self.sought.len());
        for AssignedPartition { partition, acquired, position, .. } in assigned {
            if let Some((_, start)) = self.sought.remove(partition).filter(|(under, _)| under == acquired) {
                kept.insert(partition.clone(), (*acquired, start.or(position.map(|position| position.0))));
            }
        }
        self.sought = kept;
    }

    fn keep_starts(&mut self, assigned: &[AssignedPartition]) {
        let mut kept = HashMap::with_capacity(assigned.len());
        for AssignedPartition { partition, acquired, position, .. } in assigned {
            let begun = self.starts.remove(partition).filter(|(under, _)| under == acquired);
            if let Some(start) = begun.or(position.map(|position| (*acquired, position.0))) {
                kept.insert(partition.clone(), start);
            }
        }
        self.starts = kept;
    }
}
