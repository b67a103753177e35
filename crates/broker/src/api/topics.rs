//! DeleteTopics (20), versions 1 to 6; CreatePartitions (37), versions 0 to 3; DeleteRecords (21), versions 0 to 2.
//!
//! The files of a deleted topic are removed before the response is sent. Partitions can only be added. Deleted records are
//! invisible to readers at once, and removed from disk by whole segments.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    ApiKey, CreatePartitionsRequest, CreatePartitionsResponse, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::create_topics::{MAX_PARTITIONS, check_replicas};
use super::refusal::Refusal;
use super::{CallContext, Disconnect};
use crate::blocking::run_blocking;
use crate::code;
use crate::node::Node;

// === DeleteTopics ===

pub(super) async fn delete(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: DeleteTopicsRequest,
) -> Result<DeleteTopicsResponse, Disconnect> {
    let by_name = |name| DeleteTopicState::default().with_name(Some(name));
    let requested: Vec<DeleteTopicState> = match context.version {
        ..=5 => request.topic_names.into_iter().map(by_name).collect(),
        6.. => request.topics,
    };
    let mut seen = HashSet::new();
    let duplicates: HashSet<TopicName> =
        requested.iter().filter_map(|topic| topic.name.clone()).filter(|name| !seen.insert(name.clone())).collect();
    let ids: HashSet<uuid::Uuid> =
        requested.iter().filter(|topic| topic.name.is_none()).map(|topic| topic.topic_id).collect();
    let mut answered = HashSet::new();
    let mut responses = Vec::with_capacity(requested.len());
    for requested in requested {
        let topic = match &requested.name {
            Some(name) => node.topics.find(name),
            None => node.topics.find_id(requested.topic_id),
        };
        let name = topic.as_ref().map(|topic| TopicName(topic.name.clone())).or(requested.name.clone());
        let id = topic.as_ref().map_or(requested.topic_id, |topic| topic.id);
        let is_duplicate = requested.name.as_ref().is_some_and(|name| duplicates.contains(name));
        let is_by_id_too = requested.name.is_some() && topic.is_some() && ids.contains(&id);
        // A topic that is named twice gets one result.
        if (is_duplicate || is_by_id_too || requested.name.is_none()) && !answered.insert(id) {
            continue;
        }
        let refusal = match &requested.name {
            None if requested.topic_id.is_nil() => Some("Neither topic name nor id were specified."),
            Some(_) if !requested.topic_id.is_nil() => Some("You may not specify both topic name and topic id."),
            Some(_) if is_duplicate => Some("Duplicate topic name."),
            Some(_) if is_by_id_too => Some("The provided topic name maps to an ID that was already supplied."),
            Some(_) | None => None,
        };
        let result = DeletableTopicResult::default().with_name(name.clone()).with_topic_id(id);
        if let Some(message) = refusal {
            let id = if is_duplicate { uuid::Uuid::nil() } else { id };
            let result = result.with_topic_id(id).with_error_code(code(ResponseError::InvalidRequest));
            responses.push(result.with_error_message(Some(StrBytes::from_static_str(message))));
            continue;
        }
        let missing = |result: DeletableTopicResult| {
            let (error, message) = match requested.name {
                Some(_) => (ResponseError::UnknownTopicOrPartition, "This server does not host this topic-partition."),
                None => (ResponseError::UnknownTopicId, "This server does not host this topic ID."),
            };
            result.with_error_code(code(error)).with_error_message(Some(StrBytes::from_static_str(message)))
        };
        let fault = context.injected_fault(node, ApiKey::DeleteTopics, name.as_ref().map(|name| name.as_str())).await?;
        responses.push(match (fault, topic) {
            (Some(error), _) => result.with_error_code(error),
            (None, None) => missing(result),
            (None, Some(topic)) => {
                let (deleter, doomed) = (node.clone(), topic.clone());
                let delete = move || {
                    let deleted = deleter.topics.delete(&doomed);
                    let forget = || deleter.groups.delete_topic_offsets(doomed.name.clone());
                    deleted.map(|deleted| deleted.then(forget))
                };
                match run_blocking(delete).await {
                    Ok(Some(forgotten)) => {
                        tracing::info!(topic = topic.name.as_str(), "topic deleted");
                        if let Err(error) = forgotten.await {
                            tracing::warn!(topic = topic.name.as_str(), %error, "the committed offsets for a deleted topic could not be removed");
                        }
                        result
                    }
                    Ok(None) => missing(result),
                    Err(error) => {
                        tracing::error!(topic = topic.name.as_str(), %error, "a topic could not be deleted");
                        result.with_error_code(code(ResponseError::KafkaStorageError))
                    }
                }
            }
        });
    }
    Ok(DeleteTopicsResponse::default().with_responses(responses))
}

// === CreatePartitions ===

pub(super) async fn create_partitions(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: CreatePartitionsRequest,
) -> Result<CreatePartitionsResponse, Disconnect> {
    let mut seen = HashSet::new();
    let duplicates: HashSet<StrBytes> =
        request.topics.iter().map(|topic| topic.name.0.clone()).filter(|name| !seen.insert(name.clone())).collect();
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        if !seen.remove(&topic.name.0) {
            continue;
        }
        let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        let fault = context.injected_fault(node, ApiKey::CreatePartitions, Some(&topic.name)).await?;
        let grown = match fault {
            Some(error) => {
                results.push(result.with_error_code(error));
                continue;
            }
            None if duplicates.contains(&topic.name.0) => {
                Err(Refusal::new(ResponseError::InvalidRequest, "Duplicate topic name.".to_owned()))
            }
            None => grow(node, &topic, request.validate_only).await,
        };
        results.push(match grown {
            Ok(()) => result,
            Err(refusal) => result.with_error_code(refusal.code()).with_error_message(refusal.into_message()),
        });
    }
    Ok(CreatePartitionsResponse::default().with_results(results))
}

async fn grow(node: &Arc<Node>, requested: &CreatePartitionsTopic, validate_only: bool) -> Result<(), Refusal> {
    let Some(topic) = node.topics.find(&requested.name) else {
        return Err(Refusal::new(ResponseError::UnknownTopicOrPartition, String::new()));
    };
    let (name, has) = (requested.name.as_str(), topic.partitions().len());
    let refuse = |message: String| Err(Refusal::new(ResponseError::InvalidPartitions, message));
    let count = match usize::try_from(requested.count) {
        Ok(count) if count > has => count,
        Ok(count) if count == has => return refuse(format!("Topic already has {has} partition(s).")),
        Ok(_) | Err(_) => {
            return refuse(format!(
                "The topic {name} currently has {has} partition(s); {} would not be an increase.",
                requested.count
            ));
        }
    };
    if count - has > MAX_PARTITIONS as usize {
        return refuse(format!("Excessively large number of partitions per request: {count}"));
    }
    if let Some(assignments) = &requested.assignments {
        if assignments.len() != count - has {
            let message = format!(
                "Attempted to add {} additional partition(s), but only {} assignment(s) were specified.",
                count - has,
                assignments.len()
            );
            return Err(Refusal::new(ResponseError::InvalidReplicaAssignment, message));
        }
        for assignment in assignments {
            let brokers: Vec<i32> = assignment.broker_ids.iter().map(|broker| broker.0).collect();
            check_replicas(&brokers)?;
        }
    }
    if validate_only {
        return Ok(());
    }
    let grower = node.clone();
    run_blocking(move || grower.topics.grow(&topic, count)).await.map_err(|error| {
        tracing::error!(topic = name, %error, "partitions could not be added");
        Refusal::new(ResponseError::KafkaStorageError, "The topic could not be written to disk.".to_owned())
    })
}

// === DeleteRecords ===

pub(super) async fn delete_records(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: DeleteRecordsRequest,
) -> Result<DeleteRecordsResponse, Disconnect> {
    let mut topics = Vec::with_capacity(request.topics.len());
    for requested in request.topics {
        let topic = node.topics.find(&requested.name);
        let fault = context.injected_fault(node, ApiKey::DeleteRecords, Some(&requested.name)).await?;
        let mut partitions = Vec::with_capacity(requested.partitions.len());
        for part in requested.partitions {
            let result = DeleteRecordsPartitionResult::default()
                .with_partition_index(part.partition_index)
                .with_low_watermark(-1);
            if let Some(error) = fault {
                partitions.push(result.with_error_code(error));
                continue;
            }
            let Some(partition) = topic.as_ref().and_then(|topic| topic.partition(part.partition_index)) else {
                partitions.push(result.with_error_code(code(ResponseError::UnknownTopicOrPartition)));
                continue;
            };
            if topic.as_ref().is_some_and(|topic| !topic.config().log.deletes) {
                partitions.push(result.with_error_code(code(ResponseError::PolicyViolation)));
                continue;
            }
            partitions.push(match run_blocking(move || partition.delete_before(part.offset)).await {
                Ok(Some(start)) => result.with_low_watermark(start),
                Ok(None) => result.with_error_code(code(ResponseError::OffsetOutOfRange)),
                Err(error) => {
                    tracing::error!(topic = requested.name.as_str(), %error, "records could not be deleted");
                    result.with_error_code(code(ResponseError::KafkaStorageError))
                }
            });
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(requested.name).with_partitions(partitions));
    }
    Ok(DeleteRecordsResponse::default().with_topics(topics))
}
