//! Where a stream is: the offset of the next record of each partition. As text it is the id of an event, with which a client goes on.
//!
//! Of one topic `0:17,1:4`; where a stream has several topics, `orders:0:17,audit:1:4`. Names of topics have no colon and no comma.

use std::collections::BTreeMap;

/// Partitions in one text.
const MAX: usize = 500;

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

    /// `None`: it is no such text.
    pub(crate) fn parse(text: &str) -> Option<Positions> {
        let place = |text: &str| {
            let (rest, next) = text.trim().rsplit_once(':')?;
            let (topic, partition) = rest.rsplit_once(':').unwrap_or(("", rest));
            let (partition, next) = (partition.parse().ok()?, next.parse().ok()?);
            (partition >= 0 && next >= 0).then(|| Place { topic: topic.to_owned(), partition, next })
        };
        let places: Option<Vec<Place>> = text.split(',').map(place).collect();
        places.filter(|places| places.len() <= MAX).map(Positions)
    }

    /// By partition, where no topic is named.
    pub(crate) fn of_topic(&self) -> Option<BTreeMap<i32, i64>> {
        self.0.iter().map(|place| place.topic.is_empty().then_some((place.partition, place.next))).collect()
    }

    /// Topic, partition and offset of each, where topics are named.
    pub(crate) fn of_topics(&self) -> Option<Vec<(&str, i32, i64)>> {
        let places = self.0.iter();
        places
            .map(|Place { topic, partition, next }| (!topic.is_empty()).then_some((topic.as_str(), *partition, *next)))
            .collect()
    }

    /// A partition, which is read from its beginning unless it is known.
    pub(super) fn add(&mut self, partition: i32) {
        if !self.0.iter().any(|place| place.partition == partition) {
            self.0.push(Place { topic: String::new(), partition, next: 0 });
        }
    }

    /// The next record of a partition is at `next`. Of too many partitions the first are forgotten.
    pub(super) fn set(&mut self, topic: &str, partition: i32, next: i64) {
        match self.0.iter_mut().find(|place| place.partition == partition && place.topic == topic) {
            Some(place) => place.next = next,
            None => {
                if self.0.len() >= MAX {
                    self.0.remove(0);
                }
                self.0.push(Place { topic: topic.to_owned(), partition, next });
            }
        }
    }

    /// Appends the text that holds once the record before `next` was read.
    pub(super) fn write_after(&self, topic: &str, partition: i32, next: i64, out: &mut Vec<u8>) {
        let mut is_known = false;
        for (n, place) in self.0.iter().enumerate() {
            let is_here = place.partition == partition && place.topic == topic;
            is_known |= is_here;
            write(n == 0, &place.topic, place.partition, if is_here { next } else { place.next }, out);
        }
        if !is_known {
            write(self.0.is_empty(), topic, partition, next, out);
        }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let mut out = Vec::new();
        for (n, place) in self.0.iter().enumerate() {
            write(n == 0, &place.topic, place.partition, place.next, &mut out);
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

fn write(is_first: bool, topic: &str, partition: i32, next: i64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    if !is_first {
        out.push(b',');
    }
    if !topic.is_empty() {
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
        for text in ["0:17", "0:17,1:4", "a.b:0:17,c-d:1:4"] {
            let positions = Positions::parse(text).expect(text);
            assert_eq!(positions.text(), text);
            assert_eq!(positions.of_topic().is_some(), !text.starts_with('a'), "{text}");
            assert_eq!(positions.of_topics().is_some(), text.starts_with('a'), "{text}");
        }
        for bad in ["", "0", "0:", ":1", "x:1", "0:-1", "-1:0", "0:1,", "0:1:x", "0:1;1:2"] {
            assert_eq!(Positions::parse(bad), None, "{bad}");
        }
        assert_eq!(Positions::parse(&["0:1"; 501].join(",")), None, "it is bounded");
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
        let mut many = Positions::default();
        for partition in 0..600 {
            many.set("t", partition, 1);
        }
        assert!(many.text().starts_with("t:100:1,t:101:1") && many.text().ends_with("t:599:1"));
    }
}
