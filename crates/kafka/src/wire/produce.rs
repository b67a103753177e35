//! Produce (0), versions 3 to 12: the request written and its answer read by hand, because every record goes this way.
//!
//! Topics are named by name: version 13, which names them by id, is left out. Source: the protocol guide; KIP-467 (errors per
//! record), KIP-951 (the new leader in the answer).

use bytes::{BufMut, Bytes, BytesMut};

use super::cursor::{Cursor, Malformed};
use crate::TopicName;

pub(crate) const KEY: i16 = 0;
pub(crate) const VERSIONS: std::ops::RangeInclusive<i16> = 3..=12;

/// A batch larger than this is sent from where it is, smaller ones are copied into the request.
const COPY_BELOW: usize = 16 << 10;

/// One batch for one partition.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) topic: TopicName,
    pub(crate) partition: i32,
    pub(crate) batch: Bytes,
}

/// The frame of a request for all replicas (`acks=all`), in pieces. `entries` are ordered by topic.
pub(crate) fn request(
    version: i16,
    correlation_id: i32,
    client_id: &str,
    timeout_ms: i32,
    entries: &[Entry],
) -> Vec<Bytes> {
    let mut writer = Writer { flexible: version >= 9, pieces: Vec::new(), piece: BytesMut::with_capacity(1024) };
    let out = &mut writer.piece;
    out.put_i32(0); // the length of the frame, known at the end
    out.put_i16(KEY);
    out.put_i16(version);
    out.put_i32(correlation_id);
    out.put_i16(i16::try_from(client_id.len()).unwrap_or(0));
    out.put_slice(client_id.as_bytes());
    writer.no_tags();
    writer.null_string(); // transactional id
    writer.piece.put_i16(-1); // acks: all in-sync replicas
    writer.piece.put_i32(timeout_ms);
    let topics = || entries.chunk_by(|one, next| one.topic == next.topic);
    writer.length(topics().count());
    for of_topic in topics() {
        writer.string(of_topic[0].topic.as_str());
        writer.length(of_topic.len());
        for entry in of_topic {
            writer.piece.put_i32(entry.partition);
            writer.length(entry.batch.len());
            writer.batch(&entry.batch);
            writer.no_tags();
        }
        writer.no_tags();
    }
    writer.no_tags();
    writer.finish()
}

struct Writer {
    flexible: bool,
    pieces: Vec<Bytes>,
    piece: BytesMut,
}

impl Writer {
    fn length(&mut self, length: usize) {
        match self.flexible {
            true => put_unsigned_varint(&mut self.piece, length + 1),
            false => self.piece.put_i32(i32::try_from(length).unwrap_or(i32::MAX)),
        }
    }

    fn string(&mut self, text: &str) {
        match self.flexible {
            true => put_unsigned_varint(&mut self.piece, text.len() + 1),
            false => self.piece.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX)),
        }
        self.piece.put_slice(text.as_bytes());
    }

    fn null_string(&mut self) {
        match self.flexible {
            true => self.piece.put_u8(0),
            false => self.piece.put_i16(-1),
        }
    }

    fn no_tags(&mut self) {
        if self.flexible {
            self.piece.put_u8(0);
        }
    }

    fn batch(&mut self, batch: &Bytes) {
        if batch.len() < COPY_BELOW {
            self.piece.extend_from_slice(batch);
        } else {
            self.pieces.push(self.piece.split().freeze());
            self.pieces.push(batch.clone());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        if !self.piece.is_empty() {
            self.pieces.push(self.piece.freeze());
        }
        let length: usize = self.pieces.iter().map(Bytes::len).sum();
        let mut first = BytesMut::from(std::mem::take(&mut self.pieces[0]));
        first[..4].copy_from_slice(&i32::try_from(length - 4).unwrap_or(i32::MAX).to_be_bytes());
        self.pieces[0] = first.freeze();
        self.pieces
    }
}

fn put_unsigned_varint(out: &mut BytesMut, value: usize) {
    let mut rest = value;
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

/// What a broker says of the batch of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionAnswer<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) code: i16,
    pub(crate) base_offset: i64,
    /// -1 where the records keep the times of their producer.
    pub(crate) log_append_time_ms: i64,
    /// The records at fault, by their index in the batch.
    pub(crate) record_errors: Vec<(i32, Option<&'a str>)>,
    pub(crate) message: Option<&'a str>,
    /// The leader that the broker knows of, and its epoch.
    pub(crate) current_leader: Option<(i32, i32)>,
}

/// What a broker says of a whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) throttle_ms: i32,
    pub(crate) partitions: Vec<PartitionAnswer<'a>>,
}

/// Reads an answer from behind its correlation id. `expected` is how many partitions the request had.
pub(crate) fn answer(bytes: &[u8], version: i16, expected: usize) -> Result<Answer<'_>, Malformed> {
    let mut cursor = Cursor::new(bytes, version >= 9);
    cursor.skip_tagged_fields()?;
    let mut partitions = Vec::with_capacity(expected);
    for _ in 0..cursor.array_length()?.unwrap_or(0) {
        let topic = cursor.string()?.ok_or(Malformed)?;
        for _ in 0..cursor.array_length()?.unwrap_or(0) {
            partitions.push(partition(&mut cursor, topic, version)?);
        }
        cursor.skip_tagged_fields()?;
    }
    let throttle_ms = cursor.i32()?;
    cursor.skip_tagged_fields()?;
    Ok(Answer { throttle_ms, partitions })
}

fn partition<'a>(cursor: &mut Cursor<'a>, topic: &'a str, version: i16) -> Result<PartitionAnswer<'a>, Malformed> {
    let (partition, code) = (cursor.i32()?, cursor.i16()?);
    let (base_offset, log_append_time_ms) = (cursor.i64()?, cursor.i64()?);
    if version >= 5 {
        cursor.i64()?; // where the log begins
    }
    let (mut record_errors, mut message) = (Vec::new(), None);
    if version >= 8 {
        for _ in 0..cursor.array_length()?.unwrap_or(0) {
            record_errors.push((cursor.i32()?, cursor.string()?));
            cursor.skip_tagged_fields()?;
        }
        message = cursor.string()?;
    }
    let mut current_leader = None;
    cursor.tagged_fields(|tag, mut field| {
        if tag == 0 {
            current_leader = Some((field.i32()?, field.i32()?)).filter(|(leader, _)| *leader >= 0);
        }
        Ok(())
    })?;
    Ok(PartitionAnswer {
        topic,
        partition,
        code,
        base_offset,
        log_append_time_ms,
        record_errors,
        message,
        current_leader,
    })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::{
        messages::{
            ProduceRequest, ProduceResponse, RequestHeader,
            produce_response::{
                BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
            },
        },
        protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
    };

    use super::*;

    fn entry(topic: &str, partition: i32, batch: usize) -> Entry {
        let topic = TopicName::parse(topic).expect("valid");
        Entry { topic, partition, batch: Bytes::from(vec![b'b'; batch]) }
    }

    #[test]
    fn a_request_reads_as_the_protocol_says_in_every_version() {
        let entries = [entry("a", 0, 10), entry("a", 7, COPY_BELOW), entry("b", 1, 200)];
        for version in VERSIONS {
            let frame = request(version, 77, "client", 25_000, &entries).concat();
            let mut bytes = Bytes::from(frame);
            assert_eq!(bytes.split_to(4)[..], u32::try_from(bytes.len()).expect("small").to_be_bytes());
            let header = RequestHeader::decode(&mut bytes, ProduceRequest::header_version(version)).expect("a header");
            assert_eq!((header.request_api_key, header.request_api_version, header.correlation_id), (0, version, 77));
            assert_eq!(header.client_id.as_deref(), Some("client"));
            let read = ProduceRequest::decode(&mut bytes, version).expect("a request");
            assert!(bytes.is_empty());
            assert_eq!((read.acks, read.timeout_ms, read.transactional_id), (-1, 25_000, None));
            let partitions: Vec<_> = read
                .topic_data
                .iter()
                .flat_map(|topic| {
                    topic.partition_data.iter().map(|partition| {
                        (topic.name.to_string(), partition.index, partition.records.as_ref().map_or(0, Bytes::len))
                    })
                })
                .collect();
            assert_eq!(partitions, [("a".into(), 0, 10), ("a".into(), 7, COPY_BELOW), ("b".into(), 1, 200)]);
        }
    }

    #[test]
    fn an_answer_is_read_in_every_version_and_no_cut_panics() {
        for version in VERSIONS {
            let mut partition = PartitionProduceResponse::default()
                .with_index(3)
                .with_error_code(87)
                .with_base_offset(-1)
                .with_log_append_time_ms(-1);
            if version >= 8 {
                partition = partition
                    .with_record_errors(vec![
                        BatchIndexAndErrorMessage::default()
                            .with_batch_index(2)
                            .with_batch_index_error_message(Some(StrBytes::from_static_str("no key"))),
                    ])
                    .with_error_message(Some(StrBytes::from_static_str("refused")));
            }
            if version >= 10 {
                partition = partition
                    .with_current_leader(LeaderIdAndEpoch::default().with_leader_id(4.into()).with_leader_epoch(9));
            }
            let response = ProduceResponse::default().with_throttle_time_ms(5).with_responses(vec![
                TopicProduceResponse::default()
                    .with_name(kafka_protocol::messages::TopicName(StrBytes::from_static_str("t")))
                    .with_partition_responses(vec![partition]),
            ]);
            let mut bytes = BytesMut::new();
            if version >= 9 {
                bytes.put_u8(0); // the tagged fields of the header
            }
            response.encode(&mut bytes, version).expect("encodes");
            let read = answer(&bytes, version, 1).expect("reads");
            assert_eq!(read.throttle_ms, 5);
            let [partition] = &read.partitions[..] else { panic!("{read:?}") };
            assert_eq!((partition.topic, partition.partition, partition.code), ("t", 3, 87));
            assert_eq!((partition.base_offset, partition.log_append_time_ms), (-1, -1));
            if version >= 8 {
                assert_eq!(partition.record_errors, [(2, Some("no key"))]);
                assert_eq!(partition.message, Some("refused"));
            }
            assert_eq!(partition.current_leader, (version >= 10).then_some((4, 9)));
            for cut in 0..bytes.len() {
                assert!(answer(&bytes[..cut], version, 1).is_err(), "version {version}, {cut} bytes");
            }
        }
    }
}
