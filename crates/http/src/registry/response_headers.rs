//! What every response of the registry has: `Vary` (docs/reference/schema-registry.md §1).

use hyper::header::{HeaderMap, HeaderValue, VARY};

/// Adds it to a response.
pub(crate) fn add_response_headers(answer: &mut HeaderMap) {
    answer.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
}
