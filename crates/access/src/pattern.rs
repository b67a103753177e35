//! Names in rules: exact, or with one `*` at the end.

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    is_prefix: bool,
}

/// Stands for the caller's name.
const USER: &str = "{user}";

impl Pattern {
    /// # Errors
    /// What was expected.
    pub(crate) fn parse(text: &str) -> Result<Pattern, String> {
        let (begin, is_prefix) = match text.strip_suffix('*') {
            Some(begin) => (begin, true),
            None => (text, false),
        };
        if text.is_empty() || begin.contains('*') {
            return Err(format!("a name, or the begin of names with one * at its end, found {text:?}"));
        }
        Ok(Pattern { text: begin.to_owned(), is_prefix })
    }

    /// Whether `name` is one of those, `user` being the name of the caller.
    pub(crate) fn matches(&self, name: &str, user: &str) -> bool {
        if !self.text.contains(USER) {
            return self.matches_text(&self.text, name);
        }
        // Another name could stand for more than itself.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        user.chars().all(is_plain) && self.matches_text(&self.text.replace(USER, user), name)
    }

    fn matches_text(&self, text: &str, name: &str) -> bool {
        if self.is_prefix { name.starts_with(text) } else { name == text }
    }

    /// Whether it stands for one name only.
    pub(crate) fn is_exact(&self) -> bool {
        !self.is_prefix
    }

    /// As it was written.
    pub(crate) fn shown(&self) -> String {
        format!("{}{}", self.text, if self.is_prefix { "*" } else { "" })
    }
}
