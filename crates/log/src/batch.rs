//! The record batch (magic 2) as a header over bytes: read, checked, never rebuilt.
//!
//! Source: Apache Kafka's documentation, "Record Batch". Field positions are counted from the batch's first byte.

use bytes::Bytes;

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: usize = 61;
/// Base offset and length: what stands before the bytes that the length counts.
const PRELUDE_BYTES: usize = 12;
/// The checksum covers everything from the attributes on.
const CHECKED_FROM: usize = 21;
const TIMESTAMP_TYPE_BIT: i16 = 0b1000;
/// The base time is not one: it says from when on the batch's tombstones may go.
const DELETE_HORIZON_BIT: i16 = 0b100_0000;

/// What the header of one batch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The offset of the first record.
    pub base_offset: i64,
    /// All of the batch, header included.
    pub bytes: usize,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, kind of time, and what sort of batch it is.
    pub attributes: i16,
    /// The last offset, counted from the first.
    pub last_offset_delta: i32,
    /// The time that those of the records are counted from.
    pub base_timestamp: i64,
    /// The largest time of its records.
    pub max_timestamp: i64,
    /// -1 if the producer does not number its batches.
    pub producer_id: i64,
    /// The producer's incarnation.
    pub producer_epoch: i16,
    /// The number of the first record.
    pub base_sequence: i32,
    /// How many records there are.
    pub records: i32,
}

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer bytes than the header, or than it announces.
    Short,
    /// A length that no batch can have.
    Length,
    /// Magic 0 or 1 (or nothing known).
    Magic(i8),
}

/// The length of the batch that `bytes` begins with; nothing if it is not all there.
///
/// # Errors
/// No batch has such a length, or is of such a kind; in Apache Kafka's words.
pub fn size(bytes: &[u8]) -> Result<Option<usize>, String> {
    /// The shortest record there ever was.
    const MIN_LENGTH: i32 = 14;
    if bytes.len() < 17 {
        return Ok(None);
    }
    let length = i32::from_be_bytes(field(bytes, 8));
    if length < MIN_LENGTH {
        return Err(format!("Record size {length} is less than the minimum record overhead ({MIN_LENGTH})"));
    }
    let magic = bytes[16] as i8;
    if !(0..=2).contains(&magic) {
        return Err(format!("Invalid magic found in record: {magic}"));
    }
    let size = length as usize + PRELUDE_BYTES;
    Ok((size <= bytes.len()).then_some(size))
}

impl Header {
    /// Reads a header; the records behind it need not be there.
    ///
    /// # Errors
    /// See [`Malformed`].
    pub fn read(bytes: &[u8]) -> Result<Header, Malformed> {
        if bytes.len() <= 16 {
            return Err(Malformed::Short);
        }
        let length = i32::from_be_bytes(field(bytes, 8));
        let magic = bytes[16] as i8;
        if magic != 2 {
            return Err(Malformed::Magic(magic));
        }
        let size = usize::try_from(length).map_err(|_| Malformed::Length)? + PRELUDE_BYTES;
        if size < HEADER_BYTES {
            return Err(Malformed::Length);
        }
        if bytes.len() < HEADER_BYTES {
            return Err(Malformed::Short);
        }
        Ok(Header {
            base_offset: i64::from_be_bytes(field(bytes, 0)),
            bytes: size,
            crc: u32::from_be_bytes(field(bytes, 17)),
            attributes: i16::from_be_bytes(field(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: i64::from_be_bytes(field(bytes, 27)),
            max_timestamp: i64::from_be_bytes(field(bytes, 35)),
            producer_id: i64::from_be_bytes(field(bytes, 43)),
            producer_epoch: i16::from_be_bytes(field(bytes, 51)),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            records: i32::from_be_bytes(field(bytes, 57)),
        })
    }

    /// The offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Whether the producer numbers its batches.
    pub fn is_idempotent(&self) -> bool {
        self.producer_id >= 0
    }

    /// Whether it belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & 0b1_0000 != 0
    }

    /// Whether it holds markers instead of records.
    pub fn is_control(&self) -> bool {
        self.attributes & 0b10_0000 != 0
    }

    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; 5 to 7 do not exist.
    pub fn codec(&self) -> i16 {
        self.attributes & 0b111
    }

    /// Whether all records have the broker's time, which is the largest.
    pub(crate) fn has_append_time(&self) -> bool {
        self.attributes & TIMESTAMP_TYPE_BIT != 0
    }

    /// From when on compaction drops the batch's tombstones, once it has seen them.
    pub(crate) fn delete_horizon(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON_BIT != 0).then_some(self.base_timestamp)
    }

    pub(crate) fn with_horizon_bit(self) -> Header {
        Header { attributes: self.attributes | DELETE_HORIZON_BIT, ..self }
    }

    pub(crate) fn last_sequence(&self) -> i32 {
        add_sequence(self.base_sequence, self.last_offset_delta)
    }
}

/// Sequences count from 0 to `i32::MAX` and start over.
pub(crate) fn add_sequence(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) & i64::from(i32::MAX)) as i32
}

/// Whether the checksum in `batch`, which is one whole batch, is that of its bytes.
pub fn checksum_holds(batch: &[u8], header: &Header) -> bool {
    crc32c::crc32c(&batch[CHECKED_FROM..]) == header.crc
}

/// Those of whole `batches` that begin before the offset `end`.
pub(crate) fn before(batches: Bytes, end: i64) -> Bytes {
    let mut upto = 0;
    while let Ok(header) = Header::read(&batches[upto..])
        && header.base_offset < end
        && upto + header.bytes <= batches.len()
    {
        upto += header.bytes;
    }
    batches.slice(..upto)
}

/// The first 16 bytes as they are stored: our base offset, the length as it came, leader epoch 0.
pub(crate) fn stored_prelude(batch: &[u8], base_offset: i64) -> [u8; 16] {
    let mut prelude = [0; 16];
    prelude[..8].copy_from_slice(&base_offset.to_be_bytes());
    prelude[8..12].copy_from_slice(&batch[8..12]);
    prelude
}

/// The same batch with the broker's time as that of all its records (`message.timestamp.type=LogAppendTime`).
pub(crate) fn with_append_time(batch: &[u8], now_ms: i64) -> Vec<u8> {
    let mut copy = batch.to_vec();
    let attributes = i16::from_be_bytes(field(batch, 21)) | TIMESTAMP_TYPE_BIT;
    copy[21..23].copy_from_slice(&attributes.to_be_bytes());
    copy[35..43].copy_from_slice(&now_ms.to_be_bytes());
    seal(&mut copy);
    copy
}

/// A batch as `header` says, with `body` for its records; what `header` does not know is taken from `old`.
pub(crate) fn assembled(old: &[u8], header: &Header, body: &[u8]) -> Vec<u8> {
    let mut batch = old[..HEADER_BYTES].to_vec();
    batch[..8].copy_from_slice(&header.base_offset.to_be_bytes());
    batch[8..12].copy_from_slice(&((HEADER_BYTES - PRELUDE_BYTES + body.len()) as i32).to_be_bytes());
    batch[21..23].copy_from_slice(&header.attributes.to_be_bytes());
    batch[27..35].copy_from_slice(&header.base_timestamp.to_be_bytes());
    batch[35..43].copy_from_slice(&header.max_timestamp.to_be_bytes());
    batch[57..61].copy_from_slice(&header.records.to_be_bytes());
    batch.extend_from_slice(body);
    seal(&mut batch);
    batch
}

/// Puts the checksum that fits.
fn seal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[CHECKED_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the slice has the array's length")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::{codec, records};
    use super::*;

    /// A batch of `values` without keys, as a producer would send it.
    pub(crate) fn sample(values: &[&str], producer: (i64, i16, i32), timestamp: i64) -> Vec<u8> {
        let records: Vec<_> = values.iter().map(|value| (None, Some(*value))).collect();
        keyed(&records, codec::NONE, producer, timestamp)
    }

    /// A batch of keys and values in a codec.
    pub(crate) fn keyed(
        records: &[(Option<&str>, Option<&str>)],
        codec: i16,
        producer: (i64, i16, i32),
        timestamp: i64,
    ) -> Vec<u8> {
        let body = codec::compress(codec, &super::super::records::tests::encode(records)).unwrap();
        let last = records.len() as i32 - 1;
        let mut batch = vec![0; 8];
        batch.extend(((HEADER_BYTES - PRELUDE_BYTES + body.len()) as i32).to_be_bytes());
        batch.extend((-1i32).to_be_bytes());
        batch.push(2);
        batch.extend([0; 4]);
        batch.extend(codec.to_be_bytes());
        batch.extend(last.to_be_bytes());
        batch.extend(timestamp.to_be_bytes());
        batch.extend((timestamp + i64::from(last)).to_be_bytes());
        batch.extend(producer.0.to_be_bytes());
        batch.extend(producer.1.to_be_bytes());
        batch.extend(producer.2.to_be_bytes());
        batch.extend((last + 1).to_be_bytes());
        batch.extend(body);
        seal(&mut batch);
        batch
    }

    #[test]
    fn header_and_records_are_read_back() {
        let batch = sample(&["a", "bc"], (7, 1, 40), 1000);
        let header = Header::read(&batch).unwrap();
        assert_eq!((header.bytes, header.records, header.last_offset_delta), (batch.len(), 2, 1));
        assert_eq!((header.producer_id, header.producer_epoch, header.last_sequence()), (7, 1, 41));
        assert!(checksum_holds(&batch, &header));
        let body = records::body(&batch, &header).unwrap();
        let found = records::all(&body, &header).unwrap();
        assert_eq!((found[1].timestamp, found[1].offset, found[1].key, found[1].has_value), (1001, 1, None, true));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn append_time_keeps_the_checksum_true() {
        let stamped = with_append_time(&sample(&["a", "b"], (-1, -1, -1), 5), 99);
        let header = Header::read(&stamped).unwrap();
        assert!(checksum_holds(&stamped, &header));
        assert_eq!(header.max_timestamp, 99);
        let body = records::body(&stamped, &header).unwrap();
        assert!(records::walk(&body, &header).all(|record| record.unwrap().timestamp == 99));
    }

    #[test]
    fn sequences_start_over_after_the_largest() {
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 3), 1);
    }

    #[test]
    fn every_cut_and_every_old_magic_is_refused() {
        let batch = sample(&["a"], (-1, -1, -1), 0);
        for cut in 0..HEADER_BYTES {
            assert_eq!(Header::read(&batch[..cut]), Err(Malformed::Short));
        }
        let mut old = batch;
        old[16] = 1;
        assert_eq!(Header::read(&old), Err(Malformed::Magic(1)));
    }
}
