//! What brokers keep in their log directories. Source: KIP-113, KIP-827.

use kafka_protocol::messages::DescribeLogDirsRequest;

use super::{Admin, checked, parsed};
use crate::{Error, NodeId, PartitionId, TopicName, network::Destination};

/// A log directory of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    /// The broker.
    pub broker: NodeId,
    /// The path of the directory, there.
    pub path: String,
    /// Why the broker cannot use it.
    pub error: Option<Error>,
    /// Bytes of its volume; `None`: the broker does not say.
    pub total_bytes: Option<i64>,
    /// Bytes of its volume that are free; `None`: the broker does not say.
    pub usable_bytes: Option<i64>,
    /// What it holds, by topic and partition.
    pub replicas: Vec<LogDirReplica>,
}

/// A replica in a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirReplica {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionId,
    /// Bytes of all its segments.
    pub size_bytes: i64,
    /// How many records it is behind; of one that moves to another directory of its broker: behind the one that stays until then.
    pub offset_lag: i64,
    /// Whether it is one that moves to this directory.
    pub is_future: bool,
}

impl Admin {
    /// Those of all brokers that are up, by broker and path.
    pub(crate) async fn log_dirs(&self) -> Result<Vec<LogDir>, Error> {
        let deadline = self.deadline();
        let mut all = Vec::new();
        for broker in self.describe_cluster().await?.brokers {
            let build = |_| DescribeLogDirsRequest::default().with_topics(None);
            let response = self.read(Destination::Broker(broker.id), deadline, build).await?;
            checked(response.error_code, None)?;
            for found in response.results {
                let mut replicas = Vec::new();
                for topic in found.topics {
                    let Some(name) = parsed(&topic.name) else { continue };
                    replicas.extend(topic.partitions.iter().map(|partition| LogDirReplica {
                        topic: name.clone(),
                        partition: PartitionId(partition.partition_index),
                        size_bytes: partition.partition_size,
                        offset_lag: partition.offset_lag,
                        is_future: partition.is_future_key,
                    }));
                }
                replicas.sort_unstable_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
                let known = |bytes: i64| Some(bytes).filter(|bytes| *bytes >= 0);
                all.push(LogDir {
                    broker: broker.id,
                    path: found.log_dir.to_string(),
                    error: checked(found.error_code, None).err(),
                    total_bytes: known(found.total_bytes),
                    usable_bytes: known(found.usable_bytes),
                    replicas,
                });
            }
        }
        all.sort_by(|a, b| (a.broker, &a.path).cmp(&(b.broker, &b.path)));
        Ok(all)
    }
}
