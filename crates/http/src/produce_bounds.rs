//! What bounds producing through API v3 besides memory.

use std::time::Duration;

/// The bounds of producing through API v3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceBounds {
    /// After so long a stream takes no further records. Default 24 h.
    pub stream_duration: Duration,
    /// How long records are then still answered, with a refusal, before the stream ends. Default 500 ms.
    pub stream_grace: Duration,
    /// Bytes of one record of a stream, as JSON; a larger one ends the stream. `None`, the default: as many as a body may have.
    pub record: Option<usize>,
    /// Records of one batch. Default 10.
    pub batch_entries: usize,
}

impl Default for ProduceBounds {
    fn default() -> ProduceBounds {
        ProduceBounds {
            stream_duration: Duration::from_secs(24 * 60 * 60),
            stream_grace: Duration::from_millis(500),
            record: None,
            batch_entries: 10,
        }
    }
}
