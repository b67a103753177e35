//! Queues that wake a task instead of occupying a thread.

use std::{ffi::c_void, ptr, sync::Arc};

use rdkafka::bindings as c;
use tokio::sync::Notify;

use super::Client;

/// A queue of its own: for the answer to one call, or for the records of one reader.
pub(crate) struct Queue {
    queue: *mut c::rd_kafka_queue_t,
    wake: Wake,
    client: Arc<Client>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Queue {}
// SAFETY: and from several at once.
unsafe impl Sync for Queue {}

impl Queue {
    pub(crate) fn new(client: &Arc<Client>) -> Queue {
        // SAFETY: the client is live, and stays so until this queue has gone: it is held below.
        let queue = unsafe { c::rd_kafka_queue_new(client.raw()) };
        let wake = Wake::new();
        // SAFETY: the queue is live, and `wake` stays until `drop` has silenced it.
        unsafe { enable(queue, &wake) };
        Queue { queue, wake, client: client.clone() }
    }

    /// Waits until something may lie in the queue. Once after each time that it was found empty.
    pub(crate) async fn woken(&self) {
        self.wake.0.notified().await;
    }

    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    pub(super) fn raw(&self) -> *mut c::rd_kafka_queue_t {
        self.queue
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: live until here. An answer that comes later finds the queue closed and is thrown away by librdkafka.
        unsafe {
            disable(self.queue);
            c::rd_kafka_queue_destroy(self.queue);
        }
    }
}

/// Woken by librdkafka when its queue is no longer empty. `Notify` keeps one such message until somebody waits, so none is lost
/// between finding the queue empty and going to sleep.
pub(super) struct Wake(Arc<Notify>);

impl Wake {
    pub(super) fn new() -> Wake {
        Wake(Arc::new(Notify::new()))
    }

    pub(super) fn notify(&self) -> Arc<Notify> {
        self.0.clone()
    }
}

/// Has `queue` wake `wake`.
///
/// # Safety
/// `queue` is live, and `wake` stays alive until [`disable`] was called.
pub(super) unsafe fn enable(queue: *mut c::rd_kafka_queue_t, wake: &Wake) {
    let opaque = Arc::as_ptr(&wake.0).cast_mut().cast::<c_void>();
    // SAFETY: as promised by the caller.
    unsafe { c::rd_kafka_queue_cb_event_enable(queue, Some(not_empty), opaque) };
}

/// No callback runs after this: it takes the lock under which they run.
///
/// # Safety
/// `queue` is live.
pub(super) unsafe fn disable(queue: *mut c::rd_kafka_queue_t) {
    // SAFETY: as promised by the caller; null switches the callback off.
    unsafe { c::rd_kafka_queue_cb_event_enable(queue, None, ptr::null_mut()) };
}

/// Runs on librdkafka's threads under the lock of the queue: it may wake, and nothing else.
unsafe extern "C" fn not_empty(_: *mut c::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: `enable` gave a `Notify` that lives until `disable`.
    unsafe { &*opaque.cast::<Notify>() }.notify_one();
}
