//! The settings of a topic that its log obeys.

/// The settings of a topic that its log obeys. The defaults are Apache Kafka 4.1's.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`
    pub segment_bytes: u64,
    /// `segment.ms`
    pub segment_ms: i64,
    /// `index.interval.bytes`
    pub index_interval_bytes: u64,
    /// `max.message.bytes`; looked at before a batch comes here.
    pub max_message_bytes: usize,
    /// `message.timestamp.before.max.ms`; looked at before a batch comes here.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`; looked at before a batch comes here.
    pub timestamp_after_max_ms: i64,
    /// `message.timestamp.type=LogAppendTime`
    pub stamps_append_time: bool,
    /// `cleanup.policy` contains `compact`: records need keys.
    pub is_compacted: bool,
    /// `cleanup.policy` contains `delete`: old records, and records by order, may go.
    pub deletes: bool,
    /// `retention.ms`; -1: for ever.
    pub retention_ms: i64,
    /// `retention.bytes`; -1: any number.
    pub retention_bytes: i64,
    /// `delete.retention.ms`
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`
    pub min_cleanable_dirty_ratio: f64,
    /// `flush.messages`; obeyed by whoever appends, with [`crate::Partition::sync_to`].
    pub flush_messages: i64,
    /// `flush.ms`
    pub flush_ms: i64,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            index_interval_bytes: 4096,
            max_message_bytes: 1_048_588,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            stamps_append_time: false,
            is_compacted: false,
            deletes: true,
            retention_ms: 604_800_000,
            retention_bytes: -1,
            delete_retention_ms: 86_400_000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
        }
    }
}
