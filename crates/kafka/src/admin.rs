//! Administration of a cluster: each call goes to the broker that can answer it. One file per group of calls.
//!
//! No call here creates a topic except [`Cluster::create_topic`](crate::Cluster::create_topic), and every call ends within
//! `Settings::call_timeout`. Reads are repeated while brokers are away; a change whose answer was lost is not, because it may
//! have been made. Errors carry the broker's own sentence where it sent one.

mod cluster;
mod configs;
mod groups;
mod offsets;
mod topics;

use std::{sync::Arc, time::Duration};

use kafka_protocol::protocol::{HeaderVersion, Request, StrBytes};
use tokio::time::Instant;

pub use cluster::ClusterDescription;
pub use configs::{ConfigEntry, ConfigSource, ConfigSynonym};
pub use groups::GroupMembers;
pub use offsets::OffsetRange;
pub use topics::{CreatedTopic, NewTopic, PartitionDescription, TopicDescription};

use crate::{
    Error, Settings, TopicName,
    error::ErrorCode,
    metadata::Metadata,
    network::{Destination, Network},
};

/// The administrative calls of a cluster.
pub(crate) struct Admin {
    network: Arc<Network>,
    metadata: Arc<Metadata>,
    timeout: Duration,
}

impl Admin {
    pub(crate) fn new(network: Arc<Network>, metadata: Arc<Metadata>, settings: &Settings) -> Admin {
        Admin { network, metadata, timeout: settings.call_timeout }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// What brokers are given to finish a change: a little less than we wait for them.
    fn broker_timeout_ms(&self) -> i32 {
        i32::try_from((self.timeout * 5 / 6).as_millis()).unwrap_or(i32::MAX)
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

    /// Asks for a change. In clusters without KRaft only the controller makes it: where another broker refuses for that reason,
    /// the controller is looked up and asked.
    async fn change<R: Request>(
        &self,
        build: impl Fn(i16) -> R + Clone + Send + 'static,
        code: impl Fn(&R::Response) -> Option<i16>,
    ) -> Result<R::Response, Error>
    where
        R::Response: HeaderVersion,
    {
        let deadline = self.deadline();
        let mut destination = Destination::Any;
        loop {
            let answered = self.network.ask(destination, false, deadline, build.clone()).await;
            let response = answered.map_err(|failed| match failed.sent {
                true => Error {
                    message: format!("{}. Whether the change was made is not known", failed.error.message),
                    ..failed.error
                },
                false => failed.error,
            })?;
            let refused = code(&response).map(ErrorCode) == Some(ErrorCode::NOT_CONTROLLER);
            if !refused || Instant::now() >= deadline {
                return Ok(response);
            }
            self.describe_cluster().await?;
            if destination == Destination::Controller {
                tokio::time::sleep(Duration::from_millis(100)).await; // another controller is being elected
            }
            destination = Destination::Controller;
        }
    }
}

/// A name as the codecs take it.
fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
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
