//! `POST …/records:batch`: a few records, each with an id under which it is answered (docs/reference/rest-v3.md §12).

use std::collections::HashSet;

use hyper::StatusCode;
use postern_json_text::{Reader, Token};
use postern_proxy::{AppendedRecords, Proxy, RecordGroup, SingleRecord, WrittenRecord, run_large};

use super::Target;
use super::document::{self, Failure as Unread, MAX_DEPTH, RecordMembers, Refusal, unknown};
use super::receipt::{Failure, Receipts, failure_of, write_failure};
use crate::body::BodyKind;
use crate::json_member::{self, kind_of};
use crate::problem::Problem;
use crate::produce_bounds::{ProduceBounds, RecordLimiter};
use crate::reply::Reply;
use crate::request_context::RequestContext;
use crate::router::Answer;

/// Characters of the id of an entry.
const ID_MAX: usize = 80;

/// Answers each entry of the batch by itself; a batch that cannot be read is refused as a whole.
pub(in crate::v3) fn batch(
    bounds: &ProduceBounds,
    limiter: &RecordLimiter,
) -> impl Fn(Proxy, RequestContext) -> Answer + Send + Sync + 'static {
    let (entries_max, limiter) = (bounds.batch_entries, limiter.clone());
    move |proxy, request| Box::pin(produce(proxy, request, entries_max, limiter.clone()))
}

async fn produce(
    proxy: Proxy,
    request: RequestContext,
    entries_max: usize,
    limiter: RecordLimiter,
) -> Result<Reply, Problem> {
    let (params, body) = request.read(BodyKind::Records).await?;
    let entries = run_large(body.len(), || read(&body, entries_max)).await?;
    let target = Target::new(proxy, &params);
    // Entries are appended in their order, and only then is the first waited for.
    let mut appended = Vec::with_capacity(entries.len());
    let mut unavailable: Option<Failure> = None;
    // Each counts as its share of the body.
    let bytes = body.len() / entries.len();
    for Entry { id, record } in entries {
        // A cluster that is away is waited for once, not once for each entry.
        let outcome = match (&unavailable, limiter.refuse(bytes)) {
            (Some(failure), _) => Err(failure.clone()),
            (None, Some(message)) => Err(Failure::new(429, &message)),
            (None, None) => append(&target, record).await,
        };
        unavailable = outcome.as_ref().err().filter(|failure| failure.is_for_topic).cloned();
        appended.push((id, outcome));
    }
    let receipts = Receipts::new(params.get("cluster"), params.get("topic"));
    let (mut successes, mut failures) = (String::new(), String::new());
    for (id, appended) in appended {
        let outcome = match appended {
            Ok((record, mut appended)) => match appended.delivered().await.pop() {
                Some(Ok(receipt)) => Ok((record, receipt)),
                Some(Err(failed)) => Err(failure_of(&failed)),
                None => unreachable!("one record was appended"),
            },
            Err(failure) => Err(failure),
        };
        let list = if outcome.is_ok() { &mut successes } else { &mut failures };
        list.push_str(if list.is_empty() { "{\"id\":\"" } else { ",{\"id\":\"" });
        list.push_str(&id);
        list.push_str("\",");
        match &outcome {
            Ok((record, receipt)) => receipts.write(record, receipt, list),
            Err(failure) => write_failure(failure, list),
        }
        list.push('}');
    }
    Ok(Reply::bytes(StatusCode::MULTI_STATUS, format!("{{\"successes\":[{successes}],\"failures\":[{failures}]}}")))
}

/// By itself: entries do not depend on each other, and may be large.
async fn append(target: &Target, record: SingleRecord<'_>) -> Result<(WrittenRecord, AppendedRecords), Failure> {
    let (mut bytes, mut group) = (Vec::with_capacity(64), RecordGroup::default());
    let encoded = target.encode(record, &mut bytes).await?;
    let written = group.push(encoded, &bytes);
    Ok((written, target.append(group).await?))
}

/// One record of a batch.
#[derive(Debug)]
struct Entry<'d> {
    /// Of letters, digits, `-` and `_`, so that it needs no escapes.
    id: String,
    record: SingleRecord<'d>,
}

/// Reads the body, and refuses what no entry can be answered for.
fn read(body: &[u8], entries_max: usize) -> Result<Vec<Entry<'_>>, Problem> {
    let text = document::utf8(body).map_err(refused)?;
    if matches!(text.trim_ascii(), "" | "null") {
        return Err(Problem::bad_batch("The request body is empty: expected an object with entries."));
    }
    let entries = members(text).map_err(|failure| refused(document::check(text, failure)))?;
    if entries.is_empty() {
        return Err(Problem::bad_batch("entries must not be empty: expected a list of at least one record."));
    }
    let mut seen = HashSet::with_capacity(entries.len());
    for (n, (id, _)) in entries.iter().enumerate() {
        let text = json_member::string(id).filter(|id| is_legal_id(id));
        let Some(text) = text else {
            return Err(Problem::bad_batch(json_member::wrong(
                &format!("entries[{n}].id"),
                &format!("a string of 1 to {ID_MAX} letters, digits, '-' and '_'"),
                id,
            )));
        };
        if !seen.insert(text.into_owned()) {
            return Err(Problem::bad_batch(format!(
                "entries[{n}].id: {id} stands there twice: each entry needs an id of its own."
            )));
        }
    }
    if entries.len() > entries_max {
        return Err(Problem::bad_batch(format!(
            "entries: expected at most {entries_max} records, found {}. Send them in several batches, or as a stream to …/records.",
            entries.len()
        )));
    }
    let entry =
        |(id, record): (&str, _)| Entry { id: json_member::string(id).unwrap_or_default().into_owned(), record };
    Ok(entries.into_iter().map(entry).collect())
}

fn is_legal_id(id: &str) -> bool {
    (1..=ID_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A refusal of the whole batch: nothing of it was written.
fn refused(refusal: Refusal) -> Problem {
    let message = format!("{} Nothing of the batch was written.", refusal.message());
    match refusal {
        Refusal::Syntax(_) | Refusal::Invalid(_) => Problem::bad_request(message),
        Refusal::Unknown(_) => Problem::unprocessable(message),
        Refusal::LargeSchema(_) => Problem::invalid_schema(message),
    }
}

const BATCH_MEMBERS: &[&str] = &["entries"];
const ENTRY_MEMBERS: &[&str] = &["id", "partition_id", "headers", "key", "value", "timestamp"];

/// The entries with the JSON texts of their ids.
fn members(text: &str) -> Result<Vec<(&str, SingleRecord<'_>)>, Unread> {
    let mut json = Reader::over(text, MAX_DEPTH);
    match json.next_token()? {
        Token::Object => {}
        other => {
            return Err(format!("The request body: expected an object with entries, found {}.", kind_of(other)).into());
        }
    }
    let mut entries = Vec::new();
    while let Some(name) = json.next_member()? {
        match &*name.unescaped()? {
            "entries" => entries = list(&mut json)?,
            other => return Err(unknown(other, "A batch", BATCH_MEMBERS)),
        }
    }
    json.end()?;
    Ok(entries)
}

fn list<'d>(json: &mut Reader<'d>) -> Result<Vec<(&'d str, SingleRecord<'d>)>, Unread> {
    match json.next_token()? {
        Token::Null => return Ok(Vec::new()),
        Token::Array => {}
        other => return Err(format!("entries: expected an array, found {}.", kind_of(other)).into()),
    }
    let mut entries = Vec::new();
    while json.next_element()? {
        let place = format!("entries[{}]", entries.len());
        match json.next_token()? {
            Token::Object => {}
            other => return Err(format!("{place}: expected an object, found {}.", kind_of(other)).into()),
        }
        let (mut id, mut record) = (None, RecordMembers::default());
        let prefix = format!("{place}.");
        while let Some(name) = json.next_member()? {
            let name = name.unescaped()?;
            if name == "id" {
                id = Some(json.skip_value()?);
            } else if !record.read(&name, &prefix, json)? {
                return Err(unknown(&name, &place, ENTRY_MEMBERS));
            }
        }
        let id = id.ok_or_else(|| format!("{place}.id is missing: each entry is answered under its id."))?;
        entries.push((id, record.record));
    }
    Ok(entries)
}
