//! What the cluster answered to an administrative call, read into our own words.

use rdkafka::bindings as c;

use super::raw;
use crate::{
    Broker, ClusterDescription, ConfigEntry, ConfigSource, ConfigSynonym, Error, NodeId, Offset, PartitionDescription,
    PartitionId, TopicDescription, error::Code,
};

/// The event that answers a call.
pub(crate) struct Reply(*mut c::rd_kafka_event_t);

// SAFETY: an event belongs to whoever polled it, on whatever thread.
unsafe impl Send for Reply {}

impl Reply {
    /// `None` where there is no event; an error where the call as a whole failed.
    ///
    /// # Safety
    /// `event` is null or an event that nobody else destroys.
    pub(super) unsafe fn take(event: *mut c::rd_kafka_event_t) -> Option<Result<Reply, Error>> {
        if event.is_null() {
            return None;
        }
        let reply = Reply(event);
        // SAFETY: the event is live, its text is copied.
        let (code, sentence) =
            unsafe { (Code(raw::rd_kafka_event_error(event)), raw::text(c::rd_kafka_event_error_string(event))) };
        Some(if code == Code::NONE { Ok(reply) } else { Err(code.error(sentence)) })
    }

    /// The verdict over the one topic that was to be created, deleted or widened.
    pub(crate) fn topic_result(&self) -> Result<(), Error> {
        let mut count = 0;
        // SAFETY: the event is live and each reader is used with its own kind of result only: a null result is none of its
        // kind. Arrays and texts live as long as the event.
        unsafe {
            let created = c::rd_kafka_event_CreateTopics_result(self.0);
            let deleted = c::rd_kafka_event_DeleteTopics_result(self.0);
            let widened = c::rd_kafka_event_CreatePartitions_result(self.0);
            let results = if !created.is_null() {
                c::rd_kafka_CreateTopics_result_topics(created, &raw mut count)
            } else if !deleted.is_null() {
                c::rd_kafka_DeleteTopics_result_topics(deleted, &raw mut count)
            } else if !widened.is_null() {
                c::rd_kafka_CreatePartitions_result_topics(widened, &raw mut count)
            } else {
                return Err(not_answered());
            };
            let &result = raw::slice(results, count).first().ok_or_else(not_answered)?;
            let code = Code(raw::rd_kafka_topic_result_error(result));
            if code == Code::NONE {
                return Ok(());
            }
            Err(code.error(raw::text(c::rd_kafka_topic_result_error_string(result))))
        }
    }

    /// The described topics; each may have failed on its own.
    pub(crate) fn topics(&self) -> Vec<Result<TopicDescription, Error>> {
        let mut count = 0;
        // SAFETY: the event is live; a null result is of another kind and yields nothing.
        unsafe {
            let result = c::rd_kafka_event_DescribeTopics_result(self.0);
            if result.is_null() {
                return Vec::new();
            }
            let topics = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            raw::slice(topics, count).iter().map(|&topic| topic_description(topic)).collect()
        }
    }

    /// The described cluster.
    pub(crate) fn cluster(&self) -> Result<ClusterDescription, Error> {
        let mut count = 0;
        // SAFETY: the event is live; nodes and texts live as long as it does.
        unsafe {
            let result = c::rd_kafka_event_DescribeCluster_result(self.0);
            if result.is_null() {
                return Err(not_answered());
            }
            let nodes = c::rd_kafka_DescribeCluster_result_nodes(result, &raw mut count);
            Ok(ClusterDescription {
                cluster_id: raw::text(c::rd_kafka_DescribeCluster_result_cluster_id(result)).unwrap_or_default(),
                controller: node_id(c::rd_kafka_DescribeCluster_result_controller(result)),
                brokers: raw::slice(nodes, count).iter().map(|&node| broker(node)).collect(),
            })
        }
    }

    /// The configs of the one resource that was asked for.
    pub(crate) fn configs(&self) -> Result<Vec<ConfigEntry>, Error> {
        let mut count = 0;
        // SAFETY: the event is live; resources, entries and texts live as long as it does.
        unsafe {
            let result = c::rd_kafka_event_DescribeConfigs_result(self.0);
            if result.is_null() {
                return Err(not_answered());
            }
            let resources = c::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            let &resource = raw::slice(resources, count).first().ok_or_else(not_answered)?;
            let code = Code(raw::rd_kafka_ConfigResource_error(resource));
            if code != Code::NONE {
                return Err(code.error(raw::text(c::rd_kafka_ConfigResource_error_string(resource))));
            }
            let entries = c::rd_kafka_ConfigResource_configs(resource, &raw mut count);
            Ok(raw::slice(entries, count).iter().map(|&entry| config_entry(entry)).collect())
        }
    }

    /// The one offset that was asked for.
    pub(crate) fn offset(&self) -> Result<Offset, Error> {
        let mut count = 0;
        // SAFETY: the event is live; the infos live as long as it does.
        unsafe {
            let result = c::rd_kafka_event_ListOffsets_result(self.0);
            if result.is_null() {
                return Err(not_answered());
            }
            let infos = c::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
            let &info = raw::slice(infos, count).first().ok_or_else(not_answered)?;
            let partition = c::rd_kafka_ListOffsetsResultInfo_topic_partition(info);
            match raw::code_at(&raw const (*partition).err) {
                Code::NONE => Ok(Offset((*partition).offset)),
                code => Err(code.error(None)),
            }
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // SAFETY: ours, and not used afterwards.
        unsafe { c::rd_kafka_event_destroy(self.0) };
    }
}

/// An answer without what was asked for.
fn not_answered() -> Error {
    Code(-1).error(Some("the cluster's answer does not hold what was asked for".to_owned()))
}

/// # Safety
/// `topic` belongs to a live event, as do all pointers below.
unsafe fn topic_description(topic: *const c::rd_kafka_TopicDescription_t) -> Result<TopicDescription, Error> {
    let (mut partitions, mut operations) = (0, 0);
    // SAFETY: as promised by the caller, for all of the block.
    unsafe {
        raw::error_of(c::rd_kafka_TopicDescription_error(topic))?;
        let first_partition = c::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let first_operation = raw::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut operations);
        Ok(TopicDescription {
            name: raw::text(c::rd_kafka_TopicDescription_name(topic)).unwrap_or_default(),
            is_internal: c::rd_kafka_TopicDescription_is_internal(topic) != 0,
            partitions: raw::slice(first_partition, partitions).iter().map(|&p| partition_description(p)).collect(),
            authorized_operations: raw::slice(first_operation, operations)
                .iter()
                .filter_map(|&operation| operation_name(operation))
                .collect(),
        })
    }
}

/// # Safety
/// As for [`topic_description`].
unsafe fn partition_description(partition: *const c::rd_kafka_TopicPartitionInfo_t) -> PartitionDescription {
    let (mut replicas, mut in_sync) = (0, 0);
    // SAFETY: as promised by the caller, for all of the block.
    unsafe {
        let first_replica = c::rd_kafka_TopicPartitionInfo_replicas(partition, &raw mut replicas);
        let first_in_sync = c::rd_kafka_TopicPartitionInfo_isr(partition, &raw mut in_sync);
        PartitionDescription {
            id: PartitionId(c::rd_kafka_TopicPartitionInfo_partition(partition)),
            leader: node_id(c::rd_kafka_TopicPartitionInfo_leader(partition)),
            replicas: raw::slice(first_replica, replicas).iter().filter_map(|&node| node_id(node)).collect(),
            in_sync: raw::slice(first_in_sync, in_sync).iter().filter_map(|&node| node_id(node)).collect(),
        }
    }
}

/// # Safety
/// `node` is null or belongs to a live event.
unsafe fn node_id(node: *const c::rd_kafka_Node_t) -> Option<NodeId> {
    if node.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller promises the rest.
    let id = unsafe { c::rd_kafka_Node_id(node) };
    (id >= 0).then_some(NodeId(id))
}

/// # Safety
/// `node` belongs to a live event.
unsafe fn broker(node: *const c::rd_kafka_Node_t) -> Broker {
    // SAFETY: as promised by the caller.
    unsafe {
        Broker {
            id: NodeId(c::rd_kafka_Node_id(node)),
            host: raw::text(c::rd_kafka_Node_host(node)).unwrap_or_default(),
            port: c::rd_kafka_Node_port(node),
            rack: raw::text(c::rd_kafka_Node_rack(node)),
        }
    }
}

/// # Safety
/// `entry` belongs to a live event, as do all pointers below.
unsafe fn config_entry(entry: *const c::rd_kafka_ConfigEntry_t) -> ConfigEntry {
    let mut count = 0;
    // SAFETY: as promised by the caller, for all of the block.
    unsafe {
        let synonyms = c::rd_kafka_ConfigEntry_synonyms(entry, &raw mut count);
        ConfigEntry {
            name: raw::text(c::rd_kafka_ConfigEntry_name(entry)).unwrap_or_default(),
            value: raw::text(c::rd_kafka_ConfigEntry_value(entry)),
            source: config_source(raw::rd_kafka_ConfigEntry_source(entry)),
            is_read_only: c::rd_kafka_ConfigEntry_is_read_only(entry) == 1,
            is_sensitive: c::rd_kafka_ConfigEntry_is_sensitive(entry) == 1,
            synonyms: raw::slice(synonyms, count)
                .iter()
                .map(|&synonym| ConfigSynonym {
                    name: raw::text(c::rd_kafka_ConfigEntry_name(synonym)).unwrap_or_default(),
                    value: raw::text(c::rd_kafka_ConfigEntry_value(synonym)),
                    source: config_source(raw::rd_kafka_ConfigEntry_source(synonym)),
                })
                .collect(),
        }
    }
}

/// The numbers of DescribeConfigs. Source: KIP-226, later additions from the protocol guide.
fn config_source(number: i32) -> ConfigSource {
    match number {
        1 => ConfigSource::DynamicTopic,
        2 => ConfigSource::DynamicBroker,
        3 => ConfigSource::DynamicDefaultBroker,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        6 => ConfigSource::DynamicBrokerLogger,
        8 => ConfigSource::DynamicGroup,
        _ => ConfigSource::Unknown, // a broker may be newer than we are
    }
}

/// Kafka's names of what one may do with a topic. Source: KIP-430.
fn operation_name(number: i32) -> Option<&'static str> {
    Some(match number {
        3 => "READ",
        4 => "WRITE",
        5 => "CREATE",
        6 => "DELETE",
        7 => "ALTER",
        8 => "DESCRIBE",
        9 => "CLUSTER_ACTION",
        10 => "DESCRIBE_CONFIGS",
        11 => "ALTER_CONFIGS",
        12 => "IDEMPOTENT_WRITE",
        _ => return None, // never sent for topics, or newer than we are
    })
}
