//! Shapes of bodies that are read by hand, for the description of the API only (docs/administration.md).
#![expect(dead_code, reason = "only their shapes are used")]

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
