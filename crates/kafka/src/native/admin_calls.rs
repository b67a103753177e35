//! Administrative calls: sent here, answered as an event in a queue of their own, read in `reply.rs`.

use std::{
    ffi::{CString, c_int},
    ptr,
    sync::Arc,
    time::Duration,
};

use rdkafka::bindings as c;

use super::{
    Client, Queue, Reply,
    raw::{self, ErrorText},
};
use crate::{Error, NewTopic, NodeId, PartitionId, TopicName, error::Code, settings::millis};

/// How long after librdkafka should have given up we stop waiting for it.
const GRACE: Duration = Duration::from_secs(1);

/// "The broker's default" for counts.
const DEFAULT_COUNT: c_int = -1;

/// What can be asked.
pub(crate) enum Request<'a> {
    CreateTopic(&'a NewTopic),
    DeleteTopic(&'a TopicName),
    AddPartitions { topic: &'a TopicName, total: i32 },
    DescribeTopics { names: &'a [String], authorized_operations: bool },
    DescribeCluster,
    TopicConfigs(&'a TopicName),
    BrokerConfigs(NodeId),
    EarliestOffset(&'a TopicName, PartitionId),
    LatestOffset(&'a TopicName, PartitionId),
}

/// A call under way. Dropping it forgets the answer; what the cluster was told to do it may still do.
pub(crate) struct AdminCall {
    queue: Queue,
    timeout: Duration,
}

impl AdminCall {
    /// Sends `request`; it is answered within `timeout`, if only by an error.
    pub(crate) fn send(client: &Arc<Client>, request: Request<'_>, timeout: Duration) -> Result<AdminCall, Error> {
        let call = AdminCall { queue: Queue::new(client), timeout };
        call.dispatch(request)?;
        Ok(call)
    }

    /// Waits for the answer.
    pub(crate) async fn reply(self) -> Result<Reply, Error> {
        let reply = async {
            loop {
                // SAFETY: the queue is live; the event that it returns is ours.
                if let Some(reply) = unsafe { Reply::take(c::rd_kafka_queue_poll(self.queue.raw(), 0)) } {
                    return reply;
                }
                self.queue.woken().await;
            }
        };
        tokio::time::timeout(self.timeout + GRACE, reply).await.unwrap_or_else(|_| Err(Code::TIMED_OUT.error(None)))
    }

    fn dispatch(&self, request: Request<'_>) -> Result<(), Error> {
        match request {
            Request::CreateTopic(topic) => self.create_topic(topic),
            Request::DeleteTopic(topic) => self.delete_topic(topic),
            Request::AddPartitions { topic, total } => self.add_partitions(topic, total),
            Request::DescribeTopics { names, authorized_operations } => {
                self.describe_topics(names, authorized_operations)
            }
            Request::DescribeCluster => {
                let options = self.options(c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER);
                // SAFETY: client, options and queue are live.
                unsafe { c::rd_kafka_DescribeCluster(self.client(), options.0, self.queue.raw()) };
                Ok(())
            }
            Request::TopicConfigs(topic) => {
                self.describe_configs(c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, topic.as_str())
            }
            Request::BrokerConfigs(NodeId(id)) => {
                self.describe_configs(c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER, &id.to_string())
            }
            Request::EarliestOffset(topic, partition) => {
                self.list_offset(topic, partition, c::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_EARLIEST)
            }
            Request::LatestOffset(topic, partition) => {
                self.list_offset(topic, partition, c::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_LATEST)
            }
        }
    }

    fn create_topic(&self, topic: &NewTopic) -> Result<(), Error> {
        let new = NativeNewTopic::build(topic)?;
        let options = self.options(c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS);
        options.wait_for_the_cluster(self.timeout);
        options.validate_only(topic.validate_only);
        let mut topics = [new.0];
        // SAFETY: all live; librdkafka copies the topics.
        unsafe { c::rd_kafka_CreateTopics(self.client(), topics.as_mut_ptr(), 1, options.0, self.queue.raw()) };
        Ok(())
    }

    fn delete_topic(&self, topic: &TopicName) -> Result<(), Error> {
        let name = raw::c_string(topic.as_str())?;
        let options = self.options(c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS);
        options.wait_for_the_cluster(self.timeout);
        // SAFETY: all live; librdkafka copies what it is given, so the object is destroyed here.
        unsafe {
            let mut topics = [c::rd_kafka_DeleteTopic_new(name.as_ptr())];
            c::rd_kafka_DeleteTopics(self.client(), topics.as_mut_ptr(), 1, options.0, self.queue.raw());
            c::rd_kafka_DeleteTopic_destroy(topics[0]);
        }
        Ok(())
    }

    fn add_partitions(&self, topic: &TopicName, total: i32) -> Result<(), Error> {
        let name = raw::c_string(topic.as_str())?;
        let options = self.options(c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
        options.wait_for_the_cluster(self.timeout);
        let mut text = ErrorText::new();
        let total = usize::try_from(total).unwrap_or(0);
        // SAFETY: all live; librdkafka copies what it is given, so the object is destroyed here.
        unsafe {
            let new = c::rd_kafka_NewPartitions_new(name.as_ptr(), total, text.buffer(), text.size());
            if new.is_null() {
                return Err(text.invalid());
            }
            let mut all = [new];
            c::rd_kafka_CreatePartitions(self.client(), all.as_mut_ptr(), 1, options.0, self.queue.raw());
            c::rd_kafka_NewPartitions_destroy(new);
        }
        Ok(())
    }

    fn describe_topics(&self, names: &[String], authorized_operations: bool) -> Result<(), Error> {
        let names = names.iter().map(|name| raw::c_string(name)).collect::<Result<Vec<CString>, Error>>()?;
        let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let options = self.options(c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        options.authorized_operations(authorized_operations);
        // SAFETY: all live; the collection copies the names, the call copies the collection.
        unsafe {
            let topics = c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            c::rd_kafka_DescribeTopics(self.client(), topics, options.0, self.queue.raw());
            c::rd_kafka_TopicCollection_destroy(topics);
        }
        Ok(())
    }

    fn describe_configs(&self, kind: c::rd_kafka_ResourceType_t, name: &str) -> Result<(), Error> {
        let name = raw::c_string(name)?;
        let options = self.options(c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
        // SAFETY: all live; librdkafka copies what it is given, so the object is destroyed here.
        unsafe {
            let mut resources = [c::rd_kafka_ConfigResource_new(kind, name.as_ptr())];
            c::rd_kafka_DescribeConfigs(self.client(), resources.as_mut_ptr(), 1, options.0, self.queue.raw());
            c::rd_kafka_ConfigResource_destroy(resources[0]);
        }
        Ok(())
    }

    fn list_offset(
        &self,
        topic: &TopicName,
        partition: PartitionId,
        which: c::rd_kafka_OffsetSpec_t,
    ) -> Result<(), Error> {
        let name = raw::c_string(topic.as_str())?;
        let options = self.options(c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS);
        // SAFETY: all live; librdkafka copies the list, so it is destroyed here.
        unsafe {
            let list = c::rd_kafka_topic_partition_list_new(1);
            (*c::rd_kafka_topic_partition_list_add(list, name.as_ptr(), partition.0)).offset = which as i64;
            c::rd_kafka_ListOffsets(self.client(), list, options.0, self.queue.raw());
            c::rd_kafka_topic_partition_list_destroy(list);
        }
        Ok(())
    }

    fn client(&self) -> *mut c::rd_kafka_t {
        self.queue.client().raw()
    }

    fn options(&self, call: c::rd_kafka_admin_op_t) -> Options {
        // SAFETY: the client is live; the options are ours.
        let options = Options(unsafe { c::rd_kafka_AdminOptions_new(self.client(), call) });
        let mut text = ErrorText::new();
        // SAFETY: options and buffer are live. Every call takes this option, and the value is in range.
        unsafe {
            c::rd_kafka_AdminOptions_set_request_timeout(options.0, millis(self.timeout), text.buffer(), text.size())
        };
        options
    }
}

/// Options of one call. The setters are only used with calls that take them, so their answers hold no news.
struct Options(*mut c::rd_kafka_AdminOptions_t);

impl Options {
    /// Not only started, but done in the whole cluster.
    fn wait_for_the_cluster(&self, timeout: Duration) {
        let mut text = ErrorText::new();
        // SAFETY: options and buffer are live.
        unsafe {
            c::rd_kafka_AdminOptions_set_operation_timeout(self.0, millis(timeout), text.buffer(), text.size());
        }
    }

    fn validate_only(&self, yes: bool) {
        let mut text = ErrorText::new();
        // SAFETY: options and buffer are live.
        unsafe {
            c::rd_kafka_AdminOptions_set_validate_only(self.0, yes.into(), text.buffer(), text.size());
        }
    }

    fn authorized_operations(&self, yes: bool) {
        // SAFETY: the options are live; the error object, if any, is consumed.
        unsafe { raw::take_code(c::rd_kafka_AdminOptions_set_include_authorized_operations(self.0, yes.into())) };
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours, and not used afterwards; calls have copied them.
        unsafe { c::rd_kafka_AdminOptions_destroy(self.0) };
    }
}

/// A topic to be created, as librdkafka describes it.
struct NativeNewTopic(*mut c::rd_kafka_NewTopic_t);

impl NativeNewTopic {
    fn build(topic: &NewTopic) -> Result<NativeNewTopic, Error> {
        let name = raw::c_string(topic.name.as_str())?;
        let mut text = ErrorText::new();
        let (partitions, replication_factor) = match &topic.assignments {
            // With assignments the counts follow from them.
            Some(assignments) => (c_int::try_from(assignments.len()).unwrap_or(c_int::MAX), DEFAULT_COUNT),
            None => {
                (topic.partitions.unwrap_or(DEFAULT_COUNT), topic.replication_factor.map_or(DEFAULT_COUNT, c_int::from))
            }
        };
        // SAFETY: name and buffer are live; the object is ours.
        let new = unsafe {
            c::rd_kafka_NewTopic_new(name.as_ptr(), partitions, replication_factor, text.buffer(), text.size())
        };
        if new.is_null() {
            return Err(text.invalid());
        }
        let new = NativeNewTopic(new);
        for (partition, brokers) in topic.assignments.iter().flatten().enumerate() {
            new.assign(partition, brokers)?;
        }
        for (name, value) in &topic.configs {
            new.config(name, value.as_deref())?;
        }
        Ok(new)
    }

    fn assign(&self, partition: usize, brokers: &[i32]) -> Result<(), Error> {
        let mut text = ErrorText::new();
        let mut brokers = brokers.to_vec();
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        // SAFETY: all live; the numbers are copied.
        let code = unsafe {
            c::rd_kafka_NewTopic_set_replica_assignment(
                self.0,
                partition,
                brokers.as_mut_ptr(),
                brokers.len(),
                text.buffer(),
                text.size(),
            )
        } as i32;
        if Code(code) == Code::NONE { Ok(()) } else { Err(text.invalid()) }
    }

    fn config(&self, name: &str, value: Option<&str>) -> Result<(), Error> {
        let name = raw::c_string(name)?;
        let value = value.map(raw::c_string).transpose()?;
        let value = value.as_ref().map_or(ptr::null(), |v| v.as_ptr());
        // SAFETY: all live; the strings are copied.
        let code = Code(unsafe { c::rd_kafka_NewTopic_set_config(self.0, name.as_ptr(), value) } as i32);
        if code == Code::NONE { Ok(()) } else { Err(code.error(None)) }
    }
}

impl Drop for NativeNewTopic {
    fn drop(&mut self) {
        // SAFETY: ours, and not used afterwards; the call has copied it.
        unsafe { c::rd_kafka_NewTopic_destroy(self.0) };
    }
}
