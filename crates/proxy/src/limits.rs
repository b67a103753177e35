//! What bounds the proxy as a whole.

use postern_kafka::ByteCount;

/// The numbers, strings and so on that one value of a record may consist of under a JSON Schema, which is checked on a tree of them. No record
/// of the default maximum size, 1 MiB, has as many.
pub(crate) const JSON_SCHEMA_VALUES_MAX: usize = 1 << 20;

/// How much memory the proxy uses for its callers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Keys and values that no broker has acknowledged yet, over all requests. When it is used up, requests wait; a
    /// request that is larger as a whole is refused. Default 64 MiB.
    pub unacknowledged: ByteCount,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { unacknowledged: ByteCount(64 << 20) }
    }
}
