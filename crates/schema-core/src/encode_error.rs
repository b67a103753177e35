//! Why a JSON value does not fit its schema.

use std::fmt;

use postern_json_text::JsonError;

/// The first misfit of a value: its place, what the schema expects there, what was found.
///
/// ```text
/// orbit[2].angle: expected double, found string "x"
/// ```
///
/// As small as a pointer: good values, which are nearly all, do not pay for what is said of bad ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError(Box<Misfit>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Misfit {
    path: String,
    expected: String,
    found: String,
}

impl EncodeError {
    /// The value has `found` at `path` (as [`EncodeError::path`] has it), where the schema wants `expected`.
    #[cold]
    pub fn new(path: String, expected: impl Into<String>, found: impl Into<String>) -> EncodeError {
        EncodeError(Box::new(Misfit { path, expected: expected.into(), found: found.into() }))
    }

    /// Place in the value: `orbit[2].angle`, map keys as `tags["a b"]`. Empty: the value as a whole.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What the schema expects there.
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What stands there.
    pub fn found(&self) -> &str {
        &self.0.found
    }

    /// Puts an outer place (`records[3].value`) in front of the path.
    pub fn within(mut self, outer: &str) -> EncodeError {
        let path = &mut self.0.path;
        let joint = if path.is_empty() || path.starts_with('[') || outer.is_empty() { "" } else { "." };
        *path = format!("{outer}{joint}{path}");
        self
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Misfit { path, expected, found } = &*self.0;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "expected {expected}, found {found}")
    }
}

impl std::error::Error for EncodeError {}

impl From<JsonError> for EncodeError {
    #[cold]
    fn from(error: JsonError) -> EncodeError {
        EncodeError::new(String::new(), error.expected(), error.found())
    }
}

#[cfg(test)]
mod tests {
    use super::EncodeError;

    #[test]
    fn paths_are_joined_as_one_would_write_them() {
        let at = |path: &str| EncodeError::new(path.to_owned(), "int", "null").within("records[3].value").to_string();
        assert_eq!(at("a.b"), "records[3].value.a.b: expected int, found null");
        assert_eq!(at("[0].b"), "records[3].value[0].b: expected int, found null");
        assert_eq!(at(""), "records[3].value: expected int, found null");
        assert_eq!(EncodeError::new("a".into(), "int", "null").within("").path(), "a");
    }
}
