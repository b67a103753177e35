//! Shapes of what is read and written by hand, for the description of the API only (docs/reference/rest-v3.md).
#![expect(dead_code, reason = "only their shapes are used")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct CreateTopicRequest {
    #[schemars(length(min = 1, max = 249), regex(pattern = "^[a-zA-Z0-9._-]+$"))]
    topic_name: String,
    /// The default of the cluster where it is missing.
    partitions_count: Option<i32>,
    replication_factor: Option<i16>,
    /// The brokers of each partition, instead of the two numbers.
    replicas_assignments: Option<BTreeMap<String, Vec<i32>>>,
    configs: Option<Vec<ConfigOfTopic>>,
    /// Only checks whether it would be possible.
    validate_only: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ConfigOfTopic {
    name: String,
    value: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct AddPartitionsRequest {
    /// How many there are afterwards.
    partitions_count: i32,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct SetConfigRequest {
    value: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct AlterConfigsRequest {
    data: Vec<AlterConfig>,
    validate_only: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AlterConfig {
    name: String,
    /// Not for DELETE.
    value: Option<String>,
    operation: Option<AlterOperation>,
}

/// SET unless it is named.
#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
enum AlterOperation {
    Set,
    Delete,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct AlterConfigsOfTopicsRequest {
    data: Vec<AlterConfigsOfTopic>,
    validate_only: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AlterConfigsOfTopic {
    topic_name: String,
    configs: Vec<AlterConfig>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CreateAclRequest {
    resource_type: AclResourceType,
    resource_name: String,
    pattern_type: AclPatternType,
    /// Such as `User:ana`.
    principal: String,
    /// An address, or `*`.
    host: String,
    operation: AclOperation,
    permission: AclPermission,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CreateAclsRequest {
    #[schemars(length(min = 1))]
    data: Vec<CreateAclRequest>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "SCREAMING_SNAKE_CASE")]
enum AclResourceType {
    Topic,
    Group,
    Cluster,
    TransactionalId,
    DelegationToken,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "SCREAMING_SNAKE_CASE")]
enum AclPatternType {
    Literal,
    Prefixed,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "SCREAMING_SNAKE_CASE")]
enum AclOperation {
    All,
    Read,
    Write,
    Create,
    Delete,
    Alter,
    Describe,
    ClusterAction,
    DescribeConfigs,
    AlterConfigs,
    IdempotentWrite,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "SCREAMING_SNAKE_CASE")]
enum AclPermission {
    Allow,
    Deny,
}

/// One record. A stream is any number of such documents, one after another, and is answered by as many.
#[derive(JsonSchema)]
#[schemars(rename = "ProduceRecordRequest", deny_unknown_fields)]
pub(super) struct RecordRequest {
    partition_id: Option<i32>,
    headers: Option<Vec<RecordHeader>>,
    key: Option<RecordData>,
    value: Option<RecordData>,
    /// ISO 8601 with an offset; now where it is missing.
    timestamp: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename = "ProduceHeader", deny_unknown_fields)]
struct RecordHeader {
    name: String,
    /// In base64.
    value: Option<String>,
}

/// A key or value: `data`, and how it is to be encoded. Without a type the schema is one that is registered: the latest of the subject
/// unless `schema_id` or `schema_version` says another.
#[derive(JsonSchema)]
#[schemars(rename = "ProduceData", deny_unknown_fields)]
struct RecordData {
    #[schemars(rename = "type")]
    data_type: Option<DataType>,
    subject: Option<String>,
    subject_name_strategy: Option<SubjectNameStrategy>,
    schema_id: Option<i32>,
    schema_version: Option<i32>,
    /// The schema as a text, with the type AVRO, JSONSCHEMA or PROTOBUF.
    schema: Option<String>,
    data: Value,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
enum DataType {
    Binary,
    Json,
    String,
    Avro,
    JsonSchema,
    Protobuf,
}

#[derive(JsonSchema)]
enum SubjectNameStrategy {
    #[schemars(rename = "TOPIC_NAME")]
    Topic,
    #[schemars(rename = "RECORD_NAME")]
    Record,
    #[schemars(rename = "TOPIC_RECORD_NAME")]
    TopicRecord,
}

/// Where a record is (`error_code` 200), or why it was not written.
#[derive(JsonSchema)]
#[schemars(rename = "ProduceReceipt")]
pub(super) struct RecordReceipt {
    error_code: u32,
    #[schemars(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    topic_name: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    partition_id: Option<i32>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    key: Option<WrittenData>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    value: Option<WrittenData>,
}

#[derive(JsonSchema)]
struct WrittenData {
    #[schemars(rename = "type")]
    data_type: DataType,
    #[schemars(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    schema_id: Option<i32>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    schema_version: Option<i32>,
    /// Bytes.
    size: i64,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ProduceBatchRequest {
    #[schemars(length(min = 1))]
    entries: Vec<BatchEntry>,
}

/// A record with an id, under which it is answered.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct BatchEntry {
    #[schemars(regex(pattern = "^[a-zA-Z0-9_-]{1,80}$"))]
    id: String,
    partition_id: Option<i32>,
    headers: Option<Vec<RecordHeader>>,
    key: Option<RecordData>,
    value: Option<RecordData>,
    timestamp: Option<String>,
}

#[derive(JsonSchema)]
pub(super) struct ProduceBatchResponse {
    successes: Vec<BatchSuccess>,
    failures: Vec<BatchFailure>,
}

#[derive(JsonSchema)]
struct BatchSuccess {
    id: String,
    cluster_id: String,
    topic_name: String,
    partition_id: i32,
    offset: i64,
    #[schemars(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    key: Option<WrittenData>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    value: Option<WrittenData>,
}

#[derive(JsonSchema)]
struct BatchFailure {
    id: String,
    error_code: u32,
    message: String,
}

/// Records that were read.
#[derive(JsonSchema)]
#[schemars(rename = "KafkaRecordList")]
pub(super) struct RecordList {
    kind: String,
    metadata: RecordListMetadata,
    data: Vec<ReadRecord>,
}

#[derive(JsonSchema)]
struct RecordListMetadata {
    #[schemars(rename = "self")]
    url: String,
    /// Goes on behind these records.
    next: String,
}

#[derive(JsonSchema)]
#[schemars(rename = "KafkaRecord")]
struct ReadRecord {
    topic_name: String,
    partition_id: i32,
    offset: i64,
    #[schemars(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    /// Where `include` asks for them.
    #[schemars(skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<ReadHeader>>,
    key: Option<ReadData>,
    value: Option<ReadData>,
}

#[derive(JsonSchema)]
#[schemars(rename = "KafkaRecordHeader")]
struct ReadHeader {
    name: String,
    /// In base64.
    value: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename = "KafkaRecordData")]
struct ReadData {
    /// Where the record does not name its schema by an id.
    #[schemars(rename = "type", skip_serializing_if = "Option::is_none")]
    data_type: Option<DataType>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    schema_id: Option<i32>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    schema_guid: Option<String>,
    data: Value,
}
