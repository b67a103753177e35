//! Scalars, constants of enums, and keys of maps as JSON.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern_json_text::{write_f32, write_f64, write_i64, write_string, write_u64};
use postern_schema_core::DecodeError;

use super::fields::Raw;
use super::{Decoder, Result};
use crate::model::Scalar;
use crate::plan::ValueKind;

impl Decoder<'_, '_> {
    /// One value. Numbers of 64 bits are strings, so that no reader rounds them.
    pub(super) fn value(&mut self, kind: ValueKind, raw: Raw<'_>) -> Result {
        match (kind, raw) {
            (ValueKind::Message(position) | ValueKind::Group(position), Raw::Bytes(bytes)) => {
                return self.message(position, bytes);
            }
            (ValueKind::Scalar(scalar), raw) => return self.scalar(scalar, raw),
            (ValueKind::Enum(position), Raw::Number(number)) => self.constant(position, number as i32),
            // What is found for a field fits it.
            (ValueKind::Message(_) | ValueKind::Group(_), Raw::Number(_)) | (ValueKind::Enum(_), Raw::Bytes(_)) => {}
        }
        Ok(())
    }

    /// The name of a constant, or the number that has none.
    pub(super) fn constant(&mut self, position: usize, number: i32) {
        let kind = &self.plan.enums[position];
        match kind.numbers.get(&number) {
            _ if kind.full_name == "google.protobuf.NullValue" => self.out.extend_from_slice(b"null"),
            Some(name) => self.out.extend_from_slice(name),
            None => write_i64(number.into(), self.out),
        }
    }

    pub(super) fn scalar(&mut self, scalar: Scalar, raw: Raw<'_>) -> Result {
        let quoted = match scalar {
            Scalar::Int64 | Scalar::Uint64 | Scalar::Sint64 | Scalar::Fixed64 | Scalar::Sfixed64 => &b"\""[..],
            _ => b"",
        };
        match raw {
            Raw::Number(number) => {
                self.out.extend_from_slice(quoted);
                self.number(scalar, number);
                self.out.extend_from_slice(quoted);
            }
            Raw::Bytes(bytes) if scalar == Scalar::String => write_string(text(bytes)?, self.out),
            Raw::Bytes(bytes) => write_string(&BASE64_STANDARD.encode(bytes), self.out),
        }
        Ok(())
    }

    /// A key, or the default where the entry has none.
    pub(super) fn key(&mut self, scalar: Scalar, raw: Option<Raw<'_>>) -> Result {
        match raw {
            Some(Raw::Bytes(bytes)) => write_string(text(bytes)?, self.out),
            None if scalar == Scalar::String => self.out.extend_from_slice(b"\"\""),
            Some(Raw::Number(_)) | None => {
                let number = match raw {
                    Some(Raw::Number(number)) => number,
                    Some(Raw::Bytes(_)) | None => 0,
                };
                self.out.push(b'"');
                self.number(scalar, number);
                self.out.push(b'"');
            }
        }
        Ok(())
    }

    fn number(&mut self, scalar: Scalar, number: u64) {
        let zigzag = |number: u64| (number >> 1) as i64 ^ -((number & 1) as i64);
        match scalar {
            Scalar::Double => write_f64(f64::from_bits(number), self.out),
            Scalar::Float => write_f32(f32::from_bits(number as u32), self.out),
            Scalar::Int32 | Scalar::Sfixed32 => write_i64((number as i32).into(), self.out),
            Scalar::Int64 | Scalar::Sfixed64 => write_i64(number as i64, self.out),
            Scalar::Uint32 | Scalar::Fixed32 => write_u64((number as u32).into(), self.out),
            Scalar::Uint64 | Scalar::Fixed64 => write_u64(number, self.out),
            Scalar::Sint32 => write_i64(zigzag(u64::from(number as u32)), self.out),
            Scalar::Sint64 => write_i64(zigzag(number), self.out),
            Scalar::Bool => self.out.extend_from_slice(if number == 0 { b"false" } else { b"true" }),
            Scalar::String | Scalar::Bytes => {} // not a number on the wire
        }
    }
}

pub(super) fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        DecodeError::new("a string", format!("a byte that is not UTF-8 at byte {}", error.valid_up_to()))
    })
}
