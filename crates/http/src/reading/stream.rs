//! Streams of records: an answer that goes on until its client leaves or the server is stopped.
//!
//! One task per stream reads a part, hands it to the body of the answer ([`crate::answer_stream`]) and reads the next one when the connection
//! has taken all of it: a client that reads slowly holds up its own stream only, and what it does not read stays with the broker. What is on
//! its way counts as memory for answers until it is written; where that is scarce, a stream waits for its share before it reads. Records of a
//! consumer instance count as read when the connection has taken them. While there is nothing, a comment or an empty line keeps it alive.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use parking_lot::Mutex;
use postern_proxy::{
    AnswerShare, ClusterError, ConsumerError, Error, ErrorKind, InstanceName, PartitionPosition, PositionReset, Proxy,
    ReadAnswer, ReadLimits, TopicReader,
};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use super::layout::check_id;
use super::{Framing, Positions, RecordObject, framed, hung_up};
use crate::answer_stream::{AnswerSender, NoMore, answer_stream};
use crate::body::Bounds;
use crate::client_connection::ClientConnection;
use crate::problem::{Problem, problem};
use crate::reply::{Reply, to_json};
use crate::request_context::RequestContext;

/// Text that is read at once, and so held for a client that does not read; a single record may be larger.
const PART: usize = 64 << 10;
/// After so long without progress of the client, what was fetched ahead for it is dropped.
const KEEP_FETCHED: Duration = Duration::from_secs(2);
/// How long an instance is kept from other operations while there is nothing to read.
const INSTANCE_WAIT: Duration = Duration::from_millis(500);
/// How long a read waits for records while it holds memory for which others wait.
const SHARE_WAIT: Duration = Duration::from_secs(1);
/// After so long a browser connects anew.
const RETRY: &[u8] = b"retry: 2000\n";

/// What all streams of a listener share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RecordStreams {
    streams: Arc<Semaphore>,
    max: usize,
    /// A client that takes nothing for so long is given up.
    idle: Duration,
    keep_alive: Duration,
}

/// Where the records of a stream come from.
pub(crate) enum Source {
    /// Partitions of a topic, without a group; all of its partitions or chosen ones.
    Topic(Box<TopicReader>, bool),
    /// The stream of this number of an instance.
    Instance(Proxy, InstanceName, u64),
}

/// The place of a stream among those that there may be.
pub(crate) type StreamPermit = OwnedSemaphorePermit;

/// One stream.
struct RecordStream<R> {
    source: Source,
    framing: Framing,
    object: R,
    positions: Positions,
    idle: Duration,
    keep_alive: Duration,
    /// When something was sent last.
    sent: Instant,
}

impl RecordStreams {
    pub(crate) fn new(bounds: &Bounds) -> RecordStreams {
        let max = bounds.record_streams.clamp(1, Semaphore::MAX_PERMITS);
        let streams = Arc::new(Semaphore::new(max));
        RecordStreams { streams, max, idle: bounds.idle, keep_alive: bounds.keep_alive }
    }

    /// A place for one more stream, or 503.
    pub(crate) fn permit(&self) -> Result<StreamPermit, Problem> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            Problem::generic(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("There are {} streams of records, as many as there may be. Try again later.", self.max),
            )
        })
    }

    /// The answer: records of `source` from `positions` on, each as an `object`.
    pub(crate) fn open<R: RecordObject>(
        &self,
        permit: StreamPermit,
        request: &RequestContext,
        source: Source,
        object: R,
        positions: Positions,
    ) -> Reply {
        if request.head.method == Method::HEAD {
            return self.head(request);
        }
        let framing = Framing::of(request.media_type);
        let (idle, keep_alive) = (self.idle, self.keep_alive);
        let sent = Instant::now();
        let stream = RecordStream { source, framing, object, positions, idle, keep_alive, sent };
        with_headers(stream.spawn(permit, request.client()))
    }

    /// The same without the stream.
    pub(crate) fn head(&self, request: &RequestContext) -> Reply {
        let media_type = HeaderValue::from_static(request.media_type);
        with_headers(Reply::empty(StatusCode::OK).header(CONTENT_TYPE, media_type))
    }
}

/// Neither kept nor held back by what stands in between.
fn with_headers(reply: Reply) -> Reply {
    reply
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))
}

impl<R: RecordObject> RecordStream<R> {
    fn spawn(mut self, permit: StreamPermit, client: Option<ClientConnection>) -> Reply {
        let (answers, body) = answer_stream();
        tokio::spawn(async move {
            let _permit = permit;
            tokio::select! {
                biased;
                () = hung_up(client) => {}
                // The client has left, or the server is being stopped.
                _ = answers.no_more() => {}
                () = self.run(&answers) => {}
            }
        });
        Reply::stream(body)
    }

    async fn run(&mut self, answers: &AnswerSender) {
        self.push_opening(answers).await;
        let mut followed = Instant::now();
        self.sent = followed;
        // What the next read may need of the memory for answers.
        let mut expected = 0;
        loop {
            let share = self.wait_for_share(expected, answers).await;
            let (mut answer, positions) = match self.read(share).await {
                Ok(read) => read,
                Err(Error::Consumer(ConsumerError::NoMemory { needed })) => {
                    expected = needed;
                    continue;
                }
                Err(Error::Consumer(ConsumerError::NoFetchMemory)) => {
                    self.keep_alive_if_due(answers);
                    continue;
                }
                // A broker that has not heard of the topic says the same as one that has heard of its end.
                Err(Error::Cluster(error)) if self.may_be_gone(&error) => match self.follow().await {
                    Ok(()) => continue,
                    Err(error) => return self.push_failure(&error, answers),
                },
                // Clients connect anew, to another server or a later one.
                Err(Error::Stopping) => return,
                Err(error) => return self.push_failure(&error, answers),
            };
            self.push_resets(answers).await;
            if !answer.text().is_empty() {
                expected = answer.text().len();
                answers.push_whole(Bytes::from_owner(answer.take_text()));
                if !self.wait_until_read(answers).await {
                    return;
                }
                self.sent = Instant::now();
            }
            self.positions.clone_from(&positions.lock());
            self.keep_alive_if_due(answers);
            answer.accept();
            if followed.elapsed() >= self.keep_alive {
                followed = Instant::now();
                if let Err(error) = self.follow().await {
                    return self.push_failure(&error, answers);
                }
            }
        }
    }

    /// Where memory for answers is scarce, waits for a share of it and holds nothing meanwhile.
    async fn wait_for_share(&mut self, expected: usize, answers: &AnswerSender) -> Option<AnswerShare> {
        let proxy = match &self.source {
            Source::Topic(reader, _) => reader.proxy().clone(),
            Source::Instance(proxy, ..) => proxy.clone(),
        };
        let mut share = pin!(proxy.stream_share(expected));
        loop {
            match timeout_at(self.sent + self.keep_alive, &mut share).await {
                Ok(share) => return share,
                Err(_) => self.keep_alive_if_due(answers),
            }
        }
    }

    /// One part, and the positions after it.
    async fn read(&mut self, share: Option<AnswerShare>) -> Result<(ReadAnswer, Arc<Mutex<Positions>>), Error> {
        let names_topics = matches!(self.source, Source::Instance(..));
        let (layout, positions) = framed(self.framing, self.object.clone(), names_topics, self.positions.clone());
        // Others wait for the share.
        let wait = if share.is_some() { SHARE_WAIT.min(self.keep_alive) } else { self.keep_alive };
        let limits = |wait, stream| ReadLimits { wait: Some(wait), max_bytes: Some(PART), stream: Some(stream), share };
        let answer = match &mut self.source {
            Source::Topic(reader, _) => reader.read(limits(wait, 0), &layout).await?,
            Source::Instance(proxy, at, stream) => {
                let limits = limits(INSTANCE_WAIT.min(wait), *stream);
                proxy.read(at, limits, |_| true, Box::new(layout)).await?
            }
        };
        Ok((answer, positions))
    }

    /// Whether the client goes on reading: the connection has taken all there was.
    async fn wait_until_read(&mut self, answers: &AnswerSender) -> bool {
        let taken = tokio::select! {
            biased;
            taken = answers.wait_for_room(0, self.idle) => Some(taken),
            () = sleep(KEEP_FETCHED) => None,
        };
        let taken = match taken {
            Some(taken) => taken,
            None => {
                // An instance does so by itself.
                if let Source::Topic(reader, _) = &mut self.source {
                    reader.discard_fetched();
                }
                answers.wait_for_room(0, self.idle).await
            }
        };
        if taken == Err(NoMore::Stalled) {
            let seconds = self.idle.as_secs();
            tracing::info!(seconds, "a stream of records was ended: its client has taken nothing for so long");
        }
        taken.is_ok()
    }

    fn may_be_gone(&self, error: &ClusterError) -> bool {
        matches!(self.source, Source::Topic(..)) && error.kind == ErrorKind::UnknownTopic
    }

    /// Looks whether the topic is still there, and for partitions that it has got since.
    async fn follow(&mut self) -> Result<(), Error> {
        if let Source::Topic(reader, is_whole) = &mut self.source {
            for partition in reader.follow_topic(*is_whole).await? {
                self.positions.add(partition.0);
            }
        }
        Ok(())
    }

    /// Says of which partitions records are missing, or come again, because they do not have the one that the client would be sent next.
    async fn push_resets(&mut self, answers: &AnswerSender) {
        #[derive(Serialize)]
        struct Reset {
            partition: i32,
            asked: i64,
            earliest: i64,
            latest: i64,
            message: String,
        }
        let Source::Topic(reader, _) = &mut self.source else { return };
        for PositionReset { partition, asked, earliest, latest } in reader.take_resets().await {
            let message = format!(
                "Partition {partition} has the offsets {earliest} to {latest} and not {asked}, which comes next for this client: records were \
                 deleted, or the topic was made again. It goes on at {earliest}."
            );
            let reset = Reset { partition: partition.0, asked, earliest, latest, message };
            self.push_event("reset", &to_json(&reset), answers);
        }
    }

    /// The id of the place where the stream begins, so that a client that is cut off before the first record misses none: behind what is to
    /// be said of that place, or a client that is cut off between them would never hear of it.
    async fn push_opening(&mut self, answers: &AnswerSender) {
        if self.framing == Framing::Events {
            answers.push(RETRY);
        }
        self.push_resets(answers).await;
        if self.framing == Framing::Events {
            let mut opening = Vec::new();
            let positions = self.positions.text();
            if !positions.is_empty() {
                opening.extend_from_slice(format!("id: {positions}\n").as_bytes());
            }
            opening.push(b'\n');
            answers.push(&opening);
        }
    }

    fn keep_alive_if_due(&mut self, answers: &AnswerSender) {
        if self.sent.elapsed() >= self.keep_alive {
            answers.push(self.keep_alive_text());
            self.sent = Instant::now();
        }
    }

    fn keep_alive_text(&self) -> &'static [u8] {
        match self.framing {
            Framing::Events => b":\n\n",
            Framing::Lines | Framing::List => b"\n",
        }
    }

    /// The last thing of a stream that cannot go on.
    fn push_failure(&self, error: &Error, answers: &AnswerSender) {
        self.push_event("failure", &problem(R::DIALECT, error).into_json(), answers);
    }

    /// What is no record, and moves no position.
    fn push_event(&self, kind: &str, json: &[u8], answers: &AnswerSender) {
        match self.framing {
            Framing::Events => {
                answers.push(&[b"event: ", kind.as_bytes(), b"\ndata: ", json, b"\n\n"].concat());
            }
            Framing::Lines | Framing::List => answers.push(&[json, b"\n"].concat()),
        }
    }
}

/// Begins a stream of an instance, behind the last event that its client has; where the client does not say, where the instance is.
///
/// # Errors
/// 409: the instance has nothing to read, or more partitions than an event can name.
pub(crate) async fn begin_stream(
    proxy: Proxy,
    at: InstanceName,
    framing: Framing,
    resumed: Option<Vec<PartitionPosition>>,
) -> Result<(Source, Positions), Error> {
    let begun = proxy.begin_stream(&at, resumed.clone()).await?;
    // Where nothing is assigned at the moment the client is where it was.
    let positions = if begun.positions.is_empty() { resumed.unwrap_or_default() } else { begun.positions };
    let positions = Positions::of_partitions(&positions);
    if framing == Framing::Events {
        check_id(&positions)?;
    }
    Ok((Source::Instance(proxy, at, begun.number), positions))
}
