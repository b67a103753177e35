//! What a partition remembers of its idempotent producers: epoch and the last five batches of each.
//!
//! ```text
//! unknown producer    any sequence is taken (its records may have been deleted)
//! same epoch          the next sequence is taken, one of the last five is a duplicate, anything else is out of order
//! newer epoch         must begin at sequence 0
//! older epoch         is refused
//! ```
//!
//! Source: KIP-98, KIP-360.

use std::collections::{HashMap, VecDeque};

use crate::batch::{Header, add_sequence};
use crate::encoding::{ByteReader, put_i64, put_u32};

/// How many batches a producer may have in flight, hence how far back a duplicate is known.
const REMEMBERED_BATCHES: usize = 5;
/// A producer that wrote nothing for this long is forgotten (Kafka: `producer.id.expiration.ms`).
const EXPIRATION_MS: i64 = 86_400_000;
/// A partition remembers no more producers than this; at the limit those go that wrote nothing for the longest time.
const MAX_PRODUCERS: usize = if cfg!(test) { 100 } else { 20_000 };

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ProducerStates {
    by_id: HashMap<i64, ProducerState>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ProducerState {
    epoch: i16,
    /// When the broker last took a batch of it.
    seen_ms: i64,
    last: VecDeque<BatchMetadata>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BatchMetadata {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    timestamp: i64,
}

/// What a batch's producer id, epoch and sequence say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SequenceCheck {
    /// It is the next one.
    InOrder,
    /// Stored before, at this offset, under this time.
    Duplicate {
        base_offset: i64,
        timestamp: i64,
    },
    OutOfOrder,
    OldEpoch,
}

impl ProducerStates {
    pub(crate) fn check_sequence(&self, header: &Header) -> SequenceCheck {
        let Some(producer) = self.by_id.get(&header.producer_id) else { return SequenceCheck::InOrder };
        if header.producer_epoch < producer.epoch {
            return SequenceCheck::OldEpoch;
        }
        if header.producer_epoch > producer.epoch {
            return if header.base_sequence == 0 { SequenceCheck::InOrder } else { SequenceCheck::OutOfOrder };
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        if let Some(known) = producer.last.iter().find(|b| b.first_sequence == first && b.last_sequence == last) {
            return SequenceCheck::Duplicate { base_offset: known.base_offset, timestamp: known.timestamp };
        }
        match producer.last.back() {
            Some(newest) if add_sequence(newest.last_sequence, 1) != first => SequenceCheck::OutOfOrder,
            Some(_) | None => SequenceCheck::InOrder,
        }
    }

    /// Remembers a batch that is stored; `header.base_offset` is where.
    pub(crate) fn update(&mut self, header: &Header, now_ms: i64) {
        let epoch = header.producer_epoch;
        if self.by_id.len() >= MAX_PRODUCERS && !self.by_id.contains_key(&header.producer_id) {
            self.forget_oldest();
        }
        let producer = self.by_id.entry(header.producer_id).or_insert_with(|| ProducerState {
            epoch,
            seen_ms: now_ms,
            last: VecDeque::with_capacity(REMEMBERED_BATCHES),
        });
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.last.clear();
        }
        producer.seen_ms = now_ms;
        if producer.last.len() == REMEMBERED_BATCHES {
            producer.last.pop_front();
        }
        producer.last.push_back(BatchMetadata {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            timestamp: header.max_timestamp,
        });
    }

    pub(crate) fn expire(&mut self, now_ms: i64) {
        self.by_id.retain(|_, producer| now_ms.saturating_sub(producer.seen_ms) < EXPIRATION_MS);
    }

    /// The largest producer id that is remembered.
    pub(crate) fn max_id(&self) -> Option<i64> {
        self.by_id.keys().copied().max()
    }

    /// Forgets a tenth at once, so that finding the oldest costs little per producer.
    fn forget_oldest(&mut self) {
        let mut seen: Vec<i64> = self.by_id.values().map(|producer| producer.seen_ms).collect();
        let (_, limit, _) = seen.select_nth_unstable(MAX_PRODUCERS / 10);
        let limit = *limit;
        let mut left = MAX_PRODUCERS / 10;
        self.by_id.retain(|_, producer| {
            let goes = left > 0 && producer.seen_ms <= limit;
            left -= usize::from(goes);
            !goes
        });
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_u32(out, self.by_id.len() as u32);
        for (id, producer) in &self.by_id {
            put_i64(out, *id);
            put_i64(out, i64::from(producer.epoch));
            put_i64(out, producer.seen_ms);
            put_u32(out, producer.last.len() as u32);
            for batch in &producer.last {
                put_i64(out, i64::from(batch.first_sequence));
                put_i64(out, i64::from(batch.last_sequence));
                put_i64(out, batch.base_offset);
                put_i64(out, batch.timestamp);
            }
        }
    }

    pub(crate) fn decode(from: &mut ByteReader<'_>) -> Option<ProducerStates> {
        let mut by_id = HashMap::new();
        for _ in 0..from.u32()? {
            let id = from.i64()?;
            let mut producer = ProducerState { epoch: from.i64()? as i16, seen_ms: from.i64()?, last: VecDeque::new() };
            for _ in 0..from.u32()? {
                producer.last.push_back(BatchMetadata {
                    first_sequence: from.i64()? as i32,
                    last_sequence: from.i64()? as i32,
                    base_offset: from.i64()?,
                    timestamp: from.i64()?,
                });
            }
            by_id.insert(id, producer);
        }
        Some(ProducerStates { by_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::sample;

    fn header(id: i64, epoch: i16, sequence: i32, records: usize, at: i64) -> Header {
        let batch = sample(&vec!["v"; records], (id, epoch, sequence), 0);
        Header { base_offset: at, ..Header::read(&batch).unwrap() }
    }

    fn after(taken: &[Header]) -> ProducerStates {
        let mut producers = ProducerStates::default();
        for one in taken {
            assert_eq!(producers.check_sequence(one), SequenceCheck::InOrder);
            producers.update(one, 0);
        }
        producers
    }

    #[test]
    fn duplicates_are_known_five_batches_back() {
        let producers = after(&[0, 2, 4, 6, 8, 10].map(|at| header(9, 0, at, 2, i64::from(at) + 100)));
        let check = |sequence, records| producers.check_sequence(&header(9, 0, sequence, records, 0));
        assert_eq!(check(2, 2), SequenceCheck::Duplicate { base_offset: 102, timestamp: 1 });
        assert_eq!(check(0, 2), SequenceCheck::OutOfOrder);
        assert_eq!(check(12, 1), SequenceCheck::InOrder);
        assert_eq!(check(13, 1), SequenceCheck::OutOfOrder);
    }

    #[test]
    fn a_newer_epoch_begins_at_zero_and_fences_the_older() {
        let producers = after(&[header(9, 0, 0, 3, 0), header(9, 1, 0, 1, 3)]);
        assert_eq!(producers.check_sequence(&header(9, 0, 3, 1, 0)), SequenceCheck::OldEpoch);
        assert_eq!(producers.check_sequence(&header(9, 2, 1, 1, 0)), SequenceCheck::OutOfOrder);
        assert_eq!(producers.check_sequence(&header(9, 2, 0, 1, 0)), SequenceCheck::InOrder);
    }

    #[test]
    fn an_unknown_producer_may_begin_anywhere() {
        assert_eq!(ProducerStates::default().check_sequence(&header(9, 3, 77, 1, 0)), SequenceCheck::InOrder);
    }

    #[test]
    fn the_snapshot_reads_back_and_a_cut_one_does_not() {
        let producers = after(&[header(9, 0, 0, 3, 0), header(9, 0, 3, 1, 3)]);
        let mut bytes = Vec::new();
        producers.encode(&mut bytes);
        assert_eq!(ProducerStates::decode(&mut ByteReader::new(&bytes)), Some(producers));
        for cut in 0..bytes.len() {
            assert_eq!(ProducerStates::decode(&mut ByteReader::new(&bytes[..cut])), None);
        }
    }

    #[test]
    fn the_number_of_producers_is_bounded_and_the_latest_stay() {
        let mut producers = ProducerStates::default();
        for id in 0..1_000 {
            producers.update(&header(id, 0, 0, 1, id), id);
            assert!(producers.by_id.len() <= MAX_PRODUCERS, "{}", producers.by_id.len());
        }
        for id in 1_000 - MAX_PRODUCERS as i64 * 8 / 10..1_000 {
            assert!(producers.by_id.contains_key(&id), "{id}");
        }
        // The same time for all of them: some go, not all.
        let mut producers = ProducerStates::default();
        (0..=MAX_PRODUCERS as i64).for_each(|id| producers.update(&header(id, 0, 0, 1, id), 7));
        assert_eq!(producers.by_id.len(), MAX_PRODUCERS - MAX_PRODUCERS / 10 + 1);
        assert_eq!(producers.max_id(), Some(MAX_PRODUCERS as i64));
    }
}
