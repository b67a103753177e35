//! Unpacking step by step.

use std::io;

use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Operation};

use super::Coding;

/// The most bytes that one step makes, about: less than a millisecond of work.
const STEP: usize = 64 << 10;
/// The largest window of zstd that is accepted, as RFC 9659 asks of senders: 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Unpacks one body.
pub(crate) struct Unpacker {
    coding: Coding,
    state: State,
    /// Whether anything has come: a body without bytes is one, in any coding.
    has_begun: bool,
}

enum State {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// Made by the first bytes, which tell whether there is a zlib header: some clients leave it out.
    Deflate {
        inflate: Option<Decompress>,
        is_complete: bool,
    },
    Zstd {
        decoder: Box<zstd::stream::raw::Decoder<'static>>,
        is_complete: bool,
    },
}

impl Unpacker {
    /// # Errors
    /// No memory.
    pub(crate) fn new(coding: Coding) -> io::Result<Unpacker> {
        let state = match coding {
            Coding::Gzip => State::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Coding::Deflate => State::Deflate { inflate: None, is_complete: false },
            Coding::Zstd => {
                let mut decoder = zstd::stream::raw::Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
                State::Zstd { decoder: Box::new(decoder), is_complete: false }
            }
        };
        Ok(Unpacker { coding, state, has_begun: false })
    }

    /// How the body says that it is packed.
    pub(crate) fn coding(&self) -> Coding {
        self.coding
    }

    /// Takes some of `packed`, which has at least one byte, and returns what it makes; perhaps nothing yet.
    ///
    /// # Errors
    /// The bytes are not of the coding.
    pub(crate) fn step(&mut self, packed: &mut Bytes) -> io::Result<Bytes> {
        self.has_begun = true;
        match &mut self.state {
            State::Gzip(decoder) => {
                // It hands on 32 KiB at a time, and takes no more than that needs.
                let taken = io::Write::write(decoder, packed)?;
                if taken == 0 {
                    return Err(invalid("something follows its end"));
                }
                packed.advance(taken);
                Ok(Bytes::from(std::mem::take(decoder.get_mut())))
            }
            State::Deflate { is_complete: true, .. } => Err(invalid("something follows its end")),
            State::Deflate { inflate, is_complete } => {
                let has_header = packed[0] & 0x0F == 8;
                let inflate = inflate.get_or_insert_with(|| Decompress::new(has_header));
                let (mut out, before) = (Vec::with_capacity(STEP), inflate.total_in());
                let status = inflate.decompress_vec(packed, &mut out, FlushDecompress::None)?;
                let taken = usize::try_from(inflate.total_in() - before).unwrap_or(usize::MAX);
                if status == Status::BufError || (taken == 0 && out.is_empty() && status == Status::Ok) {
                    return Err(invalid("it cannot be continued"));
                }
                packed.advance(taken);
                *is_complete = status == Status::StreamEnd;
                Ok(Bytes::from(out))
            }
            State::Zstd { decoder, is_complete } => {
                let mut out = vec![0; STEP];
                let status = decoder.run_on_buffers(packed, &mut out)?;
                if status.bytes_read == 0 && status.bytes_written == 0 {
                    return Err(invalid("it cannot be continued"));
                }
                packed.advance(status.bytes_read);
                *is_complete = status.remaining == 0;
                out.truncate(status.bytes_written);
                Ok(Bytes::from(out))
            }
        }
    }

    /// A further step after all of the body was taken; empty: there is no more.
    ///
    /// # Errors
    /// The body ends before it is complete.
    pub(crate) fn rest(&mut self) -> io::Result<Bytes> {
        if !self.has_begun {
            return Ok(Bytes::new());
        }
        let broken = || invalid("it ends too early");
        match &mut self.state {
            State::Gzip(decoder) => {
                decoder.try_finish().map_err(|_| broken())?;
                Ok(Bytes::from(std::mem::take(decoder.get_mut())))
            }
            State::Deflate { is_complete: true, .. } | State::Zstd { is_complete: true, .. } => Ok(Bytes::new()),
            State::Deflate { inflate, is_complete } => {
                let mut out = Vec::with_capacity(STEP);
                let inflate = inflate.as_mut().ok_or_else(broken)?;
                let status = inflate.decompress_vec(&[], &mut out, FlushDecompress::None);
                *is_complete = matches!(status, Ok(Status::StreamEnd));
                if out.is_empty() && !*is_complete { Err(broken()) } else { Ok(Bytes::from(out)) }
            }
            State::Zstd { decoder, is_complete } => {
                let mut out = vec![0; STEP];
                let status = decoder.run_on_buffers(&[], &mut out)?;
                *is_complete = status.remaining == 0;
                out.truncate(status.bytes_written);
                if out.is_empty() && !*is_complete { Err(broken()) } else { Ok(Bytes::from(out)) }
            }
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
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
