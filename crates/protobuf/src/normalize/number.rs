//! Numbers of options in one notation: decimal, without exponent, trailing zeros or plus sign.

/// Digits that a number is written out with, at most; a longer one stays as it is.
const MAX_DIGITS: usize = 40;

/// The number in its normal notation; any other word as it is.
pub(super) fn normalized(word: String) -> String {
    plain(&word).unwrap_or(word)
}

fn plain(word: &str) -> Option<String> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", word.strip_prefix('+').unwrap_or(word)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let whole = |digits: &str, radix: u32| u64::from_str_radix(digits, radix).ok().map(|value| value.to_string());
    if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return Some(format!("{sign}{}", whole(digits, 16)?));
    }
    if digits.bytes().all(|digit| digit.is_ascii_digit()) {
        let octal = digits.len() > 1 && digits.starts_with('0');
        let value = if octal { whole(digits, 8)? } else { digits.to_owned() };
        return Some(if value == "0" { value } else { format!("{sign}{value}") });
    }
    Some(format!("{sign}{}", decimal(digits)?))
}

/// `1.50e1` as `15`.
fn decimal(digits: &str) -> Option<String> {
    let (digits, exponent) = match digits.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let length = point.unsigned_abs() as usize + all.len();
    if length > MAX_DIGITS {
        return None;
    }
    // Enough zeros on both sides for the point to stand among the digits.
    let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
    let all = format!("{zeros}{all}{}", "0".repeat(usize::try_from(point).unwrap_or(0).saturating_sub(all.len())));
    let (whole, fraction) = all.split_at(usize::try_from(point).unwrap_or(0));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn numbers_have_one_notation() {
        for (written, normal) in [
            ("1", "1"),
            ("-1", "-1"),
            ("+1", "1"),
            ("-0", "0"),
            ("0x1F", "31"),
            ("017", "15"),
            ("1.50", "1.5"),
            ("1.0", "1"),
            ("1e3", "1000"),
            ("1.5E-2", "0.015"),
            ("0.0001", "0.0001"),
            ("12.5e1", "125"),
            ("18446744073709551615", "18446744073709551615"),
            ("1e300", "1e300"),
            ("inf", "inf"),
            ("-inf", "-inf"),
            ("ABC", "ABC"),
            ("1.5f", "1.5f"),
        ] {
            assert_eq!(normalized(written.to_owned()), normal);
        }
    }
}
