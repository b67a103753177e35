//! Answers that are sent while their request is still being worked on.
//!
//! What was answered and not read yet is held here, so that a client may send all it has before it reads. The side that works on the request
//! looks at how much that is and reads no further beyond a bound ([`AnswerSender::wait_for_room`]); adding an answer never waits. The body
//! of the response takes what is there, as the connection has room for it. Whose memory is counted elsewhere is handed over as a whole
//! ([`AnswerSender::push_whole`]): it is in use until the connection has written the last byte.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::observe::ApiCounters;

/// Bytes handed to hyper at once.
const CHUNK: usize = 16 << 10;

/// The client has not read its response in time: its stream is reset.
#[derive(Debug, thiserror::Error)]
#[error("the client does not read its response")]
pub(crate) struct Stalled;

impl From<Infallible> for Stalled {
    fn from(never: Infallible) -> Stalled {
        match never {}
    }
}

/// A new stream of answers: the side that adds them, and the side that is the body of the response.
pub(crate) fn answer_stream() -> (AnswerSender, AnswerStream) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            whole: VecDeque::new(),
            last: BytesMut::new(),
            unread: 0,
            waker: None,
            since: Instant::now(),
            end: None,
            has_left: false,
            is_stopping: false,
        }),
        changed: Notify::new(),
    });
    (AnswerSender(shared.clone()), AnswerStream { shared, stopped: None, counters: None })
}

struct Shared {
    state: Mutex<State>,
    /// Something was read, or the client has left, or the server is being stopped. Only the sender waits for it.
    changed: Notify,
}

struct State {
    /// What comes before `last`.
    whole: VecDeque<Bytes>,
    /// Small answers, one behind the other.
    last: BytesMut,
    /// Bytes in both.
    unread: usize,
    waker: Option<Waker>,
    /// When hyper last took a part.
    since: Instant,
    end: Option<Result<(), Stalled>>,
    has_left: bool,
    is_stopping: bool,
}

impl State {
    /// Whether an answer still counts.
    fn is_open(&mut self) -> bool {
        if self.has_left || self.end.is_some() {
            return false;
        }
        if self.unread == 0 {
            // An empty stream is not one that is not read.
            self.since = Instant::now();
        }
        true
    }

    fn add_whole(&mut self, answer: Bytes) {
        if !self.last.is_empty() {
            self.whole.push_back(self.last.split().freeze());
        }
        self.unread += answer.len();
        self.whole.push_back(answer);
    }

    /// The next piece; empty: there is none.
    fn next(&mut self) -> Bytes {
        let piece = match self.whole.front_mut() {
            Some(first) => first.split_to(first.len().min(CHUNK)),
            None => {
                let length = self.last.len().min(CHUNK);
                self.last.split_to(length).freeze()
            }
        };
        if self.whole.front().is_some_and(Bytes::is_empty) {
            self.whole.pop_front();
        }
        self.unread -= piece.len();
        piece
    }

    fn clear(&mut self) {
        (self.whole, self.last, self.unread) = (VecDeque::new(), BytesMut::new(), 0);
    }
}

/// Adds answers. Dropped, it ends the response.
pub(crate) struct AnswerSender(Arc<Shared>);

/// Why a response is not continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoMore {
    /// The client is gone.
    Gone,
    /// The client does not read.
    Stalled,
    /// The server is being stopped.
    Stopping,
}

impl AnswerSender {
    /// Adds an answer. It never waits, and does nothing for a client that has left.
    pub(crate) fn push(&self, answer: &[u8]) {
        let mut state = self.0.state.lock();
        if state.is_open() {
            state.last.extend_from_slice(answer);
            state.unread += answer.len();
            wake(state);
        }
    }

    /// The same of one that is not copied: its memory is given back when the connection has written all of it, or has ended.
    pub(crate) fn push_whole(&self, answer: Bytes) {
        let mut state = self.0.state.lock();
        if state.is_open() && !answer.is_empty() {
            state.add_whole(answer);
            wake(state);
        }
    }

    /// Waits until at most `max` bytes are unread. A client that takes nothing for `idle` meanwhile is given up.
    pub(crate) async fn wait_for_room(&self, max: usize, idle: Duration) -> Result<(), NoMore> {
        loop {
            let changed = self.0.changed.notified();
            let deadline = {
                let mut state = self.0.state.lock();
                if state.has_left {
                    return Err(NoMore::Gone);
                }
                if state.unread <= max {
                    return Ok(());
                }
                let deadline = state.since + idle;
                if deadline <= Instant::now() {
                    state.clear();
                    state.end = Some(Err(Stalled));
                    wake(state);
                    return Err(NoMore::Stalled);
                }
                deadline
            };
            let _ = timeout_at(deadline, changed).await;
        }
    }

    /// Bytes that are unread now.
    pub(crate) fn unread(&self) -> usize {
        self.0.state.lock().unread
    }

    /// Resolves when nobody will read a further answer, or when no further request should be read. Never after [`AnswerSender::finish`].
    pub(crate) async fn no_more(&self) -> NoMore {
        loop {
            let changed = self.0.changed.notified();
            {
                let state = self.0.state.lock();
                if state.end.is_none() && state.has_left {
                    return NoMore::Gone;
                }
                if state.end.is_none() && state.is_stopping {
                    return NoMore::Stopping;
                }
            }
            changed.await;
        }
    }

    /// Resolves when nobody will read a further answer. Never after [`AnswerSender::finish`].
    pub(crate) async fn left(&self) {
        loop {
            let changed = self.0.changed.notified();
            {
                let state = self.0.state.lock();
                if state.end.is_none() && state.has_left {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Ends the response with an error: it is not whole, and must not look so.
    pub(crate) fn break_off(&self) {
        let mut state = self.0.state.lock();
        if state.end.is_none() {
            state.end = Some(Err(Stalled));
            wake(state);
        }
    }

    /// Ends the response after what was added.
    pub(crate) fn finish(&self) {
        let mut state = self.0.state.lock();
        if state.end.is_none() {
            state.end = Some(Ok(()));
            wake(state);
        }
    }
}

impl Drop for AnswerSender {
    fn drop(&mut self) {
        self.finish();
    }
}

fn wake(mut state: parking_lot::MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The body of the response. Dropped, it tells the sender that the client has left.
pub struct AnswerStream {
    shared: Arc<Shared>,
    /// Resolves when the server is being stopped.
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    counters: Option<Arc<ApiCounters>>,
}

impl fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerStream").finish_non_exhaustive()
    }
}

impl AnswerStream {
    /// The same stream, whose sender is told when the server is being stopped.
    pub(crate) fn until(mut self, mut stopped: watch::Receiver<bool>) -> AnswerStream {
        self.stopped = Some(Box::pin(async move {
            if stopped.wait_for(|stopped| *stopped).await.is_err() {
                // The server was dropped, and the connection goes with it.
                std::future::pending().await
            }
        }));
        self
    }

    /// The same stream, whose bytes are counted as they are sent.
    pub(crate) fn counted(mut self, counters: Arc<ApiCounters>) -> AnswerStream {
        self.counters = Some(counters);
        self
    }

    /// The next piece; `None`: the response has ended.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Stalled>> {
        if let Some(stopped) = &mut self.stopped
            && stopped.as_mut().poll(context).is_ready()
        {
            self.stopped = None;
            self.shared.state.lock().is_stopping = true;
            self.shared.changed.notify_waiters();
        }
        let mut state = self.shared.state.lock();
        if state.unread == 0 {
            return match state.end.take() {
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
                Some(end) => {
                    state.end = Some(Ok(()));
                    Poll::Ready(end.map(|()| None))
                }
            };
        }
        state.since = Instant::now();
        let piece = state.next();
        drop(state);
        self.shared.changed.notify_waiters();
        if let Some(counters) = &self.counters {
            counters.sent.fetch_add(piece.len() as u64, Relaxed);
        }
        Poll::Ready(Ok(Some(piece)))
    }
}

impl Drop for AnswerStream {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.has_left = true;
        state.clear();
        drop(state);
        self.shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::timeout;

    use super::*;

    const IDLE: Duration = Duration::from_secs(30);

    async fn next(stream: &mut AnswerStream) -> Result<Option<Bytes>, Stalled> {
        poll_fn(|context| stream.poll_next(context)).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_sender_waits_until_what_is_unread_is_within_its_bound() {
        let (sender, mut stream) = answer_stream();
        sender.push(&[b'x'; CHUNK + 10]);
        assert_eq!(sender.wait_for_room(CHUNK + 10, IDLE).await, Ok(()));
        let waiting = async {
            sender.wait_for_room(10, IDLE).await.expect("the client is there");
            sender.push(b"y");
            sender.finish();
        };
        let reading = async {
            tokio::time::sleep(IDLE / 2).await;
            let mut pieces = Vec::new();
            while let Some(piece) = next(&mut stream).await.expect("it is read") {
                pieces.push(piece.len());
            }
            pieces
        };
        let ((), pieces) = tokio::join!(waiting, reading);
        assert_eq!(pieces.iter().sum::<usize>(), CHUNK + 11);
        assert_eq!(pieces[0], CHUNK);
    }

    /// Bytes that tell when they are dropped.
    struct Counted {
        bytes: Vec<u8>,
        _in_use: Arc<()>,
    }

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }

    #[tokio::test]
    async fn a_whole_answer_keeps_its_place_and_is_in_use_until_its_last_piece_is_dropped() {
        let (sender, mut stream) = answer_stream();
        let in_use = Arc::new(());
        sender.push(b"a");
        let counted = Counted { bytes: vec![b'b'; CHUNK + 1], _in_use: in_use.clone() };
        sender.push_whole(Bytes::from_owner(counted));
        sender.push(b"c");
        assert_eq!(sender.unread(), CHUNK + 3);
        let mut pieces = Vec::new();
        for _ in 0..4 {
            pieces.push(next(&mut stream).await.expect("it is read").expect("a piece"));
        }
        assert_eq!(sender.unread(), 0);
        let all = pieces.concat();
        assert!(all.starts_with(b"ab") && all.ends_with(b"bc") && all.len() == CHUNK + 3);
        assert_eq!(Arc::strong_count(&in_use), 2, "the connection has not written it");
        drop(pieces);
        assert_eq!(Arc::strong_count(&in_use), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_given_up_and_its_response_ends_with_an_error() {
        let (sender, mut stream) = answer_stream();
        sender.push(b"abc");
        assert_eq!(sender.wait_for_room(2, IDLE).await, Err(NoMore::Stalled));
        assert_eq!(sender.unread(), 0, "the memory is free");
        assert!(next(&mut stream).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_sender_learns_that_the_client_has_left_and_that_the_server_is_being_stopped() {
        let (sender, stream) = answer_stream();
        let (stop, stopped) = watch::channel(false);
        let mut stream = stream.until(stopped);
        assert!(
            timeout(IDLE, async {
                tokio::select! { _ = sender.no_more() => {}, _ = next(&mut stream) => {} }
            })
            .await
            .is_err()
        );
        stop.send_replace(true);
        let why =
            tokio::select! { why = sender.no_more() => why, _ = next(&mut stream) => panic!("nothing was answered") };
        assert_eq!(why, NoMore::Stopping);
        drop(stream);
        sender.left().await;
        assert_eq!(sender.wait_for_room(0, IDLE).await, Err(NoMore::Gone));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_is_dropped_ends_the_response() {
        let (sender, mut stream) = answer_stream();
        sender.push(b"abc");
        drop(sender);
        assert_eq!(next(&mut stream).await.expect("whole").as_deref(), Some(&b"abc"[..]));
        assert_eq!(next(&mut stream).await.expect("whole"), None);
    }
}
