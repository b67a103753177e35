//! JSON text, read token by token by whoever knows what should stand there.
//!
//! No tree is built and nothing is guessed: numbers are handed out as their digits, strings as slices of the text where
//! they hold no escapes, and nesting has the bound that the caller sets. What is wrong with the text is said with its place.
//!
//! Source: RFC 8259.

use super::{JsonString, Number};
use crate::JsonError;

/// One value, or the beginning of one: after [`Token::List`] come its items, each announced by [`Reader::item`], after
/// [`Token::Object`] its members, each announced by [`Reader::member`].
#[derive(Debug)]
pub enum Token<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number or a fraction.
    Number(Number<'t>),
    /// A string, whole.
    String(JsonString<'t>),
    /// The beginning of a list.
    List,
    /// The beginning of an object.
    Object,
}

/// Digits of a number, and bytes of a member's name: about as many as the servers before us took.
const NUMBER_MAX: usize = 1000;
const NAME_MAX: usize = 50_000;

/// So many digits never make more than a long holds.
const DIGITS_OF_A_LONG: usize = 18;

/// Walks over one text.
pub struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    max_depth: usize,
    /// Whether a list or an object has just been opened, so that no comma is due.
    opened: bool,
}

type Read<T> = Result<T, JsonError>;

impl<'t> Reader<'t> {
    /// Over `json`, in which lists and objects may stand `max_depth` deep within one another.
    ///
    /// # Errors
    /// `json` is not UTF-8.
    #[inline]
    pub fn new(json: &'t [u8], max_depth: usize) -> Read<Reader<'t>> {
        let text =
            std::str::from_utf8(json).map_err(|error| not_json(error.valid_up_to(), "a byte that is not UTF-8"))?;
        Ok(Reader { text, at: 0, depth: 0, max_depth, opened: false })
    }

    /// The next value, or its beginning.
    ///
    /// # Errors
    /// No value stands there, or it nests too deep, or is a number of more than 1000 characters.
    #[inline]
    pub fn token(&mut self) -> Read<Token<'t>> {
        self.space();
        match self.peek() {
            Some(b'"') => self.string().map(Token::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Number),
            Some(b'{') => self.open().map(|()| Token::Object),
            Some(b'[') => self.open().map(|()| Token::List),
            _ => self.word(),
        }
    }

    /// Whether the list has another item, which is then the next token.
    ///
    /// # Errors
    /// Neither a comma nor the end of the list stands there.
    #[inline]
    pub fn item(&mut self) -> Read<bool> {
        self.another(b']')
    }

    /// The name of the object's next member, whose value is then the next token.
    ///
    /// # Errors
    /// Neither a member nor the end of the object stands there, or its name has more than 50,000 bytes.
    #[inline]
    pub fn member(&mut self) -> Read<Option<JsonString<'t>>> {
        if !self.another(b'}')? {
            return Ok(None);
        }
        self.space();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let name = self.string()?;
        if name.raw.len() > NAME_MAX {
            return Err(JsonError::new(format!("a name of at most {NAME_MAX} bytes"), "a longer one"));
        }
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(Some(name))
    }

    /// Reads over the next value.
    ///
    /// # Errors
    /// As [`Reader::token`], for any part of it.
    pub fn skip(&mut self) -> Read<()> {
        match self.token()? {
            Token::Null | Token::Bool(_) | Token::Number(_) | Token::String(_) => {}
            Token::List => {
                while self.item()? {
                    self.skip()?;
                }
            }
            Token::Object => {
                while self.member()?.is_some() {
                    self.skip()?;
                }
            }
        }
        Ok(())
    }

    /// Nothing may follow but white space.
    ///
    /// # Errors
    /// Something does.
    #[inline]
    pub fn end(mut self) -> Read<()> {
        self.space();
        if self.at < self.text.len() { Err(self.unexpected()) } else { Ok(()) }
    }

    #[inline]
    fn open(&mut self) -> Read<()> {
        if self.depth == self.max_depth {
            return Err(too_deep(self.max_depth));
        }
        self.depth += 1;
        self.at += 1;
        self.opened = true;
        Ok(())
    }

    #[inline]
    fn another(&mut self, end: u8) -> Read<bool> {
        self.space();
        let opened = std::mem::take(&mut self.opened);
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !opened => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if opened => Ok(true),
            _ => Err(self.unexpected()),
        }
    }

    /// A quotation mark has been seen.
    #[inline]
    fn string(&mut self) -> Read<JsonString<'t>> {
        let start = self.at + 1;
        self.at = start + plain(&self.text.as_bytes()[start..]);
        let has_escapes = self.peek() != Some(b'"');
        if has_escapes {
            self.rest_of_string()?;
        }
        self.at += 1;
        Ok(JsonString { raw: &self.text[start..self.at - 1], has_escapes })
    }

    /// Goes on to the quotation mark that ends the string.
    #[cold]
    fn rest_of_string(&mut self) -> Read<()> {
        loop {
            match self.peek() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.escape()?,
                _ => return Err(self.unexpected()),
            }
            self.at += plain(&self.text.as_bytes()[self.at..]);
        }
    }

    fn escape(&mut self) -> Read<()> {
        let rest = &self.text.as_bytes()[self.at + 1..];
        match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
            [b'u', digits @ ..] => match digits.get(..4) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                _ => return Err(not_json(self.at, "\\u without four hexadecimal digits")),
            },
            _ => return Err(not_json(self.at, "an escape that JSON does not have")),
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Read<Number<'t>> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.text[self.at..].starts_with("Infinity") {
                return Err(no_number(start, "-Infinity"));
            }
        }
        let first = self.at;
        let value = self.digits()?;
        let whole = self.at;
        if whole - first > 1 && self.text.as_bytes()[first] == b'0' {
            return Err(not_json(start, "a number with a leading zero"));
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
        if self.at - first > NUMBER_MAX {
            return Err(JsonError::new(format!("a number of at most {NUMBER_MAX} characters"), "a longer one"));
        }
        let is_whole = self.at == whole;
        let exact = (is_whole && whole - first <= DIGITS_OF_A_LONG).then_some(value);
        let exact = exact.map(|value| if first > start { -value } else { value });
        Ok(Number { digits: &self.text[start..self.at], is_whole, exact })
    }

    /// One digit or more, and what they are worth, if they are not too many for that.
    #[inline]
    fn digits(&mut self) -> Read<i64> {
        let rest = &self.text.as_bytes()[self.at..];
        let (mut count, mut value) = (0, 0_i64);
        while let Some(digit @ b'0'..=b'9') = rest.get(count) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            count += 1;
        }
        self.at += count;
        if count == 0 { Err(self.unexpected()) } else { Ok(value) }
    }

    fn word(&mut self) -> Read<Token<'t>> {
        let rest = &self.text[self.at..];
        let word = &rest[..rest.bytes().take_while(u8::is_ascii_alphanumeric).count()];
        let token = match word {
            "null" => Token::Null,
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            "NaN" | "Infinity" => return Err(no_number(self.at, word)),
            _ => return Err(self.unexpected()),
        };
        self.at += word.len();
        Ok(token)
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    fn unexpected(&self) -> JsonError {
        match self.text[self.at..].chars().next() {
            Some(character) => not_json(self.at, &format!("{character:?}")),
            None => JsonError::new("JSON", "a text that ends too early"),
        }
    }
}

/// How many bytes at the beginning of `bytes` stand for themselves in a string: up to the first quotation mark, backslash
/// or control character. Eight at a time: in a word a byte below `n` borrows when `n` is taken from it.
#[inline]
fn plain(bytes: &[u8]) -> usize {
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
fn not_json(at: usize, found: &str) -> JsonError {
    JsonError::new("JSON", format!("{found} at byte {at}"))
}

#[cold]
fn no_number(at: usize, word: &str) -> JsonError {
    JsonError::new("JSON", format!("{word} at byte {at}, which JSON does not have; send null instead"))
}

#[cold]
fn too_deep(max_depth: usize) -> JsonError {
    JsonError::new(format!("at most {max_depth} levels of nesting"), "a deeper value")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the reader makes of a text, as a tree.
    fn tree(reader: &mut Reader<'_>) -> Read<serde_json::Value> {
        Ok(match reader.token()? {
            Token::Null => serde_json::Value::Null,
            Token::Bool(value) => value.into(),
            Token::Number(number) => serde_json::from_str(number.digits).expect("the digits of a number"),
            Token::String(text) => text.unescaped()?.into_owned().into(),
            Token::List => {
                let mut items = Vec::new();
                while reader.item()? {
                    items.push(tree(reader)?);
                }
                items.into()
            }
            Token::Object => {
                let mut members = serde_json::Map::new();
                while let Some(name) = reader.member()? {
                    members.insert(name.unescaped()?.into_owned(), tree(reader)?);
                }
                members.into()
            }
        })
    }

    fn read(json: &[u8]) -> Read<serde_json::Value> {
        let mut reader = Reader::new(json, 100)?;
        let value = tree(&mut reader)?;
        reader.end().map(|()| value)
    }

    fn skipped(json: &[u8]) -> Read<()> {
        let mut reader = Reader::new(json, 100)?;
        reader.skip()?;
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
            prop_assert_eq!(plain(&bytes), one_by_one);
        }
    }

    #[test]
    fn what_is_no_json_is_named() {
        for (json, error) in [
            ("", "a text that ends too early"),
            ("[1,2", "a text that ends too early"),
            ("1 2", "'2' at byte 2"),
            ("[1,]", "']' at byte 3"),
            ("[,1]", "',' at byte 1"),
            ("[1 2]", "'2' at byte 3"),
            ("{\"a\":1,}", "'}' at byte 7"),
            ("{a:1}", "'a' at byte 1"),
            ("{\"a\" 1}", "'1' at byte 5"),
            ("[1}", "'}' at byte 2"),
            ("[NaN]", "NaN at byte 1, which JSON does not have; send null instead"),
            ("-Infinity", "-Infinity at byte 0, which JSON does not have; send null instead"),
            ("01", "a number with a leading zero at byte 0"),
            ("1.", "a text that ends too early"),
            ("+1", "'+' at byte 0"),
            ("truex", "'t' at byte 0"),
            ("\"\\x\"", "an escape that JSON does not have at byte 1"),
            ("\"\\", "an escape that JSON does not have at byte 1"),
            ("\"\\u12", "\\u without four hexadecimal digits at byte 1"),
            ("\"a\nb\"", "'\\n' at byte 2"),
            ("\"a", "a text that ends too early"),
        ] {
            let expected = JsonError::new("JSON", error);
            assert_eq!(read(json.as_bytes()), Err(expected.clone()), "{json}");
            assert_eq!(skipped(json.as_bytes()), Err(expected), "{json}");
        }
        assert_eq!(read(b"\"\xff\""), Err(not_json(1, "a byte that is not UTF-8")));
    }

    #[test]
    fn numbers_and_names_have_an_end() {
        for (text, what) in [
            ("7".repeat(1001), "a number of at most 1000 characters"),
            (format!("0.{}", "7".repeat(999)), "a number of at most 1000 characters"),
            (format!("{{\"{}\":1}}", "a".repeat(50_001)), "a name of at most 50000 bytes"),
        ] {
            assert_eq!(skipped(text.as_bytes()), Err(JsonError::new(what, "a longer one")));
        }
        for text in [format!("-{}", "7".repeat(1000)), format!("{{\"{}\":1}}", "a".repeat(50_000))] {
            assert_eq!(skipped(text.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(skipped(nested(100).as_bytes()), Ok(()));
        assert_eq!(skipped(nested(101).as_bytes()), Err(too_deep(100)));
        assert_eq!(skipped("[[],".repeat(1_000_000).as_bytes()), Err(too_deep(100)));
    }
}
