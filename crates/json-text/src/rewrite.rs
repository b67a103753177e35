//! Rewrites a JSON value compactly, as Confluent's REST proxy stores records without a schema.
//!
//! Whole numbers keep their digits (`-0` is `0`), others become Java doubles. Of a repeated member the last counts, in the
//! place of the first. Strings are escaped as little as possible, but characters outside the basic plane become two
//! escapes, as Jackson writes them.
//!
//! It builds no tree. It recurses, up to [`MAX_DEPTH`].

use super::{JsonString, Number, Piece, Reader, Token, write_f64};
use crate::JsonError;
use crate::members::Members;
use crate::write::{write_character, write_unit};

/// Arrays and objects within one another; Jackson has the same bound.
const MAX_DEPTH: usize = 1000;

/// Rewrites one JSON value and appends it to `out`.
///
/// # Errors
/// The text is not one JSON value, nests deeper than 1000 levels, or has a number that no double holds; `out` is then
/// as it was before.
pub fn rewrite(json: &[u8], out: &mut Vec<u8>) -> std::result::Result<(), JsonError> {
    rewritten(json, TooLarge::Refused, out, |json| json.end())
}

/// Rewrites the first JSON value of a text that somebody else wrote, and appends it to `out`. What follows the value is ignored, as
/// Jackson ignores it, and a number that no double holds keeps its digits.
///
/// # Errors
/// The text does not begin with a JSON value, is not UTF-8, or nests deeper than 1000 levels; `out` is then as it was before.
pub fn rewrite_first(json: &[u8], out: &mut Vec<u8>) -> std::result::Result<(), JsonError> {
    rewritten(json, TooLarge::Kept, out, |_| Ok(()))
}

fn rewritten(json: &[u8], too_large: TooLarge, out: &mut Vec<u8>, end: fn(Reader<'_>) -> Result) -> Result {
    let start = out.len();
    out.reserve(json.len());
    // Told once for the whole text: most have none of these.
    let is_basic = json.iter().fold(0, |most, byte| most.max(*byte)) < FOUR_BYTES;
    let json = Reader::new(json, MAX_DEPTH)?;
    let mut rewriter = Rewriter { json, is_basic, too_large, out, members: Members::default() };
    let written = rewriter.value();
    let Rewriter { json, out, .. } = rewriter;
    let written = written.and_then(|()| end(json));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// The first byte of a character outside the basic plane is this or more, and no other byte of UTF-8 is.
const FOUR_BYTES: u8 = 0xf0;

/// What becomes of a number that no double holds.
#[derive(Clone, Copy)]
enum TooLarge {
    Refused,
    Kept,
}

struct Rewriter<'t, 'o> {
    json: Reader<'t>,
    /// No character of the text is outside the basic plane, unless it is escaped.
    is_basic: bool,
    too_large: TooLarge,
    out: &'o mut Vec<u8>,
    members: Members,
}

type Result = std::result::Result<(), JsonError>;

impl Rewriter<'_, '_> {
    fn value(&mut self) -> Result {
        match self.json.next_token()? {
            Token::Null => self.out.extend_from_slice(b"null"),
            Token::Bool(true) => self.out.extend_from_slice(b"true"),
            Token::Bool(false) => self.out.extend_from_slice(b"false"),
            Token::Number(number) => self.number(number)?,
            Token::String(text) => self.string(text),
            Token::Array => self.list()?,
            Token::Object => self.object()?,
        }
        Ok(())
    }

    fn object(&mut self) -> Result {
        let base = self.members.open();
        self.out.push(b'{');
        let start = self.out.len();
        while let Some(name) = self.json.next_member()? {
            if self.out.len() > start {
                self.out.push(b',');
            }
            let from = self.out.len();
            self.string(name);
            let name = from..self.out.len();
            self.out.push(b':');
            self.value()?;
            self.members.push(name, self.out);
        }
        self.members.close(base, self.out);
        self.out.push(b'}');
        Ok(())
    }

    fn list(&mut self) -> Result {
        self.out.push(b'[');
        let start = self.out.len();
        while self.json.next_element()? {
            if self.out.len() > start {
                self.out.push(b',');
            }
            self.value()?;
        }
        self.out.push(b']');
        Ok(())
    }

    #[inline]
    fn string(&mut self, string: JsonString<'_>) {
        self.out.push(b'"');
        match string.without_escapes() {
            Some(text) => self.plain(text),
            None => self.unescape(string),
        }
        self.out.push(b'"');
    }

    #[cold]
    fn unescape(&mut self, string: JsonString<'_>) {
        for piece in string.pieces() {
            match piece {
                Piece::Plain(text) => self.plain(text),
                Piece::Character(character) => write_character(character, self.out),
                Piece::LoneSurrogate(unit) => write_unit(unit, self.out),
            }
        }
    }

    /// What stands for itself where it is read; characters outside the basic plane do not where it is written.
    #[inline]
    fn plain(&mut self, text: &str) {
        match self.is_basic {
            true => self.out.extend_from_slice(text.as_bytes()),
            false => self.with_escapes(text),
        }
    }

    #[cold]
    fn with_escapes(&mut self, text: &str) {
        let outside = |character: char| character >= '\u{10000}';
        for part in text.split_inclusive(outside) {
            let last = part.chars().next_back().filter(|last| outside(*last));
            self.out.extend_from_slice(&part.as_bytes()[..part.len() - last.map_or(0, char::len_utf8)]);
            last.into_iter().for_each(|last| write_character(last, self.out));
        }
    }

    fn number(&mut self, number: Number<'_>) -> Result {
        if number.is_whole {
            let digits = if number.digits == "-0" { "0" } else { number.digits };
            self.out.extend_from_slice(digits.as_bytes());
            return Ok(());
        }
        if number.is_as_java_prints() {
            self.out.extend_from_slice(number.digits.as_bytes());
            return Ok(());
        }
        let value = number.as_f64();
        match self.too_large {
            _ if value.is_finite() => write_f64(value, self.out),
            TooLarge::Kept => self.out.extend_from_slice(number.digits.as_bytes()),
            TooLarge::Refused => {
                let shown = number.digits.chars().take(40).collect::<String>();
                return Err(JsonError::new("a number that a 64-bit float can hold", shown, None));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{rewrite, rewrite_first};
    use crate::java_double;

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
            // Names that differ only in the middle.
            (
                r#"{"temperature_1_of_sensor":1,"temperature_2_of_sensor":2,"temperature_1_of_sensor":3}"#,
                r#"{"temperature_1_of_sensor":3,"temperature_2_of_sensor":2}"#,
            ),
            (r#"{"a":{"x":1,"x":2},"\u0061":[{"y":1,"y":2}],"b":0}"#, r#"{"a":[{"y":2}],"b":0}"#),
            (r#""\u0041\/\n\u00e9""#, r#""A/\né""#),
            (r#""\u001f\u0000\"\\""#, r#""\u001F\u0000\"\\""#),
            ("\"😀\"", r#""\uD83D\uDE00""#),
            (r#""\ud83d\ude00""#, r#""\uD83D\uDE00""#),
            (r#""\ud800""#, r#""\uD800""#),
            (r#""\udc00x""#, r#""\uDC00x""#),
            (r#""\ud800\u0041""#, r#""\uD800A""#),
            (r#""\ud800\ud83d\ude00""#, r#""\uD800\uD83D\uDE00""#),
            ("\"a😀日😀😀\"", r#""a\uD83D\uDE00日\uD83D\uDE00\uD83D\uDE00""#),
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

    /// Of all lengths, with the point everywhere, and around the bounds: copied or not, they are what Java prints.
    #[test]
    fn numbers_are_written_as_java_prints_them() {
        let mut digits = 1_u64;
        for round in 0..20_000_usize {
            digits = digits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = round % 18 + 1;
            let text = match round % 5 {
                0 => format!("{:0<length$}", 1),
                1 => "9".repeat(length),
                _ => format!("{digits:019}")[..length].to_owned(),
            };
            let text = text.trim_start_matches('0');
            let at = (round / 18) % 18;
            let number = match text.len().checked_sub(at) {
                Some(0) | None => format!("0.{:0<1}", format!("{text:0>at$}")),
                Some(whole) => format!("{}.{:0<1}", &text[..whole], &text[whole..]),
            };
            for number in [number.clone(), format!("-{number}")] {
                let mut printed = String::new();
                java_double(number.parse().expect("a number"), &mut printed);
                assert_eq!(rewritten(&number), Ok(printed), "{number}");
            }
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for (json, error) in [
            ("[1,]", "expected JSON, found ']' at byte 3; there is no comma after the last element"),
            ("1 2", "expected JSON, found '2' at byte 2"),
            ("1e999", "expected a number that a 64-bit float can hold, found 1e999"),
        ] {
            assert_eq!(rewritten(json), Err(error.to_owned()), "{json}");
        }
    }

    #[test]
    fn of_what_others_wrote_the_first_value_counts() {
        let first = |json: &[u8]| {
            let mut out = b"kept".to_vec();
            let result = rewrite_first(json, &mut out).map_err(|error| error.to_string());
            result.map(|()| String::from_utf8(out).expect("only text is written"))
        };
        assert_eq!(first(b" {\"a\" : 1.50} {]").as_deref(), Ok("kept{\"a\":1.5}"));
        assert_eq!(first(b"[1e999, -1e999]").as_deref(), Ok("kept[1e999,-1e999]"));
        for bad in [&b""[..], b" ", b"{\"a\":", b"[1,]", b"\xff", b"nul"] {
            let mut out = b"kept".to_vec();
            assert!(rewrite_first(bad, &mut out).is_err(), "{bad:?}");
            assert_eq!(out, b"kept");
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
