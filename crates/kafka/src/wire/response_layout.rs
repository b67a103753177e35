//! The layout of the answers that `kafka-protocol` decodes: which fields follow each other.
//!
//! The generated decoders reserve memory for as many elements as an answer announces before they read one, so that a few bytes
//! from a port where no broker listens could ask for gigabytes. [`is_sound`] walks an answer first and lets nothing pass whose
//! arrays and texts are longer than the bytes behind them. A test holds every layout against what `kafka-protocol` encodes.

mod administration;

use bytes::{Buf, Bytes};
use kafka_protocol::{
    messages::ApiKey,
    protocol::{Decodable, HeaderVersion},
};

use super::cursor::{Cursor, Malformed};

/// A field, and the versions that have it.
struct Field {
    versions: std::ops::RangeInclusive<i16>,
    form: Form,
}

enum Form {
    /// A number of this many bytes.
    Fixed(usize),
    /// A string, perhaps null.
    Text,
    /// Bytes, perhaps null.
    Data,
    /// An array, perhaps null, of structures.
    Structures(&'static [Field]),
    /// One structure.
    Structure(&'static [Field]),
    /// One structure behind a byte, or a negative byte alone.
    NullableStructure(&'static [Field]),
    /// An array, perhaps null, of strings.
    Texts,
    /// An array, perhaps null, of numbers of this many bytes.
    Numbers(usize),
}

const fn all(form: Form) -> Field {
    Field { versions: 0..=i16::MAX, form }
}

const fn since(version: i16, form: Form) -> Field {
    Field { versions: version..=i16::MAX, form }
}

use Form::{Data, Fixed, NullableStructure, Numbers, Structure, Structures, Text, Texts};

const SASL_HANDSHAKE: &[Field] = &[all(Fixed(2)), all(Structures(&[all(Text)]))];

const SASL_AUTHENTICATE: &[Field] = &[all(Fixed(2)), all(Text), all(Data), since(1, Fixed(8))];

const API_VERSIONS: &[Field] =
    &[all(Fixed(2)), all(Structures(&[all(Fixed(2)), all(Fixed(2)), all(Fixed(2))])), since(1, Fixed(4))];

const METADATA: &[Field] = &[
    since(3, Fixed(4)),
    all(Structures(&[all(Fixed(4)), all(Text), all(Fixed(4)), since(1, Text)])),
    since(2, Text),
    since(1, Fixed(4)),
    all(Structures(&[
        all(Fixed(2)),
        all(Text),
        since(10, Fixed(16)),
        since(1, Fixed(1)),
        all(Structures(&[
            all(Fixed(2)),
            all(Fixed(4)),
            all(Fixed(4)),
            since(7, Fixed(4)),
            all(Numbers(4)),
            all(Numbers(4)),
            since(5, Numbers(4)),
        ])),
        since(8, Fixed(4)),
    ])),
    Field { versions: 8..=10, form: Fixed(4) },
];

const LIST_OFFSETS: &[Field] = &[
    since(2, Fixed(4)),
    all(Structures(&[
        all(Text),
        all(Structures(&[all(Fixed(4)), all(Fixed(2)), all(Fixed(8)), all(Fixed(8)), since(4, Fixed(4))])),
    ])),
];

const OFFSET_FOR_LEADER_EPOCH: &[Field] = &[
    all(Fixed(4)),
    all(Structures(&[all(Text), all(Structures(&[all(Fixed(2)), all(Fixed(4)), all(Fixed(4)), all(Fixed(8))]))])),
];

const INIT_PRODUCER_ID: &[Field] = &[all(Fixed(4)), all(Fixed(2)), all(Fixed(8)), all(Fixed(2))];

const CREATE_TOPICS: &[Field] = &[
    since(2, Fixed(4)),
    all(Structures(&[
        all(Text),
        since(7, Fixed(16)),
        all(Fixed(2)),
        since(1, Text),
        since(5, Fixed(4)),
        since(5, Fixed(2)),
        since(5, Structures(&[all(Text), all(Text), all(Fixed(1)), all(Fixed(1)), all(Fixed(1))])),
    ])),
];

const DELETE_TOPICS: &[Field] =
    &[since(1, Fixed(4)), all(Structures(&[all(Text), since(6, Fixed(16)), all(Fixed(2)), since(5, Text)]))];

const CREATE_PARTITIONS: &[Field] = &[all(Fixed(4)), all(Structures(&[all(Text), all(Fixed(2)), all(Text)]))];

const DESCRIBE_CONFIGS: &[Field] = &[
    all(Fixed(4)),
    all(Structures(&[
        all(Fixed(2)),
        all(Text),
        all(Fixed(1)),
        all(Text),
        all(Structures(&[
            all(Text),
            all(Text),
            all(Fixed(1)),
            all(Fixed(1)),
            all(Fixed(1)),
            since(1, Structures(&[all(Text), all(Text), all(Fixed(1))])),
            since(3, Fixed(1)),
            since(3, Text),
        ])),
    ])),
];

const DESCRIBE_GROUPS: &[Field] = &[
    since(1, Fixed(4)),
    all(Structures(&[
        all(Fixed(2)),
        all(Text),
        all(Text),
        all(Text),
        all(Text),
        all(Structures(&[all(Text), since(4, Text), all(Text), all(Text), all(Data), all(Data)])),
        since(3, Fixed(4)),
    ])),
];

const FIND_COORDINATOR: &[Field] =
    &[since(1, Fixed(4)), all(Fixed(2)), since(1, Text), all(Fixed(4)), all(Text), all(Fixed(4))];

const JOIN_GROUP: &[Field] = &[
    since(2, Fixed(4)),
    all(Fixed(2)),
    all(Fixed(4)),
    since(7, Text),
    all(Text),
    all(Text),
    since(9, Fixed(1)),
    all(Text),
    all(Structures(&[all(Text), since(5, Text), all(Data)])),
];

const SYNC_GROUP: &[Field] = &[since(1, Fixed(4)), all(Fixed(2)), since(5, Text), since(5, Text), all(Data)];

const HEARTBEAT: &[Field] = &[since(1, Fixed(4)), all(Fixed(2))];

const LEAVE_GROUP: &[Field] =
    &[since(1, Fixed(4)), all(Fixed(2)), since(3, Structures(&[all(Text), all(Text), all(Fixed(2))]))];

const OFFSET_COMMIT: &[Field] =
    &[since(3, Fixed(4)), all(Structures(&[all(Text), all(Structures(&[all(Fixed(4)), all(Fixed(2))]))]))];

const OFFSET_FETCH: &[Field] = &[
    since(3, Fixed(4)),
    all(Structures(&[
        all(Text),
        all(Structures(&[all(Fixed(4)), all(Fixed(8)), since(5, Fixed(4)), all(Text), all(Fixed(2))])),
    ])),
    since(2, Fixed(2)),
];

fn layout(api: ApiKey) -> Option<&'static [Field]> {
    Some(match api {
        ApiKey::SaslHandshake => SASL_HANDSHAKE,
        ApiKey::SaslAuthenticate => SASL_AUTHENTICATE,
        ApiKey::ApiVersions => API_VERSIONS,
        ApiKey::Metadata => METADATA,
        ApiKey::ListOffsets => LIST_OFFSETS,
        ApiKey::OffsetForLeaderEpoch => OFFSET_FOR_LEADER_EPOCH,
        ApiKey::InitProducerId => INIT_PRODUCER_ID,
        ApiKey::CreateTopics => CREATE_TOPICS,
        ApiKey::DeleteTopics => DELETE_TOPICS,
        ApiKey::CreatePartitions => CREATE_PARTITIONS,
        ApiKey::DescribeConfigs => DESCRIBE_CONFIGS,
        ApiKey::DescribeGroups => DESCRIBE_GROUPS,
        ApiKey::FindCoordinator => FIND_COORDINATOR,
        ApiKey::JoinGroup => JOIN_GROUP,
        ApiKey::SyncGroup => SYNC_GROUP,
        ApiKey::Heartbeat => HEARTBEAT,
        ApiKey::LeaveGroup => LEAVE_GROUP,
        ApiKey::OffsetCommit => OFFSET_COMMIT,
        ApiKey::OffsetFetch => OFFSET_FETCH,
        other => return administration::layout(other),
    })
}

/// The answer to a request, from behind its correlation id. Checked against the bytes before anything is reserved.
pub(crate) fn decode<T: Decodable + HeaderVersion>(api: ApiKey, version: i16, bytes: Bytes) -> Result<T, String> {
    let flexible = api.request_header_version(version) >= 2;
    let tagged_header = api.response_header_version(version) >= 1;
    if !is_sound(api, version, flexible, tagged_header, &bytes) {
        return Err(format!("an answer to {api:?} that is not one"));
    }
    let mut body = bytes;
    if tagged_header {
        let mut header = Cursor::new(&body, true);
        header.skip_tagged_fields().map_err(|_| format!("an answer to {api:?} without a header"))?;
        let skipped = body.len() - header.remaining();
        body.advance(skipped);
    }
    T::decode(&mut body, version).map_err(|error| format!("an answer to {api:?} that cannot be read: {error}"))
}

/// Whether an answer (from behind its correlation id) has the layout of this API: safe to be decoded.
pub(crate) fn is_sound(api: ApiKey, version: i16, flexible: bool, tagged_header: bool, bytes: &[u8]) -> bool {
    let Some(fields) = layout(api) else { return false };
    let mut cursor = Cursor::new(bytes, tagged_header);
    if cursor.skip_tagged_fields().is_err() {
        return false;
    }
    let mut body = Cursor::new(&bytes[bytes.len() - cursor.remaining()..], flexible);
    structure(&mut body, fields, version).is_ok()
}

fn structure(cursor: &mut Cursor<'_>, fields: &'static [Field], version: i16) -> Result<(), Malformed> {
    for field in fields.iter().filter(|field| field.versions.contains(&version)) {
        match field.form {
            Fixed(bytes) => drop(cursor.take(bytes)?),
            Text => drop(cursor.string()?),
            Data => drop(cursor.bytes()?),
            Numbers(bytes) => {
                let count = cursor.array_length()?.unwrap_or(0);
                cursor.take(count.checked_mul(bytes).ok_or(Malformed)?)?;
            }
            Texts => {
                for _ in 0..cursor.array_length()?.unwrap_or(0) {
                    cursor.string()?;
                }
            }
            Structure(fields) => structure(cursor, fields, version)?,
            NullableStructure(fields) => {
                if cursor.take(1)?[0] < 0x80 {
                    structure(cursor, fields, version)?;
                }
            }
            Structures(fields) => {
                for _ in 0..cursor.array_length()?.unwrap_or(0) {
                    structure(cursor, fields, version)?;
                }
            }
        }
    }
    cursor.skip_tagged_fields()
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::{
        messages::{
            ApiVersionsResponse, BrokerId, CreatePartitionsResponse, CreateTopicsResponse, DeleteTopicsResponse,
            DescribeConfigsResponse, DescribeGroupsResponse, FindCoordinatorResponse, HeartbeatResponse,
            InitProducerIdResponse, JoinGroupResponse, LeaveGroupResponse, ListOffsetsResponse, MetadataResponse,
            OffsetCommitResponse, OffsetFetchResponse, OffsetForLeaderEpochResponse, SaslAuthenticateResponse,
            SaslHandshakeResponse, SyncGroupResponse,
            api_versions_response::ApiVersion,
            create_partitions_response::CreatePartitionsTopicResult,
            create_topics_response::{CreatableTopicConfigs, CreatableTopicResult},
            delete_topics_response::DeletableTopicResult,
            describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym},
            describe_groups_response::{DescribedGroup, DescribedGroupMember},
            join_group_response::JoinGroupResponseMember,
            leave_group_response::MemberResponse,
            list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
            metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
            offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
            offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic},
            offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
        },
        protocol::Encodable,
    };

    use super::*;
    use crate::connection::versions_of;

    pub(super) fn check(api: ApiKey, response: impl Fn(i16) -> Box<dyn Fn(&mut BytesMut)>) {
        for version in versions_of(api).expect("ours") {
            let mut bytes = BytesMut::new();
            response(version)(&mut bytes);
            let flexible = api.request_header_version(version) >= 2;
            assert!(is_sound(api, version, flexible, false, &bytes), "{api:?} {version}");
            for cut in 0..bytes.len() {
                assert!(!is_sound(api, version, flexible, false, &bytes[..cut]), "{api:?} {version}, {cut} bytes");
            }
        }
    }

    /// An answer without a layout is refused, whatever it is.
    #[test]
    fn every_api_that_is_spoken_has_a_layout() {
        for api in (0..=i16::from(u8::MAX)).filter_map(|key| ApiKey::try_from(key).ok()) {
            let has_own_reader = matches!(api, ApiKey::Produce | ApiKey::Fetch);
            assert!(versions_of(api).is_none() || has_own_reader || layout(api).is_some(), "{api:?}");
        }
    }

    pub(super) fn encoded<T: Encodable + 'static>(response: T, version: i16) -> Box<dyn Fn(&mut BytesMut)> {
        Box::new(move |bytes| response.encode(bytes, version).expect("encodes"))
    }

    #[test]
    fn layouts_fit_what_the_codecs_encode_and_no_cut_passes() {
        check(ApiKey::ApiVersions, |version| {
            encoded(ApiVersionsResponse::default().with_api_keys(vec![ApiVersion::default(); 3]), version)
        });
        check(ApiKey::Metadata, |version| {
            let partition = MetadataResponsePartition::default()
                .with_replica_nodes(vec![BrokerId(1), BrokerId(2)])
                .with_isr_nodes(vec![BrokerId(1)]);
            let topic = MetadataResponseTopic::default()
                .with_name(Some(kafka_protocol::messages::TopicName("topic".into())))
                .with_partitions(vec![partition; 2]);
            let broker = MetadataResponseBroker::default().with_host("host".into()).with_rack(Some("r".into()));
            let response = MetadataResponse::default()
                .with_brokers(vec![broker; 2])
                .with_cluster_id(Some("id".into()))
                .with_topics(vec![topic; 2]);
            encoded(response, version)
        });
        check(ApiKey::ListOffsets, |version| {
            let topic = ListOffsetsTopicResponse::default()
                .with_name(kafka_protocol::messages::TopicName("topic".into()))
                .with_partitions(vec![ListOffsetsPartitionResponse::default(); 2]);
            encoded(ListOffsetsResponse::default().with_topics(vec![topic]), version)
        });
        check(ApiKey::OffsetForLeaderEpoch, |version| {
            let topic = OffsetForLeaderTopicResult::default()
                .with_topic(kafka_protocol::messages::TopicName("topic".into()))
                .with_partitions(vec![EpochEndOffset::default(); 2]);
            encoded(OffsetForLeaderEpochResponse::default().with_topics(vec![topic]), version)
        });
        check(ApiKey::InitProducerId, |version| encoded(InitProducerIdResponse::default(), version));
        check(ApiKey::CreateTopics, |version| {
            let mut topic = CreatableTopicResult::default()
                .with_name(kafka_protocol::messages::TopicName("topic".into()))
                .with_error_message(Some("no".into()));
            if version >= 5 {
                topic = topic.with_configs(Some(vec![CreatableTopicConfigs::default(); 2]));
            }
            encoded(CreateTopicsResponse::default().with_topics(vec![topic]), version)
        });
        check(ApiKey::DeleteTopics, |version| {
            let topic =
                DeletableTopicResult::default().with_name(Some(kafka_protocol::messages::TopicName("topic".into())));
            encoded(DeleteTopicsResponse::default().with_responses(vec![topic]), version)
        });
        check(ApiKey::CreatePartitions, |version| {
            encoded(
                CreatePartitionsResponse::default().with_results(vec![CreatePartitionsTopicResult::default()]),
                version,
            )
        });
        check(ApiKey::DescribeConfigs, |version| {
            let config = DescribeConfigsResourceResult::default()
                .with_value(Some("value".into()))
                .with_synonyms(vec![DescribeConfigsSynonym::default()]);
            let result = DescribeConfigsResult::default().with_configs(vec![config; 2]);
            encoded(DescribeConfigsResponse::default().with_results(vec![result]), version)
        });
        check(ApiKey::SaslHandshake, |version| {
            let mechanisms = vec!["PLAIN".into(), "SCRAM-SHA-512".into()];
            encoded(SaslHandshakeResponse::default().with_mechanisms(mechanisms), version)
        });
        check(ApiKey::SaslAuthenticate, |version| {
            let response = SaslAuthenticateResponse::default().with_error_message(Some("refused".into()));
            encoded(response.with_auth_bytes(Bytes::from_static(b"v=")), version)
        });
        check(ApiKey::DescribeGroups, |version| {
            let group = DescribedGroup::default().with_members(vec![DescribedGroupMember::default(); 2]);
            encoded(DescribeGroupsResponse::default().with_groups(vec![group]), version)
        });
        check(ApiKey::FindCoordinator, |version| encoded(FindCoordinatorResponse::default(), version));
        check(ApiKey::JoinGroup, |version| {
            let member = JoinGroupResponseMember::default()
                .with_member_id("member".into())
                .with_metadata(Bytes::from_static(b"metadata"));
            let response = JoinGroupResponse::default()
                .with_protocol_name(Some("range".into()))
                .with_leader("member".into())
                .with_members(vec![member; 2]);
            encoded(response, version)
        });
        check(ApiKey::SyncGroup, |version| {
            encoded(SyncGroupResponse::default().with_assignment(Bytes::from_static(b"assignment")), version)
        });
        check(ApiKey::Heartbeat, |version| encoded(HeartbeatResponse::default(), version));
        check(ApiKey::LeaveGroup, |version| {
            let members = if version >= 3 { vec![MemberResponse::default(); 2] } else { Vec::new() };
            encoded(LeaveGroupResponse::default().with_members(members), version)
        });
        check(ApiKey::OffsetCommit, |version| {
            let topic = OffsetCommitResponseTopic::default()
                .with_name(kafka_protocol::messages::TopicName("topic".into()))
                .with_partitions(vec![OffsetCommitResponsePartition::default(); 2]);
            encoded(OffsetCommitResponse::default().with_topics(vec![topic]), version)
        });
        check(ApiKey::OffsetFetch, |version| {
            let partition = OffsetFetchResponsePartition::default().with_metadata(Some("text".into()));
            let topic = OffsetFetchResponseTopic::default()
                .with_name(kafka_protocol::messages::TopicName("topic".into()))
                .with_partitions(vec![partition; 2]);
            encoded(OffsetFetchResponse::default().with_topics(vec![topic]), version)
        });
    }

    #[test]
    fn a_claim_of_gigabytes_does_not_pass() {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
        assert!(!is_sound(ApiKey::Metadata, 4, false, false, &bytes));
    }
}
