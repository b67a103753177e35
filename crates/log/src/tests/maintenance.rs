//! Retention, compaction and full disks, at times and sizes a test chooses.

use std::collections::BTreeMap;

use super::super::batch::tests::keyed;
use super::super::fs::{FileSystem, Injection, Memory, Survival};
use super::super::records;
use super::*;

/// A compacted log that is worth a round as soon as anything was sealed, in segments of about three batches.
fn compacting() -> LogConfig {
    LogConfig { is_compacted: true, deletes: false, segment_bytes: 300, min_cleanable_dirty_ratio: 0.0, ..config() }
}

fn put(partition: &Partition, records: &[(Option<&str>, Option<&str>)], config: &LogConfig, now_ms: i64) -> i64 {
    let batch = keyed(records, 0, (-1, -1, -1), now_ms);
    partition.append(&batch, &Header::read(&batch).unwrap(), config, now_ms).unwrap().base_offset
}

/// A partition's place in a file system whose directories are synced.
fn in_memory(memory: &Memory) -> (Arc<FileCache>, std::path::PathBuf) {
    memory.create_dir_all(Path::new("t")).unwrap();
    memory.sync_dir(Path::new("")).unwrap();
    (Arc::new(FileCache::new(Arc::new(memory.clone()), 4)), Path::new("t/0").to_owned())
}

/// [`batches`] up to the offset `end`.
fn batches_up_to(partition: &Partition, mut offset: i64, end: i64) -> Vec<String> {
    let mut found = Vec::new();
    while offset < end {
        let (bytes, _) = partition.read(offset, 1, true).unwrap();
        let header = Header::read(&bytes).unwrap();
        found.push(format!("{}+{}", header.base_offset, header.records));
        offset = header.last_offset() + 1;
    }
    found
}

/// All records there are: offset, key, value or nothing; read as a client would.
fn contents(partition: &Partition) -> Vec<(i64, String, Option<String>)> {
    let mut found = Vec::new();
    let mut offset = partition.offset_range().start;
    loop {
        let (bytes, _) = partition.read(offset, 1 << 20, true).unwrap();
        let mut rest = &bytes[..];
        if rest.is_empty() {
            return found;
        }
        while !rest.is_empty() {
            let header = Header::read(rest).unwrap();
            let batch = &rest[..header.bytes];
            assert!(super::super::batch::checksum_holds(batch, &header));
            assert!(header.base_offset >= offset, "{} after {offset}", header.base_offset);
            let body = records::body(batch, &header).unwrap();
            for record in records::all(&body, &header).unwrap() {
                let key = String::from_utf8(record.key.unwrap_or(b"-").to_vec()).unwrap();
                found.push((record.offset, key, record.has_value.then(|| record.timestamp.to_string())));
            }
            offset = header.last_offset() + 1;
            rest = &rest[header.bytes..];
        }
    }
}

fn newest(contents: &[(i64, String, Option<String>)]) -> BTreeMap<String, i64> {
    contents.iter().map(|(offset, key, _)| (key.clone(), *offset)).collect()
}

#[test]
fn old_segments_go_by_time_and_the_end_stays_also_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let config = LogConfig { segment_bytes: 300, retention_ms: 1000, ..config() };
    for n in 0..20 {
        put(&partition, &[(None, Some("v"))], &config, n * 100);
    }
    partition.expire(&config, 1500).unwrap();
    let start = partition.offset_range().start;
    assert!((3..=5).contains(&start), "{start}");
    assert_eq!(contents(&partition).len() as i64, 20 - start);
    partition.expire(&config, 1_000_000).unwrap();
    assert_eq!((partition.offset_range().start, partition.offset_range().end), (20, 20));
    assert!(matches!(partition.read(19, 1, true), Err(FetchError::OutOfRange)));
    drop(partition);
    let again = open(dir.path(), None);
    assert_eq!((again.offset_range().start, again.offset_range().end), (20, 20));
    assert_eq!(put(&again, &[(None, Some("v"))], &config, 1_000_000), 20);
}

#[test]
fn old_segments_go_by_size() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let config = LogConfig { segment_bytes: 300, retention_bytes: 1000, ..config() };
    for n in 0..60 {
        put(&partition, &[(None, Some("v"))], &config, n);
    }
    partition.expire(&LogConfig { deletes: false, ..config.clone() }, 0).unwrap();
    assert_eq!(partition.offset_range().start, 0);
    partition.expire(&config, 0).unwrap();
    let bytes: u64 = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert!((1000..1300).contains(&bytes), "{bytes}");
    assert_eq!(contents(&partition).len() as i64, 60 - partition.offset_range().start);
}

#[test]
fn of_each_key_the_latest_stays_and_small_segments_become_one() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let config = compacting();
    for n in 0..90 {
        let (a, b) = (format!("k{}", n % 7), format!("k{}", n % 5));
        put(&partition, &[(Some(&a), Some("x")), (Some(&b), Some("y"))], &config, n);
    }
    let before = newest(&contents(&partition));
    partition.compact(&config, 1000).unwrap();
    let after = contents(&partition);
    assert_eq!(newest(&after), before);
    assert!(after.len() < 7 + 6 * 2, "{}", after.len());
    assert_eq!((partition.offset_range().start, partition.offset_range().end), (0, 180));
    // Nothing is new, nothing is done: the files are the same.
    let listing = || {
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let files = listing();
    assert!(files.len() < 12, "{files:?}");
    partition.compact(&config, 1000).unwrap();
    assert_eq!(listing(), files);
    // A reader that asks for an offset that is gone gets what comes next, a time finds what is left.
    let (bytes, _) = partition.read(1, 1 << 20, true).unwrap();
    assert_eq!(Header::read(&bytes).unwrap().base_offset, after[0].0 - after[0].0 % 2);
    assert_eq!(partition.find_time(0).unwrap().unwrap().0, after[0].0);
    drop(partition);
    let again = open(dir.path(), None);
    assert_eq!(contents(&again), after);
    put(&again, &[(Some("k0"), Some("z"))], &config, 2000);
    assert_eq!(newest(&contents(&again))["k0"], 180);
}

#[test]
fn tombstones_stay_for_their_time_and_not_longer() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let config = LogConfig { delete_retention_ms: 500, ..compacting() };
    put(&partition, &[(Some("gone"), Some("x"))], &config, 0);
    put(&partition, &[(Some("gone"), None), (Some("kept"), Some("x"))], &config, 10);
    for n in 0..4 {
        put(&partition, &[(Some("other"), Some("x"))], &config, 20 + n);
    }
    let keys = |partition: &Partition| contents(partition).into_iter().map(|(_, key, _)| key).collect::<Vec<_>>();
    partition.compact(&config, 1000).unwrap();
    let found = contents(&partition);
    assert_eq!((found[0].1.as_str(), &found[0].2), ("gone", &None));
    assert_eq!((found[1].1.as_str(), &found[1].2), ("kept", &Some("11".to_owned())), "its time is as it was");
    partition.compact(&config, 1499).unwrap();
    assert!(keys(&partition).contains(&"gone".to_owned()));
    drop(partition);
    let again = open(dir.path(), None);
    again.compact(&config, 1500).unwrap();
    assert!(!keys(&again).contains(&"gone".to_owned()));
    assert!(keys(&again).contains(&"kept".to_owned()));
}

#[test]
fn compressed_batches_are_compacted_in_their_codec() {
    for codec in 1..=4 {
        let dir = tempfile::tempdir().unwrap();
        let partition = open(dir.path(), None);
        let config = compacting();
        for n in 0..12 {
            let batch = keyed(&[(Some("same"), Some("x")), (Some(&n.to_string()), Some("y"))], codec, (3, 0, 2 * n), 7);
            append(&partition, &batch, &config).unwrap();
        }
        assert_eq!(partition.find_time(8).unwrap(), Some((1, 8)), "inside a batch of codec {codec}");
        partition.compact(&config, 1000).unwrap();
        let found = contents(&partition);
        assert_eq!(found.iter().filter(|(_, key, _)| key != "same").count(), 12);
        assert!(found.iter().filter(|(_, key, _)| key == "same").count() <= 5);
        let (bytes, _) = partition.read(0, 1, true).unwrap();
        let first = Header::read(&bytes).unwrap();
        assert_eq!((first.codec(), first.records, first.last_offset()), (codec, 1, 1));
        // The producer's numbers are known as before.
        let last = keyed(&[(Some("same"), Some("x")), (Some("11"), Some("y"))], codec, (3, 0, 22), 7);
        assert_eq!(append(&partition, &last, &config).unwrap(), 22);
    }
}

#[test]
fn a_log_with_more_keys_than_memory_is_compacted_piece_by_piece() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let config = compacting();
    for n in 0..120 {
        put(&partition, &[(Some(&format!("k{}", n % 40)), Some("x"))], &config, n);
    }
    let before = newest(&contents(&partition));
    for _ in 0..30 {
        partition.compact_with_max_keys(&config, 1000, 7).unwrap();
        assert_eq!(newest(&contents(&partition)), before);
    }
    assert!(contents(&partition).len() <= 40 + 5, "{}", contents(&partition).len());
}

#[test]
fn young_records_wait_and_a_crash_inside_a_round_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let config = LogConfig { min_compaction_lag_ms: 100, ..compacting() };
    for n in 0..12 {
        put(&partition, &[(Some("same"), Some("x"))], &config, n);
    }
    partition.compact(&config, 50).unwrap();
    assert_eq!(contents(&partition).len(), 12);
    partition.sync().unwrap();
    drop(partition);
    // The moments a crash can leave: not committed, and committed but what was replaced is still there.
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("00000000000000000000.compacted"), b"half").unwrap();
    let again = open(dir.path(), None);
    assert_eq!(contents(&again).len(), 12);
    let bases: Vec<i64> = {
        let mut bases: Vec<i64> = std::fs::read_dir(dir.path())
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".log")?.parse().ok())
            .collect();
        bases.sort_unstable();
        bases
    };
    drop(again);
    let last = keyed(&[(Some("same"), Some("x"))], 0, (-1, -1, -1), 5);
    let offset = bases[2] - 1;
    let mut whole = last.clone();
    whole[..8].copy_from_slice(&offset.to_be_bytes());
    std::fs::write(path(&format!("{:020}-{:020}-1.log", 0, bases[2])), &whole).unwrap();
    std::fs::remove_file(path(&format!("{:020}.log", bases[1]))).unwrap();
    let again = open(dir.path(), None);
    let offsets: Vec<i64> = contents(&again).iter().map(|(offset, ..)| *offset).collect();
    assert_eq!(offsets, (offset..12).collect::<Vec<_>>());
    assert!(!path("00000000000000000000.compacted").exists());
    assert!(!path("00000000000000000000.log").exists());
}

#[test]
fn a_full_disk_refuses_and_recovers_when_there_is_room() {
    let memory = Memory::new(1);
    let (files, dir) = in_memory(&memory);
    let partition = Partition::open(files, dir, 0, None).unwrap();
    let batch = sample(&["value"], (5, 0, 0), 0);
    assert_eq!(append(&partition, &batch, &config()).unwrap(), 0);
    let next = sample(&["value"], (5, 0, 1), 0);
    for _ in 0..5 {
        memory.inject(0, Injection::Errno(28));
        let refused = append(&partition, &next, &config());
        assert!(matches!(refused, Err(AppendError::Storage(error)) if error.kind() == std::io::ErrorKind::StorageFull));
        assert_eq!(batches(&partition, 0), ["0+1"]);
    }
    // Nor can the part be cut off: the next append does.
    memory.inject(0, Injection::Crash);
    assert!(append(&partition, &next, &config()).is_err());
    memory.restart(Survival::ProcessDied);
    drop(partition);
    let (files, dir) = in_memory(&memory);
    let partition = Partition::open(files, dir, 0, None).unwrap();
    assert_eq!(append(&partition, &next, &config()).unwrap(), 1);
    assert_eq!(batches(&partition, 0), ["0+1", "1+1"]);
}

/// A log of five segments, synced, and its last calls counted.
fn rolled(memory: &Memory) -> Partition {
    let (files, dir) = in_memory(memory);
    let partition = Partition::open(files, dir, 0, None).unwrap();
    for n in 0..15 {
        put(&partition, &[(Some("same"), Some("x"))], &compacting(), n);
    }
    partition
}

#[test]
fn an_error_at_any_step_of_a_compaction_leaves_a_log_that_answers() {
    let mut offline = 0;
    for errno in [28, 5, 24] {
        for nth in 0..200 {
            let memory = Memory::new(nth + 1);
            let partition = rolled(&memory);
            let before = newest(&contents(&partition));
            memory.allow_calls(5_000);
            memory.inject(nth, Injection::Errno(errno));
            let _ = partition.compact(&compacting(), 1000);
            if !memory.clear_injection() {
                assert!(nth > 20, "a round has more calls than {nth}");
                break;
            }
            let range = partition.offset_range();
            if !matches!(partition.find_time(0), Err(FetchError::Offline)) {
                assert_eq!(range.end, 15);
                assert_eq!(newest(&contents(&partition)), before, "error {errno} at call {nth}");
                assert!(matches!(partition.find_time(0), Ok(Some(_))), "error {errno} at call {nth}");
                assert_eq!(put(&partition, &[(Some("same"), Some("x"))], &compacting(), 2_000), 15);
                // The next round succeeds.
                partition.compact(&compacting(), 1000).unwrap();
                assert!(contents(&partition).len() < 10);
            } else {
                offline += 1;
                assert!(matches!(partition.read(range.end, 1, true), Err(FetchError::Offline)));
                assert!(matches!(partition.find_time(0), Err(FetchError::Offline)));
            }
            drop(partition);
            memory.restart(Survival::ProcessDied);
            let (files, dir) = in_memory(&memory);
            let again = Partition::open(files, dir, 0, None).unwrap();
            assert!(newest(&contents(&again))["same"] >= before["same"], "error {errno} at call {nth}");
        }
    }
    assert!(offline > 0, "a failed sync takes it offline");
}

#[test]
fn a_sync_that_failed_is_not_believed_afterwards() {
    let memory = Memory::new(7);
    let (files, dir) = in_memory(&memory);
    let partition = Partition::open(files.clone(), dir.clone(), 0, None).unwrap();
    for n in 0..3 {
        append(&partition, &sample(&["v"], (5, 0, n), 0), &config()).unwrap();
    }
    partition.sync_to(3).unwrap();
    append(&partition, &sample(&["v"], (5, 0, 3), 0), &config()).unwrap();
    memory.inject(0, Injection::Errno(5));
    assert!(partition.sync_to(4).is_err());
    // The producer tries again, and is told no more than that it failed.
    for _ in 0..2 {
        let again = append(&partition, &sample(&["v"], (5, 0, 3), 0), &config());
        assert!(matches!(again, Err(AppendError::Offline)), "{again:?}");
        assert!(partition.sync_to(4).is_err());
    }
    assert_eq!(partition.offset_range().end, 3);
    assert_eq!(batches_up_to(&partition, 0, 3), ["0+1", "1+1", "2+1"], "what the disk has is served");
    assert!(matches!(partition.read(3, 1, true), Err(FetchError::Offline)));
    assert_eq!(partition.close().unwrap(), None, "the next start reads");
    drop(partition);
    memory.restart(Survival::PowerFailed);
    let end = Partition::open(in_memory(&memory).0, dir, 0, None).unwrap().offset_range().end;
    assert!((3..=4).contains(&end), "{end}");
}

#[test]
fn an_append_that_rolls_while_another_waits_for_the_disk_is_synced_with_it() {
    let memory = Memory::new(3);
    let (files, dir) = in_memory(&memory);
    let partition = Partition::open(files, dir, 0, None).unwrap();
    let config = LogConfig { segment_bytes: 300, ..config() };
    for n in 0..10 {
        put(&partition, &[(None, Some("v"))], &config, n);
        partition.sync_to(n + 1).unwrap();
    }
    drop(partition);
    memory.restart(Survival::PowerFailed);
    let (files, dir) = in_memory(&memory);
    assert_eq!(Partition::open(files, dir, 0, None).unwrap().offset_range().end, 10);
}

#[test]
fn sealing_at_the_same_time_leaves_a_whole_index() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let partition = open(dir.path(), None);
        let config = LogConfig { segment_bytes: 3000, ..config() };
        for n in 0..60 {
            put(&partition, &[(None, Some("v"))], &config, n);
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| partition.sync().unwrap());
            }
        });
        let first = dir.path().join("00000000000000000000.index");
        assert!(std::fs::metadata(first).unwrap().len() > 20 + 24, "the index has entries");
    }
}

#[test]
fn what_the_disk_lost_of_a_rolled_segment_ends_the_log_there() {
    let dir = tempfile::tempdir().unwrap();
    let partition = open(dir.path(), None);
    let config = LogConfig { segment_bytes: 300, ..config() };
    for n in 0..20 {
        put(&partition, &[(None, Some("v"))], &config, n);
    }
    drop(partition);
    // Rolled, never sealed, and the power went: the first segment lacks its last bytes.
    let first = dir.path().join("00000000000000000000.log");
    let length = std::fs::metadata(&first).unwrap().len();
    File::options().write(true).open(&first).unwrap().set_len(length - 1).unwrap();
    let again = open(dir.path(), None);
    let end = again.offset_range().end;
    assert!((1..5).contains(&end), "{end}");
    let aside = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside = aside.filter(|path| path.extension().is_some_and(|extension| extension == "unreachable")).count();
    assert!(aside >= 3, "{aside} segments after it are set aside");
    assert_eq!(contents(&again).len() as i64, end);
    assert_eq!(put(&again, &[(None, Some("v"))], &config, 0), end);
}
