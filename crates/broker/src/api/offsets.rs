//! OffsetCommit (8), versions 2 to 9; OffsetFetch (9), 1 to 9; OffsetDelete (47), version 0: the committed offsets of
//! groups.
//!
//! A commit is in the page cache when it is acknowledged, like a record, or synced where every append is. Not done:
//! transactions.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    ApiKey, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::groups::check_group_id;
use super::{CallContext, Disconnect, now_ms};
use crate::code;
use crate::groups::{ChangeError, Committed, Group, GroupState};
use crate::node::Node;

/// Kafka's `offset.metadata.max.bytes`.
const MAX_METADATA_BYTES: usize = 4096;

// === OffsetCommit ===

pub(super) async fn commit(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: OffsetCommitRequest,
) -> Result<OffsetCommitResponse, Disconnect> {
    let fault = context.injected_fault(node, ApiKey::OffsetCommit, None).await?;
    let id = StrBytes::from_string(request.group_id.0.to_string());
    let generation = request.generation_id_or_member_epoch;
    let committed_ms = now_ms();
    let mut offsets = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for requested in request.topics {
        let topic = node.topics.find(&requested.name);
        let mut partitions = Vec::with_capacity(requested.partitions.len());
        for part in requested.partitions {
            let index = part.partition_index;
            let metadata = part.committed_metadata.unwrap_or_default();
            let exists = topic.as_ref().is_some_and(|topic| topic.partition(index).is_some());
            let error = if !exists {
                code(ResponseError::UnknownTopicOrPartition)
            } else if metadata.len() > MAX_METADATA_BYTES {
                code(ResponseError::OffsetMetadataTooLarge)
            } else {
                // Owned copies, so that the commit does not keep the request's buffer alive.
                let place = (StrBytes::from_string(requested.name.to_string()), index);
                let committed = Committed {
                    offset: part.committed_offset,
                    leader_epoch: part.committed_leader_epoch,
                    metadata: StrBytes::from_string(metadata.to_string()),
                    committed_ms,
                };
                offsets.push((place, committed));
                0
            };
            partitions
                .push(OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(error));
        }
        topics.push(OffsetCommitResponseTopic::default().with_name(requested.name).with_partitions(partitions));
    }
    let (member_id, instance) = (request.member_id, request.group_instance_id);
    // A client that is not a member of a group creates one by committing.
    let creates = generation < 0;
    let missing = if context.version <= 8 { ResponseError::IllegalGeneration } else { ResponseError::GroupIdNotFound };
    let check = move |group: Option<&mut Group>| {
        let group = group.ok_or(missing)?;
        group.check_commit(&member_id, instance.as_ref(), generation, Instant::now())
    };
    let committed = match fault {
        Some(_) => Ok(()),
        None => node.groups.commit(&id, creates, check, offsets).await,
    };
    let parts = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    match (fault, committed) {
        (Some(error), _) => parts.for_each(|part| part.error_code = error),
        (None, Ok(())) => {}
        (None, Err(ChangeError::Refused(error))) => parts.for_each(|part| part.error_code = code(error)),
        (None, Err(ChangeError::Storage(error))) => {
            tracing::error!(group = id.as_str(), %error, "offsets could not be stored");
            let failed = parts.filter(|part| part.error_code == 0);
            failed.for_each(|part| part.error_code = code(ResponseError::CoordinatorNotAvailable));
        }
    }
    Ok(OffsetCommitResponse::default().with_topics(topics))
}

// === OffsetFetch ===

pub(super) async fn fetch(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: OffsetFetchRequest,
) -> Result<OffsetFetchResponse, Disconnect> {
    let fault = context.injected_fault(node, ApiKey::OffsetFetch, None).await?;
    if context.version >= 8 {
        let groups = request.groups.into_iter().map(|requested| match fault {
            Some(error) => OffsetFetchResponseGroup::default().with_group_id(requested.group_id).with_error_code(error),
            None => fetch_group(node, requested),
        });
        return Ok(OffsetFetchResponse::default().with_groups(groups.collect()));
    }
    if let Some(error) = fault {
        return Ok(OffsetFetchResponse::default().with_error_code(error));
    }
    // Until version 7 a request is for one group. In version 1 an empty list means no topics, not all.
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| {
            OffsetFetchRequestTopics::default().with_name(topic.name).with_partition_indexes(topic.partition_indexes)
        });
        topics.collect()
    });
    let group =
        fetch_group(node, OffsetFetchRequestGroup::default().with_group_id(request.group_id).with_topics(topics));
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|part| {
            let older = OffsetFetchResponsePartition::default()
                .with_partition_index(part.partition_index)
                .with_committed_offset(part.committed_offset)
                .with_metadata(part.metadata)
                .with_error_code(part.error_code);
            if context.version >= 5 { older.with_committed_leader_epoch(part.committed_leader_epoch) } else { older }
        });
        OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
    });
    Ok(OffsetFetchResponse::default().with_topics(topics.collect()))
}

fn fetch_group(node: &Node, requested: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let found = |index: i32, committed: Option<&Committed>| {
        let part = OffsetFetchResponsePartitions::default().with_partition_index(index);
        match committed {
            Some(committed) => part
                .with_committed_offset(committed.offset)
                .with_committed_leader_epoch(committed.leader_epoch)
                .with_metadata(Some(committed.metadata.clone())),
            None => part.with_committed_offset(-1).with_committed_leader_epoch(-1).with_metadata(Some(StrBytes::new())),
        }
    };
    let id = requested.group_id.0.clone();
    let topics = match requested.topics {
        Some(topics) => {
            let mut places = topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect::<Vec<_>>();
            let known = node.groups.with_sessions(&id, |group| {
                let answer = |(name, indexes): &(TopicName, Vec<i32>)| {
                    let parts = indexes.iter().map(|index| found(*index, group.offsets.get(&(name.0.clone(), *index))));
                    (name.clone(), parts.collect::<Vec<_>>())
                };
                places.iter().map(answer).collect::<Vec<_>>()
            });
            let nothing = |(name, indexes): (TopicName, Vec<i32>)| {
                (name, indexes.into_iter().map(|index| found(index, None)).collect::<Vec<_>>())
            };
            known.unwrap_or_else(|| places.drain(..).map(nothing).collect())
        }
        None => {
            let all = node.groups.with_sessions(&id, |group| {
                let mut topics: Vec<(TopicName, Vec<_>)> = Vec::new();
                for ((name, index), committed) in &group.offsets {
                    match topics.last_mut() {
                        Some((last, parts)) if last.0 == *name => parts.push(found(*index, Some(committed))),
                        Some(_) | None => topics.push((TopicName(name.clone()), vec![found(*index, Some(committed))])),
                    }
                }
                topics
            });
            all.unwrap_or_default()
        }
    };
    let topics = topics
        .into_iter()
        .map(|(name, parts)| OffsetFetchResponseTopics::default().with_name(name).with_partitions(parts));
    OffsetFetchResponseGroup::default().with_group_id(requested.group_id).with_topics(topics.collect())
}

// === OffsetDelete ===

pub(super) async fn delete(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: OffsetDeleteRequest,
) -> Result<OffsetDeleteResponse, Disconnect> {
    let id = &request.group_id.0;
    let fault = context.injected_fault(node, ApiKey::OffsetDelete, None).await?.or(check_group_id(id));
    // Only members and their assignor know for sure what they subscribe to; of consumer groups `subscribes` can read it.
    let state = node.groups.with_sessions(id, |group| {
        let is_consumer = group.protocol_type.as_str() == "consumer";
        let refuses_all = group.state != GroupState::Empty && !is_consumer;
        let subscribed: Vec<bool> = request
            .topics
            .iter()
            .map(|topic| group.members.values().any(|m| subscribes(&m.metadata(group.protocol.as_ref()), &topic.name)))
            .collect();
        (refuses_all, subscribed)
    });
    let error = match (fault, &state) {
        (Some(error), _) => Some(error),
        (None, None) => Some(code(ResponseError::GroupIdNotFound)),
        (None, Some((true, _))) => Some(code(ResponseError::NonEmptyGroup)),
        (None, Some((false, _))) => None,
    };
    if let Some(error) = error {
        return Ok(OffsetDeleteResponse::default().with_error_code(error));
    }
    let subscribed = state.map(|(_, subscribed)| subscribed).unwrap_or_default();
    let mut places = Vec::new();
    let topics = request.topics.into_iter().zip(subscribed).map(|(topic, is_subscribed)| {
        let partitions = topic.partitions.iter().map(|part| {
            let index = part.partition_index;
            let exists = node.topics.find(&topic.name).is_some_and(|topic| topic.partition(index).is_some());
            let error = match (exists, is_subscribed) {
                (false, _) => code(ResponseError::UnknownTopicOrPartition),
                (true, true) => code(ResponseError::GroupSubscribedToTopic),
                (true, false) => {
                    places.push((topic.name.0.clone(), index));
                    0
                }
            };
            OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(error)
        });
        let partitions = partitions.collect();
        OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    let error = node.groups.delete_offsets(id, places).await.err().map(|error| {
        tracing::error!(group = id.as_str(), %error, "offsets could not be deleted");
        code(ResponseError::CoordinatorNotAvailable)
    });
    Ok(OffsetDeleteResponse::default().with_error_code(error.unwrap_or(0)).with_topics(topics))
}

/// Whether a consumer's subscription (version, then topics) names the topic.
fn subscribes(subscription: &[u8], topic: &str) -> bool {
    let mut rest = subscription.get(2..).unwrap_or_default();
    let Some((count, after)) = rest.split_first_chunk::<4>() else { return false };
    rest = after;
    for _ in 0..i32::from_be_bytes(*count) {
        let Some((length, after)) = rest.split_first_chunk::<2>() else { return false };
        let Ok(length) = usize::try_from(i16::from_be_bytes(*length)) else { return false };
        let Some((name, after)) = after.split_at_checked(length) else { return false };
        if name == topic.as_bytes() {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_subscription_names_no_topic() {
        let subscription = b"\0\x01\0\0\0\x02\0\x01a\0\x02bc";
        assert!(subscribes(subscription, "a"));
        assert!(subscribes(subscription, "bc"));
        assert!(!subscribes(subscription, "b"));
        for cut in 0..subscription.len() - 2 {
            assert!(!subscribes(&subscription[..cut], "bc"));
        }
        assert!(!subscribes(b"\0\x01\x7f\xff\xff\xff", "a"));
    }
}
