//! Frames: length, header, body; and what may be decoded without trusting the counts it announces.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

use crate::shape::{self, Field};

/// What stands before the body of every request.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) api_key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<StrBytes>,
}

/// Why the connection is closed. Nothing can be answered: where the next frame begins is not known, or not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadFrame {
    Length(i32),
    Header,
    UnknownApi(i16),
    UnsupportedVersion { api_key: i16, version: i16 },
    Body { api_key: i16, version: i16 },
}

impl std::fmt::Display for BadFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadFrame::Length(length) => write!(f, "a frame of {length} bytes is announced"),
            BadFrame::Header => write!(f, "the request header is not whole"),
            BadFrame::UnknownApi(key) => write!(f, "API {key} is not served"),
            BadFrame::UnsupportedVersion { api_key, version } => {
                write!(f, "version {version} of API {api_key} is not served")
            }
            BadFrame::Body { api_key, version } => {
                write!(f, "the body is not a request of API {api_key}, version {version}")
            }
        }
    }
}

/// Takes one whole frame, without its length, off the front of `input`; `None` if it is not all there yet.
pub(crate) fn take(input: &mut BytesMut, max_bytes: usize) -> Result<Option<Bytes>, BadFrame> {
    let Some(&length) = input.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(length);
    let size = usize::try_from(length).ok().filter(|size| *size <= max_bytes).ok_or(BadFrame::Length(length))?;
    if input.len() < 4 + size {
        // Grown as the bytes arrive: an announced length alone reserves little.
        input.reserve((4 + size - input.len()).min(1 << 20));
        return Ok(None);
    }
    input.advance(4);
    Ok(Some(input.split_to(size).freeze()))
}

/// The size of a frame that has begun and, after [`take`], is not all there.
pub(crate) fn begun(input: &BytesMut) -> Option<usize> {
    input.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize)
}

/// Reads the header but for its tagged fields, which depend on the API.
pub(crate) fn head(frame: &mut Bytes) -> Result<Head, BadFrame> {
    if frame.len() < 10 {
        return Err(BadFrame::Header);
    }
    let (api_key, version, correlation_id) = (frame.get_i16(), frame.get_i16(), frame.get_i32());
    let client_id = match frame.get_i16() {
        -1 => None,
        length => {
            let length = usize::try_from(length).ok().filter(|n| *n <= frame.len()).ok_or(BadFrame::Header)?;
            Some(StrBytes::from_utf8(frame.split_to(length)).map_err(|_| BadFrame::Header)?)
        }
    };
    Ok(Head { api_key, version, correlation_id, client_id })
}

/// Checks that the body has the form of the API's request, so that the decoder never reserves room for elements that
/// are not there. Answers the body behind the header's tagged fields.
pub(crate) fn checked(
    head: &Head,
    mut frame: Bytes,
    fields: &'static [Field],
    flexible: bool,
) -> Result<Bytes, BadFrame> {
    let bad = BadFrame::Body { api_key: head.api_key, version: head.version };
    if flexible {
        let tags = shape::tagged_bytes(&frame).ok_or(BadFrame::Header)?;
        frame.advance(tags);
    }
    match shape::holds(&frame, fields, head.version, flexible) {
        true => Ok(frame),
        false => Err(bad),
    }
}
