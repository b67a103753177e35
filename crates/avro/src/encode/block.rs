//! Zigzag integers and blocks of Avro binary.

/// Appends an int or long.
#[inline]
pub(super) fn long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    if rest < 0x80 {
        return out.push(rest as u8);
    }
    let mut buffer = [0; 10];
    let mut length = 0;
    while rest >= 0x80 {
        buffer[length] = rest as u8 | 0x80;
        rest >>= 7;
        length += 1;
    }
    buffer[length] = rest as u8;
    // A copy of a fixed length, which is two moves, and then cut off.
    let end = out.len() + length + 1;
    out.extend_from_slice(&buffer);
    out.truncate(end);
}

/// The single block of an array or map. Its count is known only at the end, so one byte is reserved for it, which is enough
/// for 63 items; with more the items are moved.
pub(super) struct Block {
    start: usize,
}

impl Block {
    pub(super) fn open(out: &mut Vec<u8>) -> Block {
        let start = out.len();
        out.push(0);
        Block { start }
    }

    pub(super) fn close(self, items: usize, out: &mut Vec<u8>) {
        if items == 0 {
            return;
        }
        let mut count = Vec::new();
        if items < 64 {
            out[self.start] = (items as u8) << 1;
        } else {
            long(items as i64, &mut count);
            out.splice(self.start..=self.start, count);
        }
        out.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longs_are_zigzag_and_variable() {
        for (value, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (63, &[126]),
            (64, &[0x80, 1]),
            (-65, &[0x81, 1]),
            (i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            long(value, &mut out);
            assert_eq!(out, bytes, "{value}");
        }
    }

    #[test]
    fn a_block_has_its_count_before_its_items() {
        for items in [0, 1, 63, 64, 10_000] {
            let mut out = vec![7];
            let block = Block::open(&mut out);
            out.extend(std::iter::repeat_n(9, items));
            block.close(items, &mut out);
            let mut expected = vec![7];
            if items > 0 {
                long(items as i64, &mut expected);
                expected.extend(std::iter::repeat_n(9, items));
            }
            expected.push(0);
            assert_eq!(out, expected, "{items}");
        }
    }
}
