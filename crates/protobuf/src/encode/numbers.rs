//! Numbers from their digits, exactly: `1.0`, `1e2` and `"150"` are whole, `1.5` is not.

use crate::model::Scalar;

/// Digits of a number that 64 bits hold, and as many more as make no difference.
const DIGITS_MAX: usize = 30;

/// The whole number that `text` stands for, if it is one and not beyond what any integer type holds.
pub(super) fn whole(text: &str) -> Option<i128> {
    if !is_number(text) {
        return None;
    }
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(end) => (&text[..end], text[end + 1..].parse::<i64>().ok()),
        None => (text, Some(0)),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = before.bytes().chain(after.bytes()).collect::<Vec<_>>();
    let Some(first) = digits.iter().position(|digit| *digit != b'0') else { return Some(0) };
    let last = digits.iter().rposition(|digit| *digit != b'0').unwrap_or(first);
    let significant = &digits[first..=last];
    // Zeros that follow the last digit which is none.
    let zeros = exponent?.checked_sub(i64::try_from(after.len()).ok()?)?;
    let zeros = usize::try_from(zeros.checked_add(i64::try_from(digits.len() - 1 - last).ok()?)?).ok()?;
    if significant.len().checked_add(zeros)? > DIGITS_MAX {
        return None;
    }
    let value = significant.iter().fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
    let value = value * 10_i128.pow(u32::try_from(zeros).ok()?);
    Some(if negative { -value } else { value })
}

/// Whether `text` is a decimal number, with fraction and exponent if it likes.
pub(super) fn is_number(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    before.len() + after.len() > 0 && !exponent.is_empty() && digits(before) && digits(after) && digits(exponent)
}

/// What a value of this type looks like in JSON.
pub(super) fn expects(scalar: Scalar) -> String {
    let kind = scalar.word();
    match scalar {
        Scalar::Double => format!("{kind} (a number)"),
        Scalar::Float => format!("{kind} (a number up to 3.4e38)"),
        Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => {
            format!("{kind} (a whole number from -2147483648 to 2147483647)")
        }
        Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => {
            format!("{kind} (a whole number from -9223372036854775808 to 9223372036854775807)")
        }
        Scalar::Uint32 | Scalar::Fixed32 => format!("{kind} (a whole number from 0 to 4294967295)"),
        Scalar::Uint64 | Scalar::Fixed64 => format!("{kind} (a whole number from 0 to 18446744073709551615)"),
        Scalar::Bool => format!("{kind} (true or false)"),
        Scalar::String => format!("a {kind}"),
        Scalar::Bytes => format!("{kind} (a string in base64)"),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_number, whole};

    #[test]
    fn only_whole_numbers_are_whole() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0.0e99999999999999999999", Some(0)),
            ("1.0", Some(1)),
            ("1e2", Some(100)),
            ("1.50e1", Some(15)),
            ("-120e-1", Some(-12)),
            ("18446744073709551615", Some(u64::MAX.into())),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("1.5", None),
            ("1e-1", None),
            ("1e400", None),
            ("1e99999999999999999999", None),
            ("x", None),
            ("", None),
            ("1e", None),
            (".", None),
            (" 1", None),
        ] {
            assert_eq!(whole(text), value, "{text}");
        }
        assert!(is_number("1.5e-3") && !is_number("0x10") && !is_number("NaN"));
    }
}
