//! What a cluster says of its topics, asked with the one call that the producer's own knowledge is fed by as well.

use std::{ptr, time::Duration};

use rdkafka::bindings as c;

use super::{Client, Topic, raw};
use crate::{Error, error::Code, settings::millis};

/// What a cluster says of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Partitions {
    /// It is there, with so many partitions.
    Known(i32),
    /// It is not there, or not yet.
    Missing,
}

impl Topic {
    /// Asks for the number of partitions; afterwards the producer knows their leaders as well. Creates the topic where the
    /// cluster does that. Blocks.
    pub(crate) fn partitions(&self, timeout: Duration) -> Result<Partitions, Error> {
        let metadata = Metadata::ask(self.client(), Which::One(self), timeout)?;
        let [topic] = metadata.topics() else { return Ok(Partitions::Missing) };
        // SAFETY: the field belongs to metadata that is alive.
        let code = unsafe { raw::code_at(&raw const topic.err) };
        match code {
            Code::NONE if topic.partition_cnt > 0 => Ok(Partitions::Known(topic.partition_cnt)),
            Code::NONE | Code::UNKNOWN_TOPIC_OR_PARTITION | Code::LEADER_NOT_AVAILABLE | Code::UNKNOWN_TOPIC => {
                Ok(Partitions::Missing)
            }
            other => Err(other.error(None)),
        }
    }
}

impl Client {
    /// Asks who the brokers are, and nothing else. An idempotent producer that hears of them gets its id at once; otherwise it
    /// waits for a timer of half a second. Blocks.
    pub(crate) fn fetch_initial_metadata(&self, timeout: Duration) -> Result<(), Error> {
        Metadata::ask(self, Which::Known, timeout).map(drop)
    }

    /// The names of all topics, internal ones included. Blocks.
    pub(crate) fn topic_names(&self, timeout: Duration) -> Result<Vec<String>, Error> {
        let metadata = Metadata::ask(self, Which::All, timeout)?;
        // SAFETY: names belong to metadata that is alive.
        Ok(metadata.topics().iter().filter_map(|topic| unsafe { raw::text(topic.topic) }).collect())
    }
}

/// Which topics a question is about.
enum Which<'a> {
    All,
    /// Those that the client has met already.
    Known,
    One(&'a Topic),
}

struct Metadata(*const c::rd_kafka_metadata);

impl Metadata {
    fn ask(client: &Client, which: Which<'_>, timeout: Duration) -> Result<Metadata, Error> {
        let mut metadata = ptr::null();
        let (all, topic) = match which {
            Which::All => (1, ptr::null_mut()),
            Which::Known => (0, ptr::null_mut()),
            Which::One(topic) => (0, topic.raw()),
        };
        // SAFETY: client and topic are live; the answer, where there is one, is ours.
        let code =
            Code(unsafe { raw::rd_kafka_metadata(client.raw(), all, topic, &raw mut metadata, millis(timeout)) });
        if code == Code::NONE { Ok(Metadata(metadata)) } else { Err(code.error(None)) }
    }

    fn topics(&self) -> &[c::rd_kafka_metadata_topic] {
        // SAFETY: the array is as long as it says and lives as long as the metadata. The codes in it are only read through
        // `raw::code_at`.
        unsafe { raw::slice((*self.0).topics, usize::try_from((*self.0).topic_cnt).unwrap_or(0)) }
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        // SAFETY: ours, and not used afterwards.
        unsafe { c::rd_kafka_metadata_destroy(self.0) };
    }
}
