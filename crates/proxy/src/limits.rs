//! What bounds the proxy as a whole.

use std::time::Duration;

use postern_kafka::{ByteCount, IsolationLevel, OffsetReset};

/// The numbers, strings and so on that one value of a record may consist of under a JSON Schema, which is checked on a tree of them. No record
/// of the default maximum size, 1 MiB, has as many.
pub(crate) const JSON_SCHEMA_VALUES_MAX: usize = 1 << 20;

/// How much memory the proxy uses for its callers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Keys and values that no broker has acknowledged yet, over all requests. When it is used up, requests wait; a
    /// request that is larger as a whole is refused. Default 64 MiB.
    pub unacknowledged: ByteCount,
    /// Consumer instances and what they keep.
    pub consumers: ConsumerLimits,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { unacknowledged: ByteCount(64 << 20), consumers: ConsumerLimits::default() }
    }
}

/// The bounds and defaults of all instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerLimits {
    /// Instances at once. Default 4096.
    pub instances: usize,
    /// An instance that is not used for so long is ended (`consumer.instance.timeout.ms`). Default 5 minutes.
    pub idle: Duration,
    /// The longest wait of a read, where an instance has none of its own (`consumer.request.timeout.ms`). Default 1 s.
    pub wait: Duration,
    /// The most bytes of one read (`consumer.request.max.bytes`). Default 64 MiB.
    pub read_bytes: usize,
    /// A read ends when it has so many bytes; `None`: it lasts as long as it may (`fetch.min.bytes`, -1). Default `None`.
    pub min_bytes: Option<usize>,
    /// Records fetched ahead of reads, over all instances. Default 64 MiB.
    pub fetched_ahead: ByteCount,
    /// Answers of reads that are being put together, and records of streams until they are written, over all consumers; three quarters of it
    /// for streams. A read that finds it used up returns what it has, or waits. Default 64 MiB.
    pub answers: ByteCount,
    /// Bytes that are asked of one broker at a time, and so may be kept for one consumer (`fetch.max.bytes`). Default 1 MiB.
    pub fetch_bytes: ByteCount,
    /// Where an instance begins without a committed offset, if it has no policy of its own (`auto.offset.reset`). Default `Latest`.
    pub offset_reset: OffsetReset,
    /// How often what was read is committed; `None`: only for instances that ask for it, every 5 s (`enable.auto.commit`,
    /// `auto.commit.interval.ms`). Default 5 s.
    pub auto_commit: Option<Duration>,
    /// Which records of transactions are read. Default `ReadUncommitted`.
    pub isolation_level: IsolationLevel,
    /// After so long without a heartbeat a group takes an instance for gone (`session.timeout.ms`). Default 45 s.
    pub session_timeout: Duration,
    /// How long a group waits for an instance to join again (`max.poll.interval.ms`). Default 5 minutes.
    pub rebalance_timeout: Duration,
}

impl Default for ConsumerLimits {
    fn default() -> ConsumerLimits {
        ConsumerLimits {
            instances: 4096,
            idle: Duration::from_secs(300),
            wait: Duration::from_secs(1),
            read_bytes: 64 << 20,
            min_bytes: None,
            fetched_ahead: ByteCount(64 << 20),
            answers: ByteCount(64 << 20),
            fetch_bytes: ByteCount(1 << 20),
            offset_reset: OffsetReset::Latest,
            auto_commit: Some(Duration::from_secs(5)),
            isolation_level: IsolationLevel::ReadUncommitted,
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
        }
    }
}
