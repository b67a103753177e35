//! Record batches in the answers: described field by field.

use bytes::{Buf, Bytes};

use super::reduce::Tree;

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
