//! Why the bytes of a record are no value of their schema.

use std::fmt;

use postern_json_text::JsonError;

use crate::mismatch::Mismatch;

/// The first place where bytes do not fit their schema: the path of the value, what stands there by the schema, and what was found.
///
/// ```text
/// orbit[2].note: expected string of 300 bytes, found 12 more bytes, at byte 40 of the payload
/// ```
///
/// As small as a pointer, so that decoding valid bytes does not pay for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    mismatch: Mismatch,
    at: Option<usize>,
}

impl DecodeError {
    /// The payload has `found` where the schema has `expected`.
    #[cold]
    pub fn new(expected: impl Into<String>, found: impl Into<String>) -> DecodeError {
        let mismatch = Mismatch { path: String::new(), expected: expected.into(), found: found.into() };
        DecodeError(Box::new(Parts { mismatch, at: None }))
    }

    /// Adds the position in the payload, in bytes.
    #[must_use]
    pub fn at(mut self, position: usize) -> DecodeError {
        self.0.at = Some(position);
        self
    }

    /// Place in the value, as in an [`EncodeError`](crate::EncodeError). Empty: the value as a whole.
    pub fn path(&self) -> &str {
        &self.0.mismatch.path
    }

    /// What stands there by the schema.
    pub fn expected(&self) -> &str {
        &self.0.mismatch.expected
    }

    /// What was found.
    pub fn found(&self) -> &str {
        &self.0.mismatch.found
    }

    /// Puts an outer place in front of the path. Paths end after some steps: recursive values are hundreds of levels deep.
    #[must_use]
    pub fn within(mut self, outer: &str) -> DecodeError {
        self.0.mismatch.put_within(outer);
        self
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mismatch.fmt(f)?;
        self.at.map_or(Ok(()), |at| write!(f, ", at byte {at} of the payload"))
    }
}

impl From<JsonError> for DecodeError {
    #[cold]
    fn from(error: JsonError) -> DecodeError {
        DecodeError::new(error.expected(), error.found())
    }
}
