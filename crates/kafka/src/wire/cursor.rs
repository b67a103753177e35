//! Reading fields out of untrusted bytes. Every length is checked against the bytes left before anything is reserved.

/// The bytes are not what the protocol says, such as a length beyond their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A position in an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    /// Whether strings, bytes and arrays have compact lengths and structures have tagged fields (KIP-482).
    flexible: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], flexible: bool) -> Cursor<'a> {
        Cursor { rest: bytes, flexible }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn i8(&mut self) -> Result<i8, Malformed> {
        self.array().map(i8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    /// An unsigned varint of at most 32 bits.
    pub(crate) fn unsigned_varint(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.unsigned_varint64()?).map_err(|_| Malformed)
    }

    fn unsigned_varint64(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// A zigzag varint of at most 64 bits, as in records.
    pub(crate) fn varint(&mut self) -> Result<i64, Malformed> {
        let zigzag = self.unsigned_varint64()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// The elements of an array; `None` where it is null. A count that cannot fit into the bytes left is refused.
    pub(crate) fn array_length(&mut self) -> Result<Option<usize>, Malformed> {
        let count = if self.flexible { i64::from(self.unsigned_varint()?) - 1 } else { i64::from(self.i32()?) };
        self.length(count)
    }

    /// Bytes with their length before them; `None` where they are null.
    pub(crate) fn bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.array_length()? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    /// A string; `None` where it is null.
    pub(crate) fn string(&mut self) -> Result<Option<&'a str>, Malformed> {
        let length = if self.flexible { i64::from(self.unsigned_varint()?) - 1 } else { i64::from(self.i16()?) };
        match self.length(length)? {
            Some(length) => std::str::from_utf8(self.take(length)?).map(Some).map_err(|_| Malformed),
            None => Ok(None),
        }
    }

    /// A record's field: a zigzag length, -1 for null.
    pub(crate) fn varint_bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let length = self.varint()?;
        match self.length(length)? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    fn length(&self, length: i64) -> Result<Option<usize>, Malformed> {
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Ok(_) | Err(_) => Err(Malformed),
        }
    }

    /// The tagged fields at the end of a structure, each handed to `field`; none where the version is not flexible.
    pub(crate) fn tagged_fields(
        &mut self,
        mut field: impl FnMut(u32, Cursor<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            let tag = self.unsigned_varint()?;
            let length = self.unsigned_varint()? as usize;
            field(tag, Cursor::new(self.take(length)?, true))?;
        }
        Ok(())
    }

    pub(crate) fn skip_tagged_fields(&mut self) -> Result<(), Malformed> {
        self.tagged_fields(|_, _| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_zigzag_and_bounded() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0x80, 0x01], 64),
            (&[0xff, 0xff, 0xff, 0xff, 0x0f], -2_147_483_648),
        ] {
            assert_eq!(Cursor::new(bytes, true).varint(), Ok(value));
        }
        assert_eq!(Cursor::new(&[0x80; 11], true).varint(), Err(Malformed));
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x7f], true).unsigned_varint(), Err(Malformed));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        assert_eq!(Cursor::new(&[0, 0, 0, 9, 1], false).array_length(), Err(Malformed));
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff], false).array_length(), Ok(None));
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xfe], false).array_length(), Err(Malformed));
        assert_eq!(Cursor::new(&[3, b'a', b'b'], true).string(), Ok(Some("ab")));
        assert_eq!(Cursor::new(&[4, b'a', b'b'], true).string(), Err(Malformed));
    }
}
