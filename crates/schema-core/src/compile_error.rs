//! Why a text is no schema.

use std::fmt;

/// The first thing wrong with a schema text: where, what was expected, what was found, and what to do about it.
///
/// ```text
/// fields[2].type: expected the name of a type, found "integer"; Avro calls it "int" or "long"
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    path: String,
    expected: String,
    found: String,
    remedy: String,
    is_syntax: bool,
}

impl CompileError {
    /// The text says `found` at `path` (as [`CompileError::path`] has it), where `expected` should stand.
    pub fn new(path: String, expected: impl Into<String>, found: impl Into<String>) -> CompileError {
        CompileError { path, expected: expected.into(), found: found.into(), remedy: String::new(), is_syntax: false }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> CompileError {
        self.remedy = remedy.into();
        self
    }

    /// Says that the text cannot even be read.
    #[must_use]
    pub fn syntax(mut self) -> CompileError {
        self.is_syntax = true;
        self
    }

    /// Place in the schema document, like `fields[2].type`. Empty: the document as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the text is not in the language at all; otherwise it can be read, but says something unlawful. Avro does not
    /// tell the two apart: there it is `true`.
    pub fn is_syntax(&self) -> bool {
        self.is_syntax
    }

    /// What would have been right.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What stands there.
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for CompileError {}
