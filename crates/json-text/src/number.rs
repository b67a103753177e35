//! A number of a JSON text: its digits, and its exact value.

/// A number as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Number<'t> {
    /// All of it: sign, fraction and exponent.
    pub digits: &'t str,
    /// Whether it is written without a fraction and without an exponent.
    pub is_whole: bool,
    /// Its value, where the reader has computed it: for integers of up to 18 digits.
    pub(super) exact: Option<i64>,
}

impl Number<'_> {
    /// The integer that it is, however it is written: `3.0` is 3, `1e2` is 100. None beyond 64 bits.
    #[inline]
    pub fn as_i64(self) -> Option<i64> {
        match self.exact {
            None if self.is_whole => self.digits.parse().ok(),
            None => integer(self.digits),
            exact => exact,
        }
    }

    /// The nearest double; infinite if it is beyond them all.
    #[inline]
    pub fn as_f64(self) -> f64 {
        self.digits.parse().expect("JSON numbers are a subset of what Rust reads as a float")
    }
}

/// The exact integer that a number with a fraction or an exponent stands for.
fn integer(number: &str) -> Option<i64> {
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

#[cfg(test)]
mod tests {
    use crate::{Reader, Token};

    #[test]
    fn only_what_is_exactly_a_long() {
        for (digits, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-999999999999999999", Some(-999_999_999_999_999_999)),
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
            let mut reader = Reader::new(digits.as_bytes(), 0).expect("digits are UTF-8");
            let Ok(Token::Number(number)) = reader.next_token() else { panic!("{digits} is a number") };
            assert_eq!((number.as_i64(), number.digits), (value, digits));
        }
    }
}
