//! How what belongs to a request is shown in lines of the log and in spans.

use std::fmt;

use hyper::Uri;

use crate::path;

/// Characters of a path in a span or a line of the log, and in the audit, where each name has to stand.
const PATH_SHOWN: usize = 200;
const AUDITED_PATH_SHOWN: usize = 2000;

/// The path without its query, which may hold secrets.
pub(super) fn shown_path(uri: &Uri) -> String {
    uri.path().chars().take(PATH_SHOWN).collect()
}

/// The path as it was routed: what is left out of it may be so long that nothing else would be shown.
pub(super) fn audited_path(uri: &Uri) -> String {
    path::clean(uri.path()).chars().take(AUDITED_PATH_SHOWN).collect()
}

/// A value, or a dash.
pub(super) struct Shown<T>(pub(super) Option<T>);

impl<T: fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}
