//! Produce (0), versions 3 to 13: batches checked, and appended as they came.
//!
//! One batch of magic 2 per partition, as the protocol requires from version 3 on. Checked before anything is stored:
//! checksum, size against `max.message.bytes`, timestamps against the topic's limits, keys where the topic is compacted,
//! the records themselves in batches that are not compressed, and the producer's sequence. Acknowledged when `write(2)`
//! has returned, which is all that `acks=1` and `acks=all` can mean on one node, or after a sync where the settings or the
//! topic require it; `acks=0` gets no response. Appends happen in the connection's own task; large
//! ones as heavy work (`blocking`). Not done: transactions.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::TopicProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ApiKey, ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use super::{ApiResponse, CallContext, Disconnect, now_ms};
use crate::blocking::{MAX_INLINE_BYTES, MAX_INLINE_ELEMENTS};
use crate::node::Node;
use crate::output::Output;
use crate::topics::Topic;
use crate::{Flush, code};
use postern_log::batch::{self, Header, Malformed};
use postern_log::records;
use postern_log::{AppendError, Appended, LogConfig, Partition};

/// `None` with `acks=0`.
pub(super) struct ProduceOutcome(Option<ProduceResponse>);

impl ApiResponse for ProduceOutcome {
    fn write(self, api: ApiKey, version: i16, correlation_id: i32, output: &mut Output) -> Result<(), Disconnect> {
        match self.0 {
            Some(response) => response.write(api, version, correlation_id, output),
            None => Ok(()),
        }
    }
}

const ZSTD: i16 = 4;

/// Why nothing was appended to a partition.
struct PartitionError {
    error: ResponseError,
    message: Option<String>,
    /// The first offset of the log, if the log refused; else -1.
    start_offset: i64,
}

impl PartitionError {
    fn of(error: ResponseError) -> PartitionError {
        PartitionError { error, message: None, start_offset: -1 }
    }

    fn corrupt(message: String) -> PartitionError {
        PartitionError { message: Some(message), ..PartitionError::of(ResponseError::CorruptMessage) }
    }
}

pub(super) async fn handle(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: ProduceRequest,
) -> Result<ProduceOutcome, Disconnect> {
    let request_error = match request.acks {
        -1..=1 => None,
        _ => Some(ResponseError::InvalidRequiredAcks),
    };
    let mut writes = Vec::with_capacity(request.topic_data.len());
    for data in request.topic_data {
        let by_id = context.version >= 13;
        let topic = if by_id { node.topics.find_id(data.topic_id) } else { node.topics.find(&data.name) };
        let name = topic.as_ref().map_or(&data.name.0, |topic| &topic.name);
        let fault = context.injected_fault(node, ApiKey::Produce, Some(name)).await?;
        if topic.is_none() && !by_id {
            node.notices.unknown_topic(name);
        }
        writes.push(TopicWrite { data, topic, fault });
    }
    let is_heavy = is_heavy(&writes);
    let appending = async {
        let mut appends = Appends { now_ms: now_ms(), version: context.version, request_error, ..Appends::default() };
        writes.into_iter().for_each(|write| appends.append_topic(node, write));
        appends
    };
    let mut appends = if is_heavy { node.heavy_work.run(appending).await } else { appending.await };
    for MustSync { response: (at_topic, at_partition), partition, end } in std::mem::take(&mut appends.unsynced) {
        // The log has said why.
        if node.syncs.sync_to(&partition, end).await.is_err() {
            let response = &mut appends.responses[at_topic].partition_responses[at_partition];
            response.error_code = code(ResponseError::KafkaStorageError);
            appends.has_error = true;
        }
    }
    match request.acks {
        // Without a response, closing the connection is the only way to report an error.
        0 if appends.has_error => Err(Disconnect::Close),
        0 => Ok(ProduceOutcome(None)),
        _ => Ok(ProduceOutcome(Some(ProduceResponse::default().with_responses(appends.responses)))),
    }
}

/// What a request appends to one topic.
struct TopicWrite {
    data: TopicProduceData,
    topic: Option<Arc<Topic>>,
    /// An injected error code.
    fault: Option<i16>,
}

/// Whether checking and writing the batches may take more than a millisecond: many bytes, or a compressed batch for a
/// compacted topic, which is decompressed to look for keys.
fn is_heavy(writes: &[TopicWrite]) -> bool {
    let (mut bytes, mut partitions) = (0, 0);
    for write in writes {
        partitions += write.data.partition_data.len();
        let is_compacted = write.topic.as_ref().is_some_and(|topic| topic.config().log.is_compacted);
        for records in write.data.partition_data.iter().filter_map(|part| part.records.as_ref()) {
            bytes += records.len();
            if is_compacted && Header::read(records).is_ok_and(|header| header.codec() != 0) {
                return true;
            }
        }
    }
    bytes > MAX_INLINE_BYTES || partitions > MAX_INLINE_ELEMENTS
}

/// The appends of one request and their responses.
#[derive(Default)]
struct Appends {
    now_ms: i64,
    version: i16,
    /// The error of all partitions.
    request_error: Option<ResponseError>,
    responses: Vec<TopicProduceResponse>,
    unsynced: Vec<MustSync>,
    has_error: bool,
}

impl Appends {
    fn append_topic(&mut self, node: &Node, write: TopicWrite) {
        let TopicWrite { data, topic, fault } = write;
        let mut partitions = Vec::with_capacity(data.partition_data.len());
        for part in data.partition_data {
            let response = PartitionProduceResponse::default().with_index(part.index);
            let stored = match (fault, self.request_error, &topic) {
                (Some(error), _, _) => {
                    partitions.push(response.with_error_code(error).with_base_offset(-1));
                    self.has_error = true;
                    continue;
                }
                (None, Some(error), _) => Err(PartitionError::of(error)),
                (None, None, None) if self.version >= 13 => Err(PartitionError::of(ResponseError::UnknownTopicId)),
                (None, None, None) => Err(PartitionError::of(ResponseError::UnknownTopicOrPartition)),
                (None, None, Some(topic)) => {
                    let records = part.records.unwrap_or_default();
                    store(node, topic, part.index, self.version, &records, self.now_ms)
                }
            };
            partitions.push(match stored {
                Ok(Stored { appended, partition, sync_to }) => {
                    if let Some(end) = sync_to {
                        let response = (self.responses.len(), partitions.len());
                        self.unsynced.push(MustSync { response, partition, end });
                    }
                    response
                        .with_base_offset(appended.base_offset)
                        .with_log_append_time_ms(appended.append_time_ms)
                        .with_log_start_offset(appended.start_offset)
                }
                Err(refusal) => {
                    self.has_error = true;
                    response
                        .with_error_code(code(refusal.error))
                        .with_base_offset(-1)
                        .with_log_start_offset(refusal.start_offset)
                        .with_error_message(refusal.message.map(StrBytes::from_string))
                }
            });
        }
        self.responses.push(
            TopicProduceResponse::default()
                .with_name(data.name)
                .with_topic_id(data.topic_id)
                .with_partition_responses(partitions),
        );
    }
}

/// What must be synced before the response is sent.
struct MustSync {
    /// The positions of its topic and partition among the responses.
    response: (usize, usize),
    partition: Arc<Partition>,
    end: i64,
}

/// A batch in the log.
struct Stored {
    appended: Appended,
    partition: Arc<Partition>,
    /// The end offset that must be synced before the batch is acknowledged.
    sync_to: Option<i64>,
}

fn store(
    node: &Node,
    topic: &Topic,
    partition: i32,
    version: i16,
    bytes: &[u8],
    now_ms: i64,
) -> Result<Stored, PartitionError> {
    let unknown = || PartitionError::of(ResponseError::UnknownTopicOrPartition);
    let (batch, header) = single_batch(version, bytes)?;
    let partition = topic.partition(partition).ok_or_else(unknown)?;
    let config = topic.config();
    check_frame(batch, &header, &config.log)?;
    let by_log = |refusal| PartitionError { start_offset: partition.offset_range().start, ..refusal };
    check_content(batch, &header, &config.log, now_ms).map_err(by_log)?;
    let appended = partition.append(batch, &header, &config.log, now_ms).map_err(|error| match error {
        AppendError::OutOfOrderSequence => by_log(PartitionError::of(ResponseError::OutOfOrderSequenceNumber)),
        AppendError::InvalidProducerEpoch => by_log(PartitionError::of(ResponseError::InvalidProducerEpoch)),
        AppendError::Deleted => unknown(),
        // The log has said it, once for a row of them.
        AppendError::Storage(_) | AppendError::Offline => PartitionError::of(ResponseError::KafkaStorageError),
    })?;
    let wanted = node.settings.flush == Flush::EveryAppend || appended.unsynced >= config.log.flush_messages;
    let end = appended.base_offset + i64::from(header.records);
    Ok(Stored { appended, partition, sync_to: (wanted && appended.unsynced > 0).then_some(end) })
}

/// The only batch in the bytes of a partition. Bytes after it that are not a complete batch are ignored, as in Apache
/// Kafka.
fn single_batch(version: i16, bytes: &[u8]) -> Result<(&[u8], Header), PartitionError> {
    let invalid = PartitionError::of(ResponseError::InvalidRecord);
    let Some(size) = batch::size(bytes).map_err(PartitionError::corrupt)? else { return Err(invalid) };
    let (batch, rest) = bytes.split_at(size);
    if batch::size(rest).map_err(PartitionError::corrupt)?.is_some() {
        return Err(invalid);
    }
    match Header::read(batch) {
        Ok(header) if header.codec() == ZSTD && version < 7 => {
            Err(PartitionError::of(ResponseError::UnsupportedCompressionType))
        }
        // There are no transactions; this is Apache Kafka's error for one that was not started.
        Ok(header) if header.is_transactional() => {
            Err(PartitionError::of(ResponseError::TransactionalIdAuthorizationFailed))
        }
        Ok(header) => Ok((batch, header)),
        Err(Malformed::Magic(_)) => Err(invalid),
        Err(Malformed::Short | Malformed::Length) => Err(PartitionError::of(ResponseError::CorruptMessage)),
    }
}

/// The checks on the batch as a whole, which come first.
fn check_frame(batch: &[u8], header: &Header, config: &LogConfig) -> Result<(), PartitionError> {
    if header.bytes > config.max_message_bytes {
        return Err(PartitionError::of(ResponseError::MessageTooLarge));
    }
    match batch::checksum_holds(batch, header) {
        true => Ok(()),
        false => Err(PartitionError::of(ResponseError::CorruptMessage)),
    }
}

/// The checks on the fields of the header and on the records.
fn check_content(batch: &[u8], header: &Header, config: &LogConfig, now_ms: i64) -> Result<(), PartitionError> {
    let invalid = Err(PartitionError::of(ResponseError::InvalidRecord));
    let is_counted = header.records > 0 && header.last_offset_delta == header.records - 1;
    let is_numbered = !header.is_idempotent() || header.base_sequence >= 0;
    if !(is_counted && !header.is_control() && is_numbered && header.base_offset == 0) {
        return invalid;
    }
    if header.codec() > ZSTD {
        return Err(PartitionError::of(ResponseError::UnsupportedCompressionType));
    }
    check_times(header, config, now_ms)?;
    if header.codec() == 0 || config.is_compacted {
        let Ok(body) = records::body(batch, header) else {
            return Err(PartitionError::of(ResponseError::CorruptMessage));
        };
        let Some(all) = records::exactly(&body, header) else { return invalid };
        if config.is_compacted && all.iter().any(|record| record.key.is_none()) {
            let message = "Compacted topic cannot accept message without key";
            return Err(PartitionError {
                message: Some(message.to_owned()),
                ..PartitionError::of(ResponseError::InvalidRecord)
            });
        }
    }
    Ok(())
}

fn check_times(header: &Header, config: &LogConfig, now_ms: i64) -> Result<(), PartitionError> {
    if config.stamps_append_time || header.max_timestamp < 0 {
        return Ok(());
    }
    let ahead = header.max_timestamp.saturating_sub(now_ms);
    let behind = now_ms.saturating_sub(header.base_timestamp);
    if ahead > config.timestamp_after_max_ms || behind > config.timestamp_before_max_ms {
        let message = Some("One or more records have been rejected due to invalid timestamp".to_owned());
        return Err(PartitionError { message, ..PartitionError::of(ResponseError::InvalidTimestamp) });
    }
    Ok(())
}
