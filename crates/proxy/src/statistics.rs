//! What the operations count, to be read at any time by whoever watches the process.
//!
//! Counting is a relaxed addition to an atomic: no lock, no allocation. What became of records at the brokers is counted by `kafka`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use postern_kafka::ByteCount;
use postern_schema::SchemaKind;

use crate::{Format, Proxy};

/// What [`Proxy::statistics`] tells. Counts are since the start.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Records by the format of their values, in the order of [`Format::ALL`].
    pub formats: Vec<(Format, FormatStatistics)>,
    /// Records that were refused before the type of their schema was known.
    pub refused_unknown: u64,
    /// Memory of records that no broker has acknowledged, and its bound.
    pub unacknowledged: (ByteCount, ByteCount),
    /// Requests and records that wait for that memory now.
    pub waiting: usize,
    /// Those that were refused because they got none in time, or would never fit.
    pub refused: u64,
    /// Consumer instances now, and their bound.
    pub instances: (usize, usize),
    /// Memory of records that were fetched and not read yet, over all instances, and its bound.
    pub fetched: (ByteCount, ByteCount),
    /// Memory of answers to reads, from the first record to the last byte that a stream has sent, and its bound.
    pub answers: (ByteCount, ByteCount),
}

/// The records of one format. Bytes are those of keys and values as Kafka stores them.
#[derive(Clone, Copy, Debug, Default)]
pub struct FormatStatistics {
    /// Records handed to the producer.
    pub produced: u64,
    /// Their bytes.
    pub produced_bytes: u64,
    /// Records of requests that were refused before that: nothing of them was sent.
    pub refused: u64,
    /// Records in answers to reads.
    pub read: u64,
    /// Their bytes.
    pub read_bytes: u64,
}

/// The counters behind [`Statistics`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    formats: [FormatCounters; Format::ALL.len()],
    refused_unknown: AtomicU64,
    waiting: AtomicUsize,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct FormatCounters {
    produced: AtomicU64,
    produced_bytes: AtomicU64,
    refused: AtomicU64,
    read: AtomicU64,
    read_bytes: AtomicU64,
}

/// Counts as waiting until it is dropped.
pub(crate) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Counters {
    fn of(&self, format: Format) -> &FormatCounters {
        &self.formats[format.index()]
    }

    pub(crate) fn produced(&self, format: Format, records: usize, bytes: usize) {
        let counters = self.of(format);
        counters.produced.fetch_add(records as u64, Relaxed);
        counters.produced_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// `None`: the format is that of a schema which was not found.
    pub(crate) fn not_produced(&self, format: Option<Format>, records: usize) {
        let counter = format.map_or(&self.refused_unknown, |format| &self.of(format).refused);
        counter.fetch_add(records as u64, Relaxed);
    }

    pub(crate) fn read(&self, format: Format, records: usize, bytes: usize) {
        let counters = self.of(format);
        counters.read.fetch_add(records as u64, Relaxed);
        counters.read_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(&self.waiting)
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }
}

impl Proxy {
    /// What was counted so far, and what is in use now.
    pub fn statistics(&self) -> Statistics {
        let counters = self.counters();
        let formats = Format::ALL.iter().map(|format| {
            let of = counters.of(*format);
            let statistics = FormatStatistics {
                produced: of.produced.load(Relaxed),
                produced_bytes: of.produced_bytes.load(Relaxed),
                refused: of.refused.load(Relaxed),
                read: of.read.load(Relaxed),
                read_bytes: of.read_bytes.load(Relaxed),
            };
            (*format, statistics)
        });
        let fetched = self.consumers().fetched();
        let (answers_used, answers) = self.consumers().answers().used_of();
        Statistics {
            formats: formats.collect(),
            refused_unknown: counters.refused_unknown.load(Relaxed),
            unacknowledged: (self.inflight().used(), self.inflight().capacity()),
            waiting: counters.waiting.load(Relaxed),
            refused: counters.refused.load(Relaxed),
            instances: (self.consumers().count(), self.consumers().limits().instances),
            fetched: (fetched.used(), fetched.capacity()),
            answers: (ByteCount(answers_used), ByteCount(answers)),
        }
    }
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 6] = [
        Format::Binary,
        Format::Json,
        Format::Text,
        Format::Schema(SchemaKind::Avro),
        Format::Schema(SchemaKind::Json),
        Format::Schema(SchemaKind::Protobuf),
    ];

    /// The place in [`Format::ALL`].
    fn index(self) -> usize {
        match self {
            Format::Binary => 0,
            Format::Json => 1,
            Format::Text => 2,
            Format::Schema(SchemaKind::Avro) => 3,
            Format::Schema(SchemaKind::Json) => 4,
            Format::Schema(SchemaKind::Protobuf) => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_a_place_of_its_own() {
        for (place, format) in Format::ALL.into_iter().enumerate() {
            assert_eq!(format.index(), place, "{format:?}");
        }
    }
}
