//! Rewrites a JSON value compactly, as Confluent's REST proxy stores records without a schema.
//!
//! Whole numbers keep their digits (`-0` is `0`), others become Java doubles. Of a repeated member the last counts, in the
//! place of the first. Strings are escaped as little as possible, but characters outside the basic plane become two
//! escapes, as Jackson writes them.
//!
//! It builds no tree. It recurses, up to [`MAX_DEPTH`].

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;

use super::{JsonString, Number, Piece, Reader, Token, java_double};
use crate::JsonError;

/// Arrays and objects within one another; Jackson has the same bound.
const MAX_DEPTH: usize = 1000;

/// With more members than these, a hash set finds duplicates faster than comparing all pairs.
const FEW_MEMBERS: usize = 12;

/// Rewrites one JSON value and appends it to `out`.
///
/// # Errors
/// The text is not one JSON value, nests deeper than 1000 levels, or has a number that no double holds; `out` is then
/// as it was before.
pub fn rewrite(json: &[u8], out: &mut Vec<u8>) -> std::result::Result<(), JsonError> {
    let json_length = json.len();
    let json = Reader::new(json, MAX_DEPTH)?;
    let mut rewriter = Rewriter { json, out: String::with_capacity(json_length), members: Vec::new() };
    rewriter.value()?;
    let Rewriter { json, out: rewritten, .. } = rewriter;
    json.end()?;
    out.extend_from_slice(rewritten.as_bytes());
    Ok(())
}

struct Rewriter<'t> {
    json: Reader<'t>,
    out: String,
    /// A stack: names and whole members of the objects being written, as ranges of `out`.
    members: Vec<Member>,
}

struct Member {
    name: Range<usize>,
    end: usize,
}

type Result = std::result::Result<(), JsonError>;

impl Rewriter<'_> {
    fn value(&mut self) -> Result {
        match self.json.next_token()? {
            Token::Null => self.out.push_str("null"),
            Token::Bool(true) => self.out.push_str("true"),
            Token::Bool(false) => self.out.push_str("false"),
            Token::Number(number) => self.number(number)?,
            Token::String(text) => self.string(text),
            Token::Array => self.list()?,
            Token::Object => self.object()?,
        }
        Ok(())
    }

    fn object(&mut self) -> Result {
        let (start, base) = (self.out.len(), self.members.len());
        self.out.push('{');
        while let Some(name) = self.json.next_member()? {
            if self.members.len() > base {
                self.out.push(',');
            }
            let from = self.out.len();
            self.string(name);
            let name = from..self.out.len();
            self.out.push(':');
            self.value()?;
            self.members.push(Member { name, end: self.out.len() });
        }
        if self.has_duplicates(base) {
            self.keep_last_of_each(start, base);
        }
        self.out.push('}');
        self.members.truncate(base);
        Ok(())
    }

    fn has_duplicates(&self, base: usize) -> bool {
        let members = &self.members[base..];
        let name = |member: &Member| &self.out[member.name.clone()];
        if members.len() <= FEW_MEMBERS {
            let earlier = |index: usize, one| members[..index].iter().any(|other| name(other) == name(one));
            return members.iter().enumerate().any(|(index, one)| earlier(index, one));
        }
        let mut seen = HashSet::with_capacity(members.len());
        !members.iter().all(|member| seen.insert(name(member)))
    }

    /// Writes the object that began at `start` anew, each name once: where it first stood, with what it was given last.
    fn keep_last_of_each(&mut self, start: usize, base: usize) {
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

    fn list(&mut self) -> Result {
        self.out.push('[');
        let start = self.out.len();
        while self.json.next_element()? {
            if self.out.len() > start {
                self.out.push(',');
            }
            self.value()?;
        }
        self.out.push(']');
        Ok(())
    }

    fn string(&mut self, string: JsonString<'_>) {
        self.out.push('"');
        for piece in string.pieces() {
            match piece {
                Piece::Plain(text) => self.plain(text),
                Piece::Character(character) => self.character(character),
                Piece::LoneSurrogate(unit) => self.unit(unit),
            }
        }
        self.out.push('"');
    }

    /// What stands for itself where it is read; characters outside the basic plane do not where it is written.
    fn plain(&mut self, text: &str) {
        let outside = |character: char| character >= '\u{10000}';
        if text.bytes().all(|byte| byte < 0xf0) {
            return self.out.push_str(text);
        }
        for part in text.split_inclusive(outside) {
            let last = part.chars().next_back().filter(|last| outside(*last));
            self.out.push_str(&part[..part.len() - last.map_or(0, char::len_utf8)]);
            last.into_iter().for_each(|last| self.character(last));
        }
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
                character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| self.unit(*unit));
            }
            _ => self.out.push(character),
        }
    }

    fn unit(&mut self, unit: u16) {
        let _ = write!(self.out, "\\u{unit:04X}");
    }

    fn number(&mut self, number: Number<'_>) -> Result {
        if number.is_whole {
            self.out.push_str(if number.digits == "-0" { "0" } else { number.digits });
            return Ok(());
        }
        let value = number.as_f64();
        if value.is_infinite() {
            let shown = number.digits.chars().take(40).collect::<String>();
            return Err(JsonError::new("a number that a 64-bit float can hold", shown, None));
        }
        java_double(value, &mut self.out);
        Ok(())
    }
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
    fn nesting_has_an_end() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(rewritten(&nested(1000)), Ok(nested(1000)));
        let error = "expected at most 1000 levels of nesting, found a deeper value";
        assert_eq!(rewritten(&nested(1001)), Err(error.to_owned()));
        assert_eq!(rewritten(&"[".repeat(1_000_000)), Err(error.to_owned()));
    }
}
