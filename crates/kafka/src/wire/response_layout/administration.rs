//! The layouts of answers that only administration asks for.

use kafka_protocol::messages::ApiKey;

use super::{
    Field,
    Form::{Fixed, NullableStructure, Numbers, Structure, Structures, Text, Texts},
    all, since,
};

const INCREMENTAL_ALTER_CONFIGS: &[Field] =
    &[all(Fixed(4)), all(Structures(&[all(Fixed(2)), all(Text), all(Fixed(1)), all(Text)]))];

const LIST_GROUPS: &[Field] =
    &[since(1, Fixed(4)), all(Fixed(2)), all(Structures(&[all(Text), all(Text), since(4, Text), since(5, Text)]))];

const OFFSET_DELETE: &[Field] =
    &[all(Fixed(2)), all(Fixed(4)), all(Structures(&[all(Text), all(Structures(&[all(Fixed(4)), all(Fixed(2))]))]))];

const DELETE_RECORDS: &[Field] =
    &[all(Fixed(4)), all(Structures(&[all(Text), all(Structures(&[all(Fixed(4)), all(Fixed(8)), all(Fixed(2))]))]))];

const DELETE_GROUPS: &[Field] = &[all(Fixed(4)), all(Structures(&[all(Text), all(Fixed(2))]))];

const ASSIGNMENT: &[Field] = &[all(Structures(&[all(Fixed(16)), all(Text), all(Numbers(4))]))];

const CONSUMER_GROUP_DESCRIBE: &[Field] = &[
    all(Fixed(4)),
    all(Structures(&[
        all(Fixed(2)),
        all(Text),
        all(Text),
        all(Text),
        all(Fixed(4)),
        all(Fixed(4)),
        all(Text),
        all(Structures(&[
            all(Text),
            all(Text),
            all(Text),
            all(Fixed(4)),
            all(Text),
            all(Text),
            all(Texts),
            all(Text),
            all(Structure(ASSIGNMENT)),
            all(Structure(ASSIGNMENT)),
            since(1, Fixed(1)),
        ])),
        all(Fixed(4)),
    ])),
];

const ACL: [Field; 4] = [all(Text), all(Text), all(Fixed(1)), all(Fixed(1))];

const DESCRIBE_ACLS: &[Field] = &[
    all(Fixed(4)),
    all(Fixed(2)),
    all(Text),
    all(Structures(&[all(Fixed(1)), all(Text), all(Fixed(1)), all(Structures(&ACL))])),
];

const CREATE_ACLS: &[Field] = &[all(Fixed(4)), all(Structures(&[all(Fixed(2)), all(Text)]))];

const DELETE_ACLS: &[Field] = &[
    all(Fixed(4)),
    all(Structures(&[
        all(Fixed(2)),
        all(Text),
        all(Structures(&[
            all(Fixed(2)),
            all(Text),
            all(Fixed(1)),
            all(Text),
            all(Fixed(1)),
            all(Text),
            all(Text),
            all(Fixed(1)),
            all(Fixed(1)),
        ])),
    ])),
];

const LIST_PARTITION_REASSIGNMENTS: &[Field] = &[
    all(Fixed(4)),
    all(Fixed(2)),
    all(Text),
    all(Structures(&[all(Text), all(Structures(&[all(Fixed(4)), all(Numbers(4)), all(Numbers(4)), all(Numbers(4))]))])),
];

const ALTER_PARTITION_REASSIGNMENTS: &[Field] = &[
    all(Fixed(4)),
    all(Fixed(2)),
    all(Text),
    all(Structures(&[all(Text), all(Structures(&[all(Fixed(4)), all(Fixed(2)), all(Text)]))])),
];

const ELECT_LEADERS: &[Field] = &[
    all(Fixed(4)),
    since(1, Fixed(2)),
    all(Structures(&[all(Text), all(Structures(&[all(Fixed(4)), all(Fixed(2)), all(Text)]))])),
];

const DESCRIBE_LOG_DIRS: &[Field] = &[
    all(Fixed(4)),
    since(3, Fixed(2)),
    all(Structures(&[
        all(Fixed(2)),
        all(Text),
        all(Structures(&[all(Text), all(Structures(&[all(Fixed(4)), all(Fixed(8)), all(Fixed(8)), all(Fixed(1))]))])),
        since(4, Fixed(8)),
        since(4, Fixed(8)),
    ])),
];

const DESCRIBE_TOPIC_PARTITIONS: &[Field] = &[
    all(Fixed(4)),
    all(Structures(&[
        all(Fixed(2)),
        all(Text),
        all(Fixed(16)),
        all(Fixed(1)),
        all(Structures(&[
            all(Fixed(2)),
            all(Fixed(4)),
            all(Fixed(4)),
            all(Fixed(4)),
            all(Numbers(4)),
            all(Numbers(4)),
            all(Numbers(4)),
            all(Numbers(4)),
            all(Numbers(4)),
        ])),
        all(Fixed(4)),
    ])),
    all(NullableStructure(&[all(Text), all(Fixed(4))])),
];

const DESCRIBE_USER_SCRAM_CREDENTIALS: &[Field] = &[
    all(Fixed(4)),
    all(Fixed(2)),
    all(Text),
    all(Structures(&[all(Text), all(Fixed(2)), all(Text), all(Structures(&[all(Fixed(1)), all(Fixed(4))]))])),
];

const ALTER_USER_SCRAM_CREDENTIALS: &[Field] =
    &[all(Fixed(4)), all(Structures(&[all(Text), all(Fixed(2)), all(Text)]))];

pub(super) fn layout(api: ApiKey) -> Option<&'static [Field]> {
    Some(match api {
        ApiKey::IncrementalAlterConfigs => INCREMENTAL_ALTER_CONFIGS,
        ApiKey::ListGroups => LIST_GROUPS,
        ApiKey::OffsetDelete => OFFSET_DELETE,
        ApiKey::DeleteGroups => DELETE_GROUPS,
        ApiKey::DeleteRecords => DELETE_RECORDS,
        ApiKey::ConsumerGroupDescribe => CONSUMER_GROUP_DESCRIBE,
        ApiKey::DescribeAcls => DESCRIBE_ACLS,
        ApiKey::CreateAcls => CREATE_ACLS,
        ApiKey::DeleteAcls => DELETE_ACLS,
        ApiKey::ListPartitionReassignments => LIST_PARTITION_REASSIGNMENTS,
        ApiKey::AlterPartitionReassignments => ALTER_PARTITION_REASSIGNMENTS,
        ApiKey::ElectLeaders => ELECT_LEADERS,
        ApiKey::DescribeLogDirs => DESCRIBE_LOG_DIRS,
        ApiKey::DescribeTopicPartitions => DESCRIBE_TOPIC_PARTITIONS,
        ApiKey::DescribeUserScramCredentials => DESCRIBE_USER_SCRAM_CREDENTIALS,
        ApiKey::AlterUserScramCredentials => ALTER_USER_SCRAM_CREDENTIALS,
        _ => return None, // not asked by this client
    })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        AlterPartitionReassignmentsResponse, AlterUserScramCredentialsResponse, BrokerId,
        ConsumerGroupDescribeResponse, CreateAclsResponse, DeleteAclsResponse, DeleteGroupsResponse,
        DeleteRecordsResponse, DescribeAclsResponse, DescribeLogDirsResponse, DescribeTopicPartitionsResponse,
        DescribeUserScramCredentialsResponse, ElectLeadersResponse, IncrementalAlterConfigsResponse,
        ListGroupsResponse, ListPartitionReassignmentsResponse, OffsetDeleteResponse, TopicName,
        alter_partition_reassignments_response::{ReassignablePartitionResponse, ReassignableTopicResponse},
        alter_user_scram_credentials_response::AlterUserScramCredentialsResult,
        consumer_group_describe_response as group,
        create_acls_response::AclCreationResult,
        delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl},
        delete_groups_response::DeletableGroupResult,
        delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
        describe_acls_response::{AclDescription, DescribeAclsResource},
        describe_log_dirs_response::{DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic},
        describe_topic_partitions_response::{
            Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
        },
        describe_user_scram_credentials_response::{CredentialInfo, DescribeUserScramCredentialsResult},
        elect_leaders_response::{PartitionResult as ElectedPartition, ReplicaElectionResult},
        incremental_alter_configs_response::AlterConfigsResourceResponse,
        list_groups_response::ListedGroup,
        list_partition_reassignments_response::{OngoingPartitionReassignment, OngoingTopicReassignment},
        offset_delete_response as delete,
    };

    use super::super::tests::{check, encoded};
    use super::*;

    #[test]
    fn layouts_fit_what_the_codecs_encode_and_no_cut_passes() {
        check(ApiKey::IncrementalAlterConfigs, |version| {
            let responses = vec![AlterConfigsResourceResponse::default().with_error_message(Some("no".into())); 2];
            encoded(IncrementalAlterConfigsResponse::default().with_responses(responses), version)
        });
        check(ApiKey::ListGroups, |version| {
            encoded(ListGroupsResponse::default().with_groups(vec![ListedGroup::default(); 2]), version)
        });
        check(ApiKey::OffsetDelete, |version| {
            let topic = delete::OffsetDeleteResponseTopic::default()
                .with_name(TopicName("topic".into()))
                .with_partitions(vec![delete::OffsetDeleteResponsePartition::default(); 2]);
            encoded(OffsetDeleteResponse::default().with_topics(vec![topic]), version)
        });
        check(ApiKey::DeleteGroups, |version| {
            encoded(DeleteGroupsResponse::default().with_results(vec![DeletableGroupResult::default(); 2]), version)
        });
        check(ApiKey::DeleteRecords, |version| {
            let topic = DeleteRecordsTopicResult::default()
                .with_name(TopicName("topic".into()))
                .with_partitions(vec![DeleteRecordsPartitionResult::default(); 2]);
            encoded(DeleteRecordsResponse::default().with_topics(vec![topic]), version)
        });
        check(ApiKey::ConsumerGroupDescribe, |version| {
            let partitions = group::TopicPartitions::default()
                .with_topic_name(TopicName("topic".into()))
                .with_partitions(vec![1, 2]);
            let member = group::Member::default()
                .with_subscribed_topic_names(vec![TopicName("topic".into()); 2])
                .with_assignment(group::Assignment::default().with_topic_partitions(vec![partitions; 2]));
            let described = group::DescribedGroup::default().with_members(vec![member; 2]);
            encoded(ConsumerGroupDescribeResponse::default().with_groups(vec![described]), version)
        });
        check(ApiKey::DescribeAcls, |version| {
            let resource =
                DescribeAclsResource::default().with_pattern_type(3).with_acls(vec![AclDescription::default(); 2]);
            encoded(DescribeAclsResponse::default().with_resources(vec![resource; 2]), version)
        });
        check(ApiKey::CreateAcls, |version| {
            encoded(CreateAclsResponse::default().with_results(vec![AclCreationResult::default(); 2]), version)
        });
        check(ApiKey::DeleteAcls, |version| {
            let matching = DeleteAclsMatchingAcl::default().with_pattern_type(3);
            let result = DeleteAclsFilterResult::default().with_matching_acls(vec![matching; 2]);
            encoded(DeleteAclsResponse::default().with_filter_results(vec![result]), version)
        });
        check(ApiKey::ListPartitionReassignments, |version| {
            let partition = OngoingPartitionReassignment::default().with_replicas(vec![BrokerId(1), BrokerId(2)]);
            let topic = OngoingTopicReassignment::default().with_partitions(vec![partition; 2]);
            encoded(ListPartitionReassignmentsResponse::default().with_topics(vec![topic]), version)
        });
        check(ApiKey::AlterPartitionReassignments, |version| {
            let topic = ReassignableTopicResponse::default()
                .with_partitions(vec![ReassignablePartitionResponse::default().with_error_message(None); 2]);
            encoded(AlterPartitionReassignmentsResponse::default().with_responses(vec![topic]), version)
        });
        check(ApiKey::ElectLeaders, |version| {
            let topic = ReplicaElectionResult::default().with_partition_result(vec![ElectedPartition::default(); 2]);
            encoded(ElectLeadersResponse::default().with_replica_election_results(vec![topic]), version)
        });
        check(ApiKey::DescribeLogDirs, |version| {
            let topic = DescribeLogDirsTopic::default().with_partitions(vec![DescribeLogDirsPartition::default(); 2]);
            let dir = DescribeLogDirsResult::default().with_topics(vec![topic; 2]);
            encoded(DescribeLogDirsResponse::default().with_results(vec![dir; 2]), version)
        });
        for cursor in [None, Some(Cursor::default())] {
            check(ApiKey::DescribeTopicPartitions, |version| {
                let partition =
                    DescribeTopicPartitionsResponsePartition::default().with_replica_nodes(vec![BrokerId(1); 2]);
                let topic = DescribeTopicPartitionsResponseTopic::default().with_partitions(vec![partition; 2]);
                let response = DescribeTopicPartitionsResponse::default().with_topics(vec![topic; 2]);
                encoded(response.with_next_cursor(cursor.clone()), version)
            });
        }
        check(ApiKey::DescribeUserScramCredentials, |version| {
            let user =
                DescribeUserScramCredentialsResult::default().with_credential_infos(vec![CredentialInfo::default(); 2]);
            encoded(DescribeUserScramCredentialsResponse::default().with_results(vec![user; 2]), version)
        });
        check(ApiKey::AlterUserScramCredentials, |version| {
            let results = vec![AlterUserScramCredentialsResult::default(); 2];
            encoded(AlterUserScramCredentialsResponse::default().with_results(results), version)
        });
    }
}
