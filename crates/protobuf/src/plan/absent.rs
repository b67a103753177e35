//! The JSON of fields that are not on the wire: their defaults, which in proto2 the schema may set.
//!
//! Source: docs/reference/serialization.md §6, docs/reference/rest-v2.md §6.7.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern_json_text::{write_f32, write_f64, write_string};

use super::{JsonText, Plan, ValueKind};
use crate::model::{OptionValue, ProtoOption, Scalar};

/// `None`: a message, which is left out.
pub(super) fn value(plan: &Plan, kind: ValueKind, options: &[ProtoOption]) -> Option<JsonText> {
    let set = options.iter().find(|option| option.name == "default").map(|option| &option.value);
    match kind {
        ValueKind::Message(_) | ValueKind::Group(_) => None,
        ValueKind::Scalar(scalar) => Some(set.and_then(|set| written(scalar, set)).unwrap_or_else(|| zero(scalar))),
        ValueKind::Enum(position) => {
            let kind = &plan.enums[position];
            let set = match set {
                Some(OptionValue::Word(name)) => kind.constants.get(name.as_str()).copied(),
                Some(OptionValue::Text(_) | OptionValue::Map(_) | OptionValue::List(_)) | None => None,
            };
            Some(match kind.numbers.get(&set.unwrap_or(kind.default)) {
                _ if kind.full_name == "google.protobuf.NullValue" => (*b"null").into(),
                Some(text) => text.clone(),
                None => (*b"0").into(), // an enum without constants
            })
        }
    }
}

/// The default of a scalar type.
pub(crate) fn zero(scalar: Scalar) -> JsonText {
    let text = match scalar {
        Scalar::Double | Scalar::Float => "0.0",
        Scalar::Bool => "false",
        Scalar::String | Scalar::Bytes => r#""""#,
        Scalar::Int64 | Scalar::Uint64 | Scalar::Sint64 | Scalar::Fixed64 | Scalar::Sfixed64 => r#""0""#,
        Scalar::Int32 | Scalar::Uint32 | Scalar::Sint32 | Scalar::Fixed32 | Scalar::Sfixed32 => "0",
    };
    text.as_bytes().into()
}

/// The default that a proto2 field sets; `None`: it is none of its type.
fn written(scalar: Scalar, set: &OptionValue) -> Option<JsonText> {
    let mut out = Vec::new();
    match (scalar, set) {
        (Scalar::String, OptionValue::Text(text)) => write_string(&text.plain, &mut out),
        (Scalar::Bytes, OptionValue::Text(text)) => {
            let bytes = text.plain.chars().map(u8::try_from).collect::<Result<Vec<_>, _>>();
            let bytes = bytes.unwrap_or_else(|_| text.plain.as_bytes().to_vec());
            write_string(&BASE64_STANDARD.encode(bytes), &mut out);
        }
        (Scalar::Bool, OptionValue::Word(word)) if word == "true" || word == "false" => {
            out.extend_from_slice(word.as_bytes());
        }
        (Scalar::Double, OptionValue::Word(word)) => write_f64(float(word)?, &mut out),
        (Scalar::Float, OptionValue::Word(word)) => write_f32(float(word)? as f32, &mut out),
        (
            Scalar::Int64 | Scalar::Uint64 | Scalar::Sint64 | Scalar::Fixed64 | Scalar::Sfixed64,
            OptionValue::Word(word),
        ) => out.extend_from_slice(format!("\"{}\"", integer(word)?).as_bytes()),
        (
            Scalar::Int32 | Scalar::Uint32 | Scalar::Sint32 | Scalar::Fixed32 | Scalar::Sfixed32,
            OptionValue::Word(word),
        ) => out.extend_from_slice(integer(word)?.to_string().as_bytes()),
        (_, OptionValue::Text(_) | OptionValue::Word(_) | OptionValue::Map(_) | OptionValue::List(_)) => return None,
    }
    Some(out.into())
}

fn float(word: &str) -> Option<f64> {
    let word = word.strip_suffix(['f', 'F']).filter(|_| !word.ends_with("inf")).unwrap_or(word);
    word.parse::<f64>().ok().or_else(|| integer(word).map(|integer| integer as f64))
}

/// Decimal, octal (`017`) or hexadecimal (`0x1f`).
fn integer(word: &str) -> Option<i128> {
    let (sign, digits) = word.strip_prefix('-').map_or((1, word), |digits| (-1, digits));
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => u64::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    magnitude.ok().map(|magnitude| sign * i128::from(magnitude))
}
