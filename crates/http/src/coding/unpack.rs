//! Unpacking step by step.
//!
//! What comes out is bounded by whoever keeps it. What goes in without anything coming out is bounded here: a body may consist of empty gzip
//! members, zstd frames that are skipped, or empty blocks, and each of them costs more than a byte of text does.

use std::io;

use bytes::{Buf, Bytes};
use flate2::Decompress;
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

use super::Coding;
use super::gzip::Gzip;
use super::inflate::{inflate, invalid};

/// The most bytes that one step makes, about: less than a millisecond of work.
const STEP: usize = 64 << 10;
/// The most bytes that one step takes, for the same reason where they make nothing.
const STEP_TAKEN: usize = 8 << 10;
/// The largest window of zstd that is accepted, as RFC 9659 asks of senders: 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Packed bytes that may come without making anything.
const TAKEN_FREE: u64 = 64 << 10;
/// Packed bytes that may come beyond them for each byte that they make. A client that flushes behind each byte needs eight.
const TAKEN_PER_MADE: u64 = 16;
/// Gzip members or zstd frames that may be empty.
const MEMBERS_FREE: u64 = 1000;
/// Bytes that each further one makes on average.
const MADE_PER_MEMBER: u64 = 256;

/// Unpacks one body.
pub(crate) struct Unpacker {
    coding: Coding,
    state: State,
    /// Whether anything has come: a body without bytes is one, in any coding.
    has_begun: bool,
    /// Whether the last step ended because it had made enough.
    has_more: bool,
    /// Packed bytes so far.
    taken: u64,
    /// What they became.
    made: u64,
}

enum State {
    Gzip(Box<Gzip>),
    /// Made by the first bytes, which tell whether there is a zlib header: some clients leave it out.
    Deflate {
        inflate: Option<Decompress>,
        is_complete: bool,
    },
    Zstd {
        decoder: Box<zstd::stream::raw::Decoder<'static>>,
        is_complete: bool,
        frames: u64,
    },
}

impl Unpacker {
    /// # Errors
    /// No memory.
    pub(crate) fn new(coding: Coding) -> io::Result<Unpacker> {
        let state = match coding {
            Coding::Gzip => State::Gzip(Box::default()),
            Coding::Deflate => State::Deflate { inflate: None, is_complete: false },
            Coding::Zstd => {
                let mut decoder = zstd::stream::raw::Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
                State::Zstd { decoder: Box::new(decoder), is_complete: false, frames: 0 }
            }
        };
        Ok(Unpacker { coding, state, has_begun: false, has_more: false, taken: 0, made: 0 })
    }

    /// How the body says that it is packed.
    pub(crate) fn coding(&self) -> Coding {
        self.coding
    }

    /// Whether a step makes something although nothing more has come.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Takes some of `packed`, and returns what it makes; perhaps nothing yet. It makes progress if there is something to take, or
    /// [`Unpacker::has_more`].
    ///
    /// # Errors
    /// The bytes are not of the coding, or too many of them make nothing.
    pub(crate) fn step(&mut self, packed: &mut Bytes) -> io::Result<Bytes> {
        self.has_begun |= !packed.is_empty();
        let mut out = Vec::with_capacity(STEP);
        let mut piece = &packed[..packed.len().min(STEP_TAKEN)];
        let before = piece.len();
        loop {
            self.state.decode(&mut piece, &mut out)?;
            self.has_more = out.len() == out.capacity();
            if piece.is_empty() || self.has_more {
                break;
            }
        }
        let taken = before - piece.len();
        packed.advance(taken);
        self.taken += taken as u64;
        self.made += out.len() as u64;
        self.check_use()?;
        Ok(Bytes::from(out))
    }

    /// A further step after all of the body was taken; empty: there is no more.
    ///
    /// # Errors
    /// The body ends before it is complete.
    pub(crate) fn rest(&mut self) -> io::Result<Bytes> {
        if !self.has_begun {
            return Ok(Bytes::new());
        }
        let rest = self.step(&mut Bytes::new())?;
        if rest.is_empty() && !self.state.is_complete() {
            return Err(invalid("it ends too early"));
        }
        Ok(rest)
    }

    /// Whether what has come was of use.
    fn check_use(&self) -> io::Result<()> {
        let members = self.state.members();
        if members > MEMBERS_FREE + self.made / MADE_PER_MEMBER {
            return Err(invalid(&format!(
                "{members} parts (gzip members or zstd frames) make {} bytes: expected at most {MEMBERS_FREE}, or {MADE_PER_MEMBER} bytes of each",
                self.made
            )));
        }
        if self.taken > TAKEN_FREE + TAKEN_PER_MADE * self.made {
            return Err(invalid(&format!(
                "{} bytes of it make {}: expected {TAKEN_FREE} at most that make nothing, and {TAKEN_PER_MADE} for each that is made",
                self.taken, self.made
            )));
        }
        Ok(())
    }
}

impl State {
    /// Takes from `packed` and adds to `out`, until one of them has no more, a member ends, or something is wrong.
    fn decode(&mut self, packed: &mut &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            State::Gzip(gzip) => gzip.decode(packed, out),
            State::Deflate { is_complete: true, .. } if packed.is_empty() => Ok(()),
            State::Deflate { is_complete: true, .. } => Err(invalid("something follows its end")),
            State::Deflate { inflate: inflater, is_complete } => {
                let has_header = packed.first().is_some_and(|first| first & 0x0F == 8);
                let inflater = inflater.get_or_insert_with(|| Decompress::new(has_header));
                *is_complete = inflate(inflater, packed, out)?;
                Ok(())
            }
            State::Zstd { decoder, is_complete, frames } => {
                if packed.is_empty() && *is_complete {
                    return Ok(());
                }
                let (mut input, made) = (InBuffer::around(packed), out.len());
                let remaining = decoder.run(&mut input, &mut OutBuffer::around_pos(out, made))?;
                let taken = input.pos();
                if taken == 0 && out.len() == made && !packed.is_empty() {
                    return Err(invalid("it cannot be continued"));
                }
                *packed = &packed[taken..];
                *is_complete = remaining == 0;
                *frames += u64::from(*is_complete);
                Ok(())
            }
        }
    }

    /// Whether the body may end here.
    fn is_complete(&self) -> bool {
        match self {
            State::Gzip(gzip) => gzip.is_complete(),
            State::Deflate { is_complete, .. } | State::Zstd { is_complete, .. } => *is_complete,
        }
    }

    /// Members or frames so far.
    fn members(&self) -> u64 {
        match self {
            State::Gzip(gzip) => gzip.members(),
            State::Zstd { frames, .. } => *frames,
            State::Deflate { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn packed(text: &[u8]) -> [(Coding, Vec<u8>); 4] {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text).and_then(|()| zlib.write_all(text)).and_then(|()| raw.write_all(text)).expect("in memory");
        [
            (Coding::Gzip, gzip.finish().expect("in memory")),
            (Coding::Deflate, zlib.finish().expect("in memory")),
            (Coding::Deflate, raw.finish().expect("in memory")),
            (Coding::Zstd, zstd::bulk::compress(text, 3).expect("in memory")),
        ]
    }

    /// In pieces of `size` bytes; the largest step is returned with the text.
    fn unpack(coding: Coding, packed: &[u8], size: usize) -> io::Result<(Vec<u8>, usize)> {
        let mut unpacker = Unpacker::new(coding)?;
        let (mut text, mut largest) = (Vec::new(), 0);
        for piece in packed.chunks(size) {
            let mut piece = Bytes::copy_from_slice(piece);
            while !piece.is_empty() {
                let step = unpacker.step(&mut piece)?;
                largest = largest.max(step.len());
                text.extend_from_slice(&step);
            }
        }
        loop {
            let step = unpacker.rest()?;
            if step.is_empty() {
                return Ok((text, largest));
            }
            largest = largest.max(step.len());
            text.extend_from_slice(&step);
        }
    }

    #[test]
    fn what_was_packed_comes_back_however_it_is_cut() {
        let text: Vec<u8> =
            (0..50_000_u32).flat_map(|n| format!("{{\"n\":{}}}", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        for (coding, bytes) in packed(&text) {
            for size in [1, 1000, 1 << 20] {
                let (found, _) = unpack(coding, &bytes, size).expect("valid");
                assert!(found == text, "{coding:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn parts_behind_one_another_are_one_body() {
        let (one, two) = (b"one".repeat(400), b"two".repeat(400));
        for ((coding, first), (_, second)) in packed(&one).into_iter().zip(packed(&two)) {
            let both = [first, second].concat();
            match coding {
                Coding::Deflate => assert!(unpack(coding, &both, 7).is_err(), "something follows"),
                Coding::Gzip | Coding::Zstd => {
                    // More of them than may be empty.
                    let (found, _) = unpack(coding, &both.repeat(1000), 777).expect("valid");
                    assert!(found == [&one[..], &two].concat().repeat(1000), "{coding:?}");
                }
            }
        }
    }

    /// Each client sees what it has flushed at the other end, without having to send more.
    #[test]
    fn what_was_flushed_comes_out_at_once() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(b"flushed").and_then(|()| gzip.flush()).expect("in memory");
        let mut deflate = ZlibEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(b"flushed").and_then(|()| deflate.flush()).expect("in memory");
        let mut zstd = zstd::Encoder::new(Vec::new(), 3).expect("in memory");
        zstd.write_all(b"flushed").and_then(|()| zstd.flush()).expect("in memory");
        for (coding, bytes) in
            [(Coding::Gzip, gzip.get_ref()), (Coding::Deflate, deflate.get_ref()), (Coding::Zstd, zstd.get_ref())]
        {
            let (mut unpacker, mut bytes) = (Unpacker::new(coding).expect("memory"), Bytes::from(bytes.clone()));
            let mut text = Vec::new();
            while !bytes.is_empty() || unpacker.has_more() {
                text.extend_from_slice(&unpacker.step(&mut bytes).expect("valid"));
            }
            assert_eq!(text, b"flushed", "{coding:?}");
            assert!(unpacker.rest().is_err(), "{coding:?} has no end");
        }
    }

    /// Each of these bodies of 10 MiB makes nothing at all, or next to nothing.
    #[test]
    fn what_makes_nothing_is_refused_long_before_its_end() {
        const BYTES: usize = 10 << 20;
        let [(_, gzip), (_, zlib), _, (_, zstd)] = packed(b"");
        let skipped = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0];
        let stored = [0, 0, 0, 0xFF, 0xFF];
        let block = |bytes: &[u8]| [&zlib[..2], &bytes.repeat(BYTES / bytes.len())].concat();
        let mut named = gzip[..10].to_vec();
        named[3] = 8;
        named.resize(BYTES, b'x');
        let [(_, one), _, _, (_, one_frame)] = packed(b"1");
        for (coding, bytes) in [
            (Coding::Gzip, gzip.repeat(BYTES / gzip.len())),
            (Coding::Gzip, one.repeat(BYTES / one.len())),
            (Coding::Gzip, named),
            (Coding::Zstd, zstd.repeat(BYTES / zstd.len())),
            (Coding::Zstd, one_frame.repeat(BYTES / one_frame.len())),
            (Coding::Zstd, skipped.repeat(BYTES / skipped.len())),
            (Coding::Deflate, block(&stored)),
        ] {
            let mut unpacker = Unpacker::new(coding).expect("memory");
            let mut left = Bytes::from(bytes);
            let refused = loop {
                match unpacker.step(&mut left) {
                    Ok(_) => assert!(!left.is_empty(), "{coding:?} was taken whole"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(left.len() > BYTES - (200 << 10), "{coding:?}: {} bytes were not taken", left.len());
            assert!(refused.contains("expected"), "{refused}");
        }
    }

    #[test]
    fn a_body_that_becomes_huge_does_so_in_small_steps() {
        for (coding, bytes) in packed(&vec![b' '; 20 << 20]) {
            assert!(bytes.len() < 40_000, "{coding:?}: {}", bytes.len());
            let (found, largest) = unpack(coding, &bytes, bytes.len()).expect("valid");
            assert_eq!(found.len(), 20 << 20);
            assert!(largest <= 4 * STEP, "{coding:?}: {largest}");
        }
    }

    #[test]
    fn what_is_cut_off_damaged_or_something_else_is_refused() {
        let text: Vec<u8> = (0..10_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (coding, bytes) in packed(&text) {
            assert!(unpack(coding, &bytes[..bytes.len() - 5], 777).is_err(), "{coding:?} cut off");
            assert!(unpack(coding, b"{\"records\":[]}", 777).is_err(), "{coding:?} not packed");
            assert_eq!(unpack(coding, b"", 777).expect("nothing").0, b"");
        }
        for (coding, bytes) in packed(&text).into_iter().filter(|(coding, _)| *coding == Coding::Deflate) {
            assert!(unpack(coding, &[&bytes[..], b"more"].concat(), 777).is_err(), "something follows");
        }
    }
}
