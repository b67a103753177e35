//! The messages of `google/protobuf` that JSON writes in a form of their own.
//!
//! An `Any` can only be empty: the types that it could hold are not known.

use serde_json::Value;

use super::{EncodeResult, ScalarValue, bytes, mismatch, numbers, quoted};
use crate::model::Scalar;
use crate::plan::{ValueKind, WellKnown};
use crate::wire::{self, WireType};
use postern_schema_core::EncodeError;

/// Seconds of the first and the last moment that a timestamp can name: years 1 to 9999.
pub(crate) const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// A duration is at most so many seconds, about 10,000 years.
pub(crate) const DURATION_SECONDS_MAX: i64 = 315_576_000_000;

pub(super) fn encode(known: WellKnown, value: &Value, out: &mut Vec<u8>) -> EncodeResult {
    match known {
        WellKnown::Any => match value {
            Value::Object(members) if members.is_empty() => Ok(()),
            _ => Err(mismatch("an empty google.protobuf.Any (types inside of it are not known here)", value)),
        },
        WellKnown::Timestamp => {
            let read = value.as_str().and_then(timestamp);
            moment(read.ok_or_else(|| mismatch("a timestamp like \"2026-01-31T12:00:00.5Z\"", value))?, out);
            Ok(())
        }
        WellKnown::Duration => {
            let read = value.as_str().and_then(duration);
            moment(read.ok_or_else(|| mismatch("a duration in seconds like \"1.5s\"", value))?, out);
            Ok(())
        }
        WellKnown::FieldMask => {
            let Value::String(paths) = value else { return Err(mismatch("a string of paths like \"a.b,c\"", value)) };
            for path in paths.split(',').filter(|path| !path.is_empty()) {
                wire::key(1, WireType::Length, out);
                bytes(snake_case(path).as_bytes(), out);
            }
            Ok(())
        }
        WellKnown::Struct => structure(value, out),
        WellKnown::Value => any_value(value, out),
        WellKnown::List => list(value, out),
        WellKnown::Wrapper(scalar) => {
            let read = ScalarValue::read(scalar, value)?;
            if !read.is_default() {
                wire::key(1, ValueKind::Scalar(scalar).wire_type(), out);
                read.write(out);
            }
            Ok(())
        }
    }
}

fn moment((seconds, nanos): (i64, i32), out: &mut Vec<u8>) {
    for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
        if value != 0 {
            wire::key(number, WireType::Varint, out);
            wire::varint(value as u64, out);
        }
    }
}

fn structure(value: &Value, out: &mut Vec<u8>) -> EncodeResult {
    let Value::Object(members) = value else { return Err(mismatch("an object", value)) };
    for (name, value) in members {
        wire::key(1, WireType::Length, out);
        wire::sized(out, |out| {
            wire::key(1, WireType::Length, out);
            bytes(name.as_bytes(), out);
            wire::key(2, WireType::Length, out);
            wire::sized(out, |out| any_value(value, out))
        })
        .map_err(|error: EncodeError| error.within(&format!("[{}]", quoted(name))))?;
    }
    Ok(())
}

fn list(value: &Value, out: &mut Vec<u8>) -> EncodeResult {
    for (position, item) in super::list(value)?.iter().enumerate() {
        wire::key(1, WireType::Length, out);
        wire::sized(out, |out| any_value(item, out)).map_err(|error| error.within(&format!("[{position}]")))?;
    }
    Ok(())
}

fn any_value(value: &Value, out: &mut Vec<u8>) -> EncodeResult {
    match value {
        Value::Null => {
            wire::key(1, WireType::Varint, out);
            wire::varint(0, out);
        }
        Value::Number(_) => {
            wire::key(2, WireType::Fixed64, out);
            ScalarValue::read(Scalar::Double, value)?.write(out);
        }
        Value::String(text) => {
            wire::key(3, WireType::Length, out);
            bytes(text.as_bytes(), out);
        }
        Value::Bool(value) => {
            wire::key(4, WireType::Varint, out);
            out.push((*value).into());
        }
        Value::Object(_) => {
            wire::key(5, WireType::Length, out);
            wire::sized(out, |out| structure(value, out))?;
        }
        Value::Array(_) => {
            wire::key(6, WireType::Length, out);
            wire::sized(out, |out| list(value, out))?;
        }
    }
    Ok(())
}

/// Seconds since 1970 and nanoseconds of an RFC 3339 date and time.
fn timestamp(text: &str) -> Option<(i64, i32)> {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
    };
    let sign = |at: usize, wanted: &[u8]| text.as_bytes().get(at).is_some_and(|byte| wanted.contains(byte));
    if !(sign(4, b"-") && sign(7, b"-") && sign(10, b"Tt") && sign(13, b":") && sign(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let month_days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = usize::try_from(month - 1).ok().and_then(|month| month_days.get(month))?;
    if !(1..=*days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = text.get(19..)?;
    let (nanos, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let length = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
            (nanos(&rest[..length])?, &rest[length..])
        }
        None => (0, rest),
    };
    let offset = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [ahead @ (b'+' | b'-'), _, _, b':', _, _] => {
            let part = |range: std::ops::Range<usize>| {
                let digits = zone.get(range)?;
                digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
            };
            let (hours, minutes) = (part(1..3)?, part(4..6)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3600 + minutes * 60;
            if *ahead == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    let month_start = month_days.iter().take(usize::try_from(month - 1).ok()?).sum::<i64>();
    let years = year - 1;
    let days_before = years * 365 + years / 4 - years / 100 + years / 400 + month_start + day - 1;
    // 719,162 days lie between the first day of year 1 and that of 1970.
    let seconds = (days_before - 719_162) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    (year > 0 && TIMESTAMP_SECONDS.contains(&seconds)).then_some((seconds, nanos))
}

/// Seconds and nanoseconds, both of the same sign.
fn duration(text: &str) -> Option<(i64, i32)> {
    let text = text.strip_suffix('s')?;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (seconds, fraction) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    if seconds.is_empty() || !seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = i64::try_from(numbers::whole(seconds)?).ok().filter(|seconds| *seconds <= DURATION_SECONDS_MAX)?;
    let nanos = fraction.map_or(Some(0), nanos)?;
    if seconds == DURATION_SECONDS_MAX && nanos > 0 {
        return None;
    }
    Some(if negative { (-seconds, -nanos) } else { (seconds, nanos) })
}

/// Up to nine digits after the point.
fn nanos(digits: &str) -> Option<i32> {
    if !(1..=9).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").parse().ok()
}

/// `myField` as `my_field`.
fn snake_case(path: &str) -> String {
    let mut snake = String::with_capacity(path.len() + 4);
    for character in path.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::{duration, timestamp};

    #[test]
    fn moments_are_read() {
        for (text, moment) in [
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("2026-01-31T12:00:00Z", Some((1_769_860_800, 0))),
            ("2026-01-31T13:30:00.25+01:30", Some((1_769_860_800, 250_000_000))),
            ("2024-02-29T23:59:59.999999999Z", Some((1_709_251_199, 999_999_999))),
            ("1969-12-31T23:59:59.5Z", Some((-1, 500_000_000))),
            ("0001-01-01T00:00:00Z", Some((-62_135_596_800, 0))),
            ("9999-12-31T23:59:59Z", Some((253_402_300_799, 0))),
            ("9999-12-31T23:59:59-01:00", None),
            ("0000-12-31T23:59:59Z", None),
            ("2023-02-29T00:00:00Z", None),
            ("2023-01-01T24:00:00Z", None),
            ("2023-01-01T00:00:00", None),
            ("2023-01-01 00:00:00Z", None),
            ("2023-01-01T00:00:00.Z", None),
            ("yesterday", None),
            ("é023-01-01T00:00:00Z", None),
        ] {
            assert_eq!(timestamp(text), moment, "{text}");
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, read) in [
            ("1.5s", Some((1, 500_000_000))),
            ("-0.25s", Some((0, -250_000_000))),
            ("0s", Some((0, 0))),
            ("315576000000s", Some((315_576_000_000, 0))),
            ("315576000000.1s", None),
            ("315576000001s", None),
            ("1", None),
            ("s", None),
            (".5s", None),
            ("1.s", None),
            ("1.0123456789s", None),
            ("1e3s", None),
        ] {
            assert_eq!(duration(text), read, "{text}");
        }
    }
}
