//! The text of a `.proto` file cut into words, numbers, string literals and signs.
//!
//! Source: Protocol Buffers Language Specification, "Lexical elements".

use super::model::StringLiteral;
use postern_schema_core::CompileError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    Word(&'t str),
    /// Begins with a digit; whether it is a valid number is checked by the parser.
    Number(&'t str),
    Text(StringLiteral),
    Sign(char),
    End,
}

impl Token<'_> {
    /// For error messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Token::Word(word) | Token::Number(word) => format!("`{}`", cut(word)),
            Token::Text(text) => format!("the text \"{}\"", cut(&text.escaped)),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end of the text".to_owned(),
        }
    }
}

pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Lexer<'t> {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Lexer { text, at }
    }

    /// The next token and where it begins.
    pub(super) fn next(&mut self) -> Result<(usize, Token<'t>), CompileError> {
        self.skip()?;
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok((start, Token::End)) };
        let second = self.rest().as_bytes().get(1);
        let token = match first {
            'a'..='z' | 'A'..='Z' | '_' => Token::Word(self.take(|byte| byte.is_ascii_alphanumeric() || byte == b'_')),
            '0'..='9' => self.number(),
            '.' if second.is_some_and(u8::is_ascii_digit) => self.number(),
            '"' | '\'' => Token::Text(self.literal()?),
            _ => {
                self.at += first.len_utf8();
                Token::Sign(first)
            }
        };
        Ok((start, token))
    }

    /// Line and column, as an editor counts them.
    pub(super) fn place(&self, at: usize) -> String {
        let before = &self.text[..at];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("line {line}, column {column}")
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn take(&mut self, belongs: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !belongs(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn number(&mut self) -> Token<'t> {
        let rest = self.rest();
        let hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
        let mut exponent = false;
        let length = rest.bytes().position(|byte| {
            let signed = exponent && matches!(byte, b'+' | b'-');
            exponent = !hexadecimal && matches!(byte, b'e' | b'E');
            !(signed || byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
        });
        let length = length.unwrap_or(rest.len());
        self.at += length;
        Token::Number(&rest[..length])
    }

    fn skip(&mut self) -> Result<(), CompileError> {
        loop {
            self.take(|byte| byte.is_ascii_whitespace() || byte == b'\x0b');
            if self.rest().starts_with("//") {
                self.take(|byte| byte != b'\n');
            } else if let Some(inside) = self.rest().strip_prefix("/*") {
                let Some(length) = inside.find("*/") else {
                    return Err(CompileError::new(
                        self.place(self.at),
                        "the end of the comment: */",
                        "the end of the text",
                    ));
                };
                self.at += length + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn literal(&mut self) -> Result<StringLiteral, CompileError> {
        let start = self.at;
        let mut text = StringLiteral::default();
        let mut characters = self.rest().char_indices();
        let quote = characters.next().map_or('"', |(_, quote)| quote);
        let fault = |expected: &str, found: String| Err(CompileError::new(self.place(start), expected, found));
        loop {
            match characters.next() {
                Some((at, character)) if character == quote => {
                    self.at += at + quote.len_utf8();
                    return Ok(text);
                }
                Some((_, '\\')) => {
                    let Some((_, escape)) = characters.next() else {
                        return fault("the end of the string", "the end of the text".to_owned());
                    };
                    let (radix, digits_max, mut digits) = match escape {
                        'x' | 'X' => (16, 2, String::new()),
                        'u' => (16, 4, String::new()),
                        'U' => (16, 8, String::new()),
                        '0'..='7' => (8, 3, escape.to_string()),
                        _ => match named_escape(escape) {
                            Some(character) => {
                                text.push(character);
                                continue;
                            }
                            None => return fault("an escape like \\n", format!("`\\{escape}`")),
                        },
                    };
                    while digits.len() < digits_max {
                        match characters.clone().next() {
                            Some((_, digit)) if digit.is_digit(radix) => digits.push(digit),
                            _ => break,
                        }
                        characters.next();
                    }
                    let code = u32::from_str_radix(&digits, radix).ok();
                    let character = code.and_then(char::from_u32);
                    match (code, character) {
                        (Some(byte), _) if matches!(escape, 'x' | 'X' | '0'..='7') => match u8::try_from(byte) {
                            Ok(byte) => text.push_byte(byte),
                            Err(_) => return fault("a byte", format!("`\\{digits}`")),
                        },
                        (_, Some(character)) => text.push(character),
                        (_, None) => return fault("digits after the escape", format!("`\\{escape}`")),
                    }
                }
                Some((_, '\n')) => return fault("the end of the string on its line", "the end of the line".to_owned()),
                Some((_, character)) => text.push(character),
                None => return fault("the end of the string", "the end of the text".to_owned()),
            }
        }
    }
}

impl StringLiteral {
    pub(super) fn new(plain: &str) -> StringLiteral {
        let mut text = StringLiteral::default();
        plain.chars().for_each(|character| text.push(character));
        text
    }

    fn push(&mut self, character: char) {
        self.plain.push(character);
        let escape = match character {
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\u{b}' => "\\v",
            '\u{c}' => "\\f",
            '\r' => "\\r",
            '"' => "\\\"",
            '\'' => "\\'",
            '\\' => "\\\\",
            '\0'..='\u{1f}' | '\u{7f}' => return self.octal(character as u32),
            _ => return self.escaped.push(character),
        };
        self.escaped.push_str(escape);
    }

    /// A byte written as a number. Beyond ASCII it is no character, and must be written as a number again.
    pub(super) fn push_byte(&mut self, byte: u8) {
        if byte.is_ascii() {
            self.push(byte.into());
        } else {
            self.plain.push(byte.into());
            self.octal(byte.into());
        }
    }

    fn octal(&mut self, code: u32) {
        self.escaped.push_str(&format!("\\{code:03o}"));
    }

    pub(super) fn append(&mut self, other: &StringLiteral) {
        self.plain.push_str(&other.plain);
        self.escaped.push_str(&other.escaped);
    }
}

fn named_escape(escape: char) -> Option<char> {
    Some(match escape {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '\'' | '"' | '?' => escape,
        _ => return None,
    })
}

/// So much of `text` as fits a message.
pub(super) fn cut(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
