//! Answers to Fetch (1), versions 4 to 12, read by hand: the records stay where they are until they are looked at.
//!
//! Topics are named by name; versions from 13 on, which name them by id, are left out, and so are fetch sessions (KIP-227). A leader
//! that is told the epoch of the last batch says where its log parts from what was read (KIP-320, KIP-595).

use super::cursor::{Cursor, Malformed};
use crate::log_position::EpochEnd;

pub(crate) const VERSIONS: std::ops::RangeInclusive<i16> = 4..=12;

/// What a broker says of one partition.
#[derive(Debug)]
pub(crate) struct PartitionAnswer<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) code: i16,
    /// Transactions that were aborted: the producer, and the offset of its first record.
    pub(crate) aborted: Vec<(i64, i64)>,
    /// The leader's log has not got what was read: where the epoch of the last batch ends in it.
    pub(crate) diverging: Option<EpochEnd>,
    /// Batches, the last of which may be cut off.
    pub(crate) records: &'a [u8],
}

/// What a broker says of a whole request.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) throttle_ms: i32,
    pub(crate) code: i16,
    pub(crate) partitions: Vec<PartitionAnswer<'a>>,
}

/// Reads an answer from behind its correlation id.
pub(crate) fn answer(bytes: &[u8], version: i16) -> Result<Answer<'_>, Malformed> {
    let mut cursor = Cursor::new(bytes, version >= 12);
    cursor.skip_tagged_fields()?;
    let throttle_ms = cursor.i32()?;
    let mut code = 0;
    if version >= 7 {
        code = cursor.i16()?;
        cursor.i32()?; // session
    }
    let mut partitions = Vec::new();
    for _ in 0..cursor.array_length()?.unwrap_or(0) {
        let topic = cursor.string()?.unwrap_or_default();
        for _ in 0..cursor.array_length()?.unwrap_or(0) {
            partitions.push(partition(&mut cursor, version, topic)?);
        }
        cursor.skip_tagged_fields()?;
    }
    cursor.skip_tagged_fields()?;
    Ok(Answer { throttle_ms, code, partitions })
}

fn partition<'a>(cursor: &mut Cursor<'a>, version: i16, topic: &'a str) -> Result<PartitionAnswer<'a>, Malformed> {
    let (partition, code) = (cursor.i32()?, cursor.i16()?);
    cursor.i64()?; // high watermark
    cursor.i64()?; // last stable offset
    if version >= 5 {
        cursor.i64()?; // where the log begins
    }
    let mut aborted = Vec::new();
    for _ in 0..cursor.array_length()?.unwrap_or(0) {
        aborted.push((cursor.i64()?, cursor.i64()?));
        cursor.skip_tagged_fields()?;
    }
    if version >= 11 {
        cursor.i32()?; // preferred replica: we name no rack, so none is preferred
    }
    let records = cursor.bytes()?.unwrap_or(&[]);
    let mut diverging = None;
    cursor.tagged_fields(|tag, mut field| {
        if tag == 0 {
            let (epoch, offset) = (field.i32()?, field.i64()?);
            diverging = (offset >= 0).then_some(EpochEnd { epoch, offset });
        }
        Ok(())
    })?;
    Ok(PartitionAnswer { topic, partition, code, aborted, diverging, records })
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, Bytes, BytesMut};
    use kafka_protocol::{
        messages::{
            FetchResponse,
            fetch_response::{AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData},
        },
        protocol::{Encodable, StrBytes},
    };

    use super::*;

    #[test]
    fn an_answer_is_read_in_every_version_and_no_cut_panics() {
        for version in VERSIONS {
            let diverging = EpochEndOffset::default().with_epoch(3).with_end_offset(44);
            let diverging = if version >= 12 { diverging } else { EpochEndOffset::default() };
            let partition = PartitionData::default()
                .with_partition_index(2)
                .with_diverging_epoch(diverging)
                .with_error_code(6)
                .with_aborted_transactions(Some(vec![
                    AbortedTransaction::default().with_producer_id(9.into()).with_first_offset(70),
                ]))
                .with_records(Some(Bytes::from_static(b"batches")));
            let response = FetchResponse::default().with_throttle_time_ms(5).with_responses(vec![
                FetchableTopicResponse::default()
                    .with_topic(kafka_protocol::messages::TopicName(StrBytes::from_static_str("t")))
                    .with_partitions(vec![partition]),
            ]);
            let mut bytes = BytesMut::new();
            if version >= 12 {
                bytes.put_u8(0); // the tagged fields of the header
            }
            response.encode(&mut bytes, version).expect("encodes");
            let read = answer(&bytes, version).expect("reads");
            assert_eq!((read.throttle_ms, read.code), (5, 0));
            let [partition] = &read.partitions[..] else { panic!("{read:?}") };
            assert_eq!(
                (partition.topic, partition.partition, partition.code, partition.records),
                ("t", 2, 6, &b"batches"[..])
            );
            assert_eq!(partition.aborted, [(9, 70)]);
            assert_eq!(partition.diverging, (version >= 12).then_some(EpochEnd { epoch: 3, offset: 44 }));
            for cut in 0..bytes.len() {
                assert!(answer(&bytes[..cut], version).is_err(), "version {version}, {cut} bytes");
            }
        }
    }
}
