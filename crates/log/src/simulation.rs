//! A partition on a disk that fails: random appends, syncs, retention, compaction and deletion of records, with errors and
//! crashes at every step, against a model of what has to be there. What a seed does is always the same.
//!
//! A few thousand crashes by default. The long run, with the counts at its end:
//!
//! ```text
//! POSTERN_LOG_CRASHES=100000 cargo test --release -p postern-log simulation -- --nocapture
//! ```
//!
//! `POSTERN_LOG_SEED` begins with another seed; a failure names the one that repeats it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::batch::Header;
use crate::batch::tests::keyed;
use crate::config::LogConfig;
use crate::file_cache::FileCache;
use crate::fs::{Injection, Memory, Survival};
use crate::partition::{AppendError, FetchError, Partition};
use crate::records;

const KEYS: u64 = 6;
const PRODUCERS: usize = 3;
/// What one operation may ask of the file system. The largest seen is far below.
const MAX_CALLS: u64 = 20_000;
const ERRNOS: [i32; 3] = [5 /* EIO */, 28 /* ENOSPC */, 24 /* EMFILE */];

#[derive(Default, Debug, Clone, Copy)]
struct Counts {
    operations: u64,
    appends: u64,
    duplicates: u64,
    power_failures: u64,
    process_deaths: u64,
    injected_errors: u64,
    crashes_inside: u64,
    offline: u64,
    compactions: u64,
    records_removed: u64,
    expirations: u64,
}

/// One batch as it was acknowledged.
#[derive(Debug, Clone)]
struct Written {
    base: i64,
    bytes: Vec<u8>,
    producer: Option<usize>,
    sequence: i32,
    /// Key and whether there is a value, a record each.
    records: Vec<(String, bool)>,
}

impl Written {
    fn end(&self) -> i64 {
        self.base + self.records.len() as i64
    }
}

struct World {
    random: fastrand::Rng,
    memory: Memory,
    config: LogConfig,
    partition: Option<Partition>,
    /// All that is, or may be, in the log.
    log: Vec<Written>,
    /// The disk has promised everything before this offset.
    durable_to: i64,
    /// Where the log begins at least, and at most.
    start: (i64, i64),
    sequences: [i32; PRODUCERS],
    now_ms: i64,
    counts: Counts,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let is_compacted = random.bool();
        let config = LogConfig {
            segment_bytes: random.u64(200..1200),
            index_interval_bytes: 100,
            is_compacted,
            deletes: !is_compacted || random.u8(0..4) == 0,
            retention_ms: if random.bool() { 300 } else { -1 },
            retention_bytes: if random.bool() { 1500 } else { -1 },
            delete_retention_ms: 100,
            min_cleanable_dirty_ratio: 0.0,
            max_compaction_lag_ms: if random.bool() { 200 } else { i64::MAX },
            ..LogConfig::default()
        };
        let mut world = World {
            memory: Memory::new(random.u64(..)),
            random,
            config,
            partition: None,
            log: Vec::new(),
            durable_to: 0,
            start: (0, 0),
            sequences: [0; PRODUCERS],
            now_ms: 1_000,
            counts: Counts::default(),
        };
        crate::fs::FileSystem::create_dir_all(&world.memory, "topics/t".as_ref()).unwrap();
        crate::fs::FileSystem::sync_dir(&world.memory, "topics".as_ref()).unwrap();
        crate::fs::FileSystem::sync_dir(&world.memory, "".as_ref()).unwrap();
        world.start_up();
        world
    }

    fn partition(&self) -> &Partition {
        self.partition.as_ref().expect("it was started")
    }

    fn end(&self) -> i64 {
        self.log.last().map_or(self.start.1, Written::end)
    }

    /// One operation, perhaps with an error or a crash at one of its calls.
    fn step(&mut self) {
        self.counts.operations += 1;
        self.now_ms += self.random.i64(0..40);
        self.memory.allow_calls(MAX_CALLS);
        let injection = match self.random.u8(0..20) {
            0..2 => Some(Injection::Errno(ERRNOS[self.random.usize(0..ERRNOS.len())])),
            2..4 => Some(Injection::Crash),
            _ => None,
        };
        if let Some(injection) = injection {
            let nth = if self.random.bool() { self.random.u64(0..6) } else { self.random.u64(0..60) };
            self.memory.inject(nth, injection);
        }
        match self.random.u8(0..20) {
            0..10 => self.append(),
            10..13 => self.sync(),
            13 => drop(self.partition().flush(&LogConfig { flush_ms: 50, ..self.config.clone() }, self.now_ms)),
            14 => self.expire(),
            15 => self.delete_before(),
            16..18 => self.compact(),
            18 => self.check_readable(injection.is_some()),
            _ => self.repeat_last(),
        }
        let fired = self.memory.clear_injection();
        match injection.filter(|_| fired) {
            Some(Injection::Errno(_)) => self.counts.injected_errors += 1,
            Some(Injection::Crash) => {
                self.counts.crashes_inside += 1;
                return self.restart();
            }
            None => {}
        }
        if self.random.u8(0..12) == 0 {
            self.restart();
        }
    }

    fn batch(&mut self) -> Written {
        let count = self.random.usize(1..4);
        let records: Vec<_> =
            (0..count).map(|_| (format!("k{}", self.random.u64(0..KEYS)), self.random.u8(0..6) > 0)).collect();
        let producer = (self.random.u8(0..3) > 0).then(|| self.random.usize(0..PRODUCERS));
        let sequence = producer.map_or(-1, |producer| self.sequences[producer]);
        let id = producer.map_or((-1, -1, -1), |producer| (producer as i64, 0, sequence));
        let codec = if self.random.u8(0..6) == 0 { 3 } else { 0 };
        let parts: Vec<_> =
            records.iter().map(|(key, has_value)| (Some(key.as_str()), has_value.then_some("value"))).collect();
        let bytes = keyed(&parts, codec, id, self.now_ms);
        Written { base: self.end(), bytes, producer, sequence, records }
    }

    fn append(&mut self) {
        let written = self.batch();
        let header = Header::read(&written.bytes).unwrap();
        match self.partition().append(&written.bytes, &header, &self.config, self.now_ms) {
            Ok(appended) => {
                self.counts.appends += 1;
                assert_eq!(appended.base_offset, written.base, "offsets have no gaps");
                if let Some(producer) = written.producer {
                    self.sequences[producer] =
                        crate::batch::add_sequence(written.sequence, written.records.len() as i32);
                }
                self.log.push(written);
            }
            Err(AppendError::Storage(_)) => {}
            Err(AppendError::Offline) => self.counts.offline += 1,
            Err(error) => panic!("{error:?}"),
        }
    }

    fn sync(&mut self) {
        let end = self.end();
        if self.partition().sync_to(end).is_ok() {
            self.durable_to = self.durable_to.max(end);
        }
    }

    /// A batch that is sent again is known, and not stored again.
    fn repeat_last(&mut self) {
        let producer = self.random.usize(0..PRODUCERS);
        let Some(last) = self.log.iter().rfind(|written| written.producer == Some(producer)) else { return };
        // With the records of a producer what is known of it may go, at the next start.
        if last.base < self.partition().offset_range().start {
            return;
        }
        let header = Header::read(&last.bytes).unwrap();
        match self.partition().append(&last.bytes, &header, &self.config, self.now_ms) {
            Ok(appended) => assert_eq!(appended.base_offset, last.base, "a duplicate of producer {producer}"),
            Err(AppendError::Storage(_) | AppendError::Offline) => return,
            Err(error) => panic!("{error:?}"),
        }
        self.counts.duplicates += 1;
        // One that skips a batch is refused.
        let skips =
            keyed(&[(Some("k"), Some("v"))], 0, (producer as i64, 0, self.sequences[producer] + 7), self.now_ms);
        let header = Header::read(&skips).unwrap();
        let refused = self.partition().append(&skips, &header, &self.config, self.now_ms);
        assert!(matches!(refused, Err(AppendError::OutOfOrderSequence | AppendError::Offline)), "{refused:?}");
    }

    fn expire(&mut self) {
        let before = self.partition().offset_range().start;
        let done = self.partition().expire(&self.config, self.now_ms);
        self.start_moved(before, done.is_ok());
        if self.partition().offset_range().start > before {
            self.counts.expirations += 1;
        }
    }

    fn delete_before(&mut self) {
        let before = self.partition().offset_range().start;
        let wanted = self.random.i64(before..=self.end().max(before));
        // Only sometimes: what was deleted cannot be checked any more.
        if self.random.u8(0..3) > 0 {
            return;
        }
        match self.partition().delete_before(wanted) {
            Ok(answer) => {
                assert_eq!(answer, Some(wanted.max(before)));
                self.start_moved(before, true);
            }
            Err(_) => self.start = (self.start.0, self.start.1.max(wanted)),
        }
    }

    /// What is served begins later now. It does after a restart, too, if the operation said that it was done.
    fn start_moved(&mut self, before: i64, is_done: bool) {
        let now = self.partition().offset_range().start;
        assert!(now >= before);
        let may_be = if is_done { now } else { self.end() };
        self.start = (if is_done { now } else { self.start.0 }, self.start.1.max(may_be));
    }

    fn compact(&mut self) {
        if !self.config.is_compacted {
            return;
        }
        // With little memory in some rounds.
        let max_keys = if self.random.bool() { 3 } else { 1_000 };
        if self.partition().compact_with_max_keys(&self.config, self.now_ms, max_keys).is_ok() {
            self.counts.compactions += 1;
        }
    }

    fn start_up(&mut self) {
        loop {
            let is_injected = self.random.u8(0..10) == 0;
            if is_injected {
                let crash = self.random.bool();
                let errno = ERRNOS[self.random.usize(0..ERRNOS.len())];
                let injection = if crash { Injection::Crash } else { Injection::Errno(errno) };
                self.memory.inject(self.random.u64(0..40), injection);
            }
            self.memory.allow_calls(MAX_CALLS);
            let files = Arc::new(FileCache::new(Arc::new(self.memory.clone()), 4));
            let opened = Partition::open(files, PathBuf::from("topics/t/0"), 0, None);
            let fired = self.memory.clear_injection() && is_injected;
            self.counts.injected_errors += u64::from(fired);
            match opened {
                Ok(partition) if !fired => {
                    self.partition = Some(partition);
                    return;
                }
                Err(error) if !fired => panic!("the start is refused without an error of the disk: {error}"),
                Ok(_) | Err(_) if self.memory.lost_a_sync() => self.power_fails(),
                Ok(_) | Err(_) => {
                    self.power_or_process();
                }
            }
        }
    }

    fn power_fails(&mut self) {
        self.counts.power_failures += 1;
        self.memory.restart(Survival::PowerFailed);
    }

    fn power_or_process(&mut self) -> Survival {
        let survival = if self.random.u8(0..3) == 0 { Survival::ProcessDied } else { Survival::PowerFailed };
        match survival {
            Survival::ProcessDied => self.counts.process_deaths += 1,
            Survival::PowerFailed => self.counts.power_failures += 1,
        }
        self.memory.restart(survival);
        survival
    }

    /// The process ends, or the power; then everything is as it has to be.
    fn restart(&mut self) {
        self.partition = None;
        // What the disk failed to keep is in the memory of the system until the power fails: nobody can know better.
        let survival = if self.memory.lost_a_sync() {
            self.power_fails();
            Survival::PowerFailed
        } else {
            self.power_or_process()
        };
        let before = self.counts.power_failures;
        self.start_up();
        let kept_all = survival == Survival::ProcessDied && self.counts.power_failures == before;
        self.check(kept_all);
    }

    /// Compares what is there after a restart with what has to be, and goes on from there.
    fn check(&mut self, kept_all: bool) {
        let range = self.partition().offset_range();
        let end = self.end();
        assert!(range.end <= end, "invented: the log ends at {} instead of {end}", range.end);
        assert!(range.end >= self.durable_to, "lost: the log ends at {}, {} was synced", range.end, self.durable_to);
        assert!(!kept_all || range.end == end, "lost with the process: {} instead of {end}", range.end);
        let is_at_a_batch = range.end == range.start || self.log.iter().any(|written| written.end() == range.end);
        assert!(is_at_a_batch, "the log ends inside a batch, at {}", range.end);
        assert!(range.start >= self.start.0, "deleted records are back: {} < {}", range.start, self.start.0);
        assert!(
            range.start <= self.start.1.max(self.start.0),
            "records are gone: from {} on, {:?}",
            range.start,
            self.start
        );
        self.log.retain(|written| written.base < range.end);
        if self.log.is_empty() {
            self.start.1 = range.start.max(range.end);
        }
        // What a deletion that was cut short has done is found, and is not promised.
        self.start.1 = if self.log.is_empty() { range.end } else { range.start };
        for producer in 0..PRODUCERS {
            let last = self.log.iter().rfind(|written| written.producer == Some(producer));
            // A producer that nothing is left of may begin anywhere.
            let next = |last: &Written| crate::batch::add_sequence(last.sequence, last.records.len() as i32);
            self.sequences[producer] = last.map_or(self.sequences[producer], next);
        }
        self.check_records(range.start, range.end);
        // Found and served is not promised, as long as nobody has synced it.
    }

    fn check_readable(&mut self, may_fail: bool) {
        let range = self.partition().offset_range();
        match self.read(range.start, range.end) {
            Ok(_) if !may_fail => self.check_records(range.start, range.end),
            Ok(_) => {}
            Err(error) => assert!(may_fail, "{error:?}"),
        }
        let found = self.partition().find_time(0);
        assert!(may_fail || matches!(found, Ok(_) | Err(FetchError::Offline)), "{found:?}");
        if range.end < self.end() {
            assert!(matches!(self.partition().read(range.end, 1 << 20, true), Err(FetchError::Offline)));
        }
    }

    /// Offset, key and whether there is a value, of all records from `start` up to `end`.
    fn read(&self, start: i64, end: i64) -> Result<BTreeMap<i64, (String, bool)>, FetchError> {
        let mut found = BTreeMap::new();
        let mut offset = start;
        while offset < end {
            let (bytes, _) = self.partition().read(offset, 700, true)?;
            let mut rest = &bytes[..];
            if rest.is_empty() {
                break;
            }
            while !rest.is_empty() {
                let header = Header::read(rest).unwrap();
                let (batch, after) = rest.split_at(header.bytes);
                assert!(crate::batch::checksum_holds(batch, &header));
                let body = records::body(batch, &header).unwrap();
                for record in records::all(&body, &header).unwrap() {
                    let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
                    let is_new = found.insert(record.offset, (key, record.has_value)).is_none();
                    assert!(is_new, "the record at {} twice", record.offset);
                }
                offset = offset.max(header.last_offset() + 1);
                rest = after;
            }
        }
        found.retain(|offset, _| *offset >= start);
        Ok(found)
    }

    fn check_records(&mut self, start: i64, end: i64) {
        let found = self.read(start, end).unwrap();
        let expected: BTreeMap<i64, (String, bool)> = self
            .log
            .iter()
            .flat_map(|written| (written.base..).zip(written.records.iter().cloned()))
            .filter(|(offset, _)| (start..end).contains(offset))
            .collect();
        for (offset, record) in &found {
            assert_eq!(expected.get(offset), Some(record), "the record at {offset}");
        }
        if !self.config.is_compacted {
            assert_eq!(found.len(), expected.len(), "records are missing: {found:?} instead of {expected:?}");
            return;
        }
        self.counts.records_removed = self.counts.records_removed.max((expected.len() - found.len()) as u64);
        let mut latest = HashMap::new();
        latest.extend(expected.iter().map(|(offset, (key, has_value))| (key.clone(), (*offset, *has_value))));
        let kept: HashSet<i64> = found.keys().copied().collect();
        for (key, (offset, has_value)) in latest {
            if kept.contains(&offset) {
                continue;
            }
            assert!(!has_value, "the latest record of {key}, at {offset}, is gone");
            let older: Vec<_> = found.iter().filter(|(_, (other, _))| *other == key).collect();
            assert!(older.is_empty(), "{key} is back after its tombstone at {offset} is gone: {older:?}");
        }
    }
}

/// Ends the process if no seed has ended for a minute.
fn watch(done: &Arc<AtomicU64>) {
    let done = done.clone();
    std::thread::spawn(move || {
        let mut seen = done.load(Ordering::Relaxed);
        loop {
            std::thread::sleep(Duration::from_secs(60));
            match done.load(Ordering::Relaxed) {
                u64::MAX => return,
                now if now == seen => {
                    eprintln!("seed {now} does not end");
                    std::process::abort();
                }
                now => seen = now,
            }
        }
    });
}

#[test]
fn simulation_of_crashes_and_errors() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let crashes = number("POSTERN_LOG_CRASHES").unwrap_or(3_000);
    let first_seed = number("POSTERN_LOG_SEED").unwrap_or(1);
    let begun = Instant::now();
    let mut total = Counts::default();
    let current = Arc::new(AtomicU64::new(first_seed));
    watch(&current);
    let mut seed = first_seed;
    while total.power_failures + total.process_deaths < crashes {
        current.store(seed, Ordering::Relaxed);
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..400).for_each(|_| world.step());
            world.counts
        });
        let Ok(counts) = run else { panic!("POSTERN_LOG_SEED={seed} repeats this") };
        total.operations += counts.operations;
        total.appends += counts.appends;
        total.duplicates += counts.duplicates;
        total.power_failures += counts.power_failures;
        total.process_deaths += counts.process_deaths;
        total.injected_errors += counts.injected_errors;
        total.crashes_inside += counts.crashes_inside;
        total.offline += counts.offline;
        total.compactions += counts.compactions;
        total.records_removed += counts.records_removed;
        total.expirations += counts.expirations;
        seed += 1;
    }
    current.store(u64::MAX, Ordering::Relaxed);
    println!("seeds {first_seed} to {}, {:.1} s: {total:?}", seed - 1, begun.elapsed().as_secs_f64());
    // A simulation in which one of these does not happen shows nothing about it.
    let seen = [total.duplicates, total.offline, total.compactions, total.records_removed, total.expirations];
    assert!(seen.iter().all(|count| *count > 10), "{total:?}");
    assert!(total.injected_errors * 10 > crashes && total.crashes_inside * 10 > crashes, "{total:?}");
}
