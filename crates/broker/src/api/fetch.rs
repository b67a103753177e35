//! Fetch (1), versions 4 to 18: whole batches from an offset on, or a wait until there are some.
//!
//! A request that finds less than `min_bytes` registers with its partitions and is woken by the append itself; the
//! timer is only for the end of `max_wait_ms`. Where the budget for responses has less available, the response is smaller,
//! or comes later. The first batch is returned even if it is larger than requested. Every response is of a full fetch
//! (session 0). Without transactions the isolation levels are the same, and the high watermark is the end of the log.
//! Not done: sessions, fetching from followers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::FetchTopic;
use kafka_protocol::messages::{ApiKey, FetchRequest};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::fetch_response::{FetchResults, FetchedPartition, FetchedTopic};
use super::{CallContext, Disconnect, unless_stopping};
use crate::byte_budget::{Permit, shrink_to};
use crate::code;
use crate::node::Node;
use crate::topics::Topic;
use postern_log::{FetchError, Partition};

/// The upper bound of a response, whatever the client requests; only a single larger batch exceeds it.
const MAX_RESPONSE_BYTES: i32 = 55 * 1024 * 1024;

/// The isolation level that asks for aborted transactions.
const READ_COMMITTED: i8 = 1;

/// A requested partition, or why it cannot be read.
struct PartitionRequest {
    index: i32,
    offset: i64,
    max_bytes: i32,
    partition: Result<Arc<Partition>, i16>,
}

struct TopicRequest {
    requested: FetchTopic,
    partitions: Vec<PartitionRequest>,
}

pub(super) async fn handle(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: FetchRequest,
) -> Result<FetchResults, Disconnect> {
    let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
    let max_bytes = request.max_bytes.clamp(0, MAX_RESPONSE_BYTES);
    let min_bytes = request.min_bytes.clamp(0, max_bytes) as usize;
    if request.session_id != 0 && request.session_epoch > 0 {
        return Ok(FetchResults { error: code(ResponseError::FetchSessionIdNotFound), ..FetchResults::default() });
    }
    let mut wanted = Vec::with_capacity(request.topics.len());
    for requested in request.topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        wanted.push(look_up(node, context, requested).await?);
    }
    let has_aborted_list = request.isolation_level == READ_COMMITTED;
    let waiter = Arc::new(Notify::new());
    loop {
        let (mut read, permit) = read_within_budget(node, &wanted, max_bytes as usize, has_aborted_list).await?;
        // The client does not wait for records that the budget had no permit for.
        let is_enough = read.bytes >= min_bytes || (read.bytes > 0 && read.limit < min_bytes);
        let is_due = is_enough || read.has_error || Instant::now() >= deadline;
        if is_due || wanted.is_empty() {
            read.response.permit = Some(permit);
            return Ok(read.response);
        }
        drop(permit);
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

async fn look_up(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    mut requested: FetchTopic,
) -> Result<TopicRequest, Disconnect> {
    let by_id = context.version >= 13;
    let topic = if by_id { node.topics.find_id(requested.topic_id) } else { node.topics.find(&requested.topic) };
    let name = topic.as_ref().map_or(&requested.topic.0, |topic| &topic.name);
    let fault = context.injected_fault(node, ApiKey::Fetch, Some(name)).await?;
    let missing = if by_id { ResponseError::UnknownTopicId } else { ResponseError::UnknownTopicOrPartition };
    let find = |index: i32, leader_epoch: i32, last_fetched_epoch: i32| match (&topic, fault) {
        (_, Some(error)) => Err(error),
        (None, None) => Err(code(missing)),
        (Some(_), None) if leader_epoch > 0 => Err(code(ResponseError::UnknownLeaderEpoch)),
        // Epoch 0 is the only one.
        (Some(_), None) if last_fetched_epoch > 0 => Err(code(ResponseError::OffsetOutOfRange)),
        (Some(topic), None) => Topic::partition(topic, index).ok_or(code(ResponseError::UnknownTopicOrPartition)),
    };
    let partitions = std::mem::take(&mut requested.partitions)
        .into_iter()
        .map(|part| PartitionRequest {
            index: part.partition,
            offset: part.fetch_offset,
            max_bytes: part.partition_max_bytes,
            partition: find(part.partition, part.current_leader_epoch, part.last_fetched_epoch),
        })
        .collect();
    Ok(TopicRequest { requested, partitions })
}

/// Reads what is there now, as much as the budget allows, and returns it with the permit for it.
async fn read_within_budget(
    node: &Arc<Node>,
    wanted: &[TopicRequest],
    max_bytes: usize,
    has_aborted_list: bool,
) -> Result<(ReadResult, Permit), Disconnect> {
    let mut permit = unless_stopping(node, node.response_budget.acquire_up_to(max_bytes)).await?;
    let mut found = read(wanted, permit.num_permits(), has_aborted_list);
    if found.bytes > permit.num_permits() {
        // A single batch, larger than the permit: it is read again with a permit of its size.
        drop(permit);
        permit = unless_stopping(node, node.response_budget.acquire(found.bytes)).await?;
        found = read(wanted, permit.num_permits().min(max_bytes), has_aborted_list);
    }
    shrink_to(&mut permit, found.bytes);
    Ok((found, permit))
}

/// What a look at all partitions found.
struct ReadResult {
    response: FetchResults,
    bytes: usize,
    /// The bound that `bytes` had.
    limit: usize,
    has_error: bool,
    /// The end of each partition at the time of the look.
    seen: Vec<i64>,
}

fn read(wanted: &[TopicRequest], max_bytes: usize, has_aborted_list: bool) -> ReadResult {
    let mut left = max_bytes as u64;
    let mut read = ReadResult {
        response: FetchResults::default(),
        bytes: 0,
        limit: max_bytes,
        has_error: false,
        seen: Vec::new(),
    };
    for topic in wanted {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for want in &topic.partitions {
            let limit = left.min(want.max_bytes.max(0) as u64);
            let found = match &want.partition {
                Ok(partition) => partition.read(want.offset, limit, read.bytes == 0).map_err(|error| match error {
                    FetchError::OutOfRange => code(ResponseError::OffsetOutOfRange),
                    FetchError::Gone => code(ResponseError::UnknownTopicOrPartition),
                    FetchError::Storage(error) => {
                        let (topic, partition) = (topic.requested.topic.as_str(), want.index);
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
            let has_aborted_list = has_aborted_list || is_unknown.contains(&error);
            partitions.push(FetchedPartition { index: want.index, error, start, end, has_aborted_list, records });
        }
        let (name, id) = (topic.requested.topic.0.clone(), topic.requested.topic_id);
        read.response.topics.push(FetchedTopic { name, id, partitions });
    }
    read
}
