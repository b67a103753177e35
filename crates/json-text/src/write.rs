//! Writing JSON into bytes as Jackson does: strings with few escapes, integers, doubles as Java prints them. Nothing is allocated
//! but room in the output.

use std::fmt::Write as _;

use crate::double;

/// Appends `text` as a JSON string. Only quotes, backslashes and control characters are escaped, and characters outside the basic
/// plane, which become two escapes (`docs/reference/rest-v2.md §3.3`).
#[inline]
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    if !write_plain(text.as_bytes(), out) {
        write_pieces(text, out);
    }
}

/// The same for bytes that should be UTF-8. What is not becomes U+FFFD, as where Java reads strings.
#[inline]
pub fn write_utf8(bytes: &[u8], out: &mut Vec<u8>) {
    if !write_plain(bytes, out) {
        write_pieces(&String::from_utf8_lossy(bytes), out);
    }
}

/// Appends a string of characters that stand for themselves; false, and nothing is appended, if there are others.
#[inline]
fn write_plain(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let is_plain = plain_len(bytes) == bytes.len();
    if is_plain {
        out.reserve(bytes.len() + 2);
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
    }
    is_plain
}

/// Appends a JSON string of one character per byte, U+0000 to U+00FF.
#[inline]
pub fn write_latin1(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = bytes;
    loop {
        let (plain, other) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = other.split_first() else { break };
        write_character(char::from(*byte), out);
        rest = after;
    }
    out.push(b'"');
}

/// Appends an integer.
#[inline]
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The same without a sign.
#[inline]
pub fn write_u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a double as Java prints it. What is no number stands in quotes, as JSON has no other way to say it: `"NaN"`.
#[inline]
pub fn write_f64(value: f64, out: &mut Vec<u8>) {
    write_float(value, double::append_f64, out);
}

/// The same for a float in its own, fewer digits.
#[inline]
pub fn write_f32(value: f32, out: &mut Vec<u8>) {
    write_float(value, double::append_f32, out);
}

fn write_float<T: Into<f64> + Copy>(value: T, append: fn(T, &mut Vec<u8>), out: &mut Vec<u8>) {
    if value.into().is_finite() {
        return append(value, out);
    }
    out.push(b'"');
    append(value, out);
    out.push(b'"');
}

/// Appends a string whose characters have to be looked at one by one.
fn write_pieces(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(length) = rest.bytes().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\' | 0xf0..)) {
        out.extend_from_slice(&rest.as_bytes()[..length]);
        let character = rest[length..].chars().next().expect("a byte was found there, and it begins a character");
        write_character(character, out);
        rest = &rest[length + character.len_utf8()..];
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Appends one character, escaped if it has to be.
pub(crate) fn write_character(character: char, out: &mut Vec<u8>) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\0'..='\u{1f}' | '\u{10000}'.. => {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| write_unit(*unit, out));
        }
        _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Appends the escape of a UTF-16 code unit.
pub(crate) fn write_unit(unit: u16, out: &mut Vec<u8>) {
    let mut escape = String::with_capacity(6);
    let _ = write!(escape, "\\u{unit:04X}");
    out.extend_from_slice(escape.as_bytes());
}

/// How many bytes at the beginning are ASCII and stand for themselves in a string.
#[inline]
fn plain_len(bytes: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x80 * EACH;
    let below = |word: u64, limit: u64| word.wrapping_sub(limit * EACH) & !word & TOPS;
    let mut words = bytes.chunks_exact(8);
    let mut length = 0;
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().expect("a word has eight bytes"));
        let ends = below(word ^ (u64::from(b'"') * EACH), 1)
            | below(word ^ (u64::from(b'\\') * EACH), 1)
            | below(word, 0x20)
            | word & TOPS;
        if ends != 0 {
            // Borrowing may mark bytes after the first that ends the run, never before it.
            return length + ends.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    let is_plain = |byte: &&u8| !matches!(byte, 0..0x20 | b'"' | b'\\' | 0x80..);
    length + words.remainder().iter().take_while(is_plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn few_characters_are_escaped() {
        for (text, json) in [
            ("", r#""""#),
            ("plain and longer than a word", r#""plain and longer than a word""#),
            ("\"\\/\u{8}\t\n\u{c}\r\u{0}\u{1f}\u{7f}", "\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001F\u{7f}\""),
            ("é日\u{2028}", "\"é日\u{2028}\""),
            ("a😀b", r#""a\uD83D\uDE00b""#),
        ] {
            assert_eq!(written(|out| write_string(text, out)), json);
        }
        assert_eq!(written(|out| write_utf8(b"a\xff\xc3", out)), "\"a\u{fffd}\u{fffd}\"");
        assert_eq!(written(|out| write_latin1(b"a\"\x01\x80\xff", out)), "\"a\\\"\\u0001\u{80}ÿ\"");
        assert_eq!(written(|out| write_f64(f64::NAN, out)), "\"NaN\"");
        assert_eq!(written(|out| write_f32(f32::NEG_INFINITY, out)), "\"-Infinity\"");
        assert_eq!(written(|out| write_f32(1.1, out)), "1.1");
    }

    proptest! {
        #[test]
        fn strings_are_read_back(text: String, bytes: Vec<u8>) {
            let read = |json: String| serde_json::from_str::<String>(&json);
            prop_assert_eq!(read(written(|out| write_string(&text, out)))?, text);
            let latin1 = bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
            prop_assert_eq!(read(written(|out| write_latin1(&bytes, out)))?, latin1);
        }
    }
}
