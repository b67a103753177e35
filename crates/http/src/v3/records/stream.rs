//! `POST …/records`: any number of records in one request, answered one by one while it goes on (docs/reference/rest-v3.md §11.1).
//!
//! One task per request does two things at once: it reads documents and appends their records in order, and it waits for the broker's answers
//! in the same order and writes the receipts. Between the two is a queue of [`UNDER_WAY_MAX`] records; receipts that the client has not read
//! are held up to [`UNREAD_MAX`] bytes. When either is full the body is not read further. When the client leaves the task ends; records that
//! were appended are written all the same.

use std::future::ready;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use opentelemetry::context::FutureExt;
use postern_proxy::{AppendedRecord, Proxy, run_large};
use tokio::sync::mpsc;
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
        let reader = Reader { target, answers: &answers, under_way, deadline, record_max, bounds, limiter };
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

/// A record whose turn to be answered comes.
enum UnderWay {
    Appended(AppendedRecord),
    Failed(Failure),
}

/// Reads documents, and appends their records.
struct Reader<'a> {
    target: Target,
    answers: &'a AnswerSender,
    under_way: mpsc::Sender<UnderWay>,
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
        match self.read_documents(&mut body).await {
            End::Whole | End::Gone => {}
            End::Broken(failure) => {
                let _ = self.under_way.send(UnderWay::Failed(failure)).await;
                // The response ends with what is in the queue.
                drop(self);
                let drain = async { while let Ok(Some(_)) = body.next().await {} };
                let _ = timeout(DRAIN, drain).await;
            }
        }
    }

    async fn read_documents(&self, body: &mut BodyStream) -> End {
        let mut splitter = Splitter::default();
        let over = self.deadline + self.bounds.stream_grace;
        loop {
            loop {
                match splitter.next() {
                    Ok(None) => break,
                    Ok(Some(document)) => {
                        if let Some(end) = self.answer(document).await {
                            return end;
                        }
                    }
                    Err(error) => return End::Broken(not_documents(&error)),
                }
            }
            if splitter.len() > self.record_max {
                return End::Broken(self.too_large());
            }
            if self.answers.wait_for_room(UNREAD_MAX, body.idle()).await.is_err() {
                return End::Gone;
            }
            if !body.account(splitter.len() + self.answers.unread()).await {
                return End::Broken(Failure::new(
                    503,
                    "Too many request bodies are being worked on. What was sent after the last receipt was not written; send it again later.",
                ));
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
                Ok(None) => return self.answer_rest(&mut splitter).await,
                Err(error) => {
                    let message = format!("{error} What has no receipt was not written.");
                    return End::Broken(Failure::new(400, &message));
                }
            }
        }
    }

    /// Answers what stands at the end of the body.
    async fn answer_rest(&self, splitter: &mut Splitter) -> End {
        loop {
            match splitter.rest() {
                Ok(None) => return End::Whole,
                Ok(Some(document)) => {
                    if let Some(end) = self.answer(document).await {
                        return end;
                    }
                }
                Err(error) => return End::Broken(not_documents(&error)),
            }
        }
    }

    /// Appends the record of a document, or answers why it is none. `Some`: the stream ends.
    async fn answer(&self, document: Bytes) -> Option<End> {
        if document.len() > self.record_max {
            return Some(End::Broken(self.too_large()));
        }
        let under_way = if Instant::now() >= self.deadline {
            UnderWay::Failed(self.too_old())
        } else if let Some(message) = self.limiter.refuse(document.len()) {
            UnderWay::Failed(Failure::new(429, &message))
        } else {
            match run_large(document.len(), || document::read(&document)).await {
                Ok(record) => match self.target.append(record).await {
                    Ok(appended) => UnderWay::Appended(appended),
                    Err(failure) => UnderWay::Failed(failure),
                },
                Err(refusal @ Refusal::Syntax(_)) => return Some(End::Broken(refusal.into())),
                Err(refusal) => UnderWay::Failed(refusal.into()),
            }
        };
        // The other side of the queue ends after this one.
        self.under_way.send(under_way).await.err().map(|_| End::Gone)
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
        lines.push('{');
        match next {
            UnderWay::Failed(failure) => write_failure(&failure, &mut lines),
            UnderWay::Appended(mut record) => {
                let now = tokio::select! {
                    biased;
                    outcome = record.delivered() => Some(outcome),
                    () = ready(()) => None,
                };
                let outcome = match now {
                    Some(outcome) => outcome,
                    None => {
                        // What is ready must not wait for what is not; its brace comes later.
                        lines.pop();
                        hand_over(&mut lines, answers);
                        lines.push('{');
                        record.delivered().await
                    }
                };
                match outcome {
                    Ok(receipt) => {
                        lines.push_str("\"error_code\":200,");
                        receipts.write(&record, &receipt, &mut lines);
                    }
                    Err(failed) => write_failure(&failure_of(&failed), &mut lines),
                }
            }
        }
        lines.push_str("}\r\n");
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
