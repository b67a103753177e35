//! The response to a fetch, encoded by hand: records go from the file's bytes to the socket without another copy.
//!
//! The generated encoder copies every field into one buffer; for a consumer that catches up that is the whole log.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{ApiResponse, Disconnect};
use crate::byte_budget::Permit;
use crate::output::Output;

#[derive(Debug, Default)]
pub(super) struct FetchResults {
    /// Of the request as a whole.
    pub(super) error: i16,
    pub(super) topics: Vec<FetchedTopic>,
    /// The permit for the records.
    pub(super) permit: Option<Permit>,
}

#[derive(Debug)]
pub(super) struct FetchedTopic {
    /// Sent until version 12; from 13 on the id is.
    pub(super) name: StrBytes,
    pub(super) id: Uuid,
    pub(super) partitions: Vec<FetchedPartition>,
}

#[derive(Debug)]
pub(super) struct FetchedPartition {
    pub(super) index: i32,
    pub(super) error: i16,
    /// The first offset, and the one after the last; -1 where unknown.
    pub(super) start: i64,
    pub(super) end: i64,
    /// The log ends here in epoch 0, before what the client has read.
    pub(super) diverges_at: Option<i64>,
    /// Whether the list of aborted transactions is empty rather than null.
    pub(super) has_aborted_list: bool,
    pub(super) records: Bytes,
}

/// The first version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;

impl ApiResponse for FetchResults {
    fn write(mut self, _: ApiKey, version: i16, correlation_id: i32, output: &mut Output) -> Result<(), Disconnect> {
        if let Some(permit) = self.permit.take() {
            output.hold(permit);
        }
        let mut frame = Frame { bytes: BytesMut::new(), version, records: Vec::new() };
        frame.bytes.put_u32(0);
        frame.bytes.put_i32(correlation_id);
        frame.tags();
        frame.fetched(self);
        frame.send(output);
        Ok(())
    }
}

/// A frame without its records, and the positions in `bytes` where they belong.
struct Frame {
    bytes: BytesMut,
    version: i16,
    records: Vec<(usize, Bytes)>,
}

impl Frame {
    fn fetched(&mut self, fetched: FetchResults) {
        self.bytes.put_i32(0); // throttle time
        if self.version >= 7 {
            self.bytes.put_i16(fetched.error);
            self.bytes.put_i32(0); // session: none, every fetch is a full one
        }
        self.count(fetched.topics.len());
        for topic in fetched.topics {
            match self.version {
                ..FLEXIBLE => {
                    self.bytes.put_i16(topic.name.len() as i16);
                    self.bytes.put_slice(topic.name.as_bytes());
                }
                FLEXIBLE => {
                    self.count(topic.name.len());
                    self.bytes.put_slice(topic.name.as_bytes());
                }
                _ => self.bytes.put_slice(topic.id.as_bytes()),
            }
            self.count(topic.partitions.len());
            for partition in topic.partitions {
                self.partition(partition);
            }
            self.tags();
        }
        self.tags();
    }

    fn partition(&mut self, partition: FetchedPartition) {
        self.bytes.put_i32(partition.index);
        self.bytes.put_i16(partition.error);
        self.bytes.put_i64(partition.end); // high watermark
        self.bytes.put_i64(partition.end); // last stable offset
        if self.version >= 5 {
            self.bytes.put_i64(partition.start);
        }
        match (self.version, partition.has_aborted_list) {
            (_, true) => self.count(0),
            (..FLEXIBLE, false) => self.bytes.put_i32(-1),
            (_, false) => self.bytes.put_u8(0),
        }
        if self.version >= 11 {
            self.bytes.put_i32(-1); // read from here
        }
        self.count(partition.records.len());
        if !partition.records.is_empty() {
            self.records.push((self.bytes.len(), partition.records));
        }
        match partition.diverges_at {
            Some(end) if self.version >= FLEXIBLE => {
                // One tagged field: the diverging epoch, of which epoch and end have 12 bytes and no tagged fields.
                self.bytes.put_slice(&[1, 0, 13]);
                self.bytes.put_i32(0);
                self.bytes.put_i64(end);
                self.tags();
            }
            _ => self.tags(),
        }
    }

    /// The length of an array or of bytes.
    fn count(&mut self, count: usize) {
        if self.version < FLEXIBLE {
            self.bytes.put_i32(count as i32);
            return;
        }
        let mut rest = count as u32 + 1;
        while rest >= 0x80 {
            self.bytes.put_u8(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.put_u8(rest as u8);
    }

    fn tags(&mut self) {
        if self.version >= FLEXIBLE {
            self.bytes.put_u8(0);
        }
    }

    fn send(mut self, output: &mut Output) {
        let records: usize = self.records.iter().map(|(_, records)| records.len()).sum();
        let length = (self.bytes.len() + records - 4) as u32;
        self.bytes[..4].copy_from_slice(&length.to_be_bytes());
        let mut sent = 0;
        for (at, records) in self.records {
            output.gathered.extend_from_slice(&self.bytes[sent..at]);
            output.push(records);
            sent = at;
        }
        output.gathered.extend_from_slice(&self.bytes[sent..]);
    }
}
