//! Times of records: as they stand in requests and in answers (docs/reference/rest-v3.md §11.2, §11.5).

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json_member::{Unusable, string, wrong};

const EXPECTED: &str = "a time since 1970 as ISO 8601 text with an offset, such as \"2026-01-31T12:00:00.123Z\", or as a number of seconds";
/// The last second of the year 9999.
const SECONDS_MAX: i64 = 253_402_300_799;

/// Milliseconds since 1970; what is finer is cut off. `None`: null, or an empty text.
pub(super) fn read(member: &str, raw: &str) -> Result<Option<i64>, Unusable> {
    let text = string(raw);
    let written = text.as_deref().map_or(raw, str::trim);
    if written.is_empty() || raw == "null" {
        return Ok(None);
    }
    let ms = match (seconds(written), &text) {
        (Some(ms), _) => Some(ms),
        (None, Some(_)) => OffsetDateTime::parse(written, &Rfc3339).ok().map(milliseconds),
        (None, None) => None,
    };
    match ms {
        None => Err(wrong(member, EXPECTED, raw)),
        Some(ms) if ms < 0 => Err(wrong(member, "a time since 1970, as Kafka has no earlier ones", raw)),
        Some(ms) if ms / 1000 > SECONDS_MAX => {
            Err(wrong(member, "a number of seconds (not of milliseconds) until the year 9999", raw))
        }
        Some(ms) => Ok(Some(ms)),
    }
}

/// The milliseconds of a decimal number of seconds.
fn seconds(written: &str) -> Option<i64> {
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (sign, magnitude) = match written.strip_prefix('-') {
        Some(magnitude) => (-1, magnitude),
        None => (1, written),
    };
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, "0"));
    if is_plain(whole) && is_plain(fraction) {
        let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
        let whole = whole.parse::<i64>().unwrap_or(i64::MAX / 2000);
        return Some(sign * whole.saturating_mul(1000).saturating_add(thousandths.parse().ok()?));
    }
    // With an exponent. Numbers alone begin with a digit or a sign: `inf` does not.
    let is_number = magnitude.starts_with(|first: char| first.is_ascii_digit()) && !written.contains([':', 'T']);
    let value = written.parse::<f64>().ok().filter(|_| is_number)?;
    Some((value * 1000.0).floor() as i64)
}

fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

/// Appends the time as ISO 8601 text in UTC, without milliseconds where they are zero.
pub(in crate::v3) fn write(ms: i64, out: &mut String) {
    // Beyond the year 9999 there is no such text.
    let time = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000).min(SECONDS_MAX));
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    digits::<4>(u32::try_from(year).unwrap_or_default(), out);
    for (before, number) in [('-', month.into()), ('-', day), ('T', hour), (':', minute), (':', second)] {
        out.push(before);
        digits::<2>(number.into(), out);
    }
    let thousandths = u32::try_from(ms.rem_euclid(1000)).unwrap_or_default();
    if thousandths != 0 {
        out.push('.');
        digits::<3>(thousandths, out);
    }
    out.push('Z');
}

/// Appends the last `N` digits: each receipt has a time, and `format!` takes longer than all the rest of it.
fn digits<const N: usize>(mut number: u32, out: &mut String) {
    let mut text = ['0'; N];
    for digit in text.iter_mut().rev() {
        *digit = char::from_digit(number % 10, 10).unwrap_or('0');
        number /= 10;
    }
    out.extend(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (raw, ms, written) in [
            ("\"2026-01-31T12:00:00.123Z\"", 1_769_860_800_123, "2026-01-31T12:00:00.123Z"),
            ("\"2026-01-31T13:00:00+01:00\"", 1_769_860_800_000, "2026-01-31T12:00:00Z"),
            ("\"2026-01-31T12:00:00.1239999Z\"", 1_769_860_800_123, "2026-01-31T12:00:00.123Z"),
            ("1700000000", 1_700_000_000_000, "2023-11-14T22:13:20Z"),
            ("1700000000.5", 1_700_000_000_500, "2023-11-14T22:13:20.500Z"),
            ("\"1700000000.0019\"", 1_700_000_000_001, "2023-11-14T22:13:20.001Z"),
            ("1.7e9", 1_700_000_000_000, "2023-11-14T22:13:20Z"),
            ("0", 0, "1970-01-01T00:00:00Z"),
            ("253402300799.999", 253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            let mut text = String::new();
            write(ms, &mut text);
            assert_eq!((read("timestamp", raw), text.as_str()), (Ok(Some(ms)), written), "{raw}");
        }
        assert_eq!((read("timestamp", "null"), read("timestamp", "\"\"")), (Ok(None), Ok(None)));
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_was_expected() {
        for raw in ["\"yesterday\"", "\"2026-01-31\"", "\"2026-01-31T12:00:00\"", "[1]", "true", "\"inf\"", "{}"] {
            assert!(read("timestamp", raw).expect_err(raw).starts_with("timestamp: expected a time"), "{raw}");
        }
        for raw in ["-1", "\"1969-12-31T23:59:59Z\"", "-0.001", "-1e300"] {
            assert!(read("timestamp", raw).expect_err(raw).contains("a time since 1970"), "{raw}");
        }
        for raw in ["1700000000000", "1e300", "99999999999999999999999999", "253402300800"] {
            assert!(read("timestamp", raw).expect_err(raw).contains("not of milliseconds"), "{raw}");
        }
    }
}
