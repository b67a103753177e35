//! Paths as clients write them: joined carelessly, with parameters, encoded.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The first segments of the paths of the REST proxy and of the registry.
pub(crate) const REST_PATHS: &[&str] = &["/topics", "/brokers", "/consumers", "/v3/clusters", "/admin/v1/clusters"];
pub(crate) const REGISTRY_PATHS: &[&str] =
    &["/subjects", "/schemas", "/compatibility", "/config", "/mode", "/contexts", "/associations", "/v1/metadata"];

/// Whether a path is one of the REST proxy's operations, and not the registry's or of a page.
pub(crate) fn is_of_rest_proxy(path: &str) -> bool {
    is_below(path, REST_PATHS)
}

/// Whether a path begins with one of `begins`.
pub(crate) fn is_below(path: &str, begins: &[&str]) -> bool {
    begins.iter().any(|begin| path.strip_prefix(begin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Allowed in a path segment (RFC 3986 §3.3), except for `;` and `%`, which have a meaning of their own.
#[rustfmt::skip]
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'!').remove(b'$').remove(b'&').remove(b'\'')
    .remove(b'(').remove(b')').remove(b'*').remove(b'+').remove(b',').remove(b'=').remove(b':').remove(b'@');

/// The path that is routed: empty segments and a slash at the end are dropped (clients join URLs carelessly), and so are parameters after a
/// `;` in a segment (RFC 3986 §3.3 leaves them to the server, and Confluent ignores them). Nothing is decoded; `.` and `..` are plain names.
pub(crate) fn clean(path: &str) -> Cow<'_, str> {
    let mut clean = without_empty(path);
    if let Some(kind) = kind_of_configs(&clean) {
        clean.to_mut().replace_range(kind, BROKER);
    }
    clean
}

/// The only kind in `/v3/clusters/{cluster}/{kind}-configs`.
const BROKER: &str = "broker";

/// Where a path has that kind in another case of letters, which makes no difference (docs/reference/rest-v3.md §5.2).
fn kind_of_configs(path: &str) -> Option<Range<usize>> {
    const CLUSTERS: &str = "/v3/clusters/";
    let start = CLUSTERS.len() + path.strip_prefix(CLUSTERS)?.find('/')? + 1;
    let kind = start..start + BROKER.len();
    let found = path.get(kind.clone())?;
    let is_other = found != BROKER && found.eq_ignore_ascii_case(BROKER) && path[kind.end..].starts_with("-configs");
    is_other.then_some(kind)
}

fn without_empty(path: &str) -> Cow<'_, str> {
    let careless =
        path.contains("//") || path.contains(';') || (path.len() > 1 && path.ends_with('/')) || path.is_empty();
    if !careless {
        return Cow::Borrowed(path);
    }
    let mut clean = String::with_capacity(path.len());
    for segment in path.split('/') {
        let segment = segment.split(';').next().unwrap_or_default();
        if !segment.is_empty() {
            clean.push('/');
            clean.push_str(segment);
        }
    }
    if clean.is_empty() {
        clean.push('/');
    }
    Cow::Owned(clean)
}

/// One segment, decoded once; `%2F` becomes a slash inside of it. Invalid UTF-8 becomes U+FFFD, which no name contains.
pub(crate) fn decode(segment: &str) -> Cow<'_, str> {
    percent_decode_str(segment).decode_utf8_lossy()
}

/// A name, encoded as one segment of a path.
pub(crate) fn segment(name: &str) -> impl Display {
    utf8_percent_encode(name, SEGMENT)
}

/// A decimal number in a path; `007` and `+7` are accepted. `None`: not such a number, which is a 404 everywhere.
pub(crate) fn number<T: std::str::FromStr>(segment: &str) -> Option<T> {
    segment.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn careless_paths_are_cleaned() {
        for (path, expected) in [
            ("/topics", "/topics"),
            ("/topics/", "/topics"),
            ("//v3//clusters", "/v3/clusters"),
            ("/v3/clusters/C//Broker-configs/Name", "/v3/clusters/C/broker-configs/Name"),
            ("/v3/clusters/C/BROKER-configs:alter", "/v3/clusters/C/broker-configs:alter"),
            ("/v3/clusters/C/Brokers", "/v3/clusters/C/Brokers"),
            ("/v3/clusters/C/topics/BROKER-configs", "/v3/clusters/C/topics/BROKER-configs"),
            ("/v3/clusters/C/tö", "/v3/clusters/C/tö"),
            ("/topics/a;v=1/partitions;x", "/topics/a/partitions"),
            ("/", "/"),
            ("//", "/"),
            ("", "/"),
            ("/a/../b", "/a/../b"),
            ("/a%2F%2Fb", "/a%2F%2Fb"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(decode("a%2Fb%252F+"), "a/b%2F+");
        assert_eq!(segment("a/b c;ü%:x").to_string(), "a%2Fb%20c%3B%C3%BC%25:x");
        assert_eq!(number::<i32>("+7"), Some(7));
        assert_eq!(number::<i32>("007"), Some(7));
        assert_eq!(number::<i32>("2147483648"), None);
        assert_eq!(number::<i32>("1.0"), None);
    }
}
