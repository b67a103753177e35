//! Patterns of subscriptions: regular expressions that match a whole topic name.
//!
//! Confluent takes those of Java. Look-around and back references are refused: matching would not be bounded.

use std::sync::Arc;

use regex::RegexBuilder;

use super::ConsumerError;
use crate::Error;

/// Memory of one compiled pattern.
const PATTERN_MAX: usize = 1 << 20;

/// Whether a topic belongs to the subscription.
pub(super) type TopicMatch = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// # Errors
/// [`ConsumerError::BadPattern`].
pub(super) fn compile(pattern: String) -> Result<TopicMatch, Error> {
    let bad = |pattern: String, reason: String| Error::from(ConsumerError::BadPattern { pattern, reason });
    if pattern.is_empty() {
        return Err(bad(pattern, "it is empty, and would match no topic".to_owned()));
    }
    // Compiled alone first, so that a parenthesis cannot close the group around it.
    let alone = RegexBuilder::new(&pattern).size_limit(PATTERN_MAX).build();
    let whole = RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(2 * PATTERN_MAX).build();
    match alone.and(whole) {
        Ok(regex) => Ok(Arc::new(move |topic| regex.is_match(topic))),
        Err(error) => {
            // The error of the syntax draws a picture over several lines, of which the last says what is wrong.
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Err(bad(pattern, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        let matches = compile("ord.*|audit".to_owned()).expect("a pattern");
        assert!(matches("orders") && matches("ord") && matches("audit"));
        assert!(!matches("my.orders") && !matches("audits"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        for (pattern, reason) in [
            ("(", "unclosed group"),
            ("", "it is empty"),
            ("a)|(b", "unopened group"),
            ("(?!x).*", "look-around"),
            ("(a{1000}){1000}", "size limit"),
        ] {
            let refused = compile(pattern.to_owned()).err().expect("refused").to_string();
            assert!(refused.contains(reason), "{pattern}: {refused}");
        }
    }
}
