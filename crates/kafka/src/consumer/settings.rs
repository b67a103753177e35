//! What a consumer is told when it is made. Names and defaults are those of Kafka's consumer configs.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{ByteCount, Error, ErrorKind, TopicName};

/// How a consumer reads and what its group is told.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// `group.id`. Offsets are committed in this group, whether partitions come from it or are chosen by the caller.
    pub group: String,
    /// `client.id`, by which the members of the group are listed. `None`: that of this client.
    pub client_id: Option<String>,
    /// `group.instance.id`: a static member (KIP-345). It does not leave its group when it is closed.
    pub group_instance_id: Option<String>,
    /// `auto.offset.reset`. Default `Latest`.
    pub auto_offset_reset: OffsetReset,
    /// `auto.commit.interval.ms`; `None` is `enable.auto.commit=false`. Default 5 s.
    pub auto_commit: Option<Duration>,
    /// `session.timeout.ms`. Default 45 s.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`. Default 3 s.
    pub heartbeat_interval: Duration,
    /// How long the others of a group wait for this member to join again: Java's `max.poll.interval.ms`. The consumer joins again
    /// by itself, whether it is polled or not. Default 300 s.
    pub rebalance_timeout: Duration,
    /// `isolation.level`. Default `ReadUncommitted`, as Kafka's.
    pub isolation_level: IsolationLevel,
    /// `fetch.min.bytes`. Default 1.
    pub fetch_min_bytes: i32,
    /// `fetch.max.wait.ms`. Default 500 ms.
    pub fetch_max_wait: Duration,
    /// `fetch.max.bytes`: what one broker is asked for at a time, and so what is kept of it for the next records. A larger batch
    /// comes whole all the same. Default 4 MiB.
    pub fetch_max_bytes: ByteCount,
    /// `max.partition.fetch.bytes`. Default 1 MiB.
    pub max_partition_fetch_bytes: ByteCount,
    /// `partition.assignment.strategy`, the preferred one first. Default range, then round robin. Partitions are kept through a
    /// rebalance where all of them are cooperative.
    pub assignors: Vec<Assignor>,
    /// How often partitions are looked up anew, for topics that appear and grow (`metadata.max.age.ms`). Default 30 s; a
    /// subscribed topic that is missing is looked up every second.
    pub metadata_max_age: Duration,
    /// Whether [`Consumer::poll`](crate::Consumer::poll) answers `UNKNOWN_TOPIC_OR_PARTITION` where the cluster does not know a topic that is read.
    /// Default false: it is read from when it appears.
    pub missing_topic_is_error: bool,
    /// The memory for what was fetched and not taken yet. Clone one budget into the settings of all consumers that share it.
    pub budget: FetchBudget,
}

impl ConsumerSettings {
    /// The defaults, for a member of `group`.
    pub fn new(group: impl Into<String>, budget: FetchBudget) -> ConsumerSettings {
        ConsumerSettings {
            group: group.into(),
            client_id: None,
            group_instance_id: None,
            auto_offset_reset: OffsetReset::Latest,
            auto_commit: Some(Duration::from_secs(5)),
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
            isolation_level: IsolationLevel::ReadUncommitted,
            fetch_min_bytes: 1,
            fetch_max_wait: Duration::from_millis(500),
            fetch_max_bytes: ByteCount(4 << 20),
            max_partition_fetch_bytes: ByteCount(1 << 20),
            assignors: vec![Assignor::Range, Assignor::RoundRobin],
            metadata_max_age: Duration::from_secs(30),
            missing_topic_is_error: false,
            budget,
        }
    }

    /// Whether partitions are kept through a rebalance.
    pub(crate) fn is_cooperative(&self) -> bool {
        self.assignors.iter().all(|assignor| *assignor == Assignor::CooperativeSticky)
    }

    /// # Errors
    /// A setting that no group would take.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidRequest, "INVALID_CONFIG", message));
        if self.assignors.is_empty() {
            return invalid("partition.assignment.strategy: expected at least one assignor, found none");
        }
        if self.heartbeat_interval.is_zero() || self.heartbeat_interval >= self.session_timeout {
            return invalid("heartbeat.interval.ms: expected more than 0 and less than session.timeout.ms");
        }
        if self.auto_commit.is_some_and(|interval| interval.is_zero()) {
            return invalid("auto.commit.interval.ms: expected more than 0, found 0");
        }
        if self.metadata_max_age.is_zero() {
            return invalid("metadata.max.age.ms: expected more than 0, found 0");
        }
        Ok(())
    }
}

/// Where reading begins where nothing was committed, or where what was committed is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record that is still there.
    Earliest,
    /// At the record that will come next.
    Latest,
    /// Nowhere: [`Consumer::poll`](crate::Consumer::poll) answers `NO_OFFSET` until there is a position.
    None,
    /// At the first record of the last so much time (KIP-1106); at the end where there is none.
    ByDuration(Duration),
}

/// Whether records of transactions that are not committed are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// Everything below the high watermark.
    ReadUncommitted,
    /// Nothing of open or aborted transactions.
    ReadCommitted,
}

/// How the leader of a group gives partitions to members. With all but [`Assignor::CooperativeSticky`] everything is given up before
/// a rebalance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assignor {
    /// `range`: by topic, consecutive partitions.
    Range,
    /// `roundrobin`: partitions of all topics in turn.
    RoundRobin,
    /// `sticky`: balanced, and what can stays where it was.
    Sticky,
    /// `cooperative-sticky`: the same; only what moves is given up, in a round of its own (KIP-429).
    CooperativeSticky,
}

/// What a member of a group subscribes to.
#[derive(Clone)]
pub enum Subscription {
    /// These topics; those that do not exist are read from when they appear.
    Topics(Vec<TopicName>),
    /// All topics for which this is true, internal ones left out; looked up anew every
    /// [`metadata_max_age`](ConsumerSettings::metadata_max_age).
    Pattern(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subscription::Topics(topics) => f.debug_tuple("Topics").field(topics).finish(),
            Subscription::Pattern(_) => f.debug_tuple("Pattern").finish_non_exhaustive(),
        }
    }
}

/// The memory for what consumers fetch ahead. Cheap to clone; clones share the budget.
///
/// An answer of a broker is read from its connection only when the budget holds all of it, and a compressed batch of it is handed out only when
/// the budget holds what it became as well. Bytes are released when the last record was taken, or when they are discarded.
#[derive(Clone, Debug)]
pub struct FetchBudget {
    pub(crate) available: Arc<Semaphore>,
    capacity: ByteCount,
}

impl FetchBudget {
    /// A budget of `capacity`, at most 4 GiB.
    pub fn new(capacity: ByteCount) -> FetchBudget {
        let capacity = ByteCount(capacity.0.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS));
        FetchBudget { available: Arc::new(Semaphore::new(capacity.0)), capacity }
    }

    /// Waits for so many bytes, in the order in which they are asked for.
    pub(crate) fn take(&self, bytes: u32) -> impl Future<Output = OwnedSemaphorePermit> + Send + use<> {
        let available = self.available.clone();
        async move { available.acquire_many_owned(bytes).await.expect("the budget is never closed") }
    }

    /// What is in use now.
    pub fn used(&self) -> ByteCount {
        ByteCount(self.capacity.0 - self.available.available_permits())
    }

    /// The whole budget.
    pub fn capacity(&self) -> ByteCount {
        self.capacity
    }
}
