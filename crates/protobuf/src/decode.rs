//! Protobuf binary to JSON text: the message indexes, and the message that they name.
//!
//! The fields of a message may come in any order and more than once, and JSON has each once, in order of their numbers, also those that
//! are not on the wire. So the fields of one message are found first ([`fields`]) and then written: no tree, and what is nested is read
//! when it is written. Nesting and the length of the JSON have a bound.
//!
//! Source: Protocol Buffers documentation, "Encoding" and "ProtoJSON Format"; docs/reference/serialization.md §1.2 and §6,
//! docs/reference/rest-v2.md §6.7.

mod fields;
#[cfg(test)]
mod tests;
mod values;
mod well_known;

use std::borrow::Cow;

use super::model::{File, Scalar};
use super::plan::{FieldPlan, FieldShape, MessagePlan, Plan, ValueKind, zero};
use super::wire;
use fields::{Occurrence, Raw};
use postern_json_text::Members;
use postern_schema_core::{DecodeError, json_len_max};

/// Messages within one another. A `google.protobuf.Struct` of as many levels as encoding takes has twice as many.
const MAX_DEPTH: usize = 300;

/// More indexes than these name no message: none is nested deeper.
const INDEXES_MAX: i64 = 1000;

type Result<T = ()> = std::result::Result<T, DecodeError>;

/// Appends the JSON text of the message in `payload`. `plan` is for decoding, and `file` is the one whose messages it has.
pub(super) fn decode(plan: &Plan, file: &File, payload: &[u8], out: &mut Vec<u8>) -> Result {
    let start = out.len();
    let end_max = start + json_len_max(payload.len());
    let mut message = payload;
    let position = root(file, &mut message)?;
    let mut decoder = Decoder { plan, payload_len: payload.len(), out, end_max, depth: 0, members: Members::default() };
    let decoded = decoder.message(position, message);
    if decoded.is_err() {
        out.truncate(start);
    }
    decoded
}

/// The position of the message that the indexes at the beginning of `rest` name.
fn root(file: &File, rest: &mut &[u8]) -> Result<usize> {
    let mut index = || {
        let zigzag =
            wire::read_varint(rest).ok_or_else(|| DecodeError::new("message indexes", "the end of the payload"))?;
        Ok::<_, DecodeError>((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    };
    let count = index()?;
    let mut indexes = Vec::new();
    match count {
        0 => indexes.push(0),
        1..=INDEXES_MAX => {
            for _ in 0..count {
                indexes.push(index()?);
            }
        }
        _ => return Err(DecodeError::new("message indexes", format!("{count} of them"))),
    }
    let mut siblings = &file.top.messages;
    let mut found = None;
    for index in &indexes {
        found = usize::try_from(*index).ok().and_then(|index| siblings.get(index)).copied();
        let Some(position) = found else { break };
        siblings = &file.messages[position].nested.messages;
    }
    found.ok_or_else(|| DecodeError::new("indexes of a message of the schema", format!("the indexes {indexes:?}")))
}

struct Decoder<'p, 'o> {
    plan: &'p Plan,
    payload_len: usize,
    out: &'o mut Vec<u8>,
    /// The length at which the output is too long.
    end_max: usize,
    depth: usize,
    /// The entries of the maps that are being written.
    members: Members,
}

impl<'p> Decoder<'p, '_> {
    fn message(&mut self, position: usize, bytes: &[u8]) -> Result {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(DecodeError::new(format!("at most {MAX_DEPTH} messages within one another"), "a deeper one"));
        }
        self.check_length()?;
        let message = &self.plan.messages[position];
        match message.known {
            Some(known) => self.well_known(known, message, bytes)?,
            None => self.fields(message, bytes)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn fields(&mut self, message: &'p MessagePlan, bytes: &[u8]) -> Result {
        let found = fields::read(self.plan, message, bytes)?;
        let mut rest = found.as_slice();
        self.out.push(b'{');
        let start = self.out.len();
        for (position, field) in message.fields.iter().enumerate() {
            let count = rest.iter().take_while(|occurrence| occurrence.field == position).count();
            let (own, others) = rest.split_at(count);
            rest = others;
            let default = match (own.is_empty(), &field.absent) {
                (true, None) => continue,
                (true, default) => default.as_deref(),
                (false, _) => None,
            };
            if self.out.len() > start {
                self.out.push(b',');
            }
            self.out.extend_from_slice(&field.opening);
            match default {
                Some(default) => self.out.extend_from_slice(default),
                None => self.field(field, own).map_err(|error| error.within(&field.name))?,
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    /// The value of a field that is on the wire.
    fn field(&mut self, field: &FieldPlan, found: &[Occurrence<'_>]) -> Result {
        match field.shape {
            FieldShape::Single { value: ValueKind::Message(position) | ValueKind::Group(position), .. } => {
                self.message(position, &merged(found))
            }
            FieldShape::Single { value, .. } => match found.last() {
                Some(last) => self.value(value, last.raw),
                None => Ok(()), // it was found
            },
            FieldShape::List { items, .. } => self.list(items, found),
            FieldShape::Map { key, value } => self.map(key, value, found),
        }
    }

    fn list(&mut self, items: ValueKind, found: &[Occurrence<'_>]) -> Result {
        self.out.push(b'[');
        let mut position = 0;
        for occurrence in found {
            let packed = match occurrence.raw {
                Raw::Bytes(bytes) if fields::is_packable(items) => Some(bytes),
                _ => None,
            };
            match packed {
                None => self.item(items, occurrence.raw, &mut position)?,
                Some(mut rest) => {
                    while !rest.is_empty() {
                        let raw = fields::read_packed(items, &mut rest)?;
                        self.item(items, raw, &mut position)?;
                    }
                }
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn item(&mut self, items: ValueKind, raw: Raw<'_>, position: &mut usize) -> Result {
        if !fields::is_known(self.plan, items, raw) {
            return Ok(());
        }
        if *position > 0 {
            self.out.push(b',');
        }
        self.check_length()?;
        self.value(items, raw).map_err(|error| error.within(&format!("[{position}]")))?;
        *position += 1;
        Ok(())
    }

    /// Keys are strings in JSON, whatever their type is.
    fn map(&mut self, key: Scalar, value: ValueKind, found: &[Occurrence<'_>]) -> Result {
        self.out.push(b'{');
        let base = self.members.open();
        let start = self.out.len();
        for occurrence in found {
            let Raw::Bytes(entry) = occurrence.raw else { continue };
            let (key_raw, values) = fields::read_entry(key, value, entry)?;
            if values.last().is_some_and(|last| !fields::is_known(self.plan, value, last.raw)) {
                continue;
            }
            if self.out.len() > start {
                self.out.push(b',');
            }
            self.check_length()?;
            let from = self.out.len();
            self.key(key, key_raw)?;
            let name = from..self.out.len();
            self.out.push(b':');
            let written = match (value, values.last()) {
                (ValueKind::Message(position) | ValueKind::Group(position), _) => {
                    self.message(position, &merged(&values))
                }
                (ValueKind::Scalar(_) | ValueKind::Enum(_), Some(last)) => self.value(value, last.raw),
                (ValueKind::Scalar(scalar), None) => {
                    self.out.extend_from_slice(&zero(scalar));
                    Ok(())
                }
                (ValueKind::Enum(position), None) => {
                    self.constant(position, self.plan.enums[position].default);
                    Ok(())
                }
            };
            written
                .map_err(|error| error.within(&format!("[{}]", String::from_utf8_lossy(&self.out[name.clone()]))))?;
            self.members.push(name, self.out);
        }
        self.members.close(base, self.out);
        self.out.push(b'}');
        Ok(())
    }

    /// Ends what becomes much longer than its bytes.
    fn check_length(&self) -> Result {
        if self.out.len() <= self.end_max {
            return Ok(());
        }
        let payload = self.payload_len;
        let expected = format!("at most {} bytes of JSON of a payload of {payload} bytes", json_len_max(payload));
        Err(DecodeError::new(expected, "more"))
    }
}

/// The bytes of a message of which there may be several parts: what one has after the other is what both have.
fn merged<'b>(found: &[Occurrence<'b>]) -> Cow<'b, [u8]> {
    let bytes = |occurrence: &Occurrence<'b>| match occurrence.raw {
        Raw::Bytes(bytes) => bytes,
        Raw::Number(_) => &[],
    };
    match found {
        [] => Cow::Borrowed(&[]),
        [only] => Cow::Borrowed(bytes(only)),
        several => Cow::Owned(several.iter().map(bytes).collect::<Vec<_>>().concat()),
    }
}
