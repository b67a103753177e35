//! What the members of a group tell each other through their coordinator: subscriptions and assignments.
//!
//! Written as Java writes them (version 3 of both); read in any version, whose fields beyond those known are ignored.
//! Source: ConsumerProtocolSubscription and ConsumerProtocolAssignment of Apache Kafka.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::cursor::{Cursor, Malformed};

/// The type of groups that speak this.
pub(super) const PROTOCOL_TYPE: &str = "consumer";

/// The version that is written.
const VERSION: i16 = 3;

/// Partitions by topic.
pub(super) type Partitions = BTreeMap<String, Vec<i32>>;

/// What a member wants to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) topics: Vec<String>,
}

impl Subscription {
    /// `topics` must be sorted. Nothing is owned: everything is given up before a rebalance.
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(64);
        bytes.put_i16(VERSION);
        put_count(&mut bytes, self.topics.len());
        for topic in &self.topics {
            put_text(&mut bytes, topic);
        }
        bytes.put_i32(-1); // user data
        bytes.put_i32(0); // owned partitions
        bytes.put_i32(-1); // their generation
        bytes.put_i16(-1); // rack
        bytes.freeze()
    }

    /// # Errors
    /// The bytes are not a subscription of any version.
    pub(super) fn decode(bytes: &[u8]) -> Result<Subscription, Malformed> {
        let mut cursor = Cursor::new(bytes, false);
        cursor.i16()?; // version: the first fields are those of all versions
        let mut topics = Vec::new();
        for _ in 0..cursor.array_length()?.unwrap_or(0) {
            topics.push(cursor.string()?.ok_or(Malformed)?.to_owned());
        }
        Ok(Subscription { topics })
    }
}

pub(super) fn encode_assignment(partitions: &Partitions) -> Bytes {
    let mut bytes = BytesMut::with_capacity(64);
    bytes.put_i16(VERSION);
    put_count(&mut bytes, partitions.len());
    for (topic, partitions) in partitions {
        put_text(&mut bytes, topic);
        put_count(&mut bytes, partitions.len());
        for partition in partitions {
            bytes.put_i32(*partition);
        }
    }
    bytes.put_i32(-1); // user data
    bytes.freeze()
}

/// No bytes are an assignment of nothing.
///
/// # Errors
/// The bytes are not an assignment of any version.
pub(super) fn decode_assignment(bytes: &[u8]) -> Result<Partitions, Malformed> {
    let mut assigned = Partitions::new();
    if bytes.is_empty() {
        return Ok(assigned);
    }
    let mut cursor = Cursor::new(bytes, false);
    cursor.i16()?; // version
    for _ in 0..cursor.array_length()?.unwrap_or(0) {
        let topic = cursor.string()?.ok_or(Malformed)?.to_owned();
        let partitions = assigned.entry(topic).or_default();
        for _ in 0..cursor.array_length()?.unwrap_or(0) {
            partitions.push(cursor.i32()?);
        }
    }
    Ok(assigned)
}

fn put_count(bytes: &mut BytesMut, count: usize) {
    bytes.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}

/// Texts are names of topics, which are short.
fn put_text(bytes: &mut BytesMut, text: &str) {
    bytes.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
    bytes.put_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as Java makes them.
    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|digit| *digit != b' ').collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex");
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn subscriptions_are_written_as_java_does_and_read_in_all_versions() {
        let one = Subscription { topics: vec!["a".to_owned()] };
        assert_eq!(one.encode(), bytes("0003 00000001 000161 ffffffff 00000000 ffffffff ffff"));
        let two = Subscription { topics: vec!["a".to_owned(), "b".to_owned()] };
        let version_0 = "00000002 000161 000162 ffffffff";
        for text in [
            format!("0000 {version_0}"),
            format!("0001 {version_0}"), // some clients leave the owned partitions out
            format!("0001 {version_0} 00000001 000161 00000002 00000000 00000001"),
            format!("0003 {version_0} 00000001 000161 00000002 00000000 00000001 00000005 0002 7231"),
            format!("0009 {version_0} 00000000 00000005 0002 7231 01020304"),
        ] {
            assert_eq!(Subscription::decode(&bytes(&text)), Ok(two.clone()), "{text}");
        }
        let whole = two.encode();
        for cut in 0..12 {
            assert_eq!(Subscription::decode(&whole[..cut]), Err(Malformed), "{cut}");
        }
    }

    #[test]
    fn assignments_are_written_as_java_does_and_read_in_all_versions() {
        let assigned: Partitions = [("a".to_owned(), vec![1]), ("b".to_owned(), vec![0])].into();
        let version_0 = "00000002 000161 00000001 00000001 000162 00000001 00000000 ffffffff";
        assert_eq!(encode_assignment(&assigned), bytes(&format!("0003 {version_0}")));
        for version in ["0000", "0003", "0009"] {
            assert_eq!(decode_assignment(&bytes(&format!("{version} {version_0}"))), Ok(assigned.clone()));
        }
        for nothing in ["", "0000 00000000 ffffffff", "0000 00000000"] {
            assert_eq!(decode_assignment(&bytes(nothing)), Ok(Partitions::new()));
        }
        assert_eq!(decode_assignment(&bytes("0000 7fffffff")), Err(Malformed));
    }
}
