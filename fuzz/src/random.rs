//! Random changes to good inputs, the same ones for the same seed.

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

    /// One of `inputs`, changed in one to four places.
    pub(crate) fn mutated(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
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
