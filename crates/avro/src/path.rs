//! The steps of which the path of a value in an error consists.

use postern_json_text::quote;

use crate::names;

/// A field or a union's branch as a step of a path: `name`, or `["x.y.Name"]` because of the dots.
#[cold]
pub(crate) fn member(name: &str) -> String {
    if names::is_valid(name, false) { name.to_owned() } else { key(name) }
}

/// A key of a map as a step of a path: `["a b"]`.
#[cold]
pub(crate) fn key(name: &str) -> String {
    let mut step = "[".to_owned();
    quote(name, &mut step);
    step + "]"
}

/// An element of an array as a step of a path: `[2]`.
#[cold]
pub(crate) fn element(position: usize) -> String {
    format!("[{position}]")
}
