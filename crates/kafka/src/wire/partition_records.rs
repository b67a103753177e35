//! The records of one partition in an answer to Fetch, read one by one as they are asked for.
//!
//! A batch is checked and decompressed when its first record is wanted; keys and values are slices of it. Control records are
//! left out, and so are records of aborted transactions. The position after a batch is decided by the batch, not by the records
//! that compaction has left in it. Source: KIP-98 (record batches, aborted transactions).

use std::{borrow::Cow, collections::HashSet, iter::Peekable, vec};

use bytes::{Buf, Bytes};

use super::{
    cursor::Malformed,
    records::{BadBatch, Batch, RawRecords, Timestamps},
};
use crate::{
    StoredRecord,
    in_place::{LARGE_COMPRESSED, LARGE_PLAIN},
    log_position::LogPosition,
};

/// The records of one partition in an answer.
#[derive(Debug)]
pub(crate) struct PartitionRecords {
    /// Batches that were not opened yet; the last may be cut off.
    rest: Bytes,
    /// Aborted transactions that begin behind the batches opened so far: the offset of the first record, and the producer.
    aborted: Peekable<vec::IntoIter<(i64, i64)>>,
    /// Producers whose records are left out until their transaction's end.
    aborting: HashSet<i64>,
    open: Option<OpenBatch>,
    position: LogPosition,
}

#[derive(Debug)]
struct OpenBatch {
    body: Bytes,
    /// Bytes that it became when it was decompressed; 0 where it is part of the answer.
    unpacked: usize,
    base_offset: i64,
    leader_epoch: i32,
    timestamps: Timestamps,
    /// Records that were not read yet.
    left: i32,
    last_offset: i64,
}

impl PartitionRecords {
    /// `aborted`: producer and first offset of each aborted transaction, in any order. Records before `position` are left out.
    pub(crate) fn new(batches: Bytes, aborted: &[(i64, i64)], position: LogPosition) -> PartitionRecords {
        let mut aborted: Vec<_> = aborted.iter().map(|(producer, first)| (*first, *producer)).collect();
        aborted.sort_unstable();
        let aborted = aborted.into_iter().peekable();
        PartitionRecords { rest: batches, aborted, aborting: HashSet::new(), open: None, position }
    }

    /// The position behind the record read last, and behind whatever was left out.
    pub(crate) fn position(&self) -> LogPosition {
        self.position
    }

    /// The position behind all of it, by the headers of the batches; `None` where no batch is whole.
    pub(crate) fn end(&self) -> Option<LogPosition> {
        let (mut rest, mut end, mut is_whole) = (&self.rest[..], self.position, false);
        while let (Some(base), Some(length), Some(epoch), Some(delta)) =
            (field(rest, 0), field(rest, 8), field(rest, 12), field(rest, 23))
        {
            let Some(after) = usize::try_from(i32::from_be_bytes(length)).ok().and_then(|n| rest.get(12 + n..)) else {
                break;
            };
            let base = i64::from_be_bytes(base);
            let last = base.saturating_add(i64::from(i32::from_be_bytes(delta)));
            end.advance(base, i32::from_be_bytes(epoch), last.saturating_add(1));
            (rest, is_whole) = (after, true);
        }
        is_whole.then_some(end)
    }

    /// What is held besides the answer: the batch that is open, where it was compressed.
    pub(crate) fn unpacked(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.unpacked)
    }

    /// Whether the next record opens a batch that takes long to check and decompress.
    pub(crate) fn opens_large(&self) -> bool {
        if self.open.as_ref().is_some_and(|open| open.left > 0) {
            return false;
        }
        let length = field(&self.rest, 8).map_or(0, |length| usize::try_from(i32::from_be_bytes(length)).unwrap_or(0));
        let is_compressed =
            field(&self.rest, 21).is_some_and(|attributes| Batch::is_compressed(i16::from_be_bytes(attributes)));
        length > if is_compressed { LARGE_COMPRESSED } else { LARGE_PLAIN }
    }

    fn read(&mut self) -> Result<Option<StoredRecord>, BadBatch> {
        loop {
            let Some(open) = &mut self.open else {
                if !self.open_next()? {
                    return Ok(None);
                }
                continue;
            };
            if open.left == 0 {
                if !open.body.is_empty() {
                    return Err(BadBatch::Malformed);
                }
                self.position.advance(open.base_offset, open.leader_epoch, open.last_offset.saturating_add(1));
                self.open = None;
                continue;
            }
            let mut records = RawRecords::new(&open.body);
            let raw = records.next().ok_or(Malformed)??;
            let offset = open.base_offset.saturating_add(raw.offset_delta);
            let wanted = offset >= self.position.offset;
            let body = &open.body;
            let stored = match wanted {
                true => Some(raw.stored(offset, open.timestamps.of(&raw), |bytes| body.slice_ref(bytes))?),
                false => None,
            };
            let length = open.body.len() - records.rest().len();
            open.body.advance(length);
            open.left -= 1;
            if let Some(stored) = stored {
                self.position.advance(open.base_offset, open.leader_epoch, offset.saturating_add(1));
                return Ok(Some(stored));
            }
        }
    }

    /// Opens the next batch that has records to be shown; false: there is none.
    fn open_next(&mut self) -> Result<bool, BadBatch> {
        while let Some(read) = Batch::read(&self.rest) {
            let (batch, after) = read?;
            let last_offset = batch.last_offset();
            while let Some((_, producer)) = self.aborted.next_if(|(first, _)| *first <= last_offset) {
                self.aborting.insert(producer);
            }
            if batch.is_abort_marker() {
                self.aborting.remove(&batch.producer_id);
            }
            let hidden = batch.is_control() || (batch.is_transactional() && self.aborting.contains(&batch.producer_id));
            if !hidden && last_offset >= self.position.offset {
                let (body, unpacked) = match batch.body()? {
                    Cow::Borrowed(body) => (self.rest.slice_ref(body), 0),
                    Cow::Owned(body) => {
                        let unpacked = body.capacity();
                        (Bytes::from(body), unpacked)
                    }
                };
                let left = if batch.count >= 0 { batch.count } else { return Err(BadBatch::Malformed) };
                let Batch { base_offset, leader_epoch, .. } = batch;
                let timestamps = batch.timestamps();
                self.open =
                    Some(OpenBatch { body, unpacked, base_offset, leader_epoch, timestamps, left, last_offset });
            } else {
                self.position.advance(batch.base_offset, batch.leader_epoch, last_offset.saturating_add(1));
            }
            let opened = self.rest.len() - after.len();
            self.rest.advance(opened);
            if self.open.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Iterator for PartitionRecords {
    type Item = Result<StoredRecord, BadBatch>;

    /// After an error the position is that of the batch that cannot be read.
    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The bytes of a field, where they are there.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Record,
        log_position::{EpochEnd, NO_EPOCH},
        wire::batch::{BatchBuilder, Sequence},
    };

    /// A batch of these values that begins at `offset`.
    fn batch(values: &[&'static str], offset: u8) -> Vec<u8> {
        let mut batch = BatchBuilder::with_capacity(0);
        for value in values {
            batch.push(&Record { value: Some(Bytes::from_static(value.as_bytes())), ..Record::default() }, 1_000);
        }
        let mut sealed = batch.seal(Sequence { producer_id: 9, epoch: 0, first: 0 }).to_vec();
        sealed[7] = offset;
        sealed
    }

    fn from(offset: i64) -> LogPosition {
        LogPosition::new(offset, NO_EPOCH)
    }

    /// The same with other attributes.
    fn with_attributes(mut batch: Vec<u8>, attributes: u8) -> Vec<u8> {
        batch[22] = attributes;
        let checksum = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&checksum.to_be_bytes());
        batch
    }

    fn read(records: &mut PartitionRecords) -> Vec<(i64, Bytes)> {
        records
            .map(|record| record.expect("can be read"))
            .map(|record| (record.offset.0, record.value.expect("has one")))
            .collect()
    }

    #[test]
    fn records_are_read_from_the_position_and_a_batch_cut_off_is_left_out() {
        let (first, second) = (batch(&["a", "b", "c"], 0), batch(&["d"], 3));
        let log = [first.clone(), second].concat();
        for cut in first.len()..=log.len() {
            let mut records = PartitionRecords::new(Bytes::copy_from_slice(&log[..cut]), &[], from(1));
            let whole = cut == log.len();
            let expected: &[_] = &[(1, Bytes::from("b")), (2, "c".into()), (3, "d".into())];
            assert_eq!(records.end().map(|end| end.offset), Some(if whole { 4 } else { 3 }), "{cut}");
            assert_eq!(read(&mut records), expected[..if whole { 3 } else { 2 }], "{cut}");
            assert_eq!(records.position().offset, if whole { 4 } else { 3 });
        }
        assert_eq!(PartitionRecords::new(Bytes::copy_from_slice(&first[..70]), &[], from(0)).end(), None);
    }

    #[test]
    fn aborted_and_control_records_are_left_out_but_passed() {
        const TRANSACTIONAL: u8 = 0x10;
        // A marker is a control batch whose record has the key: version 0, type (0 abort, 1 commit).
        let marker = |kind: u8, offset| {
            let mut batch = BatchBuilder::with_capacity(0);
            let key = Some(Bytes::from(vec![0, 0, 0, kind]));
            batch.push(&Record { key, value: Some(Bytes::new()), ..Record::default() }, 1_000);
            let mut sealed = batch.seal(Sequence { producer_id: 9, epoch: 0, first: 0 }).to_vec();
            sealed[7] = offset;
            with_attributes(sealed, 0x30)
        };
        let log = [
            with_attributes(batch(&["kept"], 0), TRANSACTIONAL),
            marker(1, 1),
            with_attributes(batch(&["aborted", "too"], 2), TRANSACTIONAL),
            batch(&["not transactional"], 4),
            marker(0, 5),
            with_attributes(batch(&["after"], 6), TRANSACTIONAL),
            marker(1, 7),
        ]
        .concat();
        let mut records = PartitionRecords::new(Bytes::from(log.clone()), &[(9, 2)], from(0));
        assert_eq!(records.end().map(|end| end.offset), Some(8));
        assert_eq!(read(&mut records), [(0, "kept".into()), (4, "not transactional".into()), (6, "after".into())]);
        assert_eq!(records.position().offset, 8);
        let mut uncommitted = PartitionRecords::new(Bytes::from(log), &[], from(0));
        assert_eq!(read(&mut uncommitted).len(), 5);
    }

    #[test]
    fn the_position_carries_the_epoch_of_the_batch_before() {
        let in_epoch = |mut batch: Vec<u8>, epoch: u8| {
            batch[12..16].copy_from_slice(&[0, 0, 0, epoch]);
            batch
        };
        let log = [in_epoch(batch(&["a", "b"], 0), 2), in_epoch(batch(&["c", "d"], 2), 4)].concat();
        let mut records = PartitionRecords::new(Bytes::from(log), &[], from(1));
        assert_eq!(records.end().map(|end| (end.offset, end.leader_epoch)), Some((4, 4)));
        for (offset, epoch) in [(2, 2), (3, 4), (4, 4)] {
            records.next().expect("one").expect("can be read");
            assert_eq!((records.position().offset, records.position().leader_epoch), (offset, epoch));
        }
        // Epoch 4 began at 2, so a log without it parts from this one there.
        let without = EpochEnd { epoch: 3, offset: 9 };
        assert_eq!(records.position().truncated_to(without).map(|to| to.offset), Some(2));
    }

    #[test]
    fn a_batch_is_large_by_what_it_takes_to_open_it() {
        let large = |bytes: usize, attributes| {
            let mut builder = BatchBuilder::with_capacity(bytes);
            for _ in 0..2 {
                let value = Some(Bytes::from(vec![b'x'; bytes / 2]));
                builder.push(&Record { value, ..Record::default() }, 1_000);
            }
            let sealed = builder.seal(Sequence { producer_id: 9, epoch: 0, first: 0 }).to_vec();
            PartitionRecords::new(Bytes::from(with_attributes(sealed, attributes)), &[], from(0))
        };
        assert!(!large(LARGE_COMPRESSED + 100, 0).opens_large() && large(LARGE_COMPRESSED + 100, 4).opens_large());
        let mut plain = large(LARGE_PLAIN + 100, 0);
        assert!(plain.opens_large());
        plain.next().expect("one").expect("can be read");
        assert!(!plain.opens_large(), "it is open");
        assert!(!PartitionRecords::new(Bytes::new(), &[], from(0)).opens_large());
    }

    #[test]
    fn no_change_of_a_byte_panics_and_what_is_unreadable_stays_at_its_position() {
        let log = [batch(&["first"], 0), batch(&["some value", "another"], 1)].concat();
        let second = batch(&["first"], 0).len();
        for at in second..log.len() {
            for bit in 0..8 {
                let mut changed = log.clone();
                changed[at] ^= 1 << bit;
                let mut records = PartitionRecords::new(Bytes::from(changed), &[], from(0));
                assert!(records.end().is_some_and(|end| end.offset >= 1));
                assert!(records.next().expect("one").is_ok());
                // Not under the checksum: base offset, length, leader epoch.
                if at >= second + 16 {
                    assert!(records.next().expect("unreadable").is_err(), "byte {at}");
                    assert_eq!(records.position().offset, 1);
                } else {
                    while let Some(Ok(_)) = records.next() {}
                }
            }
        }
    }
}
