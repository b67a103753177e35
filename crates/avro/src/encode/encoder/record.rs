//! Records, whose fields come in any order, and maps, whose keys may repeat.
//!
//! Members are written as they come, and their ranges of the output are remembered. Only if their order is not that of the
//! schema, or a later one replaces an earlier one, the record is assembled again behind its end and moved to its place.

use std::collections::{HashMap, HashSet};

use super::messages::missing_remedy;
use super::{Block, Encoder, Result, Span, block};
use crate::model::NodeId;
use crate::path::{key, member};
use crate::plan::Record;
use postern_schema_core::EncodeError;

impl Span {
    /// A field that has not been found.
    const MISSING: Span = Span { start: usize::MAX, end: usize::MAX };
}

/// With more keys than these, a hash set finds duplicates faster than comparing all pairs.
const FEW_KEYS: usize = 12;

impl Encoder<'_> {
    pub(super) fn record(&mut self, record: &Record) -> Result {
        let fields = &*record.fields;
        let start = self.out.len();
        let base = self.spans.len();
        self.spans.resize(base + fields.len(), Span::MISSING);
        let mut found = 0;
        // Mostly all fields come in the order of the schema, in a text without escapes.
        while let Some(field) = fields.get(found)
            && self.json.next_member_is(field.name_and_colon())
        {
            let at = self.out.len();
            self.value(field.node).map_err(|error| error.within(&member(&field.name)))?;
            self.spans[base + found] = Span { start: at, end: self.out.len() };
            found += 1;
        }
        let (mut expected, mut in_order) = (found, true);
        while let Some(name) = self.json.next_member()? {
            let Some(position) = record.position(&name.unescaped()?, expected) else {
                self.json.skip_value()?;
                continue;
            };
            let field = &fields[position];
            let at = self.out.len();
            self.value(field.node).map_err(|error| error.within(&member(&field.name)))?;
            in_order &= position == expected;
            expected = position + 1;
            found += usize::from(self.spans[base + position] == Span::MISSING);
            self.spans[base + position] = Span { start: at, end: self.out.len() };
        }
        if found < fields.len() {
            return Err(self.missing(record, base));
        }
        if !in_order {
            self.rearrange(start, base);
        }
        self.spans.truncate(base);
        Ok(())
    }

    #[cold]
    fn missing(&self, record: &Record, base: usize) -> EncodeError {
        let position = self.spans[base..].iter().position(|span| *span == Span::MISSING);
        let field = &record.fields[position.expect("fewer fields were found than there are")];
        let found = if field.has_default { "no such field (its default is not filled in)" } else { "no such field" };
        let remedy = missing_remedy(self.plan, &field.name, field.node);
        self.mismatch(field.node, found).with_remedy(remedy).within(&member(&field.name))
    }

    /// Replaces everything written since `start` by the spans from `base` on, in their order.
    fn rearrange(&mut self, start: usize, base: usize) {
        let end = self.out.len();
        for Span { start, end } in &self.spans[base..] {
            self.out.extend_from_within(*start..*end);
        }
        self.out.drain(start..end);
    }

    pub(super) fn map(&mut self, values: NodeId) -> Result {
        let block = Block::open(self.out);
        let start = self.out.len();
        let base = self.spans.len();
        while let Some(name) = self.json.next_member()? {
            let name = name.unescaped()?;
            block::long(name.len() as i64, self.out);
            let at = self.out.len();
            self.out.extend_from_slice(name.as_bytes());
            self.spans.push(Span { start: at, end: self.out.len() });
            self.value(values).map_err(|error| error.within(&key(&name)))?;
        }
        let count = self.keep_last_of_each_key(start, base);
        self.spans.truncate(base);
        block.close(count, self.out);
        Ok(())
    }

    /// Of a repeated key, keeps the last value in the place of the first. Returns the number of keys left.
    fn keep_last_of_each_key(&mut self, start: usize, base: usize) -> usize {
        let keys = self.spans.len() - base;
        if !self.has_duplicates(base) {
            return keys;
        }
        // Each entry reaches from its key to the next one. The length in front of the key is written again.
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

    fn has_duplicates(&self, base: usize) -> bool {
        let key = |span: &Span| &self.out[span.start..span.end];
        let keys = &self.spans[base..];
        if keys.len() <= FEW_KEYS {
            return keys
                .iter()
                .enumerate()
                .any(|(index, one)| keys[..index].iter().any(|other| key(one) == key(other)));
        }
        let mut seen = HashSet::with_capacity(keys.len());
        !keys.iter().all(|span| seen.insert(key(span)))
    }
}

/// How many bytes the length before a key takes.
fn length_of_length(key: Span) -> usize {
    let mut length = Vec::new();
    block::long((key.end - key.start) as i64, &mut length);
    length.len()
}
