//! The messages of `google/protobuf` that JSON writes in a form of their own.
//!
//! What is in an `Any` is not taken apart, since its type may be anywhere: its bytes are a member `value` in base64.

use std::fmt::Write as _;

use postern_json_text::{write_f64, write_string};
use postern_schema_core::DecodeError;

use super::fields::{self, Occurrence, Raw};
use super::values::text;
use super::{Decoder, Result, merged};
use crate::encode::well_known::{DURATION_SECONDS_MAX, TIMESTAMP_SECONDS};
use crate::model::Scalar;
use crate::plan::{MessagePlan, WellKnown, camel_case, zero};

const NANOS: i64 = 1_000_000_000;

impl Decoder<'_, '_> {
    pub(super) fn well_known(&mut self, known: WellKnown, message: &MessagePlan, bytes: &[u8]) -> Result {
        let found = fields::read(self.plan, message, bytes)?;
        // By the numbers of the fields, which a schema can get wrong if it declares these types itself.
        let of = |number: u32| {
            let position = message.fields.binary_search_by_key(&number, |field| field.number);
            found.iter().filter(move |occurrence| Ok(occurrence.field) == position)
        };
        let number = |field: u32| match of(field).next_back() {
            Some(Occurrence { raw: Raw::Number(number), .. }) => *number as i64,
            Some(Occurrence { raw: Raw::Bytes(_), .. }) | None => 0,
        };
        match known {
            WellKnown::Timestamp => self.timestamp(number(1), number(2)),
            WellKnown::Duration => self.duration(number(1), number(2)),
            WellKnown::FieldMask => self.field_mask(&of(1).copied().collect::<Vec<_>>()),
            WellKnown::Any => self.any(of(1).next_back().copied(), of(2).next_back().copied()),
            WellKnown::Struct | WellKnown::List => match found.first() {
                Some(first) => {
                    let field = &message.fields[first.field];
                    let shown = of(field.number).copied().collect::<Vec<_>>();
                    self.field(field, &shown)
                }
                None => {
                    self.out.extend_from_slice(if known == WellKnown::List { b"[]" } else { b"{}" });
                    Ok(())
                }
            },
            WellKnown::Value => self.any_value(message, &found),
            WellKnown::Wrapper(scalar) => match of(1).next_back() {
                Some(value) => self.scalar(scalar, value.raw),
                None => {
                    self.out.extend_from_slice(&zero(scalar));
                    Ok(())
                }
            },
        }
    }

    /// The one member that is set; none is null.
    fn any_value(&mut self, message: &MessagePlan, found: &[Occurrence<'_>]) -> Result {
        let Some(last) = found.last() else {
            self.out.extend_from_slice(b"null");
            return Ok(());
        };
        let field = &message.fields[last.field];
        let own = found.iter().filter(|occurrence| occurrence.field == last.field).copied().collect::<Vec<_>>();
        match (field.number, last.raw) {
            (2, Raw::Number(bits)) => {
                write_f64(f64::from_bits(bits), self.out);
                Ok(())
            }
            _ => self.field(field, &own),
        }
    }

    fn timestamp(&mut self, seconds: i64, nanos: i64) -> Result {
        if !TIMESTAMP_SECONDS.contains(&seconds) || !(0..NANOS).contains(&nanos) {
            let found = format!("{seconds} seconds and {nanos} nanoseconds since 1970");
            return Err(DecodeError::new("a timestamp of the years 1 to 9999", found));
        }
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let fraction = fraction(nanos);
        let text = format!("\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z\"");
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn duration(&mut self, seconds: i64, nanos: i64) -> Result {
        let in_range = (-DURATION_SECONDS_MAX..=DURATION_SECONDS_MAX).contains(&seconds) && nanos.abs() < NANOS;
        if !in_range || seconds.signum() * nanos.signum() < 0 {
            let found = format!("{seconds} seconds and {nanos} nanoseconds");
            return Err(DecodeError::new("a duration of at most 10,000 years, of one sign", found));
        }
        let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
        let text = format!("\"{sign}{}{}s\"", seconds.abs(), fraction(nanos.abs()));
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn field_mask(&mut self, paths: &[Occurrence<'_>]) -> Result {
        let mut joined = Vec::with_capacity(paths.len());
        for path in paths {
            if let Raw::Bytes(path) = path.raw {
                joined.push(camel_case(text(path)?));
            }
        }
        write_string(&joined.join(","), self.out);
        Ok(())
    }

    fn any(&mut self, url: Option<Occurrence<'_>>, value: Option<Occurrence<'_>>) -> Result {
        let bytes = |part: Option<Occurrence<'_>>| part.map(|part| merged(&[part]).into_owned()).unwrap_or_default();
        let (url, value) = (bytes(url), bytes(value));
        self.out.push(b'{');
        if !url.is_empty() || !value.is_empty() {
            self.out.extend_from_slice(b"\"@type\":");
            write_string(text(&url)?, self.out);
            self.out.extend_from_slice(b",\"value\":");
            self.scalar(Scalar::Bytes, Raw::Bytes(&value))?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// Three, six or nine digits after a point; nothing for zero.
fn fraction(nanos: i64) -> String {
    let mut text = String::new();
    let written = match nanos {
        0 => Ok(()),
        _ if nanos % 1_000_000 == 0 => write!(text, ".{:03}", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => write!(text, ".{:06}", nanos / 1_000),
        _ => write!(text, ".{nanos:09}"),
    };
    written.expect("a string takes everything");
    text
}

/// Year, month and day of a day counted from the first one of 1970, for years from 1 on.
fn date(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the day that some years have more is the last one.
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let days = days + 719_468; // since the first of March of year 0
    let (era, day) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day)
}
