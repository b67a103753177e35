//! Streams of records: an answer that goes on until its client leaves or the server is stopped.
//!
//! One task per stream reads a part, hands it to the body of the answer ([`crate::answer_stream`]) and reads the next one when the connection
//! has taken all of it: a client that reads slowly holds up its own stream only, and what it does not read stays with the broker. Records of
//! a consumer instance count as read at the same moment. While there is nothing, a comment or an empty line keeps the connection alive.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use parking_lot::Mutex;
use postern_proxy::{
    Error, InstanceName, PartitionName, Position, Proxy, ReadAnswer, ReadLimits, SeekTarget, TopicReader,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::{Framing, Positions, RecordObject, framed, hung_up};
use crate::answer_stream::{AnswerSender, answer_stream};
use crate::body::Bounds;
use crate::client_connection::ClientConnection;
use crate::problem::{Problem, problem};
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// Text that is read at once, and so held for a client that does not read; a single record may be larger.
const PART: usize = 64 << 10;
/// After so long without progress of the client, what was fetched ahead for it is dropped.
const KEEP_FETCHED: Duration = Duration::from_secs(2);
/// How long an instance is kept from other operations while there is nothing to read.
const INSTANCE_WAIT: Duration = Duration::from_millis(500);
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
    Instance(Proxy, InstanceName),
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
        let reply = if request.head.method == Method::HEAD {
            Reply::empty(StatusCode::OK)
        } else {
            let framing = Framing::of(request.media_type);
            let (idle, keep_alive) = (self.idle, self.keep_alive);
            let stream = RecordStream { source, framing, object, positions, idle, keep_alive };
            stream.spawn(permit, request.client())
        };
        // Neither kept nor held back by what stands in between.
        reply
            .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .header(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))
    }
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
        self.push_opening(answers);
        let (mut sent, mut followed) = (Instant::now(), Instant::now());
        loop {
            let (mut answer, positions) = match self.read().await {
                Ok(read) => read,
                // Clients connect anew, to another server or a later one.
                Err(Error::Stopping) => return,
                Err(error) => return self.push_failure(&error, answers),
            };
            if !answer.text().is_empty() {
                answers.push(&answer.take_text());
                if !self.wait_until_read(answers).await {
                    return;
                }
                self.positions.clone_from(&positions.lock());
                sent = Instant::now();
            } else if sent.elapsed() >= self.keep_alive {
                answers.push(self.keep_alive_text());
                sent = Instant::now();
            }
            answer.accept();
            if followed.elapsed() >= self.keep_alive {
                followed = Instant::now();
                if let Err(error) = self.follow().await {
                    return self.push_failure(&error, answers);
                }
            }
        }
    }

    /// One part, and the positions after it.
    async fn read(&mut self) -> Result<(ReadAnswer, Arc<Mutex<Positions>>), Error> {
        let names_topics = matches!(self.source, Source::Instance(..));
        let (layout, positions) = framed(self.framing, self.object.clone(), names_topics, self.positions.clone());
        let limits = |wait| ReadLimits { wait: Some(wait), max_bytes: Some(PART), streams: true };
        let answer = match &mut self.source {
            Source::Topic(reader, _) => reader.read(limits(self.keep_alive), &layout).await?,
            Source::Instance(proxy, at) => {
                let wait = INSTANCE_WAIT.min(self.keep_alive);
                proxy.read(at, limits(wait), |_| true, Box::new(layout)).await?
            }
        };
        Ok((answer, positions))
    }

    /// Whether the client goes on reading: the connection has taken all there was.
    async fn wait_until_read(&mut self, answers: &AnswerSender) -> bool {
        tokio::select! {
            biased;
            room = answers.wait_for_room(0, self.idle) => return room.is_ok(),
            () = sleep(KEEP_FETCHED) => {}
        }
        // An instance does so by itself.
        if let Source::Topic(reader, _) = &mut self.source {
            reader.discard_fetched();
        }
        answers.wait_for_room(0, self.idle).await.is_ok()
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

    /// The id of the place where the stream begins, so that a client that is cut off before the first record misses none.
    fn push_opening(&self, answers: &AnswerSender) {
        if self.framing == Framing::Events {
            let mut opening = RETRY.to_vec();
            let positions = self.positions.text();
            if !positions.is_empty() {
                opening.extend_from_slice(format!("id: {positions}\n").as_bytes());
            }
            opening.push(b'\n');
            answers.push(&opening);
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
        let json = problem(R::DIALECT, error).into_json();
        match self.framing {
            Framing::Events => {
                answers.push(&[b"event: failure\ndata: ", json.as_slice(), b"\n\n"].concat());
            }
            Framing::Lines | Framing::List => answers.push(&[json.as_slice(), b"\n"].concat()),
        }
    }
}

/// Moves an instance back to where the client of an earlier stream was, as far as it still has the partitions. `None`: the positions are
/// those of a stream without an instance.
pub(crate) async fn resume(proxy: &Proxy, at: &InstanceName, positions: &Positions) -> Option<Result<(), Error>> {
    let places = positions.of_topics()?;
    let target = |(topic, partition, offset): (&str, i32, i64)| {
        (PartitionName { topic: topic.to_owned(), partition }, Position::Offset(offset))
    };
    Some(proxy.seek(at, SeekTarget::IfAssigned(places.into_iter().map(target).collect())).await)
}
