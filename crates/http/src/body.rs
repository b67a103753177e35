//! Request bodies: read whole, within bounds, as UTF-8.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::problem::Problem;

/// What one listener holds of its clients at most.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections open at once; further ones wait in the kernel's queue. Default 8192.
    pub connections: usize,
    /// A connection on which nothing comes for so long is closed; a body that pauses for so long is refused with 408. Default 30 s.
    pub idle: Duration,
    /// Bytes of one request body; a larger one is refused with 413. Default 64 MiB.
    pub body: usize,
    /// Bytes of all request bodies at once; when they are used up, bodies are not read further until others are done. Default 256 MiB.
    pub bodies: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { connections: 8192, idle: Duration::from_secs(30), body: 64 << 20, bodies: 256 << 20 }
    }
}

/// Reads bodies within [`Bounds`]. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reader {
    idle: Duration,
    max: usize,
    /// Room for all bodies, in units of [`UNIT`] bytes.
    room: Arc<Semaphore>,
}

/// The grain in which room for bodies is counted, so that a 32 bit count of permits suffices.
const UNIT: usize = 1024;

/// A body in memory, and the room it takes up until it is dropped.
pub(crate) struct Body {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Reader {
    pub(crate) fn new(bounds: &Bounds) -> Reader {
        // No body may need more room than there is, or it would wait for ever.
        let bodies = bounds.bodies.max(bounds.body);
        Reader { idle: bounds.idle, max: bounds.body, room: Arc::new(Semaphore::new(bodies.div_ceil(UNIT) + 1)) }
    }

    /// The whole body, as UTF-8 whatever Unicode encoding it came in (RFC 4627 §3, which the servers we replace follow).
    pub(crate) async fn read(&self, mut body: Incoming) -> Result<Body, Problem> {
        let announced = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        // A body in chunks announces nothing; it is counted at the bound until it is there.
        let needed = announced.unwrap_or(self.max);
        if needed > self.max {
            return Err(self.too_large());
        }
        let mut room = match needed {
            0 => None,
            _ => Some(self.take_room(needed).await?),
        };
        let Some(mut whole) = self.frame(&mut body).await? else {
            return Ok(Body { bytes: Bytes::new(), _room: None });
        };
        if let Some(second) = self.frame(&mut body).await? {
            let mut joined = BytesMut::with_capacity(announced.unwrap_or(whole.len() + second.len()));
            joined.extend_from_slice(&whole);
            joined.extend_from_slice(&second);
            while let Some(next) = self.frame(&mut body).await? {
                if joined.len() + next.len() > self.max {
                    return Err(self.too_large());
                }
                joined.extend_from_slice(&next);
            }
            whole = joined.freeze();
        }
        if whole.len() > self.max {
            return Err(self.too_large());
        }
        if announced.is_none() {
            room = room.and_then(|mut room| room.split(whole.len().div_ceil(UNIT)));
        }
        Ok(Body { bytes: into_utf8(whole)?, _room: room })
    }

    async fn take_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| self.too_large())?;
        match timeout(self.idle, Arc::clone(&self.room).acquire_many_owned(units)).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Problem::generic(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many request bodies are being worked on. Nothing was done; send the request again later.",
            )),
        }
    }

    /// The next piece of data; trailers are passed over.
    async fn frame(&self, body: &mut Incoming) -> Result<Option<Bytes>, Problem> {
        loop {
            match timeout(self.idle, body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Ok(Some(Err(error))) => {
                    return Err(Problem::bad_request(format!(
                        "The request body broke off: {error}. Nothing was done."
                    )));
                }
                Err(_) => {
                    let message =
                        format!("Nothing of the request body came for {} s. Nothing was done.", self.idle.as_secs());
                    return Err(Problem::generic(StatusCode::REQUEST_TIMEOUT, message));
                }
            }
        }
    }

    fn too_large(&self) -> Problem {
        let message = format!(
            "The request body is larger than the {} bytes that are taken. Send the records in several requests.",
            self.max
        );
        Problem::generic(StatusCode::PAYLOAD_TOO_LARGE, message)
    }
}

/// Tells UTF-8, UTF-16 and UTF-32 apart by the first bytes, as JSON parsers do: a text begins with an ASCII character.
fn into_utf8(bytes: Bytes) -> Result<Bytes, Problem> {
    let broken = |encoding: &str| Problem::bad_request(format!("The request body is not valid {encoding}."));
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| pair.try_into().map(unit).unwrap_or(0xD800));
        char::decode_utf16(units).collect::<Result<String, _>>().map(Bytes::from).map_err(|_| broken("UTF-16"))
    };
    let utf32 = |bytes: &[u8], unit: fn([u8; 4]) -> u32| {
        let units = bytes.chunks(4).map(|four| four.try_into().ok().and_then(|four| char::from_u32(unit(four))));
        units.collect::<Option<String>>().map(Bytes::from).ok_or_else(|| broken("UTF-32"))
    };
    match *bytes.as_ref() {
        [0xEF, 0xBB, 0xBF, ..] => Ok(bytes.slice(3..)),
        [0, 0, 0xFE, 0xFF, ref rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xFF, 0xFE, 0, 0, ref rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0xFE, 0xFF, ref rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xFF, 0xFE, ref rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0, 0, 0, _, ..] => utf32(&bytes, u32::from_be_bytes),
        [_, 0, 0, 0, ..] => utf32(&bytes, u32::from_le_bytes),
        [0, _, ..] => utf16(&bytes, u16::from_be_bytes),
        [_, 0, ..] => utf16(&bytes, u16::from_le_bytes),
        // Whether it is good UTF-8 is for the JSON reader to see, which must look at every byte anyway.
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_apart() {
        let text = "{\"a\":\"ü😀\"}";
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let utf32: Vec<u32> = text.chars().map(u32::from).collect();
        let bodies: [Vec<u8>; 7] = [
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            [vec![0xFF, 0xFE], utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect()].concat(),
            utf32.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            utf32.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        ];
        for (n, body) in bodies.into_iter().enumerate() {
            assert_eq!(into_utf8(Bytes::from(body)).expect("good text"), text.as_bytes(), "body {n}");
        }
    }

    #[test]
    fn broken_text_is_refused() {
        assert!(into_utf8(Bytes::from_static(b"{\0}")).is_err(), "half a unit");
        assert!(into_utf8(Bytes::from_static(b"{\0\0\0\x11\x22\x33\x44")).is_err(), "no character");
    }
}
