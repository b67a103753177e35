//! gzip (RFC 1952): the members of a body, unpacked as they come.
//!
//! flate2 inflates and computes checksums. Its own decoder for members keeps back what it has unpacked until more comes, so that a client which
//! flushes and waits would wait for ever; and it makes a new decompressor for each member, which a body of empty ones turns into seconds.

use std::io;

use flate2::{Crc, Decompress};

use super::inflate::{inflate, invalid};

/// Which of the optional fields a header has.
const HEADER_CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xE0;
/// How a header begins: two bytes that say that it is one, and the method: deflate.
const BEGIN: [u8; 3] = [0x1F, 0x8B, 8];

/// Unpacks members that stand behind one another.
pub(super) struct Gzip {
    inflate: Decompress,
    part: Part,
    /// The flags of the header.
    flags: u8,
    /// What has come of a part of fixed length.
    begun: Vec<u8>,
    /// Of what the member was unpacked to.
    crc: Crc,
    members: u64,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Header,
    ExtraLength,
    /// So many bytes, which mean nothing here.
    Extra(usize),
    /// Text that ends with a zero byte.
    Name,
    Comment,
    HeaderChecksum,
    Body,
    Trailer,
}

impl Default for Gzip {
    fn default() -> Gzip {
        let (inflate, crc) = (Decompress::new(false), Crc::new());
        Gzip { inflate, part: Part::Header, flags: 0, begun: Vec::with_capacity(10), crc, members: 0 }
    }
}

impl Gzip {
    /// Whether a member has ended, and no other has begun.
    pub(super) fn is_complete(&self) -> bool {
        self.part == Part::Header && self.begun.is_empty() && self.members > 0
    }

    /// How many have ended.
    pub(super) fn members(&self) -> u64 {
        self.members
    }

    /// Takes from `packed` and adds to `out`, until one of them has no more, or a part ends.
    pub(super) fn decode(&mut self, packed: &mut &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self.part {
            Part::Header => {
                let Some(header) = self.fixed::<10>(packed) else { return Ok(()) };
                self.flags = header[3];
                if header[..3] != BEGIN || self.flags & RESERVED != 0 {
                    return Err(invalid("a gzip header was expected"));
                }
                self.part = Part::ExtraLength;
            }
            Part::ExtraLength if self.flags & EXTRA == 0 => self.part = Part::Name,
            Part::ExtraLength => {
                let Some(length) = self.fixed::<2>(packed) else { return Ok(()) };
                self.part = Part::Extra(usize::from(u16::from_le_bytes(length)));
            }
            Part::Extra(left) => {
                let taken = left.min(packed.len());
                *packed = &packed[taken..];
                self.part = if left == taken { Part::Name } else { Part::Extra(left - taken) };
            }
            Part::Name => {
                if self.flags & NAME == 0 || skip_text(packed) {
                    self.part = Part::Comment;
                }
            }
            Part::Comment => {
                if self.flags & COMMENT == 0 || skip_text(packed) {
                    self.part = Part::HeaderChecksum;
                }
            }
            Part::HeaderChecksum if self.flags & HEADER_CHECKSUM == 0 => self.part = Part::Body,
            Part::HeaderChecksum => {
                // What it protects means nothing here.
                if self.fixed::<2>(packed).is_some() {
                    self.part = Part::Body;
                }
            }
            Part::Body => {
                let made = out.len();
                let is_over = inflate(&mut self.inflate, packed, out)?;
                self.crc.update(&out[made..]);
                if is_over {
                    self.part = Part::Trailer;
                }
            }
            Part::Trailer => {
                let Some([a, b, c, d, length @ ..]) = self.fixed::<8>(packed) else { return Ok(()) };
                let is_right = u32::from_le_bytes([a, b, c, d]) == self.crc.sum()
                    && u32::from_le_bytes(length) == self.crc.amount();
                if !is_right {
                    return Err(invalid("it does not match its checksum"));
                }
                self.members += 1;
                self.crc.reset();
                self.inflate.reset(false);
                self.part = Part::Header;
            }
        }
        Ok(())
    }

    /// A part of `N` bytes, once all of them have come.
    fn fixed<const N: usize>(&mut self, packed: &mut &[u8]) -> Option<[u8; N]> {
        let taken = (N - self.begun.len()).min(packed.len());
        self.begun.extend_from_slice(&packed[..taken]);
        *packed = &packed[taken..];
        let whole = <[u8; N]>::try_from(&self.begun[..]).ok()?;
        self.begun.clear();
        Some(whole)
    }
}

/// Skips a text. Whether its end has come.
fn skip_text(packed: &mut &[u8]) -> bool {
    let end = packed.iter().position(|byte| *byte == 0);
    *packed = &packed[end.map_or(packed.len(), |end| end + 1)..];
    end.is_some()
}
