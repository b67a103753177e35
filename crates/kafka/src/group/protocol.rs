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
    /// What the assignor of the member tells that of the leader.
    pub(super) user_data: Option<Bytes>,
    /// What it owns, and does not give up before the rebalance.
    pub(super) owned: Partitions,
    /// Since which generation it owns that; `None`: it is too old to say.
    pub(super) generation: Option<i32>,
}

impl Subscription {
    /// `topics` must be sorted.
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(64);
        bytes.put_i16(VERSION);
        put_count(&mut bytes, self.topics.len());
        for topic in &self.topics {
            put_text(&mut bytes, topic);
        }
        match &self.user_data {
            Some(data) => {
                put_count(&mut bytes, data.len());
                bytes.put_slice(data);
            }
            None => bytes.put_i32(-1),
        }
        put_partitions(&mut bytes, &self.owned);
        bytes.put_i32(self.generation.unwrap_or(-1));
        bytes.put_i16(-1); // rack
        bytes.freeze()
    }

    /// # Errors
    /// The bytes are not a subscription of any version.
    pub(super) fn decode(bytes: &[u8]) -> Result<Subscription, Malformed> {
        let mut cursor = Cursor::new(bytes, false);
        cursor.i16()?; // version: fields come one after the other, and older versions have fewer of them
        let mut topics = Vec::new();
        for _ in 0..cursor.array_length()?.unwrap_or(0) {
            topics.push(cursor.string()?.ok_or(Malformed)?.to_owned());
        }
        let mut subscription = Subscription { topics, ..Subscription::default() };
        // Some clients leave out what their version should have.
        if cursor.remaining() > 0 {
            subscription.user_data = cursor.bytes()?.map(Bytes::copy_from_slice);
        }
        if cursor.remaining() > 0 {
            subscription.owned = partitions(&mut cursor)?;
        }
        if cursor.remaining() > 0 {
            subscription.generation = Some(cursor.i32()?);
        }
        Ok(subscription)
    }
}

/// What a member with the sticky assignor says that it had.
pub(super) fn encode_sticky(owned: &Partitions, generation: i32) -> Bytes {
    let mut bytes = BytesMut::with_capacity(64);
    put_partitions(&mut bytes, owned);
    bytes.put_i32(generation);
    bytes.freeze()
}

/// What it had, and in which generation: -1 where it is too old to say, or had nothing yet.
///
/// # Errors
/// The bytes are not those of the sticky assignor in any version.
pub(super) fn decode_sticky(bytes: &[u8]) -> Result<(Partitions, i32), Malformed> {
    if bytes.is_empty() {
        return Ok((Partitions::new(), -1));
    }
    let mut cursor = Cursor::new(bytes, false);
    let owned = partitions(&mut cursor)?;
    let generation = if cursor.remaining() > 0 { cursor.i32()? } else { -1 };
    Ok((owned, generation))
}

pub(super) fn encode_assignment(partitions: &Partitions) -> Bytes {
    let mut bytes = BytesMut::with_capacity(64);
    bytes.put_i16(VERSION);
    put_partitions(&mut bytes, partitions);
    bytes.put_i32(-1); // user data
    bytes.freeze()
}

/// No bytes are an assignment of nothing.
///
/// # Errors
/// The bytes are not an assignment of any version.
pub(super) fn decode_assignment(bytes: &[u8]) -> Result<Partitions, Malformed> {
    if bytes.is_empty() {
        return Ok(Partitions::new());
    }
    let mut cursor = Cursor::new(bytes, false);
    cursor.i16()?; // version
    partitions(&mut cursor)
}

fn partitions(cursor: &mut Cursor<'_>) -> Result<Partitions, Malformed> {
    let mut read = Partitions::new();
    for _ in 0..cursor.array_length()?.unwrap_or(0) {
        let topic = cursor.string()?.ok_or(Malformed)?.to_owned();
        let partitions = read.entry(topic).or_default();
        for _ in 0..cursor.array_length()?.unwrap_or(0) {
            partitions.push(cursor.i32()?);
        }
    }
    Ok(read)
}

fn put_partitions(bytes: &mut BytesMut, partitions: &Partitions) {
    put_count(bytes, partitions.len());
    for (topic, partitions) in partitions {
        put_text(bytes, topic);
        put_count(bytes, partitions.len());
        for partition in partitions {
            bytes.put_i32(*partition);
        }
    }
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
        let one = Subscription { topics: vec!["a".to_owned()], ..Subscription::default() };
        assert_eq!(one.encode(), bytes("0003 00000001 000161 ffffffff 00000000 ffffffff ffff"));
        let two = Subscription { topics: vec!["a".to_owned(), "b".to_owned()], ..Subscription::default() };
        let owning = Subscription {
            owned: Partitions::from([("a".to_owned(), vec![0, 1])]),
            generation: Some(5),
            ..two.clone()
        };
        let rackless = "00000001 000161 00000002 00000000 00000001 00000005 ffff";
        assert_eq!(owning.encode(), bytes(&format!("0003 00000002 000161 000162 ffffffff {rackless}")));
        let version_0 = "00000002 000161 000162 ffffffff";
        let nothing_owned = Subscription { owned: Partitions::new(), ..owning.clone() };
        for (text, expected) in [
            (format!("0000 {version_0}"), &two),
            (format!("0001 {version_0}"), &two), // some clients leave the owned partitions out
            (
                format!("0001 {version_0} 00000001 000161 00000002 00000000 00000001"),
                &Subscription { generation: None, ..owning.clone() },
            ),
            (format!("0003 {version_0} 00000001 000161 00000002 00000000 00000001 00000005 0002 7231"), &owning),
            (format!("0009 {version_0} 00000000 00000005 0002 7231 01020304"), &nothing_owned),
        ] {
            assert_eq!(Subscription::decode(&bytes(&text)).as_ref(), Ok(expected), "{text}");
        }
        let whole = two.encode();
        for cut in 0..12 {
            assert_eq!(Subscription::decode(&whole[..cut]), Err(Malformed), "{cut}");
        }
    }

    #[test]
    fn sticky_members_say_what_they_had_as_java_does() {
        let had = Partitions::from([("a".to_owned(), vec![1])]);
        let text = "00000001 000161 00000001 00000001 00000007";
        assert_eq!(encode_sticky(&had, 7), bytes(text));
        assert_eq!(decode_sticky(&bytes(text)), Ok((had.clone(), 7)));
        assert_eq!(decode_sticky(&bytes("00000001 000161 00000001 00000001")), Ok((had, -1)), "before KIP-341");
        assert_eq!(decode_sticky(&[]), Ok((Partitions::new(), -1)));
        assert_eq!(decode_sticky(&bytes("7fffffff")), Err(Malformed));
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
