//! What is asked of a group's coordinator on the connection that all groups of a cluster share: heartbeats, commits, leaving.

use std::{collections::BTreeMap, sync::Arc};

use kafka_protocol::{
    messages::{
        GroupId, HeartbeatRequest, LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest,
        leave_group_request::MemberIdentity,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch_request::OffsetFetchRequestTopic,
    },
    protocol::{HeaderVersion, Request, StrBytes},
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::{
    Error, NodeId, Offset, PartitionId, TopicName, TopicPartition, connection::Backoff, consumer::CommitOffset,
    coordinator, error::ErrorCode, log_position::NO_EPOCH, network::Network,
};

/// The way to the coordinator of one group, for one consumer.
pub(crate) struct GroupLink {
    network: Arc<Network>,
    group: String,
    instance: Option<String>,
    known: Mutex<Option<NodeId>>,
    /// One commit at a time: a later one must not be overtaken by an earlier one.
    committing: tokio::sync::Mutex<()>,
}

/// Who asks: a member in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) member_id: String,
    pub(crate) generation: i32,
}

impl Identity {
    /// Whoever is no member.
    pub(crate) fn none() -> Identity {
        Identity { member_id: String::new(), generation: -1 }
    }
}

impl GroupLink {
    pub(crate) fn new(network: Arc<Network>, group: String, instance: Option<String>) -> GroupLink {
        GroupLink { network, group, instance, known: Mutex::default(), committing: tokio::sync::Mutex::default() }
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn group_id(&self) -> GroupId {
        GroupId(text(&self.group))
    }

    pub(super) fn instance(&self) -> Option<StrBytes> {
        self.instance.as_deref().map(text)
    }

    /// The coordinator, asked for where it is not known.
    pub(super) async fn coordinator(&self, deadline: Instant) -> Result<NodeId, Error> {
        if let Some(node) = *self.known.lock() {
            return Ok(node);
        }
        let node = coordinator::find(&self.network, &self.group, deadline).await?;
        *self.known.lock() = Some(node);
        Ok(node)
    }

    /// Where the coordinator listens.
    pub(super) async fn address(&self, deadline: Instant) -> Result<String, Error> {
        let node = self.coordinator(deadline).await?;
        self.network.address(node).ok_or_else(|| {
            self.forget();
            Error::unavailable(format!("broker {node}, the coordinator of the group, is away"))
        })
    }

    /// The group may have moved.
    pub(super) fn forget(&self) {
        *self.known.lock() = None;
    }

    /// Asks until a coordinator answers with something else than that it is not the one, or that it loads the group. All these
    /// requests may be repeated.
    async fn ask<R: Request>(
        &self,
        deadline: Instant,
        build: impl Fn(i16) -> R + Clone + Send + 'static,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, Error>
    where
        R::Response: HeaderVersion,
    {
        let mut backoff = Backoff::RETRY;
        loop {
            let node = self.coordinator(deadline).await?;
            let error = match self.network.ask_once(node, deadline, build.clone()).await {
                Ok(response) => match ErrorCode(code(&response)) {
                    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS.error(None),
                    moved @ (ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR) => {
                        self.forget();
                        moved.error(None)
                    }
                    _ => return Ok(response),
                },
                Err(failed) if failed.error.is_transient() => {
                    self.forget();
                    failed.error
                }
                Err(failed) => return Err(failed.error),
            };
            let pause = backoff.next();
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    /// Says that the member lives; what the coordinator says to it.
    ///
    /// # Errors
    /// No coordinator answers by `deadline`.
    pub(super) async fn heartbeat(&self, identity: &Identity, deadline: Instant) -> Result<ErrorCode, Error> {
        let (group, instance, identity) = (self.group_id(), self.instance(), identity.clone());
        let build = move |version| {
            let request = HeartbeatRequest::default()
                .with_group_id(group.clone())
                .with_generation_id(identity.generation)
                .with_member_id(text(&identity.member_id));
            if version >= 3 { request.with_group_instance_id(instance.clone()) } else { request }
        };
        let response = self.ask(deadline, build, |response| response.error_code).await?;
        Ok(ErrorCode(response.error_code))
    }

    /// Leaves the group, so that the others need not wait for the session to end.
    pub(super) async fn leave(&self, member_id: &str, deadline: Instant) -> Result<(), Error> {
        let (group, instance, member_id) = (self.group_id(), self.instance(), text(member_id));
        let build = move |version| {
            let request = LeaveGroupRequest::default().with_group_id(group.clone());
            if version < 3 {
                return request.with_member_id(member_id.clone());
            }
            let member = MemberIdentity::default().with_member_id(member_id.clone());
            request.with_members(vec![member.with_group_instance_id(instance.clone())])
        };
        self.ask(deadline, build, |response| response.error_code).await.map(drop)
    }

    /// Commits offsets, in the order in which this is called.
    ///
    /// # Errors
    /// What the coordinator has against it, naming the partition; no answer by `deadline`.
    pub(crate) async fn commit(
        &self,
        identity: &Identity,
        offsets: &[CommitOffset],
        deadline: Instant,
    ) -> Result<(), CommitError> {
        let _order = self.committing.lock().await;
        let mut topics: BTreeMap<&TopicName, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for CommitOffset { partition, offset, leader_epoch, metadata } in offsets {
            let commit = OffsetCommitRequestPartition::default()
                .with_partition_index(partition.partition.0)
                .with_committed_offset(offset.0)
                .with_committed_leader_epoch(leader_epoch.unwrap_or(NO_EPOCH))
                .with_committed_metadata(Some(text(metadata)));
            topics.entry(&partition.topic).or_default().push(commit);
        }
        let topics: Vec<_> = topics
            .into_iter()
            .map(|(topic, partitions)| {
                OffsetCommitRequestTopic::default().with_name(wire_name(topic)).with_partitions(partitions)
            })
            .collect();
        let (group, instance, identity) = (self.group_id(), self.instance(), identity.clone());
        let build = move |version| {
            let request = OffsetCommitRequest::default()
                .with_group_id(group.clone())
                .with_generation_id_or_member_epoch(identity.generation)
                .with_member_id(text(&identity.member_id))
                .with_topics(topics.clone());
            if version >= 7 && identity.generation >= 0 {
                request.with_group_instance_id(instance.clone())
            } else {
                request
            }
        };
        let code = |response: &kafka_protocol::messages::OffsetCommitResponse| {
            let codes =
                response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
            codes.into_iter().find(|code| *code != 0).unwrap_or(0)
        };
        let response = self.ask(deadline, build, code).await.map_err(|error| CommitError { code: None, error })?;
        for topic in &response.topics {
            let refused = topic.partitions.iter().find(|partition| partition.error_code != 0);
            if let Some(partition) = refused {
                let code = ErrorCode(partition.error_code);
                let error = code.error(None);
                let place = format!("partition {} of topic {}", partition.partition_index, &*topic.name.0);
                let message = format!("the offset of {place} was not committed: {}", error.message);
                return Err(CommitError { code: Some(code), error: Error { message, ..error } });
            }
        }
        Ok(())
    }

    /// What was committed for these partitions; those without a commit are left out.
    ///
    /// # Errors
    /// What the coordinator has against it; no answer by `deadline`.
    pub(crate) async fn committed(
        &self,
        partitions: &[TopicPartition],
        deadline: Instant,
    ) -> Result<Vec<CommitOffset>, Error> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut topics: BTreeMap<&TopicName, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            topics.entry(&partition.topic).or_default().push(partition.partition.0);
        }
        let topics: Vec<_> = topics
            .into_iter()
            .map(|(topic, partitions)| {
                OffsetFetchRequestTopic::default().with_name(wire_name(topic)).with_partition_indexes(partitions)
            })
            .collect();
        let group = self.group_id();
        let build = move |version| {
            let request = OffsetFetchRequest::default().with_group_id(group.clone()).with_topics(Some(topics.clone()));
            // Offsets of open transactions are waited for.
            if version >= 7 { request.with_require_stable(true) } else { request }
        };
        let code = |response: &kafka_protocol::messages::OffsetFetchResponse| response.error_code;
        let response = self.ask(deadline, build, code).await?;
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => {}
            code => return Err(code.error(None)),
        }
        let mut committed = Vec::new();
        for topic in response.topics {
            let Ok(name) = TopicName::parse(&topic.name.0) else { continue };
            for found in topic.partitions {
                match ErrorCode(found.error_code) {
                    ErrorCode::NONE if found.committed_offset >= 0 => committed.push(CommitOffset {
                        partition: TopicPartition {
                            topic: name.clone(),
                            partition: PartitionId(found.partition_index),
                        },
                        offset: Offset(found.committed_offset),
                        leader_epoch: Some(found.committed_leader_epoch).filter(|epoch| *epoch >= 0),
                        metadata: found.metadata.map(|text| text.to_string()).unwrap_or_default(),
                    }),
                    ErrorCode::NONE | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {}
                    code => return Err(code.error(None)),
                }
            }
        }
        Ok(committed)
    }
}

/// Why offsets were not committed.
#[derive(Debug)]
pub(crate) struct CommitError {
    /// What the coordinator answered; `None`: nothing.
    pub(crate) code: Option<ErrorCode>,
    pub(crate) error: Error,
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn wire_name(topic: &TopicName) -> kafka_protocol::messages::TopicName {
    kafka_protocol::messages::TopicName(text(topic.as_str()))
}
