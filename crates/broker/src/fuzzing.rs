//! Entry points for the fuzz targets: they decode untrusted bytes and do nothing with the result.

use bytes::{Bytes, BytesMut};

use crate::{api, frame};
use postern_log::batch::{self, Header};
use postern_log::{codec, records};

/// Decodes what a connection might receive. Returns the number of requests before the first bad one.
pub fn frames(input: &[u8]) -> usize {
    let mut input = BytesMut::from(input);
    let mut requests = 0;
    while let Ok(Some(frame)) = frame::split_first(&mut input, 1 << 20) {
        if !request(frame) {
            break;
        }
        requests += 1;
    }
    requests
}

/// Decodes one frame without its length. Returns whether it is a request.
pub fn request(frame: Bytes) -> bool {
    api::Request::read(frame).is_ok_and(api::decodes)
}

/// Reads a record batch as an append does, and rewrites it as compaction does: a batch whose records can be read must have
/// the same records afterwards. Returns whether its records can be read, whatever its checksum.
///
/// # Panics
/// If the records differ.
pub fn batch(input: &[u8]) -> bool {
    let Ok(header) = Header::read(input) else { return false };
    let Some(batch) = input.get(..header.bytes) else { return false };
    let Ok(body) = records::body(batch, &header) else { return false };
    let Ok(all) = records::all(&body, &header) else { return false };
    if let Ok(again) = records::rebuild_with(batch, &header, &all, None) {
        let changed = Header::read(&again).expect("a written batch has a header");
        assert!(batch::checksum_holds(&again, &changed), "a written batch has its checksum");
        let body = records::body(&again, &changed).expect("a written batch can be read");
        let same = records::all(&body, &changed).expect("a written batch has records");
        assert!(same.iter().zip(&all).all(|(a, b)| (a.offset, a.key) == (b.offset, b.key)), "the same records");
    }
    true
}

/// `body` compressed with a codec: valid input to start from.
///
/// # Panics
/// If there is no such codec.
pub fn compressed(number: i16, body: &[u8]) -> Vec<u8> {
    codec::compress(number, body).expect("memory takes what is written to it")
}
