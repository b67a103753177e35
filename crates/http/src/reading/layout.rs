//! How records follow each other in an answer: as a list, as lines, as events.

use std::sync::Arc;

use parking_lot::Mutex;
use postern_proxy::{ConsumerError, Error, PartitionPosition, ReadRecord, RecordLayout};
use serde::Serialize;

use super::{PARTITIONS_MAX, Positions};
use crate::negotiate::{EVENT_STREAM, NDJSON};
use crate::problem::{Dialect, problem};
use crate::reply::to_json;

/// Bytes of the id of an event: it comes back as a header, of which many servers take no more.
const ID_MAX: usize = 24 << 10;

/// How records are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A JSON array; its end is the caller's.
    List,
    /// Server-sent events.
    Events,
    /// A line for each.
    Lines,
}

impl Framing {
    /// That of a media type.
    pub(crate) fn of(media_type: &str) -> Framing {
        match media_type {
            EVENT_STREAM => Framing::Events,
            NDJSON => Framing::Lines,
            _ => Framing::List,
        }
    }
}

/// How one record is written as an object.
pub(crate) trait RecordObject: Clone + Send + Sync + 'static {
    /// The API whose error codes are written.
    const DIALECT: Dialect;

    fn before_key(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>);
    fn before_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>);
    fn after_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>);
}

/// Records as objects in a frame, and where the client is after each.
pub(crate) struct Framed<R> {
    framing: Framing,
    object: R,
    /// Whether positions name the topic.
    names_topics: bool,
    before: Positions,
    /// Shared with who began the read.
    now: Arc<Mutex<Positions>>,
}

/// A layout for a read that begins at `positions`, and what holds its positions afterwards.
pub(crate) fn framed<R: RecordObject>(
    framing: Framing,
    object: R,
    names_topics: bool,
    before: Positions,
) -> (Framed<R>, Arc<Mutex<Positions>>) {
    let now = Arc::new(Mutex::new(before.clone()));
    (Framed { framing, object, names_topics, before, now: now.clone() }, now)
}

/// Whether the id of an event can name all these partitions of an instance.
pub(super) fn check_id(positions: &Positions) -> Result<(), Error> {
    match positions.len() <= PARTITIONS_MAX && positions.text_max() <= ID_MAX {
        true => Ok(()),
        false => Err(ConsumerError::TooManyPartitions { found: positions.len(), max: PARTITIONS_MAX }.into()),
    }
}

impl<R: RecordObject> Framed<R> {
    fn begin_event(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"id: ");
        let topic = if self.names_topics { record.topic } else { "" };
        self.now.lock().write_after(topic, record.partition, record.offset.saturating_add(1), out);
        out.push(b'\n');
    }

    fn end(&self, out: &mut Vec<u8>) {
        match self.framing {
            Framing::List => {}
            Framing::Events => out.extend_from_slice(b"\n\n"),
            Framing::Lines => out.push(b'\n'),
        }
    }
}

impl<R: RecordObject> RecordLayout for Framed<R> {
    fn begin(&self) {
        self.now.lock().clone_from(&self.before);
    }

    /// An event with nothing but an id comes where the instance is elsewhere than the client was told: before the first record of a partition
    /// that no id named before, and after a seek or a reset, which a client that comes back would undo.
    fn assigned(&self, positions: &[PartitionPosition], out: &mut Vec<u8>) -> Result<(), Error> {
        if self.framing != Framing::Events {
            return Ok(());
        }
        let positions = Positions::of_partitions(positions);
        check_id(&positions)?;
        let mut now = self.now.lock();
        let is_same = *now == positions;
        *now = positions;
        if !is_same && *now != Positions::default() {
            out.extend_from_slice(b"id: ");
            now.write(out);
            self.end(out);
        }
        Ok(())
    }

    fn before_key(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        match self.framing {
            Framing::List => out.push(if out.is_empty() { b'[' } else { b',' }),
            Framing::Events => {
                self.begin_event(record, out);
                out.extend_from_slice(b"data: ");
            }
            Framing::Lines => {}
        }
        self.object.before_key(record, out);
    }

    fn before_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        self.object.before_value(record, out);
    }

    fn after_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>) {
        self.object.after_value(record, out);
        self.end(out);
    }

    fn taken(&self, topic: &str, partition: i32, offset: i64) {
        // Lines have no ids.
        if self.framing == Framing::Lines {
            return;
        }
        let topic = if self.names_topics { topic } else { "" };
        self.now.lock().set(topic, partition, offset.saturating_add(1));
    }

    /// A stream of a topic goes on behind a record that cannot be decoded; a list, and an instance, stay before it.
    fn undecodable(&self, record: &ReadRecord<'_>, error: &Error, out: &mut Vec<u8>) -> bool {
        #[derive(Serialize)]
        struct Undecodable<'a> {
            topic: &'a str,
            partition: i32,
            offset: i64,
            error_code: u32,
            message: String,
        }
        if self.framing == Framing::List || self.names_topics {
            return false;
        }
        let problem = problem(R::DIALECT, error);
        if self.framing == Framing::Events {
            self.begin_event(record, out);
            out.extend_from_slice(b"event: undecodable\ndata: ");
        }
        let ReadRecord { topic, partition, offset, .. } = *record;
        let (error_code, message) = (problem.code, problem.message);
        out.extend_from_slice(&to_json(&Undecodable { topic, partition, offset, error_code, message }));
        self.end(out);
        true
    }
}

#[cfg(test)]
mod tests {
    use postern_proxy::PartitionName;

    use super::*;

    #[derive(Clone)]
    struct Nothing;

    impl RecordObject for Nothing {
        const DIALECT: Dialect = Dialect::V2;

        fn before_key(&self, _: &ReadRecord<'_>, _: &mut Vec<u8>) {}
        fn before_value(&self, _: &ReadRecord<'_>, _: &mut Vec<u8>) {}
        fn after_value(&self, _: &ReadRecord<'_>, _: &mut Vec<u8>) {}
    }

    #[test]
    fn a_client_is_told_where_the_instance_is_unless_it_knows() {
        let before = Positions::parse("t:0:3").expect("a position");
        let (layout, now) = framed(Framing::Events, Nothing, true, before);
        let told = |offset| {
            let (mut out, at) = (Vec::new(), PartitionName { topic: "t".to_owned(), partition: 0 });
            layout.assigned(&[(at, offset)], &mut out).expect("few partitions");
            String::from_utf8(out).expect("text")
        };
        assert_eq!(told(3), "");
        assert_eq!(told(10), "id: t:0:10\n\n", "a seek or a reset");
        assert_eq!(told(10), "");
        assert_eq!(now.lock().text(), "t:0:10");
    }
}
