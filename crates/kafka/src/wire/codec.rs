//! The codecs of record batches, for reading: gzip, snappy, lz4, zstd. Every decompression is bounded.
//!
//! Snappy comes in two framings: one block as it is, or the chunks that the Java library writes (a magic, two versions that
//! nobody checks, then blocks with a length before each). Both are read.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use lz4_flex::frame::FrameDecoder;

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
    use std::io::Write;

    use super::*;

    fn compressed(codec: i16, bytes: &[u8]) -> Vec<u8> {
        match codec {
            GZIP => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes).expect("into memory");
                encoder.finish().expect("into memory")
            }
            SNAPPY => snap::raw::Encoder::new().compress_vec(bytes).expect("into memory"),
            LZ4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(bytes).expect("into memory");
                encoder.finish().expect("into memory")
            }
            ZSTD => zstd::encode_all(bytes, 0).expect("into memory"),
            _ => bytes.to_vec(),
        }
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
