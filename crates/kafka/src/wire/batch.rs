//! Writing record batches of magic 2. Source: KIP-98, the record batch of the Kafka protocol guide.
//!
//! Records are written behind 61 bytes that are left free for the header; [`BatchBuilder::seal`] fills it in. A record's bytes are
//! copied once, from the request into the batch.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    codec,
    cursor::{Cursor, Malformed},
    records::{RawRecord, RawRecords},
};
use crate::{Compression, Record};

/// The header of a batch, before its first record.
pub(crate) const HEADER_BYTES: usize = 61;

/// The first allocation of a batch: a small record or two.
const INITIAL_CAPACITY: usize = 512;

/// A batch that takes more records.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    bytes: BytesMut,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

/// Who sends a batch, and where it stands in the order of what that producer sends to the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) first: i32,
}

impl BatchBuilder {
    /// A batch whose first record takes up to `record_bytes`.
    pub(crate) fn with_capacity(record_bytes: usize) -> BatchBuilder {
        let mut bytes = BytesMut::with_capacity((HEADER_BYTES + record_bytes).max(INITIAL_CAPACITY));
        bytes.put_bytes(0, HEADER_BYTES);
        BatchBuilder { bytes, count: 0, base_timestamp: 0, max_timestamp: i64::MIN }
    }

    pub(crate) fn push(&mut self, record: &Record, timestamp_ms: i64) {
        let headers: usize = record
            .headers
            .iter()
            .map(|(name, value)| field_length(Some(name.as_bytes())) + field_length(value.as_deref()))
            .sum();
        let tail = field_length(record.key.as_deref())
            + field_length(record.value.as_deref())
            + varint_length(record.headers.len() as i64)
            + headers;
        self.begin(timestamp_ms, tail);
        put_field(&mut self.bytes, record.key.as_deref());
        put_field(&mut self.bytes, record.value.as_deref());
        put_varint(&mut self.bytes, record.headers.len() as i64);
        for (name, value) in &record.headers {
            put_field(&mut self.bytes, Some(name.as_bytes()));
            put_field(&mut self.bytes, value.as_deref());
        }
        self.count += 1;
    }

    /// A record of another batch, under a new place in this one.
    fn push_raw(&mut self, record: &RawRecord<'_>, timestamp_ms: i64) {
        self.begin(timestamp_ms, record.tail.len());
        self.bytes.put_slice(record.tail);
        self.count += 1;
    }

    /// Everything of a record before its key; `tail` bytes follow.
    fn begin(&mut self, timestamp_ms: i64, tail: usize) {
        if self.count == 0 {
            self.base_timestamp = timestamp_ms;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp_ms);
        let timestamp_delta = timestamp_ms.wrapping_sub(self.base_timestamp);
        let offset_delta = i64::from(self.count);
        let body = 1 + varint_length(timestamp_delta) + varint_length(offset_delta) + tail;
        self.bytes.reserve(varint_length(body as i64) + body);
        put_varint(&mut self.bytes, body as i64);
        self.bytes.put_i8(0);
        put_varint(&mut self.bytes, timestamp_delta);
        put_varint(&mut self.bytes, offset_delta);
    }

    /// The bytes so far, header included.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn count(&self) -> i32 {
        self.count
    }

    /// The largest timestamp in it.
    pub(crate) fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Writes header and checksum. The batch never changes afterwards: a retry sends these bytes.
    pub(crate) fn seal(mut self, sequence: Sequence) -> Bytes {
        let length = self.bytes.len();
        let header = &mut self.bytes[..HEADER_BYTES];
        let mut checked = &mut header[21..];
        checked.put_i16(0); // attributes: no compression, the producer's timestamps
        checked.put_i32(self.count - 1);
        checked.put_i64(self.base_timestamp);
        checked.put_i64(self.max_timestamp);
        checked.put_i64(sequence.producer_id);
        checked.put_i16(sequence.epoch);
        checked.put_i32(sequence.first);
        checked.put_i32(self.count);
        let checksum = crc32c::crc32c(&self.bytes[21..]);
        let mut head = &mut self.bytes[..21];
        head.put_i64(0); // base offset
        head.put_i32(i32::try_from(length - 12).unwrap_or(i32::MAX));
        head.put_i32(-1); // leader epoch of the partition
        head.put_i8(2); // magic
        head.put_u32(checksum);
        self.bytes.freeze()
    }

    /// A sealed batch with its records compressed; the same bytes again where that would not make it smaller.
    pub(crate) fn compressed(sealed: &Bytes, codec: Compression) -> Bytes {
        let (header, records) = sealed.split_at(HEADER_BYTES);
        let packed = match codec {
            Compression::None => return sealed.clone(),
            codec => codec::compress(codec, records),
        };
        let Some(packed) = packed.ok().filter(|packed| packed.len() < records.len()) else { return sealed.clone() };
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + packed.len());
        bytes.put_slice(header);
        bytes.put_slice(&packed);
        let length = i32::try_from(bytes.len() - 12).unwrap_or(i32::MAX);
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[21..23].copy_from_slice(&codec.id().to_be_bytes());
        let checksum = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
        bytes.freeze()
    }

    /// The records of a sealed batch in new ones, in their order: each record goes into the batch that `place` names for its
    /// index, or into none.
    pub(crate) fn rebuild(
        sealed: &[u8],
        batches: usize,
        place: impl Fn(usize) -> Option<usize>,
    ) -> Result<Vec<BatchBuilder>, Malformed> {
        let mut cursor = Cursor::new(sealed.get(27..).ok_or(Malformed)?, false);
        let base_timestamp = cursor.i64()?;
        let mut built: Vec<_> = (0..batches).map(|_| BatchBuilder::with_capacity(0)).collect();
        for (index, record) in RawRecords::new(sealed.get(HEADER_BYTES..).ok_or(Malformed)?).enumerate() {
            let record = record?;
            if let Some(batch) = place(index).and_then(|at| built.get_mut(at)) {
                batch.push_raw(&record, base_timestamp.wrapping_add(record.timestamp_delta));
            }
        }
        Ok(built)
    }
}

pub(crate) fn put_varint(out: &mut BytesMut, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut encoded = [0; 10];
    let mut length = 0;
    while zigzag >= 0x80 {
        encoded[length] = (zigzag & 0x7f) as u8 | 0x80;
        zigzag >>= 7;
        length += 1;
    }
    encoded[length] = zigzag as u8;
    out.extend_from_slice(&encoded[..=length]);
}

fn varint_length(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

fn field_length(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| varint_length(bytes.len() as i64) + bytes.len())
}

fn put_field(out: &mut BytesMut, field: Option<&[u8]>) {
    match field {
        None => out.put_u8(1), // -1
        Some(bytes) => {
            put_varint(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::records::Batch;

    const SEQUENCE: Sequence = Sequence { producer_id: 1000, epoch: 3, first: 42 };

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What Kafka's Java client writes for the same records.
    #[test]
    fn a_batch_has_the_bytes_that_java_writes() {
        let full = Record {
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::from_static(b"v")),
            headers: vec![("h".into(), Some(Bytes::from_static(b"x"))), ("h".into(), None)],
            ..Record::default()
        };
        let mut batch = BatchBuilder::with_capacity(0);
        batch.push(&full, 1_700_000_000_000);
        batch.push(&Record::default(), 1_700_000_000_005);
        assert_eq!(
            hex(&batch.seal(SEQUENCE)),
            "000000000000000000000048ffffffff02b50b48ad0000000000010000018bcfe568000000018bcfe5680500000000000003e8\
             00030000002a000000021e000000026b027604026802780268010c000a02010100"
        );
    }

    #[test]
    fn a_compressed_batch_holds_the_same_records_under_the_same_sequence() {
        let mut batch = BatchBuilder::with_capacity(0);
        for n in 0..1000 {
            let value = Some(Bytes::from(format!("record {n} of a topic")));
            batch.push(&Record { value, ..Record::default() }, 1_700_000_000_000 + n);
        }
        let sealed = batch.seal(SEQUENCE);
        let read = |bytes: &[u8]| {
            let (batch, rest) = Batch::read(bytes).expect("whole").expect("its checksum fits");
            assert!(rest.is_empty());
            let mut records = Vec::new();
            batch.records(0, |record| records.push(record)).expect("it is read");
            (batch.producer_id, batch.last_offset(), records)
        };
        let expected = read(&sealed);
        assert_eq!(expected.2.len(), 1000);
        for codec in Compression::ALL {
            let packed = BatchBuilder::compressed(&sealed, codec);
            assert_eq!(read(&packed), expected, "{codec}");
            assert_eq!(packed.len() < sealed.len() / 2, codec != Compression::None, "{codec}: {}", packed.len());
            assert_eq!(packed[23..HEADER_BYTES], sealed[23..HEADER_BYTES], "{codec}: the sequence stays");
        }
        // What does not become smaller is sent as it is.
        let mut small = BatchBuilder::with_capacity(0);
        small.push(&Record::default(), 1);
        let small = small.seal(SEQUENCE);
        assert!(Compression::ALL.into_iter().all(|codec| BatchBuilder::compressed(&small, codec) == small));
    }

    #[test]
    fn a_split_batch_holds_the_same_records_as_if_it_had_been_built_so() {
        let record = |n: usize| Record { value: Some(Bytes::from(vec![b'v'; n])), ..Record::default() };
        let mut whole = BatchBuilder::with_capacity(0);
        let mut parts = [BatchBuilder::with_capacity(0), BatchBuilder::with_capacity(0)];
        for n in 0..200 {
            let timestamp_ms = 1_000_000 + (n as i64) * 40_000 * if n % 2 == 0 { 1 } else { -1 };
            whole.push(&record(n), timestamp_ms);
            if n != 7 {
                parts[usize::from(n >= 100)].push(&record(n), timestamp_ms);
            }
        }
        let rebuilt = BatchBuilder::rebuild(&whole.seal(SEQUENCE), 2, |n| (n != 7).then_some(usize::from(n >= 100)))
            .expect("ours");
        for (built, expected) in rebuilt.into_iter().zip(parts) {
            assert_eq!(built.count(), expected.count());
            assert_eq!(hex(&built.seal(SEQUENCE)), hex(&expected.seal(SEQUENCE)));
        }
    }

    #[test]
    fn lengths_of_varints_are_those_of_their_bytes() {
        for value in [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i64::from(i32::MAX), i64::MAX, i64::MIN] {
            let mut bytes = BytesMut::new();
            put_varint(&mut bytes, value);
            assert_eq!(bytes.len(), varint_length(value), "{value}");
            assert_eq!(Cursor::new(&bytes, false).varint(), Ok(value));
        }
    }
}
