//! One partition, consumed without a group.

use std::{ptr, sync::Arc};

use bytes::Bytes;
use rdkafka::bindings as c;

use super::{Client, Queue, Topic, produce, raw};
use crate::{Error, Offset, PartitionId, StoredRecord, TopicName, error::Code};

/// At most this many records are handed out together.
const BATCH: usize = 500;

/// Where reading starts. Not "the beginning": that has to be asked for, and librdkafka asks before it knows the leader, which costs
/// it half a second. A log that begins later answers "out of range", and `auto.offset.reset` goes to its beginning.
const FIRST_OFFSET: i64 = 0;

/// A partition being fetched, from its beginning, for as long as this lives.
pub(crate) struct PartitionConsumer {
    queue: Queue,
    topic: Topic,
    partition: PartitionId,
}

impl PartitionConsumer {
    pub(crate) fn start(
        client: &Arc<Client>,
        topic: &TopicName,
        partition: PartitionId,
    ) -> Result<PartitionConsumer, Error> {
        let topic = Topic::new(client, topic)?;
        let queue = Queue::new(client);
        // SAFETY: topic and queue are live, and stay so until `drop` has stopped the fetching.
        let started = unsafe { c::rd_kafka_consume_start_queue(topic.raw(), partition.0, FIRST_OFFSET, queue.raw()) };
        if started != 0 {
            return Err(Code::UNKNOWN_PARTITION.error(None));
        }
        Ok(PartitionConsumer { queue, topic, partition })
    }

    /// Waits until there may be records.
    pub(crate) async fn woken(&self) {
        self.queue.woken().await;
    }

    /// The records that have arrived: empty, if none have. What came before an error is handed out first, the error with the
    /// next call.
    pub(crate) fn take(&self) -> Result<Vec<StoredRecord>, Error> {
        let mut messages = [ptr::null_mut(); BATCH];
        // SAFETY: the queue is live, the array as large as said; a timeout of 0 does not block. The messages are ours.
        let count = unsafe { c::rd_kafka_consume_batch_queue(self.queue.raw(), 0, messages.as_mut_ptr(), BATCH) };
        let mut records = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        let mut failed = None;
        for &message in &messages[..usize::try_from(count).unwrap_or(0)] {
            // SAFETY: a live message, read and destroyed once.
            unsafe {
                match raw::code_at(&raw const (*message).err) {
                    Code::NONE => records.push(stored(message)),
                    code => failed = Some(code.error(raw::text(c::rd_kafka_message_errstr(message)))),
                }
                c::rd_kafka_message_destroy(message);
            }
        }
        match failed {
            // An error does not stop the fetching: with records at hand it is only worth a line.
            Some(error) if records.is_empty() => Err(error),
            Some(error) => {
                tracing::debug!(partition = %self.partition, %error, "trouble while reading");
                Ok(records)
            }
            None => Ok(records),
        }
    }
}

impl Drop for PartitionConsumer {
    fn drop(&mut self) {
        // Waits for librdkafka's main thread to take note, not for the network.
        // SAFETY: topic and queue are still live; the fetching ends before they go.
        unsafe { c::rd_kafka_consume_stop(self.topic.raw(), self.partition.0) };
    }
}

/// # Safety
/// `message` is a live message of a fetch without an error.
unsafe fn stored(message: *mut c::rd_kafka_message_t) -> StoredRecord {
    // SAFETY: as promised by the caller, for all of the block; what is pointed to is copied.
    unsafe {
        StoredRecord {
            offset: Offset((*message).offset),
            timestamp_ms: produce::timestamp(message),
            key: copy((*message).key.cast(), (*message).key_len),
            value: copy((*message).payload.cast(), (*message).len),
            headers: headers(message),
        }
    }
}

/// # Safety
/// As for [`stored`].
unsafe fn headers(message: *mut c::rd_kafka_message_t) -> Vec<(String, Option<Bytes>)> {
    let mut list = ptr::null_mut();
    let mut all = Vec::new();
    // SAFETY: the list belongs to the message; so do the names and values, which are copied.
    unsafe {
        // An error means: no headers. Compared as a number, see `raw`.
        if c::rd_kafka_message_headers(message, &raw mut list) as i32 != 0 {
            return all;
        }
        for index in 0..c::rd_kafka_header_cnt(list) {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            c::rd_kafka_header_get_all(list, index, &raw mut name, &raw mut value, &raw mut size);
            all.push((raw::text(name).unwrap_or_default(), copy(value.cast(), size)));
        }
    }
    all
}

/// # Safety
/// `start` is null or points to `size` readable bytes.
unsafe fn copy(start: *const u8, size: usize) -> Option<Bytes> {
    if start.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller promises the rest.
    Some(Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(start, size) }))
}
