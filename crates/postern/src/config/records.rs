//! What is chosen about consumers, and about producing besides what the Kafka client needs.

use postern_http::ProduceBounds;
use postern_kafka::{ByteCount, Compression};
use postern_proxy::ConsumerLimits;

use super::{ConfigErrors, raw::RawConfig, setting, value};

/// Bounds and defaults of reading and writing records.
#[derive(Debug, PartialEq)]
pub(crate) struct Records {
    pub(crate) consumers: ConsumerLimits,
    /// That of `postern_http::Bounds`.
    pub(crate) streams: usize,
    pub(crate) produce: ProduceBounds,
    /// That of `postern_kafka::Settings`.
    pub(crate) compression: Compression,
}

impl Records {
    pub(super) fn resolve(raw: &RawConfig, errors: &mut ConfigErrors) -> Records {
        let consumers = ConsumerLimits {
            instances: usize::from(raw.take(setting::CONSUMER_INSTANCES, value::count, errors)),
            idle: raw.take(setting::CONSUMER_INSTANCE_TIMEOUT, value::time, errors),
            wait: raw.take(setting::CONSUMER_REQUEST_TIMEOUT, value::time, errors),
            read_bytes: raw.take(setting::CONSUMER_REQUEST_MAX_BYTES, value::bytes, errors),
            min_bytes: raw.find(setting::CONSUMER_MIN_BYTES, value::bytes, errors),
            fetched_ahead: ByteCount(raw.take(setting::CONSUMER_FETCHED_MEMORY, value::bytes, errors)),
            answers: ByteCount(raw.take(setting::CONSUMER_ANSWER_MEMORY, value::bytes, errors)),
            fetch_bytes: ByteCount(raw.take(setting::CONSUMER_FETCH_MAX_BYTES, value::bytes, errors)),
            offset_reset: raw.take(setting::CONSUMER_OFFSET_RESET, value::offset_reset, errors),
            auto_commit: raw.take(setting::CONSUMER_AUTO_COMMIT, value::time_or_off, errors),
            isolation_level: raw.take(setting::CONSUMER_ISOLATION_LEVEL, value::isolation_level, errors),
            session_timeout: raw.take(setting::CONSUMER_SESSION_TIMEOUT, value::time, errors),
            rebalance_timeout: raw.take(setting::CONSUMER_REBALANCE_TIMEOUT, value::time, errors),
        };
        let produce = ProduceBounds {
            stream_duration: raw.take(setting::PRODUCE_STREAM_DURATION, value::time, errors),
            stream_grace: raw.take(setting::PRODUCE_STREAM_GRACE, value::time, errors),
            record: raw.find(setting::PRODUCE_STREAM_RECORD, value::bytes, errors),
            batch_entries: usize::from(raw.take(setting::PRODUCE_BATCH_ENTRIES, value::count, errors)),
            ..ProduceBounds::default()
        };
        let streams = usize::from(raw.take(setting::CONSUMER_STREAMS, value::count, errors));
        let compression = raw.take(setting::PRODUCER_COMPRESSION, value::compression, errors);
        Records { consumers, streams, produce, compression }
    }
}
