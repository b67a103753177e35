//! Administration of a cluster: each call goes to the broker that can answer it. One file per group of calls.
//!
//! No call here creates a topic except [`Cluster::create_topic`](crate::Cluster::create_topic), and every call ends within
//! `Settings::call_timeout`. Reads are repeated while brokers are away; a change whose answer was lost is not, because it may
//! have been made. Errors carry the broker's own sentence where it sent one.

mod acls;
mod alter_configs;
mod alter_groups;
mod cluster;
mod configs;
mod delete_records;
mod elect_leaders;
mod group_offsets;
mod groups;
mod log_dirs;
mod offsets;
mod reassignments;
mod scram_users;
mod topics;
mod topics_in_order;

use std::{sync::Arc, time::Duration};

use kafka_protocol::protocol::{HeaderVersion, Request, StrBytes};
use tokio::time::Instant;

pub use acls::{Acl, AclFilter, AclOperation, AclPatternType, AclPermission, AclResourceType};
pub use alter_configs::{ConfigAlteration, ConfigChange};
pub use cluster::ClusterDescription;
pub use configs::{ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym};
pub use elect_leaders::Election;
pub use group_offsets::{CommittedOffset, OffsetTime};
pub use groups::{GroupDescription, GroupMember, GroupMembers, GroupState, GroupType, ListedGroup};
pub use log_dirs::{LogDir, LogDirReplica};
pub use offsets::OffsetRange;
pub use reassignments::{Reassignment, ReassignmentChange};
pub use scram_users::{ScramCredential, ScramUser};
pub use topics::{CreatedTopic, NewTopic, PartitionDescription, TopicDescription};
pub use topics_in_order::SomeTopics;

use crate::{
    Error, NodeId, Settings, TopicName,
    error::ErrorCode,
    metadata::Metadata,
    network::{CallError, Destination, Network},
};

/// The administrative calls of a cluster.
pub(crate) struct Admin {
    network: Arc<Network>,
    metadata: Arc<Metadata>,
    timeout: Duration,
    /// Where several calls have one deadline together.
    deadline: Option<Instant>,
}

impl Admin {
    pub(crate) fn new(network: Arc<Network>, metadata: Arc<Metadata>, settings: &Settings) -> Admin {
        Admin { network, metadata, timeout: settings.call_timeout, deadline: None }
    }

    /// The same whose calls all end within the time for one, counted from now.
    pub(crate) fn with_one_deadline(&self) -> Admin {
        let (network, metadata) = (self.network.clone(), self.metadata.clone());
        Admin { network, metadata, timeout: self.timeout, deadline: Some(self.deadline()) }
    }

    fn deadline(&self) -> Instant {
        self.deadline.unwrap_or_else(|| Instant::now() + self.timeout)
    }

    /// What brokers are given to finish a change: a little less than we wait for them.
    fn broker_timeout_ms(&self) -> i32 {
        let left = self.deadline() - Instant::now();
        i32::try_from((left * 5 / 6).as_millis()).unwrap_or(i32::MAX).max(1)
    }

    /// Asks something that changes nothing.
    async fn read<R: Request>(
        &self,
        destination: Destination,
        deadline: Instant,
        build: impl Fn(i16) -> R + Clone + Send + 'static,
    ) -> Result<R::Response, Error>
    where
        R::Response: HeaderVersion,
    {
        self.network.ask(destination, true, deadline, build).await.map_err(|failed| failed.error)
    }

    /// Asks a broker for a change of something of its own.
    async fn change_at<R: Request>(
        &self,
        broker: NodeId,
        build: impl Fn(i16) -> R + Clone + Send + 'static,
    ) -> Result<R::Response, Error>
    where
        R::Response: HeaderVersion,
    {
        let answered = self.network.ask(Destination::Broker(broker), false, self.deadline(), build).await;
        answered.map_err(unknown_outcome)
    }

    /// Asks for a change of what the whole cluster shares.
    async fn change<R: Request>(
        &self,
        build: impl Fn(i16) -> R + Clone + Send + 'static,
        code: impl Fn(&R::Response) -> Option<i16>,
    ) -> Result<R::Response, Error>
    where
        R::Response: HeaderVersion,
    {
        self.ask_controller(false, build, code).await.map_err(unknown_outcome)
    }

    /// Asks any broker. In clusters without KRaft only the controller answers: where another broker refuses for that reason, the
    /// controller is looked up and asked.
    async fn ask_controller<R: Request>(
        &self,
        repeatable: bool,
        build: impl Fn(i16) -> R + Clone + Send + 'static,
        code: impl Fn(&R::Response) -> Option<i16>,
    ) -> Result<R::Response, CallError>
    where
        R::Response: HeaderVersion,
    {
        let deadline = self.deadline();
        let mut destination = Destination::Any;
        loop {
            let response = self.network.ask(destination, repeatable, deadline, build.clone()).await?;
            let refused = code(&response).map(ErrorCode) == Some(ErrorCode::NOT_CONTROLLER);
            if !refused || Instant::now() >= deadline {
                return Ok(response);
            }
            self.describe_cluster().await.map_err(|error| CallError { error, sent: false })?;
            if destination == Destination::Controller {
                tokio::time::sleep(Duration::from_millis(100)).await; // another controller is being elected
            }
            destination = Destination::Controller;
        }
    }
}

/// The error of a change without an answer: it says so where the change may have been made.
fn unknown_outcome(failed: CallError) -> Error {
    match failed.sent {
        true => Error {
            message: format!("{}. Whether the change was made is not known", failed.error.message),
            ..failed.error
        },
        false => failed.error,
    }
}

/// The result of a change: the broker's sentence, and for a broker that ran out of time that the change may still be made.
fn changed(code: i16, sentence: Option<&StrBytes>) -> Result<(), Error> {
    checked(code, sentence).map_err(|error| match ErrorCode(code) {
        ErrorCode::REQUEST_TIMED_OUT => unknown_outcome(CallError { error, sent: true }),
        _ => error, // nothing was changed
    })
}

/// A name as the codecs take it.
fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A name as the codecs have it.
fn parsed(name: &kafka_protocol::messages::TopicName) -> Option<TopicName> {
    TopicName::parse(name).ok() // a cluster has no topics with illegal names
}

/// The name of a topic as the codecs take it.
fn topic_name(name: &TopicName) -> kafka_protocol::messages::TopicName {
    kafka_protocol::messages::TopicName(text(name.as_str()))
}

/// The code of an answer's only element, and the broker's sentence.
fn checked(code: i16, sentence: Option<&StrBytes>) -> Result<(), Error> {
    match ErrorCode(code) {
        ErrorCode::NONE => Ok(()),
        code => Err(code.error(sentence.map(|sentence| &**sentence))),
    }
}

/// An answer without what was asked for.
fn not_answered() -> Error {
    ErrorCode::UNKNOWN_SERVER_ERROR.error(Some("the broker's answer does not hold what was asked for"))
}
