//! A pull reader of JSON text, for callers who know what should come next.
//!
//! It builds no tree and converts nothing: numbers are handed out as their digits, strings as slices of the text where they
//! hold no escapes. Nesting is bounded by the caller. Errors name the place in the text.
//!
//! Source: RFC 8259.

use super::{JsonString, Number};
use crate::JsonError;

/// A value, or the beginning of one. After [`Token::Array`] call [`Reader::next_element`] before each element, after
/// [`Token::Object`] call [`Reader::next_member`] before each value.
#[derive(Clone, Copy, Debug)]
pub enum Token<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number or a fraction.
    Number(Number<'t>),
    /// A string, whole.
    String(JsonString<'t>),
    /// The beginning of an array.
    Array,
    /// The beginning of an object.
    Object,
}

/// Bounds on the characters of a number and the bytes of a member's name; Jackson, which Confluent reads with, has the same.
const MAX_NUMBER_LEN: usize = 1000;
const MAX_NAME_LEN: usize = 50_000;

/// An integer of so many digits always fits into an `i64`.
const MAX_EXACT_DIGITS: usize = 18;

/// Reads one text from its beginning to its end.
#[derive(Debug)]
pub struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    max_depth: usize,
    /// Whether an array or object has just been opened, so that no comma is due.
    just_opened: bool,
}

type Result<T> = std::result::Result<T, JsonError>;

impl<'t> Reader<'t> {
    /// Reads `json`, in which arrays and objects may nest `max_depth` deep.
    ///
    /// # Errors
    /// `json` is not UTF-8.
    #[inline]
    pub fn new(json: &'t [u8], max_depth: usize) -> Result<Reader<'t>> {
        let text = std::str::from_utf8(json).map_err(|error| {
            let at = error.valid_up_to();
            JsonError::syntax(format!("a byte that is not UTF-8 at byte {at}"), at)
        })?;
        Ok(Reader::over(text, max_depth))
    }

    /// Reads `text`, in which arrays and objects may nest `max_depth` deep.
    #[inline]
    pub fn over(text: &'t str, max_depth: usize) -> Reader<'t> {
        Reader { text, at: 0, depth: 0, max_depth, just_opened: false }
    }

    /// How many bytes of the text have been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next value, or its beginning.
    ///
    /// # Errors
    /// No value stands there, or it nests too deep, or is a number of more than 1000 characters.
    #[inline]
    pub fn next_token(&mut self) -> Result<Token<'t>> {
        self.skip_whitespace();
        match self.peek() {
            Some(b'"') => self.string().map(Token::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Number),
            Some(b'{') => self.open().map(|()| Token::Object),
            Some(b'[') => self.open().map(|()| Token::Array),
            _ => self.literal(),
        }
    }

    /// Whether the array has another element, which is then the next token.
    ///
    /// # Errors
    /// Neither a comma nor the end of the array stands there.
    #[inline]
    pub fn next_element(&mut self) -> Result<bool> {
        self.another(b']')
    }

    /// The name of the object's next member, whose value is then the next token. `None`: the object has ended.
    ///
    /// # Errors
    /// Neither a member nor the end of the object stands there, or its name has more than 50,000 bytes.
    #[inline]
    pub fn next_member(&mut self) -> Result<Option<JsonString<'t>>> {
        if !self.another(b'}')? {
            return Ok(None);
        }
        self.skip_whitespace();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let name = self.string()?;
        if name.raw.len() > MAX_NAME_LEN {
            return Err(JsonError::new(
                format!("a name of at most {MAX_NAME_LEN} bytes"),
                "a longer one",
                Some(self.at),
            ));
        }
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(Some(name))
    }

    /// Reads over the next value and gives its text, without the white space around it. The text is known to be valid JSON.
    ///
    /// # Errors
    /// As [`Reader::next_token`], for any part of it.
    pub fn skip_value(&mut self) -> Result<&'t str> {
        self.skip_whitespace();
        let start = self.at;
        match self.next_token()? {
            Token::Null | Token::Bool(_) | Token::Number(_) | Token::String(_) => {}
            Token::Array => {
                while self.next_element()? {
                    self.skip_value()?;
                }
            }
            Token::Object => {
                while self.next_member()?.is_some() {
                    self.skip_value()?;
                }
            }
        }
        Ok(&self.text[start..self.at])
    }

    /// Checks that nothing follows but white space.
    ///
    /// # Errors
    /// Something else does.
    #[inline]
    pub fn end(mut self) -> Result<()> {
        self.skip_whitespace();
        if self.at < self.text.len() { Err(self.unexpected()) } else { Ok(()) }
    }

    #[inline]
    fn open(&mut self) -> Result<()> {
        if self.depth == self.max_depth {
            return Err(too_deep(self.max_depth, self.at));
        }
        self.depth += 1;
        self.at += 1;
        self.just_opened = true;
        Ok(())
    }

    /// Whether another element or member follows, rather than the `end`.
    #[inline]
    fn another(&mut self, end: u8) -> Result<bool> {
        self.skip_whitespace();
        let just_opened = std::mem::take(&mut self.just_opened);
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !just_opened => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if just_opened => Ok(true),
            _ => Err(self.unexpected()),
        }
    }

    /// The string whose opening quotation mark is next.
    #[inline]
    fn string(&mut self) -> Result<JsonString<'t>> {
        let start = self.at + 1;
        self.at = start + unescaped_len(&self.text.as_bytes()[start..]);
        let has_escapes = self.peek() != Some(b'"');
        if has_escapes {
            self.rest_of_string()?;
        }
        self.at += 1;
        Ok(JsonString { raw: &self.text[start..self.at - 1], has_escapes })
    }

    /// Goes on to the quotation mark that ends the string.
    #[cold]
    fn rest_of_string(&mut self) -> Result<()> {
        loop {
            match self.peek() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.escape()?,
                Some(control) => return Err(self.control_character(control)),
                None => return Err(self.unexpected()),
            }
            self.at += unescaped_len(&self.text.as_bytes()[self.at..]);
        }
    }

    fn escape(&mut self) -> Result<()> {
        let rest = &self.text.as_bytes()[self.at + 1..];
        match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
            [b'u', digits @ ..] => match digits.get(..4) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                _ => return Err(self.syntax("\\u without four hexadecimal digits")),
            },
            _ => return Err(self.syntax("an escape that JSON does not have")),
        }
        Ok(())
    }

    /// The number whose first digit or sign is next.
    #[inline]
    fn number(&mut self) -> Result<Number<'t>> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.text[self.at..].starts_with("Infinity") {
                self.at = start;
                return Err(self.not_a_number("-Infinity"));
            }
        }
        let first = self.at;
        let value = self.digits()?;
        let whole = self.at;
        if whole - first > 1 && self.text.as_bytes()[first] == b'0' {
            self.at = start;
            return Err(self.syntax("a number with a leading zero"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        if self.at - first > MAX_NUMBER_LEN {
            return Err(JsonError::new(
                format!("a number of at most {MAX_NUMBER_LEN} characters"),
                "a longer one",
                Some(start),
            ));
        }
        let is_whole = self.at == whole;
        let exact = (is_whole && whole - first <= MAX_EXACT_DIGITS).then_some(value);
        let exact = exact.map(|value| if first > start { -value } else { value });
        Ok(Number { digits: &self.text[start..self.at], is_whole, exact })
    }

    /// One digit or more, and their value, which wraps around where they are too many.
    #[inline]
    fn digits(&mut self) -> Result<i64> {
        let rest = &self.text.as_bytes()[self.at..];
        let (mut count, mut value) = (0, 0_i64);
        while let Some(digit @ b'0'..=b'9') = rest.get(count) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            count += 1;
        }
        self.at += count;
        if count == 0 { Err(self.unexpected()) } else { Ok(value) }
    }

    fn literal(&mut self) -> Result<Token<'t>> {
        let word = self.word();
        let token = match word {
            "null" => Token::Null,
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            "NaN" | "Infinity" => return Err(self.not_a_number(word)),
            _ => return Err(self.unexpected()),
        };
        self.at += word.len();
        Ok(token)
    }

    /// The ASCII letters and digits that come next.
    fn word(&self) -> &'t str {
        let rest = &self.text[self.at..];
        &rest[..rest.bytes().take_while(u8::is_ascii_alphanumeric).count()]
    }

    #[inline]
    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What stands here, and what was probably meant by it.
    #[cold]
    fn unexpected(&self) -> JsonError {
        let Some(character) = self.text[self.at..].chars().next() else {
            return JsonError::syntax("a text that ends too early", self.at);
        };
        let error = self.syntax(&format!("{character:?}"));
        match character {
            '\'' => error.with_remedy("strings stand in double quotes: did you use str() where json.dumps() is meant?"),
            ']' | '}' if self.text[..self.at].trim_end().ends_with(',') => {
                error.with_remedy("there is no comma after the last element")
            }
            _ => match self.word() {
                word @ ("True" | "False") => error.with_remedy(format!("JSON writes {}", word.to_ascii_lowercase())),
                "None" | "nil" | "undefined" => error.with_remedy("JSON writes null"),
                word if word.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                    let word = word.chars().take(40).collect::<String>();
                    error.with_remedy(format!("a string stands in double quotes, such as \"{word}\""))
                }
                _ => error,
            },
        }
    }

    /// A line break and the like within a string.
    #[cold]
    fn control_character(&self, character: u8) -> JsonError {
        let escaped = match character {
            b'\n' => "\\n".to_owned(),
            b'\r' => "\\r".to_owned(),
            b'\t' => "\\t".to_owned(),
            other => format!("\\u{other:04x}"),
        };
        let found = format!("the control character U+{character:04X} within a string");
        self.syntax(&found).with_remedy(format!("there it stands as {escaped}"))
    }

    #[cold]
    fn syntax(&self, found: &str) -> JsonError {
        JsonError::syntax(format!("{found} at byte {}", self.at), self.at)
    }

    #[cold]
    fn not_a_number(&self, word: &str) -> JsonError {
        self.syntax(word).with_remedy("JSON has no such number; send null instead, under Avro with the type [\"null\", \"double\"], where other numbers are written {\"double\": 1.5}")
    }
}

/// Why `text` is not one JSON value, or why it nests deeper than `max_depth`. `None`: it is one.
pub fn find_syntax_error(text: &str, max_depth: usize) -> Option<JsonError> {
    let mut reader = Reader::over(text, max_depth);
    reader.skip_value().and_then(|_| reader.end()).err()
}

/// How many bytes at the beginning of `bytes` stand for themselves in a string: up to the first quotation mark, backslash
/// or control character. Eight at a time: in a word a byte below `n` borrows when `n` is subtracted from it.
#[inline]
fn unescaped_len(bytes: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x80 * EACH;
    let below = |word: u64, limit: u64| word.wrapping_sub(limit * EACH) & !word & TOPS;
    let mut words = bytes.chunks_exact(8);
    let mut length = 0;
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().expect("a word has eight bytes"));
        let ends =
            below(word ^ (u64::from(b'"') * EACH), 1) | below(word ^ (u64::from(b'\\') * EACH), 1) | below(word, 0x20);
        if ends != 0 {
            // Borrowing may mark bytes after the first that ends the run, never before it.
            return length + ends.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + words.remainder().iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

#[cold]
fn too_deep(max_depth: usize, at: usize) -> JsonError {
    JsonError::new(format!("at most {max_depth} levels of nesting"), "a deeper value", Some(at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the reader makes of a text, as a tree.
    fn tree(reader: &mut Reader<'_>) -> Result<serde_json::Value> {
        Ok(match reader.next_token()? {
            Token::Null => serde_json::Value::Null,
            Token::Bool(value) => value.into(),
            Token::Number(number) => serde_json::from_str(number.digits).expect("the digits of a number"),
            Token::String(text) => text.unescaped()?.into_owned().into(),
            Token::Array => {
                let mut items = Vec::new();
                while reader.next_element()? {
                    items.push(tree(reader)?);
                }
                items.into()
            }
            Token::Object => {
                let mut members = serde_json::Map::new();
                while let Some(name) = reader.next_member()? {
                    members.insert(name.unescaped()?.into_owned(), tree(reader)?);
                }
                members.into()
            }
        })
    }

    fn read(json: &[u8]) -> Result<serde_json::Value> {
        let mut reader = Reader::new(json, 100)?;
        let value = tree(&mut reader)?;
        reader.end().map(|()| value)
    }

    fn skipped(json: &[u8]) -> Result<()> {
        let mut reader = Reader::new(json, 100)?;
        reader.skip_value()?;
        reader.end()
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_filter("JSON has no others", |value| value.is_finite()).prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_another_writes_is_read_as_it_reads_it(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
            let text = text.expect("a tree can be written");
            prop_assert_eq!(read(&text), serde_json::from_slice(&text).map_err(|_| unreachable!("it was just written")));
            prop_assert_eq!(skipped(&text), Ok(()));
        }

        /// One byte changed: either both readers take it, for the same, or neither does.
        #[test]
        fn what_another_refuses_is_refused(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut text = serde_json::to_vec(&value).expect("a tree can be written");
            let at = at.index(text.len());
            text[at] = byte;
            match (read(&text), serde_json::from_slice::<serde_json::Value>(&text)) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
                (Err(_), Err(_)) => {}
                (ours, theirs) => prop_assert!(false, "{ours:?} and {theirs:?} of {}", String::from_utf8_lossy(&text)),
            }
            prop_assert_eq!(skipped(&text).is_ok(), read(&text).is_ok());
        }

        #[test]
        fn runs_end_where_a_look_at_each_byte_ends_them(bytes in prop::collection::vec(0_u8..0x80, 0..40)) {
            let one_by_one = bytes.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
            prop_assert_eq!(unescaped_len(&bytes), one_by_one);
        }
    }

    #[test]
    fn syntax_errors_say_where_and_what_was_meant() {
        let python = "; strings stand in double quotes: did you use str() where json.dumps() is meant?";
        let no_number = "; JSON has no such number; send null instead, under Avro with the type [\"null\", \"double\"], where other numbers are written {\"double\": 1.5}";
        for (json, error) in [
            ("", "a text that ends too early"),
            ("[1,2", "a text that ends too early"),
            ("1 2", "'2' at byte 2"),
            ("[1,]", "']' at byte 3; there is no comma after the last element"),
            ("[,1]", "',' at byte 1"),
            ("[1 2]", "'2' at byte 3"),
            ("{\"a\":1, }", "'}' at byte 8; there is no comma after the last element"),
            ("{a:1}", "'a' at byte 1; a string stands in double quotes, such as \"a\""),
            ("{\"a\" 1}", "'1' at byte 5"),
            ("[1}", "'}' at byte 2"),
            ("[NaN]", &format!("NaN at byte 1{no_number}")),
            ("-Infinity", &format!("-Infinity at byte 0{no_number}")),
            ("01", "a number with a leading zero at byte 0"),
            ("1.", "a text that ends too early"),
            ("+1", "'+' at byte 0"),
            ("cloudy", "'c' at byte 0; a string stands in double quotes, such as \"cloudy\""),
            ("[True]", "'T' at byte 1; JSON writes true"),
            ("[None]", "'N' at byte 1; JSON writes null"),
            ("\"\\x\"", "an escape that JSON does not have at byte 1"),
            ("\"\\", "an escape that JSON does not have at byte 1"),
            ("\"\\u12", "\\u without four hexadecimal digits at byte 1"),
            ("\"a\nb\"", "the control character U+000A within a string at byte 2; there it stands as \\n"),
            ("\"a", "a text that ends too early"),
            ("{'a': 1}", &format!("'\\'' at byte 1{python}")),
            ("['a']", &format!("'\\'' at byte 1{python}")),
        ] {
            let expected = format!("expected JSON, found {error}");
            assert_eq!(read(json.as_bytes()).map_err(|error| error.to_string()), Err(expected.clone()), "{json}");
            assert_eq!(skipped(json.as_bytes()).map_err(|error| error.to_string()), Err(expected), "{json}");
        }
        let error = read(b"[1, \"\xff\"]").expect_err("it is not UTF-8");
        assert_eq!(
            (error.to_string().as_str(), error.offset()),
            ("expected JSON, found a byte that is not UTF-8 at byte 5", Some(5))
        );
    }

    #[test]
    fn skipped_values_are_handed_out_as_they_are_written() {
        let text = " { \"a\" : [ 1 , {\"b\":null} ] ,\"c\":\"\\u0041\" , \"d\": -1.50e1 } ";
        let mut reader = Reader::over(text, 10);
        assert!(matches!(reader.next_token(), Ok(Token::Object)));
        let mut members = Vec::new();
        while let Some(name) = reader.next_member().expect("valid") {
            members.push((name.unescaped().expect("valid"), reader.skip_value().expect("valid")));
        }
        assert_eq!(reader.position(), text.len() - 1);
        reader.end().expect("nothing follows");
        let expected = [("a", "[ 1 , {\"b\":null} ]"), ("c", "\"\\u0041\""), ("d", "-1.50e1")];
        assert_eq!(members, expected.map(|(name, value)| (std::borrow::Cow::Borrowed(name), value)));
    }

    #[test]
    fn numbers_and_names_have_an_end() {
        for (text, what) in [
            ("7".repeat(1001), "a number of at most 1000 characters"),
            (format!("0.{}", "7".repeat(999)), "a number of at most 1000 characters"),
            (format!("{{\"{}\":1}}", "a".repeat(50_001)), "a name of at most 50000 bytes"),
        ] {
            let error = skipped(text.as_bytes()).expect_err(&text);
            assert_eq!((error.expected(), error.found()), (what, "a longer one"));
        }
        for text in [format!("-{}", "7".repeat(1000)), format!("{{\"{}\":1}}", "a".repeat(50_000))] {
            assert_eq!(skipped(text.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(skipped(nested(100).as_bytes()), Ok(()));
        assert_eq!(skipped(nested(101).as_bytes()), Err(too_deep(100, 100)));
        assert_eq!(skipped("[[],".repeat(1_000_000).as_bytes()), Err(too_deep(100, 397)));
    }
}
