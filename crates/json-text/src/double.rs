//! Floats and doubles as Java prints them (`Double.toString` since JDK 19): the shortest digits that read back as the same value.

use std::fmt::LowerExp;
use std::str::FromStr;

/// Appends `value` as Java prints it: `1.0`, `0.001`, `1.0E10`, `1.0E-8`, `4.9E-324`, `NaN`, `-Infinity`.
pub fn java_double(value: f64, out: &mut String) {
    push(value, append_f64, out);
}

/// The same for a float, whose digits are fewer: `1.1`, where the double of that float is 1.100000023841858.
pub fn java_float(value: f32, out: &mut String) {
    push(value, append_f32, out);
}

fn push<T>(value: T, append: fn(T, &mut Vec<u8>), out: &mut String) {
    let mut bytes = Vec::with_capacity(32);
    append(value, &mut bytes);
    out.push_str(std::str::from_utf8(&bytes).expect("digits, letters and signs are ASCII"));
}

/// Where one digit is enough Java takes the closest of two digits (4.9E-324, not 5.0E-324). Only among the smallest numbers, which
/// lie far apart, is that another one than the one with a zero.
const F64_FAR_APART: f64 = 1e-320;
const F32_FAR_APART: f32 = 1e-43;

/// As [`java_double`], into bytes.
#[inline]
pub(crate) fn append_f64(value: f64, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    if (1e-3..1e7).contains(&magnitude) {
        return append_plain(value, out);
    }
    match append_special(value, out) {
        true => {}
        false if magnitude < F64_FAR_APART => append_shortest(&smallest(magnitude), out),
        false => append_shortest(zmij::Buffer::new().format_finite(magnitude), out),
    }
}

/// As [`java_float`], into bytes.
#[inline]
pub(crate) fn append_f32(value: f32, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    if (1e-3..1e7).contains(&magnitude) {
        return append_plain(value, out);
    }
    match append_special(value.into(), out) {
        true => {}
        false if magnitude < F32_FAR_APART => append_shortest(&smallest(magnitude), out),
        false => append_shortest(zmij::Buffer::new().format_finite(magnitude), out),
    }
}

/// Numbers that Java prints without an exponent; so does `zmij`, with the same digits.
#[inline]
fn append_plain<T: zmij::Float>(value: T, out: &mut Vec<u8>) {
    out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
}

/// Appends what has no digits, or only zeros, and returns true; appends the sign of other numbers.
fn append_special(value: f64, out: &mut Vec<u8>) -> bool {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
        return true;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let text: &[u8] = match value.abs() {
        0.0 => b"0.0",
        f64::INFINITY => b"Infinity",
        _ => return false,
    };
    out.extend_from_slice(text);
    true
}

/// Appends a positive number with an exponent, from its shortest digits in any layout.
fn append_shortest(text: &str, out: &mut Vec<u8>) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.parse::<i32>().expect("a shortest text has a small whole exponent");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.bytes().chain(fraction.bytes());
    let leading = digits.clone().take_while(|digit| *digit == b'0').count();
    let significant = digits.clone().skip(leading).collect::<Vec<_>>();
    let count = significant.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let exponent = exponent + whole.len() as i32 - 1 - leading as i32;
    out.extend(digits.nth(leading));
    out.push(b'.');
    out.extend_from_slice(if count > 1 { &significant[1..count] } else { b"0" });
    out.push(b'E');
    out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
}

#[cold]
fn smallest<T: LowerExp + FromStr + PartialEq>(value: T) -> String {
    let shortest = format!("{value:e}");
    let two = format!("{value:.1e}");
    let is_one_digit = !shortest.contains('.');
    if is_one_digit && two.parse().is_ok_and(|read: T| read == value) { two } else { shortest }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_double_reads_back_and_is_laid_out_as_java_does(bits: u64) {
            let value = f64::from_bits(bits);
            let text = java(value);
            let magnitude = value.abs();
            prop_assert!(value.is_nan() || text.parse::<f64>()? == value, "{}", text);
            prop_assert_eq!(text.contains('E'), magnitude.is_finite() && magnitude != 0.0 && !(1e-3..1e7).contains(&magnitude));
            if value.is_finite() {
                // No more digits than Rust needs, one before and one after the point at least.
                let digits = |text: &str| text.split(['e', 'E']).next().unwrap_or_default().replace(['.', '-'], "").trim_matches('0').len();
                prop_assert!(digits(&text) <= digits(&format!("{value:e}")).max(2), "{} {:e}", text, value);
            }
        }

        #[test]
        fn plain_doubles_have_a_point(value in -1e7..1e7_f64) {
            let text = java(value);
            prop_assert_eq!(text.parse::<f64>()?, value);
            let (whole, fraction) = text.split_once('.').expect("a point");
            prop_assert!(!whole.is_empty() && !fraction.is_empty());
        }
    }

    fn java(value: f64) -> String {
        let mut out = String::new();
        super::java_double(value, &mut out);
        out
    }

    #[test]
    fn floats_have_the_digits_of_floats() {
        for (value, text) in [
            (0.0, "0.0"),
            (-1.5, "-1.5"),
            (1.1, "1.1"),
            (16_777_216.0, "1.6777216E7"),
            (1e-3, "0.001"),
            (f32::MAX, "3.4028235E38"),
            (1e-45, "1.4E-45"),
            (f32::INFINITY, "Infinity"),
        ] {
            let mut out = String::new();
            super::java_float(value, &mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn as_java_prints_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1.5, "1.5"),
            (-2.25, "-2.25"),
            (100.0, "100.0"),
            (123456.0, "123456.0"),
            (9999999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1e10, "1.0E10"),
            (12345678.9, "1.23456789E7"),
            (0.001, "0.001"),
            (0.00123, "0.00123"),
            (0.0001, "1.0E-4"),
            (1e-8, "1.0E-8"),
            (1.1f32 as f64, "1.100000023841858"),
            (2e23, "2.0E23"),
            (f64::MAX, "1.7976931348623157E308"),
            (5e-324, "4.9E-324"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(java(value), text);
        }
    }
}
