//! Where a stream is: the offset of the next record of each partition. As text it is the id of an event, with which a client goes on.
//!
//! Of one topic `0:17,1:4`; where a stream may have several topics, `orders:0:17,1:4,audit:0:3`: a partition without a topic is one of the
//! topic before it. Names of topics have no colon and no comma.

use std::collections::{BTreeMap, BTreeSet};

use postern_proxy::{PartitionName, PartitionPosition};

use super::PARTITIONS_MAX;

/// The next offset of each partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Positions(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Empty where there is one topic only.
    topic: String,
    partition: i32,
    next: i64,
}

impl Positions {
    /// Those of one topic.
    pub(super) fn at(places: impl Iterator<Item = (i32, i64)>) -> Positions {
        Positions(places.map(|(partition, next)| Place { topic: String::new(), partition, next }).collect())
    }

    /// Those of an instance.
    pub(crate) fn of_partitions(positions: &[PartitionPosition]) -> Positions {
        let place =
            |(at, next): &PartitionPosition| Place { topic: at.topic.clone(), partition: at.partition, next: *next };
        Positions(positions.iter().map(place).collect())
    }

    /// `None`: it is no such text, or names a partition twice.
    pub(crate) fn parse(text: &str) -> Option<Positions> {
        let (mut topic_before, mut places, mut named) = ("", Vec::new(), BTreeSet::new());
        for text in text.split(',') {
            let (rest, next) = text.trim().rsplit_once(':')?;
            let (topic, partition) = rest.rsplit_once(':').unwrap_or((topic_before, rest));
            let (partition, next): (i32, i64) = (partition.parse().ok()?, next.parse().ok()?);
            if partition < 0 || next < 0 || !named.insert((topic, partition)) {
                return None;
            }
            places.push(Place { topic: topic.to_owned(), partition, next });
            topic_before = topic;
        }
        (places.len() <= PARTITIONS_MAX).then_some(Positions(places))
    }

    /// How many partitions they name.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes that the text has at most, whatever the offsets.
    pub(super) fn text_max(&self) -> usize {
        const NUMBERS: usize = "2147483647:9223372036854775807,".len();
        let is_same = |n: usize, place: &Place| n > 0 && self.0[n - 1].topic == place.topic;
        let places = self.0.iter().enumerate();
        places.map(|(n, place)| if is_same(n, place) { NUMBERS } else { NUMBERS + 1 + place.topic.len() }).sum()
    }

    /// By partition, where no topic is named.
    pub(crate) fn of_topic(&self) -> Option<BTreeMap<i32, i64>> {
        self.0.iter().map(|place| place.topic.is_empty().then_some((place.partition, place.next))).collect()
    }

    /// The partition and offset of each, where topics are named.
    pub(crate) fn of_topics(&self) -> Option<Vec<PartitionPosition>> {
        let place = |Place { topic, partition, next }: &Place| {
            let at = PartitionName { topic: topic.clone(), partition: *partition };
            (!topic.is_empty()).then_some((at, *next))
        };
        self.0.iter().map(place).collect()
    }

    /// A partition, which is read from its beginning unless it is known.
    pub(super) fn add(&mut self, partition: i32) {
        if !self.0.iter().any(|place| place.partition == partition) {
            self.0.push(Place { topic: String::new(), partition, next: 0 });
        }
    }

    /// The next record of a partition is at `next`.
    pub(super) fn set(&mut self, topic: &str, partition: i32, next: i64) {
        match self.0.iter_mut().find(|place| place.partition == partition && place.topic == topic) {
            Some(place) => place.next = next,
            None => self.0.push(Place { topic: topic.to_owned(), partition, next }),
        }
    }

    /// Appends the text that holds once the record before `next` was read.
    pub(super) fn write_after(&self, topic: &str, partition: i32, next: i64, out: &mut Vec<u8>) {
        let (mut is_known, mut before) = (false, None);
        for place in &self.0 {
            let is_here = place.partition == partition && place.topic == topic;
            is_known |= is_here;
            write(before, &place.topic, place.partition, if is_here { next } else { place.next }, out);
            before = Some(place.topic.as_str());
        }
        if !is_known {
            write(before, topic, partition, next, out);
        }
    }

    /// Appends the text.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut before = None;
        for place in &self.0 {
            write(before, &place.topic, place.partition, place.next, out);
            before = Some(place.topic.as_str());
        }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// `before`: the topic of the partition before, if there is one.
fn write(before: Option<&str>, topic: &str, partition: i32, next: i64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    if before.is_some() {
        out.push(b',');
    }
    if !topic.is_empty() && before != Some(topic) {
        out.extend_from_slice(topic.as_bytes());
        out.push(b':');
    }
    out.extend_from_slice(digits.format(partition).as_bytes());
    out.push(b':');
    out.extend_from_slice(digits.format(next).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["0:17", "0:17,1:4", "a.b:0:17,c-d:1:4", "a.b:0:17,1:4,c-d:1:4"] {
            let positions = Positions::parse(text).expect(text);
            assert_eq!(positions.text(), text);
            assert_eq!(positions.of_topic().is_some(), !text.starts_with('a'), "{text}");
            assert_eq!(positions.of_topics().is_some(), text.starts_with('a'), "{text}");
        }
        for bad in
            ["", "0", "0:", ":1", "x:1", "0:-1", "-1:0", "0:1,", "0:1:x", "0:1;1:2", "0:1,0:2", "a:0:1,b:0:1,a:0:1"]
        {
            assert_eq!(Positions::parse(bad), None, "{bad}");
        }
        let many = |count: i32| (0..count).map(|partition| format!("{partition}:1")).collect::<Vec<_>>().join(",");
        assert!(Positions::parse(&many(500)).is_some());
        assert_eq!(Positions::parse(&many(501)), None, "it is bounded");
        let long = Positions::parse("a:0:1,a:1:2,b:0:3").expect("the topic may stand in each");
        assert_eq!(long.text(), "a:0:1,1:2,b:0:3");
        assert_eq!(Positions::parse("0:1,a:0:1").and_then(|mixed| mixed.of_topics()), None);
    }

    #[test]
    fn a_text_can_be_written_for_a_record_before_it_counts() {
        let mut positions = Positions::at([(0, 5), (1, 7)].into_iter());
        let mut out = Vec::new();
        positions.write_after("", 1, 8, &mut out);
        assert_eq!((out.as_slice(), positions.text().as_str()), (&b"0:5,1:8"[..], "0:5,1:7"));
        positions.set("", 1, 8);
        positions.add(2);
        positions.add(0);
        assert_eq!(positions.text(), "0:5,1:8,2:0");
        let mut out = Vec::new();
        Positions::parse("t:0:1").expect("a position").write_after("u", 0, 4, &mut out);
        assert_eq!(out, b"t:0:1,u:0:4");
    }
}
