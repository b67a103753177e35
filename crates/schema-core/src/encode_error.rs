//! Why a JSON value does not fit its schema.

use std::fmt;

use postern_json_text::JsonError;

use crate::mismatch::Mismatch;

/// The first mismatch of a value: its place, what the schema expects there, what was found, and what to write instead.
///
/// ```text
/// orbit[2].note: expected union (null or {"string": …}), found string "x"; write {"string": "x"}
/// ```
///
/// As small as a pointer, so that encoding valid values does not pay for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    mismatch: Mismatch,
    remedy: String,
}

impl EncodeError {
    /// The value has `found` at `path` (as [`EncodeError::path`] writes it), where the schema wants `expected`.
    #[cold]
    pub fn new(path: String, expected: impl Into<String>, found: impl Into<String>) -> EncodeError {
        let mismatch = Mismatch { path, expected: expected.into(), found: found.into() };
        EncodeError(Box::new(Parts { mismatch, remedy: String::new() }))
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> EncodeError {
        self.0.remedy = remedy.into();
        self
    }

    /// Place in the value: `orbit[2].angle`, map keys as `tags["a b"]`. Empty: the value as a whole.
    pub fn path(&self) -> &str {
        &self.0.mismatch.path
    }

    /// What the schema expects there.
    pub fn expected(&self) -> &str {
        &self.0.mismatch.expected
    }

    /// What stands there.
    pub fn found(&self) -> &str {
        &self.0.mismatch.found
    }

    /// What to write instead; empty where that is not known.
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }

    /// Puts an outer place (`records[3].value`) in front of the path. Paths end after some steps: recursive values are hundreds of levels
    /// deep.
    #[must_use]
    pub fn within(mut self, outer: &str) -> EncodeError {
        self.0.mismatch.put_within(outer);
        self
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mismatch.fmt(f)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl From<JsonError> for EncodeError {
    #[cold]
    fn from(error: JsonError) -> EncodeError {
        EncodeError::new(String::new(), error.expected(), error.found()).with_remedy(error.remedy())
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
        let error = EncodeError::new("a".into(), "int", "1.5").with_remedy("round it");
        assert_eq!(error.to_string(), "a: expected int, found 1.5; round it");
    }
}
