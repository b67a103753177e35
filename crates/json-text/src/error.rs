//! Why a text is not the JSON that was expected.

use std::fmt;

/// What was expected, what was found and where, and what to do about it.
///
/// As small as a pointer, so that reading valid text does not pay for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(Box<Mismatch>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mismatch {
    expected: String,
    found: String,
    remedy: String,
    offset: Option<usize>,
}

impl JsonError {
    #[cold]
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>, offset: Option<usize>) -> JsonError {
        JsonError(Box::new(Mismatch { expected: expected.into(), found: found.into(), remedy: String::new(), offset }))
    }

    /// The text breaks the grammar.
    #[cold]
    pub(crate) fn syntax(found: impl Into<String>, offset: usize) -> JsonError {
        JsonError::new("JSON", found, Some(offset))
    }

    #[cold]
    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> JsonError {
        self.0.remedy = remedy.into();
        self
    }

    /// What should stand there.
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What stands there; where the grammar is broken, with the byte at which it is.
    pub fn found(&self) -> &str {
        &self.0.found
    }

    /// What to write instead; empty where that is not known.
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }

    /// Where it stands, in bytes from the beginning of the text, where that is known.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}
