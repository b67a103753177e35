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
        let metadata = Metadata::ask(self.client(), Some(self), timeout)?;
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
    /// The names of all topics, internal ones included. Blocks.
    pub(crate) fn topic_names(&self, timeout: Duration) -> Result<Vec<String>, Error> {
        let metadata = Metadata::ask(self, None, timeout)?;
        // SAFETY: names belong to metadata that is alive.
        Ok(metadata.topics().iter().filter_map(|topic| unsafe { raw::text(topic.topic) }).collect())
    }
}

struct Metadata(*const c::rd_kafka_metadata);

impl Metadata {
    fn ask(client: &Client, topic: Option<&Topic>, timeout: Duration) -> Result<Metadata, Error> {
        let mut metadata = ptr::null();
        let topic = topic.map_or(ptr::null_mut(), Topic::raw);
        // SAFETY: client and topic are live; the answer, where there is one, is ours.
        let code = Code(unsafe {
            raw::rd_kafka_metadata(client.raw(), topic.is_null().into(), topic, &raw mut metadata, millis(timeout))
        });
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
