//! A string of a JSON text: as it is written, and unescaped.

use std::borrow::Cow;

use crate::JsonError;

/// A string as it is written, without its quotation marks. The reader has checked its escapes.
#[derive(Clone, Copy, Debug)]
pub struct JsonString<'t> {
    pub(super) raw: &'t str,
    pub(super) has_escapes: bool,
}

/// A part of an unescaped string.
#[derive(Debug)]
pub enum Piece<'t> {
    /// Text without escapes.
    Plain(&'t str),
    /// What an escape stands for, or the two escapes of a surrogate pair.
    Character(char),
    /// Half of a surrogate pair. JSON can express it, UTF-8 cannot.
    LoneSurrogate(u16),
}

impl<'t> JsonString<'t> {
    /// The string's characters; a slice of the text where nothing is escaped.
    ///
    /// # Errors
    /// It holds half of a surrogate pair.
    #[inline(always)]
    pub fn unescaped(self) -> Result<Cow<'t, str>, JsonError> {
        if self.has_escapes { self.unescape_slow().map(Cow::Owned) } else { Ok(Cow::Borrowed(self.raw)) }
    }

    #[cold]
    fn unescape_slow(self) -> Result<String, JsonError> {
        let mut out = String::with_capacity(self.raw.len());
        for piece in self.pieces() {
            match piece {
                Piece::Plain(text) => out.push_str(text),
                Piece::Character(character) => out.push(character),
                Piece::LoneSurrogate(_) => {
                    return Err(JsonError::new("a string of whole characters", "half of a surrogate pair", None));
                }
            }
        }
        Ok(out)
    }

    /// The string's characters, where none is escaped.
    #[inline]
    pub fn without_escapes(self) -> Option<&'t str> {
        if self.has_escapes { None } else { Some(self.raw) }
    }

    /// The unescaped string, piece by piece, without allocating.
    pub fn pieces(self) -> impl Iterator<Item = Piece<'t>> {
        let mut rest = self.raw;
        std::iter::from_fn(move || {
            let (piece, length) = match rest.find('\\').unwrap_or(rest.len()) {
                0 if rest.is_empty() => return None,
                0 => escape(rest),
                at => (Piece::Plain(&rest[..at]), at),
            };
            rest = &rest[length..];
            Some(piece)
        })
    }
}

/// What the escape at the beginning of `text` stands for, and its bytes.
fn escape(text: &str) -> (Piece<'_>, usize) {
    let character = match text.as_bytes()[1] {
        b'u' => return unicode(text),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        letter => char::from(letter),
    };
    (Piece::Character(character), 2)
}

fn unicode(text: &str) -> (Piece<'_>, usize) {
    let first = unit(text);
    if let Some(character) = char::from_u32(first.into()) {
        return (Piece::Character(character), 6);
    }
    let second = text[6..].starts_with("\\u").then(|| unit(&text[6..]));
    match char::decode_utf16([first].into_iter().chain(second)).next() {
        Some(Ok(character)) => (Piece::Character(character), 12),
        _ => (Piece::LoneSurrogate(first), 6),
    }
}

/// The UTF-16 code unit of an escape.
fn unit(escape: &str) -> u16 {
    u16::from_str_radix(&escape[2..6], 16).expect("the reader has checked for four hexadecimal digits")
}
