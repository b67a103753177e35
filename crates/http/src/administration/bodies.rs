//! Shapes of bodies that are read by hand, for the description of the API only (docs/administration.md).
#![expect(dead_code, reason = "only their shapes are used")]

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// Where to: one of `to`, `offset` and `timestamp_ms`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ResetOffsetsRequest {
    to: Option<End>,
    #[schemars(range(min = 0))]
    offset: Option<i64>,
    #[schemars(range(min = 0))]
    timestamp_ms: Option<i64>,
    /// All partitions of these; without it those of which something is committed.
    topics: Option<Vec<String>>,
    /// True unless it is false.
    dry_run: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum End {
    Earliest,
    Latest,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct DeleteOffsetsRequest {
    partitions: Vec<PartitionOfTopic>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PartitionOfTopic {
    topic_name: String,
    partition_id: i32,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct DeleteRecordsRequest {
    partitions: Vec<DeleteBefore>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct DeleteBefore {
    partition_id: i32,
    /// -1: all records that are there.
    #[schemars(range(min = -1))]
    before_offset: i64,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CreateTopicsRequest {
    #[schemars(length(min = 1))]
    topics: Vec<NewTopic>,
    /// Only checks whether they could be created.
    validate_only: Option<bool>,
}

/// As in API v3, where `validate_only` stands beside the other members.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NewTopic {
    #[schemars(length(min = 1, max = 249), regex(pattern = "^[a-zA-Z0-9._-]+$"))]
    topic_name: String,
    partitions_count: Option<i32>,
    replication_factor: Option<i16>,
    replicas_assignments: Option<BTreeMap<String, Vec<i32>>>,
    configs: Option<Vec<NewTopicConfig>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NewTopicConfig {
    name: String,
    value: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct AlterReassignmentsRequest {
    reassignments: Vec<AlterReassignment>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct AlterReassignment {
    topic_name: String,
    partition_id: i32,
    /// The brokers that are to keep it, the preferred leader first; null: it stays where it was.
    #[schemars(required)]
    replicas: Option<Vec<i32>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ElectLeadersRequest {
    election: Election,
    partitions: Vec<PartitionOfTopic>,
}

/// PREFERRED: the first replica; UNCLEAN: any, where none that has caught up is left, with the loss of records.
#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
enum Election {
    Preferred,
    Unclean,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct SetPasswordRequest {
    #[schemars(length(min = 1, max = 32767))]
    password: String,
    /// How often it is hashed; 4096 where it is not said.
    #[schemars(range(min = 4096, max = 16384))]
    iterations: Option<i32>,
}
