//! Why a text is not the JSON that was expected.

use std::fmt;

/// What was expected, and what was found, with its place. As small as a pointer: good texts do not pay for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError(Box<Refusal>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    expected: String,
    found: String,
}

impl JsonError {
    #[cold]
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> JsonError {
        JsonError(Box::new(Refusal { expected: expected.into(), found: found.into() }))
    }

    /// What should stand there.
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What stands there, and where.
    pub fn found(&self) -> &str {
        &self.0.found
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.0.expected, self.0.found)
    }
}

impl std::error::Error for JsonError {}
