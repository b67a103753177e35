//! Frames: length, header, body; and the check that makes a body safe to decode.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
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
    #[error("this looks like TLS: the broker speaks plaintext, set security.protocol=PLAINTEXT")]
    Tls,
    #[error("this looks like HTTP: the REST proxy and the schema registry have ports of their own")]
    Http,
    #[error("the request header is incomplete")]
    Header,
    #[error("API {} is not supported", api_name(*.0))]
    UnknownApi(i16),
    #[error("version {version} of API {} is not supported", api_name(*api_key))]
    UnsupportedVersion { api_key: i16, version: i16 },
    #[error("the body is not a request of API {}, version {version}", api_name(*api_key))]
    Body { api_key: i16, version: i16 },
}

/// `3 (Metadata)`, with a hint where clients can be set not to use the API.
fn api_name(key: i16) -> String {
    match ApiKey::try_from(key) {
        Ok(api @ ApiKey::ConsumerGroupHeartbeat) => format!("{key} ({api:?}; set group.protocol=classic)"),
        Ok(api) => format!("{key} ({api:?})"),
        Err(()) => key.to_string(),
    }
}

/// Which other protocol a client speaks whose first bytes are no valid length.
fn other_protocol(input: &[u8]) -> Option<FrameError> {
    const METHODS: [&[u8]; 8] = [b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC", b"PRI "];
    match input {
        // A handshake record of any version of SSL 3 or TLS.
        [0x16, 0x03, ..] => Some(FrameError::Tls),
        _ if METHODS.iter().any(|method| input.starts_with(method)) => Some(FrameError::Http),
        _ => None,
    }
}

/// Splits one whole frame, without its length, off the front of `input`; `None` if it is not complete yet.
pub(crate) fn split_first(input: &mut BytesMut, max_bytes: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(&length) = input.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(length);
    let size = usize::try_from(length).ok().filter(|size| *size <= max_bytes);
    let Some(size) = size else {
        return Err(other_protocol(input).unwrap_or(FrameError::Length { length, max: max_bytes }));
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_other_protocols_are_recognised() {
        let error = |input: &[u8]| split_first(&mut BytesMut::from(input), 100 << 20).unwrap_err();
        assert_eq!(error(b"\x16\x03\x01\x02\0\x01"), FrameError::Tls);
        assert_eq!(error(b"GET / HTTP/1.1\r\n"), FrameError::Http);
        assert_eq!(error(b"PRI * HTTP/2.0\r\n"), FrameError::Http);
        assert_eq!(error(&[0xff; 4]), FrameError::Length { length: -1, max: 100 << 20 });
        let message = FrameError::UnknownApi(ApiKey::ConsumerGroupHeartbeat as i16).to_string();
        assert_eq!(message, "API 68 (ConsumerGroupHeartbeat; set group.protocol=classic) is not supported");
    }
}
