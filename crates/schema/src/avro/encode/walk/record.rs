//! Objects whose members need book-keeping: records, whose fields come in any order, and maps, whose keys may repeat.
//!
//! Members are written as they come, each remembered as a span of the output. Only where their order is not that of
//! the schema, or a later one replaces an earlier, is the record put together anew behind what was written, and
//! moved to its place.

use std::collections::HashMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::{Anything, Block, Segment, Span, Walk};
use crate::avro::encode::block;
use crate::avro::encode::path::Failure;
use crate::avro::model::NodeId;
use crate::avro::plan::Record;

impl Span {
    /// A field that has not been met.
    const MISSING: Span = Span { start: usize::MAX, end: usize::MAX };
}

/// With this many keys in a map, comparing all with all is slower than a table.
const FEW_KEYS: usize = 12;

impl Walk<'_> {
    pub(super) fn record<'de, A: MapAccess<'de>>(&mut self, record: &Record, mut members: A) -> Result<(), A::Error> {
        self.enter()?;
        let fields = &*record.fields;
        let start = self.out.len();
        let base = self.spans.len();
        self.spans.resize(base + fields.len(), Span::MISSING);
        let (mut met, mut expected, mut in_order) = (0, 0, true);
        while let Some(name) = members.next_key_seed(FieldName { record, guess: expected })? {
            let Some(position) = name else {
                members.next_value_seed(Anything { walk: self })?;
                continue;
            };
            let field = &fields[position];
            let at = self.out.len();
            if let Err(error) = members.next_value_seed(self.value(field.node)) {
                self.failed_within(Segment::Member(field.name.as_ref().into()));
                return Err(error);
            }
            in_order &= position == expected;
            expected = position + 1;
            met += usize::from(self.spans[base + position] == Span::MISSING);
            self.spans[base + position] = Span { start: at, end: self.out.len() };
        }
        if met < fields.len() {
            return Err(self.missing(record, base));
        }
        if !in_order {
            self.rearrange(start, base);
        }
        self.spans.truncate(base);
        self.leave();
        Ok(())
    }

    #[cold]
    fn missing<E: de::Error>(&mut self, record: &Record, base: usize) -> E {
        let position = self.spans[base..].iter().position(|span| *span == Span::MISSING);
        let field = &record.fields[position.expect("fewer fields were met than there are")];
        let found = if field.has_default { "no such field (its default is not filled in)" } else { "no such field" };
        let mut failure = Failure::misfit(self.plan.expects(field.node), found);
        failure.within(Segment::Member(field.name.as_ref().into()));
        self.fail(failure)
    }

    /// Puts the spans from `base` on in their order, in place of all that was written since `start`.
    fn rearrange(&mut self, start: usize, base: usize) {
        let end = self.out.len();
        for Span { start, end } in &self.spans[base..] {
            self.out.extend_from_within(*start..*end);
        }
        self.out.drain(start..end);
    }

    pub(super) fn map<'de, A: MapAccess<'de>>(&mut self, values: NodeId, mut members: A) -> Result<(), A::Error> {
        self.enter()?;
        let block = Block::open(self.out);
        let start = self.out.len();
        let base = self.spans.len();
        while members.next_key_seed(Key { walk: self })?.is_some() {
            // What fails inside leaves its own spans on the stack.
            let key = self.spans.len() - 1;
            if let Err(error) = members.next_value_seed(self.value(values)) {
                let Span { start, end } = self.spans[key];
                let key = String::from_utf8_lossy(&self.out[start..end]).into_owned();
                self.failed_within(Segment::Key(key));
                return Err(error);
            }
        }
        let count = self.last_of_each_key(start, base);
        self.spans.truncate(base);
        block.close(count, self.out);
        self.leave();
        Ok(())
    }

    /// Where a key was written twice, keeps its last value in the place of the first. Gives the number of keys left.
    fn last_of_each_key(&mut self, start: usize, base: usize) -> usize {
        let keys = self.spans.len() - base;
        if !self.repeats(base) {
            return keys;
        }
        // From the key to the next one, its length left out: that is written again.
        let end = self.out.len();
        let mut order = Vec::<Span>::with_capacity(keys);
        let mut places = HashMap::<&[u8], usize>::with_capacity(keys);
        for (index, key) in self.spans[base..].iter().enumerate() {
            let bytes = &self.out[key.start..key.end];
            let entry = Span { start: base + index, end: 0 };
            match places.get(bytes) {
                Some(place) => order[*place] = entry,
                None => {
                    places.insert(bytes, order.len());
                    order.push(entry);
                }
            }
        }
        let count = order.len();
        let mut packed = Vec::with_capacity(end - start);
        for entry in order {
            let key = self.spans[entry.start];
            let entry_end = self.spans.get(entry.start + 1).map_or(end, |next| next.start - length_of_length(*next));
            block::long((key.end - key.start) as i64, &mut packed);
            packed.extend_from_slice(&self.out[key.start..entry_end]);
        }
        self.out.truncate(start);
        self.out.extend_from_slice(&packed);
        count
    }

    fn repeats(&self, base: usize) -> bool {
        let key = |span: &Span| &self.out[span.start..span.end];
        let keys = &self.spans[base..];
        if keys.len() <= FEW_KEYS {
            return keys
                .iter()
                .enumerate()
                .any(|(index, one)| keys[..index].iter().any(|other| key(one) == key(other)));
        }
        let mut seen = std::collections::HashSet::with_capacity(keys.len());
        !keys.iter().all(|span| seen.insert(key(span)))
    }
}

/// How many bytes the length before a key takes.
fn length_of_length(key: Span) -> usize {
    let mut length = Vec::new();
    block::long((key.end - key.start) as i64, &mut length);
    length.len()
}

/// The name of a member of a record: gives the field's position, or none for a member that the schema does not know.
struct FieldName<'a> {
    record: &'a Record,
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for FieldName<'_> {
    type Value = Option<usize>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Option<usize>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.record.position(name, self.guess))
    }
}

/// A key of a map: written out, its bytes remembered.
struct Key<'a, 'w> {
    walk: &'a mut Walk<'w>,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<(), E> {
        block::long(key.len() as i64, self.walk.out);
        let start = self.walk.out.len();
        self.walk.out.extend_from_slice(key.as_bytes());
        self.walk.spans.push(Span { start, end: self.walk.out.len() });
        Ok(())
    }
}
