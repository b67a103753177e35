//! Fetch (1), versions 4 to 18: whole batches from an offset on, or a wait until there are some.
//!
//! A request that finds less than `min_bytes` registers with its partitions and is woken by the append itself; the
//! timer is only for the end of `max_wait_ms`. Where the budget for responses has less available, the response is smaller,
//! or comes later. The first batch is returned even if it is larger than requested. Every response is of a full fetch
//! (session 0). Without transactions the isolation levels are the same, and the high watermark is the end of the log. A
//! client that has read more than there is, and says so with the epoch of its last record, is told where the log ends.
//! Not done: sessions, fetching from followers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::FetchTopic;
use kafka_protocol::messages::{ApiKey, FetchRequest};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::fetch_response::{FetchResults, FetchedPartition, FetchedTopic};
use super::{CallContext, Disconnect, unless_stopping};
use crate::blocking::MAX_INLINE_ELEMENTS;
use crate::byte_budget::{Permit, shrink_to};
use crate::code;
use crate::node::Node;
use crate::topics::Topic;
use postern_log::batch::Header;
use postern_log::{AppendListener, FetchError, Partition};

/// The upper bound of a response, whatever the client requests; only a single larger batch exceeds it.
const MAX_RESPONSE_BYTES: i32 = 55 * 1024 * 1024;

/// What is read inline. If there is more, it is read again with the rest, so this is small beside a large response.
const FIRST_LOOK_BYTES: usize = 64 * 1024;
/// A fetch of so many partitions that it holds a permit waits no longer, so that permits come back. An empty response is
/// always allowed.
const MAX_WAIT_WITH_PERMIT: Duration = Duration::from_secs(5);

/// The isolation level that asks for aborted transactions.
const READ_COMMITTED: i8 = 1;

/// A requested partition, or why it cannot be read.
struct PartitionRequest {
    index: i32,
    offset: i64,
    max_bytes: i32,
    /// The client has read up to `offset` under this epoch; -1 where it does not say so.
    last_fetched_epoch: i32,
    partition: Result<Arc<Partition>, i16>,
}

impl PartitionRequest {
    /// Where the log begins and ends, if it has lost what the client has read under its only epoch (KIP-320).
    fn lost_range(&self) -> Option<(i64, i64)> {
        let partition = self.partition.as_ref().ok().filter(|_| self.last_fetched_epoch == 0)?;
        let bounds = partition.offset_range();
        (self.offset > bounds.end).then_some((bounds.start, bounds.end))
    }
}

struct TopicRequest {
    /// Of a topic that was requested by an unknown id: empty.
    name: StrBytes,
    id: Uuid,
    partitions: Vec<PartitionRequest>,
}

pub(super) async fn handle(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: FetchRequest,
) -> Result<FetchResults, Disconnect> {
    let max_wait = Duration::from_millis(request.max_wait_ms.max(0) as u64);
    let max_wait = if context.holds_permit { max_wait.min(MAX_WAIT_WITH_PERMIT) } else { max_wait };
    let deadline = Instant::now() + max_wait;
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
    loop {
        let (mut read, permit) = read_within_budget(node, &wanted, max_bytes as usize, has_aborted_list).await?;
        // The client does not wait for records that the budget had no permit for.
        let is_limited = read.limit < min_bytes && !read.is_complete();
        let is_enough = read.bytes >= min_bytes || (read.bytes > 0 && is_limited);
        let is_due = is_enough || read.has_error || Instant::now() >= deadline;
        if is_due || wanted.is_empty() {
            read.response.permit = Some(permit);
            return Ok(read.response);
        }
        drop(permit);
        let Some(registration) = Registration::new(read.positions) else { continue };
        tokio::select! {
            () = registration.appended() => {}
            () = sleep_until(deadline) => {}
            () = node.stopping() => return Ok(read.response),
        }
    }
}

/// Wakes a fetch.
#[derive(Debug, Default)]
struct Waiter(Notify);

impl AppendListener for Waiter {
    fn appended(&self) {
        self.0.notify_one();
    }
}

/// A fetch that waits for the next append to one of its partitions. Dropping it unregisters, also when the client
/// disconnects and the whole request is dropped.
struct Registration {
    waiter: Arc<Waiter>,
    partitions: Vec<Arc<Partition>>,
}

impl Registration {
    /// Registers with all partitions; `None` if one of them has had an append since it was read.
    fn new(positions: Vec<Position>) -> Option<Registration> {
        let mut registration = Registration { waiter: Arc::default(), partitions: Vec::new() };
        for Position { partition, end, .. } in positions {
            if !partition.listen(end, &registration.listener()) {
                return None;
            }
            registration.partitions.push(partition);
        }
        Some(registration)
    }

    fn listener(&self) -> Arc<dyn AppendListener> {
        self.waiter.clone()
    }

    async fn appended(&self) {
        self.waiter.0.notified().await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.stop_listening(&self.listener());
        }
    }
}

async fn look_up(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    requested: FetchTopic,
) -> Result<TopicRequest, Disconnect> {
    let by_id = context.version >= 13;
    let topic = if by_id { node.topics.find_id(requested.topic_id) } else { node.topics.find(&requested.topic) };
    let name = topic.as_ref().map_or(requested.topic.0, |topic| topic.name.clone());
    let fault = context.injected_fault(node, ApiKey::Fetch, Some(&name)).await?;
    let missing = if by_id { ResponseError::UnknownTopicId } else { ResponseError::UnknownTopicOrPartition };
    let find = |index: i32, leader_epoch: i32, last_fetched_epoch: i32| match (&topic, fault) {
        (_, Some(error)) => Err(error),
        (None, None) => Err(code(missing)),
        (Some(_), None) if leader_epoch > 0 => Err(code(ResponseError::UnknownLeaderEpoch)),
        // Epoch 0 is the only one.
        (Some(_), None) if last_fetched_epoch > 0 => Err(code(ResponseError::OffsetOutOfRange)),
        (Some(topic), None) => Topic::partition(topic, index).ok_or(code(ResponseError::UnknownTopicOrPartition)),
    };
    let partitions = requested.partitions.into_iter().map(|part| PartitionRequest {
        index: part.partition,
        offset: part.fetch_offset,
        max_bytes: part.partition_max_bytes,
        last_fetched_epoch: part.last_fetched_epoch,
        partition: find(part.partition, part.current_leader_epoch, part.last_fetched_epoch),
    });
    Ok(TopicRequest { partitions: partitions.collect(), name, id: requested.topic_id })
}

/// Reads what is there now, as much as the budget allows, and returns it with the permit for it.
async fn read_within_budget(
    node: &Arc<Node>,
    wanted: &[TopicRequest],
    max_bytes: usize,
    has_aborted_list: bool,
) -> Result<(ReadResult, Permit), Disconnect> {
    // Consumers near the end of the log get all of it inline.
    let little = max_bytes.min(FIRST_LOOK_BYTES);
    let mut permit = unless_stopping(node, node.response_budget.acquire_up_to(little)).await?;
    let partitions: usize = wanted.iter().map(|topic| topic.partitions.len()).sum();
    let limit = permit.num_permits();
    let first_look = async { read(wanted, limit, false, has_aborted_list) };
    let mut found = match partitions > MAX_INLINE_ELEMENTS {
        true => node.heavy_work.run(first_look).await,
        false => first_look.await,
    };
    if !found.is_complete() {
        drop(permit);
        permit = unless_stopping(node, node.response_budget.acquire_up_to(max_bytes)).await?;
        let limit = permit.num_permits();
        found = node.heavy_work.run(async { read(wanted, limit, true, has_aborted_list) }).await;
    }
    if found.bytes > permit.num_permits() {
        // A single batch, larger than the permit: it is read again with a permit of its size.
        drop(permit);
        permit = unless_stopping(node, node.response_budget.acquire(found.bytes)).await?;
        let limit = permit.num_permits().min(max_bytes);
        found = node.heavy_work.run(async { read(wanted, limit, true, has_aborted_list) }).await;
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
    /// The client is to know at once, records or not.
    has_error: bool,
    /// The partitions that could be read.
    positions: Vec<Position>,
}

/// A partition, where it ended when it was read, and up to where it was read.
struct Position {
    partition: Arc<Partition>,
    end: i64,
    next: i64,
}

impl ReadResult {
    /// Whether all records were read that there are.
    fn is_complete(&self) -> bool {
        self.positions.iter().all(|position| position.next >= position.end)
    }
}

/// Reads all partitions, one after the other, `max_bytes` in all; with `at_least_one` a first batch that is larger.
fn read(wanted: &[TopicRequest], max_bytes: usize, at_least_one: bool, has_aborted_list: bool) -> ReadResult {
    let mut left = max_bytes as u64;
    let mut read = ReadResult {
        response: FetchResults::default(),
        bytes: 0,
        limit: max_bytes,
        has_error: false,
        positions: Vec::new(),
    };
    for topic in wanted {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for want in &topic.partitions {
            let limit = left.min(want.max_bytes.max(0) as u64);
            let fetched = FetchedPartition {
                index: want.index,
                error: 0,
                start: -1,
                end: -1,
                diverges_at: None,
                has_aborted_list,
                records: Bytes::new(),
            };
            if let Some((start, end)) = want.lost_range() {
                read.has_error = true;
                partitions.push(FetchedPartition { start, end, diverges_at: Some(end), ..fetched });
                continue;
            }
            let found = match &want.partition {
                Ok(partition) => partition
                    .read(want.offset, limit, at_least_one && read.bytes == 0)
                    .map(|(records, bounds)| (partition, records, bounds))
                    .map_err(|error| error_code(error, topic, want.index)),
                Err(error) => Err(*error),
            };
            partitions.push(match found {
                Ok((partition, records, bounds)) => {
                    read.bytes += records.len();
                    left = left.saturating_sub(records.len() as u64);
                    let next = end_of(&records).unwrap_or(want.offset);
                    read.positions.push(Position { partition: partition.clone(), end: bounds.end, next });
                    FetchedPartition { start: bounds.start, end: bounds.end, records, ..fetched }
                }
                Err(error) => {
                    read.has_error = true;
                    let is_unknown = [ResponseError::UnknownTopicOrPartition, ResponseError::UnknownTopicId].map(code);
                    let has_aborted_list = has_aborted_list || is_unknown.contains(&error);
                    FetchedPartition { error, has_aborted_list, ..fetched }
                }
            });
        }
        read.response.topics.push(FetchedTopic { name: topic.name.clone(), id: topic.id, partitions });
    }
    read
}

/// The offset after the last of these batches.
fn end_of(mut batches: &[u8]) -> Option<i64> {
    let mut end = None;
    while let Ok(header) = Header::read(batches)
        && header.bytes <= batches.len()
    {
        end = Some(header.last_offset() + 1);
        batches = &batches[header.bytes..];
    }
    end
}

fn error_code(error: FetchError, topic: &TopicRequest, partition: i32) -> i16 {
    code(match error {
        FetchError::OutOfRange => ResponseError::OffsetOutOfRange,
        FetchError::Deleted => ResponseError::UnknownTopicOrPartition,
        // Logged when it went offline.
        FetchError::Offline => ResponseError::KafkaStorageError,
        FetchError::Storage(error) => {
            tracing::error!(topic = topic.name.as_str(), partition, %error, "records could not be read");
            ResponseError::KafkaStorageError
        }
    })
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::fetch_request::FetchPartition;

    use super::*;
    use crate::Settings;
    use crate::api::ConnectionInfo;
    use crate::configs::ConfigOverrides;

    #[tokio::test]
    async fn a_dropped_fetch_no_longer_waits() {
        let dir = tempfile::tempdir().unwrap();
        let address = ([127, 0, 0, 1], 9).into();
        let node = Arc::new(Node::open(Settings::for_test(dir.path()), address).unwrap());
        let topic = node.topics.create("t", 2, ConfigOverrides::new()).unwrap();
        let connection = ConnectionInfo { host: address.ip(), local: address };
        let context = CallContext::new(&connection, 12, None);
        let fetch = || {
            let partition = |index| FetchPartition::default().with_partition(index).with_partition_max_bytes(1000);
            let wanted = FetchTopic::default()
                .with_topic(TopicName(topic.name.clone()))
                .with_partitions(vec![partition(0), partition(1)]);
            FetchRequest::default()
                .with_max_wait_ms(600_000)
                .with_min_bytes(1)
                .with_max_bytes(1000)
                .with_topics(vec![wanted])
        };
        let waiting = || topic.partitions().iter().map(|partition| partition.listeners()).collect::<Vec<_>>();
        for _ in 0..3 {
            let mut fetches: Vec<_> = (0..5).map(|_| Box::pin(handle(&node, &context, fetch()))).collect();
            for fetch in &mut fetches {
                assert!(poll_fn(|cx| Poll::Ready(fetch.as_mut().poll(cx))).await.is_pending());
            }
            assert_eq!(waiting(), [5, 5]);
            drop(fetches);
            assert_eq!(waiting(), [0, 0]);
        }
    }

    #[tokio::test]
    async fn a_topic_requested_by_id_is_known_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let address = ([127, 0, 0, 1], 9).into();
        let node = Arc::new(Node::open(Settings::for_test(dir.path()), address).unwrap());
        let topic = node.topics.create("t", 1, ConfigOverrides::new()).unwrap();
        let connection = ConnectionInfo { host: address.ip(), local: address };
        let context = CallContext::new(&connection, 13, None);
        let found = look_up(&node, &context, FetchTopic::default().with_topic_id(topic.id)).await.unwrap();
        assert_eq!(found.name, topic.name, "for the log");
        let unknown = look_up(&node, &context, FetchTopic::default().with_topic_id(Uuid::from_u128(1))).await.unwrap();
        assert_eq!(unknown.name.as_str(), "");
    }
}
