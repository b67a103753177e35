//! The fields of one message, as they are on the wire.
//!
//! A field that the schema does not have, or that is of another kind on the wire, is left out, and so is a number that is no constant of a
//! closed enum: Protobuf calls these unknown fields.

use super::Result;
use crate::model::Scalar;
use crate::plan::{FieldShape, MessagePlan, Plan, ValueKind};
use crate::wire::{WireType, read_varint};
use postern_schema_core::DecodeError;

/// What stands on the wire behind a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw<'b> {
    /// Of variable length, or of 4 or 8 bytes.
    Number(u64),
    /// With their length in front, or between the keys of a group.
    Bytes(&'b [u8]),
}

/// One value of a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occurrence<'b> {
    /// Position among the fields of the message.
    pub(super) field: usize,
    pub(super) raw: Raw<'b>,
}

/// The known fields in `bytes`, in order of their numbers, and of their occurrence where one has several. Of a oneof only what was set
/// last is there.
///
/// # Errors
/// The bytes are no message, or lack a required field.
pub(super) fn read<'b>(plan: &Plan, message: &MessagePlan, bytes: &'b [u8]) -> Result<Vec<Occurrence<'b>>> {
    let mut rest = bytes;
    let mut found = Vec::<Occurrence<'b>>::with_capacity(message.fields.len().min(bytes.len() / 2));
    let mut guess = 0;
    while !rest.is_empty() {
        let (number, wire, raw) = next(&mut rest)?;
        let position = match message.fields.get(guess) {
            Some(field) if field.number == number => guess,
            _ => match message.fields.binary_search_by_key(&number, |field| field.number) {
                Ok(position) => position,
                Err(_) => continue,
            },
        };
        guess = position + 1;
        if fits(plan, message.fields[position].shape, wire, raw) {
            found.push(Occurrence { field: position, raw });
        }
    }
    if !message.oneofs.is_empty() {
        keep_what_was_set_last(message, &mut found);
    }
    found.sort_by_key(|occurrence| occurrence.field); // keeps the order of equal ones
    for required in &message.required {
        if found.binary_search_by_key(required, |occurrence| occurrence.field).is_err() {
            let name = &message.fields[*required].name;
            return Err(DecodeError::new(format!("a value for the required field `{name}`"), "none"));
        }
    }
    Ok(found)
}

/// What is set in a oneof unsets its other members.
fn keep_what_was_set_last(message: &MessagePlan, found: &mut Vec<Occurrence<'_>>) {
    let mut set = vec![None; message.oneofs.len()];
    // From the end: what comes before another member of the same oneof does not count.
    let mut kept = found.iter().rev().map(|occurrence| {
        let Some(oneof) = message.fields[occurrence.field].oneof else { return true };
        match set[oneof] {
            None => {
                set[oneof] = Some((occurrence.field, true));
                true
            }
            Some((field, true)) if field == occurrence.field => true,
            Some((field, _)) => {
                set[oneof] = Some((field, false));
                false
            }
        }
    });
    let mut kept = kept.by_ref().collect::<Vec<_>>();
    found.retain(|_| kept.pop().unwrap_or(true));
}

fn fits(plan: &Plan, shape: FieldShape, wire: WireType, raw: Raw<'_>) -> bool {
    match shape {
        FieldShape::Single { value, .. } => wire == value.wire_type() && is_known(plan, value, raw),
        FieldShape::List { items, .. } => wire == items.wire_type() || wire == WireType::Length && is_packable(items),
        FieldShape::Map { .. } => wire == WireType::Length,
    }
}

/// Whether it is a value of the type: not a number without a name under a closed enum.
pub(super) fn is_known(plan: &Plan, kind: ValueKind, raw: Raw<'_>) -> bool {
    match (kind, raw) {
        (ValueKind::Enum(position), Raw::Number(number)) => {
            let kind = &plan.enums[position];
            !kind.closed || kind.numbers.contains_key(&(number as i32))
        }
        _ => true,
    }
}

/// Whether values of the type may stand side by side in one field.
pub(super) fn is_packable(kind: ValueKind) -> bool {
    match kind {
        ValueKind::Scalar(Scalar::String | Scalar::Bytes) | ValueKind::Message(_) | ValueKind::Group(_) => false,
        ValueKind::Scalar(_) | ValueKind::Enum(_) => true,
    }
}

/// The next of the values that stand side by side.
pub(super) fn read_packed<'b>(kind: ValueKind, rest: &mut &'b [u8]) -> Result<Raw<'b>> {
    read_raw(0, kind.wire_type(), rest)
}

/// The key and the values of an entry of a map. `None`: there is no key.
pub(super) fn read_entry<'b>(
    key: Scalar,
    value: ValueKind,
    entry: &'b [u8],
) -> Result<(Option<Raw<'b>>, Vec<Occurrence<'b>>)> {
    let (mut rest, mut found_key, mut values) = (entry, None, Vec::new());
    while !rest.is_empty() {
        let (number, wire, raw) = next(&mut rest)?;
        match number {
            1 if wire == ValueKind::Scalar(key).wire_type() => found_key = Some(raw),
            2 if wire == value.wire_type() => values.push(Occurrence { field: 0, raw }),
            _ => {}
        }
    }
    Ok((found_key, values))
}

/// The next field: its number, its kind on the wire, and what it holds.
fn next<'b>(rest: &mut &'b [u8]) -> Result<(u32, WireType, Raw<'b>)> {
    let (number, wire) = key(rest)?;
    let raw = match wire {
        WireType::GroupStart => Raw::Bytes(group(number, rest)?),
        _ => read_raw(number, wire, rest)?,
    };
    Ok((number, wire, raw))
}

fn key(rest: &mut &[u8]) -> Result<(u32, WireType)> {
    let key = read_varint(rest).ok_or_else(too_short)?;
    let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number));
    let number =
        number.ok_or_else(|| DecodeError::new("a field number from 1 to 536870911", (key >> 3).to_string()))?;
    match WireType::of_key(key & 7) {
        Some(wire) => Ok((number, wire)),
        None => Err(not_a_field(number, key & 7)),
    }
}

/// A value outside a group.
fn read_raw<'b>(number: u32, wire: WireType, rest: &mut &'b [u8]) -> Result<Raw<'b>> {
    let raw = match wire {
        WireType::Varint => read_varint(rest).map(Raw::Number),
        WireType::Fixed64 => rest.split_off_chunk::<8>().map(|bytes| Raw::Number(u64::from_le_bytes(bytes))),
        WireType::Fixed32 => rest.split_off_chunk::<4>().map(|bytes| Raw::Number(u32::from_le_bytes(bytes).into())),
        WireType::Length => {
            let length = read_varint(rest).ok_or_else(too_short)?;
            let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
            let Some((bytes, after)) = split else {
                return Err(DecodeError::new(format!("{length} bytes"), format!("{} more", rest.len())));
            };
            *rest = after;
            Some(Raw::Bytes(bytes))
        }
        WireType::GroupStart | WireType::GroupEnd => return Err(not_a_field(number, wire as u64)),
    };
    raw.ok_or_else(too_short)
}

/// The bytes up to the end of the group; those of groups in it are among them.
fn group<'b>(number: u32, rest: &mut &'b [u8]) -> Result<&'b [u8]> {
    let start = *rest;
    let mut open = vec![number];
    loop {
        let end = start.len() - rest.len();
        let (number, wire) = key(rest)?;
        match wire {
            WireType::GroupStart => open.push(number),
            WireType::GroupEnd => {
                if open.pop() != Some(number) {
                    return Err(DecodeError::new(
                        "the end of the group that was begun last",
                        format!("that of {number}"),
                    ));
                }
                if open.is_empty() {
                    return Ok(&start[..end]);
                }
            }
            _ => drop(read_raw(number, wire, rest)?),
        }
    }
}

#[cold]
fn not_a_field(number: u32, wire: u64) -> DecodeError {
    DecodeError::new("a field", format!("the wire type {wire} for field {number}"))
}

#[cold]
fn too_short() -> DecodeError {
    DecodeError::new("a field", "bytes that end within it")
}

/// Takes bytes from the beginning of a slice.
trait SplitOffChunk {
    fn split_off_chunk<const N: usize>(&mut self) -> Option<[u8; N]>;
}

impl SplitOffChunk for &[u8] {
    fn split_off_chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, after) = self.split_first_chunk::<N>()?;
        *self = after;
        Some(*bytes)
    }
}
