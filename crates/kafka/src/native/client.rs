//! One librdkafka client: its configuration, its main queue, its end.

use std::{
    ffi::{c_char, c_int},
    mem::ManuallyDrop,
    ptr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::bindings as c;
use tokio::sync::Notify;

use super::{
    produce::Event,
    queue::{self, Wake},
    raw::{self, ErrorText},
};
use crate::{Error, Settings};

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Appends records. Its look-ups may create topics where the cluster does that.
    Producer,
    /// Asks and administers, or reads partitions without a group. Never creates a topic by looking at it.
    Consumer,
}

/// A running client. When the last reference goes, it is ended on a thread of its own, because that may block.
pub(crate) struct Client(ManuallyDrop<Handle>);

impl Client {
    /// Starts the client's threads. A producer connects at once, a consumer when it is asked something first.
    pub(crate) fn start(role: Role, settings: &Settings) -> Result<Client, Error> {
        let (kind, values) = match role {
            Role::Producer => (c::rd_kafka_type_t::RD_KAFKA_PRODUCER, settings.producer()),
            Role::Consumer => (c::rd_kafka_type_t::RD_KAFKA_CONSUMER, settings.consumer()),
        };
        let conf = Conf::new(&values)?;
        let mut text = ErrorText::new();
        // SAFETY: `conf` is live; `rd_kafka_new` takes it over if, and only if, it returns a client.
        let client = unsafe {
            c::rd_kafka_conf_set_log_cb(conf.0, Some(log));
            if role == Role::Producer {
                c::rd_kafka_conf_set_events(conf.0, c::RD_KAFKA_EVENT_DR | c::RD_KAFKA_EVENT_ERROR);
            }
            c::rd_kafka_new(kind, conf.0, text.buffer(), text.size())
        };
        if client.is_null() {
            return Err(text.invalid());
        }
        std::mem::forget(conf);
        let wake = Wake::new();
        // SAFETY: the client is live; the queue is released before it, in `Handle::drop`.
        let main = unsafe { c::rd_kafka_queue_get_main(client) };
        // SAFETY: the queue is live, and `Handle` keeps `wake` until it has silenced the queue.
        unsafe { queue::enable(main, &wake) };
        Ok(Client(ManuallyDrop::new(Handle { client, main, wake, role })))
    }

    /// Wakes when events may lie in the main queue.
    pub(crate) fn wake(&self) -> Arc<Notify> {
        self.0.wake.notify()
    }

    /// The next event of the main queue, if there is one now.
    pub(crate) fn poll_event(&self) -> Option<Event> {
        self.0.poll_event(Duration::ZERO)
    }

    /// Records appended that have no answer yet.
    pub(crate) fn unanswered(&self) -> usize {
        self.0.unanswered()
    }

    /// Sends what lingers, without waiting for answers.
    pub(crate) fn flush_nonblocking(&self) {
        // SAFETY: the client is live. With a timeout of 0 the call does not wait, and says so, which is no news.
        unsafe { raw::rd_kafka_flush(self.raw(), 0) };
    }

    /// Whether a fatal error has made the client useless.
    pub(crate) fn is_broken(&self) -> bool {
        // SAFETY: the client is live; without a buffer no text is written.
        unsafe { raw::rd_kafka_fatal_error(self.raw(), ptr::null_mut(), 0) != 0 }
    }

    /// Makes the client useless, as a fatal error would.
    #[cfg(test)]
    pub(crate) fn break_for_test(&self) {
        let code = c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        // SAFETY: the client is live, the text static.
        unsafe { c::rd_kafka_test_fatal_error(self.raw(), code, c"broken by a test".as_ptr()) };
    }

    pub(super) fn raw(&self) -> *mut c::rd_kafka_t {
        self.0.client
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: taken once, here; nobody uses `self.0` afterwards.
        let handle = unsafe { ManuallyDrop::take(&mut self.0) };
        // Where no thread can be had, the closure is dropped right here, and the handle with it.
        let _ = thread::Builder::new().name("kafka-close".into()).spawn(move || drop(handle));
    }
}

/// The `rd_kafka_t` and its main queue. Dropping it blocks until librdkafka's threads have ended.
struct Handle {
    client: *mut c::rd_kafka_t,
    main: *mut c::rd_kafka_queue_t,
    wake: Wake,
    role: Role,
}

// SAFETY: librdkafka's clients and queues may be used from any thread.
unsafe impl Send for Handle {}
// SAFETY: and from several at once.
unsafe impl Sync for Handle {}

impl Handle {
    fn poll_event(&self, patience: Duration) -> Option<Event> {
        // SAFETY: the queue is live; the event that it returns is ours.
        unsafe { Event::read(c::rd_kafka_queue_poll(self.main, c_int::try_from(patience.as_millis()).unwrap_or(0))) }
    }

    fn unanswered(&self) -> usize {
        // SAFETY: the client is live.
        usize::try_from(unsafe { c::rd_kafka_outq_len(self.client) }).unwrap_or(0)
    }

    /// Gives up the records under way and hands out their answers.
    fn answer_what_is_left(&self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        // SAFETY: the client is live; purging turns waiting records into delivery reports.
        unsafe { c::rd_kafka_purge(self.client, c::RD_KAFKA_PURGE_F_QUEUE | c::RD_KAFKA_PURGE_F_INFLIGHT) };
        let end = Instant::now() + PATIENCE;
        while self.unanswered() > 0 && Instant::now() < end {
            if let Some(Event::Reports(reports)) = self.poll_event(Duration::from_millis(50)) {
                reports.answer();
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.role == Role::Producer {
            self.answer_what_is_left();
        }
        // SAFETY: whatever was made from this client holds an `Arc` of it and so is gone: these are the last uses. The queue
        // must go before the client, and its callback before `wake`.
        unsafe {
            queue::disable(self.main);
            c::rd_kafka_queue_destroy(self.main);
            c::rd_kafka_destroy(self.client);
        }
    }
}

/// A configuration that no client has taken over yet.
struct Conf(*mut c::rd_kafka_conf_t);

impl Conf {
    fn new(values: &[(String, String)]) -> Result<Conf, Error> {
        // SAFETY: takes nothing, returns a configuration that is ours.
        let conf = Conf(unsafe { c::rd_kafka_conf_new() });
        let mut text = ErrorText::new();
        for (name, value) in values {
            let (name, value) = (raw::c_string(name)?, raw::c_string(value)?);
            // SAFETY: all pointers are live for the call; librdkafka copies the strings.
            let result =
                unsafe { c::rd_kafka_conf_set(conf.0, name.as_ptr(), value.as_ptr(), text.buffer(), text.size()) };
            if result != c::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                return Err(text.invalid());
            }
        }
        Ok(conf)
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: still ours, else it would have been forgotten.
        unsafe { c::rd_kafka_conf_destroy(self.0) };
    }
}

/// What librdkafka has to say goes where our own log goes. Its levels are those of syslog.
unsafe extern "C" fn log(_: *const c::rd_kafka_t, level: c_int, facility: *const c_char, line: *const c_char) {
    // SAFETY: librdkafka passes strings that live for the call.
    let (facility, line) = unsafe { (raw::text(facility), raw::text(line)) };
    let (facility, line) = (facility.unwrap_or_default(), line.unwrap_or_default());
    match level {
        ..=2 => tracing::error!(target: "postern_kafka::librdkafka", facility, "{line}"),
        3 | 4 => tracing::warn!(target: "postern_kafka::librdkafka", facility, "{line}"),
        5 | 6 => tracing::info!(target: "postern_kafka::librdkafka", facility, "{line}"),
        7.. => tracing::debug!(target: "postern_kafka::librdkafka", facility, "{line}"),
    }
}
