//! Floats and doubles as Java prints them (`Double.toString` since JDK 19): the shortest digits that read back as the same value.

use std::fmt::{LowerExp, Write as _};
use std::str::FromStr;

/// Appends `value` as Java prints it: `1.0`, `0.001`, `1.0E10`, `1.0E-8`, `4.9E-324`, `NaN`, `-Infinity`.
pub fn java_double(value: f64, out: &mut String) {
    print(value, value.abs(), out);
}

/// The same for a float, whose digits are fewer: `1.1`, where the double of that float is 1.100000023841858.
pub fn java_float(value: f32, out: &mut String) {
    print(value.into(), value.abs(), out);
}

/// `magnitude` is `value` without its sign, in its own precision.
fn print<T: LowerExp + FromStr + PartialEq>(value: f64, magnitude: T, out: &mut String) {
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    if value.is_infinite() {
        return out.push_str("Infinity");
    }
    if value == 0.0 {
        return out.push_str("0.0");
    }
    let (digits, exponent) = shortest(magnitude);
    let (first, rest) = digits.split_at(1);
    match exponent {
        0..=6 => {
            let whole = exponent as usize + 1;
            if digits.len() <= whole {
                out.push_str(&digits);
                out.extend(std::iter::repeat_n('0', whole - digits.len()));
                out.push_str(".0");
            } else {
                let (whole, fraction) = digits.split_at(whole);
                let _ = write!(out, "{whole}.{fraction}");
            }
        }
        -3..=-1 => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', (-exponent - 1) as usize));
            out.push_str(&digits);
        }
        _ => {
            let rest = if rest.is_empty() { "0" } else { rest };
            let _ = write!(out, "{first}.{rest}E{exponent}");
        }
    }
}

/// Digits without a point, and the power of ten of the first.
///
/// Where one digit is enough Java takes the closest of two digits (4.9E-324, not 5.0E-324).
fn shortest<T: LowerExp + FromStr + PartialEq>(value: T) -> (String, i32) {
    let mut text = format!("{value:e}");
    if !text.contains('.') {
        let two = format!("{value:.1e}");
        if two.parse().is_ok_and(|read: T| read == value) {
            text = two;
        }
    }
    let (mantissa, exponent) = text.split_once('e').expect("`{:e}` writes an exponent");
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    (digits.to_owned(), exponent.parse().expect("`{:e}` writes a small whole exponent"))
}

#[cfg(test)]
mod tests {
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
