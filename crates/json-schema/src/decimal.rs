//! Numbers of schemas, exactly as written: printed as Java's `BigDecimal` prints them, compared by value.

use std::cmp::Ordering;

/// So long a number may be written.
const MAX_LENGTH: usize = 1000;

/// A decimal number: `digits` without leading zeros, of which the last `scale` stand behind the point. Two are equal when
/// they are equal in value, however they are written.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    negative: bool,
    digits: String,
    scale: i64,
}

impl Decimal {
    /// Reads the text of a JSON number. `None`: it is longer than 1000 characters, or its exponent has over 31 bits.
    pub(super) fn read(text: &str) -> Option<Decimal> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let trimmed = digits.trim_start_matches('0');
        let digits = if trimmed.is_empty() { "0" } else { trimmed }.to_owned();
        let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        Some(Decimal { negative: negative && digits != "0", digits, scale })
    }

    /// The bytes that it keeps on the heap.
    pub(super) fn heap_size(&self) -> usize {
        self.digits.capacity()
    }

    /// As `BigDecimal.toString` has it: `1.10`, `0.01`, `1E+5`, `1.2E+4`, `1E-8`.
    pub(super) fn java_text(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let adjusted = self.adjusted();
        if self.scale == 0 {
            return format!("{sign}{}", self.digits);
        }
        if self.scale > 0 && adjusted >= -6 {
            let places = usize::try_from(self.scale).unwrap_or(usize::MAX);
            return match self.digits.len().checked_sub(places) {
                Some(whole) if whole > 0 => format!("{sign}{}.{}", &self.digits[..whole], &self.digits[whole..]),
                _ => format!("{sign}0.{:0>places$}", self.digits),
            };
        }
        let (first, rest) = self.digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        match adjusted {
            0 => format!("{sign}{first}{point}{rest}"),
            _ => format!("{sign}{first}{point}{rest}E{adjusted:+}"),
        }
    }

    /// Whether it is written without fraction and exponent, as the old drafts want an integer.
    pub(super) fn is_written_whole(text: &str) -> bool {
        !text.contains(['.', 'e', 'E'])
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits == "0"
    }

    /// Whether `self` is `unit` times a whole number. Only decided for units of up to 37 digits; of others nothing is.
    pub(super) fn is_multiple_of(&self, unit: &Decimal) -> bool {
        let modulus = unit.digits.trim_end_matches('0');
        let shift = self.scale_without_zeros() - unit.scale_without_zeros();
        let Some(modulus) = modulus.parse::<u128>().ok().filter(|_| modulus.len() <= 37) else { return false };
        if self.is_zero() || modulus == 0 || shift > 0 {
            // A digit behind the last place of the unit.
            return self.is_zero() && modulus != 0;
        }
        let mut rest = 0;
        for digit in self.digits.trim_end_matches('0').bytes() {
            rest = (rest * 10 + u128::from(digit - b'0')) % modulus;
        }
        // After so many tens all twos and fives of the modulus are found.
        for _ in 0..shift.unsigned_abs().min(128) {
            rest = rest * 10 % modulus;
        }
        rest == 0
    }

    /// How many digits stand behind the point, when zeros at the end are left out.
    fn scale_without_zeros(&self) -> i64 {
        let zeros = self.digits.len() - self.digits.trim_end_matches('0').len();
        self.scale - i64::try_from(zeros).unwrap_or(i64::MAX)
    }

    /// The power of ten of the first digit.
    fn adjusted(&self) -> i64 {
        i64::try_from(self.digits.len()).unwrap_or(i64::MAX) - 1 - self.scale
    }

    fn compare_magnitude(&self, other: &Decimal) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let significant = |number: &Decimal| number.digits.trim_end_matches('0').to_owned();
        self.adjusted().cmp(&other.adjusted()).then_with(|| significant(self).cmp(&significant(other)))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_magnitude(other),
            (true, true) => other.compare_magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

#[cfg(test)]
mod tests {
    use super::Decimal;

    fn read(text: &str) -> Decimal {
        Decimal::read(text).expect("a number of bounded length")
    }

    #[test]
    fn printed_as_java_prints_them() {
        for (text, printed) in [
            ("1.10", "1.10"),
            ("-0.50", "-0.50"),
            ("1e-2", "0.01"),
            ("1E5", "1E+5"),
            ("12E3", "1.2E+4"),
            ("1.10E+2", "110"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("0e5", "0E+5"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("0.00000012", "1.2E-7"),
            ("123.456", "123.456"),
            ("1.5e1", "15"),
            ("1.5e2", "1.5E+2"),
            ("100000000000000000000", "100000000000000000000"),
            ("0E-10", "0E-10"),
            ("1e2147483647", "1E+2147483647"),
        ] {
            assert_eq!(read(text).java_text(), printed, "{text}");
        }
        assert_eq!(Decimal::read("1e2147483648"), None);
        assert_eq!(Decimal::read(&"1".repeat(1001)), None);
    }

    #[test]
    fn compared_by_their_worth() {
        for (small, large) in
            [("1", "1.5"), ("-2", "-1"), ("-1", "0"), ("9.99", "10"), ("1e-400", "1e400"), ("0", "1e-9")]
        {
            assert!(read(small) < read(large), "{small} {large}");
            assert!(read(large) > read(small), "{large} {small}");
        }
        for (one, other) in [("1", "1.00"), ("1e2", "100"), ("0.0", "0E+5")] {
            assert_eq!(read(one), read(other));
        }
    }

    #[test]
    fn multiples_are_exact() {
        for (number, unit, is) in [
            ("4", "2", true),
            ("2", "4", false),
            ("0.3", "0.1", true),
            ("1", "0.3", false),
            ("1e3", "0.5", true),
            ("1", "0", false),
            ("0", "3", true),
            ("0.0", "0", false),
            ("1e30", "1e-30", true),
            ("1e-30", "1e30", false),
            ("1e2147483647", "3", false),
            ("3e2147483647", "3e-2147483647", true),
            ("1e300", "1024", true),
            ("250", "1e2", false),
            ("123456789012345678901234567890", "1.5", true),
            ("-4", "2", true),
        ] {
            assert_eq!(read(number).is_multiple_of(&read(unit)), is, "{number} {unit}");
        }
    }
}
