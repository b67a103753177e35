//! A number of a JSON text: its digits, and its exact value, or the double nearest to it.

/// A number as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Number<'t> {
    /// All of it: sign, fraction and exponent.
    pub digits: &'t str,
    /// Whether it is written without a fraction and without an exponent.
    pub is_whole: bool,
    /// Its magnitude, where the reader has computed it: without an exponent, and of up to 19 digits.
    pub(super) decimal: Option<Decimal>,
}

/// `digits` divided by ten to the power of `places`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    pub(super) digits: u64,
    pub(super) places: usize,
}

/// So many digits always fit into a `u64`.
pub(super) const MAX_DECIMAL_DIGITS: usize = 19;

/// So many digits are told apart by doubles.
const DOUBLE_DIGITS: usize = 15;

/// The powers of ten that a [`Decimal`] may be divided by. Each is exactly a double, too.
pub(super) const POWERS_OF_TEN: [u64; MAX_DECIMAL_DIGITS + 1] = {
    let mut powers = [1; MAX_DECIMAL_DIGITS + 1];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = 10 * powers[exponent - 1];
        exponent += 1;
    }
    powers
};

impl Number<'_> {
    /// The integer that it is, however it is written: `3.0` is 3, `1e2` is 100. None beyond 64 bits.
    #[inline]
    pub fn as_i64(self) -> Option<i64> {
        match self.decimal {
            Some(Decimal { digits, places: 0 }) if self.is_negative() => 0_i64.checked_sub_unsigned(digits),
            Some(Decimal { digits, places: 0 }) => i64::try_from(digits).ok(),
            _ if self.is_whole => self.digits.parse().ok(),
            _ => integer(self.digits),
        }
    }

    /// The nearest double; infinite if it is beyond them all.
    #[inline]
    pub fn as_f64(self) -> f64 {
        match self.decimal {
            Some(decimal) if self.is_negative() => -decimal.as_f64(),
            Some(decimal) => decimal.as_f64(),
            None => self.digits.parse().expect("JSON numbers are a subset of what Rust reads as a float"),
        }
    }

    /// Whether it is written as Java prints its double: with a fraction and no exponent, from 0.001 to below ten million, and without a zero at
    /// the end that could be left out. No two numbers of 15 digits have one double, so nothing shorter stands for it.
    #[inline]
    pub(super) fn is_as_java_prints(self) -> bool {
        let Some(Decimal { digits, places: places @ 1..=DOUBLE_DIGITS }) = self.decimal else { return false };
        let one = POWERS_OF_TEN[places];
        let is_shortest = digits < POWERS_OF_TEN[DOUBLE_DIGITS] && (places == 1 || !digits.is_multiple_of(10));
        is_shortest && digits * 1000 >= one && digits / 10_000_000 < one
    }

    #[inline]
    fn is_negative(self) -> bool {
        self.digits.as_bytes()[0] == b'-'
    }
}

impl Decimal {
    /// The nearest double; of two equally near, the even one.
    #[inline]
    fn as_f64(self) -> f64 {
        let divisor = POWERS_OF_TEN[self.places];
        if self.places == 0 {
            self.digits as f64
        } else if self.digits < 1 << f64::MANTISSA_DIGITS {
            // Both are exact, so only the division rounds.
            self.digits as f64 / divisor as f64
        } else {
            self.divided(divisor)
        }
    }

    /// The quotient in 63 or 64 bits, the last of which says whether anything was left over. That is enough to round once, when it becomes a
    /// double; what scales it is a power of two, and nothing here is so small that a double would lose bits.
    fn divided(self, divisor: u64) -> f64 {
        let (up, down) = (self.digits.leading_zeros(), divisor.leading_zeros());
        let (dividend, divisor) = (u128::from(self.digits << up) << 63, u128::from(divisor << down));
        let quotient = dividend / divisor;
        let inexact = dividend != quotient * divisor;
        let exponent = u64::from(1023 + down - 63 - up);
        (quotient as u64 | u64::from(inexact)) as f64 * f64::from_bits(exponent << 52)
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
    use proptest::prelude::*;

    use super::Number;
    use crate::{Reader, Token};

    fn number(digits: &str) -> Number<'_> {
        let Ok(Token::Number(number)) = Reader::over(digits, 0).next_token() else { panic!("{digits} is a number") };
        number
    }

    /// Numbers of any length; the digits of a double as they are mostly written; and what is exactly between two doubles.
    fn any_number() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?(0|[1-9][0-9]{0,21})(\\.[0-9]{1,21})?([eE][+-]?[0-9]{1,3})?",
            "-?[1-9][0-9]{0,3}\\.[0-9]{12,16}",
            any::<f64>()
                .prop_filter("JSON has no others", |value| value.is_finite())
                .prop_map(|value| format!("{value:?}")),
            (1_u64 << 52..1 << 53, 0_usize..3).prop_map(|(whole, zeros)| format!("{whole}.5{}", "0".repeat(zeros))),
            (1_u64 << 50..1 << 51, prop_oneof![Just("125"), Just("375"), Just("625"), Just("875")])
                .prop_map(|(whole, fraction)| format!("{whole}.{fraction}")),
            (1_u64 << 53..1 << 63).prop_map(|whole| format!("{}.0", whole | 1)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn doubles_are_those_of_the_standard_library(digits in any_number(), behind in ",?[ }a-z]{0,9}") {
            let expected = digits.parse::<f64>().expect("JSON numbers are a subset");
            prop_assert_eq!(number(&digits).as_f64().to_bits(), expected.to_bits());
            // What follows does not matter, nor how much there is of it.
            let text = format!("[{digits} {behind}");
            let mut reader = Reader::over(&text, 1);
            let (Ok(Token::Array), Ok(true), Ok(Token::Number(number))) = (reader.next_token(), reader.next_element(), reader.next_token())
            else {
                panic!("{text} begins with a number")
            };
            prop_assert_eq!((number.digits, number.as_f64().to_bits()), (&*digits, expected.to_bits()));
        }

        #[test]
        fn longs_are_those_of_the_standard_library(digits in "-?(0|[1-9][0-9]{0,20})") {
            prop_assert_eq!(number(&digits).as_i64(), digits.parse::<i64>().ok());
        }
    }

    /// Nearer to the middle between two doubles than the quotient's bits tell.
    #[test]
    fn what_is_left_over_decides_between_two_doubles() {
        for digits in ["7363203552012.826661", "-48786647.166329626", "0.321705815935897671", "51966614775899.84766"] {
            assert_eq!(number(digits).as_f64(), digits.parse::<f64>().expect("a double"), "{digits}");
        }
    }

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
            let number = number(digits);
            assert_eq!((number.as_i64(), number.digits), (value, digits));
        }
    }
}
