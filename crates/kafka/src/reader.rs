//! One partition, read in order from its beginning, without a group.

use std::sync::Arc;

use crate::{
    Error, PartitionId, Settings, StoredRecord, TopicName,
    native::{Client, PartitionConsumer, Role},
};

/// One partition, read in order. It goes on for ever: what is appended later is read as well, and a broker that goes away is
/// waited for.
///
/// Each reader is a client of its own, with its own connections and threads: meant for the few topics that are read whole.
pub struct Reader {
    consumer: PartitionConsumer,
}

impl Reader {
    pub(crate) fn start(settings: &Settings, topic: &TopicName, partition: PartitionId) -> Result<Reader, Error> {
        let client = Arc::new(Client::start(Role::Consumer, settings)?);
        Ok(Reader { consumer: PartitionConsumer::start(&client, topic, partition)? })
    }

    /// Waits for the next records (at least one). Cancel safe: records not returned come with the next call.
    ///
    /// # Errors
    /// What the cluster says of the partition, such as that it does not exist. Reading may be tried again.
    pub async fn next(&mut self) -> Result<Vec<StoredRecord>, Error> {
        loop {
            let records = self.consumer.take()?;
            if !records.is_empty() {
                return Ok(records);
            }
            self.consumer.woken().await;
        }
    }
}
