//! Regular expressions of schemas. JavaScript's are meant; they are turned into those of the engine at hand.
//!
//! Expressions without look-around and back-references run in linear time. Others may try many ways to match; after
//! [`STEPS`] of them they count as not matching, so that no text keeps a thread busy.

use fancy_regex::{Expr, Regex, RegexBuilder};

/// Ways that an expression may try at one text.
pub(super) const STEPS: usize = 5_000;
/// How large an expression may become when compiled, in bytes; `(a{1000}){1000}` would be larger than any memory.
pub(super) const SIZE: usize = 1 << 20;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// `None`: it is no expression, or one that is too large.
    pub(super) fn new(written: &str) -> Option<Pattern> {
        let translated = jsonschema_regex::to_rust_regex(written).ok()?;
        let mut builder = RegexBuilder::new(&translated);
        builder.backtrack_limit(STEPS).delegate_size_limit(SIZE).build().ok().map(Pattern)
    }

    /// Whether it has the form of an expression; does not compile it.
    pub(super) fn is_lawful(written: &str) -> bool {
        jsonschema_regex::to_rust_regex(written).is_ok_and(|translated| Expr::parse_tree(&translated).is_ok())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn explosive_expressions_end() {
        let pattern = Pattern::new("^(?=(a+)+$)(a+)+\\1$").expect("a lawful expression");
        assert!(!pattern.matches(&("a".repeat(5000) + "!")));
        assert!(Pattern::new("^(a+)+$").expect("a lawful expression").matches(&"a".repeat(100_000)));
        assert!(Pattern::new("((a{1000}){1000}){1000}").is_none());
        for (written, lawful) in [("[", false), ("(", false), ("a**", false), ("^\\d+$", true), ("(?<=a)b", true)] {
            assert_eq!(Pattern::is_lawful(written), lawful, "{written}");
        }
    }
}
