//! URI references, resolved as RFC 3986 section 5.2 has it, but of any characters: names of references are free text.

/// `reference` without its fragment, as seen from `base`.
pub(super) fn resolve(base: &str, reference: &str) -> String {
    let reference = split(reference).0;
    if reference.is_empty() {
        return base.to_owned();
    }
    if scheme(reference).is_some() {
        return reference.to_owned();
    }
    let (scheme, hierarchy) = scheme(base).map_or(("", base), |end| base.split_at(end));
    if reference.starts_with("//") {
        return format!("{scheme}{reference}");
    }
    let (authority, path) = match hierarchy.strip_prefix("//") {
        Some(rest) => hierarchy.split_at(2 + rest.find(['/', '?']).unwrap_or(rest.len())),
        None => ("", hierarchy),
    };
    let path = path.split('?').next().unwrap_or_default();
    let path = match reference.as_bytes()[0] {
        b'?' => format!("{path}{reference}"),
        b'/' => without_dots(reference),
        _ if path.is_empty() && !authority.is_empty() => without_dots(&format!("/{reference}")),
        _ => without_dots(&format!("{}{reference}", &path[..path.rfind('/').map_or(0, |slash| slash + 1)])),
    };
    format!("{scheme}{authority}{path}")
}

/// What stands before the first `#` and what after it.
pub(super) fn split(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// A fragment with its `%` escapes resolved; as it is, where they make no text.
pub(super) fn decoded(fragment: &str) -> String {
    let bytes = fragment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| fragment.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| fragment.to_owned())
}

/// Where the scheme ends, its colon included.
fn scheme(uri: &str) -> Option<usize> {
    let colon = uri.find(':')?;
    let name = &uri[..colon];
    let letter = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let valid = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (letter && valid).then_some(colon + 1)
}

fn without_dots(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    if !path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return format!("{path}{query}");
    }
    let mut kept = Vec::new();
    let segments = path.split('/').collect::<Vec<_>>();
    for (position, segment) in segments.iter().enumerate() {
        let last = position + 1 == segments.len();
        match *segment {
            "." => kept.extend(last.then_some("")),
            ".." => {
                if kept.len() > usize::from(path.starts_with('/')) {
                    kept.pop();
                }
                kept.extend(last.then_some(""));
            }
            segment => kept.push(segment),
        }
    }
    format!("{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{decoded, resolve};

    #[test]
    fn references_are_seen_from_their_base() {
        for (base, reference, resolved) in [
            ("", "address.json", "address.json"),
            ("http://e.org/a/b.json", "address.json", "http://e.org/a/address.json"),
            ("http://e.org/a/b.json", "/c.json#x", "http://e.org/c.json"),
            ("http://e.org/a/b.json", "../c.json", "http://e.org/c.json"),
            ("http://e.org/a/b.json", "../../../c.json", "http://e.org/c.json"),
            ("http://e.org/a/b.json", "./", "http://e.org/a/"),
            ("http://e.org", "c.json", "http://e.org/c.json"),
            ("http://e.org/a?q=/x", "c.json", "http://e.org/c.json"),
            ("http://e.org/a", "?q", "http://e.org/a?q"),
            ("http://e.org/a", "//f.org/b", "http://f.org/b"),
            ("http://e.org/a", "urn:x:y", "urn:x:y"),
            ("http://e.org/a", "#/x", "http://e.org/a"),
            ("dir/a.json", "b.json", "dir/b.json"),
            ("dir/a.json", "a name: with anything", "dir/a name: with anything"),
        ] {
            assert_eq!(resolve(base, reference), resolved, "{base} {reference}");
        }
        assert_eq!(decoded("/a%20b/%zz/%C3%A9"), "/a b/%zz/é");
        assert_eq!(decoded("%ff"), "%ff");
    }
}
