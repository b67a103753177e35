//! Reading record batches of magic 2, record by record. Source: KIP-98, the record batch of the Kafka protocol guide.

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    codec,
    cursor::{Cursor, Malformed},
};
use crate::{Offset, StoredRecord};

/// Bits of a batch's attributes.
const CODEC: i16 = 0b111;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// A batch in a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) base_offset: i64,
    /// Of the leader that appended it; -1 where nobody has said so. Not under the checksum.
    pub(crate) leader_epoch: i32,
    last_offset_delta: i32,
    attributes: i16,
    base_timestamp: i64,
    max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(super) count: i32,
    body: &'a [u8],
}

/// Why a batch cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadBatch {
    /// It has another format than magic 2.
    Magic(i8),
    /// The checksum does not fit the bytes.
    Checksum,
    /// The bytes are not a batch.
    Malformed,
    /// The compressed bytes cannot be read.
    Codec(String),
}

impl std::fmt::Display for BadBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadBatch::Magic(magic) => write!(f, "its format is {magic}, and only 2 (Kafka 0.11 and later) is read"),
            BadBatch::Checksum => write!(f, "its checksum does not fit its bytes"),
            BadBatch::Malformed => write!(f, "its bytes are not those of a batch"),
            BadBatch::Codec(reason) => write!(f, "it cannot be decompressed: {reason}"),
        }
    }
}

impl From<Malformed> for BadBatch {
    fn from(_: Malformed) -> BadBatch {
        BadBatch::Malformed
    }
}

impl<'a> Batch<'a> {
    /// The first batch of `bytes`, and what follows it; `None` where it is cut off, as the last one of an answer may be.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Result<(Batch<'a>, &'a [u8]), BadBatch>> {
        let mut head = Cursor::new(bytes, false);
        let (base_offset, length) = (head.i64().ok()?, head.i32().ok()?);
        let Ok(length) = usize::try_from(length) else { return Some(Err(BadBatch::Malformed)) };
        let (batch, rest) = head.take(length).ok().map(|batch| (batch, &bytes[12 + length..]))?;
        Some(Batch::checked(base_offset, batch).map(|batch| (batch, rest)))
    }

    fn checked(base_offset: i64, bytes: &'a [u8]) -> Result<Batch<'a>, BadBatch> {
        let mut cursor = Cursor::new(bytes, false);
        let leader_epoch = cursor.i32()?;
        let magic = cursor.i8()?;
        if magic != 2 {
            return Err(BadBatch::Magic(magic));
        }
        let checksum = cursor.i32()?.cast_unsigned();
        if crc32c::crc32c(&bytes[9..]) != checksum {
            return Err(BadBatch::Checksum);
        }
        let attributes = cursor.i16()?;
        let last_offset_delta = cursor.i32()?;
        let (base_timestamp, max_timestamp) = (cursor.i64()?, cursor.i64()?);
        let producer_id = cursor.i64()?;
        cursor.take(6)?; // epoch, sequence
        let count = cursor.i32()?;
        let body = cursor.take(cursor.remaining())?;
        if last_offset_delta < 0 || base_offset < 0 {
            return Err(BadBatch::Malformed);
        }
        Ok(Batch {
            base_offset,
            leader_epoch,
            last_offset_delta,
            attributes,
            base_timestamp,
            max_timestamp,
            producer_id,
            count,
            body,
        })
    }

    /// The offset of its last record, whether or not compaction has left it there.
    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Whether attributes name a codec.
    pub(super) fn is_compressed(attributes: i16) -> bool {
        attributes & CODEC != codec::NONE
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether it is the control batch that aborts a transaction.
    pub(crate) fn is_abort_marker(&self) -> bool {
        let key = RawRecords::new(self.body).next().and_then(Result::ok).and_then(|record| {
            let key = Cursor::new(record.tail, false).varint_bytes().ok()??;
            let mut key = Cursor::new(key, false);
            Some((key.i16().ok()?, key.i16().ok()?))
        });
        self.is_control() && matches!(key, Some((_, 0)))
    }

    /// Its records from `from` on, handed over one by one. The bytes of each are copied.
    pub(crate) fn records(&self, from: i64, mut push: impl FnMut(StoredRecord)) -> Result<(), BadBatch> {
        let (body, timestamps) = (self.body()?, self.timestamps());
        let mut read = 0;
        for record in RawRecords::new(&body) {
            let record = record?;
            read += 1;
            let offset = self.base_offset.saturating_add(record.offset_delta);
            if offset < from {
                continue;
            }
            push(record.stored(offset, timestamps.of(&record), Bytes::copy_from_slice)?);
        }
        if read == self.count { Ok(()) } else { Err(BadBatch::Malformed) }
    }

    /// Its records as bytes, decompressed.
    pub(super) fn body(&self) -> Result<Cow<'a, [u8]>, BadBatch> {
        match self.attributes & CODEC {
            codec::NONE => Ok(Cow::Borrowed(self.body)),
            codec => match codec::decompress(codec, self.body) {
                Ok(body) => Ok(Cow::Owned(body)),
                Err(error) => Err(BadBatch::Codec(error.to_string())),
            },
        }
    }

    pub(super) fn timestamps(&self) -> Timestamps {
        match self.attributes & LOG_APPEND_TIME {
            0 => Timestamps::Since(self.base_timestamp),
            _ => Timestamps::LogAppendTime(self.max_timestamp),
        }
    }
}

/// What the timestamps of a batch's records are reckoned from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timestamps {
    /// Each has its distance from this one.
    Since(i64),
    /// All have this one.
    LogAppendTime(i64),
}

impl Timestamps {
    pub(super) fn of(self, record: &RawRecord<'_>) -> i64 {
        match self {
            Timestamps::Since(base) => base.saturating_add(record.timestamp_delta),
            Timestamps::LogAppendTime(time) => time,
        }
    }
}

/// A record whose key, value and headers have not been looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRecord<'a> {
    pub(crate) timestamp_delta: i64,
    pub(super) offset_delta: i64,
    /// Key, value and headers.
    pub(crate) tail: &'a [u8],
}

impl RawRecord<'_> {
    /// The record; `owned` makes bytes of its own of a slice of the batch.
    pub(super) fn stored(
        &self,
        offset: i64,
        timestamp_ms: i64,
        owned: impl Fn(&[u8]) -> Bytes,
    ) -> Result<StoredRecord, Malformed> {
        let mut cursor = Cursor::new(self.tail, false);
        let (key, value) = (cursor.varint_bytes()?.map(&owned), cursor.varint_bytes()?.map(&owned));
        let count = usize::try_from(cursor.varint()?).map_err(|_| Malformed)?;
        if count > cursor.remaining() / 2 {
            return Err(Malformed);
        }
        let mut headers = Vec::with_capacity(count);
        for _ in 0..count {
            let name = cursor.varint_bytes()?.ok_or(Malformed)?;
            headers.push((String::from_utf8_lossy(name).into_owned(), cursor.varint_bytes()?.map(&owned)));
        }
        let timestamp_ms = (timestamp_ms >= 0).then_some(timestamp_ms);
        Ok(StoredRecord { offset: Offset(offset), timestamp_ms, key, value, headers })
    }
}

/// The records of a batch's decompressed body. Ends after the first that cannot be read.
pub(crate) struct RawRecords<'a>(Cursor<'a>);

impl<'a> RawRecords<'a> {
    pub(crate) fn new(body: &'a [u8]) -> RawRecords<'a> {
        RawRecords(Cursor::new(body, false))
    }

    /// The bytes behind the records read so far.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0.rest()
    }

    fn read(&mut self) -> Result<RawRecord<'a>, Malformed> {
        let mut record = Cursor::new(self.0.varint_bytes()?.ok_or(Malformed)?, false);
        record.i8()?; // attributes
        let (timestamp_delta, offset_delta) = (record.varint()?, record.varint()?);
        let tail = record.take(record.remaining())?;
        Ok(RawRecord { timestamp_delta, offset_delta, tail })
    }
}

impl<'a> Iterator for RawRecords<'a> {
    type Item = Result<RawRecord<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.remaining() == 0 {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.0 = Cursor::new(&[], false);
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Record,
        wire::batch::{BatchBuilder, Sequence},
    };

    fn sealed(values: &[&'static str]) -> Bytes {
        let mut batch = BatchBuilder::with_capacity(0);
        for value in values {
            batch.push(&Record { value: Some(Bytes::from_static(value.as_bytes())), ..Record::default() }, 1_000);
        }
        batch.seal(Sequence { producer_id: 1, epoch: 0, first: 0 })
    }

    fn values(bytes: &[u8], from: i64) -> Result<Vec<(i64, Bytes)>, BadBatch> {
        let (mut read, mut rest) = (Vec::new(), bytes);
        while let Some(batch) = Batch::read(rest) {
            let (batch, after) = batch?;
            batch.records(from, |record| read.push((record.offset.0, record.value.expect("has one"))))?;
            rest = after;
        }
        Ok(read)
    }

    #[test]
    fn records_before_the_position_and_a_batch_cut_off_are_left_out() {
        let mut log = sealed(&["a", "b", "c"]).to_vec();
        log.extend_from_slice(&sealed(&["d"]));
        let second = log.len() - sealed(&["d"]).len();
        log[second + 7] = 3; // base offset
        assert_eq!(values(&log, 1), Ok(vec![(1, "b".into()), (2, "c".into()), (3, "d".into())]));
        for cut in second..log.len() {
            assert_eq!(values(&log[..cut], 2), Ok(vec![(2, "c".into())]), "{cut}");
        }
    }

    #[test]
    fn no_change_of_a_byte_panics_and_nearly_all_are_noticed() {
        let batch = sealed(&["some value", "another"]);
        for at in 0..batch.len() {
            for bit in 0..8 {
                let mut changed = batch.to_vec();
                changed[at] ^= 1 << bit;
                let read = values(&changed, 0);
                // Not under the checksum: base offset, length, leader epoch.
                assert!(read.is_err() || at < 16, "byte {at}: {read:?}");
            }
        }
    }
}
