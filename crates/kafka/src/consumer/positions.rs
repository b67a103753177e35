//! Where partitions are read from: what the group has committed, else an end of the log or a time, which their leaders know.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use kafka_protocol::{
    messages::{
        BrokerId, ListOffsetsRequest,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    },
    protocol::StrBytes,
};
use tokio::{task::JoinSet, time::Instant};

use super::settings::{ConsumerSettings, IsolationLevel, OffsetReset};
use crate::{
    Error, ErrorKind, NodeId, PartitionId, TopicName, TopicPartition,
    error::ErrorCode,
    group::{
        GroupLink,
        assignment::{LookUp, Position},
    },
    log_position::LogPosition,
    metadata::Metadata,
    network::{Destination, Network},
};

/// Times that stand for an end of the log.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// A position that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) position: LogPosition,
    /// It is what the group has committed.
    pub(super) is_committed: bool,
}

/// Finds positions.
#[derive(Clone)]
pub(super) struct Positions {
    pub(super) network: Arc<Network>,
    pub(super) metadata: Arc<Metadata>,
    pub(super) link: Arc<GroupLink>,
    pub(super) settings: Arc<ConsumerSettings>,
}

impl Positions {
    /// The positions of partitions that have none. Those whose leader cannot say now have a transient error.
    ///
    /// # Errors
    /// What the group's coordinator has against it; no answer by `deadline`.
    pub(super) async fn find(
        &self,
        wanted: Vec<(TopicPartition, Position)>,
        deadline: Instant,
    ) -> Result<HashMap<TopicPartition, Result<Found, Error>>, Error> {
        let (mut uncommitted, mut look_ups) = (Vec::new(), Vec::new());
        for (partition, position) in wanted {
            match position {
                Position::Committed => uncommitted.push(partition),
                Position::LookUp(look_up) => look_ups.push((partition, look_up)),
                Position::At(_) => {}
            }
        }
        let mut found = HashMap::new();
        for committed in self.link.committed(&uncommitted, deadline).await? {
            let position = committed.position();
            found.insert(committed.partition, Ok(Found { position, is_committed: true }));
        }
        uncommitted.retain(|partition| !found.contains_key(partition));
        for partition in uncommitted {
            match reset(self.settings.auto_offset_reset) {
                Some(look_up) => look_ups.push((partition, look_up)),
                None => drop(found.insert(partition.clone(), Err(no_offset(&partition)))),
            }
        }
        let isolation = self.settings.isolation_level;
        let looked_up = look_up(&self.network, &self.metadata, look_ups, isolation, deadline).await?;
        let looked_up = looked_up
            .into_iter()
            .map(|(partition, found)| (partition, found.map(|position| Found { position, is_committed: false })));
        found.extend(looked_up);
        Ok(found)
    }
}

/// Where to look by the reset policy.
pub(super) fn reset(policy: OffsetReset) -> Option<LookUp> {
    match policy {
        OffsetReset::Earliest => Some(LookUp::Earliest),
        OffsetReset::Latest => Some(LookUp::Latest),
        OffsetReset::None => None,
        OffsetReset::ByDuration(duration) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
            let since = now.saturating_sub(duration).as_millis();
            Some(LookUp::Time(i64::try_from(since).unwrap_or(0)))
        }
    }
}

/// Nothing says where to begin.
pub(super) fn no_offset(partition: &TopicPartition) -> Error {
    let message = format!(
        "{partition} has no position: nothing was committed or it is out of range, and auto.offset.reset is none"
    );
    Error::new(ErrorKind::NoOffset, "NO_OFFSET", message)
}

/// Asks the leaders of partitions. Partitions that are not there, or whose leader is not known, have a transient error.
///
/// # Errors
/// Topics cannot be looked up.
pub(crate) async fn look_up(
    network: &Arc<Network>,
    metadata: &Metadata,
    wanted: Vec<(TopicPartition, LookUp)>,
    isolation: IsolationLevel,
    deadline: Instant,
) -> Result<HashMap<TopicPartition, Result<LogPosition, Error>>, Error> {
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let mut names: Vec<TopicName> = wanted.iter().map(|(partition, _)| partition.topic.clone()).collect();
    names.sort();
    names.dedup();
    let topics = metadata.asked(&names).await?;
    let mut by_leader: BTreeMap<NodeId, Vec<Wanted>> = BTreeMap::new();
    for (partition, look_up) in wanted {
        let at = usize::try_from(partition.partition.0).unwrap_or(usize::MAX);
        let leader = topics.get(&partition.topic).and_then(|topic| topic.partitions.get(at));
        match leader.and_then(|leader| Some((leader.node?, leader.epoch))) {
            Some((node, leader_epoch)) => {
                by_leader.entry(node).or_default().push(Wanted { partition, look_up, leader_epoch });
            }
            None => drop(found.insert(partition, Err(ErrorCode::LEADER_NOT_AVAILABLE.error(None)))),
        }
    }
    let mut requests = JoinSet::new();
    for (leader, wanted) in by_leader {
        let network = network.clone();
        requests.spawn(async move {
            let mut answers = ask_leader(&network, leader, &wanted, isolation, deadline).await;
            // A time after the last record is the end.
            let beyond: Vec<_> = wanted
                .iter()
                .filter(|wanted| matches!(answers.get(&wanted.partition), Some(Ok(LogPosition { offset: ..0, .. }))))
                .map(|wanted| Wanted { look_up: LookUp::Latest, ..wanted.clone() })
                .collect();
            if !beyond.is_empty() {
                answers.extend(ask_leader(&network, leader, &beyond, isolation, deadline).await);
            }
            answers
        });
    }
    while let Some(answers) = requests.join_next().await {
        found.extend(answers.unwrap_or_default());
    }
    Ok(found)
}

/// What a leader is asked for.
#[derive(Clone, Debug)]
struct Wanted {
    partition: TopicPartition,
    look_up: LookUp,
    /// Of the leader that is asked, as far as known here: another refuses.
    leader_epoch: i32,
}

async fn ask_leader(
    network: &Network,
    leader: NodeId,
    wanted: &[Wanted],
    isolation: IsolationLevel,
    deadline: Instant,
) -> HashMap<TopicPartition, Result<LogPosition, Error>> {
    let mut topics: BTreeMap<&TopicName, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for Wanted { partition, look_up, leader_epoch } in wanted {
        let time = match look_up {
            LookUp::Earliest => EARLIEST,
            LookUp::Latest => LATEST,
            LookUp::Time(time) => *time,
        };
        let asked = ListOffsetsPartition::default()
            .with_partition_index(partition.partition.0)
            .with_current_leader_epoch(*leader_epoch)
            .with_timestamp(time);
        topics.entry(&partition.topic).or_default().push(asked);
    }
    let topics: Vec<_> = topics
        .into_iter()
        .map(|(topic, partitions)| {
            let name = kafka_protocol::messages::TopicName(StrBytes::from_string(topic.as_str().to_owned()));
            ListOffsetsTopic::default().with_name(name).with_partitions(partitions)
        })
        .collect();
    let build = move |version| {
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics.clone());
        let committed_only = version >= 2 && isolation == IsolationLevel::ReadCommitted;
        request.with_isolation_level(i8::from(committed_only))
    };
    let response = match network.ask(Destination::Broker(leader), true, deadline, build).await {
        Ok(response) => response,
        Err(failed) => {
            return wanted.iter().map(|wanted| (wanted.partition.clone(), Err(failed.error.clone()))).collect();
        }
    };
    let mut found = HashMap::new();
    for topic in response.topics {
        let Ok(name) = TopicName::parse(&topic.name.0) else { continue };
        for answer in topic.partitions {
            let offset = match ErrorCode(answer.error_code) {
                ErrorCode::NONE => Ok(LogPosition::new(answer.offset, answer.leader_epoch)),
                // The cluster knows the partition, its leader does not yet.
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(ErrorCode::LEADER_NOT_AVAILABLE.error(None)),
                code => Err(code.error(None)),
            };
            let partition = PartitionId(answer.partition_index);
            found.insert(TopicPartition { topic: name.clone(), partition }, offset);
        }
    }
    for Wanted { partition, .. } in wanted {
        found.entry(partition.clone()).or_insert_with(|| Err(ErrorCode::LEADER_NOT_AVAILABLE.error(None)));
    }
    found
}
