//! Work that may take more than a millisecond, and how it is kept from delaying the other connections.
//!
//! The broker runs on the runtime of its caller, whose worker threads answer all connections. Three kinds of work leave
//! them free:
//!
//! - Small work runs inline: requests and responses of a few hundred KiB, appends and reads of that size (memory copies to
//!   and from the page cache).
//! - [`HeavyWork::run`]: large appends, reads of many records, searches by timestamp, large lists. It stays in the task of
//!   its connection, and the worker's other tasks move to another thread meanwhile (`block_in_place`). As many at a time as
//!   there are cores, so that they can neither starve the runtime nor use up its threads.
//! - [`run_blocking`]: changes that wait for the disk (fsync), such as creating a topic. They run to the end even if the
//!   client disconnects.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

/// What is copied, checked or decoded inline: some tens of microseconds.
pub(crate) const MAX_INLINE_BYTES: usize = 256 * 1024;
/// Elements of a request, topics or partitions of a list, that are handled inline.
pub(crate) const MAX_INLINE_ELEMENTS: usize = 1000;

/// The bound on heavy work at the same time.
#[derive(Debug)]
pub(crate) struct HeavyWork {
    slots: Semaphore,
}

impl HeavyWork {
    pub(crate) fn new() -> HeavyWork {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        HeavyWork { slots: Semaphore::new(cores.max(2)) }
    }

    /// Runs `work` without holding up the other tasks of this thread. `work` must not wait for clients. Dropping the future
    /// drops `work` between two polls.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
        let mut work = pin!(work);
        poll_fn(|context| in_place(|| work.as_mut().poll(context))).await
    }
}

/// Runs `work` on this thread, after moving its other tasks to another one. On a runtime with one thread there is none.
pub(crate) fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        Ok(_) | Err(_) => work(),
    }
}

/// Runs `work`, which waits for the disk, on the blocking pool. Dropping the future lets `work` finish. Never resolves if
/// the runtime shuts down before `work` could begin: then the caller's task is about to be dropped.
///
/// # Panics
/// If `work` does.
pub(crate) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_cancelled) => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn other_tasks_of_the_thread_go_on_during_heavy_work() {
        let heavy = Arc::new(HeavyWork::new());
        let (done, finished) = std::sync::mpsc::sync_channel::<()>(1);
        let working = tokio::spawn(async move {
            // Ends when the other task has run, which must not need this thread.
            heavy.run(async move { finished.recv_timeout(Duration::from_secs(60)) }).await
        });
        tokio::spawn(async move { done.send(()).expect("the heavy work waits for it") });
        assert_eq!(working.await.expect("no panic"), Ok(()));
    }

    #[test]
    fn work_that_never_began_is_no_panic() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let _entered = handle.enter();
        let mut work = pin!(run_blocking(|| unreachable!("the runtime has shut down")));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for _ in 0..2 {
            assert!(Future::poll(work.as_mut(), &mut context).is_pending());
        }
    }
}
