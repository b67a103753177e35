//! Partitions as a whole: what is appended is read back, after any crash that left a prefix of the last segment.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::batch::Header;
use super::batch::tests::sample;
use super::fs::Disk;
use super::{AppendError, FetchError, FileCache, LogConfig, Partition};

mod maintenance;

fn files() -> Arc<FileCache> {
    Arc::new(FileCache::new(Arc::new(Disk), 4))
}

fn open(dir: &Path, checkpoint: Option<&[u8]>) -> Partition {
    Partition::open(files(), dir.to_owned(), 0, checkpoint).unwrap()
}

/// Why it is not opened.
fn refused(dir: &Path, checkpoint: Option<&[u8]>) -> String {
    Partition::open(files(), dir.to_owned(), 0, checkpoint).expect_err("it is damaged").to_string()
}

fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 100, ..LogConfig::default() }
}

/// Appends and answers the base offset.
fn append(partition: &Partition, batch: &[u8], config: &LogConfig) -> Result<i64, AppendError> {
    partition.append(batch, &Header::read(batch).unwrap(), config, 1_000).map(|appended| appended.base_offset)
}

/// All batches from `offset` on as offset and size, read as a client would: fetch after fetch.
fn batches(partition: &Partition, mut offset: i64) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let (bytes, _) = partition.read(offset, 300, true).unwrap();
        let mut rest = &bytes[..];
        if rest.is_empty() {
            return found;
        }
        while !rest.is_empty() {
            let header = Header::read(rest).unwrap();
            let batch = &rest[..header.bytes];
            assert!(super::batch::checksum_holds(batch, &header));
            found.push(format!("{}+{}", header.base_offset, header.records));
            offset = header.last_offset() + 1;
            rest = &rest[header.bytes..];
        }
    }
}

#[test]
fn every_prefix_of_a_segment_recovers_to_whole_batches() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let count = |n: usize| 1 + 7 * n % 25;
    let mut ends = vec![(0, 0)];
    for n in 0..24 {
        let batch = sample(&vec!["value"; count(n)], (5, 0, ends[n].1 as i32), n as i64);
        append(&partition, &batch, &config()).unwrap();
        ends.push((ends[n].0 + batch.len(), ends[n].1 + count(n) as i64));
    }
    assert!(ends[24].1 > 250, "{} records", ends[24].1);
    drop(partition);
    let log = dir.path().join("00000000000000000000.log");
    let whole = std::fs::read(&log).unwrap();
    assert_eq!(whole.len(), ends[24].0);
    for cut in 0..=whole.len() {
        std::fs::write(&log, &whole[..cut]).unwrap();
        let partition = open(dir.path(), None);
        let kept = ends.iter().filter(|(bytes, _)| *bytes <= cut).count() - 1;
        assert_eq!(partition.offset_range().end, ends[kept].1, "cut at {cut}");
        assert_eq!(std::fs::metadata(&log).unwrap().len(), ends[kept].0 as u64);
        // The producers' sequences are those of what is left: the next batch is taken, the last one is known.
        if kept > 0 {
            let last = sample(&vec!["value"; count(kept - 1)], (5, 0, ends[kept - 1].1 as i32), 0);
            assert_eq!(append(&partition, &last, &config()).unwrap(), ends[kept - 1].1);
            let gap = sample(&["v"], (5, 0, ends[kept].1 as i32 + 1), 0);
            assert!(matches!(append(&partition, &gap, &config()), Err(AppendError::OutOfOrderSequence)));
        }
        let next = sample(&["v"], (5, 0, ends[kept].1 as i32), 0);
        assert_eq!(append(&partition, &next, &config()).unwrap(), ends[kept].1);
    }
}

#[test]
fn a_flipped_byte_with_whole_batches_after_it_refuses_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let batch = sample(&["one", "two"], (-1, -1, -1), 0);
    (0..3).for_each(|_| drop(append(&partition, &batch, &config())));
    drop(partition);
    let log = dir.path().join("00000000000000000000.log");
    let whole = std::fs::read(&log).unwrap();
    // In the offset, the length, the magic, the checksum, the records.
    for at in [0, 7, 9, 11, 16, 18, 70] {
        let mut bytes = whole.clone();
        bytes[batch.len() + at] ^= 1;
        std::fs::write(&log, &bytes).unwrap();
        let text = refused(dir.path(), None);
        assert!(text.contains(log.to_str().unwrap()), "{text}");
        assert!(text.contains(&format!("truncate -s {}", batch.len())) && text.contains("offset 2"), "{at}: {text}");
        assert_eq!(std::fs::read(&log).unwrap(), bytes, "nothing is cut off");
    }
    // In the last batch it is a torn end.
    let mut bytes = whole.clone();
    bytes[2 * batch.len() + 70] ^= 1;
    std::fs::write(&log, &bytes).unwrap();
    assert_eq!(batches(&open(dir.path(), None), 0), ["0+2", "2+2"]);
}

#[test]
fn less_than_at_the_orderly_stop_refuses_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 1000, ..config() };
    let partition = open(dir.path(), None);
    for n in 0..60 {
        append(&partition, &sample(&["v"], (5, 0, n), 7), &config).unwrap();
    }
    let checkpoint = partition.close().unwrap();
    drop(partition);
    let logs: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    assert!(logs.len() >= 4, "{logs:?}");
    for log in &logs {
        let whole = std::fs::read(log).unwrap();
        for kept in [None, Some(0), Some(whole.len() - 1)] {
            match kept {
                None => std::fs::remove_file(log).unwrap(),
                Some(kept) => std::fs::write(log, &whole[..kept]).unwrap(),
            }
            let text = refused(dir.path(), checkpoint.as_deref());
            assert!(text.contains("records are missing") && text.contains(dir.path().to_str().unwrap()), "{text}");
        }
        std::fs::write(log, &whole).unwrap();
    }
    assert_eq!(open(dir.path(), checkpoint.as_deref()).offset_range().end, 60);
    std::fs::remove_dir_all(dir.path()).unwrap();
    refused(dir.path(), checkpoint.as_deref());
}

#[test]
fn a_damaged_start_refuses_the_start_and_a_sealed_segment_that_lost_its_end_too() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 300, ..config() };
    let partition = open(dir.path(), None);
    (0..20).for_each(|_| drop(append(&partition, &sample(&["v"], (-1, -1, -1), 0), &config)));
    partition.delete_before(1).unwrap();
    partition.sync().unwrap();
    drop(partition);
    let start = dir.path().join("start");
    let whole = std::fs::read(&start).unwrap();
    std::fs::write(&start, &whole[..5]).unwrap();
    assert!(refused(dir.path(), None).contains(start.to_str().unwrap()));
    std::fs::write(&start, &whole).unwrap();
    let first = dir.path().join("00000000000000000000.log");
    let length = std::fs::metadata(&first).unwrap().len();
    File::options().write(true).open(&first).unwrap().set_len(length - 1).unwrap();
    assert!(refused(dir.path(), None).contains(first.to_str().unwrap()));
}

#[test]
fn segments_roll_and_torn_or_missing_indexes_are_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 1000, ..config() };
    let partition = open(dir.path(), None);
    for n in 0..60 {
        append(&partition, &sample(&["v"], (5, 0, n), 10 * i64::from(n)), &config).unwrap();
    }
    let expected: Vec<String> = (0..60).map(|n| format!("{n}+1")).collect();
    let check = |partition: &Partition| {
        assert_eq!(batches(partition, 0), expected);
        assert_eq!(batches(partition, 33), expected[33..]);
        for n in 0..60 {
            assert_eq!(partition.find_time(10 * n - 5).unwrap(), Some((n, 10 * n)));
        }
        assert_eq!(partition.find_max_time().unwrap(), Some((59, 590)));
        assert_eq!(partition.find_time(591).unwrap(), None);
        assert_eq!(append(partition, &sample(&["v"], (5, 0, 59), 0), &config).unwrap(), 59, "a duplicate");
    };
    check(&partition);
    partition.flush(&config, 0).unwrap();
    check(&partition);
    drop(partition);
    let indexes: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "index"))
        .collect();
    assert!(indexes.len() >= 4, "{indexes:?}");
    for (at, index) in indexes.iter().enumerate() {
        let length = std::fs::metadata(index).unwrap().len();
        match at % 2 {
            0 => std::fs::remove_file(index).unwrap(),
            _ => File::options().write(true).open(index).unwrap().set_len(length / 2).unwrap(),
        }
    }
    check(&open(dir.path(), None));
}

#[test]
fn after_an_orderly_stop_nothing_need_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    for n in 0..20 {
        append(&partition, &sample(&["v"], (5, 0, n), 7), &config()).unwrap();
    }
    let checkpoint = partition.close().unwrap();
    drop(partition);
    let again = open(dir.path(), checkpoint.as_deref());
    assert_eq!(again.offset_range().end, 20);
    assert_eq!(batches(&again, 12).len(), 8);
    assert_eq!(append(&again, &sample(&["v"], (5, 0, 19), 7), &config()).unwrap(), 19);
    assert_eq!(append(&again, &sample(&["v"], (5, 0, 20), 7), &config()).unwrap(), 20);
    drop(again);
    // The log is longer than at that stop: it is read.
    assert_eq!(open(dir.path(), checkpoint.as_deref()).offset_range().end, 21);
}

#[test]
fn a_read_begins_with_the_batch_that_has_the_offset_and_keeps_to_its_limits() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let batch = sample(&["a", "b", "c"], (-1, -1, -1), 0);
    (0..4).for_each(|_| drop(append(&partition, &batch, &config())));
    let bytes = batch.len() as u64;
    let length = |offset, max, at_least_one| partition.read(offset, max, at_least_one).unwrap().0.len() as u64;
    assert_eq!(length(4, u64::from(u32::MAX), true), 3 * bytes);
    assert_eq!(length(4, 2 * bytes, true), 2 * bytes);
    assert_eq!(length(4, 2 * bytes - 1, true), bytes);
    assert_eq!(length(4, 1, true), bytes);
    assert_eq!(length(4, 1, false), 0);
    assert_eq!(length(12, 100, true), 0);
    let (records, _) = partition.read(5, 1, true).unwrap();
    assert_eq!(Header::read(&records).unwrap().base_offset, 3);
    assert!(matches!(partition.read(13, 1, true), Err(FetchError::OutOfRange)));
    assert!(matches!(partition.read(-1, 1, true), Err(FetchError::OutOfRange)));
}

#[test]
fn deleted_records_stay_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 300, ..config() };
    let partition = open(dir.path(), None);
    (0..20).for_each(|_| drop(append(&partition, &sample(&["v"], (-1, -1, -1), 0), &config)));
    assert_eq!(partition.delete_before(21).unwrap(), None);
    assert_eq!(partition.delete_before(9).unwrap(), Some(9));
    assert!(matches!(partition.read(8, 1, true), Err(FetchError::OutOfRange)));
    drop(partition);
    let again = open(dir.path(), None);
    assert_eq!((again.offset_range().start, again.offset_range().end), (9, 20));
    assert_eq!(again.delete_before(-1).unwrap(), Some(20));
    assert_eq!(batches(&again, 20), Vec::<String>::new());
    assert_eq!(append(&again, &sample(&["v"], (-1, -1, -1), 0), &config).unwrap(), 20);
}

#[test]
fn append_time_replaces_the_producers() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let config = LogConfig { stamps_append_time: true, ..config() };
    let batch = sample(&["v"], (5, 0, 0), 77);
    let header = Header::read(&batch).unwrap();
    let first = partition.append(&batch, &header, &config, 1_000).unwrap();
    let again = partition.append(&batch, &header, &config, 2_000).unwrap();
    assert_eq!((first.append_time_ms, again.append_time_ms), (1_000, 1_000));
    assert_eq!(partition.find_time(78).unwrap(), Some((0, 1_000)));
}
