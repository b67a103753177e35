//! Where and why encoding stopped. The path is grown outwards while the walk unwinds, so a good value pays nothing.

use std::fmt::Write as _;

use super::syntax;
use crate::EncodeError;

/// One step of a path, as it is written in the JSON.
#[derive(Debug)]
pub(super) enum Segment {
    /// A field or a union's branch: `.name`, or `["x.y.Name"]` where dots would mislead.
    Member(String),
    /// An item of a list: `[2]`.
    Item(usize),
    /// A key of a map: `["a b"]`.
    Key(String),
}

#[derive(Debug)]
pub(super) struct Failure {
    /// Innermost first.
    segments: Vec<Segment>,
    pub(super) reason: Reason,
}

#[derive(Debug)]
pub(super) enum Reason {
    /// The value does not fit.
    Misfit { expected: String, found: String },
    /// The text is not JSON; the reader knows why.
    Syntax,
    /// What a number was read as may not be what its digits say.
    NeedsDigits,
}

impl Failure {
    pub(super) fn new(reason: Reason) -> Failure {
        Failure { segments: Vec::new(), reason }
    }

    pub(super) fn misfit(expected: impl Into<String>, found: impl Into<String>) -> Failure {
        Failure::new(Reason::Misfit { expected: expected.into(), found: found.into() })
    }

    pub(super) fn syntax() -> Failure {
        Failure::new(Reason::Syntax)
    }

    pub(super) fn within(&mut self, segment: Segment) {
        self.segments.push(segment);
    }

    /// Puts words to what the reader stumbled over, if it was the reader.
    pub(super) fn explained(mut self, error: &sonic_rs::Error, json: &[u8]) -> Failure {
        if let Reason::Syntax = self.reason {
            let (expected, found) = syntax::words(error, json);
            self.reason = Reason::Misfit { expected, found };
        }
        self
    }

    pub(super) fn into_error(self) -> EncodeError {
        let mut path = String::new();
        for segment in self.segments.iter().rev() {
            match segment {
                Segment::Member(name) if super::super::names::lawful(name, false) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Segment::Item(position) => {
                    let _ = write!(path, "[{position}]");
                }
                Segment::Member(key) | Segment::Key(key) => {
                    path.push('[');
                    crate::json::quote(key, &mut path);
                    path.push(']');
                }
            }
        }
        let (expected, found) = match self.reason {
            Reason::Misfit { expected, found } => (expected, found),
            Reason::Syntax => ("JSON".to_owned(), "something else".to_owned()),
            Reason::NeedsDigits => ("an integer".to_owned(), "a number with a fraction".to_owned()),
        };
        EncodeError::new(path, expected, found)
    }
}
