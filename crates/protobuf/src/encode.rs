//! JSON text to Protobuf binary: the message indexes of the first message, and the message.
//!
//! The text is read into a tree and each message written in order of its field numbers, as the serializers in use do.
//! Where those change a value silently (a number for a string, a list of one for what is no list) it is refused here.
//!
//! Source: Protocol Buffers documentation, "ProtoJSON Format"; docs/reference/serialization.md §1.2 and §6, docs/reference/rest-v2.md §6.7.

mod numbers;
pub(super) mod well_known;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::model::Scalar;
use super::plan::{EnumPlan, FieldShape, MessagePlan, Plan, ValueKind};
use super::wire::{self, WireType};
use postern_json_text::quote;
use postern_schema_core::{EncodeError, Encoded};

/// `[0]`, the path to the first message, in its short form.
const FIRST_MESSAGE: u8 = 0;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: [GeneralPurpose; 2] = [GeneralPurpose::new(&STANDARD, LENIENT), GeneralPurpose::new(&URL_SAFE, LENIENT)];

type EncodeResult = Result<(), EncodeError>;

/// Appends indexes and message of the value in `json`.
pub(super) fn encode(plan: &Plan, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
    // The reader ends at 128 levels by itself.
    let value = serde_json::from_slice::<Value>(json)
        .map_err(|error| EncodeError::new(String::new(), "JSON", format!("a text that is none: {error}")))?;
    let start = out.len();
    out.push(FIRST_MESSAGE);
    match (Encoder { plan }).message(0, &value, out) {
        Ok(()) => Ok(Encoded::Payload),
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// The bytes that `text` stands for, in either alphabet, with or without padding.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.iter().find_map(|engine| engine.decode(text).ok())
}

#[derive(Clone, Copy)]
struct Encoder<'p> {
    plan: &'p Plan,
}

impl<'p> Encoder<'p> {
    /// The fields of a message, without what frames them.
    fn message(self, position: usize, value: &Value, out: &mut Vec<u8>) -> EncodeResult {
        let message = &self.plan.messages[position];
        if let Some(known) = message.known {
            return well_known::encode(known, value, out);
        }
        let Value::Object(members) = value else {
            return Err(mismatch(&format!("an object for message {}", message.full_name), value));
        };
        let present = self.present(message, members)?;
        for (position, value) in present {
            let field = &message.fields[position];
            let written = match field.shape {
                FieldShape::Single { value: kind, explicit } => self.single(field.number, kind, explicit, value, out),
                FieldShape::List { items, packed: true } => self.packed(field.number, items, value, out),
                FieldShape::List { items, packed: false } => self.list(field.number, items, value, out),
                FieldShape::Map { key, value: kind } => self.map(field.number, (key, kind), value, out),
            };
            written.map_err(|error| error.within(&field.name))?;
        }
        Ok(())
    }

    /// The members that are written, as positions of fields and values, in order of the numbers.
    fn present<'v>(
        self,
        message: &MessagePlan,
        members: &'v Map<String, Value>,
    ) -> Result<Vec<(usize, &'v Value)>, EncodeError> {
        let mut present = Vec::with_capacity(members.len());
        for (name, value) in members {
            let Some(position) = message.position(name) else {
                let expected = format!("a field of message {}", message.full_name);
                return Err(EncodeError::new(step(name), expected, "an unknown one"));
            };
            if !value.is_null() || self.takes_null(message.fields[position].shape) {
                present.push((position, value));
            }
        }
        present.sort_by_key(|(position, _)| *position);
        if let Some(pair) = present.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let name = &message.fields[pair[0].0].name;
            return Err(EncodeError::new(name.clone(), "a field given once", "two names for it"));
        }
        let members = present.iter().map(|(position, _)| &message.fields[*position]);
        let mut members = members.filter_map(|field| Some((field.oneof?, &field.name))).collect::<Vec<_>>();
        members.sort_by_key(|(oneof, _)| *oneof);
        if let Some([(oneof, one), (_, other)]) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let expected = format!("one member of oneof {}", message.oneofs[*oneof]);
            return Err(EncodeError::new(String::new(), expected, format!("`{one}` and `{other}`")));
        }
        for position in &message.required {
            if present.binary_search_by_key(position, |(position, _)| *position).is_err() {
                let name = &message.fields[*position].name;
                let expected = format!("a value for the required field `{name}`");
                return Err(EncodeError::new(name.clone(), expected, "none"));
            }
        }
        Ok(present)
    }

    /// Whether JSON's null is a value here, and not the absence of one.
    fn takes_null(self, shape: FieldShape) -> bool {
        match shape {
            FieldShape::Single { value, .. } => self.is_null_type(value),
            FieldShape::List { .. } | FieldShape::Map { .. } => false,
        }
    }

    fn is_null_type(self, kind: ValueKind) -> bool {
        match kind {
            ValueKind::Message(position) => self.plan.messages[position].known == Some(super::plan::WellKnown::Value),
            ValueKind::Enum(position) => self.plan.enums[position].full_name == "google.protobuf.NullValue",
            ValueKind::Scalar(_) | ValueKind::Group(_) => false,
        }
    }

    fn single(self, number: u32, kind: ValueKind, explicit: bool, value: &Value, out: &mut Vec<u8>) -> EncodeResult {
        match kind {
            ValueKind::Scalar(scalar) => {
                let read = ScalarValue::read(scalar, value)?;
                if explicit || !read.is_default() {
                    wire::key(number, kind.wire_type(), out);
                    read.write(out);
                }
                Ok(())
            }
            ValueKind::Enum(position) => {
                let constant = constant(&self.plan.enums[position], value)?;
                if explicit || constant != 0 {
                    wire::key(number, WireType::Varint, out);
                    wire::varint(i64::from(constant) as u64, out);
                }
                Ok(())
            }
            ValueKind::Message(position) => {
                wire::key(number, WireType::Length, out);
                wire::sized(out, |out| self.message(position, value, out))
            }
            ValueKind::Group(position) => {
                wire::key(number, WireType::GroupStart, out);
                self.message(position, value, out)?;
                wire::key(number, WireType::GroupEnd, out);
                Ok(())
            }
        }
    }

    fn packed(self, number: u32, items: ValueKind, value: &Value, out: &mut Vec<u8>) -> EncodeResult {
        let list = list(value)?;
        if list.is_empty() {
            return Ok(());
        }
        wire::key(number, WireType::Length, out);
        wire::sized(out, |out| {
            for (position, item) in list.iter().enumerate() {
                let within = |error: EncodeError| error.within(&format!("[{position}]"));
                match items {
                    ValueKind::Scalar(scalar) => ScalarValue::read(scalar, item).map_err(within)?.write(out),
                    ValueKind::Enum(kind) => {
                        let constant = constant(&self.plan.enums[kind], item).map_err(within)?;
                        wire::varint(i64::from(constant) as u64, out);
                    }
                    ValueKind::Message(_) | ValueKind::Group(_) => unreachable!("the plan packs no messages"),
                }
            }
            Ok(())
        })
    }

    fn list(self, number: u32, items: ValueKind, value: &Value, out: &mut Vec<u8>) -> EncodeResult {
        for (position, item) in list(value)?.iter().enumerate() {
            self.single(number, items, true, item, out).map_err(|error| error.within(&format!("[{position}]")))?;
        }
        Ok(())
    }

    /// An entry always has both its key and its value, also where they are the default.
    fn map(self, number: u32, (key, kind): (Scalar, ValueKind), value: &Value, out: &mut Vec<u8>) -> EncodeResult {
        let Value::Object(entries) = value else { return Err(mismatch("an object for a map", value)) };
        for (name, value) in entries {
            let key = ScalarValue::of_key(key, name)?;
            wire::key(number, WireType::Length, out);
            wire::sized(out, |out| {
                wire::key(1, ValueKind::Scalar(key.scalar).wire_type(), out);
                key.write(out);
                self.single(2, kind, true, value, out)
            })
            .map_err(|error| error.within(&format!("[{}]", quoted(name))))?;
        }
        Ok(())
    }
}

/// A scalar as it goes onto the wire.
struct ScalarValue<'v> {
    scalar: Scalar,
    value: RawScalar<'v>,
}

enum RawScalar<'v> {
    /// Of a signed type: sign-extended.
    Whole(i128),
    Float(f32),
    Double(f64),
    Bool(bool),
    Text(&'v str),
    Bytes(Vec<u8>),
}

impl<'v> ScalarValue<'v> {
    fn read(scalar: Scalar, value: &'v Value) -> Result<ScalarValue<'v>, EncodeError> {
        let expected = || mismatch(&numbers::expects(scalar), value);
        let read = match (scalar, value) {
            (Scalar::String, Value::String(text)) => RawScalar::Text(text),
            (Scalar::Bytes, Value::String(text)) => RawScalar::Bytes(base64(text).ok_or_else(expected)?),
            (Scalar::Bool, Value::Bool(value)) => RawScalar::Bool(*value),
            (_, Value::String(text)) => return ScalarValue::of_text(scalar, text).ok_or_else(expected),
            (_, Value::Number(number)) => return ScalarValue::of_number(scalar, number.as_str()).ok_or_else(expected),
            (_, Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => return Err(expected()),
        };
        Ok(ScalarValue { scalar, value: read })
    }

    /// A scalar that came as a string, and is not one.
    fn of_text(scalar: Scalar, text: &str) -> Option<ScalarValue<'static>> {
        let value = match (scalar, text) {
            (Scalar::Bool, "true" | "false") => RawScalar::Bool(text == "true"),
            (Scalar::Double, "NaN" | "Infinity" | "-Infinity") => RawScalar::Double(text.parse().ok()?),
            (Scalar::Float, "NaN" | "Infinity" | "-Infinity") => RawScalar::Float(text.parse().ok()?),
            _ => return numbers::is_number(text).then(|| ScalarValue::of_number(scalar, text))?,
        };
        Some(ScalarValue { scalar, value })
    }

    fn of_number(scalar: Scalar, digits: &str) -> Option<ScalarValue<'static>> {
        let value = match scalar {
            Scalar::Double => RawScalar::Double(digits.parse::<f64>().ok().filter(|value| value.is_finite())?),
            Scalar::Float => RawScalar::Float(digits.parse::<f32>().ok().filter(|value| value.is_finite())?),
            Scalar::Bool | Scalar::String | Scalar::Bytes => return None,
            Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => whole(digits, i32::MIN.into(), i32::MAX.into())?,
            Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => whole(digits, i64::MIN.into(), i64::MAX.into())?,
            Scalar::Uint32 | Scalar::Fixed32 => whole(digits, 0, u32::MAX.into())?,
            Scalar::Uint64 | Scalar::Fixed64 => whole(digits, 0, u64::MAX.into())?,
        };
        Some(ScalarValue { scalar, value })
    }

    /// A key of a map: JSON has only strings there.
    fn of_key(scalar: Scalar, name: &'v str) -> Result<ScalarValue<'v>, EncodeError> {
        match scalar {
            Scalar::String => Ok(ScalarValue { scalar, value: RawScalar::Text(name) }),
            _ => ScalarValue::of_text(scalar, name).ok_or_else(|| {
                let expected = format!("keys that are {}", numbers::expects(scalar));
                EncodeError::new(String::new(), expected, format!("the key {}", quoted(name)))
            }),
        }
    }

    fn is_default(&self) -> bool {
        match &self.value {
            RawScalar::Whole(value) => *value == 0,
            // The zero below zero is not the default.
            RawScalar::Float(value) => value.to_bits() == 0,
            RawScalar::Double(value) => value.to_bits() == 0,
            RawScalar::Bool(value) => !value,
            RawScalar::Text(text) => text.is_empty(),
            RawScalar::Bytes(bytes) => bytes.is_empty(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match &self.value {
            RawScalar::Whole(value) => match self.scalar {
                Scalar::Sint32 | Scalar::Sint64 => wire::varint(wire::zigzag(*value as i64), out),
                Scalar::Fixed32 | Scalar::Sfixed32 => out.extend_from_slice(&(*value as u32).to_le_bytes()),
                Scalar::Fixed64 | Scalar::Sfixed64 => out.extend_from_slice(&(*value as u64).to_le_bytes()),
                _ => wire::varint(*value as u64, out),
            },
            RawScalar::Float(value) => out.extend_from_slice(&value.to_le_bytes()),
            RawScalar::Double(value) => out.extend_from_slice(&value.to_le_bytes()),
            RawScalar::Bool(value) => out.push((*value).into()),
            RawScalar::Text(text) => bytes(text.as_bytes(), out),
            RawScalar::Bytes(value) => bytes(value, out),
        }
    }
}

fn whole(digits: &str, min: i128, max: i128) -> Option<RawScalar<'static>> {
    numbers::whole(digits).filter(|value| (min..=max).contains(value)).map(RawScalar::Whole)
}

fn bytes(value: &[u8], out: &mut Vec<u8>) {
    wire::varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// The number of a constant given by name, or by number, which may come as a string, too.
fn constant(kind: &EnumPlan, value: &Value) -> Result<i32, EncodeError> {
    let numbered = |digits: &str| {
        let number = numbers::whole(digits).and_then(|number| i32::try_from(number).ok())?;
        (!kind.closed || kind.numbers.contains_key(&number)).then_some(number)
    };
    let number = match value {
        Value::String(name) => kind.constants.get(name).copied().or_else(|| numbered(name)),
        Value::Number(number) => numbered(number.as_str()),
        Value::Null if kind.full_name == "google.protobuf.NullValue" => Some(0),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.ok_or_else(|| mismatch(&format!("a constant of enum {}", kind.full_name), value))
}

fn list(value: &Value) -> Result<&[Value], EncodeError> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(mismatch("a list", value)),
    }
}

#[cold]
fn mismatch(expected: &str, found: &Value) -> EncodeError {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(digits) => super::lex::cut(digits.as_str()),
        Value::String(text) => format!("string {}", quoted(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    EncodeError::new(String::new(), expected, found)
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(&super::lex::cut(text), &mut out);
    out
}

/// A member's name as a step of a path.
fn step(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|character| character.is_alphanumeric() || character == '_');
    if plain { super::lex::cut(name) } else { format!("[{}]", quoted(name)) }
}
