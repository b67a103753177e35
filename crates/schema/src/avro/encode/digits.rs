//! What the digits of a JSON number say and the double it is read as does not: the exact integer, the sign of a zero.

/// `3.0` is 3, `1e2` is 100, `9223372036854775807.0` the largest long; `0.5`, `1e19` and `9007199254740993.5` are none.
pub(super) fn integer(number: &str) -> Option<i64> {
    let (negative, magnitude) = match number.strip_prefix('-') {
        Some(magnitude) => (true, magnitude),
        None => (false, number),
    };
    let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0').peekable();
    if digits.peek().is_none() {
        return Some(0);
    }
    let leading = (whole.len() + fraction.len()).checked_sub(digits.clone().count())?;
    // An exponent that no i64 holds puts any digit far beyond, or far below, a long.
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?;
    let places = exponent.checked_add(i64::try_from(whole.len()).ok()?)?.checked_sub(i64::try_from(leading).ok()?)?;
    let places = usize::try_from(places).ok().filter(|places| (1..=19).contains(places))?;
    let mut value = 0_i128;
    for _ in 0..places {
        value = value * 10 + i128::from(digits.next().unwrap_or(b'0') - b'0');
    }
    if digits.any(|digit| digit != b'0') {
        return None;
    }
    i64::try_from(if negative { -value } else { value }).ok()
}

/// Whether some number in `json` is a zero with a sign, which the reader drops. May say yes for such text in a string.
pub(super) fn has_negative_zero(json: &[u8]) -> bool {
    let mut candidates = json.windows(2).zip(0_usize..).filter(|(pair, _)| *pair == b"-0");
    candidates.any(|(_, at)| {
        // Not the middle of a date, and not followed by other digits.
        let begins = at == 0 || matches!(json[at - 1], b':' | b',' | b'[' | b' ' | b'\t' | b'\n' | b'\r');
        let digits = json[at + 2..].strip_prefix(b".").unwrap_or_default();
        begins && digits.iter().find(|digit| **digit != b'0').is_none_or(|digit| !digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::{has_negative_zero, integer};

    #[test]
    fn zeros_with_a_sign_are_found() {
        for json in ["-0.0", "[-0]", "{\"a\":-0e1}", "{\"a\": -0.000}", "[1,-0.0e5]"] {
            assert!(has_negative_zero(json.as_bytes()), "{json}");
        }
        for json in ["0.0", "-1", "\"2025-01-02\"", "[-0.5]", "[-0.001]", "-"] {
            assert!(!has_negative_zero(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn only_what_is_exactly_a_long() {
        for (number, value) in [
            ("0", Some(0)),
            ("-0.0", Some(0)),
            ("0e99999999999999999999", Some(0)),
            ("3.0", Some(3)),
            ("-3.000", Some(-3)),
            ("1e2", Some(100)),
            ("1E+2", Some(100)),
            ("1.50e1", Some(15)),
            ("0.015e3", Some(15)),
            ("1200e-2", Some(12)),
            ("1e18", Some(1_000_000_000_000_000_000)),
            ("9007199254740993.0", Some(9_007_199_254_740_993)),
            ("9223372036854775807.0", Some(i64::MAX)),
            ("-9223372036854775808.0", Some(i64::MIN)),
            ("9223372036854775808.0", None),
            ("1e19", None),
            ("1e99999999999999999999", None),
            ("1e-99999999999999999999", None),
            ("0.5", None),
            ("1e-1", None),
            ("9007199254740992.5", None),
            ("5.0000000000000000000000001", None),
        ] {
            assert_eq!(integer(number), value, "{number}");
        }
    }
}
