//! The documents of a stream, found as the body comes: where each begins and ends.
//!
//! A document is one JSON value; white space between two is not needed. Only brackets and quotation marks are looked at here, each byte once;
//! whether a document is JSON is for its reader to say. The text is UTF-8, UTF-16 or UTF-32, told apart by its first bytes
//! (docs/reference/rest-v3.md §11.1).

use bytes::{Bytes, BytesMut};

/// Splits what is pushed into documents.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    decoder: Decoder,
    /// What was not handed out yet, as UTF-8 if the body is text at all.
    text: BytesMut,
    /// How much of `text` was looked at.
    at: usize,
    state: State,
}

/// Where in a document the last byte that was looked at is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between documents.
    #[default]
    Between,
    /// In so many arrays and objects; at 0 in a string that is a document itself.
    Nested { depth: usize, in_string: bool, is_escaped: bool },
    /// In a number or a literal that is a document itself.
    Scalar,
}

/// What cannot be split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotDocuments {
    /// This character stands between two documents.
    Between(char),
    /// The text is not valid in its encoding.
    Encoding(&'static str),
}

impl Splitter {
    /// Adds a piece of the body.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), NotDocuments> {
        self.decoder.decode(piece, &mut self.text).map_err(NotDocuments::Encoding)
    }

    /// The next whole document, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, NotDocuments> {
        if self.state == State::Between {
            let blank = self.text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
            let _ = self.text.split_to(blank);
            self.at = 0;
        }
        loop {
            self.skip_plain();
            let Some(&byte) = self.text.get(self.at) else { return Ok(None) };
            let (state, has_ended) = match (self.state, byte) {
                (State::Between, b'{' | b'[') => {
                    (State::Nested { depth: 1, in_string: false, is_escaped: false }, false)
                }
                (State::Between, b'"') => (State::Nested { depth: 0, in_string: true, is_escaped: false }, false),
                (State::Between, b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') => {
                    (State::Scalar, false)
                }
                (State::Between, _) => return Err(NotDocuments::Between(self.character())),
                (State::Scalar, b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_') => {
                    (State::Scalar, false)
                }
                (State::Scalar, _) => {
                    self.state = State::Between;
                    return Ok(Some(self.take()));
                }
                (State::Nested { depth, in_string: true, is_escaped }, byte) => {
                    let in_string = is_escaped || byte != b'"';
                    let is_escaped = !is_escaped && byte == b'\\';
                    (State::Nested { depth, in_string, is_escaped }, depth == 0 && !in_string)
                }
                (State::Nested { depth, in_string: false, .. }, byte) => {
                    let depth = match byte {
                        b'{' | b'[' => depth + 1,
                        b'}' | b']' => depth - 1,
                        _ => depth,
                    };
                    (State::Nested { depth, in_string: byte == b'"', is_escaped: false }, depth == 0)
                }
            };
            self.at += 1;
            self.state = state;
            if has_ended {
                self.state = State::Between;
                return Ok(Some(self.take()));
            }
        }
    }

    /// Goes past what changes nothing where it stands, which is most of a document.
    fn skip_plain(&mut self) {
        let State::Nested { in_string, is_escaped: false, .. } = self.state else { return };
        let rest = &self.text[self.at..];
        let plain = match in_string {
            true => rest.iter().position(|byte| matches!(byte, b'"' | b'\\')),
            false => rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']')),
        };
        self.at += plain.unwrap_or(rest.len());
    }

    /// What is left at the end of the body: a document that has no end of its own, or one that was cut off.
    pub(super) fn rest(&mut self) -> Result<Option<Bytes>, NotDocuments> {
        self.decoder.finish(&mut self.text).map_err(NotDocuments::Encoding)?;
        match self.next()? {
            Some(document) => Ok(Some(document)),
            None if self.text.is_empty() => Ok(None),
            None => {
                self.at = self.text.len();
                self.state = State::Between;
                Ok(Some(self.take()))
            }
        }
    }

    /// Bytes that wait for the end of their document.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The document that ends before the next byte.
    fn take(&mut self) -> Bytes {
        let document = self.text.split_to(std::mem::take(&mut self.at));
        document.freeze()
    }

    /// The character at which the text is.
    fn character(&self) -> char {
        let rest = self.text.get(self.at..self.text.len().min(self.at + 4)).unwrap_or_default();
        String::from_utf8_lossy(rest).chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

/// Brings a body to UTF-8, piece by piece.
#[derive(Debug, Default)]
struct Decoder {
    encoding: Option<Encoding>,
    /// Bytes that do not make a character yet, at most 4.
    carry: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16 { is_big_endian: bool },
    Utf32 { is_big_endian: bool },
}

impl Decoder {
    fn decode(&mut self, piece: &[u8], out: &mut BytesMut) -> Result<(), &'static str> {
        let encoding = match self.encoding {
            Some(Encoding::Utf8) => {
                out.extend_from_slice(piece);
                return Ok(());
            }
            Some(encoding) => {
                self.carry.extend_from_slice(piece);
                encoding
            }
            None => {
                self.carry.extend_from_slice(piece);
                let Some((encoding, mark)) = detect(&self.carry) else { return Ok(()) };
                self.encoding = Some(encoding);
                self.carry.drain(..mark);
                encoding
            }
        };
        self.carried(encoding, out)
    }

    /// What is left of a body that has ended.
    fn finish(&mut self, out: &mut BytesMut) -> Result<(), &'static str> {
        let encoding = match self.encoding {
            Some(encoding) => encoding,
            // A body of less than four bytes.
            None => *self.encoding.insert(match *self.carry {
                [0, ..] => Encoding::Utf16 { is_big_endian: true },
                [_, 0, ..] => Encoding::Utf16 { is_big_endian: false },
                _ => Encoding::Utf8,
            }),
        };
        self.carried(encoding, out)?;
        if self.carry.is_empty() { Ok(()) } else { Err(encoding.name()) }
    }

    fn carried(&mut self, encoding: Encoding, out: &mut BytesMut) -> Result<(), &'static str> {
        let mut buf = [0; 4];
        let mut used = 0;
        match encoding {
            Encoding::Utf8 => {
                out.extend_from_slice(&self.carry);
                used = self.carry.len();
            }
            Encoding::Utf16 { is_big_endian } => {
                let unit = |pair: &[u8]| match (is_big_endian, pair) {
                    (true, [high, low]) | (false, [low, high]) => u16::from_be_bytes([*high, *low]),
                    (_, _) => 0,
                };
                while let Some(pair) = self.carry.get(used..used + 2) {
                    let first = unit(pair);
                    let is_pair = (0xD800..0xDC00).contains(&first);
                    let second = self.carry.get(used + 2..used + 4).map(unit);
                    if is_pair && second.is_none() {
                        break;
                    }
                    let units = [first, second.unwrap_or_default()];
                    let units = &units[..if is_pair { 2 } else { 1 }];
                    let character = char::decode_utf16(units.iter().copied()).next().and_then(Result::ok);
                    out.extend_from_slice(character.ok_or("UTF-16")?.encode_utf8(&mut buf).as_bytes());
                    used += 2 * units.len();
                }
            }
            Encoding::Utf32 { is_big_endian } => {
                while let Some(four) = self.carry.get(used..used + 4).and_then(|four| <[u8; 4]>::try_from(four).ok()) {
                    let value = if is_big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
                    let character = char::from_u32(value).ok_or("UTF-32")?;
                    out.extend_from_slice(character.encode_utf8(&mut buf).as_bytes());
                    used += 4;
                }
            }
        }
        self.carry.drain(..used);
        Ok(())
    }
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf16 { .. } => "UTF-16",
            Encoding::Utf32 { .. } => "UTF-32",
        }
    }
}

/// The encoding of a text that begins so, and the bytes of its byte order mark. `None`: more of it is needed. JSON begins with an ASCII
/// character, so two bytes nearly always suffice.
fn detect(start: &[u8]) -> Option<(Encoding, usize)> {
    let utf16 = |is_big_endian| Encoding::Utf16 { is_big_endian };
    let utf32 = |is_big_endian| Encoding::Utf32 { is_big_endian };
    match *start {
        [] | [_] => None,
        [0xEF, 0xBB] | [0 | 0xFE | 0xFF, _] | [0 | 0xFE | 0xFF, _, _] | [_, 0] | [_, 0, _] => None,
        [0xEF, 0xBB, 0xBF, ..] => Some((Encoding::Utf8, 3)),
        [0, 0, 0xFE, 0xFF, ..] => Some((utf32(true), 4)),
        [0xFF, 0xFE, 0, 0, ..] => Some((utf32(false), 4)),
        [0xFE, 0xFF, ..] => Some((utf16(true), 2)),
        [0xFF, 0xFE, ..] => Some((utf16(false), 2)),
        [0, 0, 0, ..] => Some((utf32(true), 0)),
        [_, 0, 0, 0, ..] => Some((utf32(false), 0)),
        [0, ..] => Some((utf16(true), 0)),
        [_, 0, ..] => Some((utf16(false), 0)),
        [_, _, ..] => Some((Encoding::Utf8, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documents of `body`, which comes in pieces of `size` bytes.
    fn split(body: &[u8], size: usize) -> Result<Vec<String>, NotDocuments> {
        let mut splitter = Splitter::default();
        let mut documents = Vec::new();
        let mut keep = |document: Bytes| documents.push(String::from_utf8_lossy(&document).into_owned());
        for piece in body.chunks(size) {
            splitter.push(piece)?;
            while let Some(document) = splitter.next()? {
                keep(document);
            }
        }
        while let Some(document) = splitter.rest()? {
            keep(document);
        }
        Ok(documents)
    }

    #[test]
    fn documents_end_where_their_brackets_and_quotation_marks_close() {
        for (body, documents) in [
            ("", &[][..]),
            (" \r\n\t ", &[]),
            ("{}{}\n[ ] ", &["{}", "{}", "[ ]"]),
            (r#"{"a":"}\"{\\"}{"b":[[{}],1]}"#, &[r#"{"a":"}\"{\\"}"#, r#"{"b":[[{}],1]}"#]),
            (r#""x\"""y"1 true{}null{}"#, &[r#""x\"""#, r#""y""#, "1", "true", "{}", "null", "{}"]),
            (r#"{"a":1}{"b":"#, &[r#"{"a":1}"#, r#"{"b":"#]),
            ("{\"a\":\"grün\"} 12", &["{\"a\":\"grün\"}", "12"]),
        ] {
            for size in [1, 2, 3, 7, 1000] {
                assert_eq!(split(body.as_bytes(), size).expect(body), documents, "{body} in pieces of {size}");
            }
        }
        for (body, found) in [("{},{}", ','), ("]", ']'), ("{} ü", 'ü'), ("'a'", '\'')] {
            assert_eq!(split(body.as_bytes(), 100), Err(NotDocuments::Between(found)), "{body}");
        }
    }

    #[test]
    fn every_encoding_of_unicode_is_read_in_pieces_of_any_size() {
        let text = "{\"a\":\"ü😀\"} {\"b\":1}";
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let utf32: Vec<u32> = text.chars().map(u32::from).collect();
        let bodies: [Vec<u8>; 8] = [
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            [vec![0xFF, 0xFE], utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect()].concat(),
            utf32.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            utf32.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            [vec![0, 0, 0xFE, 0xFF], utf32.iter().flat_map(|unit| unit.to_be_bytes()).collect()].concat(),
        ];
        for (n, body) in bodies.iter().enumerate() {
            for size in [1, 2, 3, 4, 5, 1000] {
                let documents = split(body, size).expect("valid text");
                assert_eq!(documents, ["{\"a\":\"ü😀\"}", "{\"b\":1}"], "body {n} in pieces of {size}");
            }
        }
        assert_eq!(split(b"{\0}", 10), Err(NotDocuments::Encoding("UTF-16")), "half a unit");
        assert_eq!(split(b"{\0\0\0\x11\x22\x33\x44", 10), Err(NotDocuments::Encoding("UTF-32")), "no character");
    }

    #[test]
    fn two_bytes_are_a_document_that_need_not_wait_for_more() {
        let mut splitter = Splitter::default();
        splitter.push(b"{}").expect("text");
        assert_eq!(splitter.next(), Ok(Some(Bytes::from_static(b"{}"))));
    }
}
