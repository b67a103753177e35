//! Record batches as a producer builds them.

use bytes::{BufMut, Bytes, BytesMut};

/// A batch of records without keys. `producer`: id, epoch and first sequence number, or -1 for each.
pub(crate) fn batch(values: &[&str], producer: (i64, i16, i32)) -> Bytes {
    records(values).by(producer.0, producer.1, producer.2).bytes()
}

/// A batch to build, valid or with one of the faults that a batch can have.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) values: Vec<String>,
    pub(crate) key: Option<&'static str>,
    pub(crate) magic: i8,
    pub(crate) attributes: i16,
    pub(crate) first_time: i64,
    pub(crate) producer: (i64, i16, i32),
    /// Added to the count and to the last offset.
    pub(crate) overstated: (i32, i32),
    pub(crate) has_bad_checksum: bool,
}

/// The timestamp of the first record by default.
pub(crate) const TIME: i64 = 1_700_000_000_000;

/// Records of these values, one millisecond apart, without keys.
pub(crate) fn records(values: &[&str]) -> Batch {
    Batch {
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        key: None,
        magic: 2,
        attributes: 0,
        first_time: TIME,
        producer: (-1, -1, -1),
        overstated: (0, 0),
        has_bad_checksum: false,
    }
}

impl Batch {
    /// With this producer id, epoch and first sequence number.
    pub(crate) fn by(self, id: i64, epoch: i16, sequence: i32) -> Batch {
        Batch { producer: (id, epoch, sequence), ..self }
    }

    /// The batch as a producer sends it.
    pub(crate) fn bytes(&self) -> Bytes {
        let mut records = BytesMut::new();
        for (at, value) in self.values.iter().enumerate() {
            let mut record = BytesMut::new();
            record.put_u8(0);
            varint(&mut record, at as i64);
            varint(&mut record, at as i64);
            varint(&mut record, self.key.map_or(-1, |key| key.len() as i64));
            record.extend_from_slice(self.key.unwrap_or_default().as_bytes());
            varint(&mut record, value.len() as i64);
            record.extend_from_slice(value.as_bytes());
            record.put_u8(0);
            varint(&mut records, record.len() as i64);
            records.put_slice(&record);
        }
        self.around(&records)
    }

    /// The batch with these bytes for its records.
    pub(crate) fn around(&self, records: &[u8]) -> Bytes {
        let last = self.values.len() as i32 - 1;
        let mut checked = BytesMut::new();
        checked.put_i16(self.attributes);
        checked.put_i32(last + self.overstated.1);
        checked.put_i64(self.first_time);
        checked.put_i64(self.first_time + i64::from(last));
        checked.put_i64(self.producer.0);
        checked.put_i16(self.producer.1);
        checked.put_i32(self.producer.2);
        checked.put_i32(last + 1 + self.overstated.0);
        checked.put_slice(records);
        let mut batch = BytesMut::new();
        batch.put_i64(0);
        batch.put_i32(checked.len() as i32 + 9);
        batch.put_i32(-1);
        batch.put_i8(self.magic);
        batch.put_u32(crc32c::crc32c(&checked) ^ u32::from(self.has_bad_checksum));
        batch.put_slice(&checked);
        batch.freeze()
    }
}

/// A number in the encoding of records: zigzag, seven bits a byte.
pub(crate) fn varint(out: &mut BytesMut, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.put_u8(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.put_u8(zigzag as u8);
}
