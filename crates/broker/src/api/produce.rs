//! Produce (0), versions 3 to 13: batches checked, and appended as they came.
//!
//! One batch of magic 2 per partition, as the protocol demands from version 3 on. Checked before anything is stored:
//! checksum, size against `max.message.bytes`, times against the topic's limits, keys where the topic is compacted
//! and, in batches that are not compressed, that the records are records; the producer's sequence. Answered when
//! `write(2)` has taken it, which is all that `acks=1` and `acks=all` can mean on one node, or when the disk has, where
//! settings or topic ask for that; `acks=0` gets no answer. Appends happen in the connection's own task. Not done:
//! transactions.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ApiKey, ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Answer, Call, Cut, now_ms};
use crate::node::Node;
use crate::output::Output;
use crate::topics::Topic;
use crate::{Flush, code};
use postern_log::batch::{self, Header, Malformed};
use postern_log::partition::LogConfig;
use postern_log::records;
use postern_log::{AppendError, Appended, Partition};

/// Absent with `acks=0`.
pub(super) struct Produced(Option<ProduceResponse>);

impl Answer for Produced {
    fn write(self, api: ApiKey, version: i16, correlation_id: i32, output: &mut Output) -> Result<(), Cut> {
        match self.0 {
            Some(response) => response.write(api, version, correlation_id, output),
            None => Ok(()),
        }
    }
}

const ZSTD: i16 = 4;

/// An error for a partition, with what goes along.
struct Refusal {
    error: ResponseError,
    message: Option<String>,
    /// Where the log begins, if it was the log that refused.
    start_offset: i64,
}

impl Refusal {
    fn of(error: ResponseError) -> Refusal {
        Refusal { error, message: None, start_offset: -1 }
    }

    fn corrupt(message: String) -> Refusal {
        Refusal { message: Some(message), ..Refusal::of(ResponseError::CorruptMessage) }
    }
}

pub(super) async fn answer(node: &Arc<Node>, call: &Call<'_>, request: ProduceRequest) -> Result<Produced, Cut> {
    let now_ms = now_ms();
    let mut responses = Vec::with_capacity(request.topic_data.len());
    let request_error = match request.acks {
        -1..=1 => None,
        _ => Some(ResponseError::InvalidRequiredAcks),
    };
    let mut failed = false;
    let mut unsynced = Vec::new();
    for data in request.topic_data {
        let topic = if call.version >= 13 { node.topics.find_id(data.topic_id) } else { node.topics.find(&data.name) };
        let name = topic.as_ref().map_or(&data.name.0, |topic| &topic.name);
        let fault = call.fault(node, ApiKey::Produce, Some(name)).await?;
        let mut partitions = Vec::with_capacity(data.partition_data.len());
        for part in data.partition_data {
            let response = PartitionProduceResponse::default().with_index(part.index);
            let stored = match (fault, request_error, &topic) {
                (Some(error), _, _) => {
                    partitions.push(response.with_error_code(error).with_base_offset(-1));
                    failed = true;
                    continue;
                }
                (None, Some(error), _) => Err(Refusal::of(error)),
                (None, None, None) if call.version >= 13 => Err(Refusal::of(ResponseError::UnknownTopicId)),
                (None, None, None) => Err(Refusal::of(ResponseError::UnknownTopicOrPartition)),
                (None, None, Some(topic)) => {
                    let records = part.records.unwrap_or_default();
                    store(node, topic, part.index, call.version, &records, now_ms)
                }
            };
            partitions.push(match stored {
                Ok((appended, must_sync)) => {
                    unsynced.extend(must_sync.map(|sync| (responses.len(), partitions.len(), sync)));
                    response
                        .with_base_offset(appended.base_offset)
                        .with_log_append_time_ms(appended.append_time_ms)
                        .with_log_start_offset(appended.start_offset)
                }
                Err(refusal) => {
                    failed = true;
                    response
                        .with_error_code(code(refusal.error))
                        .with_base_offset(-1)
                        .with_log_start_offset(refusal.start_offset)
                        .with_error_message(refusal.message.map(StrBytes::from_string))
                }
            });
        }
        responses.push(
            TopicProduceResponse::default()
                .with_name(data.name)
                .with_topic_id(data.topic_id)
                .with_partition_responses(partitions),
        );
    }
    for (topic, partition, MustSync { partition: log, end }) in unsynced {
        if let Err(error) = log.sync_to(end).await {
            tracing::error!(partition = log.index, %error, "the disk did not keep a batch");
            let response = &mut responses[topic].partition_responses[partition];
            response.error_code = code(ResponseError::KafkaStorageError);
            failed = true;
        }
    }
    match request.acks {
        // The client asked not to be told; a closed connection is the only way to say that something went wrong.
        0 if failed => Err(Cut::Close),
        0 => Ok(Produced(None)),
        _ => Ok(Produced(Some(ProduceResponse::default().with_responses(responses)))),
    }
}

/// What the disk has to keep before the answer.
struct MustSync {
    partition: Arc<Partition>,
    end: i64,
}

fn store(
    node: &Node,
    topic: &Topic,
    partition: i32,
    version: i16,
    bytes: &[u8],
    now_ms: i64,
) -> Result<(Appended, Option<MustSync>), Refusal> {
    let unknown = || Refusal::of(ResponseError::UnknownTopicOrPartition);
    let (batch, header) = only_batch(version, bytes)?;
    let partition = topic.partition(partition).ok_or_else(unknown)?;
    let config = topic.config();
    check_frame(batch, &header, &config.log)?;
    let by_log = |refusal| Refusal { start_offset: partition.bounds().start, ..refusal };
    check_content(batch, &header, &config.log, now_ms).map_err(by_log)?;
    let appended = partition.append(batch, &header, &config.log, now_ms).map_err(|error| match error {
        AppendError::Gap => by_log(Refusal::of(ResponseError::OutOfOrderSequenceNumber)),
        AppendError::Fenced => by_log(Refusal::of(ResponseError::InvalidProducerEpoch)),
        AppendError::Gone => unknown(),
        AppendError::Storage(error) => {
            tracing::error!(topic = topic.name.as_str(), partition = partition.index, %error, "a batch could not be stored");
            Refusal::of(ResponseError::KafkaStorageError)
        }
    })?;
    let wanted = node.settings.flush == Flush::EveryAppend || appended.unsynced >= config.log.flush_messages;
    let end = appended.base_offset + i64::from(header.records);
    Ok((appended, (wanted && appended.unsynced > 0).then_some(MustSync { partition, end })))
}

/// The one batch in a request's bytes; what follows it and is no whole batch is not looked at, as in Apache Kafka.
fn only_batch(version: i16, bytes: &[u8]) -> Result<(&[u8], Header), Refusal> {
    let invalid = Refusal::of(ResponseError::InvalidRecord);
    let Some(size) = batch::size(bytes).map_err(Refusal::corrupt)? else { return Err(invalid) };
    let (batch, rest) = bytes.split_at(size);
    if batch::size(rest).map_err(Refusal::corrupt)?.is_some() {
        return Err(invalid);
    }
    match Header::read(batch) {
        Ok(header) if header.codec() == ZSTD && version < 7 => {
            Err(Refusal::of(ResponseError::UnsupportedCompressionType))
        }
        // There are none; Apache Kafka says so of one that is not begun.
        Ok(header) if header.is_transactional() => Err(Refusal::of(ResponseError::TransactionalIdAuthorizationFailed)),
        Ok(header) => Ok((batch, header)),
        Err(Malformed::Magic(_)) => Err(invalid),
        Err(Malformed::Short | Malformed::Length) => Err(Refusal::of(ResponseError::CorruptMessage)),
    }
}

/// What an append refuses before it looks inside.
fn check_frame(batch: &[u8], header: &Header, config: &LogConfig) -> Result<(), Refusal> {
    if header.bytes > config.max_message_bytes {
        return Err(Refusal::of(ResponseError::MessageTooLarge));
    }
    match batch::checksum_holds(batch, header) {
        true => Ok(()),
        false => Err(Refusal::of(ResponseError::CorruptMessage)),
    }
}

/// What an append refuses after it looked inside.
fn check_content(batch: &[u8], header: &Header, config: &LogConfig, now_ms: i64) -> Result<(), Refusal> {
    let invalid = Err(Refusal::of(ResponseError::InvalidRecord));
    let is_counted = header.records > 0 && header.last_offset_delta == header.records - 1;
    let is_numbered = !header.is_idempotent() || header.base_sequence >= 0;
    if !(is_counted && !header.is_control() && is_numbered && header.base_offset == 0) {
        return invalid;
    }
    if header.codec() > ZSTD {
        return Err(Refusal::of(ResponseError::UnsupportedCompressionType));
    }
    check_times(header, config, now_ms)?;
    if header.codec() == 0 || config.is_compacted {
        let Ok(body) = records::body(batch, header) else {
            return Err(Refusal::of(ResponseError::CorruptMessage));
        };
        let Some(all) = records::exactly(&body, header) else { return invalid };
        if config.is_compacted && all.iter().any(|record| record.key.is_none()) {
            let message = "Compacted topic cannot accept message without key";
            return Err(Refusal { message: Some(message.to_owned()), ..Refusal::of(ResponseError::InvalidRecord) });
        }
    }
    Ok(())
}

fn check_times(header: &Header, config: &LogConfig, now_ms: i64) -> Result<(), Refusal> {
    if config.stamps_append_time || header.max_timestamp < 0 {
        return Ok(());
    }
    let ahead = header.max_timestamp.saturating_sub(now_ms);
    let behind = now_ms.saturating_sub(header.base_timestamp);
    if ahead > config.timestamp_after_max_ms || behind > config.timestamp_before_max_ms {
        let message = Some("One or more records have been rejected due to invalid timestamp".to_owned());
        return Err(Refusal { message, ..Refusal::of(ResponseError::InvalidTimestamp) });
    }
    Ok(())
}
