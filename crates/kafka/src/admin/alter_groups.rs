//! Changing groups from outside: their offsets set or deleted, groups deleted. Source: KIP-229, KIP-396.

use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
};

use super::{Admin, CommittedOffset, changed, not_answered, parsed, text, topic_name, unknown_outcome};
use crate::{Error, PartitionId, TopicName, coordinator, error::ErrorCode};

/// The generation of whoever commits without being a member.
const NO_GENERATION: i32 = -1;

/// What became of a partition's offset.
type PartitionResult = ((TopicName, PartitionId), Result<(), Error>);

impl Admin {
    /// Commits for a group without members; the group comes to be where there is none.
    pub(crate) async fn set_group_offsets(
        &self,
        group: &str,
        offsets: &[CommittedOffset],
    ) -> Result<Vec<PartitionResult>, Error> {
        let topics: Vec<_> = offsets
            .iter()
            .map(|offset| {
                let partition = OffsetCommitRequestPartition::default()
                    .with_partition_index(offset.partition.0)
                    .with_committed_offset(offset.offset.0)
                    .with_committed_leader_epoch(-1)
                    .with_committed_metadata(Some(text("")));
                OffsetCommitRequestTopic::default()
                    .with_name(topic_name(&offset.topic))
                    .with_partitions(vec![partition])
            })
            .collect();
        let id = GroupId(text(group));
        let build = move |_| {
            OffsetCommitRequest::default()
                .with_group_id(id.clone())
                .with_generation_id_or_member_epoch(NO_GENERATION)
                .with_topics(topics.clone())
        };
        let partition = |response: &OffsetCommitResponse| response.topics.first()?.partitions.first().cloned();
        let code = |response: &OffsetCommitResponse| partition(response).map_or(0, |partition| partition.error_code);
        let asked = coordinator::ask(&self.network, group, false, self.deadline(), build, code).await;
        let response = asked.map_err(unknown_outcome)?;
        let mut results = Vec::with_capacity(offsets.len());
        for topic in &response.topics {
            let Some(name) = parsed(&topic.name) else { continue };
            for partition in &topic.partitions {
                let result = match ErrorCode(partition.error_code) {
                    ErrorCode::UNKNOWN_MEMBER_ID => Err(has_members(group)),
                    code => changed(code.0, None),
                };
                results.push(((name.clone(), PartitionId(partition.partition_index)), result));
            }
        }
        Ok(results)
    }

    /// Forgets what the group has committed of `partitions`; none of its members may be subscribed to their topics.
    pub(crate) async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[(TopicName, PartitionId)],
    ) -> Result<Vec<PartitionResult>, Error> {
        let topics: Vec<_> = partitions
            .iter()
            .map(|(topic, partition)| {
                let partition = OffsetDeleteRequestPartition::default().with_partition_index(partition.0);
                OffsetDeleteRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition])
            })
            .collect();
        let id = GroupId(text(group));
        let build = move |_| OffsetDeleteRequest::default().with_group_id(id.clone()).with_topics(topics.clone());
        let code = |response: &OffsetDeleteResponse| response.error_code;
        let asked = coordinator::ask(&self.network, group, false, self.deadline(), build, code).await;
        let response = asked.map_err(unknown_outcome)?;
        changed(response.error_code, None)?;
        let mut results = Vec::with_capacity(partitions.len());
        for topic in &response.topics {
            let Some(name) = parsed(&topic.name) else { continue };
            results.extend(topic.partitions.iter().map(|partition| {
                ((name.clone(), PartitionId(partition.partition_index)), changed(partition.error_code, None))
            }));
        }
        Ok(results)
    }

    /// Deletes a group without members, and what it has committed.
    pub(crate) async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let id = GroupId(text(group));
        let build = move |_| DeleteGroupsRequest::default().with_groups_names(vec![id.clone()]);
        let code = |response: &DeleteGroupsResponse| response.results.first().map_or(0, |result| result.error_code);
        let asked = coordinator::ask(&self.network, group, false, self.deadline(), build, code).await;
        let response = asked.map_err(unknown_outcome)?;
        changed(response.results.first().ok_or_else(not_answered)?.error_code, None)
    }
}

fn has_members(group: &str) -> Error {
    let message = format!("group {group} has members: its offsets can be set when all of them have left");
    ErrorCode::NON_EMPTY_GROUP.error(Some(&message))
}
