//! A pull reader of JSON text, for callers who know what should come next.
//!
//! It builds no tree and converts nothing: numbers are handed out as their digits, strings as slices of the text where they
//! hold no escapes. Nesting is bounded by the caller. Errors name the place in the text.
//!
//! Source: RFC 8259.

#[cfg(test)]
mod tests;

use super::number::{Decimal, MAX_DECIMAL_DIGITS, POWERS_OF_TEN};
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

    /// The next value where it is a number. `None`: it is none, and nothing but white space has been read.
    ///
    /// # Errors
    /// As [`Reader::next_token`], for a number.
    #[inline]
    pub fn next_number(&mut self) -> Result<Option<Number<'t>>> {
        self.skip_whitespace();
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number().map(Some),
            _ => Ok(None),
        }
    }

    /// The next value where it is a string. `None`: it is none, and nothing but white space has been read.
    ///
    /// # Errors
    /// As [`Reader::next_token`], for a string.
    #[inline]
    pub fn next_string(&mut self) -> Result<Option<JsonString<'t>>> {
        self.skip_whitespace();
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            _ => Ok(None),
        }
    }

    /// Whether the next value is an object, whose members come next then. Where it is none, nothing but white space has been read.
    ///
    /// # Errors
    /// It nests too deep.
    #[inline]
    pub fn next_object(&mut self) -> Result<bool> {
        self.skip_whitespace();
        match self.peek() {
            Some(b'{') => self.open().map(|()| true),
            _ => Ok(false),
        }
    }

    /// Whether the object goes on with this very text: a name in quotes and its colon. Its value is then the next token. Where not, nothing
    /// has been read, and [`Reader::next_member`] finds the same name written in another way, another name, or the end.
    #[inline]
    pub fn next_member_is(&mut self, name_and_colon: &[u8]) -> bool {
        let mut rest = &self.text.as_bytes()[self.at..];
        if !self.just_opened {
            let Some((b',', behind)) = rest.split_first() else { return false };
            rest = behind;
        }
        while let Some((b' ' | b'\n' | b'\t' | b'\r', behind)) = rest.split_first() {
            rest = behind;
        }
        let Some(behind) = rest.strip_prefix(name_and_colon) else { return false };
        self.at = self.text.len() - behind.len();
        self.just_opened = false;
        true
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
        let mut digits = self.digits(0)?;
        let whole = self.at;
        if whole - first > 1 && self.text.as_bytes()[first] == b'0' {
            self.at = start;
            return Err(self.syntax("a number with a leading zero"));
        }
        let mut places = 0;
        if self.peek() == Some(b'.') {
            self.at += 1;
            digits = self.digits(digits)?;
            places = self.at - whole - 1;
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits(0)?;
        }
        if self.at - first > MAX_NUMBER_LEN {
            return Err(JsonError::new(
                format!("a number of at most {MAX_NUMBER_LEN} characters"),
                "a longer one",
                Some(start),
            ));
        }
        let fits = !has_exponent && whole - first + places <= MAX_DECIMAL_DIGITS;
        Ok(Number {
            digits: &self.text[start..self.at],
            is_whole: self.at == whole,
            decimal: fits.then_some(Decimal { digits, places }),
        })
    }

    /// One digit or more. Returns the value of those `before` and these, which wraps around where they are too many.
    #[inline]
    fn digits(&mut self, before: u64) -> Result<u64> {
        let start = self.at;
        let mut value = before;
        let text = self.text.as_bytes();
        while let Some(word) = text[self.at..].first_chunk() {
            let (count, more) = leading_digits(*word);
            value = value.wrapping_mul(POWERS_OF_TEN[count]).wrapping_add(more);
            self.at += count;
            if count < word.len() {
                return if self.at == start { Err(self.unexpected()) } else { Ok(value) };
            }
        }
        while let Some(digit @ b'0'..=b'9') = text.get(self.at) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected()) } else { Ok(value) }
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

/// How many of these characters are digits, from the first on, and their value. All at once: neighbours are joined to numbers of two
/// digits, these to numbers of four, and these to one of eight.
#[inline]
fn leading_digits(characters: [u8; 8]) -> (usize, u64) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let values = u64::from_le_bytes(characters) ^ (u64::from(b'0') * EACH);
    // Ten and more reach the top bit of their byte. A carry goes to what stands behind, which does not count any more.
    let others = (values.wrapping_add(0x76 * EACH) | values) & (0x80 * EACH);
    let count = others.trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    // Zeros come in front in place of what is no digit.
    let values = values << (64 - 8 * count);
    let pairs = (values.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    (count, fours.wrapping_mul(10_000 << 32 | 1) >> 32)
}

#[cold]
fn too_deep(max_depth: usize, at: usize) -> JsonError {
    JsonError::new(format!("at most {max_depth} levels of nesting"), "a deeper value", Some(at))
}
