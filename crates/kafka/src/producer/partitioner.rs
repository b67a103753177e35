//! The partition of records without a key: one for a while, then the emptiest.
//!
//! So records of a small request land together and batches are full, and over time no partition gets more than it can take. As in
//! Java, the partition changes after 16 KiB (KIP-480, KIP-794).

use std::sync::Arc;

use parking_lot::Mutex;

use super::partition::Partition;

/// Java's `batch.size`.
const BYTES_PER_PARTITION: usize = 16_384;

/// Where records without a key go at the moment.
#[derive(Debug, Default)]
pub(super) struct StickyPartition(Mutex<Sticky>);

#[derive(Debug, Default)]
struct Sticky {
    partition: Option<i32>,
    bytes: usize,
}

impl StickyPartition {
    /// The partition of the next record, of `size` bytes; `count` is more than 0.
    pub(super) fn choose(&self, size: usize, partitions: &[Arc<Partition>], count: i32) -> i32 {
        let mut sticky = self.0.lock();
        let has_leader = |index: i32| {
            usize::try_from(index)
                .ok()
                .and_then(|at| partitions.get(at))
                .is_some_and(|partition| partition.has_leader())
        };
        let partition = match sticky.partition {
            Some(partition) if partition < count && sticky.bytes < BYTES_PER_PARTITION && has_leader(partition) => {
                partition
            }
            _ => {
                sticky.bytes = 0;
                emptiest(partitions, count)
            }
        };
        sticky.partition = Some(partition);
        sticky.bytes += size;
        partition
    }
}

/// The partition with the fewest bytes waiting, among those with a leader if there are any; one of them by chance where several
/// are as empty.
fn emptiest(partitions: &[Arc<Partition>], count: i32) -> i32 {
    let start = fastrand::i32(0..count);
    let candidates = (start..count).chain(0..start).filter_map(|index| {
        let partition = partitions.get(usize::try_from(index).ok()?)?;
        Some((!partition.has_leader(), partition.queued_bytes(), index))
    });
    candidates.min_by_key(|(leaderless, bytes, _)| (*leaderless, *bytes)).map_or(start, |(_, _, index)| index)
}
