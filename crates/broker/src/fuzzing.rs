//! Doors for the fuzz targets: what decodes bytes that others wrote, and does nothing with them.

use bytes::{Bytes, BytesMut};

use crate::{api, frame};
use postern_log::batch::{self, Header};
use postern_log::{codec, records};

/// Decodes what a connection might send; answers how many requests it holds before the first bad one.
pub fn frames(input: &[u8]) -> usize {
    let mut input = BytesMut::from(input);
    let mut requests = 0;
    while let Ok(Some(frame)) = frame::take(&mut input, 1 << 20) {
        if !request(frame) {
            break;
        }
        requests += 1;
    }
    requests
}

/// Decodes one frame without its length; answers whether it is a request.
pub fn request(frame: Bytes) -> bool {
    api::Request::read(frame).is_ok_and(api::decodes)
}

/// Looks at a record batch as an append does, and as compaction does: a batch whose records can be read must still say
/// the same when it is written again. Answers whether its records can be read, whatever the checksum says.
///
/// # Panics
/// If it does not.
pub fn batch(input: &[u8]) -> bool {
    let Ok(header) = Header::read(input) else { return false };
    let Some(batch) = input.get(..header.bytes) else { return false };
    let Ok(body) = records::body(batch, &header) else { return false };
    let Ok(all) = records::all(&body, &header) else { return false };
    if let Ok(again) = records::keep_only(batch, &header, &all, None) {
        let changed = Header::read(&again).expect("a written batch has a header");
        assert!(batch::checksum_holds(&again, &changed), "a written batch has its checksum");
        let body = records::body(&again, &changed).expect("a written batch can be read");
        let same = records::all(&body, &changed).expect("a written batch has records");
        assert!(same.iter().zip(&all).all(|(a, b)| (a.offset, a.key) == (b.offset, b.key)), "the same records");
    }
    true
}

/// `body` in a codec, to begin with something that can be read.
///
/// # Panics
/// If there is no such codec.
pub fn compressed(number: i16, body: &[u8]) -> Vec<u8> {
    codec::compress(number, body).expect("memory takes what is written to it")
}
