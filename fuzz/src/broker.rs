//! The broker's readers: frames from connections, record batches from producers and from disk.

use bytes::Bytes;
use postern_broker::fuzzing;

pub(crate) fn read_frames(input: &[u8]) -> usize {
    // The first two bytes of what follows the length are the API, the next two its version: a frame that is cut short is
    // read without its length as well.
    fuzzing::frames(input) + usize::from(input.len() > 4 && fuzzing::request(Bytes::copy_from_slice(&input[4..])))
}

pub(crate) fn read_batch(input: &[u8]) -> usize {
    usize::from(fuzzing::batch(input))
}

/// A frame for every API and version there may be: a body of zeros is a request in many of them.
pub(crate) fn good_frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for api in 0..100u16 {
        for version in 0..20u16 {
            for zeros in [1, 8, 24, 64] {
                let mut frame = vec![];
                frame.extend(api.to_be_bytes());
                frame.extend(version.to_be_bytes());
                frame.extend([0, 0, 0, 1, 0xff, 0xff]);
                frame.resize(frame.len() + zeros, 0);
                let mut whole = (frame.len() as u32).to_be_bytes().to_vec();
                whole.extend(frame);
                if read_frames(&whole) > 0 {
                    frames.push(whole);
                }
            }
        }
    }
    frames
}

/// A batch of three records in each codec.
pub(crate) fn good_batches() -> Vec<Vec<u8>> {
    // Length, attributes, time delta, offset delta, key, value, no headers.
    let record = |at: u8| [20, 0, 2 * at, 2 * at, 2, b'k', 6, b'v', b'v', b'0' + at, 0];
    let records: Vec<u8> = (0..3).flat_map(record).collect();
    (0..=4u8)
        .map(|codec| {
            let body = fuzzing::compressed(i16::from(codec), &records);
            let mut batch = vec![0; 8];
            batch.extend((49 + body.len() as u32).to_be_bytes());
            batch.extend([0xff; 4]);
            batch.extend([2, 0, 0, 0, 0, 0, codec]);
            batch.extend(2u32.to_be_bytes());
            batch.extend(1_700_000_000_000u64.to_be_bytes());
            batch.extend(1_700_000_000_002u64.to_be_bytes());
            batch.extend([0xff; 14]);
            batch.extend(3u32.to_be_bytes());
            batch.extend(body);
            assert!(fuzzing::batch(&batch), "a batch of codec {codec} cannot be read");
            batch
        })
        .collect()
}
