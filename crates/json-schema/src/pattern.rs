//! Regular expressions of schemas. JavaScript's are meant; they are turned into those of the engine at hand. Much of
//! what only Java has is understood, too, since Confluent takes it: `(?i)`, `a++`, `\Q…\E`, `\h`, `\A`, `\Z`.
//!
//! Expressions without look-around and back-references run in linear time. Others may try many ways to match; after
//! [`STEPS`] of them they count as not matching, so that no text keeps a thread busy. What many texts cost is counted by
//! [`effort`].

use std::borrow::Cow;

use fancy_regex::{Expr, Regex, RegexBuilder};

use super::effort;

/// Ways that an expression may try at one text.
pub(super) const STEPS: usize = 5_000;
/// The same at the name of a property: those are short, and many.
pub(super) const NAME_STEPS: usize = 1_000;
/// How large an expression may become when compiled, in bytes; `(a{1000}){1000}` would be larger than any memory.
pub(super) const SIZE: usize = 1 << 20;
/// What an expression may remember of the texts it has seen, in bytes.
pub(super) const DFA_SIZE: usize = 512 << 10;
/// What it costs to build one state.
const BUILDING: u64 = 500;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// What one character of a text costs at worst.
    weight: u64,
}

impl Pattern {
    /// `None`: it is no expression, or one that is too large.
    pub(super) fn new(written: &str) -> Option<Pattern> {
        Pattern::with_steps(written, STEPS)
    }

    /// The same for names of properties.
    pub(super) fn for_names(written: &str) -> Option<Pattern> {
        Pattern::with_steps(written, NAME_STEPS)
    }

    fn with_steps(written: &str, steps: usize) -> Option<Pattern> {
        let translated = translated(written)?;
        let extent = Extent::of(&Expr::parse_tree(&translated).ok()?.expr);
        effort::spend(extent.built.saturating_mul(BUILDING));
        let mut builder = RegexBuilder::new(&translated);
        builder.backtrack_limit(steps).delegate_size_limit(SIZE).delegate_dfa_size_limit(DFA_SIZE);
        Some(Pattern { regex: builder.build().ok()?, weight: extent.weight(steps) })
    }

    /// Whether it has the form of an expression; does not compile it.
    pub(super) fn is_valid(written: &str) -> bool {
        translated(written).is_some_and(|translated| Expr::parse_tree(&translated).is_ok())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        effort::spend(self.cost(text));
        self.regex.is_match(text).unwrap_or(false)
    }

    /// What a look at a text costs at worst.
    pub(super) fn cost(&self, text: &str) -> u64 {
        // To begin with a text costs something, too.
        self.weight.saturating_mul(text.len() as u64 + 8)
    }
}

/// How large an expression is, all repeats written out.
#[derive(Default)]
struct Extent {
    /// States that it can be in.
    states: u64,
    /// What is built for them: a class of characters may be many sequences of bytes.
    built: u64,
    /// Look-around and the like: ways to match are tried.
    tries: bool,
}

impl Extent {
    fn of(expression: &Expr) -> Extent {
        let mut extent = Extent::default();
        let mut parts = vec![(expression, 1_u64)];
        while let Some((part, times)) = parts.pop() {
            extent.states = extent.states.saturating_add(times);
            let (mut within, mut size) = (times, 1);
            match part {
                Expr::Repeat { lo, hi: usize::MAX, .. } => within = times.saturating_mul(*lo as u64 + 1),
                Expr::Repeat { hi, .. } => within = times.saturating_mul((*hi as u64).max(1)),
                Expr::Any { .. } => size = 20,
                Expr::Delegate { inner, .. } if inner.contains(['p', 'P']) && inner.contains('\\') => size = 500,
                Expr::Delegate { inner, .. } => size = 20 + inner.len() as u64,
                Expr::Literal { val, .. } => size = val.len() as u64,
                Expr::Empty | Expr::Assertion(_) | Expr::Concat(_) | Expr::Alt(_) | Expr::Group(_) => {}
                _ => extent.tries = true,
            }
            extent.built = extent.built.saturating_add(times.saturating_mul(size));
            parts.extend(part.children_iter().map(|part| (part, within)));
        }
        extent
    }

    /// What one character costs at worst: an expression that tries ways may pass through its parts in each of them, and a state of
    /// an automaton costs more than a step through a text.
    fn weight(&self, steps: usize) -> u64 {
        match self.tries {
            true => (steps as u64).saturating_mul(1 + self.states / 50),
            false => self.states.saturating_mul(4),
        }
    }
}

/// The same for the engine at hand.
fn translated(written: &str) -> Option<String> {
    let plain = plain(written);
    match jsonschema_regex::to_rust_regex(&plain).map(Cow::into_owned) {
        Ok(translated) => Some(translated),
        // References to groups by name need no translation: the engine knows them.
        Err(()) => plain.contains(r"\k<").then_some(plain),
    }
}

/// The same in JavaScript's words, as far as it has any.
pub(super) fn plain(written: &str) -> String {
    let (flags, mut rest) = leading_flags(written).map_or(("", written), |(flags, rest)| (flags, rest));
    let mut out = String::with_capacity(written.len() + 3);
    if !flags.is_empty() {
        out.extend(["(?", flags, ":"]);
    }
    let mut in_brackets = false;
    while let Some(next) = rest.chars().next() {
        if next != '\\' {
            in_brackets = if in_brackets { next != ']' } else { next == '[' };
            out.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        }
        let end = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
        let (escape, after) = rest.split_at(end);
        rest = after;
        match escape {
            r"\Q" => {
                let (quoted, after) = rest.split_once(r"\E").unwrap_or((rest, ""));
                for character in quoted.chars() {
                    out.extend(character.is_ascii_punctuation().then_some('\\'));
                    out.push(character);
                }
                rest = after;
            }
            r"\h" if in_brackets => out.push_str(BLANKS),
            r"\h" => out.extend(["[", BLANKS, "]"]),
            r"\Z" if !in_brackets => out.push_str(r"(?=\n?\z)"),
            escape => out.push_str(escape),
        }
        // A class begins no range: `[\w-.]` has a hyphen.
        let is_class = matches!(escape, r"\d" | r"\D" | r"\s" | r"\S" | r"\w" | r"\W" | r"\h");
        if in_brackets && is_class && rest.starts_with('-') && !rest.starts_with("-]") {
            out.push_str(r"\-");
            rest = &rest[1..];
        }
    }
    out.extend((!flags.is_empty()).then_some(')'));
    out
}

/// What `\h` stands for.
const BLANKS: &str = " \t\u{a0}\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}";

/// The flags of an expression that begins with `(?i)` or the like, and what they hold for.
fn leading_flags(written: &str) -> Option<(&str, &str)> {
    let (flags, rest) = written.strip_prefix("(?")?.split_once(')')?;
    (!flags.is_empty() && flags.chars().all(|flag| matches!(flag, 'i' | 'm' | 's'))).then_some((flags, rest))
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn explosive_expressions_end() {
        let pattern = Pattern::new("^(?=(a+)+$)(a+)+\\1$").expect("a valid expression");
        assert!(!pattern.matches(&("a".repeat(5000) + "!")));
        assert!(Pattern::new("^(a+)+$").expect("a valid expression").matches(&"a".repeat(100_000)));
        assert!(Pattern::new("((a{1000}){1000}){1000}").is_none());
    }

    #[test]
    fn expressions_of_java_are_understood() {
        for (written, text, other) in [
            (r"(?i)^ab$", "AB", "abc"),
            (r"^\Qa.b\E$", "a.b", "axb"),
            (r"^[\w-.]+$", "a-b.c", "a b"),
            (r"^[\d-]+$", "1-2", "1.2"),
            (r"^a\h[\h]$", "a\t ", "a\n "),
            (r"\Aab\Z", "ab\n", "ab\nc"),
            (r"\Aab\z", "ab", "ab\n"),
            (r"^a++]}$", "aa]}", "a"),
            (r"^(?<x>a|b)\k<x>$", "bb", "ab"),
            (r"^[^\]]$", "a", "]"),
        ] {
            assert!(Pattern::is_valid(written), "{written}");
            let pattern = Pattern::new(written).expect("a valid expression");
            assert!(pattern.matches(text) && !pattern.matches(other), "{written}");
        }
        for (written, valid) in [
            ("[", false),
            ("(", false),
            ("a**", false),
            (r"\y", false),
            ("{", false),
            (r"[a-\d]", false),
            ("^\\d+$", true),
            ("(?<=a)b", true),
        ] {
            assert_eq!(Pattern::is_valid(written), valid, "{written}");
        }
    }
}
