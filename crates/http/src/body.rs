//! Request bodies: read whole, within bounds, as UTF-8.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use crate::problem::Problem;

/// What one listener holds of its clients at most.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections open at once; further ones wait in the kernel's queue. Default 8192.
    pub connections: usize,
    /// A connection on which nothing comes, or whose client takes nothing, for so long is closed; a body that pauses for so long is
    /// refused with 408. Default 30 s.
    pub idle: Duration,
    /// Bytes of one request body; a larger one is refused with 413. Default 64 MiB.
    pub body: usize,
    /// What all request bodies and the records in them may take up at once, in bytes; when it is used up, bodies are not read further
    /// until others are done, and after [`Bounds::idle`] refused with 503. Default 256 MiB.
    pub bodies: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { connections: 8192, idle: Duration::from_secs(30), body: 64 << 20, bodies: 256 << 20 }
    }
}

/// Reads bodies within [`Bounds`]. Cheap to clone.
///
/// Room is taken for what has come, not for what is announced: an announcement costs a client nothing. So bodies that have come in part may
/// wait for each other; [`Reader::last`] sees to it that one of them goes on.
#[derive(Clone)]
pub(crate) struct Reader {
    idle: Duration,
    max: usize,
    /// Room for all bodies, in units of [`UNIT`] bytes.
    room: Arc<Semaphore>,
    /// A place for one body beside the room for all. Whoever has it needs no more room, and so comes to an end.
    last: Arc<Semaphore>,
}

/// The grain in which room for bodies is counted, so that a 32 bit count of permits suffices.
const UNIT: usize = 1024;
/// What an object in a body may take up besides its text, while it waits as a record to be written.
const OBJECT: usize = 192;
/// What an announcement is believed in one go.
const RESERVED_MAX: usize = 1 << 20;
/// A body that comes slower than this in [`Bounds::idle`] is refused as one that pauses.
const PACE: usize = 16 << 10;

/// A body in memory, and the room it takes up until it is dropped.
pub(crate) struct Body {
    bytes: Bytes,
    _room: Room,
}

/// What one body has of the room for all.
#[derive(Default)]
struct Room {
    units: Option<OwnedSemaphorePermit>,
    last: Option<OwnedSemaphorePermit>,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Reader {
    pub(crate) fn new(bounds: &Bounds) -> Reader {
        let units = bounds.bodies.div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS);
        let room = Arc::new(Semaphore::new(units));
        Reader { idle: bounds.idle, max: bounds.body, room, last: Arc::new(Semaphore::new(1)) }
    }

    /// The whole body, as UTF-8 whatever Unicode encoding it came in (RFC 4627 §3, which the servers we replace follow).
    pub(crate) async fn read(&self, mut body: Incoming) -> Result<Body, Problem> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > self.max {
            return Err(self.too_large());
        }
        let (mut whole, mut joined) = (Bytes::new(), BytesMut::new());
        let (mut room, mut weight) = (Room::default(), 0);
        let (mut due, mut come) = (Instant::now() + self.idle, 0);
        while let Some(piece) = self.piece(&mut body, due).await? {
            if whole.len() + joined.len() + piece.len() > self.max {
                return Err(self.too_large());
            }
            weight += piece.len() + OBJECT * piece.iter().filter(|byte| **byte == b'{').count();
            let waited = self.take_room(&mut room, weight).await?;
            come += piece.len();
            if waited || come >= PACE {
                (due, come) = (Instant::now() + self.idle, 0);
            }
            // Most bodies are of one piece, which is not copied.
            if whole.is_empty() && joined.is_empty() {
                whole = piece;
                continue;
            }
            if joined.is_empty() {
                joined.reserve(announced.min(RESERVED_MAX));
                joined.extend_from_slice(&std::mem::take(&mut whole));
            }
            joined.extend_from_slice(&piece);
        }
        if !joined.is_empty() {
            whole = joined.freeze();
        }
        Ok(Body { bytes: into_utf8(whole)?, _room: room })
    }

    /// Widens `room` to hold `weight` bytes. True: it had to be waited for.
    async fn take_room(&self, room: &mut Room, weight: usize) -> Result<bool, Problem> {
        let held = room.units.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = weight.div_ceil(UNIT).saturating_sub(held);
        if missing == 0 || room.last.is_some() {
            return Ok(false);
        }
        let missing = u32::try_from(missing).map_err(|_| self.too_large())?;
        let at_once = Arc::clone(&self.room).try_acquire_many_owned(missing).ok();
        let waited = at_once.is_none();
        let units = match at_once {
            Some(units) => units,
            None => tokio::select! {
                biased;
                Ok(units) = Arc::clone(&self.room).acquire_many_owned(missing) => units,
                Ok(last) = Arc::clone(&self.last).acquire_owned() => {
                    room.last = Some(last);
                    return Ok(true);
                }
                () = sleep(self.idle) => return Err(Problem::generic(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Too many request bodies are being worked on. Nothing was done; send the request again later.",
                )),
            },
        };
        match &mut room.units {
            Some(held) => held.merge(units),
            none => *none = Some(units),
        }
        Ok(waited)
    }

    /// The next piece of data; trailers are passed over.
    async fn piece(&self, body: &mut Incoming, due: Instant) -> Result<Option<Bytes>, Problem> {
        loop {
            match timeout_at(due, body.frame()).await {
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
                    let message = format!(
                        "The request body did not come in time: at least {PACE} bytes, or what was left of it, were expected within {} s. Nothing was done.",
                        self.idle.as_secs()
                    );
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
