//! Fetch (1), versions 4 to 18: whole batches from an offset on, or a wait until there are some.
//!
//! A request that finds less than `min_bytes` registers with its partitions and is woken by the append itself; the
//! timer is only for the end of `max_wait_ms`. Where bytes in flight leave no room for so much, the answer is smaller, or
//! comes later. The first batch is answered even if it is larger than asked. Every
//! answer is of a full fetch (session 0). Isolation levels are one and the same without transactions, and the high
//! watermark is the end of the log. Not done: sessions, fetching from followers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::FetchTopic;
use kafka_protocol::messages::{ApiKey, FetchRequest};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::fetched::{Fetched, FetchedPartition, FetchedTopic};
use super::{Call, Cut, unless_stopping};
use crate::code;
use crate::node::Node;
use crate::room::{Taken, keep};
use crate::topics::Topic;
use postern_log::{FetchError, Partition};

/// Whatever the client asks for, an answer is not (much) larger.
const MOST_BYTES: i32 = 55 * 1024 * 1024;

/// The isolation level that asks for aborted transactions.
const READ_COMMITTED: i8 = 1;

/// A partition asked for, found or not.
struct Wanted {
    index: i32,
    offset: i64,
    max_bytes: i32,
    partition: Result<Arc<Partition>, i16>,
}

struct WantedTopic {
    asked: FetchTopic,
    partitions: Vec<Wanted>,
}

pub(super) async fn answer(node: &Arc<Node>, call: &Call<'_>, request: FetchRequest) -> Result<Fetched, Cut> {
    let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
    let max_bytes = request.max_bytes.clamp(0, MOST_BYTES);
    let min_bytes = request.min_bytes.clamp(0, max_bytes) as usize;
    if request.session_id != 0 && request.session_epoch > 0 {
        return Ok(Fetched { error: code(ResponseError::FetchSessionIdNotFound), ..Fetched::default() });
    }
    let mut wanted = Vec::with_capacity(request.topics.len());
    for asked in request.topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        wanted.push(look_up(node, call, asked).await?);
    }
    let names_aborted = request.isolation_level == READ_COMMITTED;
    let waiter = Arc::new(Notify::new());
    loop {
        let (mut read, room) = read_within(node, &wanted, max_bytes as usize, names_aborted).await?;
        // What there is no room for is not waited for.
        let is_enough = read.bytes >= min_bytes || (read.bytes > 0 && read.limit < min_bytes);
        let is_due = is_enough || read.has_error || Instant::now() >= deadline;
        if is_due || wanted.is_empty() {
            read.response.room = Some(room);
            return Ok(read.response);
        }
        drop(room);
        let registered: Vec<_> = wanted
            .iter()
            .flat_map(|topic| &topic.partitions)
            .zip(&read.seen)
            .filter_map(|(want, seen)| Some((want.partition.as_ref().ok()?, *seen)))
            .collect();
        let quiet = registered.iter().all(|(partition, seen)| partition.wait(*seen, &waiter));
        let mut stopping = false;
        if quiet {
            tokio::select! {
                () = waiter.notified() => {}
                () = sleep_until(deadline) => {}
                () = node.stopping() => stopping = true,
            }
        }
        for (partition, _) in &registered {
            partition.stop_waiting(&waiter);
        }
        if stopping {
            return Ok(read.response);
        }
    }
}

async fn look_up(node: &Arc<Node>, call: &Call<'_>, mut asked: FetchTopic) -> Result<WantedTopic, Cut> {
    let by_id = call.version >= 13;
    let topic = if by_id { node.topics.find_id(asked.topic_id) } else { node.topics.find(&asked.topic) };
    let name = topic.as_ref().map_or(&asked.topic.0, |topic| &topic.name);
    let fault = call.fault(node, ApiKey::Fetch, Some(name)).await?;
    let missing = if by_id { ResponseError::UnknownTopicId } else { ResponseError::UnknownTopicOrPartition };
    let find = |index: i32, leader_epoch: i32, last_fetched_epoch: i32| match (&topic, fault) {
        (_, Some(error)) => Err(error),
        (None, None) => Err(code(missing)),
        (Some(_), None) if leader_epoch > 0 => Err(code(ResponseError::UnknownLeaderEpoch)),
        // No record is of a later epoch than the first.
        (Some(_), None) if last_fetched_epoch > 0 => Err(code(ResponseError::OffsetOutOfRange)),
        (Some(topic), None) => Topic::partition(topic, index).ok_or(code(ResponseError::UnknownTopicOrPartition)),
    };
    let partitions = std::mem::take(&mut asked.partitions)
        .into_iter()
        .map(|part| Wanted {
            index: part.partition,
            offset: part.fetch_offset,
            max_bytes: part.partition_max_bytes,
            partition: find(part.partition, part.current_leader_epoch, part.last_fetched_epoch),
        })
        .collect();
    Ok(WantedTopic { asked, partitions })
}

/// What is there now, as much as there is room for, and the room that it takes.
async fn read_within(
    node: &Arc<Node>,
    wanted: &[WantedTopic],
    max_bytes: usize,
    names_aborted: bool,
) -> Result<(Read, Taken), Cut> {
    let mut room = unless_stopping(node, node.room.answer_up_to(max_bytes)).await?;
    let mut found = read(wanted, room.num_permits(), names_aborted);
    if found.bytes > room.num_permits() {
        // One batch, larger than what was free: it is read when it can be counted.
        drop(room);
        room = unless_stopping(node, node.room.answer(found.bytes)).await?;
        found = read(wanted, room.num_permits().min(max_bytes), names_aborted);
    }
    keep(&mut room, found.bytes);
    Ok((found, room))
}

/// What is there now.
struct Read {
    response: Fetched,
    bytes: usize,
    /// It would not have been (much) more than this.
    limit: usize,
    has_error: bool,
    /// The end of each partition as it was looked at.
    seen: Vec<i64>,
}

fn read(wanted: &[WantedTopic], max_bytes: usize, names_aborted: bool) -> Read {
    let mut left = max_bytes as u64;
    let mut read =
        Read { response: Fetched::default(), bytes: 0, limit: max_bytes, has_error: false, seen: Vec::new() };
    for topic in wanted {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for want in &topic.partitions {
            let limit = left.min(want.max_bytes.max(0) as u64);
            let found = match &want.partition {
                Ok(partition) => partition.read(want.offset, limit, read.bytes == 0).map_err(|error| match error {
                    FetchError::OutOfRange => code(ResponseError::OffsetOutOfRange),
                    FetchError::Gone => code(ResponseError::UnknownTopicOrPartition),
                    FetchError::Storage(error) => {
                        let (topic, partition) = (topic.asked.topic.as_str(), want.index);
                        tracing::error!(topic, partition, %error, "records could not be read");
                        code(ResponseError::KafkaStorageError)
                    }
                }),
                Err(error) => Err(*error),
            };
            let (error, records, bounds) = match found {
                Ok((records, bounds)) => {
                    read.bytes += records.len();
                    left = left.saturating_sub(records.len() as u64);
                    (0, records, Some(bounds))
                }
                Err(error) => {
                    read.has_error = true;
                    (error, Bytes::new(), None)
                }
            };
            let (start, end) = bounds.map_or((-1, -1), |bounds| (bounds.start, bounds.end));
            read.seen.push(end);
            let is_unknown = [ResponseError::UnknownTopicOrPartition, ResponseError::UnknownTopicId].map(code);
            let names_aborted = names_aborted || is_unknown.contains(&error);
            partitions.push(FetchedPartition { index: want.index, error, start, end, names_aborted, records });
        }
        let (name, id) = (topic.asked.topic.0.clone(), topic.asked.topic_id);
        read.response.topics.push(FetchedTopic { name, id, partitions });
    }
    read
}
