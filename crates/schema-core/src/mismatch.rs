//! What an error about a value says in either direction: the place, what the schema has there, and what was found.

use std::fmt;

/// Bytes of a path. Values that contain themselves are hundreds of levels deep, and each level puts its name in front.
const PATH_MAX: usize = 2000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// As in `orbit[2].angle`; map keys as `tags["a b"]`. Empty: the value as a whole.
    pub(crate) path: String,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl Mismatch {
    /// Puts an outer place in front of the path, unless that is so long that a `…` stands for what is further out.
    pub(crate) fn put_within(&mut self, outer: &str) {
        let path = &mut self.path;
        if path.len() + outer.len() > PATH_MAX {
            if !path.starts_with('…') {
                path.insert(0, '…');
            }
            return;
        }
        let joint = if path.is_empty() || path.starts_with('[') || outer.is_empty() { "" } else { "." };
        *path = format!("{outer}{joint}{path}");
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { path, expected, found } = self;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "expected {expected}, found {found}")
    }
}
