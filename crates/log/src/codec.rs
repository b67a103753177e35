//! The four codecs of record batches, for the few times the broker looks inside one: compaction, keys, times.
//!
//! Snappy comes in two framings: one block as it is, or the chunks that the Java library writes (a magic, two versions,
//! then blocks with a length before each). Both are read; the second is written, for every client reads it.

use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, FrameDecoder, FrameEncoder, FrameInfo};

/// Records as they are.
pub const NONE: i16 = 0;
const GZIP: i16 = 1;
const SNAPPY: i16 = 2;
const LZ4: i16 = 3;
const ZSTD: i16 = 4;

/// A batch that grows beyond this is not looked into: a kilobyte can announce gigabytes.
const MAX_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

const SNAPPY_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const SNAPPY_HEADER: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
const SNAPPY_BLOCK: usize = 32 * 1024;

/// The bytes before they were compressed. Burns time in proportion to what comes out.
///
/// # Errors
/// The bytes are not of this codec, or become more than 64 MiB, which this broker does not look into.
pub fn decompress(codec: i16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        NONE => Ok(bytes.to_vec()),
        GZIP => read_all(GzDecoder::new(bytes)),
        SNAPPY => decompress_snappy(bytes),
        LZ4 => read_all(FrameDecoder::new(bytes)),
        ZSTD => read_all(zstd::Decoder::with_buffer(bytes)?),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The reverse of [`decompress`], at each codec's usual level.
///
/// # Errors
/// There is no such codec.
pub fn compress(codec: i16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        NONE => Ok(bytes.to_vec()),
        GZIP => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        SNAPPY => compress_snappy(bytes),
        LZ4 => {
            // Kafka's own reader knows independent blocks only.
            let mut encoder =
                FrameEncoder::with_frame_info(FrameInfo::new().block_mode(BlockMode::Independent), Vec::new());
            encoder.write_all(bytes)?;
            encoder.finish().map_err(io::Error::other)
        }
        ZSTD => zstd::encode_all(bytes, 0),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn read_all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut out)?;
    if out.len() as u64 > MAX_BYTES { Err(too_large()) } else { Ok(out) }
}

fn decompress_snappy(bytes: &[u8]) -> io::Result<Vec<u8>> {
    if !bytes.starts_with(SNAPPY_MAGIC) {
        return decompress_snappy_block(bytes, 0);
    }
    let mut rest = bytes.get(SNAPPY_HEADER.len()..).ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, after) = after.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.extend(decompress_snappy_block(block, out.len() as u64)?);
        rest = after;
    }
    Ok(out)
}

fn decompress_snappy_block(block: &[u8], before: u64) -> io::Result<Vec<u8>> {
    if before + snap::raw::decompress_len(block)? as u64 > MAX_BYTES {
        return Err(too_large());
    }
    Ok(snap::raw::Decoder::new().decompress_vec(block)?)
}

fn compress_snappy(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = SNAPPY_HEADER.to_vec();
    for block in bytes.chunks(SNAPPY_BLOCK) {
        let block = snap::raw::Encoder::new().compress_vec(block)?;
        out.extend_from_slice(&(block.len() as u32).to_be_bytes());
        out.extend(block);
    }
    Ok(out)
}

fn too_large() -> io::Error {
    io::Error::other("a batch becomes too large when it is decompressed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_gives_back_what_it_took() {
        let text: Vec<u8> = (0..100_000u32).flat_map(|n| (n / 7).to_be_bytes()).collect();
        for codec in NONE..=ZSTD {
            let packed = compress(codec, &text).unwrap();
            assert!(codec == NONE || packed.len() < text.len() / 2, "codec {codec}: {}", packed.len());
            assert!(decompress(codec, &packed).unwrap() == text, "codec {codec}");
            assert!(codec == NONE || decompress(codec, &packed[..packed.len() / 2]).is_err(), "codec {codec}");
        }
        let plain = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        assert!(decompress(SNAPPY, &plain).unwrap() == text);
        assert!(decompress(5, &text).is_err());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![0; MAX_BYTES as usize + 1];
        for codec in [GZIP, SNAPPY, LZ4, ZSTD] {
            assert!(decompress(codec, &compress(codec, &zeros).unwrap()).is_err(), "codec {codec}");
        }
    }
}
