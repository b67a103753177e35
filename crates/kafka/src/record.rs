//! Records on their way in ([`Record`]), what the log answers ([`Receipt`]), and records read back ([`StoredRecord`]).

use bytes::Bytes;

use crate::{ByteCount, Offset, PartitionId};

/// What Kafka's Java client reckons for a batch of one record around its key, value and headers: the header of the batch (61)
/// and the widest fixed part of a record (21).
const BATCH_OF_ONE: usize = 61 + 21;

/// What a record costs in memory besides its bytes, until it is acknowledged: its frame in the batch, the slot for
/// its outcome, and that a batch is there while it is sent.
const BOOKKEEPING: usize = 256;

/// One record to be written.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// `None`: the partitioner decides (murmur2 of the key, as Java does; without a key one partition for a while, then another).
    pub partition: Option<PartitionId>,
    /// `None` and an empty key are different things to Kafka.
    pub key: Option<Bytes>,
    /// `None` is a tombstone in a compacted topic.
    pub value: Option<Bytes>,
    /// In order; a name may occur more than once.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds since 1970; `None`: now.
    pub timestamp_ms: Option<i64>,
}

impl Record {
    /// The memory this record takes until it is acknowledged.
    pub(crate) fn footprint(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + len(value) + 32).sum();
        len(&self.key) + len(&self.value) + headers + BOOKKEEPING
    }

    /// The size that is held against `max.request.size`, reckoned as the Java client does: the record alone in a batch.
    pub(crate) fn serialized_size(&self) -> ByteCount {
        let headers: usize =
            self.headers.iter().map(|(name, value)| varint(name.len()) + name.len() + optional(value)).sum::<usize>()
                + varint(self.headers.len());
        ByteCount(BATCH_OF_ONE + optional(&self.key) + optional(&self.value) + headers)
    }
}

/// What the log says about a record that stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The partition it went to.
    pub partition: PartitionId,
    /// Its place there.
    pub offset: Offset,
    /// Milliseconds since 1970, as kept by the log.
    pub timestamp_ms: Option<i64>,
}

/// A record as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place in the partition. Offsets grow, but need not be dense: compaction leaves gaps.
    pub offset: Offset,
    /// Milliseconds since 1970, where the record has a time.
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// In order; a name may occur more than once.
    pub headers: Vec<(String, Option<Bytes>)>,
}

fn len(bytes: &Option<Bytes>) -> usize {
    bytes.as_ref().map_or(0, Bytes::len)
}

/// Length prefix and bytes; an absent value is a prefix of -1, one byte.
fn optional(bytes: &Option<Bytes>) -> usize {
    bytes.as_ref().map_or(1, |b| varint(b.len()) + b.len())
}

/// The bytes of a length as a zigzag varint.
fn varint(length: usize) -> usize {
    let zigzag = (length as u64) << 1;
    (64 - zigzag.leading_zeros() as usize).div_ceil(7).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_as_varints() {
        for (length, bytes) in [(0, 1), (1, 1), (63, 1), (64, 2), (8191, 2), (8192, 3), (1_048_575, 3), (1_048_576, 4)]
        {
            assert_eq!(varint(length), bytes, "{length}");
        }
    }

    #[test]
    fn serialized_size_is_that_of_a_batch_of_one() {
        let value = Record { value: Some(Bytes::from(vec![b'x'; 1000])), ..Record::default() };
        assert_eq!(value.serialized_size(), ByteCount(82 + 1 + 1002 + 1));
        let full = Record {
            key: Some(Bytes::from_static(b"key")),
            headers: vec![("a".into(), None), ("bc".into(), Some(Bytes::from_static(b"d")))],
            ..Record::default()
        };
        assert_eq!(full.serialized_size(), ByteCount(82 + 4 + 1 + 1 + (1 + 1 + 1) + (1 + 2 + 2)));
    }
}
