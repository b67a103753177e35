//! Shapes of what is read and written by hand, for the description of the API only (docs/reference/rest-v2.md §5, §7).
#![expect(dead_code, reason = "only their shapes are used")]

use schemars::JsonSchema;
use serde_json::Value;

/// Records to write.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ProduceRequest {
    /// The schema of all values as a text, where the media type is one with schemas; instead of `value_schema_id`.
    value_schema: Option<String>,
    value_schema_id: Option<i32>,
    key_schema: Option<String>,
    key_schema_id: Option<i32>,
    #[schemars(length(min = 1))]
    records: Vec<ProduceRecord>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ProduceRecord {
    /// In base64 where the media type is that of binary records, else JSON.
    #[schemars(default)]
    key: Value,
    #[schemars(default)]
    value: Value,
    #[schemars(range(min = 0))]
    partition: Option<i32>,
}

/// What became of records, in their order.
#[derive(JsonSchema)]
pub(super) struct ProduceResponse {
    offsets: Vec<ProducedRecord>,
    key_schema_id: Option<i32>,
    value_schema_id: Option<i32>,
}

/// Where a record is, or why it was not written.
#[derive(JsonSchema)]
struct ProducedRecord {
    partition: Option<i32>,
    offset: Option<i64>,
    error_code: Option<u32>,
    error: Option<String>,
}

/// The settings of a consumer instance.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ConsumerSettings {
    /// Chosen by the server where it is missing.
    name: Option<String>,
    /// `binary`, `json`, `avro`, `jsonschema` or `protobuf`.
    format: Option<String>,
    /// The same or `string`; without it that of values.
    key_format: Option<String>,
    /// `earliest` or `latest`.
    #[schemars(rename = "auto.offset.reset")]
    auto_offset_reset: Option<String>,
    #[schemars(rename = "auto.commit.enable")]
    auto_commit: Option<String>,
    #[schemars(rename = "fetch.min.bytes", range(min = -1, max = 10_000_000))]
    min_bytes: Option<i32>,
    #[schemars(rename = "consumer.request.timeout.ms")]
    wait_ms: Option<i32>,
}

/// Topics by name, or by a pattern.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct SubscriptionRequest {
    topics: Option<Vec<String>>,
    /// A regular expression that the whole name has to match.
    topic_pattern: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct PartitionsRequest {
    partitions: Vec<TopicPartition>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct TopicPartition {
    topic: String,
    partition: i32,
}

/// Offsets of the last records that are done with.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CommitRequest {
    offsets: Vec<OffsetOf>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct OffsetOf {
    topic: String,
    partition: i32,
    #[schemars(range(min = 0))]
    offset: i64,
    metadata: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct SeekRequest {
    offsets: Option<Vec<OffsetOf>>,
    timestamps: Option<Vec<TimestampOf>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct TimestampOf {
    topic: String,
    partition: i32,
    /// ISO 8601 with an offset, or seconds since 1970.
    timestamp: String,
    metadata: Option<String>,
}

/// A record as it was read.
#[derive(JsonSchema)]
pub(super) struct Record {
    topic: String,
    key: Value,
    value: Value,
    partition: i32,
    offset: i64,
    /// Milliseconds since 1970, where `include` asks for it.
    #[schemars(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    /// Where `include` asks for them.
    #[schemars(skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<RecordHeader>>,
    /// Where `include` asks for it; null where the key has no schema.
    #[schemars(skip_serializing_if = "Option::is_none")]
    key_schema_id: Option<i32>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    value_schema_id: Option<i32>,
    /// Instead of the id where the record names its schema so.
    #[schemars(skip_serializing_if = "Option::is_none")]
    key_schema_guid: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    value_schema_guid: Option<String>,
}

#[derive(JsonSchema)]
struct RecordHeader {
    name: String,
    /// In base64.
    value: Option<String>,
}
