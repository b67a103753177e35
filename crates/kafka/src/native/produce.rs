//! Records into librdkafka's queue, and delivery reports out of it.

use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::Arc,
};

use bytes::Bytes;
use rdkafka::bindings as c;

use super::{Client, raw};
use crate::{
    AppendError, Error, Fate, Offset, PartitionId, Receipt, Record, TopicName, deliveries::DeliveryHandle, error::Code,
};

/// librdkafka chooses the partition.
const PARTITION_UNASSIGNED: i32 = -1;

/// A topic as the producer knows it.
pub(crate) struct Topic {
    topic: *mut c::rd_kafka_topic_t,
    client: Arc<Client>,
}

// SAFETY: librdkafka's topic objects may be used from any thread.
unsafe impl Send for Topic {}
// SAFETY: and from several at once.
unsafe impl Sync for Topic {}

/// A record that librdkafka did not take, with its handle.
pub(crate) struct NotQueued {
    pub(crate) handle: DeliveryHandle,
    pub(crate) code: Code,
}

impl Topic {
    pub(crate) fn new(client: &Arc<Client>, name: &TopicName) -> Result<Topic, Error> {
        let name = raw::c_string(name.as_str())?;
        // SAFETY: the client is live, and stays so until this topic has gone: it is held below. The name is copied.
        let topic = unsafe { c::rd_kafka_topic_new(client.raw(), name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            return Err(Code::MESSAGE_TOO_LARGE.error(None)); // cannot happen with a legal name and no own settings
        }
        Ok(Topic { topic, client: client.clone() })
    }

    pub(super) fn raw(&self) -> *mut c::rd_kafka_topic_t {
        self.topic
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Hands a record over; its bytes are copied. Does not block: a full queue is an error.
    pub(crate) fn produce(&self, record: &Record, handle: DeliveryHandle) -> Result<(), NotQueued> {
        let handle = Box::into_raw(Box::new(handle));
        let mut headers = ptr::null_mut();
        let mut arguments = [argument(c::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END); 8];
        let mut count = 0;
        let mut push = |kind, value| {
            arguments[count] = c::rd_kafka_vu_t { vtype: kind, u: value };
            count += 1;
        };
        use c::{rd_kafka_vtype_t as kind, rd_kafka_vu_s__bindgen_ty_1 as Value};
        push(kind::RD_KAFKA_VTYPE_RKT, Value { rkt: self.topic });
        push(kind::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: c::RD_KAFKA_MSG_F_COPY });
        push(kind::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: handle.cast::<c_void>() });
        push(kind::RD_KAFKA_VTYPE_PARTITION, Value { i32_: record.partition.map_or(PARTITION_UNASSIGNED, |p| p.0) });
        if let Some(key) = &record.key {
            push(kind::RD_KAFKA_VTYPE_KEY, Value { mem: memory(key) });
        }
        if let Some(value) = &record.value {
            push(kind::RD_KAFKA_VTYPE_VALUE, Value { mem: memory(value) });
        }
        if let Some(timestamp_ms) = record.timestamp_ms {
            push(kind::RD_KAFKA_VTYPE_TIMESTAMP, Value { i64_: timestamp_ms });
        }
        if !record.headers.is_empty() {
            headers = native_headers(&record.headers);
            push(kind::RD_KAFKA_VTYPE_HEADERS, Value { headers });
        }
        // SAFETY: client and topic are live, the arguments point to memory that outlives the call and is copied by it.
        let refused = unsafe { raw::take_code(c::rd_kafka_produceva(self.client.raw(), arguments.as_ptr(), count)) };
        let Some(code) = refused else { return Ok(()) };
        if !headers.is_null() {
            // SAFETY: headers stay ours when the record was not taken.
            unsafe { c::rd_kafka_headers_destroy(headers) };
        }
        // SAFETY: made by `Box::into_raw` above; a record that was not taken gets no delivery report.
        let handle = *unsafe { Box::from_raw(handle) };
        Err(NotQueued { handle, code })
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: ours and live until here. Records already handed over keep the topic inside librdkafka.
        unsafe { c::rd_kafka_topic_destroy(self.topic) };
    }
}

fn argument(vtype: c::rd_kafka_vtype_t) -> c::rd_kafka_vu_t {
    c::rd_kafka_vu_t { vtype, u: c::rd_kafka_vu_s__bindgen_ty_1 { i64_: 0 } }
}

/// Where bytes lie. An empty slice has a pointer too, which tells it from an absent one.
fn memory(bytes: &Bytes) -> c::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    c::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: bytes.as_ptr().cast_mut().cast(), size: bytes.len() }
}

/// Copies of the headers, in order, duplicates included.
fn native_headers(headers: &[(String, Option<Bytes>)]) -> *mut c::rd_kafka_headers_t {
    // SAFETY: the list is ours until a produce call takes it; names and values are copied, their lengths given.
    unsafe {
        let list = c::rd_kafka_headers_new(headers.len());
        for (name, value) in headers {
            let (start, length) = value.as_ref().map_or((ptr::null(), 0), |v| (v.as_ptr(), v.len()));
            c::rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len().cast_signed(),
                start.cast(),
                length.cast_signed(),
            );
        }
        list
    }
}

/// What the main queue of a producer holds.
pub(crate) enum Event {
    /// What became of records.
    Reports(Reports),
    /// The producer cannot go on: another one must take its place.
    Fatal(Error),
    /// Something went wrong that librdkafka deals with by itself.
    TransientError(Error),
    /// Nothing for us.
    Other,
}

impl Event {
    /// # Safety
    /// `event` is null or an event that nobody else destroys.
    pub(super) unsafe fn read(event: *mut c::rd_kafka_event_t) -> Option<Event> {
        if event.is_null() {
            return None;
        }
        let owned = Reports(event);
        // SAFETY: the event is live, and destroyed with `owned`.
        unsafe {
            Some(match c::rd_kafka_event_type(event) {
                c::RD_KAFKA_EVENT_DR => Event::Reports(owned),
                c::RD_KAFKA_EVENT_ERROR => {
                    let error =
                        Code(raw::rd_kafka_event_error(event)).error(raw::text(c::rd_kafka_event_error_string(event)));
                    if c::rd_kafka_event_error_is_fatal(event) != 0 {
                        Event::Fatal(error)
                    } else {
                        Event::TransientError(error)
                    }
                }
                _ => Event::Other, // librdkafka's list of events is open
            })
        }
    }
}

/// A batch of delivery reports.
pub(crate) struct Reports(*mut c::rd_kafka_event_t);

// SAFETY: an event belongs to whoever polled it, on whatever thread.
unsafe impl Send for Reports {}

impl Reports {
    /// Hands every record of the batch its outcome; returns how many they were.
    pub(crate) fn answer(self) -> usize {
        let mut answered = 0;
        loop {
            // SAFETY: the event is live; a message of it is valid until the event goes.
            let message = unsafe { c::rd_kafka_event_message_next(self.0) };
            if message.is_null() {
                return answered;
            }
            // SAFETY: each message is returned once, and its opaque is the handle that `produce` boxed.
            let (handle, outcome) =
                unsafe { (Box::from_raw((*message)._private.cast::<DeliveryHandle>()), outcome(message)) };
            handle.answer(outcome);
            answered += 1;
        }
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        // SAFETY: ours, and not used afterwards.
        unsafe { c::rd_kafka_event_destroy(self.0) };
    }
}

/// # Safety
/// `message` is a message of a delivery report.
unsafe fn outcome(message: *const c::rd_kafka_message_t) -> Result<Receipt, AppendError> {
    // SAFETY: as promised by the caller, for all of the block.
    unsafe {
        let code = raw::code_at(&raw const (*message).err);
        if code == Code::NONE {
            return Ok(Receipt {
                partition: PartitionId((*message).partition),
                offset: Offset((*message).offset),
                timestamp_ms: timestamp(message),
            });
        }
        let fate = match c::rd_kafka_message_status(message) {
            c::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Fate::NotWritten,
            c::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED
            | c::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_PERSISTED => Fate::Unknown,
        };
        Err(AppendError { error: code.error(sentence(code).map(str::to_owned)), fate })
    }
}

/// What to say of a record that was refused, where librdkafka's own words for the number are too few.
///
/// Not the broker's sentence: `rd_kafka_message_produce_errstr` points into an answer that librdkafka has freed by the time of the report.
fn sentence(code: Code) -> Option<&'static str> {
    match code {
        Code::MESSAGE_TOO_LARGE => Some(
            "The request included a message larger than the max message size the server will accept: \
             this record, or one that was sent with it",
        ),
        Code::INVALID_RECORD => Some(
            "The broker refused this record, or one that was sent with it, as invalid: \
             a topic that is compacted takes no record without a key",
        ),
        Code::INVALID_DIFFERENT_RECORD => Some("The broker refused a record that was sent with this one as invalid"),
        _ => None, // the table grows with every release of Kafka
    }
}

/// # Safety
/// `message` is a live message.
pub(super) unsafe fn timestamp(message: *const c::rd_kafka_message_t) -> Option<i64> {
    let mut kind: c_int = 0;
    // SAFETY: as promised by the caller; the kind of timestamp is a C enum, written as an int.
    let timestamp_ms = unsafe { c::rd_kafka_message_timestamp(message, (&raw mut kind).cast()) };
    (timestamp_ms >= 0).then_some(timestamp_ms)
}
