//! One step of inflating (RFC 1951), for the codings that are made of it.

use std::io;

use flate2::{Decompress, FlushDecompress, Status};

/// Inflates `packed` into the spare capacity of `out`, which is some. Whether it has ended.
pub(super) fn inflate(inflate: &mut Decompress, packed: &mut &[u8], out: &mut Vec<u8>) -> io::Result<bool> {
    let (before, made) = (inflate.total_in(), out.len());
    let status = inflate.decompress_vec(packed, out, FlushDecompress::None)?;
    let taken = usize::try_from(inflate.total_in() - before).unwrap_or(usize::MAX);
    if status != Status::StreamEnd && taken == 0 && out.len() == made && !packed.is_empty() {
        return Err(invalid("it cannot be continued"));
    }
    *packed = packed.get(taken..).unwrap_or_default();
    Ok(status == Status::StreamEnd)
}

pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
