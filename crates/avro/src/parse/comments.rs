//! Comments in a schema text: `/* ... */` and `// ...`, as in Java.

use std::borrow::Cow;

/// The text with spaces in place of comments, so that positions in it stay the same.
pub(super) fn without(text: &str) -> Cow<'_, str> {
    if !(text.contains("//") || text.contains("/*")) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let length = match from.as_bytes() {
            [b'"', ..] => text_length(from),
            [b'/', b'/', ..] => from.find('\n').unwrap_or(from.len()),
            [b'/', b'*', ..] => from[2..].find("*/").map_or(1, |end| end + 4),
            _ => 1,
        };
        let (token, after) = from.split_at(length);
        let is_comment = token.starts_with('/') && length > 1;
        plain.extend(token.chars().map(|c| if is_comment && c != '\n' { ' ' } else { c }));
        rest = after;
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Length of the JSON text literal that `from` begins with; all of it when the literal does not end.
fn text_length(from: &str) -> usize {
    let mut escaped = false;
    let end = from.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(from.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn comments_go_and_texts_stay() {
        for (text, plain) in [
            ("\"int\"", "\"int\""),
            ("// a\n\"int\"", "    \n\"int\""),
            ("/* a\n */\"int\"//", "    \n   \"int\"  "),
            (r#"{"doc":"a // b /* \" */ \\"}/**/"#, r#"{"doc":"a // b /* \" */ \\"}    "#),
            ("\"/*", "\"/*"),
            ("/* \"int\"", "/* \"int\""),
            ("/\"int\"//", "/\"int\"  "),
            ("/*é*/1", "     1"),
        ] {
            assert_eq!(without(text), plain, "{text}");
        }
    }
}
