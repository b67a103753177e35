//! Java properties files: the grammar of `java.util.Properties.load`.
//!
//! Text is taken as UTF-8, which files are in practice; Java reads ISO 8859-1, so that beyond ASCII it needs `\u` with four digits, which is read, too.

use std::{iter::Peekable, str::Chars};

/// What ends a key, and may stand before it.
const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// Its entries, in their order; of repeated keys the last one holds.
///
/// # Errors
/// The number of the line with a `\u` that four hexadecimal digits do not follow.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut entries = Vec::new();
    let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r')).enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start_matches(BLANKS);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = line.to_owned();
        while ends_in_escape(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(BLANKS));
        }
        let mut rest = logical.chars().peekable();
        let broken = |()| number + 1;
        let key = unescape(&mut rest, |next| BLANKS.contains(&next) || next == '=' || next == ':').map_err(broken)?;
        skip_blanks(&mut rest);
        if rest.next_if(|next| matches!(next, '=' | ':')).is_some() {
            skip_blanks(&mut rest);
        }
        let value = unescape(&mut rest, |_| false).map_err(broken)?;
        entries.push((key, value));
    }
    Ok(entries)
}

/// Whether a line ends in an odd number of backslashes, and so goes on in the next.
fn ends_in_escape(line: &str) -> bool {
    line.chars().rev().take_while(|last| *last == '\\').count() % 2 == 1
}

fn skip_blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|next| BLANKS.contains(next)).is_some() {}
}

/// The text up to a character at which it `ends`, with its escapes replaced.
fn unescape(rest: &mut Peekable<Chars<'_>>, ends: fn(char) -> bool) -> Result<String, ()> {
    let mut text = String::new();
    while let Some(next) = rest.next_if(|next| !ends(*next)) {
        if next != '\\' {
            text.push(next);
            continue;
        }
        match rest.next() {
            Some('t') => text.push('\t'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('f') => text.push('\u{c}'),
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                let is_hexadecimal = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| is_hexadecimal).ok_or(())?;
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => text.push(other),
            None => {}
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_that_of_java() {
        for (text, key, value) in [
            ("a=b", "a", "b"),
            ("  a : b ", "a", "b "),
            ("a b=c", "a", "b=c"),
            ("a\\ b\\=c = d", "a b=c", "d"),
            ("a = one \\\n   two\\\\", "a", "one two\\"),
            ("a=\\u0041\\t\\q", "a", "A\tq"),
            ("a", "a", ""),
            ("a==b", "a", "=b"),
            ("a=b\r", "a", "b"),
            ("a=x\\", "a", "x"),
            ("a=grün", "a", "grün"),
        ] {
            assert_eq!(parse(text), Ok(vec![(key.to_owned(), value.to_owned())]), "{text:?}");
        }
        assert_eq!(parse("\n# a=1 \\\n! b=2\n"), Ok(Vec::new()));
        assert_eq!(parse("a=1\nb=\\u00"), Err(2));
        assert_eq!(parse("b=\\u+041"), Err(1));
        assert_eq!(parse("a=1\na=2").map(|entries| entries.len()), Ok(2));
    }
}
