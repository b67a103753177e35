//! Rewrites a JSON value compactly, the way the servers before us stored schemaless records.
//!
//! Whole numbers keep their digits (`-0` is `0`), others become Java doubles; of a repeated member the last counts, in
//! the place of the first; strings are escaped as little as possible, but characters outside the basic plane are two
//! escapes, as those servers wrote them.
//!
//! This is a tokenizer of its own, not a visitor: the libraries' readers turn numbers into doubles before anyone can
//! see their digits, or recurse without a limit over text they only skip. It makes no tree: text goes in, text comes out.
//! It recurses, up to [`MAX_DEPTH`].

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use crate::EncodeError;
use crate::json::java_double;

/// Lists and objects within one another; as deep as the servers before us went.
const MAX_DEPTH: usize = 1000;

/// Digits of a number and characters of a member's name: as many as the servers before us took.
const NUMBER_MAX: usize = 1000;
const NAME_MAX: usize = 50_000;

/// With this many members in an object, comparing all with all is slower than a table.
const FEW_MEMBERS: usize = 12;

/// Rewrites one JSON value and appends it to `out`.
///
/// # Errors
/// The text is not one JSON value, nests deeper than 1000 levels, or has a number that no double holds; `out` is then
/// as it was before.
pub fn rewrite(json: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let text = std::str::from_utf8(json).map_err(|error| not_json(error.valid_up_to(), "a byte that is not UTF-8"))?;
    let mut rewriter = Rewriter { text, at: 0, out: String::with_capacity(text.len()), members: Vec::new() };
    rewriter.value(0)?;
    rewriter.space();
    if rewriter.at < text.len() {
        return Err(rewriter.unexpected());
    }
    out.extend_from_slice(rewriter.out.as_bytes());
    Ok(())
}

struct Rewriter<'t> {
    text: &'t str,
    at: usize,
    out: String,
    /// A stack: names and whole members of the objects being written, as ranges of `out`.
    members: Vec<Member>,
}

struct Member {
    name: Range<usize>,
    end: usize,
}

type Done = Result<(), EncodeError>;

impl Rewriter<'_> {
    fn value(&mut self, depth: usize) -> Done {
        self.space();
        match self.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => {
                Err(EncodeError::new(String::new(), format!("at most {MAX_DEPTH} levels of nesting"), "a deeper value"))
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Done {
        let (start, base) = (self.out.len(), self.members.len());
        self.at += 1;
        self.out.push('{');
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.out.push('}');
            return Ok(());
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let name = self.out.len();
            self.string()?;
            let name = name..self.out.len();
            bounded(&self.out[name.start + 1..name.end - 1], NAME_MAX, "a name")?;
            self.space();
            self.expect(b':')?;
            self.out.push(':');
            self.value(depth)?;
            self.members.push(Member { name, end: self.out.len() });
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.out.push(',');
                }
                Some(b'}') => break,
                _ => return Err(self.unexpected()),
            }
        }
        self.at += 1;
        if self.repeats(base) {
            self.last_of_each(start, base);
        }
        self.out.push('}');
        self.members.truncate(base);
        Ok(())
    }

    fn repeats(&self, base: usize) -> bool {
        let members = &self.members[base..];
        let name = |member: &Member| &self.out[member.name.clone()];
        if members.len() <= FEW_MEMBERS {
            let earlier = |index: usize, one| members[..index].iter().any(|other| name(other) == name(one));
            return members.iter().enumerate().any(|(index, one)| earlier(index, one));
        }
        let mut seen = std::collections::HashSet::with_capacity(members.len());
        !members.iter().all(|member| seen.insert(name(member)))
    }

    /// Writes the object that began at `start` anew, each name once: where it first stood, with what it was given last.
    fn last_of_each(&mut self, start: usize, base: usize) {
        let members = &self.members[base..];
        let mut places = HashMap::with_capacity(members.len());
        let mut kept = Vec::<&Member>::with_capacity(members.len());
        for member in members {
            let place = *places.entry(&self.out[member.name.clone()]).or_insert(kept.len());
            match kept.get_mut(place) {
                Some(earlier) => *earlier = member,
                None => kept.push(member),
            }
        }
        let texts = kept.iter().map(|member| &self.out[member.name.start..member.end]).collect::<Vec<_>>();
        let packed = texts.join(",");
        self.out.truncate(start + 1);
        self.out.push_str(&packed);
    }

    fn list(&mut self, depth: usize) -> Done {
        self.at += 1;
        self.out.push('[');
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            self.out.push(']');
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.out.push(',');
                }
                Some(b']') => {
                    self.at += 1;
                    self.out.push(']');
                    return Ok(());
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn string(&mut self) -> Done {
        self.at += 1;
        self.out.push('"');
        loop {
            // What needs no second look is copied in one piece.
            let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20 | 0xf0..);
            let run = self.text.as_bytes()[self.at..].iter().take_while(|byte| plain(byte)).count();
            self.out.push_str(&self.text[self.at..self.at + run]);
            self.at += run;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    self.out.push('"');
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0xf0..) => {
                    let character = self.text[self.at..].chars().next().unwrap_or_default();
                    self.at += character.len_utf8();
                    self.character(character);
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn escape(&mut self) -> Done {
        let start = self.at;
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        let character = match letter {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(start),
            _ => return Err(not_json(start, "an escape that JSON does not have")),
        };
        self.character(character);
        Ok(())
    }

    /// `\u` has been read; two of them may make one character. Half a pair is none, but JSON has a way to say it: it stays an escape.
    fn unicode(&mut self, start: usize) -> Done {
        let mut unit = self.four_digits(start)?;
        if (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with("\\u") {
            let second = self.at;
            self.at += 2;
            match self.four_digits(start)? {
                low @ 0xdc00..0xe000 => unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00),
                _ => self.at = second, // no half of this one: it is read for itself
            }
        }
        match char::from_u32(unit) {
            Some(character) => self.character(character),
            None => {
                let _ = write!(self.out, "\\u{unit:04X}");
            }
        }
        Ok(())
    }

    fn four_digits(&mut self, start: usize) -> Result<u32, EncodeError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        self.at += 4;
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        unit.ok_or_else(|| not_json(start, "\\u without four hexadecimal digits"))
    }

    fn character(&mut self, character: char) {
        match character {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\u{8}' => self.out.push_str("\\b"),
            '\t' => self.out.push_str("\\t"),
            '\n' => self.out.push_str("\\n"),
            '\u{c}' => self.out.push_str("\\f"),
            '\r' => self.out.push_str("\\r"),
            '\0'..='\u{1f}' | '\u{10000}'.. => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(self.out, "\\u{unit:04X}");
                }
            }
            _ => self.out.push(character),
        }
    }

    fn number(&mut self) -> Done {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let minus = self.at > start;
        if minus && self.text[self.at..].starts_with("Infinity") {
            return Err(no_number(start, "-Infinity"));
        }
        let leading_zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && leading_zero {
            return Err(not_json(start, "a number with a leading zero"));
        }
        let whole = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let digits = &self.text[start..self.at];
        bounded(&digits[usize::from(minus)..], NUMBER_MAX, "a number")?;
        if self.at == whole {
            self.out.push_str(if digits == "-0" { "0" } else { digits });
            return Ok(());
        }
        match digits.parse::<f64>() {
            Ok(value) if value.is_finite() => java_double(value, &mut self.out),
            _ => {
                let shown = digits.chars().take(40).collect::<String>();
                return Err(EncodeError::new(String::new(), "a number that a 64-bit float can hold", shown));
            }
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<usize, EncodeError> {
        let count = self.text.as_bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.unexpected()) } else { Ok(count) }
    }

    fn word(&mut self) -> Done {
        let rest = &self.text[self.at..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        match &rest[..letters] {
            word @ ("true" | "false" | "null") => {
                self.out.push_str(word);
                self.at += letters;
                Ok(())
            }
            word @ ("NaN" | "Infinity") => Err(no_number(self.at, word)),
            _ => Err(self.unexpected()),
        }
    }

    fn expect(&mut self, byte: u8) -> Done {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn space(&mut self) {
        let bytes = &self.text.as_bytes()[self.at..];
        self.at += bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    fn unexpected(&self) -> EncodeError {
        match self.text[self.at..].chars().next() {
            Some(character) => not_json(self.at, &format!("{character:?}")),
            None => EncodeError::new(String::new(), "JSON", "a text that ends too early"),
        }
    }
}

fn bounded(text: &str, max: usize, what: &str) -> Done {
    match text.len() <= max || text.chars().count() <= max {
        true => Ok(()),
        false => Err(EncodeError::new(String::new(), format!("{what} of at most {max} characters"), "a longer one")),
    }
}

#[cold]
fn not_json(at: usize, found: &str) -> EncodeError {
    EncodeError::new(String::new(), "JSON", format!("{found} at byte {at}"))
}

#[cold]
fn no_number(at: usize, word: &str) -> EncodeError {
    EncodeError::new(String::new(), "JSON", format!("{word} at byte {at}, which JSON does not have; send null instead"))
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    fn rewritten(json: &str) -> Result<String, String> {
        let mut out = b"kept".to_vec();
        let result = rewrite(json.as_bytes(), &mut out).map_err(|error| error.to_string());
        let text = String::from_utf8(out).expect("only text is written");
        let text = text.strip_prefix("kept").expect("what was there stays").to_owned();
        assert!(result.is_ok() || text.is_empty(), "nothing is written on error");
        result.map(|()| text)
    }

    #[test]
    fn values_come_out_compact() {
        for (json, out) in [
            (r#" { "a" : 1 , "b" : [ true , false , null ] } "#, r#"{"a":1,"b":[true,false,null]}"#),
            ("[ ]", "[]"),
            ("{ }", "{}"),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#"{"a":{"x":1,"x":2},"\u0061":[{"y":1,"y":2}],"b":0}"#, r#"{"a":[{"y":2}],"b":0}"#),
            (r#""\u0041\/\n\u00e9""#, r#""A/\né""#),
            (r#""\u001f\u0000\"\\""#, r#""\u001F\u0000\"\\""#),
            ("\"😀\"", r#""\uD83D\uDE00""#),
            (r#""\ud83d\ude00""#, r#""\uD83D\uDE00""#),
            (r#""\ud800""#, r#""\uD800""#),
            (r#""\udc00x""#, r#""\uDC00x""#),
            (r#""\ud800\u0041""#, r#""\uD800A""#),
            (r#""\ud800\ud83d\ude00""#, r#""\uD800\uD83D\uDE00""#),
            ("\"日本語 \u{2028}\"", "\"日本語 \u{2028}\""),
            ("-0", "0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            (
                "[1.10,1.0,0.1,1e2,1E10,1e-7,123456789.125,-0.0,3.141592653589793238]",
                "[1.1,1.0,0.1,100.0,1.0E10,1.0E-7,1.23456789125E8,-0.0,3.141592653589793]",
            ),
        ] {
            assert_eq!(rewritten(json).as_deref(), Ok(out), "{json}");
        }
    }

    #[test]
    fn many_members_are_told_apart_as_few_are() {
        let members = |upto: usize| (0..upto).map(|n| format!("\"m{n}\":{n}")).collect::<Vec<_>>().join(",");
        let json = format!("{{{},\"m7\":\"last\"}}", members(40));
        let out = format!("{{{}}}", members(40).replace("\"m7\":7,", "\"m7\":\"last\","));
        assert_eq!(rewritten(&json), Ok(out));
    }

    #[test]
    fn what_is_no_json_is_named() {
        for (json, error) in [
            ("", "expected JSON, found a text that ends too early"),
            ("[1,2", "expected JSON, found a text that ends too early"),
            ("1 2", "expected JSON, found '2' at byte 2"),
            ("[1,]", "expected JSON, found ']' at byte 3"),
            ("{\"a\":1,}", "expected JSON, found '}' at byte 7"),
            ("{a:1}", "expected JSON, found 'a' at byte 1"),
            ("[NaN]", "expected JSON, found NaN at byte 1, which JSON does not have; send null instead"),
            ("-Infinity", "expected JSON, found -Infinity at byte 0, which JSON does not have; send null instead"),
            ("01", "expected JSON, found a number with a leading zero at byte 0"),
            ("1.", "expected JSON, found a text that ends too early"),
            ("+1", "expected JSON, found '+' at byte 0"),
            ("truex", "expected JSON, found 't' at byte 0"),
            ("\"\\x\"", "expected JSON, found an escape that JSON does not have at byte 1"),
            ("\"\\ud800\\u00\"", "expected JSON, found \\u without four hexadecimal digits at byte 1"),
            ("\"a\nb\"", "expected JSON, found '\\n' at byte 2"),
            ("1e999", "expected a number that a 64-bit float can hold, found 1e999"),
        ] {
            assert_eq!(rewritten(json), Err(error.to_owned()), "{json}");
        }
        let mut out = Vec::new();
        let error = rewrite(b"\"\xff\"", &mut out).expect_err("not UTF-8");
        assert_eq!(error.to_string(), "expected JSON, found a byte that is not UTF-8 at byte 1");
    }

    #[test]
    fn numbers_and_names_have_an_end() {
        for (what, text, error) in [
            ("digits", "7".repeat(1001), "expected a number of at most 1000 characters, found a longer one"),
            (
                "places",
                format!("0.{}", "7".repeat(999)),
                "expected a number of at most 1000 characters, found a longer one",
            ),
            (
                "a name",
                format!("{{\"{}\":1}}", "ä".repeat(50_001)),
                "expected a name of at most 50000 characters, found a longer one",
            ),
        ] {
            assert_eq!(rewritten(&text), Err(error.to_owned()), "{what}");
        }
        for text in [format!("-{}", "7".repeat(1000)), format!("{{\"{}\":1}}", "ä".repeat(50_000))] {
            assert_eq!(rewritten(&text).as_deref(), Ok(&*text));
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(rewritten(&nested(1000)), Ok(nested(1000)));
        let error = "expected at most 1000 levels of nesting, found a deeper value";
        assert_eq!(rewritten(&nested(1001)), Err(error.to_owned()));
        assert_eq!(rewritten(&"[".repeat(1_000_000)), Err(error.to_owned()));
    }
}
