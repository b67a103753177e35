//! Produce: one record by itself, whose key and value are in formats of their own.
//!
//! Callers append one record after another and wait for the broker's answers afterwards, so that many are under way. Order of records is order
//! of calls: a call ends when its record has been appended. What is under way is bounded by the caller in number, and by the budget of all
//! requests in bytes.

use std::ops::Range;

use bytes::Bytes;
use postern_kafka::{AppendError, Deliveries, PartitionId, Receipt, Record, TopicName};
use postern_registry::{SchemaId, Side, Subject};

use super::first::TopicTemplate;
use crate::encode::{Encoder, Format};
use crate::subjects::{SchemaSource, SubjectRef};
use crate::traces::{Part, has_traceparent};
use crate::{Error, Proxy, run_large};

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

/// A record that is on its way to the broker. Dropping it does not recall it.
#[must_use = "whether the record was written is known only here"]
pub struct AppendedRecord {
    /// The key, if the request had one.
    pub key: Option<WrittenData>,
    /// The value, if the request had one.
    pub value: Option<WrittenData>,
    deliveries: Deliveries,
    /// Until it has ended.
    sent: Option<Part>,
}

impl AppendedRecord {
    /// Waits for the broker's answer. A future that is dropped can be replaced by a new one, until one has answered.
    ///
    /// # Errors
    /// Why the record failed, and whether it may stand in the log all the same.
    pub async fn delivered(&mut self) -> Result<Receipt, AppendError> {
        let outcome = (&mut self.deliveries).await.pop().expect("one record was appended");
        if let Some(sent) = self.sent.take() {
            sent.delivered(std::iter::once(&outcome));
        }
        outcome
    }
}

impl Proxy {
    /// Appends one record to `topic`. It ends when the record has been appended, which does not mean that a broker has it. `template` says how
    /// the topic is made if there is none; `None`: it is not.
    ///
    /// A schema given by its text is registered before the data is looked at, and stays registered if the record is refused
    /// (docs/reference/rest-v3.md §11.6). Dropping the future may leave it registered; the record is then not written.
    ///
    /// # Errors
    /// The record is refused and not written.
    pub async fn append_record(
        &self,
        topic: &TopicName,
        record: SingleRecord<'_>,
        template: impl FnOnce() -> Option<TopicTemplate>,
    ) -> Result<AppendedRecord, Error> {
        let format = record.format();
        let appended = self.try_append(topic, record, template).await;
        if appended.is_err() {
            self.counters().not_produced(format, 1);
        }
        appended
    }

    async fn try_append(
        &self,
        topic: &TopicName,
        record: SingleRecord<'_>,
        template: impl FnOnce() -> Option<TopicTemplate>,
    ) -> Result<AppendedRecord, Error> {
        self.check_not_internal(topic)?;
        let mut bytes = Vec::with_capacity(64);
        let (key, key_range) = self.encode_data(topic, Side::Key, record.key.as_ref(), &mut bytes).await?;
        let (value, value_range) = self.encode_data(topic, Side::Value, record.value.as_ref(), &mut bytes).await?;
        if let Some(partition) = record.partition.filter(|partition| *partition < 0) {
            return Err(Error::NegativePartitionId(partition));
        }
        self.find_topic(topic, template).await?;
        let sent = Part::send(topic, 1);
        let mut headers = record.headers;
        if !has_traceparent(&headers) {
            headers.extend(sent.record_headers());
        }
        let bytes = Bytes::from(bytes);
        let slice = |range: Option<Range<usize>>| range.map(|range| bytes.slice(range));
        let record = Record {
            partition: record.partition.map(PartitionId),
            key: slice(key_range),
            value: slice(value_range),
            headers,
            timestamp_ms: record.timestamp_ms,
        };
        let written = super::written_len(&record);
        let admitted = self.admit(vec![record]).await?;
        let format = value.as_ref().or(key.as_ref()).map_or(Format::Binary, |data| data.format);
        self.counters().produced(format, 1, written);
        Ok(AppendedRecord { key, value, deliveries: self.cluster().append(topic, admitted), sent: Some(sent) })
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
        let is_written = run_large(json.len(), || encoder.encode(Some(json), out, place)).await?;
        let range = is_written.then_some(start..out.len());
        let schema = resolved.map(|(subject, serializer)| WrittenSchema {
            subject,
            id: serializer.id,
            version: serializer.version,
        });
        Ok((Some(WrittenData { format, schema, size: range.as_ref().map(Range::len) }), range))
    }
}
