//! Sending batches to one broker: one task, one connection, at most two requests under way.
//!
//! A broker answers one request per connection at a time, so more requests under way would make batches smaller and gain nothing; the
//! second one hides the network. Each request carries a batch for every partition that is ready. The connection has one timer for
//! progress, not one per request: requests queue at the broker, and a timer each would fire falsely.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    Shared,
    partition::{Partition, Step, Taken},
};
use crate::{
    Compression, Error, NodeId,
    connection::{CLIENT_ID, Transport, far_future, reason},
    in_place::{LARGE_COMPRESSED, LARGE_PLAIN, in_place},
    statistics::LatencyHistogram,
    wire::{
        batch::BatchBuilder,
        produce::{self, Entry},
    },
};

/// Requests under way.
const MAX_IN_FLIGHT: usize = 2;
/// Batches of one request take no more than this together, unless one alone does.
const MAX_REQUEST_BYTES: usize = 8 << 20;
/// A broker answers with some 40 bytes per partition.
const MAX_FRAME: usize = 16 << 20;
/// Brokers close a connection after 10 minutes; we are first.
const IDLE: Duration = Duration::from_secs(540);

/// The partitions that are ready for one broker.
pub(super) struct ReadyList {
    pub(super) node: NodeId,
    /// Of the requests to it that were answered.
    pub(super) latency: LatencyHistogram,
    partitions: Mutex<VecDeque<Arc<Partition>>>,
    wake: Notify,
}

impl ReadyList {
    pub(super) fn new(node: NodeId) -> ReadyList {
        ReadyList { node, latency: LatencyHistogram::default(), partitions: Mutex::default(), wake: Notify::new() }
    }

    pub(super) fn push(&self, partition: Arc<Partition>) {
        let mut partitions = self.partitions.lock();
        let was_empty = partitions.is_empty();
        partitions.push_back(partition);
        drop(partitions);
        if was_empty {
            self.wake.notify_one();
        }
    }

    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    fn pop(&self) -> Option<Arc<Partition>> {
        self.partitions.lock().pop_front()
    }

    fn drain(&self) -> VecDeque<Arc<Partition>> {
        std::mem::take(&mut self.partitions.lock())
    }

    fn is_empty(&self) -> bool {
        self.partitions.lock().is_empty()
    }
}

/// A request without an answer.
struct InFlight {
    correlation_id: i32,
    /// Where it ends among the bytes queued.
    end: u64,
    since: Instant,
    partitions: Vec<Arc<Partition>>,
}

/// The task of one broker's sender.
pub(super) async fn run(shared: Arc<Shared>, ready: Arc<ReadyList>) {
    loop {
        while ready.is_empty() {
            if shared.is_closed() {
                return;
            }
            ready.wake.notified().await;
        }
        if shared.is_closed() {
            return;
        }
        match open(&shared, ready.node).await {
            Ok(transport) => serve(&shared, &ready, transport).await,
            Err(error) => {
                // A refusal of credentials ends what waits for this broker; a broker that is away does not.
                refuse(&shared, &ready, &error);
            }
        }
    }
}

async fn open(shared: &Shared, node: NodeId) -> Result<Transport, Error> {
    let network = &shared.network;
    let Some(address) = network.address(node) else {
        return Err(Error::unavailable(format!("broker {node} is not part of the cluster, or is away")));
    };
    let transport = network.open(&address, MAX_FRAME).await?;
    transport.version(ApiKey::Produce)?;
    Ok(transport)
}

/// Sends until the connection ends or the client is closed.
async fn serve(shared: &Arc<Shared>, ready: &ReadyList, mut transport: Transport) {
    let Ok(version) = transport.version(ApiKey::Produce) else { return };
    let mut in_flight: VecDeque<InFlight> = VecDeque::new();
    let mut progress = Instant::now();
    let mut muted_until: Option<Instant> = None;
    let mut timer = pin!(sleep_until(far_future()));
    let ended = loop {
        if muted_until.is_some_and(|until| Instant::now() >= until) {
            muted_until = None;
        }
        if muted_until.is_none() && in_flight.len() < MAX_IN_FLIGHT && !ready.is_empty() && !shared.is_closed() {
            match shared.identity.known() {
                Some(_) => {
                    in_flight.extend(fill(shared, ready, &mut transport, version));
                    if !ready.is_empty() {
                        continue;
                    }
                }
                None => match shared.identity.get().await {
                    Ok(_) => continue,
                    Err(error) => refuse(shared, ready, &error),
                },
            }
        }
        if shared.is_closed() && in_flight.is_empty() {
            return;
        }
        let deadline = match (muted_until, in_flight.front()) {
            (_, Some(oldest)) => progress.max(oldest.since) + shared.request_timeout(),
            (Some(until), None) => until,
            (None, None) => progress + IDLE,
        };
        // Set again only when it must fire sooner, or has fired: not once per request.
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        tokio::select! {
            frame = poll_fn(|context| transport.poll_frame(context)) => match frame {
                Ok(frame) => {
                    progress = Instant::now();
                    match answered(shared, ready, &frame, version, &mut in_flight) {
                        Ok(0) => {}
                        Ok(throttle_ms) => {
                            // The broker does not read this connection until then (KIP-219).
                            let muted = Duration::from_millis(throttle_ms);
                            progress += muted;
                            muted_until = Some(progress);
                        }
                        Err(reason) => break reason.to_owned(),
                    }
                }
                Err(error) => break reason(&error),
            },
            () = ready.wake.notified(), if in_flight.len() < MAX_IN_FLIGHT => {}
            () = &mut timer => {
                timer.as_mut().reset(far_future());
                if Instant::now() >= deadline {
                    match in_flight.is_empty() {
                        true if muted_until.is_some() => {}
                        true => return, // idle
                        false => break format!("no answer within {} s", shared.request_timeout().as_secs_f32()),
                    }
                }
            }
        }
    };
    let address = shared.network.address(ready.node).unwrap_or_default();
    let error = Error::unavailable(format!("{address}: {ended}"));
    if !in_flight.is_empty() {
        tracing::debug!(%address, requests = in_flight.len(), "a connection ended with requests under way: {ended}");
    }
    for request in in_flight {
        let sent = transport.has_sent(request.end);
        for partition in request.partitions {
            let (step, answers) = partition.lost(sent, &error);
            answers.send();
            count_retry(shared, &step);
            shared.follow(&partition, step);
        }
    }
}

/// Queues a request with a batch of every partition that is ready, as far as they fit.
fn fill(shared: &Arc<Shared>, ready: &ReadyList, transport: &mut Transport, version: i16) -> Option<InFlight> {
    let identity = shared.identity.known()?;
    let mut entries: Vec<(Entry, Arc<Partition>)> = Vec::new();
    let mut bytes = 0;
    while bytes < MAX_REQUEST_BYTES {
        let Some(partition) = ready.pop() else { break };
        // Sealing it takes a checksum of all its bytes.
        let is_large = partition.queued_bytes() > LARGE_PLAIN / 2;
        match in_place(is_large, || partition.take(ready.node, identity)) {
            Taken::Batch(batch) => {
                let batch = compress(batch, shared.settings.compression);
                bytes += batch.len();
                let entry = Entry { topic: partition.topic.clone(), partition: partition.index, batch };
                entries.push((entry, partition));
            }
            Taken::Nothing => {}
            Taken::NewProducer => {
                shared.identity.retire(identity.producer_id);
                ready.push(partition);
                break;
            }
        }
    }
    if entries.is_empty() {
        return None;
    }
    shared.counters.sent(entries.len(), bytes);
    // One entry per topic in the request; those of a topic stand together.
    if entries.len() > 1 {
        entries.sort_by(|(one, _), (other, _)| one.topic.cmp(&other.topic));
    }
    let (entries, partitions): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
    let correlation_id = transport.next_correlation_id();
    for piece in produce::request(version, correlation_id, CLIENT_ID, shared.broker_timeout_ms(), &entries) {
        transport.queue(piece);
    }
    Some(InFlight { correlation_id, end: transport.queued(), since: Instant::now(), partitions })
}

/// The batch as it is sent. A retry compresses it again, into a batch of the same sequence numbers.
fn compress(batch: Bytes, codec: Compression) -> Bytes {
    if codec == Compression::None {
        return batch;
    }
    in_place(batch.len() > LARGE_COMPRESSED, || BatchBuilder::compressed(&batch, codec))
}

/// Settles the oldest request; returns for how many milliseconds the broker does not read.
fn answered(
    shared: &Arc<Shared>,
    ready: &ReadyList,
    frame: &Bytes,
    version: i16,
    in_flight: &mut VecDeque<InFlight>,
) -> Result<u64, &'static str> {
    let Some(oldest) = in_flight.front() else { return Err("the broker answered without being asked") };
    if frame.first_chunk() != Some(&oldest.correlation_id.to_be_bytes()) {
        return Err("the broker answered a request that was not sent");
    }
    let answer = produce::answer(&frame[4..], version, oldest.partitions.len())
        .map_err(|_| "the broker's answer to Produce cannot be read")?;
    // Brokers keep the order of the request, but nothing says that they must.
    let find = |at: usize, partition: &Partition| match answer.partitions.get(at) {
        Some(same) if is_about(same, partition) => Some(same),
        _ => answer.partitions.iter().find(|answer| is_about(answer, partition)),
    };
    if oldest.partitions.iter().enumerate().any(|(at, partition)| find(at, partition).is_none()) {
        return Err("the broker's answer to Produce leaves out a partition");
    }
    let Some(request) = in_flight.pop_front() else { return Ok(0) };
    ready.latency.observe(request.since.elapsed());
    for (at, partition) in request.partitions.iter().enumerate() {
        let Some(answer) = find(at, partition) else { continue };
        if let Some((leader, epoch)) = answer.current_leader {
            shared.metadata.leader_named(&partition.topic, partition.index, NodeId(leader), epoch);
        }
        let (step, answers) = partition.answered(answer);
        answers.send();
        count_retry(shared, &step);
        shared.follow(partition, step);
    }
    Ok(u64::try_from(answer.throttle_ms).unwrap_or(0))
}

fn count_retry(shared: &Shared, step: &Step) {
    if let Step::Recover { .. } | Step::NewProducer = step {
        shared.counters.retries.fetch_add(1, Relaxed);
    }
}

fn is_about(answer: &produce::PartitionAnswer<'_>, partition: &Partition) -> bool {
    answer.partition == partition.index && answer.topic == partition.topic.as_str()
}

/// No connection or no producer id can be had: what is ready waits, or fails where the cluster refuses.
fn refuse(shared: &Arc<Shared>, ready: &ReadyList, error: &Error) {
    for partition in ready.drain() {
        let step = partition.unreachable(ready.node, error);
        if !error.is_transient() {
            partition.fail_waiting(error).send();
        }
        shared.follow(&partition, step);
    }
}
