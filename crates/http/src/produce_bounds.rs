//! What bounds producing through API v3 besides memory.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::rate::{Epoch, PaidUntil, seconds};

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
    /// Records in a second, over all requests. `None`, the default: any number.
    pub records_per_second: Option<NonZeroU32>,
    /// Bytes of records in a second, as JSON, over all requests. `None`, the default: any number.
    pub bytes_per_second: Option<NonZeroU32>,
}

impl Default for ProduceBounds {
    fn default() -> ProduceBounds {
        ProduceBounds {
            stream_duration: Duration::from_secs(24 * 60 * 60),
            stream_grace: Duration::from_millis(500),
            record: None,
            batch_entries: 10,
            records_per_second: None,
            bytes_per_second: None,
        }
    }
}

/// Counts the records of all requests against their bounds in a second. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RecordLimiter(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    epoch: Epoch,
    records_per_second: Option<NonZeroU32>,
    bytes_per_second: Option<NonZeroU32>,
    records: PaidUntil,
    bytes: PaidUntil,
}

impl RecordLimiter {
    pub(crate) fn new(bounds: &ProduceBounds) -> RecordLimiter {
        RecordLimiter(Arc::new(Counted {
            epoch: Epoch::start(),
            records_per_second: bounds.records_per_second,
            bytes_per_second: bounds.bytes_per_second,
            records: PaidUntil::default(),
            bytes: PaidUntil::default(),
        }))
    }

    /// Counts a record of so many bytes, or says why it is one too many.
    pub(crate) fn refuse(&self, bytes: usize) -> Option<String> {
        let Counted { epoch, records_per_second, bytes_per_second, records, bytes: counted_bytes } = &*self.0;
        if records_per_second.is_none() && bytes_per_second.is_none() {
            return None;
        }
        let now = epoch.now();
        let too_many = records_per_second.and_then(|limit| Some(("records", records.take(1, limit.get(), now)?)));
        let too_large = || Some(("bytes", counted_bytes.take(bytes as u64, bytes_per_second.as_ref()?.get(), now)?));
        let (what, wait) = too_many.or_else(too_large)?;
        Some(format!(
            "Request rate limit exceeded: The rate limit of {what} per second has been exceeded. The record was not written; send it again in {} s.",
            seconds(wait)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn records_are_bounded_by_number_and_by_bytes() {
        let bounds = ProduceBounds {
            records_per_second: NonZeroU32::new(3),
            bytes_per_second: NonZeroU32::new(1000),
            ..ProduceBounds::default()
        };
        let limiter = RecordLimiter::new(&bounds);
        let taken = |records: usize, bytes| (0..records).filter(|_| limiter.refuse(bytes).is_none()).count();
        assert_eq!(taken(10, 10), 3);
        assert!(limiter.refuse(1).expect("too many").contains("limit of records per second"));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(taken(2, 600), 1);
        assert!(limiter.refuse(600).expect("too much").contains("limit of bytes per second"));
        // A record that no second pays for is taken when nothing is owed.
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(taken(2, 5000), 1);
        let unbounded = RecordLimiter::new(&ProduceBounds::default());
        assert!((0..10_000).all(|_| unbounded.refuse(1 << 20).is_none()));
    }
}
