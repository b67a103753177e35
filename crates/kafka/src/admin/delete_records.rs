//! Deleting the records at the beginning of partitions. Source: KIP-107.

use std::{collections::BTreeMap, sync::Arc};

use kafka_protocol::messages::{
    DeleteRecordsRequest,
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
};
use tokio::task::JoinSet;

use super::{Admin, changed, not_answered, topic_name, unknown_outcome};
use crate::{Error, ErrorKind, NodeId, Offset, PartitionId, TopicName, error::ErrorCode, network::Destination};

impl Admin {
    /// Deletes the records of `topic` before the given offsets, -1 for all; where each partition begins afterwards.
    pub(crate) async fn delete_records(
        &self,
        topic: &TopicName,
        before: &BTreeMap<PartitionId, Offset>,
    ) -> Result<BTreeMap<PartitionId, Result<Offset, Error>>, Error> {
        let (deadline, timeout_ms) = (self.deadline(), self.broker_timeout_ms());
        let described = self.topic(topic, false).await?;
        let mut results = BTreeMap::new();
        let mut by_leader: BTreeMap<NodeId, Vec<DeleteRecordsPartition>> = BTreeMap::new();
        for (partition, offset) in before {
            match described.partitions.iter().find(|known| known.id == *partition).map(|known| known.leader) {
                Some(Some(leader)) => by_leader
                    .entry(leader)
                    .or_default()
                    .push(DeleteRecordsPartition::default().with_partition_index(partition.0).with_offset(offset.0)),
                Some(None) => {
                    results.insert(*partition, Err(ErrorCode::LEADER_NOT_AVAILABLE.error(None)));
                }
                None => {
                    let message = format!("topic {topic} has no partition {partition}");
                    let error = Error::new(ErrorKind::UnknownPartition, "UNKNOWN_TOPIC_OR_PARTITION", message);
                    results.insert(*partition, Err(error));
                }
            }
        }
        let mut asked = JoinSet::new();
        for (leader, partitions) in by_leader {
            let (network, name) = (Arc::clone(&self.network), topic_name(topic));
            asked.spawn(async move {
                let ids: Vec<_> = partitions.iter().map(|partition| PartitionId(partition.partition_index)).collect();
                let build = move |_| {
                    let topic =
                        DeleteRecordsTopic::default().with_name(name.clone()).with_partitions(partitions.clone());
                    DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(timeout_ms)
                };
                (ids, network.ask(Destination::Broker(leader), false, deadline, build).await)
            });
        }
        while let Some(answered) = asked.join_next().await {
            let (ids, answered) = answered.map_err(|_| not_answered())?;
            let answers = answered.map_err(unknown_outcome).map(|response| {
                let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
                partitions.map(|p| (p.partition_index, (p.error_code, p.low_watermark))).collect::<BTreeMap<_, _>>()
            });
            for id in ids {
                let result = match &answers {
                    Ok(answers) => match answers.get(&id.0) {
                        Some((code, low)) => {
                            changed(*code, None).map(|()| Offset(*low)).map_err(|error| beyond(error, *code))
                        }
                        None => Err(not_answered()),
                    },
                    Err(error) => Err(error.clone()),
                };
                results.insert(id, result);
            }
        }
        Ok(results)
    }
}

/// An offset beyond the end is the mistake of whoever asked.
fn beyond(error: Error, code: i16) -> Error {
    match ErrorCode(code) {
        ErrorCode::OFFSET_OUT_OF_RANGE => Error {
            kind: ErrorKind::InvalidRequest,
            message: "the offset is beyond the end of the partition".to_owned(),
            ..error
        },
        _ => error,
    }
}
