//! Produce: the records of one request to one topic.
//!
//! All records are encoded before one is appended, room is asked for once for all of them (a request must not wait for room that it holds
//! itself), then they are appended in order. A record by record stream (API v3) will go through the same steps with one record at a time.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use postern_kafka::{AppendError, Error as ClusterError, ErrorKind, Fate, PartitionId, Receipt, Record, TopicName};
use postern_registry::{SchemaId, SchemaRef, Side, Subject, Writer};

use crate::encode::{Encoder, Format};
use crate::{Error, Proxy, WriteTopic};

/// The JSON text of one value: a slice of the request's body (a copy only of a bare string with escapes).
pub type JsonText<'a> = Cow<'a, str>;

/// One record as asked for; absent and null are one.
#[derive(Clone, Debug, Default)]
pub struct Spec<'a> {
    /// Where to; `None` leaves it to the partitioner (murmur2 of the key).
    pub partition: Option<i32>,
    /// The key's JSON text.
    pub key: Option<JsonText<'a>>,
    /// The value's JSON text.
    pub value: Option<JsonText<'a>>,
}

impl Spec<'_> {
    fn member(&self, side: Side) -> Option<&str> {
        match side {
            Side::Key => self.key.as_deref(),
            Side::Value => self.value.as_deref(),
        }
    }
}

/// All records of a request, and what they are written with.
#[derive(Debug)]
pub struct ProduceRequest<'a> {
    /// How keys and values stand in `records`.
    pub format: Format,
    /// The schema of the keys; looked at only in a schema format.
    pub key_schema: Option<SchemaRef<'a>>,
    /// The schema of the values; looked at only in a schema format.
    pub value_schema: Option<SchemaRef<'a>>,
    /// At least one, in the order in which they are to be appended.
    pub records: Vec<Spec<'a>>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Produced {
    /// The id that the keys were written with.
    pub key_schema: Option<SchemaId>,
    /// The id that the values were written with.
    pub value_schema: Option<SchemaId>,
    /// One outcome per record, in the order of the request.
    pub outcomes: Vec<Result<Receipt, AppendError>>,
}

impl Proxy {
    /// Writes the records of `request` to the topic of `grant`, in their order, and waits for the broker's answers.
    ///
    /// Dropped before it ends, the records that were appended are written all the same.
    ///
    /// # Errors
    /// The request as a whole is refused, and nothing was written. What became of single records stands in [`Produced::outcomes`].
    pub async fn produce(&self, grant: WriteTopic, request: ProduceRequest<'_>) -> Result<Produced, Error> {
        let topic = grant.topic();
        let key = self.writer(topic, Side::Key, &request).await?;
        let value = self.writer(topic, Side::Value, &request).await?;
        let records = encode(&request, key.as_deref(), value.as_deref())?;

        let partitions = match self.cluster().known_partitions(topic) {
            Some(partitions) => partitions,
            None => self.cluster().partitions_for_produce(topic).await.map_err(|error| no_such_topic(topic, error))?,
        };
        let outcomes = self.append(topic, partitions, records).await?;
        Ok(Produced { key_schema: key.map(|writer| writer.id), value_schema: value.map(|writer| writer.id), outcomes })
    }

    /// As many records as one request may have: more of them would not fit into the budget, however small they are.
    pub fn records_max(&self) -> usize {
        self.inflight().max_records()
    }

    /// Refuses what [`Proxy::produce`] would, as far as that can be told without the name of a topic, and so of subjects.
    ///
    /// # Errors
    /// A record that cannot be encoded; nothing, where a schema would have to be looked up.
    pub fn check(&self, request: &ProduceRequest<'_>) -> Result<(), Error> {
        match (&request.key_schema, &request.value_schema) {
            (None, None) => encode(request, None, None).map(drop),
            (Some(_), _) | (_, Some(_)) => Ok(()),
        }
    }

    /// What one side of the records is framed with; `None` outside the schema formats and where the request names no schema.
    async fn writer(
        &self,
        topic: &TopicName,
        side: Side,
        request: &ProduceRequest<'_>,
    ) -> Result<Option<Arc<Writer>>, Error> {
        let Format::Schema(kind) = request.format else { return Ok(None) };
        let schema = match side {
            Side::Key => &request.key_schema,
            Side::Value => &request.value_schema,
        };
        let Some(schema) = schema else { return Ok(None) };
        let subject = Subject::of_topic(topic, side);
        let writer = match self.schemas().resolved(&subject, schema) {
            Some(writer) => writer,
            None => self.schemas().resolve(&subject, schema).await.map_err(|error| Error::Schema(side, error))?,
        };
        if writer.kind != kind {
            let wrong = postern_registry::ResolveError::WrongKind { id: writer.id, found: writer.kind, expected: kind };
            return Err(Error::Schema(side, wrong));
        }
        Ok(Some(writer))
    }

    /// Appends what has a partition to go to; the others fail at once, in their place.
    async fn append(
        &self,
        topic: &TopicName,
        partitions: i32,
        records: Vec<Record>,
    ) -> Result<Vec<Result<Receipt, AppendError>>, Error> {
        let out_of_range = |record: &Record| record.partition.filter(|PartitionId(asked)| *asked >= partitions);
        let asked: Vec<Option<PartitionId>> = records.iter().map(out_of_range).collect();
        let writable: Vec<Record> = records.into_iter().filter(|record| out_of_range(record).is_none()).collect();
        if writable.is_empty() {
            return Ok(asked
                .into_iter()
                .flatten()
                .map(|partition| Err(no_such_partition(topic, partition, partitions)))
                .collect());
        }
        let admitted = self.inflight().admit(writable).await.map_err(Error::TooLarge)?;
        let written = self.cluster().append(topic, admitted).await;
        if written.len() == asked.len() {
            return Ok(written);
        }
        let mut written = written.into_iter();
        let outcome = |asked: Option<PartitionId>| match asked {
            Some(partition) => Err(no_such_partition(topic, partition, partitions)),
            None => written.next().expect("append answers once per record"),
        };
        Ok(asked.into_iter().map(outcome).collect())
    }
}

/// Encodes all records into one buffer and hands out slices of it.
fn encode(request: &ProduceRequest<'_>, key: Option<&Writer>, value: Option<&Writer>) -> Result<Vec<Record>, Error> {
    let encoder = |writer, side| match (request.format, writer) {
        (Format::Binary, _) => Encoder::Binary,
        (Format::Json, _) => Encoder::Json,
        (Format::Schema(_), Some(writer)) => Encoder::Schema(writer),
        (Format::Schema(_), None) => Encoder::OnlyNull(side),
    };
    let (keys, values) = (encoder(key, Side::Key), encoder(value, Side::Value));
    let mut bytes = Vec::with_capacity(64 * request.records.len());
    let mut ranges = Vec::with_capacity(request.records.len());
    for (n, spec) in request.records.iter().enumerate() {
        let start = bytes.len();
        let key = keys
            .encode(spec.member(Side::Key), &mut bytes, || format!("records[{n}].key"))?
            .then_some(start..bytes.len());
        let start = bytes.len();
        let value = values
            .encode(spec.member(Side::Value), &mut bytes, || format!("records[{n}].value"))?
            .then_some(start..bytes.len());
        ranges.push((key, value));
    }
    // Where records go is looked at once all of them fit.
    let below_zero = |(n, spec): (usize, &Spec<'_>)| Some((n, spec.partition.filter(|partition| *partition < 0)?));
    if let Some((record, partition)) = request.records.iter().enumerate().find_map(below_zero) {
        return Err(Error::NegativePartition { record, partition });
    }
    let bytes = Bytes::from(bytes);
    let slice = |range: Option<Range<usize>>| range.map(|range| bytes.slice(range));
    Ok(request
        .records
        .iter()
        .zip(ranges)
        .map(|(spec, (key, value))| Record {
            partition: spec.partition.map(PartitionId),
            key: slice(key),
            value: slice(value),
            ..Record::default()
        })
        .collect())
}

fn no_such_topic(topic: &TopicName, error: ClusterError) -> Error {
    if error.kind == ErrorKind::UnknownTopic { Error::NoSuchTopic(topic.clone()) } else { Error::Cluster(error) }
}

fn no_such_partition(topic: &TopicName, PartitionId(asked): PartitionId, count: i32) -> AppendError {
    let message = format!("Topic '{topic}' has {count} partition(s), numbered from 0: there is no partition {asked}.");
    let error =
        ClusterError { kind: ErrorKind::UnknownPartition, name: "UNKNOWN_TOPIC_OR_PARTITION".to_owned(), message };
    AppendError { error, fate: Fate::NotWritten }
}
