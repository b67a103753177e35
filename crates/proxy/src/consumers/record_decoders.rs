//! Keys and values of records on their way into an answer: which decoder is whose, and what stands for bytes that it cannot read.

use postern_kafka::{ConsumerRecord, TopicName};
use postern_registry::{Side, header_name};
use tokio::time::Instant;

use super::settings::ReadFormats;
use super::{ConsumerError, PartitionName, ReadSide};
use crate::{Decoder, EncodedValue, Error, Format, Proxy};

/// Topics whose decoders are kept.
const TOPICS_MAX: usize = 64;
/// Decoders of keys and values by topic, for one read.
pub(super) struct Decoders {
    formats: ReadFormats,
    of_topics: Vec<(TopicName, TopicDecoders)>,
    /// The place of those asked for last: records of one topic come together.
    last: usize,
}

/// Those of one topic.
pub(super) struct TopicDecoders {
    pub(super) key: SideDecoder,
    pub(super) value: SideDecoder,
}

/// That of keys or of values.
pub(super) struct SideDecoder {
    decoder: Decoder,
    /// Whether the length of the text counts, instead of that of the bytes (docs/reference/rest-v2.md §7.5).
    counts_text: bool,
}

impl Decoders {
    pub(super) fn new(formats: ReadFormats) -> Decoders {
        Decoders { formats, of_topics: Vec::new(), last: 0 }
    }

    /// The format of the values.
    pub(super) fn value_format(&self) -> Format {
        self.formats.value
    }

    /// Those of a topic.
    pub(super) fn of(&mut self, proxy: &Proxy, topic: &TopicName) -> &mut TopicDecoders {
        if self.of_topics.get(self.last).is_none_or(|(known, _)| known != topic) {
            self.last = self.find(proxy, topic);
        }
        &mut self.of_topics[self.last].1
    }

    /// The place of those of a topic, which are made where they are not there.
    fn find(&mut self, proxy: &Proxy, topic: &TopicName) -> usize {
        if let Some(place) = self.of_topics.iter().position(|(known, _)| known == topic) {
            return place;
        }
        if self.of_topics.len() >= TOPICS_MAX {
            self.of_topics.clear();
        }
        let ReadFormats { key, value } = self.formats;
        let decoders = TopicDecoders {
            key: SideDecoder::new(proxy, topic, Side::Key, key),
            value: SideDecoder::new(proxy, topic, Side::Value, value),
        };
        self.of_topics.push((topic.clone(), decoders));
        self.of_topics.len() - 1
    }
}

impl TopicDecoders {
    /// Whether there is nothing to look up for a record.
    pub(super) fn know(&self, record: &ConsumerRecord) -> bool {
        self.key.decoder.knows(encoded(Side::Key, record)) && self.value.decoder.knows(encoded(Side::Value, record))
    }

    /// Looks up the schemas of a record, which nearly always are in memory.
    pub(super) async fn prepare(&mut self, record: &ConsumerRecord, deadline: Instant) {
        for (side, decoder) in [(Side::Key, &mut self.key), (Side::Value, &mut self.value)] {
            decoder.decoder.prepare([encoded(side, record)], deadline).await;
        }
    }
}

impl SideDecoder {
    fn new(proxy: &Proxy, topic: &TopicName, side: Side, format: Format) -> SideDecoder {
        let decoder = proxy.decoder(topic, side, format);
        SideDecoder { decoder, counts_text: matches!(format, Format::Schema(_)) }
    }

    /// What is known of one side of a record without decoding it.
    pub(super) fn side(&self, side: Side, record: &ConsumerRecord) -> ReadSide {
        let value = encoded(side, record);
        ReadSide { is_null: value.bytes.is_none(), schema: self.decoder.name_of(value) }
    }

    /// Appends one side of a record, and returns how many bytes it counts for.
    pub(super) fn append(&self, side: Side, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<usize, Error> {
        let value = encoded(side, record);
        let bytes = value.bytes.unwrap_or_default().len();
        let start = out.len();
        self.decoder.decode(value, out).map_err(|error| {
            let reason = error.to_string().trim_end_matches('.').to_owned();
            match error.is_transient() {
                true => unavailable(side, record, reason),
                false => undecodable(side, record, reason),
            }
        })?;
        Ok(if self.counts_text { out.len() - start } else { bytes })
    }
}

/// One side of a record, with the header that names its schema.
fn encoded(side: Side, record: &ConsumerRecord) -> EncodedValue<'_> {
    let record = &record.record;
    let bytes = match side {
        Side::Key => record.key.as_deref(),
        Side::Value => record.value.as_deref(),
    };
    let header = record.headers.iter().rev().find(|(name, _)| name == header_name(side));
    EncodedValue { bytes, schema_header: header.and_then(|(_, value)| value.as_deref()) }
}

fn undecodable(side: Side, record: &ConsumerRecord, reason: String) -> Error {
    let (partition, offset) = (place(record), record.record.offset.0);
    ConsumerError::Undecodable { side, partition, offset, reason, has_group: true }.into()
}

fn unavailable(side: Side, record: &ConsumerRecord, reason: String) -> Error {
    ConsumerError::SchemaUnavailable { side, partition: place(record), offset: record.record.offset.0, reason }.into()
}

fn place(record: &ConsumerRecord) -> PartitionName {
    PartitionName { topic: record.topic.as_str().to_owned(), partition: record.partition.0 }
}

/// About how much text a record becomes: base64 is the longest form of bytes that are not decoded by a schema.
pub(super) fn text_expected(record: &ConsumerRecord) -> usize {
    let header =
        |(name, value): &(String, Option<bytes::Bytes>)| name.len() + value.as_ref().map_or(0, bytes::Bytes::len) + 32;
    let bytes = record_len(record) + record.record.headers.iter().map(header).sum::<usize>();
    bytes + bytes / 3 + 256
}

/// The bytes of key and value.
pub(super) fn record_len(record: &ConsumerRecord) -> usize {
    let len = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    len(&record.record.key) + len(&record.record.value)
}
