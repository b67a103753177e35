//! The walk itself: one serde visitor for all values, told by the reader what is there, by the plan what should be.

mod record;

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::block::{self, Block};
use super::path::{Failure, Reason, Segment};
use super::{MAX_DEPTH, digits, syntax};
use crate::avro::model::NodeId;
use crate::avro::plan::{Plan, Step, Union};

/// Doubles beyond this may stand for an integer that they are not.
const EXACT_UP_TO: f64 = 1e15;

/// How numbers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// As what the reader makes of them; where it may have lost something the walk ends.
    Parsed,
    /// From the digits of the text, where the schema wants a number.
    Digits,
}

/// Where in the output something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

/// State of one value's encoding.
pub(super) struct Walk<'w> {
    plan: &'w Plan,
    out: &'w mut Vec<u8>,
    /// A stack: the fields of the records, and the keys of the maps, that are being written.
    pub(super) spans: Vec<Span>,
    numbers: Numbers,
    json: &'w [u8],
    /// Whether the reader may have dropped the sign of a zero; known when the first zero is met.
    negative_zeros: Option<bool>,
    depth: usize,
    /// Set where the walk stops; the error that serde carries up says nothing.
    pub(super) failure: Option<Box<Failure>>,
}

impl<'w> Walk<'w> {
    pub(super) fn new(
        plan: &'w Plan,
        json: &'w [u8],
        out: &'w mut Vec<u8>,
        spans: Vec<Span>,
        numbers: Numbers,
    ) -> Walk<'w> {
        Walk { plan, json, out, spans, numbers, negative_zeros: None, depth: 0, failure: None }
    }

    pub(super) fn value<'a>(&'a mut self, node: NodeId) -> Value<'a, 'w> {
        Value { walk: self, node }
    }

    #[cold]
    fn fail<E: de::Error>(&mut self, failure: Failure) -> E {
        self.failure = Some(Box::new(failure));
        E::custom("")
    }

    /// Adds a step to the path of whatever went wrong inside.
    #[cold]
    fn failed_within(&mut self, segment: Segment) {
        self.failure.get_or_insert_with(|| Box::new(Failure::syntax())).within(segment);
    }

    fn may_lack_a_sign(&mut self) -> bool {
        let json = self.json;
        self.numbers == Numbers::Parsed && *self.negative_zeros.get_or_insert_with(|| digits::has_negative_zero(json))
    }

    fn enter<E: de::Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.fail(syntax::too_deep())) } else { Ok(()) }
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// One value of the text, to be written as `node` wants it.
pub(super) struct Value<'a, 'w> {
    walk: &'a mut Walk<'w>,
    node: NodeId,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        if self.walk.numbers == Numbers::Digits
            && matches!(self.step(), Step::Int | Step::Long | Step::Float | Step::Double)
        {
            return self.digits(reader);
        }
        reader.deserialize_any(self)
    }
}

impl<'a, 'w> Value<'a, 'w> {
    fn step(&self) -> &'w Step {
        self.walk.plan.step(self.node)
    }

    #[cold]
    fn misfit<E: de::Error>(self, found: impl Into<String>) -> E {
        let expected = self.walk.plan.expects(self.node);
        self.walk.fail(Failure::misfit(expected, found))
    }

    #[cold]
    fn out_of_range<E: de::Error>(self, found: impl fmt::Display) -> E {
        let expected = match self.step() {
            Step::Int => "int (a whole number from -2147483648 to 2147483647)".to_owned(),
            Step::Long => "long (a whole number from -9223372036854775808 to 9223372036854775807)".to_owned(),
            Step::Float => "float (a number up to 3.4e38)".to_owned(),
            _ => self.walk.plan.expects(self.node),
        };
        self.walk.fail(Failure::misfit(expected, found.to_string()))
    }

    fn digits<'de, D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let raw = <sonic_rs::LazyValue<'de> as de::Deserialize<'de>>::deserialize(reader)?;
        let raw = raw.as_raw_str();
        match raw.as_bytes() {
            [b'-' | b'0'..=b'9', ..] => match (self.step(), digits::integer(raw)) {
                (Step::Float | Step::Double, whole) => match (raw.contains(['.', 'e', 'E']), whole, raw.parse()) {
                    (false, Some(value), _) => self.visit_i64(value),
                    (_, _, Ok(value)) => self.visit_f64(value),
                    (_, _, Err(_)) => Err(self.misfit(raw)),
                },
                (_, Some(value)) => self.visit_i64(value),
                (_, None) => Err(self.out_of_range(raw)),
            },
            [b'n', ..] => self.visit_unit(),
            [b'"', ..] => Err(self.misfit(format!("string {}", cut(raw)))),
            [b'{', ..] => Err(self.misfit("an object")),
            [b'[', ..] => Err(self.misfit("a list")),
            _ => Err(self.misfit(raw)),
        }
    }

    fn string<E: de::Error>(self, text: &str) -> Result<(), E> {
        let step = self.step();
        let out = &mut *self.walk.out;
        match step {
            Step::String => {
                block::long(text.len() as i64, out);
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            Step::Enum { symbols, .. } => match symbols.position(text) {
                Some(symbol) => {
                    block::long(symbol as i64, out);
                    Ok(())
                }
                None => Err(self.misfit(quoted(text))),
            },
            Step::Bytes { bare } => {
                if !bare {
                    let length = if text.is_ascii() { text.len() } else { text.chars().count() };
                    block::long(length as i64, out);
                }
                self.latin1(text)
            }
            Step::Fixed { size, .. } => {
                let length = if text.is_ascii() { text.len() } else { text.chars().count() };
                if length == *size {
                    self.latin1(text)
                } else {
                    Err(self.misfit(format!("a string of {length} characters")))
                }
            }
            _ => Err(self.misfit(format!("string {}", quoted(text)))),
        }
    }

    /// One byte per character.
    fn latin1<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.is_ascii() {
            self.walk.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        for character in text.chars() {
            match u8::try_from(character) {
                Ok(byte) => self.walk.out.push(byte),
                Err(_) => {
                    let found = format!("the character U+{:04X}", character as u32);
                    return Err(self.misfit(found));
                }
            }
        }
        Ok(())
    }

    fn items<'de, A: SeqAccess<'de>>(self, items: NodeId, mut list: A) -> Result<(), A::Error> {
        let walk = self.walk;
        walk.enter()?;
        let block = Block::open(walk.out);
        let mut count = 0;
        loop {
            match list.next_element_seed(walk.value(items)) {
                Ok(Some(())) => count += 1,
                Ok(None) => break,
                Err(error) => {
                    walk.failed_within(Segment::Item(count));
                    return Err(error);
                }
            }
        }
        block.close(count, walk.out);
        walk.leave();
        Ok(())
    }

    /// `{"branch": value}`, and nothing else in it.
    fn wrapped<'de, A: MapAccess<'de>>(self, union: &Union, mut wrapper: A) -> Result<(), A::Error> {
        let (walk, node) = (self.walk, self.node);
        walk.enter()?;
        let Some(position) = wrapper.next_key_seed(Branch { walk, node, union })? else {
            return Err(walk.value(node).misfit("an empty object"));
        };
        block::long(position as i64, walk.out);
        if let Err(error) = wrapper.next_value_seed(walk.value(union.branches[position])) {
            walk.failed_within(Segment::Member(union.labels.name(position).to_owned()));
            return Err(error);
        }
        if wrapper.next_key_seed(Anything { walk })?.is_some() {
            return Err(walk.value(node).misfit("an object with more than one member"));
        }
        walk.leave();
        Ok(())
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.walk.plan.expects(self.node))
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        match self.step() {
            Step::Null => Ok(()),
            // Without fields there is nothing to be read, so that null says as much as an object: so the servers in use have it.
            Step::Record(record) if record.fields.is_empty() => Ok(()),
            Step::Union(Union { null: Some(branch), .. }) => {
                block::long(*branch as i64, self.walk.out);
                Ok(())
            }
            _ => Err(self.misfit("null")),
        }
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        match self.step() {
            Step::Boolean => {
                self.walk.out.push(u8::from(value));
                Ok(())
            }
            _ => Err(self.misfit(value.to_string())),
        }
    }

    #[inline]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        let out = &mut *self.walk.out;
        match self.walk.plan.step(self.node) {
            Step::Int if i32::try_from(value).is_err() => return Err(self.out_of_range(value)),
            Step::Int | Step::Long => block::long(value, out),
            Step::Float => out.extend_from_slice(&(value as f32).to_le_bytes()),
            Step::Double => out.extend_from_slice(&(value as f64).to_le_bytes()),
            _ => return Err(self.misfit(value.to_string())),
        }
        Ok(())
    }

    #[inline]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        if let Ok(value) = i64::try_from(value) {
            return self.visit_i64(value);
        }
        let out = &mut *self.walk.out;
        match self.walk.plan.step(self.node) {
            Step::Int | Step::Long => return Err(self.out_of_range(value)),
            Step::Float => out.extend_from_slice(&(value as f32).to_le_bytes()),
            Step::Double => out.extend_from_slice(&(value as f64).to_le_bytes()),
            _ => return Err(self.misfit(value.to_string())),
        }
        Ok(())
    }

    #[inline]
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        let step = self.step();
        if value == 0.0 && matches!(step, Step::Float | Step::Double) && self.walk.may_lack_a_sign() {
            return Err(self.walk.fail(Failure::new(Reason::NeedsDigits)));
        }
        let out = &mut *self.walk.out;
        match step {
            Step::Float if (value as f32).is_finite() => out.extend_from_slice(&(value as f32).to_le_bytes()),
            Step::Float => return Err(self.out_of_range(value)),
            Step::Double => out.extend_from_slice(&value.to_le_bytes()),
            Step::Int | Step::Long if value.abs() > EXACT_UP_TO => {
                return Err(self.walk.fail(Failure::new(Reason::NeedsDigits)));
            }
            Step::Int | Step::Long if value.fract() == 0.0 => return self.visit_i64(value as i64),
            Step::Int | Step::Long => return Err(self.out_of_range(value)),
            _ => return Err(self.misfit(value.to_string())),
        }
        Ok(())
    }

    #[inline]
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.string(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        match self.step() {
            Step::Array(items) => self.items(*items, list),
            _ => Err(self.misfit("a list")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        match self.step() {
            Step::Record(record) => self.walk.record(record, members),
            Step::Map(values) => self.walk.map(*values, members),
            Step::Union(union) => self.wrapped(union, members),
            _ => Err(self.misfit("an object")),
        }
    }
}

/// The key of a union's wrapper: gives the branch's position.
struct Branch<'a, 'w> {
    walk: &'a mut Walk<'w>,
    node: NodeId,
    union: &'a Union,
}

impl<'de> DeserializeSeed<'de> for Branch<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<usize, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Branch<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a branch")
    }

    fn visit_str<E: de::Error>(self, label: &str) -> Result<usize, E> {
        self.union.labels.position(label).ok_or_else(|| {
            let expected = self.walk.plan.expects(self.node);
            self.walk.fail(Failure::misfit(expected, format!("the branch {}", quoted(label))))
        })
    }
}

/// A value that nobody wants, read through to its end. Not by the reader's own skipping, which recurses without limit.
struct Anything<'a, 'w> {
    walk: &'a mut Walk<'w>,
}

impl<'de> DeserializeSeed<'de> for Anything<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Anything<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let walk = self.walk;
        walk.enter()?;
        while list.next_element_seed(Anything { walk })?.is_some() {}
        walk.leave();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let walk = self.walk;
        walk.enter()?;
        while members.next_key_seed(Anything { walk })?.is_some() {
            members.next_value_seed(Anything { walk })?;
        }
        walk.leave();
        Ok(())
    }
}

/// A text as JSON has it, so far as it is of use in a message.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    crate::json::quote(&text.chars().take(61).collect::<String>(), &mut out);
    cut(&out)
}

fn cut(text: &str) -> String {
    if text.chars().count() <= 62 {
        return text.to_owned();
    }
    text.chars().take(60).chain("…\"".chars()).collect()
}
