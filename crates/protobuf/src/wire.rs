//! The wire format: numbers of variable length, keys of fields, and fields of unknown meaning read one by one.
//!
//! Source: Protocol Buffers documentation, "Encoding".

/// What follows a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    GroupStart = 3,
    GroupEnd = 4,
    Fixed32 = 5,
}

impl WireType {
    /// By the lower three bits of a key. `None`: it is no wire type.
    pub(super) fn of_key(bits: u64) -> Option<WireType> {
        match bits {
            0 => Some(WireType::Varint),
            1 => Some(WireType::Fixed64),
            2 => Some(WireType::Length),
            3 => Some(WireType::GroupStart),
            4 => Some(WireType::GroupEnd),
            5 => Some(WireType::Fixed32),
            _ => None,
        }
    }
}

pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn key(number: u32, kind: WireType, out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | kind as u64, out);
}

pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Writes what `inner` writes with its length in front.
pub(super) fn sized<E>(out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    // Room for the length of what is usual; longer ones are moved.
    let start = out.len();
    out.push(0);
    inner(out)?;
    let length = out.len() - start - 1;
    match u8::try_from(length) {
        Ok(length) if length < 0x80 => out[start] = length,
        Ok(_) | Err(_) => {
            let mut prefix = Vec::with_capacity(10);
            varint(length as u64, &mut prefix);
            out.splice(start..=start, prefix);
        }
    }
    Ok(())
}

/// A field that holds a string.
pub(super) fn string_field(number: u32, value: &str, out: &mut Vec<u8>) {
    bytes_field(number, value.as_bytes(), out);
}

/// A field that holds bytes, or a message that is written already.
pub(super) fn bytes_field(number: u32, value: &[u8], out: &mut Vec<u8>) {
    key(number, WireType::Length, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// A field that holds a number, negative ones sign-extended.
pub(super) fn varint_field(number: u32, value: u64, out: &mut Vec<u8>) {
    key(number, WireType::Varint, out);
    varint(value, out);
}

/// A field that holds the message that `inner` writes.
pub(super) fn message_field(number: u32, out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    key(number, WireType::Length, out);
    let Ok(()) = sized(out, |out| {
        inner(out);
        Ok::<(), std::convert::Infallible>(())
    });
}

/// One field as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raw<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields in `bytes`, in their order. `None` as the last one when the bytes are no message. Groups are not read.
pub(super) fn fields(bytes: &[u8]) -> impl Iterator<Item = Option<(u32, Raw<'_>)>> {
    let mut rest = bytes;
    let mut failed = false;
    std::iter::from_fn(move || {
        if rest.is_empty() || failed {
            return None;
        }
        let field = field(&mut rest);
        failed = field.is_none();
        Some(field)
    })
}

fn field<'b>(rest: &mut &'b [u8]) -> Option<(u32, Raw<'b>)> {
    let key = read_varint(rest)?;
    let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number))?;
    let raw = match key & 7 {
        0 => Raw::Number(read_varint(rest)?),
        1 => {
            let (bytes, after) = rest.split_first_chunk::<8>()?;
            *rest = after;
            Raw::Number(u64::from_le_bytes(*bytes))
        }
        2 => {
            let length = usize::try_from(read_varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            Raw::Bytes(bytes)
        }
        5 => {
            let (bytes, after) = rest.split_first_chunk::<4>()?;
            *rest = after;
            Raw::Number(u32::from_le_bytes(*bytes).into())
        }
        _ => return None,
    };
    Some((number, raw))
}

/// Numbers that stand one after the other.
pub(super) fn varints(bytes: &[u8]) -> Option<Vec<u64>> {
    let mut rest = bytes;
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        numbers.push(read_varint(&mut rest)?);
    }
    Some(numbers)
}

pub(super) fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Raw, WireType, fields, key, sized, varint, zigzag};

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            key(5, WireType::Varint, &mut out);
            varint(value, &mut out);
            assert_eq!(fields(&out).collect::<Vec<_>>(), [Some((5, Raw::Number(value)))]);
            out.pop();
            assert_eq!(fields(&out).last(), Some(None), "cut short");
        }
        assert_eq!([0, -1, 1, i64::MIN].map(zigzag), [0, 1, 2, u64::MAX]);
    }

    #[test]
    fn long_contents_get_long_lengths() {
        for length in [0, 127, 128, 70_000] {
            let mut out = vec![9];
            let written = sized(&mut out, |out| {
                out.resize(out.len() + length, 7);
                Ok::<_, ()>(())
            });
            assert_eq!(written, Ok(()));
            let mut wanted = vec![9];
            varint(length as u64, &mut wanted);
            wanted.resize(wanted.len() + length, 7);
            assert_eq!(out, wanted);
        }
    }
}
