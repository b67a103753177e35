//! What bounds the proxy as a whole.

use postern_kafka::ByteCount;

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
