//! A consumer's connection to one broker, on which nothing but its fetches travel: one rests there until there is something to read.

use std::{
    collections::HashMap,
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ApiKey, BrokerId, FetchRequest,
        fetch_request::{FetchPartition, FetchTopic},
    },
    protocol::StrBytes,
};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::settings::{ConsumerSettings, IsolationLevel};
use crate::{
    Error, TopicName, TopicPartition,
    connection::Transport,
    error::ErrorCode,
    leader_epochs::CHECKED_BY_FETCH,
    log_position::{EpochEnd, LogPosition},
    network::Network,
    wire::{cursor::Malformed, fetch},
};

/// What a broker is given besides the time that a fetch may rest there.
const ANSWER_MARGIN: Duration = Duration::from_secs(30);
/// A batch larger than this is not read.
pub(super) const MAX_BATCH_BYTES: i32 = 64 << 20;
/// Frames hold a little more than the records.
const MAX_FRAME: usize = (MAX_BATCH_BYTES as usize) + (1 << 20);

/// The connection to one broker.
#[derive(Debug)]
pub(super) struct FetchConnection {
    transport: Transport,
    version: i16,
    in_flight: Option<InFlight>,
    /// For how long the broker does not read this connection (KIP-219).
    muted: Duration,
}

/// A fetch that was not answered yet.
#[derive(Debug)]
pub(super) struct InFlight {
    correlation_id: i32,
    deadline: Instant,
    pub(super) wanted: Vec<WantedPartition>,
    /// The memory for the answer, once its length is known.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// A partition in a fetch.
#[derive(Clone, Debug)]
pub(super) struct WantedPartition {
    pub(super) partition: TopicPartition,
    pub(super) stamp: u64,
    pub(super) from: LogPosition,
    pub(super) leader_epoch: i32,
    pub(super) max_bytes: i32,
}

/// What came from the broker.
#[derive(Debug)]
pub(super) enum Arrived {
    /// An answer of this length; no memory was taken for it yet.
    Announced(usize),
    Answer(Bytes, InFlight),
}

/// What a broker says of a partition that was asked for.
pub(super) struct Answered<'a> {
    pub(super) wanted: &'a WantedPartition,
    pub(super) code: ErrorCode,
    pub(super) aborted: Vec<(i64, i64)>,
    /// The log has not got what was read: where the epoch of the last batch ends in it.
    pub(super) diverging: Option<EpochEnd>,
    pub(super) records: Bytes,
}

impl FetchConnection {
    /// # Errors
    /// The broker cannot be reached, or cannot be fetched from.
    pub(super) async fn open(network: &Network, address: &str) -> Result<FetchConnection, Error> {
        let transport = network.open(address, MAX_FRAME).await?;
        let version = transport.version(ApiKey::Fetch)?;
        Ok(FetchConnection { transport, version, in_flight: None, muted: Duration::ZERO })
    }

    /// Whether a fetch is answered with where the log parts from what was read.
    pub(super) fn checks_epochs(&self) -> bool {
        self.version >= CHECKED_BY_FETCH
    }

    pub(super) fn in_flight(&mut self) -> Option<&mut InFlight> {
        self.in_flight.as_mut()
    }

    /// When the broker must have answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.in_flight.as_ref().map(|in_flight| in_flight.deadline)
    }

    /// Sends a fetch.
    pub(super) fn ask(&mut self, wanted: Vec<WantedPartition>, settings: &ConsumerSettings) -> Result<(), String> {
        let mut topics: Vec<(&TopicName, FetchTopic)> = Vec::new();
        let mut at = HashMap::new();
        for wanted in &wanted {
            let mut partition = FetchPartition::default()
                .with_partition(wanted.partition.partition.0)
                .with_fetch_offset(wanted.from.offset)
                .with_partition_max_bytes(wanted.max_bytes);
            if self.version >= 9 {
                partition = partition.with_current_leader_epoch(wanted.leader_epoch);
            }
            // A leader that has not got what was read says so.
            if self.checks_epochs() && wanted.from.can_be_checked(wanted.leader_epoch) {
                partition = partition.with_last_fetched_epoch(wanted.from.leader_epoch);
            }
            let topic = &wanted.partition.topic;
            let at = *at.entry(topic).or_insert_with(|| {
                let name = kafka_protocol::messages::TopicName(StrBytes::from_string(topic.as_str().to_owned()));
                topics.push((topic, FetchTopic::default().with_topic(name)));
                topics.len() - 1
            });
            topics[at].1.partitions.push(partition);
        }
        let bytes = |bytes: usize| i32::try_from(bytes).unwrap_or(MAX_BATCH_BYTES).min(MAX_BATCH_BYTES);
        let largest = wanted.iter().map(|wanted| wanted.max_bytes).max().unwrap_or(0);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(i32::try_from(settings.fetch_max_wait.as_millis()).unwrap_or(i32::MAX))
            .with_min_bytes(settings.fetch_min_bytes)
            .with_max_bytes(bytes(settings.fetch_max_bytes.0).max(largest))
            .with_isolation_level(i8::from(settings.isolation_level == IsolationLevel::ReadCommitted))
            .with_session_epoch(-1)
            .with_topics(topics.into_iter().map(|(_, topic)| topic).collect());
        let correlation_id = self.transport.queue_request(&request, self.version)?;
        let deadline = Instant::now() + settings.fetch_max_wait + self.muted + ANSWER_MARGIN;
        self.in_flight = Some(InFlight { correlation_id, deadline, wanted, permit: None });
        self.transport.try_send();
        Ok(())
    }

    /// Waits for the answer. Its length comes first, and the rest only when [`InFlight::permit`] is set.
    ///
    /// # Errors
    /// The connection has ended, or its bytes are not those of an answer.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Arrived>> {
        let Some(in_flight) = &self.in_flight else { return Poll::Pending };
        if in_flight.permit.is_none() {
            return self.transport.poll_announced(context).map_ok(Arrived::Announced);
        }
        let frame = ready!(self.transport.poll_frame(context))?;
        match self.in_flight.take() {
            Some(in_flight) if frame.first_chunk() == Some(&in_flight.correlation_id.to_be_bytes()) => {
                Poll::Ready(Ok(Arrived::Answer(frame, in_flight)))
            }
            _ => Poll::Ready(Err(io::Error::other("the broker answered a request that was not sent"))),
        }
    }

    /// Reads an answer: the code of the whole, and what it says of the partitions that were asked for.
    pub(super) fn read<'a>(
        &mut self,
        frame: &Bytes,
        wanted: &'a [WantedPartition],
    ) -> Result<(ErrorCode, Vec<Answered<'a>>), Malformed> {
        let answer = fetch::answer(frame.get(4..).ok_or(Malformed)?, self.version)?;
        self.muted = Duration::from_millis(u64::try_from(answer.throttle_ms).unwrap_or(0));
        let by_name: HashMap<(&str, i32), &WantedPartition> = wanted
            .iter()
            .map(|wanted| ((wanted.partition.topic.as_str(), wanted.partition.partition.0), wanted))
            .collect();
        let answered = answer.partitions.into_iter().filter_map(|partition| {
            let wanted = *by_name.get(&(partition.topic, partition.partition))?;
            let records = frame.slice_ref(partition.records);
            let (code, aborted, diverging) = (ErrorCode(partition.code), partition.aborted, partition.diverging);
            Some(Answered { wanted, code, aborted, diverging, records })
        });
        Ok((ErrorCode(answer.code), answered.collect()))
    }
}
