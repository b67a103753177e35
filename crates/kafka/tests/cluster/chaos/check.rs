//! What callers were told, held against the log.

use std::{
    collections::HashMap,
    fmt,
    ops::AddAssign,
    time::{Duration, Instant},
};

use postern_kafka::{Cluster, Fate, PartitionId, TopicName};

use super::load::Told;

/// How many records had which fate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) written: usize,
    not_written: usize,
    unknown: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.written += other.written;
        self.not_written += other.not_written;
        self.unknown += other.unknown;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { written, not_written, unknown } = self;
        write!(f, "{written} records written, {not_written} not written, {unknown} unknown")
    }
}

/// Where values stand: partition and offset.
pub(crate) type Places = HashMap<String, Vec<(i32, i64)>>;

/// Acknowledged: there once, at its offset. Not written: nowhere. Unknown: once or not at all. What is there stands in the order in
/// which its task appended it. `born`: when the topic was made the last time; what was appended before may be gone.
pub(crate) async fn check(cluster: &Cluster, topic: &TopicName, told: &[Told], born: Option<Instant>) -> Counts {
    let log = read(cluster, topic).await;
    let mut counts = Counts::default();
    let mut last: HashMap<(u64, i32), i64> = HashMap::new();
    let (mut values, mut found_of_told) = (0, 0);
    for Told { task, value, partition, since, outcome, .. } in told.iter().filter(|told| told.topic == *topic) {
        values += 1;
        let found = log.get(value).map_or(&[][..], Vec::as_slice);
        found_of_told += usize::from(!found.is_empty());
        let may_be_gone = born.is_some_and(|born| *since < born) && found.is_empty();
        match outcome {
            Ok(receipt) => {
                counts.written += 1;
                let place = (receipt.partition.0, receipt.offset.0);
                assert!(may_be_gone || found == [place], "{topic}: {value} was acknowledged at {place:?}: {found:?}");
                assert!(partition.is_none_or(|asked| asked == place.0), "{topic}: {value} went to another partition");
            }
            Err(Fate::NotWritten) => {
                counts.not_written += 1;
                assert_eq!(found, [], "{topic}: {value} was called not written");
            }
            Err(Fate::Unknown) => {
                counts.unknown += 1;
                assert!(found.len() <= 1, "{topic}: {value} is there twice: {found:?}");
            }
        }
        for (partition, offset) in found {
            let before = last.insert((*task, *partition), *offset);
            assert!(before.is_none_or(|before| before < *offset), "{topic}: {value} stands before an earlier record");
        }
    }
    assert_eq!(found_of_told, log.len(), "{topic}: nothing is there that nobody appended ({values} were)");
    assert!(log.values().all(|places| places.len() == 1), "{topic}: nothing is there twice");
    counts
}

pub(crate) async fn read(cluster: &Cluster, topic: &TopicName) -> Places {
    let mut log = Places::new();
    let partitions = cluster.topic(topic, false).await.expect("described").partitions.len();
    for partition in (0..).take(partitions).map(PartitionId) {
        let end = cluster.offsets(topic, partition).await.expect("known").latest.0;
        let mut reader = cluster.reader(topic, partition).expect("starts");
        let mut next = 0;
        while next < end {
            let records = tokio::time::timeout(Duration::from_secs(20), reader.next()).await.expect("in time");
            for record in records.expect("read") {
                let value = String::from_utf8(record.value.expect("has a value").to_vec()).expect("text");
                let value = value.trim_end_matches('.').to_owned();
                log.entry(value).or_default().push((partition.0, record.offset.0));
                next = record.offset.0 + 1;
            }
        }
    }
    log
}
