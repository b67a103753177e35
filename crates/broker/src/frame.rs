//! Frames: length, header, body; and the check that makes a body safe to decode.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

use crate::request_layout::{self, Field};

/// The header of a request without its tagged fields.
#[derive(Debug)]
pub(crate) struct RequestHeader {
    pub(crate) api_key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<StrBytes>,
}

/// Why the connection is closed. No response is possible: where the next frame begins is unknown, or not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the length of the frame is {length} bytes, expected 0 to {max}")]
    Length { length: i32, max: usize },
    #[error("the request header is incomplete")]
    Header,
    #[error("API {0} is not supported")]
    UnknownApi(i16),
    #[error("version {version} of API {api_key} is not supported")]
    UnsupportedVersion { api_key: i16, version: i16 },
    #[error("the body is not a request of API {api_key}, version {version}")]
    Body { api_key: i16, version: i16 },
}

/// Splits one whole frame, without its length, off the front of `input`; `None` if it is not complete yet.
pub(crate) fn split_first(input: &mut BytesMut, max_bytes: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(&length) = input.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(length);
    let size = usize::try_from(length).ok().filter(|size| *size <= max_bytes);
    let size = size.ok_or(FrameError::Length { length, max: max_bytes })?;
    if input.len() < 4 + size {
        // Grown as the bytes arrive: an announced length alone reserves little.
        input.reserve((4 + size - input.len()).min(1 << 20));
        return Ok(None);
    }
    input.advance(4);
    Ok(Some(input.split_to(size).freeze()))
}

/// The announced size of a frame that, after [`split_first`], is not complete.
pub(crate) fn announced_len(input: &BytesMut) -> Option<usize> {
    input.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize)
}

/// Reads the header but for its tagged fields, which depend on the API.
pub(crate) fn read_header(frame: &mut Bytes) -> Result<RequestHeader, FrameError> {
    if frame.len() < 10 {
        return Err(FrameError::Header);
    }
    let (api_key, version, correlation_id) = (frame.get_i16(), frame.get_i16(), frame.get_i32());
    let client_id = match frame.get_i16() {
        -1 => None,
        length => {
            let length = usize::try_from(length).ok().filter(|n| *n <= frame.len()).ok_or(FrameError::Header)?;
            Some(StrBytes::from_utf8(frame.split_to(length)).map_err(|_| FrameError::Header)?)
        }
    };
    Ok(RequestHeader { api_key, version, correlation_id, client_id })
}

/// Checks that the body has the layout of the API's request, so that the decoder never allocates for elements that are
/// not there. Returns the body behind the header's tagged fields, and the number of elements of its arrays.
pub(crate) fn check_body(
    header: &RequestHeader,
    mut frame: Bytes,
    fields: &'static [Field],
    flexible: bool,
) -> Result<(Bytes, usize), FrameError> {
    if flexible {
        let tagged_fields = request_layout::tagged_fields_len(&frame).ok_or(FrameError::Header)?;
        frame.advance(tagged_fields);
    }
    let elements = request_layout::count_elements(&frame, fields, header.version, flexible);
    let elements = elements.ok_or(FrameError::Body { api_key: header.api_key, version: header.version })?;
    Ok((frame, elements))
}
