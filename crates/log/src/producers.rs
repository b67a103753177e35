//! What a partition remembers of its idempotent producers: epoch and the last five batches of each.
//!
//! ```text
//! unknown producer    any sequence is taken (its records may have been deleted)
//! same epoch          the next sequence is taken, one of the last five is a duplicate, anything else is a gap
//! newer epoch         must begin at sequence 0
//! older epoch         is fenced
//! ```
//!
//! Source: KIP-98, KIP-360.

use std::collections::{HashMap, VecDeque};

use super::batch::{Header, add_sequence};
use super::disk;

/// How many batches a producer may have in flight, hence how far back a duplicate is known.
const REMEMBERED: usize = 5;
/// A producer that was silent this long is forgotten when a segment is sealed (Kafka: `producer.id.expiration.ms`).
const EXPIRY_MS: i64 = 86_400_000;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Producers {
    by_id: HashMap<i64, Producer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Producer {
    epoch: i16,
    /// When the broker last took a batch of it.
    seen_ms: i64,
    last: VecDeque<Batch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Batch {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    timestamp: i64,
}

/// What to do with a batch that carries a producer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Append,
    /// Stored before, at this offset, under this time.
    Duplicate {
        base_offset: i64,
        timestamp: i64,
    },
    Gap,
    Fenced,
}

impl Producers {
    pub fn judge(&self, header: &Header) -> Verdict {
        let Some(producer) = self.by_id.get(&header.producer_id) else { return Verdict::Append };
        if header.producer_epoch < producer.epoch {
            return Verdict::Fenced;
        }
        if header.producer_epoch > producer.epoch {
            return if header.base_sequence == 0 { Verdict::Append } else { Verdict::Gap };
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        if let Some(known) = producer.last.iter().find(|b| b.first_sequence == first && b.last_sequence == last) {
            return Verdict::Duplicate { base_offset: known.base_offset, timestamp: known.timestamp };
        }
        match producer.last.back() {
            Some(newest) if add_sequence(newest.last_sequence, 1) != first => Verdict::Gap,
            Some(_) | None => Verdict::Append,
        }
    }

    /// Remembers a batch that is stored; `header.base_offset` is where.
    pub fn record(&mut self, header: &Header, now_ms: i64) {
        let epoch = header.producer_epoch;
        let producer = self.by_id.entry(header.producer_id).or_insert_with(|| Producer {
            epoch,
            seen_ms: now_ms,
            last: VecDeque::with_capacity(REMEMBERED),
        });
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.last.clear();
        }
        producer.seen_ms = now_ms;
        if producer.last.len() == REMEMBERED {
            producer.last.pop_front();
        }
        producer.last.push_back(Batch {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            timestamp: header.max_timestamp,
        });
    }

    pub fn forget_silent(&mut self, now_ms: i64) {
        self.by_id.retain(|_, producer| now_ms - producer.seen_ms < EXPIRY_MS);
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        disk::put_u32(out, self.by_id.len() as u32);
        for (id, producer) in &self.by_id {
            disk::put_i64(out, *id);
            disk::put_i64(out, i64::from(producer.epoch));
            disk::put_i64(out, producer.seen_ms);
            disk::put_u32(out, producer.last.len() as u32);
            for batch in &producer.last {
                disk::put_i64(out, i64::from(batch.first_sequence));
                disk::put_i64(out, i64::from(batch.last_sequence));
                disk::put_i64(out, batch.base_offset);
                disk::put_i64(out, batch.timestamp);
            }
        }
    }

    pub fn decode(from: &mut disk::Reader<'_>) -> Option<Producers> {
        let mut by_id = HashMap::new();
        for _ in 0..from.u32()? {
            let id = from.i64()?;
            let mut producer = Producer { epoch: from.i64()? as i16, seen_ms: from.i64()?, last: VecDeque::new() };
            for _ in 0..from.u32()? {
                producer.last.push_back(Batch {
                    first_sequence: from.i64()? as i32,
                    last_sequence: from.i64()? as i32,
                    base_offset: from.i64()?,
                    timestamp: from.i64()?,
                });
            }
            by_id.insert(id, producer);
        }
        Some(Producers { by_id })
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::tests::sample;
    use super::*;

    fn header(epoch: i16, sequence: i32, records: usize, at: i64) -> Header {
        let batch = sample(&vec!["v"; records], (9, epoch, sequence), 0);
        Header { base_offset: at, ..Header::read(&batch).unwrap() }
    }

    fn after(taken: &[Header]) -> Producers {
        let mut producers = Producers::default();
        for one in taken {
            assert_eq!(producers.judge(one), Verdict::Append);
            producers.record(one, 0);
        }
        producers
    }

    #[test]
    fn duplicates_are_known_five_batches_back() {
        let producers = after(&[0, 2, 4, 6, 8, 10].map(|at| header(0, at, 2, i64::from(at) + 100)));
        assert_eq!(producers.judge(&header(0, 2, 2, 0)), Verdict::Duplicate { base_offset: 102, timestamp: 1 });
        assert_eq!(producers.judge(&header(0, 0, 2, 0)), Verdict::Gap);
        assert_eq!(producers.judge(&header(0, 12, 1, 0)), Verdict::Append);
        assert_eq!(producers.judge(&header(0, 13, 1, 0)), Verdict::Gap);
    }

    #[test]
    fn a_newer_epoch_begins_at_zero_and_fences_the_older() {
        let producers = after(&[header(0, 0, 3, 0), header(1, 0, 1, 3)]);
        assert_eq!(producers.judge(&header(0, 3, 1, 0)), Verdict::Fenced);
        assert_eq!(producers.judge(&header(2, 1, 1, 0)), Verdict::Gap);
        assert_eq!(producers.judge(&header(2, 0, 1, 0)), Verdict::Append);
    }

    #[test]
    fn an_unknown_producer_may_begin_anywhere() {
        assert_eq!(Producers::default().judge(&header(3, 77, 1, 0)), Verdict::Append);
    }

    #[test]
    fn the_snapshot_reads_back_and_a_cut_one_does_not() {
        let producers = after(&[header(0, 0, 3, 0), header(0, 3, 1, 3)]);
        let mut bytes = Vec::new();
        producers.encode(&mut bytes);
        assert_eq!(Producers::decode(&mut disk::Reader::new(&bytes)), Some(producers));
        for cut in 0..bytes.len() {
            assert_eq!(Producers::decode(&mut disk::Reader::new(&bytes[..cut])), None);
        }
    }
}
