//! Random changes to good inputs, the same ones for the same seed.

use std::ops::Range;

/// xorshift64: fast, small, and good enough to break parsers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// One of `inputs`, changed in one to four places. `words` are what texts are written with; none: the inputs are no texts.
    pub(crate) fn mutated(&mut self, inputs: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            if !words.is_empty() && bytes.len() < 1 << 14 && self.below(4) > 0 {
                self.change_text(&mut bytes, inputs, words);
                continue;
            }
            let at = self.below(bytes.len());
            match self.below(8) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = self.next() as u8,
                2 => self.put(&mut bytes, at),
                3 => bytes.truncate(at),
                4 if !bytes.is_empty() => {
                    let upto = at + self.below(bytes.len() - at);
                    bytes.drain(at..upto);
                }
                5 if bytes.len() < 1 << 16 => {
                    let upto = at + self.below((bytes.len() - at).min(64));
                    let again = bytes[at..upto].to_vec();
                    bytes.splice(at..at, again);
                }
                6 if bytes.len() < 1 << 16 => {
                    let other = &inputs[self.below(inputs.len())];
                    let from = self.below(other.len());
                    let upto = from + self.below((other.len() - from).min(256));
                    bytes.splice(at..at, other[from..upto].iter().copied());
                }
                _ => bytes.insert(at, [0, 1, 0x7f, 0x80, 0xff][self.below(5)]),
            }
        }
        bytes
    }

    /// Puts a word, or a part of an input, in the place of a part or before it.
    fn change_text(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>], words: &[&str]) {
        let old = part(bytes, self.below(bytes.len()));
        let new = match self.below(3) {
            0 => words[self.below(words.len())].as_bytes().to_vec(),
            1 => bytes[part(bytes, self.below(bytes.len()))].to_vec(),
            _ => {
                let other = &inputs[self.below(inputs.len())];
                other[part(other, self.below(other.len()))].to_vec()
            }
        };
        match self.below(8) {
            0 => bytes.splice(old.start..old.start, new).for_each(drop),
            1 => bytes.drain(old).for_each(drop),
            2 => {
                // Once more behind itself, as a list would have it.
                let comma = if bytes.get(old.end) == Some(&b',') { b"," } else { b" " };
                let again = [comma, &bytes[old.clone()]].concat();
                bytes.splice(old.end..old.end, again).for_each(drop);
            }
            _ => bytes.splice(old, new).for_each(drop),
        }
    }

    /// Writes a number of note over what is there.
    fn put(&mut self, bytes: &mut [u8], at: usize) {
        let numbers = [0, 1, -1, 127, 128, 255, 32_767, -32_768, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX];
        let number = numbers[self.below(numbers.len())].to_be_bytes();
        let width = [1, 2, 4, 8][self.below(4)];
        for (to, from) in bytes[at..].iter_mut().zip(&number[8 - width..]) {
            *to = *from;
        }
    }
}

/// What stands at `at` as one: a group in brackets or quotes, a word, or one byte.
fn part(bytes: &[u8], at: usize) -> Range<usize> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'$' | b'\\');
    let Some(first) = bytes.get(at) else { return bytes.len()..bytes.len() };
    let rest = &bytes[at..];
    let end = match first {
        b'"' | b'\'' => rest[1..].iter().position(|byte| byte == first).map(|end| end + 2),
        b'{' | b'[' | b'(' | b'<' => group(rest),
        byte if is_word(byte) => {
            let start = bytes[..at].iter().rposition(|byte| !is_word(byte)).map_or(0, |before| before + 1);
            let end = rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len());
            return start..at + end;
        }
        _ => Some(1),
    };
    at..at + end.unwrap_or(1)
}

/// The length of a group in brackets; brackets inside of quotes count, too: this need not be right.
fn group(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0;
    let end = bytes.iter().position(|byte| {
        match byte {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    end.map(|last| last + 1)
}
