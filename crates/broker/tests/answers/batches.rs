//! Record batches: made as a producer makes them, also badly; and told apart when they come back.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::reduce::Tree;

/// A batch to be, with everything that can be wrong with one.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) values: Vec<&'static str>,
    pub(crate) key: Option<&'static str>,
    pub(crate) magic: i8,
    pub(crate) attributes: i16,
    pub(crate) first_time: i64,
    pub(crate) producer: (i64, i16, i32),
    /// Added to the count and to the last offset.
    pub(crate) overstated: (i32, i32),
    pub(crate) has_bad_checksum: bool,
}

/// The time of the first record unless said otherwise.
pub(crate) const TIME: i64 = 1_700_000_000_000;

/// Records of these values, one millisecond apart, without keys.
pub(crate) fn batch(values: &[&'static str]) -> Batch {
    Batch {
        values: values.to_vec(),
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
    pub(crate) fn by(self, id: i64, epoch: i16, sequence: i32) -> Batch {
        Batch { producer: (id, epoch, sequence), ..self }
    }

    pub(crate) fn bytes(&self) -> Bytes {
        let mut records = BytesMut::new();
        for (at, value) in self.values.iter().enumerate() {
            let mut record = vec![0];
            put_varint(&mut record, at as i64);
            put_varint(&mut record, at as i64);
            put_varint(&mut record, self.key.map_or(-1, |key| key.len() as i64));
            record.extend_from_slice(self.key.unwrap_or_default().as_bytes());
            put_varint(&mut record, value.len() as i64);
            record.extend_from_slice(value.as_bytes());
            record.push(0);
            let mut length = vec![];
            put_varint(&mut length, record.len() as i64);
            records.put_slice(&length);
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

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

/// The batches in `bytes`, field by field; their records as a checksum.
pub(crate) fn described(bytes: &Bytes) -> Vec<Tree> {
    let mut rest = bytes.clone();
    let mut batches = Vec::new();
    while rest.len() >= 61 {
        let size = i32::from_be_bytes(rest[8..12].try_into().expect("four bytes")) as usize + 12;
        if rest.len() < size {
            break;
        }
        let mut from = rest.split_to(size);
        let crc_holds = crc32c::crc32c(&from[21..]) == u32::from_be_bytes(from[17..21].try_into().expect("four bytes"));
        let mut fields = vec![];
        let mut put = |name: &str, value: String| fields.push((name.to_owned(), Tree::Plain(value)));
        put("base_offset", from.get_i64().to_string());
        put("bytes", (from.get_i32() + 12).to_string());
        put("leader_epoch", from.get_i32().to_string());
        put("magic", from.get_i8().to_string());
        from.advance(4);
        put("checksum", if crc_holds { "holds" } else { "is wrong" }.to_owned());
        let attributes = from.get_i16();
        put("attributes", attributes.to_string());
        put("last_offset_delta", from.get_i32().to_string());
        put("first_time", from.get_i64().to_string());
        let largest = from.get_i64();
        put("largest_time", if attributes & 8 == 0 { largest.to_string() } else { "*".to_owned() });
        put("producer", format!("{}/{}/{}", from.get_i64(), from.get_i16(), from.get_i32()));
        put("count", from.get_i32().to_string());
        put("body", format!("{:08x}", crc32c::crc32c(&from)));
        batches.push(Tree::Fields(fields));
    }
    if !rest.is_empty() {
        batches.push(Tree::Fields(vec![("left_over".to_owned(), Tree::Plain(rest.len().to_string()))]));
    }
    batches
}
