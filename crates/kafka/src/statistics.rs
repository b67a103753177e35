//! What a client counts while it works, to be read at any time: by whoever watches the process, never by the client itself.
//!
//! Counting is a relaxed addition to an atomic: no lock, no allocation. A set of numbers that is read while others count need not fit
//! together to the last one.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{ErrorKind, Fate, NodeId};

/// The upper bounds of the buckets of a [`LatencyHistogram`], in seconds.
pub const LATENCY_BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// How long things took, as counts by upper bound.
#[derive(Debug, Default)]
pub struct LatencyHistogram {
    /// One more than there are bounds: what took longer than the last one.
    buckets: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    sum_micros: AtomicU64,
}

/// What a [`LatencyHistogram`] held when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// How many took at most each of [`LATENCY_BOUNDS`] and longer than the one before; the last: longer than all.
    pub buckets: [u64; LATENCY_BOUNDS.len() + 1],
    /// All together.
    pub sum: Duration,
}

impl LatencyHistogram {
    /// One more took `latency`.
    pub fn observe(&self, latency: Duration) {
        let seconds = latency.as_secs_f64();
        let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < seconds);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_micros.fetch_add(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// What was observed so far.
    pub fn read(&self) -> Latencies {
        Latencies {
            buckets: std::array::from_fn(|bucket| self.buckets[bucket].load(Relaxed)),
            sum: Duration::from_micros(self.sum_micros.load(Relaxed)),
        }
    }
}

/// What [`Cluster::statistics`](crate::Cluster::statistics) tells. Counts are since the client was started.
#[derive(Clone, Debug, Default)]
pub struct ClientStatistics {
    /// Records that were acknowledged.
    pub records_written: u64,
    /// Records that failed and are certainly not in the log.
    pub records_not_written: u64,
    /// Records that failed and may be in the log.
    pub records_unknown: u64,
    /// Of the records that failed: how many for which kind of error. Only kinds that occurred.
    pub record_errors: Vec<(ErrorKind, u64)>,
    /// Batches of records sent to brokers, each time that one was sent.
    pub batches: u64,
    /// Their bytes, compressed where they are.
    pub batch_bytes: u64,
    /// Batches that have to be sent again: a broker refused them for now, or did not answer.
    pub retries: u64,
    /// The time from request to answer of Produce requests, by broker.
    pub produce_latency: Vec<(NodeId, Latencies)>,
    /// Rounds of consumer groups that members of this client have taken part in to the end.
    pub rebalances: u64,
}

impl ClientStatistics {
    /// Counts what another client has counted as well.
    pub fn add(&mut self, other: ClientStatistics) {
        self.records_written += other.records_written;
        self.records_not_written += other.records_not_written;
        self.records_unknown += other.records_unknown;
        self.batches += other.batches;
        self.batch_bytes += other.batch_bytes;
        self.retries += other.retries;
        self.rebalances += other.rebalances;
        for (kind, count) in other.record_errors {
            match self.record_errors.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, known)) => *known += count,
                None => self.record_errors.push((kind, count)),
            }
        }
        for (node, latencies) in other.produce_latency {
            match self.produce_latency.iter_mut().find(|(known, _)| *known == node) {
                Some((_, known)) => known.add(&latencies),
                None => self.produce_latency.push((node, latencies)),
            }
        }
        self.produce_latency.sort_by_key(|(node, _)| node.0);
    }
}

impl Latencies {
    fn add(&mut self, other: &Latencies) {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(count, more)| *count += more);
        self.sum += other.sum;
    }
}

/// Counts the records of a producer by what became of them.
#[derive(Debug, Default)]
pub(crate) struct RecordCounters {
    written: AtomicU64,
    not_written: AtomicU64,
    unknown: AtomicU64,
    errors: [AtomicU64; ErrorKind::ALL.len()],
}

impl RecordCounters {
    pub(crate) fn written(&self, records: usize) {
        self.written.fetch_add(records as u64, Relaxed);
    }

    pub(crate) fn failed(&self, records: usize, kind: ErrorKind, fate: Fate) {
        let count = match fate {
            Fate::NotWritten => &self.not_written,
            Fate::Unknown => &self.unknown,
        };
        count.fetch_add(records as u64, Relaxed);
        if let Some(at) = ErrorKind::ALL.iter().position(|known| *known == kind) {
            self.errors[at].fetch_add(records as u64, Relaxed);
        }
    }

    pub(crate) fn read(&self, into: &mut ClientStatistics) {
        into.records_written = self.written.load(Relaxed);
        into.records_not_written = self.not_written.load(Relaxed);
        into.records_unknown = self.unknown.load(Relaxed);
        let errors = ErrorKind::ALL.iter().zip(&self.errors).map(|(kind, count)| (*kind, count.load(Relaxed)));
        into.record_errors = errors.filter(|(_, count)| *count > 0).collect();
    }
}

/// Counts what is sent to brokers.
#[derive(Debug, Default)]
pub(crate) struct SendCounters {
    pub(crate) batches: AtomicU64,
    pub(crate) batch_bytes: AtomicU64,
    pub(crate) retries: AtomicU64,
}

impl SendCounters {
    pub(crate) fn sent(&self, batches: usize, bytes: usize) {
        self.batches.fetch_add(batches as u64, Relaxed);
        self.batch_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn read(&self, into: &mut ClientStatistics) {
        into.batches = self.batches.load(Relaxed);
        into.batch_bytes = self.batch_bytes.load(Relaxed);
        into.retries = self.retries.load(Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_counted_below_the_first_bound_that_holds_them() {
        let histogram = LatencyHistogram::default();
        for millis in [0, 1, 2, 60_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let read = histogram.read();
        let mut expected = [0; LATENCY_BOUNDS.len() + 1];
        (expected[0], expected[1], expected[2], expected[LATENCY_BOUNDS.len()]) = (1, 1, 1, 1);
        assert_eq!((read.buckets, read.sum), (expected, Duration::from_millis(60_003)));
    }

    #[test]
    fn records_that_failed_are_counted_by_kind_and_by_fate() {
        let counters = RecordCounters::default();
        counters.written(3);
        counters.failed(2, ErrorKind::Throttled, Fate::NotWritten);
        counters.failed(1, ErrorKind::Other, Fate::Unknown);
        let mut read = ClientStatistics::default();
        counters.read(&mut read);
        assert_eq!((read.records_written, read.records_not_written, read.records_unknown), (3, 2, 1));
        assert_eq!(read.record_errors, [(ErrorKind::Throttled, 2), (ErrorKind::Other, 1)]);
    }
}
