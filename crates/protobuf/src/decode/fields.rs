//! The fields of one message, as they are on the wire.
//!
//! A field that the schema does not have, or that is of another kind on the wire, is left out, and so is a number that is no constant of a
//! closed enum: Protobuf calls these unknown fields.

use super::Result;
use crate::model::Scalar;
use crate::plan::{FieldShape, MessagePlan, Plan, ValueKind};
use crate::wire::read_varint;
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

/// The types of the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Varint,
    Fixed64,
    Length,
    Group,
    Fixed32,
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

fn fits(plan: &Plan, shape: FieldShape, wire: Wire, raw: Raw<'_>) -> bool {
    match shape {
        FieldShape::Single { value, .. } => wire == wire_of(value) && is_known(plan, value, raw),
        FieldShape::List { items, .. } => wire == wire_of(items) || wire == Wire::Length && is_packable(items),
        FieldShape::Map { .. } => wire == Wire::Length,
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
    read_raw(wire_of(kind), rest)
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
            1 if wire == wire_of(ValueKind::Scalar(key)) => found_key = Some(raw),
            2 if wire == wire_of(value) => values.push(Occurrence { field: 0, raw }),
            _ => {}
        }
    }
    Ok((found_key, values))
}

/// The next field: its number, its kind on the wire, and what it holds.
fn next<'b>(rest: &mut &'b [u8]) -> Result<(u32, Wire, Raw<'b>)> {
    let (number, wire) = key(rest)?;
    let wire = match wire {
        0 => Wire::Varint,
        1 => Wire::Fixed64,
        2 => Wire::Length,
        3 => return Ok((number, Wire::Group, Raw::Bytes(group(number, rest)?))),
        5 => Wire::Fixed32,
        other => return Err(DecodeError::new("a field", format!("the wire type {other} for field {number}"))),
    };
    Ok((number, wire, read_raw(wire, rest)?))
}

fn key(rest: &mut &[u8]) -> Result<(u32, u64)> {
    let key = read_varint(rest).ok_or_else(too_short)?;
    let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number));
    let number =
        number.ok_or_else(|| DecodeError::new("a field number from 1 to 536870911", (key >> 3).to_string()))?;
    Ok((number, key & 7))
}

fn read_raw<'b>(wire: Wire, rest: &mut &'b [u8]) -> Result<Raw<'b>> {
    let raw = match wire {
        Wire::Varint => read_varint(rest).map(Raw::Number),
        Wire::Fixed64 => rest.split_off_chunk::<8>().map(|bytes| Raw::Number(u64::from_le_bytes(bytes))),
        Wire::Fixed32 => rest.split_off_chunk::<4>().map(|bytes| Raw::Number(u32::from_le_bytes(bytes).into())),
        Wire::Length => {
            let length = read_varint(rest).ok_or_else(too_short)?;
            let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
            let Some((bytes, after)) = split else {
                return Err(DecodeError::new(format!("{length} bytes"), format!("{} more", rest.len())));
            };
            *rest = after;
            Some(Raw::Bytes(bytes))
        }
        Wire::Group => None, // groups are not packed
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
            3 => open.push(number),
            4 => {
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
            0 => drop(read_raw(Wire::Varint, rest)?),
            1 => drop(read_raw(Wire::Fixed64, rest)?),
            2 => drop(read_raw(Wire::Length, rest)?),
            5 => drop(read_raw(Wire::Fixed32, rest)?),
            other => return Err(DecodeError::new("a field", format!("the wire type {other} for field {number}"))),
        }
    }
}

fn wire_of(kind: ValueKind) -> Wire {
    match kind {
        ValueKind::Enum(_) => Wire::Varint,
        ValueKind::Message(_) => Wire::Length,
        ValueKind::Group(_) => Wire::Group,
        ValueKind::Scalar(scalar) => match scalar {
            Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64 => Wire::Fixed64,
            Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32 => Wire::Fixed32,
            Scalar::String | Scalar::Bytes => Wire::Length,
            Scalar::Int32
            | Scalar::Int64
            | Scalar::Uint32
            | Scalar::Uint64
            | Scalar::Sint32
            | Scalar::Sint64
            | Scalar::Bool => Wire::Varint,
        },
    }
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
