//! `POST …/records`: any number of records in one request, answered one by one while it goes on (docs/reference/rest-v3.md §11.1).
//!
//! One task per request does two things at once: it reads documents and appends their records in order, and it waits for the broker's answers
//! in the same order and writes the receipts. Records that came together are appended together, so that they share what a record costs beside
//! its bytes; none waits for another one to come. Between the two is a queue of [`UNDER_WAY_MAX`] records; receipts that the client has not
//! read are held up to [`UNREAD_MAX`] bytes. When either is full the body is not read further. When the client leaves the task ends; records
//! that were appended are written all the same.

use std::future::ready;
use std::mem::take;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use opentelemetry::context::FutureExt;
use postern_proxy::{AppendedRecords, Proxy, RecordGroup, WrittenRecord, run_large};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use super::Target;
use super::document::{self, Refusal};
use super::receipt::{Failure, Receipts, failure_of, write_failure};
use super::splitter::{NotDocuments, Splitter};
use crate::answer_stream::{AnswerSender, NoMore, answer_stream};
use crate::body::BodyStream;
use crate::observe::continued;
use crate::problem::Problem;
use crate::produce_bounds::{ProduceBounds, RecordLimiter};
use crate::reply::Reply;
use crate::request_context::RequestContext;
use crate::router::Answer;

/// Records of one stream that wait for the broker's answer or for their turn in the response.
const UNDER_WAY_MAX: usize = 1024;
/// Records that are appended together, and their bytes but for the last one: less than a millisecond of work.
const GROUP_MAX: usize = 128;
const GROUP_BYTES: usize = 64 << 10;
/// Bytes of receipts that a client has not read yet: some tens of thousands of records, for clients that send all before they read.
const UNREAD_MAX: usize = 4 << 20;
/// Receipts that are handed over at once.
const RECEIPTS: usize = 16 << 10;
/// How long the rest of a body is read after an error has ended its stream. Clients that send all before they read get to see the error.
const DRAIN: Duration = Duration::from_secs(10);

/// Answers each record as soon as the broker has; the status is sent at once.
pub(in crate::v3) fn stream(
    bounds: &ProduceBounds,
    limiter: &RecordLimiter,
) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static {
    let (bounds, limiter) = (bounds.clone(), limiter.clone());
    move |proxy, request| {
        let started = start(proxy, request, bounds.clone(), limiter.clone());
        Box::pin(ready(started))
    }
}

fn start(
    proxy: Proxy,
    request: RequestContext,
    bounds: ProduceBounds,
    limiter: RecordLimiter,
) -> Result<Reply, Problem> {
    let content_type = request.head.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?").to_owned());
    if let Some(charset) = content_type.as_deref().and_then(charset_of)
        && !["utf-8", "iso-8859-1"].iter().any(|known| charset.eq_ignore_ascii_case(known))
    {
        return Err(Problem::bad_request(format!(
            "Content-Type has the charset {charset}: expected UTF-8, in which the records are read whatever it says, or ISO-8859-1."
        )));
    }
    let (params, body) = request.stream()?;
    if content_type.is_none() && body.is_empty() {
        return Err(Problem::payload("The request body is empty: expected records, one JSON object after another."));
    }
    let (answers, reply) = answer_stream();
    let (under_way, appended) = mpsc::channel(UNDER_WAY_MAX);
    let receipts = Receipts::new(params.get("cluster"), params.get("topic"));
    let target = Target::new(proxy, &params);
    let deadline = Instant::now() + bounds.stream_duration;
    let record_max = bounds.record.unwrap_or(body.max()).min(body.max());
    let work = async move {
        let room = Arc::new(Semaphore::new(UNDER_WAY_MAX));
        let reader = Reader { target, answers: &answers, under_way, room, deadline, record_max, bounds, limiter };
        let work = async { tokio::join!(reader.read(body), write(appended, &answers, &receipts)) };
        tokio::select! {
            _ = work => {}
            () = answers.left() => {}
        }
    };
    tokio::spawn(continued(work).with_current_context());
    Ok(Reply::stream(reply))
}

/// The charset that a `Content-Type` names.
fn charset_of(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1);
    let mut pairs = parameters.filter_map(|parameter| parameter.trim().split_once('='));
    pairs.find(|(name, _)| name.eq_ignore_ascii_case("charset")).map(|(_, charset)| charset.trim_matches('"'))
}

/// Documents that came together, until they are answered.
#[derive(Default)]
struct Group {
    documents: Vec<Document>,
    /// Of those that are records.
    records: RecordGroup,
}

impl Group {
    fn is_full(&self) -> bool {
        self.documents.len() >= GROUP_MAX || self.records.byte_len() >= GROUP_BYTES
    }
}

/// A document whose turn to be answered comes.
enum Document {
    Record(WrittenRecord),
    Failed(Failure),
}

/// A group whose turn to be answered comes.
struct UnderWay {
    documents: Vec<Document>,
    /// Its records, or why none of them was appended; `None`: it has none.
    appended: Option<Result<AppendedRecords, Failure>>,
    _room: OwnedSemaphorePermit,
}

/// Reads documents, and appends their records.
struct Reader<'a> {
    target: Target,
    answers: &'a AnswerSender,
    under_way: mpsc::Sender<UnderWay>,
    /// A permit for each document that has no answer.
    room: Arc<Semaphore>,
    /// When the stream has been open for too long.
    deadline: Instant,
    record_max: usize,
    bounds: ProduceBounds,
    limiter: RecordLimiter,
}

/// Why no more documents are read.
enum End {
    /// The body has ended.
    Whole,
    /// With this last answer; the rest of the body means nothing.
    Broken(Failure),
    /// Nobody reads answers any more.
    Gone,
}

impl Reader<'_> {
    async fn read(self, mut body: BodyStream) {
        let mut group = Group::default();
        let end = self.read_documents(&mut body, &mut group).await;
        if let End::Gone = end {
            return;
        }
        let is_broken = if let End::Broken(failure) = end {
            self.append(&mut group).await;
            group.documents.push(Document::Failed(failure));
            true
        } else {
            false
        };
        self.append(&mut group).await;
        if is_broken {
            // The response ends with what is in the queue.
            drop(self);
            let drain = async { while let Ok(Some(_)) = body.next().await {} };
            let _ = timeout(DRAIN, drain).await;
        }
    }

    async fn read_documents(&self, body: &mut BodyStream, group: &mut Group) -> End {
        let mut splitter = Splitter::default();
        let mut bytes = Vec::new();
        let over = self.deadline + self.bounds.stream_grace;
        loop {
            loop {
                match splitter.next() {
                    Ok(None) => break,
                    Ok(Some(document)) => {
                        if let Err(end) = self.take_in(&document, group, &mut bytes).await {
                            return end;
                        }
                        if group.is_full()
                            && let Err(end) = self.end_group(group, splitter.len(), body).await
                        {
                            return end;
                        }
                    }
                    Err(error) => return End::Broken(not_documents(&error)),
                }
            }
            if splitter.len() > self.record_max {
                self.append(group).await;
                return End::Broken(self.too_large());
            }
            if let Err(end) = self.end_group(group, splitter.len(), body).await {
                return end;
            }
            let piece = tokio::select! {
                biased;
                why = self.answers.no_more() => return match why {
                    NoMore::Gone | NoMore::Stalled => End::Gone,
                    NoMore::Stopping => End::Broken(Failure::new(
                        50302,
                        "The server is being stopped. What was sent after the last receipt was not written.",
                    )),
                },
                () = sleep_until(over) => return End::Broken(self.too_old()),
                piece = body.next() => piece,
            };
            match piece {
                Ok(Some(piece)) => {
                    if let Err(error) = splitter.push(&piece) {
                        return End::Broken(not_documents(&error));
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let message = format!("{error} What has no receipt was not written.");
                    return End::Broken(Failure::new(400, &message));
                }
            }
        }
        // What stands at the end of the body.
        loop {
            match splitter.rest() {
                Ok(None) => return End::Whole,
                Ok(Some(document)) => {
                    if let Err(end) = self.take_in(&document, group, &mut bytes).await {
                        return end;
                    }
                    if group.is_full()
                        && let Err(end) = self.end_group(group, splitter.len(), body).await
                    {
                        return end;
                    }
                }
                Err(error) => return End::Broken(not_documents(&error)),
            }
        }
    }

    /// Appends `group`, and waits until the client has read receipts enough for the next one. A few bytes of a body make a hundred of a receipt:
    /// what is not read counts as memory of the body, beside the `left` bytes of it that were not taken in.
    ///
    /// # Errors
    /// The stream ends here.
    async fn end_group(&self, group: &mut Group, left: usize, body: &mut BodyStream) -> Result<(), End> {
        self.append(group).await;
        yield_now().await;
        if self.answers.wait_for_room(UNREAD_MAX, body.idle()).await.is_err() {
            return Err(End::Gone);
        }
        if !body.account(left + self.answers.unread()).await {
            return Err(End::Broken(Failure::new(
                503,
                "Too many request bodies are being worked on. What was sent after the last receipt was not written; send it again later.",
            )));
        }
        Ok(())
    }

    /// Adds a document to `group`. `bytes` is a buffer.
    ///
    /// # Errors
    /// The stream ends with this document.
    async fn take_in(&self, document: &Bytes, group: &mut Group, bytes: &mut Vec<u8>) -> Result<(), End> {
        if document.len() > self.record_max {
            return Err(End::Broken(self.too_large()));
        }
        let taken = if Instant::now() >= self.deadline {
            Document::Failed(self.too_old())
        } else if let Some(message) = self.limiter.refuse(document.len()) {
            Document::Failed(Failure::new(429, &message))
        } else {
            match run_large(document.len(), || document::read(document)).await {
                Ok(record) => {
                    let encoded = {
                        let mut encode = pin!(self.target.encode(record, bytes));
                        let now = tokio::select! {
                            biased;
                            encoded = &mut encode => Some(encoded),
                            () = ready(()) => None,
                        };
                        match now {
                            Some(encoded) => encoded,
                            None => {
                                // It waits for the registry, or is large: those before it do not.
                                self.append(group).await;
                                encode.await
                            }
                        }
                    };
                    match encoded {
                        Ok(record) => Document::Record(group.records.push(record, bytes)),
                        Err(failure) => Document::Failed(failure),
                    }
                }
                Err(refusal @ Refusal::Syntax(_)) => return Err(End::Broken(refusal.into())),
                Err(refusal) => Document::Failed(refusal.into()),
            }
        };
        group.documents.push(taken);
        Ok(())
    }

    /// Appends what there is, and leaves `group` empty.
    async fn append(&self, group: &mut Group) {
        let Group { documents, records } = take(group);
        let Ok(count @ 1..) = u32::try_from(documents.len()) else { return };
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(count).await else { return };
        let appended = if records.is_empty() { None } else { Some(self.target.append(records).await) };
        // The other side of the queue ends after this one.
        let _ = self.under_way.send(UnderWay { documents, appended, _room: room }).await;
    }

    fn too_large(&self) -> Failure {
        // A setting has the answer that Confluent has for it.
        let code = if self.bounds.record.is_some() { 400 } else { 413 };
        let message = format!(
            "The record is larger than the {} bytes of JSON that are taken. It was not written, and nothing behind it is read.",
            self.record_max
        );
        Failure::new(code, &message)
    }

    fn too_old(&self) -> Failure {
        let message = format!(
            "The stream has been open for longer than the {} s that it may be. What is sent now is not written: send it in a new request.",
            self.bounds.stream_duration.as_secs()
        );
        Failure::new(408, &message)
    }
}

fn not_documents(error: &NotDocuments) -> Failure {
    let message = match error {
        NotDocuments::Between(character) => format!(
            "Between two records only white space may stand, found {character:?}. It and what is behind it was not read; the records before it have their answers."
        ),
        NotDocuments::Encoding(encoding) => {
            format!("The request body is not valid {encoding}. Nothing behind this place was read.")
        }
    };
    Failure::new(400, &message)
}

/// Waits for the broker's answers in the order of the records, and writes the receipts.
async fn write(mut appended: mpsc::Receiver<UnderWay>, answers: &AnswerSender, receipts: &Receipts) {
    let mut lines = String::with_capacity(RECEIPTS);
    loop {
        let next = match appended.try_recv() {
            Ok(next) => next,
            Err(_) => {
                hand_over(&mut lines, answers);
                match appended.recv().await {
                    Some(next) => next,
                    None => break,
                }
            }
        };
        let mut outcomes = match next.appended {
            None => Ok(Vec::new().into_iter()),
            Some(Err(failure)) => Err(failure),
            Some(Ok(mut records)) => {
                let now = tokio::select! {
                    biased;
                    outcomes = records.delivered() => Some(outcomes),
                    () = ready(()) => None,
                };
                let outcomes = match now {
                    Some(outcomes) => outcomes,
                    None => {
                        // What is ready must not wait for what is not.
                        hand_over(&mut lines, answers);
                        records.delivered().await
                    }
                };
                Ok(outcomes.into_iter())
            }
        };
        for document in next.documents {
            lines.push('{');
            match (document, &mut outcomes) {
                (Document::Failed(failure), _) => write_failure(&failure, &mut lines),
                (Document::Record(_), Err(failure)) => write_failure(failure, &mut lines),
                (Document::Record(record), Ok(outcomes)) => {
                    match outcomes.next().expect("each record has an outcome") {
                        Ok(receipt) => {
                            lines.push_str("\"error_code\":200,");
                            receipts.write(&record, &receipt, &mut lines);
                        }
                        Err(failed) => write_failure(&failure_of(&failed), &mut lines),
                    }
                }
            }
            lines.push_str("}\r\n");
        }
        if lines.len() >= RECEIPTS {
            hand_over(&mut lines, answers);
        }
    }
    answers.finish();
}

fn hand_over(lines: &mut String, answers: &AnswerSender) {
    if !lines.is_empty() {
        answers.push(lines.as_bytes());
        lines.clear();
    }
}
