//! Produce: records that are encoded one by one, each with a key and a value in formats of their own, and appended together.
//!
//! Callers append one group of records after another and wait for the broker's answers afterwards, so that many are under way. Order of records
//! is order of calls: a call ends when its records have been appended. What is under way is bounded by the caller in number, and by the budget
//! of all requests in bytes.

use std::ops::Range;

use bytes::Bytes;
use postern_kafka::{AppendError, Deliveries, PartitionId, Receipt, Record, TopicName};
use postern_registry::{SchemaId, Side, Subject};

use super::first::TopicTemplate;
use crate::encode::{Encoder, Format};
use crate::large_work::encode_large;
use crate::subjects::{SchemaSource, SubjectRef};
use crate::traces::{Part, has_traceparent};
use crate::{Error, Proxy};

/// A record as a request has it.
#[derive(Clone, Debug, Default)]
pub struct SingleRecord<'a> {
    /// Where to; `None` leaves it to the partitioner (murmur2 of the key).
    pub partition: Option<i32>,
    /// In order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// `None` is Kafka's null.
    pub key: Option<RecordData<'a>>,
    /// `None` is Kafka's null.
    pub value: Option<RecordData<'a>>,
    /// Milliseconds since 1970; `None`: now.
    pub timestamp_ms: Option<i64>,
}

impl SingleRecord<'_> {
    /// The format of the value, or of the key where there is none; `None`: that of a schema which is still to be looked up.
    fn format(&self) -> Option<Format> {
        match &self.value.as_ref().or(self.key.as_ref())?.format {
            DataFormat::Binary => Some(Format::Binary),
            DataFormat::Json => Some(Format::Json),
            DataFormat::Text => Some(Format::Text),
            DataFormat::Schema { source: SchemaSource::Text { kind, .. }, .. } => Some(Format::Schema(*kind)),
            DataFormat::Schema { .. } => None,
        }
    }
}

/// A key or a value.
#[derive(Clone, Debug)]
pub struct RecordData<'a> {
    /// How it stands in `json`.
    pub format: DataFormat<'a>,
    /// Its JSON text, without white space around it.
    pub json: &'a str,
}

/// The format of one key or value.
#[derive(Clone, Debug)]
pub enum DataFormat<'a> {
    /// Base64 text; the bytes go into the record as they are.
    Binary,
    /// Any JSON; its compact text goes into the record.
    Json,
    /// A string; its characters go into the record as UTF-8.
    Text,
    /// By a schema; framed bytes go into the record.
    Schema {
        /// Which schema.
        source: SchemaSource<'a>,
        /// Under which subject.
        subject: SubjectRef<'a>,
    },
}

/// How a key or value was written.
#[derive(Clone, Debug)]
pub struct WrittenData {
    /// Its format; of a schema its type.
    pub format: Format,
    /// The schema, in a schema format.
    pub schema: Option<WrittenSchema>,
    /// Bytes in the record, framing included; `None`: it is Kafka's null.
    pub size: Option<usize>,
}

/// The schema that a key or value was written with.
#[derive(Clone, Debug)]
pub struct WrittenSchema {
    /// Its subject.
    pub subject: Subject,
    /// Its id.
    pub id: SchemaId,
    /// Its version; `None`: a registry elsewhere did not say.
    pub version: Option<u32>,
}

/// How the key and the value of a record were written, where the request had them.
#[derive(Clone, Debug)]
pub struct WrittenRecord {
    /// The key.
    pub key: Option<WrittenData>,
    /// The value.
    pub value: Option<WrittenData>,
}

impl WrittenRecord {
    fn format(&self) -> Format {
        self.value.as_ref().or(self.key.as_ref()).map_or(Format::Binary, |data| data.format)
    }
}

/// A record whose key and value stand in a buffer of the caller.
#[derive(Debug)]
pub struct EncodedRecord {
    written: WrittenRecord,
    partition: Option<PartitionId>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Vec<(String, Option<Bytes>)>,
    timestamp_ms: Option<i64>,
}

/// Records to be appended together, in order.
#[derive(Debug, Default)]
pub struct RecordGroup {
    records: Vec<EncodedRecord>,
    /// The keys and values of all of them.
    bytes: Vec<u8>,
}

impl RecordGroup {
    /// Adds a record whose key and value stand in `bytes`, and says how they were written.
    pub fn push(&mut self, mut record: EncodedRecord, bytes: &[u8]) -> WrittenRecord {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        for range in [&mut record.key, &mut record.value].into_iter().flatten() {
            *range = start + range.start..start + range.end;
        }
        let written = record.written.clone();
        self.records.push(record);
        written
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of all keys and values.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Records that are on their way to the broker. Dropping it does not recall them.
#[must_use = "whether the records were written is known only here"]
pub struct AppendedRecords {
    deliveries: Deliveries,
    /// Until it has ended.
    sent: Option<Part>,
}

impl AppendedRecords {
    /// Waits for the broker's answers, in the order of the records: where each was written, or why it failed, and whether it may stand in the
    /// log all the same. A future that is dropped can be replaced by a new one, until one has answered.
    pub async fn delivered(&mut self) -> Vec<Result<Receipt, AppendError>> {
        let outcomes = (&mut self.deliveries).await;
        if let Some(sent) = self.sent.take() {
            sent.delivered(outcomes.iter());
        }
        outcomes
    }
}

impl Proxy {
    /// Encodes a record for `topic`: its key and value become what `out` holds.
    ///
    /// A schema given by its text is registered before the data is looked at, and stays registered if the record is refused
    /// (docs/reference/rest-v3.md §11.6). Dropping the future may leave it registered.
    ///
    /// # Errors
    /// The record is refused.
    pub async fn encode_record(
        &self,
        topic: &TopicName,
        record: SingleRecord<'_>,
        out: &mut Vec<u8>,
    ) -> Result<EncodedRecord, Error> {
        let format = record.format();
        let encoded = self.try_encode(topic, record, out).await;
        if encoded.is_err() {
            self.counters().not_produced(format, 1);
        }
        encoded
    }

    async fn try_encode(
        &self,
        topic: &TopicName,
        record: SingleRecord<'_>,
        out: &mut Vec<u8>,
    ) -> Result<EncodedRecord, Error> {
        self.check_not_internal(topic)?;
        out.clear();
        let (key, key_range) = self.encode_data(topic, Side::Key, record.key.as_ref(), out).await?;
        let (value, value_range) = self.encode_data(topic, Side::Value, record.value.as_ref(), out).await?;
        if let Some(partition) = record.partition.filter(|partition| *partition < 0) {
            return Err(Error::NegativePartitionId(partition));
        }
        Ok(EncodedRecord {
            written: WrittenRecord { key, value },
            partition: record.partition.map(PartitionId),
            key: key_range,
            value: value_range,
            headers: record.headers,
            timestamp_ms: record.timestamp_ms,
        })
    }

    /// Appends records to `topic`. It ends when they have been appended, which does not mean that a broker has them. `template` says how the
    /// topic is made if there is none; `None`: it is not. If the future is dropped, nothing was written.
    ///
    /// # Errors
    /// None of the records is written.
    pub async fn append_group(
        &self,
        topic: &TopicName,
        group: RecordGroup,
        template: impl FnOnce() -> Option<TopicTemplate>,
    ) -> Result<AppendedRecords, Error> {
        let formats: Vec<Format> = group.records.iter().map(|record| record.written.format()).collect();
        let appended = self.try_append(topic, group, &formats, template).await;
        if appended.is_err() {
            formats.iter().for_each(|format| self.counters().not_produced(Some(*format), 1));
        }
        appended
    }

    async fn try_append(
        &self,
        topic: &TopicName,
        group: RecordGroup,
        formats: &[Format],
        template: impl FnOnce() -> Option<TopicTemplate>,
    ) -> Result<AppendedRecords, Error> {
        self.find_topic(topic, template).await?;
        let sent = Part::send(topic, group.records.len());
        let traced = sent.record_headers();
        let bytes = Bytes::from(group.bytes);
        let slice = |range: Option<Range<usize>>| range.map(|range| bytes.slice(range));
        let record = |encoded: EncodedRecord| {
            let mut headers = encoded.headers;
            if !traced.is_empty() && !has_traceparent(&headers) {
                headers.extend_from_slice(&traced);
            }
            let (key, value) = (slice(encoded.key), slice(encoded.value));
            Record { partition: encoded.partition, key, value, headers, timestamp_ms: encoded.timestamp_ms }
        };
        let records: Vec<Record> = group.records.into_iter().map(record).collect();
        let lengths: Vec<usize> = records.iter().map(super::written_len).collect();
        let admitted = self.admit(records).await?;
        for (format, length) in formats.iter().zip(lengths) {
            self.counters().produced(*format, 1, length);
        }
        Ok(AppendedRecords { deliveries: self.cluster().append(topic, admitted), sent: Some(sent) })
    }

    /// Appends the bytes of a key or value to `out`; where they are, unless it is Kafka's null.
    async fn encode_data(
        &self,
        topic: &TopicName,
        side: Side,
        data: Option<&RecordData<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<(Option<WrittenData>, Option<Range<usize>>), Error> {
        let Some(RecordData { format, json }) = data else { return Ok((None, None)) };
        let resolved = match format {
            DataFormat::Schema { source, subject } => {
                let looked_up = Part::registry("look up schema", topic);
                let found = self.serializer_for(topic, side, source, subject).await;
                if found.is_err() {
                    looked_up.failed("schema");
                }
                Some(found?)
            }
            DataFormat::Binary | DataFormat::Json | DataFormat::Text => None,
        };
        let (format, encoder) = match (format, &resolved) {
            (_, Some((_, serializer))) => (Format::Schema(serializer.kind), Encoder::Schema(serializer)),
            (DataFormat::Binary, None) => (Format::Binary, Encoder::Binary),
            (DataFormat::Json, None) => (Format::Json, Encoder::Json),
            (DataFormat::Text | DataFormat::Schema { .. }, None) => (Format::Text, Encoder::Text),
        };
        let start = out.len();
        let place = || match side {
            Side::Key => "key.data".to_owned(),
            Side::Value => "value.data".to_owned(),
        };
        let serializer = resolved.as_ref().map(|(_, serializer)| &**serializer);
        let encode = || encoder.encode(Some(json), out, place);
        let is_written = encode_large(json.len(), [serializer, None], encode).await?;
        let range = is_written.then_some(start..out.len());
        let schema = resolved.map(|(subject, serializer)| WrittenSchema {
            subject,
            id: serializer.id,
            version: serializer.version,
        });
        Ok((Some(WrittenData { format, schema, size: range.as_ref().map(Range::len) }), range))
    }
}
