//! Why a text is not a valid schema.

use postern_json_text::JsonError;

/// The first thing wrong with a schema text: where, what was expected, what was found, and what to do about it.
///
/// ```text
/// fields[2].type: expected the name of a type, found "integer"; Avro calls it "int" or "long"
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, found {found}{}", at(path), advice(remedy))]
pub struct CompileError {
    path: String,
    expected: String,
    found: String,
    remedy: String,
    is_syntax: bool,
}

impl CompileError {
    /// The text has `found` at `path` (as [`CompileError::path`] writes it), where `expected` should stand.
    pub fn new(path: String, expected: impl Into<String>, found: impl Into<String>) -> CompileError {
        CompileError { path, expected: expected.into(), found: found.into(), remedy: String::new(), is_syntax: false }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> CompileError {
        self.remedy = remedy.into();
        self
    }

    /// Marks a text that is not in the language at all.
    #[must_use]
    pub fn syntax(mut self) -> CompileError {
        self.is_syntax = true;
        self
    }

    /// Place in the schema document, such as `fields[2].type`. Empty: the document as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the text is not in the language at all; otherwise it can be read, but says something invalid. Avro does not
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

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

fn advice(remedy: &str) -> String {
    if remedy.is_empty() { String::new() } else { format!("; {remedy}") }
}

impl From<JsonError> for CompileError {
    fn from(error: JsonError) -> CompileError {
        CompileError::new(String::new(), error.expected(), error.found()).remedy(error.remedy())
    }
}
