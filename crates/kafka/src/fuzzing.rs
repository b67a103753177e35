//! Entry points for the fuzz targets: they read what a broker, or a member of a group, may send, and do nothing with it.

use bytes::Bytes;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsResponse, AlterUserScramCredentialsResponse, ApiKey, ApiVersionsResponse,
    ConsumerGroupDescribeResponse, CreateAclsResponse, CreatePartitionsResponse, CreateTopicsResponse,
    DeleteAclsResponse, DeleteGroupsResponse, DeleteRecordsResponse, DeleteTopicsResponse, DescribeAclsResponse,
    DescribeConfigsResponse, DescribeGroupsResponse, DescribeLogDirsResponse, DescribeTopicPartitionsResponse,
    DescribeUserScramCredentialsResponse, ElectLeadersResponse, FindCoordinatorResponse, HeartbeatResponse,
    IncrementalAlterConfigsResponse, InitProducerIdResponse, JoinGroupResponse, LeaveGroupResponse, ListGroupsResponse,
    ListOffsetsResponse, ListPartitionReassignmentsResponse, MetadataResponse, OffsetCommitResponse,
    OffsetDeleteResponse, OffsetFetchResponse, OffsetForLeaderEpochResponse, SaslAuthenticateResponse,
    SaslHandshakeResponse, SyncGroupResponse,
};

use crate::{
    connection::versions_of,
    group,
    log_position::{LogPosition, NO_EPOCH},
    wire::{fetch, partition_records::PartitionRecords, produce, response_layout::decode},
};

/// Reads an answer to an API from behind its correlation id. Returns whether it is one.
pub fn answer(api: i16, version: i16, bytes: &[u8]) -> bool {
    let Ok(api) = ApiKey::try_from(api) else { return false };
    if !versions_of(api).is_some_and(|versions| versions.contains(&version)) {
        return false;
    }
    let bytes = || Bytes::copy_from_slice(bytes);
    macro_rules! decodes {
        ($response:ty) => {
            decode::<$response>(api, version, bytes()).is_ok()
        };
    }
    match api {
        ApiKey::Produce => produce::answer(&bytes(), version, 1).is_ok(),
        ApiKey::Fetch => fetched(version, bytes()).is_some(),
        ApiKey::ListOffsets => decodes!(ListOffsetsResponse),
        ApiKey::Metadata => decodes!(MetadataResponse),
        ApiKey::OffsetCommit => decodes!(OffsetCommitResponse),
        ApiKey::OffsetFetch => decodes!(OffsetFetchResponse),
        ApiKey::FindCoordinator => decodes!(FindCoordinatorResponse),
        ApiKey::JoinGroup => decodes!(JoinGroupResponse),
        ApiKey::Heartbeat => decodes!(HeartbeatResponse),
        ApiKey::LeaveGroup => decodes!(LeaveGroupResponse),
        ApiKey::SyncGroup => decodes!(SyncGroupResponse),
        ApiKey::DescribeGroups => decodes!(DescribeGroupsResponse),
        ApiKey::SaslHandshake => decodes!(SaslHandshakeResponse),
        ApiKey::ApiVersions => decodes!(ApiVersionsResponse),
        ApiKey::CreateTopics => decodes!(CreateTopicsResponse),
        ApiKey::DeleteTopics => decodes!(DeleteTopicsResponse),
        ApiKey::InitProducerId => decodes!(InitProducerIdResponse),
        ApiKey::DescribeConfigs => decodes!(DescribeConfigsResponse),
        ApiKey::SaslAuthenticate => decodes!(SaslAuthenticateResponse),
        ApiKey::CreatePartitions => decodes!(CreatePartitionsResponse),
        ApiKey::IncrementalAlterConfigs => decodes!(IncrementalAlterConfigsResponse),
        ApiKey::ListGroups => decodes!(ListGroupsResponse),
        ApiKey::OffsetDelete => decodes!(OffsetDeleteResponse),
        ApiKey::DeleteGroups => decodes!(DeleteGroupsResponse),
        ApiKey::DeleteRecords => decodes!(DeleteRecordsResponse),
        ApiKey::ConsumerGroupDescribe => decodes!(ConsumerGroupDescribeResponse),
        ApiKey::DescribeAcls => decodes!(DescribeAclsResponse),
        ApiKey::CreateAcls => decodes!(CreateAclsResponse),
        ApiKey::DeleteAcls => decodes!(DeleteAclsResponse),
        ApiKey::AlterPartitionReassignments => decodes!(AlterPartitionReassignmentsResponse),
        ApiKey::ElectLeaders => decodes!(ElectLeadersResponse),
        ApiKey::DescribeLogDirs => decodes!(DescribeLogDirsResponse),
        ApiKey::DescribeUserScramCredentials => decodes!(DescribeUserScramCredentialsResponse),
        ApiKey::DescribeTopicPartitions => decodes!(DescribeTopicPartitionsResponse),
        ApiKey::AlterUserScramCredentials => decodes!(AlterUserScramCredentialsResponse),
        ApiKey::ListPartitionReassignments => decodes!(ListPartitionReassignmentsResponse),
        ApiKey::OffsetForLeaderEpoch => decodes!(OffsetForLeaderEpochResponse),
        other => panic!("{other:?} is spoken, and nothing here reads its answer"),
    }
}

/// How many records an answer to Fetch has; `None`: it is none.
fn fetched(version: i16, frame: Bytes) -> Option<usize> {
    let answer = fetch::answer(&frame, version).ok()?;
    let records = |partition: &fetch::PartitionAnswer<'_>| {
        records_of(frame.slice_ref(partition.records), &partition.aborted).unwrap_or(0)
    };
    Some(answer.partitions.iter().map(records).sum())
}

fn records_of(batches: Bytes, aborted: &[(i64, i64)]) -> Option<usize> {
    let records = PartitionRecords::new(batches, aborted, LogPosition::new(0, NO_EPOCH));
    records.end()?;
    // One that cannot be read ends it.
    Some(records.take_while(Result::is_ok).count())
}

/// Reads the batches of a partition as a consumer does, the first with its checksum made right: nothing else would be tried. Returns the
/// number of records before the first bad one.
pub fn batches(bytes: &[u8]) -> usize {
    let mut bytes = bytes.to_vec();
    let length = bytes.get(8..12).and_then(|length| Some(u32::from_be_bytes(*length.first_chunk()?)));
    let end = length.and_then(|length| usize::try_from(length).ok()?.checked_add(12));
    if let Some(checksum) = end.and_then(|end| Some(crc32c::crc32c(bytes.get(21..end)?))) {
        bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    }
    records_of(Bytes::from(bytes), &[(1, 0)]).unwrap_or(0)
}

/// Reads what members of a group tell each other. Returns how many kinds of it the bytes are.
pub fn group_bytes(bytes: &[u8]) -> usize {
    group::read_foreign(bytes)
}
