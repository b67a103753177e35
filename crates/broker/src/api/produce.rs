//! Produce (0), versions 3 to 13: batches checked, and appended as they came.
//!
//! One batch of magic 2 per partition, as the protocol demands from version 3 on. Checked before anything is stored:
//! checksum, size against `max.message.bytes`, times against the topic's limits, keys where the topic is compacted
//! and, in batches that are not compressed, that the records are records; the producer's sequence. Answered when
//! `write(2)` has taken it, which is all that `acks=1` and `acks=all` can mean on one node, or when the disk has, where
//! settings or topic ask for that; `acks=0` gets no answer. Appends happen in the connection's own task. Not done:
//! transactions.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ApiKey, ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Answer, Call, Cut, now_ms};
use crate::log::batch::{self, Header, Malformed};
use crate::log::partition::LogConfig;
use crate::log::records;
use crate::log::{AppendError, Appended, Partition};
use crate::node::Node;
use crate::output::Output;
use crate::topics::Topic;
use crate::{Flush, code};

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

/// An error for a partition, with the sentence that goes along.
type Refusal = (ResponseError, Option<String>);

pub(super) async fn answer(node: &Arc<Node>, call: &Call<'_>, request: ProduceRequest) -> Result<Produced, Cut> {
    let now_ms = now_ms();
    let mut responses = Vec::with_capacity(request.topic_data.len());
    let request_error = match request.acks {
        _ if request.transactional_id.is_some() => Some(ResponseError::TransactionalIdAuthorizationFailed),
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
                (None, Some(error), _) => Err((error, None)),
                (None, None, None) if call.version >= 13 => Err((ResponseError::UnknownTopicId, None)),
                (None, None, None) => Err((ResponseError::UnknownTopicOrPartition, None)),
                (None, None, Some(topic)) => store(node, topic, part.index, part.records, now_ms),
            };
            partitions.push(match stored {
                Ok((appended, must_sync)) => {
                    unsynced.extend(must_sync.map(|sync| (responses.len(), partitions.len(), sync)));
                    response
                        .with_base_offset(appended.base_offset)
                        .with_log_append_time_ms(appended.append_time_ms)
                        .with_log_start_offset(appended.start_offset)
                }
                Err((error, message)) => {
                    failed = true;
                    response
                        .with_error_code(code(error))
                        .with_base_offset(-1)
                        .with_error_message(message.map(StrBytes::from_string))
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
    records: Option<Bytes>,
    now_ms: i64,
) -> Result<(Appended, Option<MustSync>), Refusal> {
    let partition = topic.partition(partition).ok_or((ResponseError::UnknownTopicOrPartition, None))?;
    let config = topic.config();
    let batch = records.unwrap_or_default();
    let header = check(&batch, &config.log, now_ms)?;
    let appended = partition.append(&batch, &header, &config.log, now_ms).map_err(|error| match error {
        AppendError::Gap => (ResponseError::OutOfOrderSequenceNumber, None),
        AppendError::Fenced => (ResponseError::InvalidProducerEpoch, None),
        AppendError::Gone => (ResponseError::UnknownTopicOrPartition, None),
        AppendError::Storage(error) => {
            tracing::error!(topic = topic.name.as_str(), partition = partition.index, %error, "a batch could not be stored");
            (ResponseError::KafkaStorageError, None)
        }
    })?;
    let wanted = node.settings.flush == Flush::EveryAppend || appended.unsynced >= config.log.flush_messages;
    let end = appended.base_offset + i64::from(header.records);
    Ok((appended, (wanted && appended.unsynced > 0).then_some(MustSync { partition, end })))
}

/// Everything that can be said about a batch without knowing what is stored.
fn check(batch: &[u8], config: &LogConfig, now_ms: i64) -> Result<Header, Refusal> {
    let invalid = |message: &str| Err((ResponseError::InvalidRecord, Some(message.to_owned())));
    let header = match Header::read(batch) {
        Ok(header) => header,
        Err(Malformed::Magic(_)) => return invalid("Only record batches of magic 2 are taken"),
        Err(Malformed::Short | Malformed::Length) => return Err((ResponseError::CorruptMessage, None)),
    };
    if header.bytes > batch.len() {
        return Err((ResponseError::CorruptMessage, None));
    }
    if header.bytes < batch.len() {
        return invalid("Exactly one record batch per partition is taken");
    }
    if header.bytes > config.max_message_bytes {
        let message = format!(
            "The record batch has {} bytes, more than the {} of max.message.bytes",
            header.bytes, config.max_message_bytes
        );
        return Err((ResponseError::MessageTooLarge, Some(message)));
    }
    if !batch::checksum_holds(batch, &header) {
        return Err((ResponseError::CorruptMessage, None));
    }
    if header.records <= 0 || header.last_offset_delta != header.records - 1 {
        return invalid("The record count does not fit the last offset");
    }
    if header.is_control() || header.is_transactional() {
        return invalid("Transactions are not served");
    }
    if header.is_idempotent() && (header.base_sequence < 0 || header.producer_epoch < 0) {
        return invalid("A producer id comes with an epoch and a sequence");
    }
    if header.codec() > 4 {
        return Err((ResponseError::UnsupportedCompressionType, None));
    }
    check_times(&header, config, now_ms)?;
    if header.codec() == 0 || config.is_compacted {
        let Ok(body) = records::body(batch, &header) else { return Err((ResponseError::CorruptMessage, None)) };
        let mut count = 0;
        for record in records::walk(&body, &header) {
            let Some(record) = record else { return Err((ResponseError::InvalidRecord, None)) };
            if config.is_compacted && record.key.is_none() {
                return invalid("Compacted topic cannot accept message without key");
            }
            count += 1;
        }
        if count != header.records {
            return invalid("The batch has fewer records than it says");
        }
    }
    Ok(header)
}

fn check_times(header: &Header, config: &LogConfig, now_ms: i64) -> Result<(), Refusal> {
    if config.stamps_append_time || header.max_timestamp < 0 {
        return Ok(());
    }
    let ahead = header.max_timestamp.saturating_sub(now_ms);
    let behind = now_ms.saturating_sub(header.base_timestamp);
    if ahead > config.timestamp_after_max_ms || behind > config.timestamp_before_max_ms {
        let message = format!("Timestamp {} of message is out of range", header.max_timestamp);
        return Err((ResponseError::InvalidTimestamp, Some(message)));
    }
    Ok(())
}
