//! The codecs of record batches: gzip, snappy, lz4, zstd. Every decompression is bounded.
//!
//! Snappy comes in two framings: one block as it is, or the chunks that the Java library writes (a magic, two versions that
//! nobody checks, then blocks with a length before each). Both are read, the plain block is written.

use std::io::{self, Read, Write};

use flate2::{read::GzDecoder, write::GzEncoder};
use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use crate::Compression;

impl Compression {
    /// Its number in the attributes of a batch.
    pub(crate) fn id(self) -> i16 {
        match self {
            Compression::None => NONE,
            Compression::Gzip => GZIP,
            Compression::Snappy => SNAPPY,
            Compression::Lz4 => LZ4,
            Compression::Zstd => ZSTD,
        }
    }
}

pub(crate) const NONE: i16 = 0;
const GZIP: i16 = 1;
const SNAPPY: i16 = 2;
const LZ4: i16 = 3;
const ZSTD: i16 = 4;

/// A batch that becomes larger than this is refused: a kilobyte can announce gigabytes.
const MAX_DECOMPRESSED: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

const SNAPPY_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
/// The magic and two versions.
const SNAPPY_HEADER: usize = 16;

/// The bytes of a batch after its header, decompressed.
///
/// # Errors
/// The bytes are not of this codec, or become more than is read.
pub(crate) fn decompress(codec: i16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        NONE => Ok(bytes.to_vec()),
        GZIP => read_all(GzDecoder::new(bytes)),
        SNAPPY => unsnap(bytes),
        LZ4 => read_all(FrameDecoder::new(bytes)),
        ZSTD => read_all(zstd::Decoder::with_buffer(bytes)?),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The records of a batch, compressed at the default level of each codec.
///
/// # Errors
/// None that is known: the codecs write into memory.
pub(crate) fn compress(codec: Compression, records: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        Compression::None => Ok(records.to_vec()),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(records)?;
            encoder.finish()
        }
        Compression::Snappy => Ok(snap::raw::Encoder::new().compress_vec(records)?),
        Compression::Lz4 => {
            // Java reads frames of independent blocks only, which is the encoder's default.
            let mut encoder = FrameEncoder::new(Vec::new());
            encoder.write_all(records)?;
            encoder.finish().map_err(io::Error::other)
        }
        Compression::Zstd => zstd::encode_all(records, 0),
    }
}

fn read_all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(MAX_DECOMPRESSED + 1).read_to_end(&mut out)?;
    if out.len() as u64 > MAX_DECOMPRESSED { Err(too_large()) } else { Ok(out) }
}

fn unsnap(bytes: &[u8]) -> io::Result<Vec<u8>> {
    if !bytes.starts_with(SNAPPY_MAGIC) {
        return unsnap_block(bytes, 0);
    }
    let mut rest = bytes.get(SNAPPY_HEADER..).ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, after) = after.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.extend(unsnap_block(block, out.len() as u64)?);
        rest = after;
    }
    Ok(out)
}

fn unsnap_block(block: &[u8], before: u64) -> io::Result<Vec<u8>> {
    if before + snap::raw::decompress_len(block)? as u64 > MAX_DECOMPRESSED {
        return Err(too_large());
    }
    Ok(snap::raw::Decoder::new().decompress_vec(block)?)
}

fn too_large() -> io::Error {
    io::Error::other("a batch becomes too large when it is decompressed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(codec: i16, bytes: &[u8]) -> Vec<u8> {
        let codec = Compression::ALL.into_iter().find(|known| known.id() == codec).expect("a codec");
        compress(codec, bytes).expect("into memory")
    }

    #[test]
    fn every_codec_is_read() {
        let text: Vec<u8> = (0..100_000u32).flat_map(|n| (n / 7).to_be_bytes()).collect();
        for codec in NONE..=ZSTD {
            let packed = compressed(codec, &text);
            assert!(decompress(codec, &packed).expect("reads") == text, "codec {codec}");
            assert!(codec == NONE || decompress(codec, &packed[..packed.len() / 2]).is_err(), "codec {codec}");
        }
        let mut chunked = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        for block in text.chunks(32 * 1024) {
            let block = compressed(SNAPPY, block);
            chunked.extend((block.len() as u32).to_be_bytes());
            chunked.extend(block);
        }
        assert!(decompress(SNAPPY, &chunked).expect("reads") == text);
        assert!(decompress(5, &text).is_err());
    }

    #[test]
    fn a_decompression_bomb_is_refused() {
        let zeros = vec![0; MAX_DECOMPRESSED as usize + 1];
        for codec in [GZIP, SNAPPY, LZ4, ZSTD] {
            assert!(decompress(codec, &compressed(codec, &zeros)).is_err(), "codec {codec}");
        }
    }
}
