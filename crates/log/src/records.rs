//! The records inside a batch: walked one by one, and a batch written again with some of them.

use std::borrow::Cow;
use std::io;

use crate::batch::{self, HEADER_BYTES, Header};
use crate::codec;
use crate::encoding::{put_varint, take_varint};

/// One record, as far as the broker looks into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its own time, or the broker's if the batch has that.
    pub timestamp: i64,
    /// Its offset in the log.
    pub offset: i64,
    /// Nothing if there is none; empty if it is empty.
    pub key: Option<&'a [u8]>,
    /// A record without one is a tombstone: it deletes its key.
    pub has_value: bool,
    attributes: u8,
    /// What follows the offset: key, value, headers.
    rest: &'a [u8],
}

/// The bytes of a batch's records, decompressed if need be.
///
/// # Errors
/// They cannot be decompressed, or become more than is looked into.
pub fn body<'a>(batch: &'a [u8], header: &Header) -> io::Result<Cow<'a, [u8]>> {
    let bytes = &batch[HEADER_BYTES..];
    match header.codec() {
        codec::NONE => Ok(Cow::Borrowed(bytes)),
        codec => codec::decompress(codec, bytes).map(Cow::Owned),
    }
}

/// Walks the records in `body`; `None` inside means the bytes are not records.
pub fn walk<'a>(body: &'a [u8], header: &'a Header) -> impl Iterator<Item = Option<Record<'a>>> + 'a {
    let mut rest = body;
    let mut left = header.records.max(0);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        left -= 1;
        let record = next(&mut rest, header);
        if record.is_none() {
            left = 0;
        }
        Some(record)
    })
}

/// All of them.
///
/// # Errors
/// The bytes are not records.
pub fn all<'a>(body: &'a [u8], header: &'a Header) -> io::Result<Vec<Record<'a>>> {
    let records: Option<Vec<_>> = walk(body, header).collect();
    records.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the bytes of a batch are not records"))
}

/// All of them, if they are as many as `header` says and nothing is left.
pub fn exactly<'a>(mut body: &'a [u8], header: &Header) -> Option<Vec<Record<'a>>> {
    let records: Option<Vec<_>> = (0..header.records).map(|_| next(&mut body, header)).collect();
    records.filter(|_| body.is_empty())
}

fn next<'a>(rest: &mut &'a [u8], header: &Header) -> Option<Record<'a>> {
    let length = usize::try_from(take_varint(rest)?).ok()?;
    let (mut body, after) = rest.split_at_checked(length)?;
    *rest = after;
    let (&attributes, after) = body.split_first()?;
    body = after;
    let timestamp_delta = take_varint(&mut body)?;
    let offset_delta = take_varint(&mut body)?;
    let rest = body;
    let key = bytes(&mut body)?;
    let has_value = take_varint(&mut body)? >= 0;
    let timestamp = match header.has_append_time() {
        true => header.max_timestamp,
        false => header.base_timestamp.wrapping_add(timestamp_delta),
    };
    Some(Record { timestamp, offset: header.base_offset.wrapping_add(offset_delta), key, has_value, attributes, rest })
}

/// The batch with only the records in `kept`: at their old offsets, under the old sequence, in the old codec. With a
/// `horizon` the batch says from when on its tombstones may go (KIP-534: the time stands where the base time did).
///
/// # Errors
/// The codec does not exist.
pub fn rebuild_with(batch: &[u8], header: &Header, kept: &[Record<'_>], horizon: Option<i64>) -> io::Result<Vec<u8>> {
    let base_timestamp = horizon.unwrap_or(header.base_timestamp);
    let mut body = Vec::with_capacity(batch.len());
    let mut one = Vec::new();
    for record in kept {
        one.clear();
        one.push(record.attributes);
        put_varint(&mut one, record.timestamp.wrapping_sub(base_timestamp));
        put_varint(&mut one, record.offset.wrapping_sub(header.base_offset));
        one.extend_from_slice(record.rest);
        put_varint(&mut body, one.len() as i64);
        body.extend_from_slice(&one);
    }
    let max_timestamp = match header.has_append_time() {
        true => header.max_timestamp,
        false => kept.iter().map(|record| record.timestamp).max().unwrap_or(header.max_timestamp),
    };
    let changed = Header { base_timestamp, max_timestamp, records: kept.len() as i32, ..*header };
    let changed = if horizon.is_some() { changed.with_horizon_bit() } else { changed };
    Ok(batch::assembled(batch, &changed, &codec::compress(header.codec(), &body)?))
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let Ok(length) = usize::try_from(take_varint(rest)?) else { return Some(None) };
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(Some(taken))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The bytes of records: key and value, each perhaps absent; times count up by one.
    pub(crate) fn encode(records: &[(Option<&str>, Option<&str>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (at, (key, value)) in records.iter().enumerate() {
            let mut record = vec![0];
            put_varint(&mut record, at as i64);
            put_varint(&mut record, at as i64);
            for field in [key, value] {
                put_varint(&mut record, field.map_or(-1, |text| text.len() as i64));
                record.extend_from_slice(field.unwrap_or_default().as_bytes());
            }
            put_varint(&mut record, 0);
            put_varint(&mut body, record.len() as i64);
            body.extend(record);
        }
        body
    }

    #[test]
    fn some_records_of_a_batch_stay_as_they_were_in_every_codec() {
        for codec in 0..=4 {
            let records = [(Some("a"), Some("1")), (Some("b"), None), (Some("c"), Some("3"))];
            let batch = batch::tests::keyed(&records, codec, (7, 0, 5), 1000);
            let header = Header { base_offset: 40, ..Header::read(&batch).unwrap() };
            let before = body(&batch, &header).unwrap();
            let kept = all(&before, &header).unwrap()[1..].to_vec();
            let again = rebuild_with(&batch, &header, &kept, Some(9_000)).unwrap();
            let changed = Header::read(&again).unwrap();
            assert!(batch::checksum_holds(&again, &changed));
            assert_eq!((changed.base_offset, changed.last_offset(), changed.records), (40, 42, 2));
            assert_eq!((changed.codec(), changed.base_sequence, changed.last_sequence()), (codec, 5, 7));
            assert_eq!((changed.delete_horizon(), changed.max_timestamp), (Some(9_000), 1002));
            let after = body(&again, &changed).unwrap();
            assert_eq!(all(&after, &changed).unwrap(), kept);
        }
    }

    #[test]
    fn every_cut_of_records_is_noticed() {
        let batch = batch::tests::keyed(&[(Some("a"), Some("1")), (None, None)], 0, (-1, -1, -1), 0);
        let header = Header::read(&batch).unwrap();
        let whole = body(&batch, &header).unwrap();
        assert!(all(&whole, &header).is_ok());
        for cut in 0..whole.len() {
            assert!(all(&whole[..cut], &header).is_err(), "cut at {cut}");
        }
    }
}
