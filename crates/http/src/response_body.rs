//! Response bodies, and the memory that responses may use until their clients have read them.
//!
//! A response is complete in memory before it is sent, so clients that request much and read slowly would cost much. Bodies above
//! [`SMALL`] count against a budget of the listener until the socket has taken them. Over HTTP/2 a client can close the window of a single
//! stream while the connection looks alive: bodies are handed to hyper in chunks there, and one that makes no progress is dropped
//! ([`Streams`]).

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode, Version};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer_stream::{AnswerStream, Stalled};
use crate::budget::{ByteBudget, Growth, Permit};
use crate::negotiate::JSON;
use crate::problem::Problem;
use crate::reply::{ReplyBody, add_retry_after};

/// Bodies up to so many bytes are not accounted: connections and streams are bounded in number.
const SMALL: usize = 16 << 10;
/// Bytes handed to hyper at once over HTTP/2.
const CHUNK: usize = 16 << 10;
/// The share of the budget that responses may have which wait for it: they are in memory as well. Further ones are refused immediately.
const WAITING_SHARE: usize = 4;
/// How long a response waits for the budget.
const WAIT: Duration = Duration::from_secs(5);

/// The memory for the responses of one listener. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ResponseBudget {
    bytes: ByteBudget,
    waiting: ByteBudget,
}

impl ResponseBudget {
    pub(crate) fn new(bytes: usize) -> ResponseBudget {
        ResponseBudget { bytes: ByteBudget::new(bytes), waiting: ByteBudget::new(bytes / WAITING_SHARE) }
    }

    /// Takes the memory of `response` from the budget and makes it ready to be sent. Without memory it becomes a 503 if the request `is_safe`
    /// (RFC 9110 §9.2.1), as the client can repeat it; otherwise the client has to learn what was done, and gets the response all the same.
    pub(crate) async fn admit(
        &self,
        response: Response<ReplyBody>,
        is_safe: bool,
        version: Version,
        streams: &Streams,
        stopped: &watch::Receiver<bool>,
    ) -> Response<ResponseBody> {
        let mut permit = Permit::default();
        let (head, body) = response.into_parts();
        let mut response = match body {
            ReplyBody::Bytes(bytes) => Response::from_parts(head, bytes),
            ReplyBody::Stream(answers) => {
                return Response::from_parts(head, ResponseBody::Stream(answers.until(stopped.clone())));
            }
        };
        let length = response.body().len();
        if length > SMALL && !self.grow(&mut permit, length).await && is_safe {
            refuse(&mut response);
            permit = Permit::default();
        }
        response.map(|bytes| match version {
            Version::HTTP_2 if !bytes.is_empty() => ResponseBody::Chunks(streams.add(bytes, permit)),
            _ if bytes.len() <= SMALL => ResponseBody::Whole(Some(bytes)),
            _ => ResponseBody::Whole(Some(Bytes::from_owner(Accounted { bytes, _permit: permit }))),
        })
    }

    async fn grow(&self, permit: &mut Permit, length: usize) -> bool {
        let mut waited = Duration::ZERO;
        if self.bytes.grow(permit, length, &mut waited, Duration::ZERO).await != Growth::TimedOut {
            return true;
        }
        let Some(_waiting) = self.waiting.try_take(length) else { return false };
        self.bytes.grow(permit, length, &mut waited, WAIT).await != Growth::TimedOut
    }
}

fn refuse(response: &mut Response<Bytes>) {
    const MESSAGE: &str =
        "Too much memory is in use for responses that other clients have not read yet. Send the request again later.";
    let refusal = Problem::generic(StatusCode::SERVICE_UNAVAILABLE, MESSAGE);
    *response.status_mut() = refusal.status;
    add_retry_after(response);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    *response.body_mut() = refusal.into_json().into();
}

/// Bytes whose memory is given back to the budget when the last reference is dropped.
struct Accounted {
    bytes: Bytes,
    _permit: Permit,
}

impl AsRef<[u8]> for Accounted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The responses that are being sent over one connection of HTTP/2. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<Vec<Weak<Stream>>>>);

/// One of them.
pub(crate) struct Stream(Mutex<Progress>);

struct Progress {
    /// What has not been handed to hyper yet; `None`: dropped because the client does not read it.
    rest: Option<Accounted>,
    /// When hyper last took a part.
    since: Instant,
}

impl Streams {
    fn add(&self, bytes: Bytes, permit: Permit) -> Arc<Stream> {
        let rest = Some(Accounted { bytes, _permit: permit });
        let stream = Arc::new(Stream(Mutex::new(Progress { rest, since: Instant::now() })));
        let mut streams = self.0.lock();
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&stream));
        stream
    }

    /// Drops the responses of which the client has read nothing for `idle`. Returns whether there was one.
    pub(crate) fn drop_stalled(&self, idle: Duration) -> bool {
        let mut stalled = false;
        for stream in self.0.lock().iter().filter_map(Weak::upgrade) {
            let mut progress = stream.0.lock();
            if progress.since.elapsed() >= idle {
                progress.rest = None;
                stalled = true;
            }
        }
        stalled
    }
}

/// The body of a response.
pub(crate) enum ResponseBody {
    /// At once.
    Whole(Option<Bytes>),
    /// In chunks, as the client reads them.
    Chunks(Arc<Stream>),
    /// Piece by piece, while the request is worked on.
    Stream(AnswerStream),
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Stalled;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Stalled>>> {
        Poll::Ready(match self.get_mut() {
            ResponseBody::Whole(bytes) => {
                bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes)))
            }
            ResponseBody::Chunks(stream) => stream.next().transpose().map(|chunk| chunk.map(Frame::data)),
            ResponseBody::Stream(answers) => match answers.poll_next(context) {
                Poll::Ready(piece) => piece.transpose().map(|piece| piece.map(Frame::data)),
                Poll::Pending => return Poll::Pending,
            },
        })
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            ResponseBody::Whole(bytes) => bytes.as_ref().map_or(0, Bytes::len) as u64,
            // A response that was dropped is not at its end: the error comes next.
            ResponseBody::Chunks(stream) => stream.0.lock().rest.as_ref().map_or(1, |rest| rest.bytes.len()) as u64,
            ResponseBody::Stream(_) => return SizeHint::default(),
        })
    }
}

impl Stream {
    /// The next chunk. It is a copy: a slice would keep the whole response in memory while it waits for the client.
    fn next(&self) -> Result<Option<Bytes>, Stalled> {
        let mut progress = self.0.lock();
        progress.since = Instant::now();
        let Accounted { bytes, .. } = progress.rest.as_mut().ok_or(Stalled)?;
        let length = bytes.len().min(CHUNK);
        Ok((length > 0).then(|| Bytes::copy_from_slice(&bytes.split_to(length))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn response(length: usize) -> Response<ReplyBody> {
        Response::new(Bytes::from(vec![b'x'; length]).into())
    }

    fn never() -> watch::Receiver<bool> {
        watch::channel(false).1
    }

    #[tokio::test(start_paused = true)]
    async fn without_memory_reads_are_refused_and_writes_are_answered() {
        let (budget, streams) = (ResponseBudget::new(100_000), Streams::default());
        let admit =
            async |length, is_safe| budget.admit(response(length), is_safe, Version::HTTP_11, &streams, &never()).await;
        // One response may exceed the budget, beside those within it.
        let held = [admit(90_000, true).await, admit(200_000, true).await];
        assert_eq!(admit(SMALL, true).await.status(), 200);
        let refused = admit(90_000, true).await;
        assert_eq!(
            (refused.status(), refused.headers()[CONTENT_TYPE].as_bytes()),
            (StatusCode::SERVICE_UNAVAILABLE, JSON.as_bytes())
        );
        let written = admit(90_000, false).await;
        assert_eq!((written.status(), written.body().size_hint().exact()), (StatusCode::OK, Some(90_000)));
        drop(held);
        assert_eq!(admit(90_000, true).await.status(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_a_quarter_of_the_budget_and_the_rest_is_refused_at_once() {
        let (budget, streams) = (ResponseBudget::new(400 << 10), Streams::default());
        let admit = async |length| {
            let begun = Instant::now();
            let admitted = budget.admit(response(length), true, Version::HTTP_11, &streams, &never()).await;
            (admitted, begun.elapsed())
        };
        let _held = [admit(400 << 10).await, admit(400 << 10).await];
        let (waits, too_much, too_large, small) =
            tokio::join!(admit(60 << 10), admit(60 << 10), admit(200 << 10), admit(SMALL));
        let of = |(admitted, waited): &(Response<ResponseBody>, Duration)| (admitted.status().as_u16(), *waited);
        assert_eq!(of(&waits), (503, WAIT));
        assert_eq!((of(&too_much), of(&too_large)), ((503, Duration::ZERO), (503, Duration::ZERO)));
        assert_eq!(of(&small), (200, Duration::ZERO));
        // Nothing waits any more.
        assert_eq!(of(&admit(60 << 10).await), (503, WAIT));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_when_the_bytes_are_gone_not_when_the_body_is() {
        let (budget, streams) = (ResponseBudget::new(100_000), Streams::default());
        let admit = async |length| budget.admit(response(length), true, Version::HTTP_11, &streams, &never()).await;
        let overflow = admit(200_000).await;
        let bytes = admit(100_000).await.into_body().collect().await.expect("not stalled").to_bytes();
        assert_eq!(admit(90_000).await.status(), 503);
        drop(bytes);
        assert_eq!(admit(90_000).await.status(), 200);
        drop(overflow);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_not_read_is_dropped_and_its_stream_ends_with_an_error() {
        const IDLE: Duration = Duration::from_secs(30);
        let (budget, streams) = (ResponseBudget::new(1 << 20), Streams::default());
        let admit =
            async |length| budget.admit(response(length), true, Version::HTTP_2, &streams, &never()).await.into_body();
        let (mut read, mut stalled) = (admit(100_000).await, admit(100_000).await);
        let mut length = 0;
        for _ in 0..2 {
            tokio::time::advance(2 * IDLE / 3).await;
            length += read.frame().await.expect("more").expect("not stalled").into_data().expect("data").len();
            streams.drop_stalled(IDLE);
        }
        assert!(stalled.frame().await.expect("an error").is_err());
        assert_eq!(read.collect().await.expect("not stalled").to_bytes().len() + length, 100_000);
    }
}
