//! Produce: the records of one request to one topic.
//!
//! All records are encoded before the first is appended. Memory is taken from the budget once for all of them, because a request must not
//! wait for memory that it holds itself; then they are appended in order. A record that stands by itself, as in a stream, goes through
//! [`record`].

mod first;
mod made;
mod record;

use std::ops::Range;

use bytes::Bytes;
use postern_kafka::{
    Admitted, AppendError, Deliveries, Error as ClusterError, ErrorKind, Fate, InvalidTopicName, PartitionId, Receipt,
    Record, TopicName,
};
use postern_registry::{PreparedSchema, RecordSerializer, ResolveError, SchemaId, SchemaRef, Side, Subject};

use tokio::time::timeout;

use crate::encode::{Encoder, Format};
use crate::large_work::encode_large;
use crate::traces::Part;
use crate::{Error, Proxy, run_large};

pub(crate) use first::FirstProduces;
pub use first::TopicTemplate;
pub(crate) use made::Witness;
pub use made::{Made, Tell};
pub use record::{
    AppendedRecords, DataFormat, EncodedRecord, RecordData, RecordGroup, SingleRecord, WrittenData, WrittenRecord,
    WrittenSchema,
};

/// One record of a request; an absent member and null are the same.
#[derive(Clone, Debug, Default)]
pub struct RecordSpec<'a> {
    /// Where to; `None` leaves it to the partitioner (murmur2 of the key).
    pub partition: Option<i32>,
    /// The key's JSON text.
    pub key: Option<&'a str>,
    /// The value's JSON text.
    pub value: Option<&'a str>,
}

impl RecordSpec<'_> {
    /// Bytes of JSON text.
    fn text_len(&self) -> usize {
        self.key.map_or(0, str::len) + self.value.map_or(0, str::len)
    }

    fn member(&self, side: Side) -> Option<&str> {
        match side {
            Side::Key => self.key,
            Side::Value => self.value,
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
    pub records: Vec<RecordSpec<'a>>,
}

impl<'a> ProduceRequest<'a> {
    fn schema(&self, side: Side) -> Option<&SchemaRef<'a>> {
        match side {
            Side::Key => self.key_schema.as_ref(),
            Side::Value => self.value_schema.as_ref(),
        }
    }
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

/// A request whose records are on their way to the broker. Dropping it does not recall them.
#[must_use = "whether the records were written is known only here"]
pub struct AppendedRequest {
    key_schema: Option<SchemaId>,
    value_schema: Option<SchemaId>,
    deliveries: Deliveries,
    sent: Part,
}

impl AppendedRequest {
    /// Waits for the broker's answers. If the future is dropped, the records are written all the same.
    pub async fn delivered(self) -> Produced {
        let AppendedRequest { key_schema, value_schema, deliveries, sent } = self;
        let outcomes = deliveries.await;
        sent.delivered(outcomes.iter());
        Produced { key_schema, value_schema, outcomes }
    }
}

/// Names that an unknown one is compared with at most.
const SIMILAR_MAX: usize = 1000;

impl Proxy {
    /// Appends the records of `request` to `topic`, in their order. It ends when they are appended, which does not mean that a broker has them;
    /// the request's text is not needed any more then. `template` says how the topic is made if there is none; `None`: it is not.
    ///
    /// If the future is dropped, records that were appended already are written all the same.
    ///
    /// # Errors
    /// The request as a whole is refused, and nothing was written. What became of single records stands in [`Produced::outcomes`].
    pub async fn append(
        &self,
        topic: &TopicName,
        request: ProduceRequest<'_>,
        template: impl FnOnce() -> Option<TopicTemplate>,
    ) -> Result<AppendedRequest, Error> {
        let (format, count) = (request.format, request.records.len());
        let appended = self.try_append_all(topic, request, template).await;
        if appended.is_err() {
            self.counters().not_produced(Some(format), count);
        }
        appended
    }

    async fn try_append_all(
        &self,
        topic: &TopicName,
        request: ProduceRequest<'_>,
        template: impl FnOnce() -> Option<TopicTemplate>,
    ) -> Result<AppendedRequest, Error> {
        self.check_not_internal(topic)?;
        let (mut key, mut value) = self.prepare_both(topic, &request).await?;
        let bytes = request.records.iter().map(RecordSpec::text_len).sum();
        let mut records = encode_all(bytes, &request, &key, &value).await?;

        self.find_topic(topic, template).await?;
        // Schemas are registered last, so that a request that is refused leaves none behind. Without an id the records are no good yet.
        let is_new = |schema: &Option<PreparedSchema>| schema.as_ref().is_some_and(|schema| !schema.is_registered);
        if is_new(&key) || is_new(&value) {
            (key, value) = Box::pin(self.register_both(topic, &request, key, value)).await?;
            records = encode_all(bytes, &request, &key, &value).await?;
        }
        let written = records.iter().map(written_len).sum();
        let sent = Part::send(topic, records.len());
        let headers = sent.record_headers();
        if !headers.is_empty() {
            records.iter_mut().for_each(|record| record.headers.clone_from(&headers));
        }
        let admitted = self.admit(records).await?;
        self.counters().produced(request.format, request.records.len(), written);
        let deliveries = run_large(bytes, || self.cluster().append(topic, admitted)).await;
        let id = |schema: &Option<PreparedSchema>| serializer(schema).map(|serializer| serializer.id);
        Ok(AppendedRequest { key_schema: id(&key), value_schema: id(&value), deliveries, sent })
    }

    /// What serializes both sides of the records.
    async fn prepare_both(
        &self,
        topic: &TopicName,
        request: &ProduceRequest<'_>,
    ) -> Result<(Option<PreparedSchema>, Option<PreparedSchema>), Error> {
        if !matches!(request.format, Format::Schema(_)) {
            return Ok((None, None));
        }
        let looked_up = Part::registry("look up schemas", topic);
        let both = self.prepare_for(topic.as_str(), request).await;
        if both.is_err() {
            looked_up.failed("schema");
        }
        both
    }

    async fn prepare_for(
        &self,
        topic: &str,
        request: &ProduceRequest<'_>,
    ) -> Result<(Option<PreparedSchema>, Option<PreparedSchema>), Error> {
        let key = self.prepare(topic, Side::Key, request).await?;
        Ok((key, self.prepare(topic, Side::Value, request).await?))
    }

    /// The same with ids.
    async fn register_both(
        &self,
        topic: &TopicName,
        request: &ProduceRequest<'_>,
        key: Option<PreparedSchema>,
        value: Option<PreparedSchema>,
    ) -> Result<(Option<PreparedSchema>, Option<PreparedSchema>), Error> {
        let registered = Part::registry("register schemas", topic);
        let both = async {
            let key = self.register(topic, Side::Key, request, key).await?;
            Ok((key, self.register(topic, Side::Value, request, value).await?))
        };
        let both = both.await;
        if both.is_err() {
            registered.failed("schema");
        }
        both
    }

    /// Makes sure that the partitions of `topic` are known.
    async fn find_topic(
        &self,
        topic: &TopicName,
        template: impl FnOnce() -> Option<TopicTemplate>,
    ) -> Result<(), Error> {
        if self.cluster().known_partitions(topic).is_some() {
            return Ok(());
        }
        // Boxed, as it is rare and large: each produce would be as large.
        Box::pin(self.find_unknown_topic(topic, template)).await
    }

    async fn find_unknown_topic(
        &self,
        topic: &TopicName,
        template: impl FnOnce() -> Option<TopicTemplate>,
    ) -> Result<(), Error> {
        let looked_up = Part::look_up(topic);
        let mut found = self.cluster().partitions_for_produce(topic).await;
        if found.as_ref().is_err_and(|error| error.kind == ErrorKind::UnknownTopic)
            && let Some(template) = template()
        {
            self.make_topic(topic, template).await?;
            found = self.cluster().partitions_for_produce(topic).await;
        }
        looked_up.outcome(&found);
        match found {
            Ok(_) => Ok(()),
            Err(error) => Err(self.no_such_topic(topic, error).await),
        }
    }

    /// The memory of `records` from the budget of all requests, for which it waits no longer than a record may be under way.
    async fn admit(&self, records: Vec<Record>) -> Result<Admitted, Error> {
        let _waiting = self.counters().wait();
        let admitted = match timeout(self.cluster().delivery_timeout(), self.inflight().admit(records)).await {
            Ok(admitted) => admitted.map_err(Error::TooLarge),
            Err(_) => Err(Error::Busy(self.inflight().capacity())),
        };
        if admitted.is_err() {
            self.counters().refused();
        }
        admitted
    }

    /// The largest number of records of one request: more would not fit into the budget, however small they are.
    pub fn records_max(&self) -> usize {
        self.inflight().max_records()
    }

    /// What [`Proxy::append`] does with records to a topic that cannot be, as `error` says of its name: each of them fails. No schema is
    /// registered.
    ///
    /// # Errors
    /// What it would refuse of records to any topic.
    pub async fn fail_all(
        &self,
        name: &str,
        error: &InvalidTopicName,
        request: &ProduceRequest<'_>,
    ) -> Result<Produced, Error> {
        self.counters().not_produced(Some(request.format), request.records.len());
        let (key, value) = self.prepare_for(name, request).await?;
        let bytes = request.records.iter().map(RecordSpec::text_len).sum();
        encode_all(bytes, request, &key, &value).await?;
        let error = ClusterError {
            kind: ErrorKind::InvalidTopic,
            name: "INVALID_TOPIC_EXCEPTION".to_owned(),
            message: format!("'{name}' is no legal name of a topic: {error}"),
        };
        let failed = AppendError { error, fate: Fate::NotWritten };
        let id = |schema: Option<PreparedSchema>| {
            schema.filter(|schema| schema.is_registered).map(|schema| schema.serializer.id)
        };
        Ok(Produced {
            key_schema: id(key),
            value_schema: id(value),
            outcomes: vec![Err(failed); request.records.len()],
        })
    }

    /// What serializes one side of the records, registered or not; `None` outside the schema formats and where the request names no
    /// schema.
    async fn prepare(
        &self,
        topic: &str,
        side: Side,
        request: &ProduceRequest<'_>,
    ) -> Result<Option<PreparedSchema>, Error> {
        let Format::Schema(kind) = request.format else { return Ok(None) };
        let Some(schema) = request.schema(side) else { return Ok(None) };
        let subject = Subject::of_topic(topic, side);
        let prepared = match self.schemas().resolved(&subject, schema) {
            Some(serializer) => PreparedSchema::registered(serializer),
            None => {
                Box::pin(self.schemas().prepare(&subject, schema)).await.map_err(|error| Error::Schema(side, error))?
            }
        };
        let serializer = &prepared.serializer;
        if serializer.kind != kind {
            let wrong = ResolveError::WrongKind { id: serializer.id, found: serializer.kind, expected: kind };
            return Err(Error::Schema(side, wrong));
        }
        Ok(Some(prepared))
    }

    /// `prepared` with an id.
    async fn register(
        &self,
        topic: &TopicName,
        side: Side,
        request: &ProduceRequest<'_>,
        prepared: Option<PreparedSchema>,
    ) -> Result<Option<PreparedSchema>, Error> {
        match (prepared, request.schema(side)) {
            (Some(prepared), Some(schema)) if !prepared.is_registered => {
                let registered = self.resolve(&Subject::of_topic(topic.as_str(), side), schema).await;
                registered
                    .map(|serializer| Some(PreparedSchema::registered(serializer)))
                    .map_err(|error| Error::Schema(side, error))
            }
            (prepared, _) => Ok(prepared),
        }
    }

    /// What the error of a look-up for a produce means, with the name that was probably meant.
    async fn no_such_topic(&self, topic: &TopicName, error: ClusterError) -> Error {
        if error.kind != ErrorKind::UnknownTopic {
            return Error::Cluster(error);
        }
        let topics = self.cluster().topics(false).await.unwrap_or_default();
        let names = topics.iter().filter(|topic| !topic.is_internal).map(|topic| topic.name.as_str());
        Error::NoSuchTopic { topic: topic.clone(), similar: similar(topic.as_str(), names).map(str::to_owned) }
    }
}

/// The bytes of key and value as they go into the record.
fn written_len(record: &Record) -> usize {
    record.key.as_ref().map_or(0, Bytes::len) + record.value.as_ref().map_or(0, Bytes::len)
}

fn serializer(schema: &Option<PreparedSchema>) -> Option<&RecordSerializer> {
    schema.as_ref().map(|schema| &*schema.serializer)
}

/// The name that resembles `name` most, if it is within two edits, or three of a long name.
fn similar<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let max_edits = if name.len() < 16 { 2 } else { 3 };
    others
        .filter(|other| other.len().abs_diff(name.len()) <= max_edits)
        .take(SIMILAR_MAX)
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(edits, _)| *edits <= max_edits)
        .min()
        .map(|(_, other)| other)
}

/// Encodes records whose texts have `bytes`, off the threads that answer if that may take long.
async fn encode_all(
    bytes: usize,
    request: &ProduceRequest<'_>,
    key: &Option<PreparedSchema>,
    value: &Option<PreparedSchema>,
) -> Result<Vec<Record>, Error> {
    let (key, value) = (serializer(key), serializer(value));
    encode_large(bytes, [key, value], || encode(request, key, value)).await
}

/// Encodes all records into one buffer and hands out slices of it.
fn encode(
    request: &ProduceRequest<'_>,
    key: Option<&RecordSerializer>,
    value: Option<&RecordSerializer>,
) -> Result<Vec<Record>, Error> {
    let encoder = |writer, side| match (request.format, writer) {
        (Format::Binary, _) => Encoder::Binary,
        (Format::Json, _) => Encoder::Json,
        (Format::Text, _) => Encoder::Text,
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
    // Partitions are checked once all values fit: a value that does not fit is reported first.
    let negative = |(n, spec): (usize, &RecordSpec<'_>)| Some((n, spec.partition.filter(|partition| *partition < 0)?));
    if let Some((record, partition)) = request.records.iter().enumerate().find_map(negative) {
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

#[cfg(test)]
mod tests {
    use super::similar;

    #[test]
    fn a_similar_name_is_found_and_a_different_one_is_not() {
        let topics = ["lsst.example.skyFluxMetric", "lab", "lab.temps", "orders"];
        let found = |name: &str| similar(name, topics.into_iter());
        assert_eq!(found("lsst.example.skyFluxMetrics"), Some("lsst.example.skyFluxMetric"));
        assert_eq!(found("lab.tmeps"), Some("lab.temps"));
        assert_eq!(found("Orders"), Some("orders"));
        assert_eq!(found("nowhere"), None);
        assert_eq!(found("lab.temps.of.2026"), None);
    }
}
